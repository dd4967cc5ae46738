"""A model that follows a script: the n-th answer of a conversation is the script's n-th entry."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from deskmate.errors import ModelUnavailable
from deskmate.ports import ModelReply, ModelRequest
from deskmate.types.ids import ToolUseId
from deskmate.types.limits import Usage
from deskmate.types.messages import Block, Text, ToolUse

Line = str | tuple[tuple[str, Mapping[str, Any]], ...]
"""One answer: final text, or tool uses as (wire name, arguments)."""


class ScriptedModel:
    """Answers by counting the assistant's messages, so that a resumed run hears the same script.

    Every call is one `turn`; the last line is repeated if the conversation goes on beyond the script.
    """

    def __init__(self, lines: Sequence[Line], *, failures: int = 0) -> None:
        """`failures`: how many calls fail as overloaded before the first answer."""
        self._lines = tuple(lines)
        self._failures = failures
        self.requests: list[ModelRequest] = []

    @property
    def name(self) -> str:
        """What the log shows."""
        return "scripted"

    async def reply(self, request: ModelRequest, on_text: Callable[[str], None]) -> ModelReply:
        """Return the script's next answer for this conversation."""
        self.requests.append(request)
        if self._failures:
            self._failures -= 1
            raise ModelUnavailable("The scripted model is overloaded.", retry_after_s=0)
        turn = sum(message.role == "assistant" for message in request.messages)
        line = self._lines[min(turn, len(self._lines) - 1)]
        usage = Usage(input_tokens=10, output_tokens=5, cost_usd=0.0)
        if isinstance(line, str):
            on_text(line)
            content: tuple[Block, ...] = (Text(text=line),)
            return ModelReply(
                content=content, stop_reason="end_turn", usage=usage, model="scripted"
            )
        uses: tuple[Block, ...] = tuple(
            ToolUse(id=ToolUseId(f"toolu_{turn:03}_{n:02}"), name=name, input=arguments)
            for n, (name, arguments) in enumerate(line)
        )
        return ModelReply(content=uses, stop_reason="tool_use", usage=usage, model="scripted")

    def estimate_cost_usd(self, request: ModelRequest) -> float | None:
        """A script costs nothing."""
        return 0.0
