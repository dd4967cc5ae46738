"""A run where there is no live display: one human line per step, the agent's own words as they come."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping

import click

from deskmate.cli.happenings import lines_of, of_hook
from deskmate.cli.output import plain
from deskmate.ports import Delta
from deskmate.types.events import (
    ApprovalAsked,
    ChangesStaged,
    Event,
    ModelFailed,
    ModelReplied,
    Payload,
    Refused,
    Remembered,
    RunFinished,
    RunResumed,
    SandboxOpened,
    SubagentDid,
    SubagentStarted,
    ToolFinished,
    ToolStarted,
    Validated,
)
from deskmate.types.ids import ToolUseId
from deskmate.types.messages import ToolUse, tool_uses_of

_ARGUMENT_LIMIT = 60


class Renderer:
    """Shows events and deltas on stderr. Callable, as the agent's observer."""

    def __init__(self, *, colour: bool | None = None) -> None:
        """`colour`: None means: only on a terminal that wants it."""
        self._colour = colour
        self._uses: dict[ToolUseId, ToolUse] = {}
        self._streamed = False
        self._said = ""

    @property
    def streams(self) -> bool:
        """Say whether the model's words are shown as they come."""
        return sys.stderr.isatty()

    def __call__(self, item: Event | Delta) -> None:
        """Show one event or delta."""
        if isinstance(item, Delta):
            self._delta(item)
            return
        self._said = ""
        match item.payload:
            case ModelReplied() as reply:
                self._reply(reply)
            case ChangesStaged() as staged:
                self._staged(staged)
            case Validated() as verdict:
                self._verdict(verdict)
            case ToolStarted(tool=tool, tool_use_id=use):
                self._line("▸", f"{tool}{self._arguments(use)}", "blue")
            case SubagentStarted() | SubagentDid() as payload:
                for one in lines_of(payload):
                    self._line(one.mark, one.text, one.colour)
            case payload:
                if line := _one_line(payload):
                    self._line(*line)
                elif hook := of_hook(payload):
                    self._line(hook.mark, hook.text, hook.colour)

    def _delta(self, delta: Delta) -> None:
        if delta.kind == "progress":
            if delta.text != self._said:  # the same words again only say how far it is
                self._line("·", delta.text, "bright_black")
            self._said = delta.text
            return
        if not self.streams:
            return  # the whole answer follows on stdout
        self._streamed = True
        click.echo(plain(delta.text), nl=False, err=True)

    def _reply(self, reply: ModelReplied) -> None:
        for use in tool_uses_of(reply.content):
            self._uses[use.id] = use
        if self._streamed:
            click.echo(err=True)
            self._streamed = False

    def _arguments(self, use_id: ToolUseId) -> str:
        use = self._uses.get(use_id)
        if use is None or not use.input:
            return ""
        return "(" + ", ".join(_argument(name, value) for name, value in use.input.items()) + ")"

    def _staged(self, staged: ChangesStaged) -> None:
        counts = f"{staged.created} new, {staged.modified} modified, {staged.deleted} deleted"
        if staged.created or staged.modified or staged.deleted:
            self._line("•", f"changes waiting for you: {counts}", "cyan")
        for path, why in staged.refused.items():
            self._line("✗", f"not taken: {path}: {why}", "yellow")

    def _verdict(self, verdict: Validated) -> None:
        if verdict.passed:
            rules = ", ".join(verdict.rules)
            self._line("✓", f"checked in a clean room, passed: {rules}", "green")
        for finding in verdict.findings:
            mark, colour = ("✗", "red") if finding.level == "error" else ("·", "yellow")
            where = f" ({finding.location})" if finding.location else ""
            self._line(mark, f"{finding.rule} {finding.path}{where}: {finding.message}", colour)

    def _line(self, mark: str, text: str, colour: str) -> None:
        if self._streamed:
            click.echo(err=True)
            self._streamed = False
        styled = click.style(mark, fg=colour)
        click.echo(f"{styled} {plain(text)}", err=True, color=self._wants_colour())
        sys.stderr.flush()

    def _wants_colour(self) -> bool | None:
        return self._colour


def _one_line(payload: Payload) -> tuple[str, str, str] | None:
    """Return mark, text and colour of a payload that needs nothing but itself."""
    match payload:
        case SandboxOpened(isolation=isolation):
            return "•", f"virtual machine ready, isolation: {isolation}", "cyan"
        case ModelFailed(error=error, retryable=True):
            return "!", error, "yellow"
        case ToolFinished(tool=tool, outcome=outcome, text=text) if outcome != "ok":
            return "✗", f"{tool}: {outcome}: {_short(text, 200)}", "red"
        case ApprovalAsked(tool=tool, why=why):
            return "?", f"{tool} needs your approval: {why}", "yellow"
        case Refused(what="tools", why=why):
            return "✗", f"tools are off: {why}", "red"
        case Refused(what=what, why=why):
            return "✗", f"refused: {what}: {why}", "yellow"
        case Remembered(confirmed=confirmed) as note:
            mark, colour = ("•", "cyan") if confirmed else ("?", "yellow")
            return mark, f"{note.in_short} {_short(note.text, 300)}", colour
        case RunResumed():
            return "•", "going on where it stopped", "cyan"
        case RunFinished(reason=reason, text=text):
            colour = "green" if reason == "done" else "yellow"
            return "■", f"{reason.replace('_', ' ')}{': ' + text if text else ''}", colour
    return None


def _argument(name: str, value: object) -> str:
    if isinstance(value, list | Mapping) and len(json.dumps(value, default=str)) > _ARGUMENT_LIMIT:
        kind = "entries" if isinstance(value, list) else "fields"
        return f"{name}={len(value)} {kind}"
    return f"{name}={_short(json.dumps(value, ensure_ascii=False, default=str), _ARGUMENT_LIMIT)}"


def _short(text: str, limit: int) -> str:
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 1] + "…"
