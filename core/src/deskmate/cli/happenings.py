"""The lines that a live display leaves for what has happened."""

from __future__ import annotations

from typing import NamedTuple

from deskmate.shown import one_line
from deskmate.types.events import (
    ApprovalAsked,
    BaseTaken,
    ChangesStaged,
    HookFinished,
    HookStarted,
    ModelFailed,
    Payload,
    Refused,
    Remembered,
    RunFinished,
    RunResumed,
    SandboxOpened,
    SubagentDid,
    SubagentStarted,
    Validated,
)
from deskmate.types.progress import Counted

_MB = 1_000_000


class Line(NamedTuple):
    """One line: a mark in a colour, and words."""

    mark: str
    text: str
    colour: str
    dim: bool = False


def lines_of(payload: Payload) -> tuple[Line, ...]:
    """Return what to say of a payload; nothing where the display shows it in its own way."""
    match payload:
        case ChangesStaged() as staged:
            return _staged(staged)
        case Remembered(confirmed=confirmed) as note:
            mark, colour = ("•", "cyan") if confirmed else ("?", "yellow")
            return (Line(mark, f"{note.in_short} {note.text}", colour),)
        case Validated(passed=True, rules=rules):
            return (Line("✓", f"checked in a clean room: {', '.join(rules)}", "green"),)
        case Validated(findings=findings):
            errors = sum(finding.level == "error" for finding in findings)
            return (Line("✗", f"the output checks found {errors} error(s)", "red"),)
    line = _of_subagent(payload) or of_hook(payload) or _one_line(payload)
    return (line,) if line else ()


def _staged(staged: ChangesStaged) -> tuple[Line, ...]:
    counts = f"{staged.created} new, {staged.modified} modified, {staged.deleted} deleted"
    lines = [
        Line("✗", f"not taken: {path}: {why}", "yellow") for path, why in staged.refused.items()
    ]
    if staged.created or staged.modified or staged.deleted:
        lines.insert(0, Line("•", f"changes waiting for you: {counts}", "cyan"))
    return tuple(lines)


def _of_subagent(payload: Payload) -> Line | None:
    match payload:
        case SubagentStarted(child=child, title=title, files=files):
            return Line("•", f"sub-agent {child} reads {files} file(s): {title}", "cyan")
        case SubagentDid(child=child, kind="RunFinished", fact={"reason": "done"}):
            return Line("✓", f"sub-agent {child} has its answer", "green")
        case SubagentDid(child=child, kind="RunFinished", fact=fact):
            why = fact.get("text") or str(fact.get("reason", "")).replace("_", " ")
            return Line("!", f"sub-agent {child} has no answer: {why}", "yellow")
    return None


def of_hook(payload: Payload) -> Line | None:
    """Return what to say of a hook, None for any other payload and where there is nothing to say."""
    match payload:
        case HookStarted(plugin=plugin, event=event, command=command):
            text = f"hook {event} of {plugin}: {one_line(command, 100)}"
            return Line("▸", text, "blue", dim=True)
        case HookFinished(in_short=text, outcome=outcome) if text:
            return Line(
                "•" if outcome == "ok" else "✗",
                one_line(text, 300),
                "cyan" if outcome == "ok" else "yellow",
            )
    return None


def _one_line(payload: Payload) -> Line | None:
    match payload:
        case BaseTaken(files=files, size=size) if files:
            return Line("•", f"{files} file(s) of your folders, {_size(size)}", "", dim=True)
        case SandboxOpened(isolation=isolation):
            return Line("✓", f"virtual machine ready, isolation: {isolation}", "green")
        case ModelFailed(error=error):
            return Line("!", error, "yellow")
        case ApprovalAsked(tool=tool, why=why):
            return Line("?", f"{tool} needs your approval: {why}", "yellow")
        case Refused(what="tools", why=why):
            return Line("✗", f"tools are off: {why}", "red")
        case Refused(what=what, why=why):
            return Line("✗", f"refused: {what}: {why}", "yellow")
        case RunResumed():
            return Line("•", "going on where it stopped", "cyan")
        case RunFinished(reason=reason):
            colour = "green" if reason == "done" else "yellow"
            return Line("■", reason.replace("_", " "), colour)
    return None


def _size(size: int) -> str:
    return f"{size / _MB:.1f} MB" if size >= _MB else f"{-(-size // 1000)} kB"


def measure(counted: Counted, passed: float) -> str:
    """Return how far something is: `2/5`, or `45 %  12.3 MB/s`, and what there is to note of it."""
    if counted.unit == "steps":
        note = f"  {counted.note}" if counted.note else ""
        return f"{counted.done}/{counted.total}{note}"
    percent = f"{100 * counted.done // counted.total} %"
    return f"{percent}  {counted.done / _MB / passed:.1f} MB/s" if passed >= 1 else percent
