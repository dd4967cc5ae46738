"""One turn of the model: request, budget, back-off, intent, reply."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import replace

import anyio

from deskmate.agent.context import build_request
from deskmate.agent.journal import Journal
from deskmate.agent.limits import within_budget
from deskmate.agent.loop import CallModel
from deskmate.agent.manifests import digest_of
from deskmate.agent.world import Setup, World
from deskmate.errors import DeskmateError, LimitExceeded, ModelRejected, ModelUnavailable
from deskmate.ports import ModelReply, ModelRequest
from deskmate.types.events import Event, ModelAsked, ModelFailed, ModelReplied, RunFinished
from deskmate.types.ids import ToolUseId, new_tool_use_id
from deskmate.types.messages import Block, ToolUse, tool_uses_of

MODEL_DEADLINE_S = 1_800.0
FIRST_BACKOFF_S = 0.5
MAX_WAIT_S = 60.0


class ModelCaller:
    """Calls the model of one run."""

    def __init__(self, world: World, setup: Setup, journal: Journal) -> None:
        self._world = world
        self._setup = setup
        self._journal = journal
        self._retry_after_s: float | None = None

    async def call(self, action: CallModel) -> None:
        """Ask once; store the reply, or why there is none."""
        journal, model = self._journal, self._world.model
        request = build_request(
            journal.events, self._setup.registry, model.name, tools_off=self._setup.tools_off
        )
        try:
            request = within_budget(journal.state, model, request)
        except LimitExceeded as error:
            text = one_line(error)
            await journal.record(RunFinished(run=journal.run, reason="over_budget", text=text))
            return
        if action.attempt:
            await self._back_off(action.attempt)
        asked = ModelAsked(turn=action.turn, model=model.name, request=digest_of(request))
        await journal.record(asked)
        try:
            reply = await self._reply(request)
        except (ModelUnavailable, ModelRejected) as error:
            retryable = False
            if isinstance(error, ModelUnavailable):
                retryable = True
                self._retry_after_s = error.retry_after_s
            failed = ModelFailed(turn=action.turn, error=one_line(error), retryable=retryable)
            await journal.record(failed)
            return
        await journal.record(
            ModelReplied(
                turn=action.turn,
                model=reply.model or model.name,
                content=with_unique_ids(reply.content, journal.events),
                stop_reason=reply.stop_reason,
                usage=reply.usage,
                label=reply.label,
            )
        )

    async def _reply(self, request: ModelRequest) -> ModelReply:
        name = self._world.model.name
        try:
            with anyio.fail_after(MODEL_DEADLINE_S):
                return await self._world.model.reply(request, self._journal.stream)
        except TimeoutError as error:
            raise ModelUnavailable(f"{name} gave no reply in {MODEL_DEADLINE_S:.0f} s.") from error

    async def _back_off(self, attempt: int) -> None:
        """Full jitter, so that many threads do not come back at once; the server's word is a minimum."""
        wait = random.uniform(0.0, FIRST_BACKOFF_S * 2**attempt)  # noqa: S311 - no secret
        wait = min(wait + (self._retry_after_s or 0.0), MAX_WAIT_S)
        self._retry_after_s = None
        name = self._world.model.name
        self._journal.progress(f"asking {name} again in {wait:.1f} s (try {attempt + 1})")
        await self._world.clock.sleep(wait)


def one_line(error: DeskmateError) -> str:
    """Return message and hint in one line, as sentences."""
    message = error.message
    if error.hint and not message.endswith((".", "!", "?")):
        message += "."
    return f"{message} {error.hint}".strip()


def with_unique_ids(content: tuple[Block, ...], events: Iterable[Event]) -> tuple[Block, ...]:
    """Return the reply with a new id for every tool use whose id the thread has seen, or has none.

    Some servers count from `call_1` in every reply; an id names one call in the guest's ledger, so
    a second use of it would be answered with the first one's result.
    """
    seen: set[ToolUseId] = set()
    for event in events:
        if isinstance(event.payload, ModelReplied):
            seen |= {use.id for use in tool_uses_of(event.payload.content)}
    result: list[Block] = []
    for block in content:
        if isinstance(block, ToolUse):
            if not block.id or block.id in seen:
                block = replace(block, id=new_tool_use_id())
            seen.add(block.id)
        result.append(block)
    return tuple(result)
