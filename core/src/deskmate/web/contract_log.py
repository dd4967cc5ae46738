"""What travels of a thread's log: each event as the page shows it; part of the contract."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from deskmate.types.events import FinishReason
from deskmate.types.events import Outcome as ToolEnd
from deskmate.types.findings import Finding

StepState = Literal["todo", "doing", "done"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One line of the agent's plan."""

    text: str
    state: StepState = "todo"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """The model wants a tool. `sentence`: in human words. `question`, `choices`: where it asks the user.

    `steps`: where it tells its plan. `arguments`: name → value as a short text.
    """

    id: str
    tool: str
    sentence: str
    arguments: Mapping[str, str] = field(default_factory=dict)
    question: str = ""
    choices: tuple[str, ...] = ()
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file that is presented as a result."""

    path: str
    title: str
    role: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A file that came in a connector's answer. `media`: of a picture that may be shown, else empty."""

    name: str
    size: int
    sha256: str
    media: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """The user asked for something. `queued`: the message that had waited for it, if one did."""

    text: str
    model: str
    queued: str
    kind: Literal["said"] = "said"


@dataclass(frozen=True, slots=True, kw_only=True)
class Replied:
    """The model's finished message. `cost_usd`: None where the price is not known."""

    text: str
    label: str
    calls: tuple[Call, ...]
    tokens: int
    cost_usd: float | None
    kind: Literal["replied"] = "replied"


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """A tool call began."""

    use: str
    kind: Literal["started"] = "started"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """The result of a tool call. `text`: at most a few thousand characters of it; `cut`: there is more."""

    use: str
    outcome: ToolEnd
    text: str
    cut: bool
    files: tuple[File, ...]
    wrote: bool
    kept: tuple[Kept, ...] = ()
    kind: Literal["finished"] = "finished"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A call waits for the user. `use`, `arguments`: what an answer must name. `shown`: all that it would do."""

    use: str
    arguments: str
    title: str
    why: str
    shown: Mapping[str, str]
    sends: bool
    expires: str
    kind: Literal["asked"] = "asked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """The decision on one call. `by`: the user, or the deadline."""

    use: str
    arguments: str
    allow: bool
    by: str
    kind: Literal["answered"] = "answered"


@dataclass(frozen=True, slots=True, kw_only=True)
class Staged:
    """The run's changes wait for a review."""

    run: str
    created: int
    modified: int
    deleted: int
    files: tuple[File, ...]
    refused: Mapping[str, str]
    kind: Literal["staged"] = "staged"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """The clean room's verdict."""

    passed: bool
    rules: int
    findings: tuple[Finding, ...]
    kind: Literal["checked"] = "checked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """The run's honest end."""

    reason: FinishReason
    text: str
    kind: Literal["ended"] = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """A plan of file changes was carried out, or not. `plan`: names it for an undo."""

    plan: str
    undo: bool
    by: str
    applied: bool
    text: str
    left: int | None
    kind: Literal["applied"] = "applied"


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    """One line of what happened beside the work. `level`: attention is for what the user should see."""

    text: str
    level: Literal["quiet", "attention"] = "quiet"
    kind: Literal["noted"] = "noted"


Body = (
    Said
    | Replied
    | Started
    | Finished
    | Asked
    | Answered
    | Staged
    | Checked
    | Ended
    | Applied
    | Noted
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One event of a thread's log as the page shows it."""

    seq: int
    time: str
    body: Body
