"""Runs tool uses that need no machine: at a connector, or by the host itself."""

from __future__ import annotations

from dataclasses import replace

import anyio

from deskmate.agent import memory as memory_notes
from deskmate.agent.dispatch import Call, closed, finished
from deskmate.agent.journal import Journal
from deskmate.agent.world import World
from deskmate.errors import OutcomeUnknown, ToolError, ToolInputError
from deskmate.ports import ToolOutcome
from deskmate.types.connectors import ConnectorAsked
from deskmate.types.events import ToolStarted

GRACE_S = 30.0
"""How much longer than the guest the host waits for a call before it takes the answer for lost."""
QUESTIONS = 5
"""How often a server may ask the user before one call."""
UNKNOWN = (
    "Outcome unknown: the call was sent and its answer was lost. It may have had its effect. "
    "It is not repeated by itself; ask the user what to do."
)


async def begin(journal: Journal, call: Call) -> str:
    """Store that a call is about to be made, if that is not stored yet; return the key that it has."""
    if call.use.started is not None:
        return call.use.started.key
    key = f"{journal.state.thread}:{call.use.use.id}"
    started = ToolStarted(tool_use_id=call.use.use.id, tool=call.spec.name, key=key)
    await journal.record(started)
    return key


class Elsewhere:
    """Runs the calls of one thread that go to no machine."""

    def __init__(self, world: World, journal: Journal) -> None:
        self._world = world
        self._journal = journal

    async def run(self, call: Call, limit_bytes: int) -> None:
        """Run one call and store its result, of which the model sees at most `limit_bytes`."""
        await begin(self._journal, call)
        if call.here:
            await self._run_here(call)
        else:
            await self._run_outside(call, limit_bytes)

    async def _run_here(self, call: Call) -> None:
        """Read or write a note of the project; done a second time it does the same."""
        memory, given = self._world.memory, call.use.use.input
        try:
            if memory is None:
                raise ToolInputError("This thread is in no project, so nothing can be remembered.")
            said = self._world.redact(ToolOutcome(text=str(given.get("text", "")))).text
            stored = await memory_notes.carry_out(
                memory,
                call.use,
                {**given, "text": said},
                self._journal.state,
                self._world.clock.now(),
            )
        except ToolError as error:
            await self._journal.record(closed(call.use, "error", error.message))
            return
        await self._journal.record(*stored)

    async def _run_outside(self, call: Call, limit_bytes: int) -> None:
        connector = self._world.connectors[call.spec.plugin]
        given = call.use.elicited
        try:
            with anyio.fail_after(call.spec.timeout_s + GRACE_S):
                answer = await connector.call(
                    call.spec.name,
                    call.use.use.input,
                    record=self._journal.record,
                    on_progress=self._journal.progress,
                    answers=given,
                )
                outcome = self._world.redact(answer)
        except ToolError as error:
            told = self._world.redact(ToolOutcome(text=error.message, is_error=True))
            await self._journal.record(closed(call.use, "error", told.text, untrusted=True))
            return
        except (OutcomeUnknown, TimeoutError):
            await self._journal.record(closed(call.use, "unknown", UNKNOWN))
            return
        if outcome.question is not None and len(given) < QUESTIONS:
            asked = ConnectorAsked(tool_use_id=call.use.use.id, question=outcome.question)
            await self._journal.record(asked)
            return
        if (
            outcome.text != answer.text
        ):  # a secret was taken out, so the words are not those of the source
            outcome = replace(outcome, evidence=(), held={}, kept=(), pictures=())
        for content in outcome.held.values():
            self._world.blobs.put(content)
        result = finished(
            call.use, outcome, self._world.blobs, limit_bytes, untrusted=True, private=True
        )
        await self._journal.record(result)
