"""Compacts a thread's conversation: a summary by the model itself, or by rules; stored as a fact of the thread."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

from deskmate.agent.compaction import (
    ASK_FOR_SUMMARY,
    RULES,
    SUMMARY_CHARACTERS,
    SUMMARY_TOKENS,
    choose_cut,
    rules_summary,
)
from deskmate.agent.context import build_request
from deskmate.agent.journal import Journal
from deskmate.agent.limits import within_budget
from deskmate.agent.manifests import digest_of
from deskmate.agent.window import (
    KEPT,
    blocks_size,
    characters_of,
    prompt_limit,
    size_of,
    tokens_of,
    window_of,
)
from deskmate.agent.world import Setup, World
from deskmate.errors import LimitExceeded
from deskmate.ports import ModelReply, ModelRequest
from deskmate.types.events import Compacted, Event, ModelAsked
from deskmate.types.limits import Usage
from deskmate.types.messages import Message, Text, text_of
from deskmate.types.progress import Note

WORTH_ASKING = 0.3
"""Share of the conversation that must be put away for a summary to be worth a call of the model."""
WORTH_CUTTING = 0.5
"""Share of the room for a prompt that the conversation must take to be worth compacting."""
UNKNOWN_WINDOW_TOKENS = 32_000
"""What is kept of by, where a model of unknown window says that it is full."""

Ask = Callable[[ModelRequest], Awaitable[ModelReply]]


class Compactor:
    """Compacts the conversation of one thread when it grows out of the model's window."""

    def __init__(self, world: World, setup: Setup, journal: Journal, ask: Ask) -> None:
        """`ask`: calls the model."""
        self._world = world
        self._setup = setup
        self._journal = journal
        self._ask = ask

    def is_due(self, request: ModelRequest, size: int) -> bool:
        """Say whether this request of so many characters takes more of the window than it should, and the talk is why.

        Where tools and prompts alone fill a small window, a summary a turn would help nobody.
        """
        window, state = window_of(self._world.model), self._journal.state
        if window is None:
            return False
        limit = prompt_limit(window, request.max_tokens)
        if tokens_of(state, size) <= limit:
            return False
        talk = sum(blocks_size(message.content) for message in request.messages)
        return talk > characters_of(state, int(limit * WORTH_CUTTING))

    async def compact(self, request: ModelRequest, turn: int, *, by_rules: bool) -> bool:
        """Compact the conversation and store that; False where there is nothing that could be put away.

        A process that dies on the way has stored nothing but that it asked: the next one begins again.
        Raises ModelUnavailable, ModelRejected: nothing is compacted then.
        """
        state = self._journal.state
        window = window_of(self._world.model) or UNKNOWN_WINDOW_TOKENS
        keep = characters_of(state, int(prompt_limit(window, request.max_tokens) * KEPT))
        cut = choose_cut(self._journal.events, keep)
        if cut is None:
            return False
        summary, by, usage = "", RULES, Usage()
        if not by_rules and cut.share >= WORTH_ASKING:
            summary, by, usage = await self._summary(request, turn)
        if not summary:
            summary, by = rules_summary(self._journal.events[: cut.index]), RULES
        made = Compacted(
            turn=turn,
            by=by,
            kept_run=cut.run,
            kept_turn=cut.turn,
            kept_turns=cut.kept_turns,
            retrievable=cut.retrievable,
            summary=summary,
            tokens_before=tokens_of(state, size_of(request)),
            usage=usage,
        )
        made = replace(made, tokens_after=self._tokens_after(made))
        await self._journal.record(made)
        self._journal.progress(Note(f"the conversation was compacted: {made.in_short}"))
        return True

    def _tokens_after(self, made: Compacted) -> int:
        last = self._journal.events[-1]
        after = Event(seq=last.seq + 1, time=last.time, payload=made, prev_hash="", hash="")
        request = build_request(
            [*self._journal.events, after],
            self._setup.registry,
            self._world.model.name,
            tools_off=self._setup.tools_off,
            delegates=self._setup.subagents > 0,
        )
        return tokens_of(self._journal.state, size_of(request))

    async def _summary(self, request: ModelRequest, turn: int) -> tuple[str, str, Usage]:
        """Return the model's summary, who made it, and what it took; "" where it said nothing or there is no money.

        The request is the one that was due with a question at its end, so that its prefix is read from the cache.
        """
        asking = replace(
            request,
            messages=_with_question(request.messages),
            max_tokens=min(SUMMARY_TOKENS, request.max_tokens),
        )
        model = self._world.model
        try:
            asking = within_budget(self._journal.state, model, asking)
        except LimitExceeded:
            return "", RULES, Usage()
        limit = self._journal.state.rules.ask_usd
        if limit is not None and (model.estimate_cost_usd(asking) or 0.0) > limit:
            return "", RULES, Usage()  # rules cost nothing, and nobody has to be asked
        asked = ModelAsked(
            turn=turn, model=model.name, request=digest_of(asking), purpose="compact"
        )
        await self._journal.record(asked)
        reply = await self._ask(asking)
        return (
            text_of(reply.content)[:SUMMARY_CHARACTERS].strip(),
            reply.model or model.name,
            reply.usage,
        )


def _with_question(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    question = Text(text=ASK_FOR_SUMMARY)
    last = messages[-1]
    if last.role == "assistant":
        return (*messages, Message(role="user", content=(question,)))
    return (*messages[:-1], replace(last, content=(*last.content, question)))
