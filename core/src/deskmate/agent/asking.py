"""One turn of the model: request, budget, back-off, intent, reply."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace

import anyio

from deskmate.agent.beside import IDLE_S
from deskmate.agent.compacting import Compactor
from deskmate.agent.context import build_request
from deskmate.agent.journal import Journal
from deskmate.agent.limits import within_budget
from deskmate.agent.loop import CallModel
from deskmate.agent.manifests import digest_of
from deskmate.agent.sending import RequestKeeper
from deskmate.agent.spending import Spending
from deskmate.agent.window import output_limit, size_of, window_of
from deskmate.agent.world import Setup, World
from deskmate.errors import (
    CorruptData,
    DeskmateError,
    LimitExceeded,
    ModelRejected,
    ModelUnavailable,
)
from deskmate.ports import BlobReader, ModelReply, ModelRequest
from deskmate.types.events import Event, ModelAsked, ModelFailed, ModelReplied, RunFinished
from deskmate.types.ids import Digest, ToolUseId, new_tool_use_id
from deskmate.types.messages import Block, ToolResult, ToolUse, tool_uses_of
from deskmate.types.progress import Note

FIRST_BACKOFF_S = 0.5
MAX_WAIT_S = 60.0
PICTURES_SHOWN = 90
"""A request may have 100 pictures."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a model may take, in seconds.

    `tell_s`: silence after which the user is told, and again after twice as long, and so on.
    `silence_s`: silence of all attempts at one turn together. `reply_s`: one whole reply. `idle_s`: how long
    the machine is kept meanwhile, and while a person is asked.
    """

    tell_s: float = 30.0
    silence_s: float = 900.0
    reply_s: float = 1_800.0
    idle_s: float = IDLE_S


class ModelCaller:
    """Calls the model of one run."""

    def __init__(
        self,
        world: World,
        setup: Setup,
        journal: Journal,
        keeper: RequestKeeper,
        patience: Patience | None = None,
    ) -> None:
        """`keeper`: asks the user where a call may cost much."""
        self._world = world
        self._setup = setup
        self._journal = journal
        self._patience = patience or Patience()
        self._retry_after_s: float | None = None
        self._heard = 0.0
        self._spending = Spending(world, journal, keeper)
        self._compactor = Compactor(world, setup, journal, self._ask_quietly)

    async def call(self, action: CallModel) -> None:
        """Ask once; store the reply, or why there is none. A conversation that has grown too long is compacted instead."""
        journal, model = self._journal, self._world.model
        request = self._request()
        size = size_of(request)
        if self._compactor.is_due(request, size) and await self._has_made_room(request, action):
            return
        try:
            request = within_budget(journal.state, model, request)
        except LimitExceeded as error:
            text = one_line(error)
            await journal.record(RunFinished(run=journal.run, reason="over_budget", text=text))
            return
        if not action.attempt and not await self._spending.permits(request):
            return
        if action.attempt:
            await self._back_off(action.attempt)
        else:
            self._heard = anyio.current_time()
        asked = ModelAsked(
            turn=action.turn,
            model=model.name,
            request=digest_of(request),
            size=size,
        )
        await journal.record(asked)
        try:
            reply = await self._reply(request, self._hear)
        except (ModelUnavailable, ModelRejected) as error:
            await self._failed(action.turn, error)
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

    async def make_room(self, turn: int) -> None:
        """Compact a conversation that the model refused as too long; end the run where nothing can be put away."""
        if not await self._compactor.compact(self._request(), turn, by_rules=True):
            text = "What was asked for does not fit the model's context window; ask for less at once, or use a larger model."
            await self._journal.record(
                RunFinished(run=self._journal.run, reason="failed", text=text)
            )

    def _request(self) -> ModelRequest:
        request = build_request(
            self._journal.events,
            self._setup.registry,
            self._world.model.name,
            tools_off=self._setup.tools_off,
            delegates=self._setup.subagents > 0,
        )
        limit = output_limit(window_of(self._world.model), request.max_tokens)
        return replace(request, max_tokens=limit)

    async def _has_made_room(self, request: ModelRequest, action: CallModel) -> bool:
        """Compact; say whether something was stored of it, so that what is next must be decided anew."""
        self._heard = anyio.current_time()
        try:
            return await self._compactor.compact(request, action.turn, by_rules=action.attempt > 0)
        except (ModelUnavailable, ModelRejected) as error:
            # the next attempt compacts by rules, which takes no server
            failed = ModelFailed(turn=action.turn, error=one_line(error), retryable=True)
            await self._journal.record(failed)
            return True

    async def _failed(self, turn: int, error: ModelUnavailable | ModelRejected) -> None:
        retryable = False
        if isinstance(error, ModelUnavailable):
            retryable = not self._is_silent_for_good()
            self._retry_after_s = error.retry_after_s
        await self._journal.record(
            ModelFailed(
                turn=turn,
                error=one_line(error),
                retryable=retryable,
                too_long=isinstance(error, ModelRejected) and is_too_long(error),
            )
        )

    async def _ask_quietly(self, request: ModelRequest) -> ModelReply:
        """Return a reply that is not for the user's eyes."""
        return await self._reply(request, lambda text: self._hear(""))

    async def _reply(self, request: ModelRequest, hear: Callable[[str], None]) -> ModelReply:
        """Return the reply. Raises ModelUnavailable also for one that takes or says nothing too long."""
        model, patience = self._world.model, self._patience
        request = with_pictures(request, self._world.blobs)
        with anyio.move_on_after(patience.reply_s):
            try:
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(self._watch_silence, tasks.cancel_scope)
                    reply = await model.reply(request, hear)
                    tasks.cancel_scope.cancel()
                    return reply
            except BaseExceptionGroup as group:
                error = group.exceptions[0]
                raise error from error.__cause__  # as if there were no task group
        if self._is_silent_for_good():
            raise ModelUnavailable(
                f"{model.name} sent nothing for {patience.silence_s:.0f} s.",
                hint="Look at the model's server, then resume the thread.",
            )
        raise ModelUnavailable(f"{model.name} gave no reply in {patience.reply_s:.0f} s.")

    def _hear(self, text: str) -> None:
        """Take in what the model says; an empty text is a sign of life."""
        self._heard = anyio.current_time()
        if text:
            self._journal.stream(text)

    def _is_silent_for_good(self) -> bool:
        return anyio.current_time() - self._heard >= self._patience.silence_s

    async def _watch_silence(self, scope: anyio.CancelScope) -> None:
        """Tell the user of silence while it lasts; give the attempt up where there was too much."""
        heard, told, since = self._heard, 0.0, anyio.current_time()
        while not self._is_silent_for_good():
            if self._heard != heard:
                heard, told, since = self._heard, 0.0, self._heard
            silent = anyio.current_time() - since
            if silent >= (told * 2 or self._patience.tell_s):
                told = silent
                self._journal.progress(
                    Note(
                        f"no answer from the model server for {silent:.0f} s; "
                        "still waiting (Ctrl-C stops; the thread stays)"
                    )
                )
            over = self._heard + self._patience.silence_s
            ends = min(since + (told * 2 or self._patience.tell_s), over)
            await anyio.sleep(max(ends - anyio.current_time(), 0.001))
        scope.cancel()

    async def _back_off(self, attempt: int) -> None:
        """Full jitter, so that many threads do not come back at once; the server's word is a minimum."""
        wait = random.uniform(0.0, FIRST_BACKOFF_S * 2**attempt)  # noqa: S311 - no secret
        wait = min(wait + (self._retry_after_s or 0.0), MAX_WAIT_S)
        self._retry_after_s = None
        name = self._world.model.name
        line = f"asking {name} again in {wait:.1f} s (try {attempt + 1})"
        self._journal.progress(Note(line))
        await self._world.clock.sleep(wait)


_TOO_LONG = ("too long", "context window", "context length", "context size", "maximum context")


def is_too_long(error: ModelRejected) -> bool:
    """Say whether a server refused the request because of its length; each says so in words of its own."""
    said = error.message.lower()
    return error.status == 413 or (
        error.status == 400 and any(words in said for words in _TOO_LONG)
    )


def with_pictures(request: ModelRequest, blobs: BlobReader) -> ModelRequest:
    """Return the request with the content of its pictures, the newest where there are very many."""
    results = [
        block
        for message in request.messages
        for block in message.content
        if isinstance(block, ToolResult)
    ]
    digests = [picture.sha256 for result in results for picture in result.pictures]
    found: dict[Digest, bytes] = {}
    for digest in digests[-PICTURES_SHOWN:]:
        with suppress(
            CorruptData
        ):  # erased, or lost with a disk: the model is told that it is not there
            found[digest] = blobs.read(digest)
    return replace(request, pictures=found) if found else request


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
