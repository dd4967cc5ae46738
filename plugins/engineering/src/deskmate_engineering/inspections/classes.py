"""The classes of defects that the checks know: name, usual severity, what is wrong, what to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from deskmate.plugin import ToolInputError

SEVERITIES = ("blocker", "major", "minor", "note")
OFF = "off"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A class of defects. `message`: what goes wrong, when, and the smallest remedy."""

    name: str
    severity: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A place where a check found something.

    `end`: last line of what is meant, 0 for that line alone. `old`: the line is one of the version before the change.
    """

    kind: str
    line: int
    end: int = 0
    detail: str = ""
    old: bool = False


_TABLE = (
    ("syntax", "blocker", "Python cannot read this file; whoever imports it fails."),
    ("conflict-marker", "blocker", "A marker of an unresolved merge was left in. Resolve it."),
    ("secret", "blocker", "This looks like a key, token or password. Revoke it, then take it out and read it from the environment."),
    ("sql-format", "blocker", "SQL is put together from text: whoever controls the value controls the statement. Pass it as a parameter."),
    ("shell-injection", "blocker", "A shell gets a command that is put together from text: whoever controls the value runs programs. Pass a list of arguments, without a shell."),
    ("unsafe-load", "major", "This runs what it reads if the data is hostile. Use a format or loader that only makes data."),
    ("dynamic-code", "major", "This runs text as code; with foreign input it runs foreign code. Parse what is meant instead."),
    ("swallowed-exception", "major", "Any failure is dropped without a trace, so the next step works on a wrong state. Name the exceptions, and log or raise."),
    ("mutable-default", "major", "The default is made once and shared by all calls; what one call puts in, the next one sees. Default to None."),
    ("unclosed-file", "major", "Nothing closes this file when an error comes between; handles run out and writes may be lost. Use `with`."),
    ("assert-tuple", "major", "An assertion on a tuple is always true. Take the brackets away."),
    ("identity-literal", "major", "`is` compares identity, which for literals is a matter of luck. Use `==`."),
    ("changed-while-iterated", "major", "The collection is changed while it is walked over, so items are left out or an error is raised. Walk over a copy."),
    ("lost-in-finally", "major", "Leaving a `finally` drops the exception that is on its way."),
    ("not-awaited", "major", "The coroutine is made and never runs. Await it."),
    ("blocking-in-async", "major", "This blocks the event loop for everybody. Use the asynchronous form."),
    ("tls-off", "major", "The other side's certificate is not checked, so anybody between can read and change. Leave the check on."),
    ("insecure-temp", "major", "Another program can take the name before the file is made. Use NamedTemporaryFile or mkstemp."),
    ("xss", "major", "Text becomes markup: whoever controls it runs scripts in the reader's page. Set text, not markup."),
    ("test-disabled", "major", "A test is switched off or others are left out, so nothing is proven any more. Say why, or take it out."),
    ("test-removed", "major", "A test is gone. Say what proves the behaviour now."),
    ("missing-test", "minor", "Behaviour changes and no changed test names it. Add or change a test."),
    ("migration-loss", "blocker", "This destroys data and cannot be undone by rolling the program back. Do it in a later release, after a backup."),
    ("migration-lock", "major", "On a filled table this fails or locks it while it runs. Do it in steps: nullable, fill, then constrain."),
    ("migration-rename", "major", "The program that runs during the rollout does not know the new name. Add, copy, switch, then remove."),
    ("migration-one-way", "minor", "There is no way back for this migration. Write its reverse, or say why there is none."),
    ("lock-drift", "major", "Dependencies changed and their lock file did not, so people and machines install different things. Lock again."),
    ("lock-only", "note", "The lock file changed and nothing that it is made from did. Say why."),
    ("unpinned-action", "minor", "The workflow runs whatever its author puts there next. Pin a commit."),
    ("piped-to-shell", "major", "What the network answers is run unseen. Download, check the digest, then run."),
    ("world-writable", "major", "Everybody on the machine may change this. Give the owner alone the right to write."),
    ("no-timeout", "minor", "Without a time limit a silent server stops the caller for ever. Pass a timeout."),
    ("naive-time", "minor", "A time without zone means another moment elsewhere. Use an aware time, such as datetime.now(UTC)."),
    ("debug-leftover", "minor", "This is left over from looking for a fault. Take it out."),
    ("unreachable", "minor", "Nothing gets here. Take it out, or mend what leaves before."),
    ("suppressed-check", "note", "A checker is told to look away here. Say why beside it."),
    ("todo", "note", "Work is left for later. Name the ticket, or do it."),
)  # fmt: skip
KINDS: Mapping[str, Kind] = {
    name: Kind(name=name, severity=severity, message=message) for name, severity, message in _TABLE
}


def severities(settings: Mapping[str, object]) -> dict[str, str]:
    """Return class → severity with the plugin's setting `review_severities` applied; `off` leaves a class out.

    Raises:
        ToolInputError: the setting names a class or severity that there is not.
    """
    found = {name: kind.severity for name, kind in KINDS.items()}
    given = settings.get("review_severities") or {}
    if not isinstance(given, Mapping):
        raise ToolInputError("The setting review_severities must be a table: class = severity.")
    for name, severity in given.items():
        if name not in KINDS:
            raise ToolInputError(
                f"review_severities names the class {name!r}; there are {', '.join(KINDS)}."
            )
        if severity not in (*SEVERITIES, OFF):
            raise ToolInputError(
                f"review_severities gives {name} the severity {severity!r}; use {', '.join(SEVERITIES)} or off."
            )
        found[str(name)] = str(severity)
    return found
