"""A model that is another program: its calls are the turns, so that policy, record, budget and checks hold for them as well."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import anyio

from deskmate.ports import ModelReply, ModelRequest
from deskmate.types.ids import ToolUseId
from deskmate.types.limits import Usage
from deskmate.types.messages import Text, ToolUse

NAME = "mcp"
QUIET_S = 900.0
"""So long after its last call a program is taken to be done with this run; its next call begins another."""
_SIGN_S = 10.0
WAITING_CALLS = 1_000
_FREE = Usage(cost_usd=0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call of the program. `tool`: a wire name, `<plugin>__<tool>`."""

    id: ToolUseId
    tool: str
    arguments: Mapping[str, Any]


class ClientModel:
    """Takes its turns from `put` and `end`; without a program that calls, a run ends at its next turn."""

    name = NAME

    def __init__(self, *, quiet_s: float = QUIET_S, present: bool = False) -> None:
        """`present`: the program is there, and is waited for."""
        self._quiet_s, self._present = quiet_s, present
        self._queue: deque[Call | None] = deque()
        self._came = anyio.Event()
        self._is_done = False
        self.refused: Callable[[], None] = lambda: None
        """Told when a turn follows the last word: the checks did not pass, and the run goes on."""
        self.taken: set[ToolUseId] = set()
        """The calls that the run under way has made."""

    def begin(self) -> None:
        """A run begins: nothing was said in it yet."""
        self._is_done = False
        self.taken.clear()

    def put(self, call: Call) -> bool:
        """Have a call made at the next turn; say whether there is room for it."""
        if len(self._queue) >= WAITING_CALLS:
            return False
        self._queue.append(call)
        self._came.set()
        return True

    def end(self) -> None:
        """Say that the work is done: what was presented is checked, and the changes are staged."""
        self._queue.append(None)
        self._came.set()

    def drop(self) -> None:
        """Forget what waits."""
        self._queue.clear()

    async def reply(self, request: ModelRequest, on_text: Callable[[str], None]) -> ModelReply:
        """Return the calls that wait, or the next one, as a turn."""
        if self._is_done:
            self._is_done = False
            self.refused()
        first = await self._next(on_text)
        if first is None:
            self._is_done = True
            return ModelReply(content=(Text(text="Done."),), stop_reason="end_turn", usage=_FREE)
        calls = (first, *self._more())
        self.taken.update(call.id for call in calls)
        uses = tuple(ToolUse(id=call.id, name=call.tool, input=call.arguments) for call in calls)
        return ModelReply(content=uses, stop_reason="tool_use", usage=_FREE)

    async def _next(self, on_text: Callable[[str], None]) -> Call | None:
        waited = 0.0
        while self._present and not self._queue and waited < self._quiet_s:
            self._came = anyio.Event()
            with anyio.move_on_after(min(_SIGN_S, self._quiet_s - waited)):
                await self._came.wait()
            waited += _SIGN_S
            on_text("")
        return self._queue.popleft() if self._queue else None

    def _more(self) -> Iterator[Call]:
        """Yield what was called at the same time, up to the word that it is done, which is a turn of its own."""
        while self._queue and (call := self._queue[0]) is not None:
            self._queue.popleft()
            yield call

    def estimate_cost_usd(self, request: ModelRequest) -> float | None:
        """Return 0: no model of Deskmate's is asked."""
        return 0.0
