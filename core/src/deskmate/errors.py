"""Every exception of Deskmate, sorted by who must act.

```
DeskmateError
├── UserError              the user acts: one line and a hint, exit code 2
│   ├── ConfigError        a setting, file or manifest is wrong
│   ├── PluginError        a plugin is missing, broken or refused
│   ├── ConflictError      the user's file changed meanwhile; nothing was written
│   └── SandboxMissing     this machine cannot run the VM; `doctor` names the cure
├── ToolError              the model acts: the text becomes a tool result with is_error
│   ├── ToolInputError     the arguments do not fit, or name something that is not there
│   │   └── ContentMissing  a file is in the user's folder and not yet in the virtual machine
│   └── ToolDenied         a policy, a grant or the user said no
├── Retryable              the kernel acts: bounded back-off
│   ├── ModelUnavailable   overloaded, rate limited, unreachable, stream cut
│   └── SandboxUnavailable the VM died or does not answer; restore and go on
├── ModelRejected          the model's server refused the request for good (400, 401, 403, 404, 413)
├── OutcomeUnknown         nobody may repeat it: it was sent and the answer was lost
├── LimitExceeded          the run ends with a reason
├── ProtocolError          the guest or a server broke the wire rules; the connection is dropped
└── CorruptData            a stored record does not match its digest; stop writing, export, repair
```

A message says what happened, to what, and what to do. Data travels in attributes.
"""

from __future__ import annotations


class DeskmateError(Exception):
    """Base of all errors that Deskmate raises on purpose."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        """`message`: what happened to what. `hint`: what to do, one line, may be empty."""
        super().__init__(message)
        self.message = message
        self.hint = hint


class UserError(DeskmateError):
    """Something the user can put right."""

    exit_code = 2


class ConfigError(UserError):
    """A setting, manifest or other input file is wrong."""


class PluginError(UserError):
    """A plugin is missing, broken or refused."""


class ConflictError(UserError):
    """A file is not what it was when the work began; nothing was written."""

    exit_code = 1


class SandboxMissing(UserError):
    """This machine cannot run the VM as it is; the hint names the cure."""

    exit_code = 1


class ToolError(DeskmateError):
    """Told to the model as a failed tool result."""


class ToolInputError(ToolError):
    """The arguments of a tool do not fit its schema or name something that is not there."""


class ContentMissing(ToolInputError):
    """A file's content is not in the virtual machine yet; the host brings it."""

    def __init__(self, message: str, *, hint: str = "", paths: tuple[str, ...] = ()) -> None:
        """`paths`: workspace paths of the files."""
        super().__init__(message, hint=hint)
        self.paths = paths


class ToolDenied(ToolError):
    """A policy, a grant or the user refused the call."""


class Retryable(DeskmateError):
    """Worth another try, bounded."""


class ModelUnavailable(Retryable):
    """The model cannot answer now; nothing of its reply was kept."""

    def __init__(self, message: str, *, hint: str = "", retry_after_s: float | None = None) -> None:
        """`retry_after_s`: seconds that the server asked to wait, or None."""
        super().__init__(message, hint=hint)
        self.retry_after_s = retry_after_s


class SandboxUnavailable(Retryable):
    """The VM died or stopped answering."""


class ModelRejected(DeskmateError):
    """The model's server refused the request; repeating it would not help."""

    def __init__(self, message: str, *, hint: str = "", status: int | None = None) -> None:
        """`status`: the HTTP status, or None where there was none."""
        super().__init__(message, hint=hint)
        self.status = status


class StorageFailed(DeskmateError):
    """Content cannot be stored. Work on a thread ends where it is, as after a crash, and is taken up again there."""


class OutcomeUnknown(DeskmateError):
    """A side effect was sent and its answer lost; it is never repeated by itself."""

    exit_code = 4


class LimitExceeded(DeskmateError):
    """A limit of turns, tokens, money, seconds or bytes was reached."""

    exit_code = 5

    def __init__(self, message: str, *, limit: str, hint: str = "") -> None:
        """`limit`: name of the field of `Limits` that was reached."""
        super().__init__(message, hint=hint)
        self.limit = limit


class ProtocolError(DeskmateError):
    """A peer broke the wire rules."""


class CorruptData(DeskmateError):
    """A stored record does not match its digest."""
