"""A tool use of the last reply, and what became of it; a question to the user is one, too."""

from __future__ import annotations

from dataclasses import dataclass, replace

from deskmate.types.connectors import Given, Question
from deskmate.types.events import ApprovalAsked, ApprovalGiven, ToolFinished, ToolStarted
from deskmate.types.messages import ToolUse

ASK = "workspace__ask"
"""The tool whose result is the user's next message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """One tool use of the last reply and what became of it.

    `answer`: what the user said to a question. `overtaken`: the user said something new before it
    was finished. `restores`: how many machines were restored since it was started. `sent`: since it was
    started, a request went out that may have changed something. `elicited`: what a connector's server asked before the call.
    """

    use: ToolUse
    asked: ApprovalAsked | None = None
    decision: ApprovalGiven | None = None
    started: ToolStarted | None = None
    finished: ToolFinished | None = None
    answer: str | None = None
    overtaken: bool = False
    restores: int = 0
    sent: bool = False
    elicited: tuple[Given, ...] = ()

    @property
    def is_question(self) -> bool:
        """Say whether it waits for the user's words."""
        return self.use.name == ASK or self.server_asks is not None

    @property
    def server_asks(self) -> Question | None:
        """The question of a connector's server that waits for the user's words, if there is one."""
        last = self.elicited[-1] if self.elicited else None
        return last.question if last is not None and last.answer is None else None

    def answered(self, text: str) -> Use:
        """Return the use with what the user said to its question."""
        if self.server_asks is None:
            return replace(self, answer=text)
        *before, last = self.elicited
        return replace(self, elicited=(*before, replace(last, answer=text)))

    @property
    def waits(self) -> bool:
        """Say whether a person has to answer before it can go on."""
        if self.is_question:
            return self.answer is None
        return self.asked is not None and self.decision is None
