"""Facts about hooks: that a plugin's command is about to run in the machine, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from deskmate.types.ids import Digest

HookOutcome = Literal["ok", "blocked", "error", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class HookStarted:
    """Intent: an approved command is about to run under `key`.

    `hook`: its name. `at`: what it runs for, such as a tool use; a hook runs once for each. `approved`: digest of what the
    user approved.
    """

    key: str
    hook: str
    plugin: str
    event: str
    at: str
    command: str
    approved: Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class HookFinished:
    """What came of one run of a hook. It counts from then on, and the command is not run again for it.

    `blocked`: what it ran for is held back, `text` says why. `asks`: the user is to be asked. `halts`: the run is to end.
    `context`: what the model is told; `notice`: what the user is told. `refused`: what it wanted and never gets, such as
    an approval. `wrote`: it changed files.
    """

    key: str
    hook: str
    plugin: str
    event: str
    at: str
    outcome: HookOutcome
    exit_code: int | None = None
    text: str = ""
    context: str = ""
    notice: str = ""
    asks: bool = False
    halts: bool = False
    refused: tuple[str, ...] = ()
    wrote: bool = False

    @property
    def in_short(self) -> str:
        """What came of it, in a line for people; "" where there is nothing to say."""
        who = f"The hook {self.event} of {self.plugin}"
        if self.halts:
            return f"{who} ended the run: {self.text}"
        if self.outcome == "blocked":
            return f"{who} held it back: {self.text}"
        if self.outcome != "ok":
            return f"{who} failed: {self.text}"
        if self.asks:
            return f"{who} wants you to be asked: {self.text}"
        if self.notice:
            return f"{who}: {self.notice}"
        return f"{who} told the model: {self.context}" if self.context else ""
