"""The tool by which the model hands questions to sub-agents that read beside each other, and what comes back of it.

Who does what is stored before anybody begins, with a share of what is left of the run for each; what each does is stored as it
does it. So a process that dies goes on with those that had not finished, and pays for nothing twice.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

import anyio

from deskmate.agent.beside import together
from deskmate.agent.dispatch import Call, bound, closed
from deskmate.agent.journal import Journal
from deskmate.agent.limits import money_left
from deskmate.agent.manifests import Entries, put_manifest, read_entries
from deskmate.agent.state import State, fold
from deskmate.agent.subagents import role_of, said_of, seeds_of, setup_of, world_of
from deskmate.agent.uses import Use
from deskmate.agent.workbench import Workbench
from deskmate.agent.world import Setup, World
from deskmate.errors import LimitExceeded, ToolError, ToolInputError
from deskmate.ports import Delta, Observer
from deskmate.types.events import (
    Event,
    FinishReason,
    RunFinished,
    SubagentStarted,
    ToolFinished,
    ToolStarted,
    UserSaid,
)
from deskmate.types.files import Entry, Evidence
from deskmate.types.limits import Limits
from deskmate.types.messages import text_of
from deskmate.types.progress import Note
from deskmate.types.subagents import log_of, started_in

MOST_A_RUN = 24
DEADLINE_S = 900.0
"""A sub-agent's time at work; who has not finished then ends as over its budget."""
MAX_TURNS, MAX_CALLS = 24, 120
SHARE = 0.8
"""Of what is left of the run's money and tokens, for all sub-agents of a call together: the rest is for what is done with it."""
EVIDENCE_SHOWN, QUOTE_SHOWN = 20, 300
Drive = Callable[[World, Setup, Observer, UserSaid | None], Awaitable[RunFinished | None]]
"""Carries a run on to its end; the words are stored first, None where they are stored already."""
_WORDS: Mapping[FinishReason, str] = {
    "done": "done",
    "over_budget": "not finished, its share of the budget or its time was used up",
    "failed": "failed",
    "stopped": "stopped before its end",
    "needs_you": "not finished, it had a question",
    "rejected": "not finished",
}


class Delegation:
    """Runs the sub-agents of one thread."""

    def __init__(
        self, world: World, setup: Setup, bench: Workbench, journal: Journal, drive: Drive
    ) -> None:
        self._world = world
        self._setup = setup
        self._bench = bench
        self._journal = journal
        self._drive = drive

    async def run(self, call: Call, limit_bytes: int) -> None:
        """Carry out one call, or go on with it, and store its result, of which the model sees at most `limit_bytes`."""
        use = call.use
        try:
            orders = self._orders_of(use) or await self._begin(use)
        except (ToolError, LimitExceeded) as error:
            await self._journal.record(closed(use, "error", error.message))
            return
        # all that its calls left is in its checkpoint; beside them it would only take memory
        await self._bench.drop()
        turns = anyio.CapacityLimiter(max(self._setup.subagents, 1))

        async def one(order: SubagentStarted) -> None:
            async with turns:
                await self._carry_out(order)

        await together(one, [order for order in orders if not self._has_ended(order)])
        await self._journal.record(self._result(use, orders, limit_bytes))

    def cut(self, use: Use, why: str, limit_bytes: int) -> ToolFinished:
        """Return the result of a call that is not carried on: what was found by then, and why there is no more."""
        orders = self._orders_of(use)
        if not orders:
            return closed(use, "interrupted", why)
        return self._result(use, orders, limit_bytes, why)

    def _orders_of(self, use: Use) -> tuple[SubagentStarted, ...]:
        known = started_in(self._journal.events)
        return tuple(order for order in known if order.tool_use_id == use.use.id)

    async def _begin(self, use: Use) -> tuple[SubagentStarted, ...]:
        """Store who does what. Raises ToolInputError, LimitExceeded."""
        tasks: list[Mapping[str, Any]] = use.use.input["tasks"]
        begun = _begun_in_run(self._journal.events)
        if begun + len(tasks) > MOST_A_RUN:
            raise ToolInputError(
                f"A run has at most {MOST_A_RUN} sub-agents, and {begun} were begun; go on by yourself."
            )
        limits = share_of(self._journal.state, len(tasks))
        entries = await self._bench.files()
        chosen = [files_for(entries, task.get("files", ())) for task in tasks]
        roles = [self._role_of(task) for task in tasks]
        first = len(started_in(self._journal.events)) + 1
        orders = []
        for number, (task, files, role) in enumerate(zip(tasks, chosen, roles, strict=True), first):
            order = SubagentStarted(
                child=f"s{number}",
                tool_use_id=use.use.id,
                title=str(task["title"]),
                task=str(task["task"]),
                manifest=put_manifest(self._world.blobs, Entries(entries=files)),
                files=sum(entry.kind == "file" for entry in files),
                limits=limits,
                role=role,
            )
            orders.append(order)
        await self._journal.record(*orders)
        return tuple(orders)

    def _role_of(self, task: Mapping[str, Any]) -> str:
        """Return the role that a task names, "" for none. Raises ToolInputError for one that is not there."""
        name = str(task.get("role", "")).strip()
        known = [role.name for role in self._setup.registry.roles]
        if name and name not in known:
            short = [one for one in known if one.rpartition(":")[2] == name]
            if len(short) != 1:
                raise ToolInputError(
                    f"There is no role {name!r}; leave it out, or name one of those described."
                )
            return short[0]
        return name

    def _log(self, order: SubagentStarted) -> tuple[Event, ...]:
        return log_of(self._journal.events, order.child)

    def _has_ended(self, order: SubagentStarted) -> bool:
        ended = fold(self._log(order)).ended
        return ended is not None and ended.reason != "stopped"

    async def _carry_out(self, order: SubagentStarted) -> None:
        world = world_of(self._world, self._journal, order, role_of(self._setup.registry, order))
        log = self._log(order)
        entries = read_entries(world.blobs, order.manifest)
        if not log:
            await world.store.append(*seeds_of(self._journal.state, order, entries))
        is_told = any(isinstance(event.payload, UserSaid) for event in log)
        said = None if is_told else said_of(order, entries, world.model.name)
        setup = setup_of(self._setup, world, order)
        await self._drive(world, setup, self._observer(order), said)

    def _observer(self, order: SubagentStarted) -> Observer:
        def observe(item: Event | Delta) -> None:
            """Pass on what it does; what it says is not for the user's eyes."""
            if isinstance(item, Event):
                if isinstance(item.payload, ToolStarted):
                    self._journal.progress(f"{order.child}, {order.title}: {item.payload.tool}")
            elif item.kind == "progress" and isinstance(item.text, Note):
                self._journal.progress(Note(f"{order.child}: {item.text}"))

        return observe

    def _result(
        self, use: Use, orders: Sequence[SubagentStarted], limit_bytes: int, why: str = ""
    ) -> ToolFinished:
        logs = [(order, self._log(order)) for order in orders]
        states = [fold(log) for _, log in logs]
        parts = [
            _report(order, log, state) for (order, log), state in zip(logs, states, strict=True)
        ]
        text = "\n\n".join(([why] if why else []) + parts)
        text, full = bound(text, limit_bytes, self._world.blobs, ref=use.use.id)
        found = any(state.ended is not None and state.ended.reason == "done" for state in states)
        return ToolFinished(
            tool_use_id=use.use.id,
            tool=use.use.name,
            outcome="interrupted" if why else "ok" if found else "error",
            text=text,
            full=full,
            synthetic=bool(why),
            untrusted=any(state.foreign or state.exposure.untrusted for state in states),
        )


def share_of(state: State, tasks: int) -> Limits:
    """Return what each of so many sub-agents may use. Raises LimitExceeded where nothing is left."""
    limits, left = state.limits, money_left(state)
    cost = tokens = None
    if left is not None:
        cost = left * SHARE / tasks
    if limits.max_tokens is not None:
        used = state.usage.prompt_tokens + state.usage.output_tokens
        tokens = int((limits.max_tokens - used) * SHARE / tasks)
    if (cost is not None and cost <= 0) or (tokens is not None and tokens <= 0):
        raise LimitExceeded("Nothing is left of the run's budget for sub-agents.", limit="cost_usd")
    return Limits(
        max_turns=MAX_TURNS,
        max_calls=MAX_CALLS,
        max_tokens=tokens,
        cost_usd=cost,
        seconds=DEADLINE_S,
        max_result_bytes=limits.max_result_bytes,
    )


def files_for(entries: Sequence[Entry], patterns: Iterable[str]) -> tuple[Entry, ...]:
    """Return the entries that paths, folders and patterns name, with the folders above them; all where none is named.

    Raises ToolInputError for one that names no file.
    """
    wanted = tuple(patterns)
    if not wanted:
        return tuple(entries)
    kept: set[str] = set()
    for pattern in wanted:
        name = pattern.strip().removeprefix("/workspace").strip("/")
        found = [entry for entry in entries if _is_meant(entry.path, name)]
        if not any(entry.kind == "file" for entry in found):
            raise ToolInputError(f"There is no file {pattern!r} in the folders; use glob to look.")
        kept |= {entry.path for entry in found}
    above = {
        "/".join(path.split("/")[:depth]) for path in kept for depth in range(path.count("/") + 1)
    }
    return tuple(
        entry
        for entry in entries
        if entry.path in kept or (entry.kind == "dir" and entry.path in above)
    )


def _is_meant(path: str, name: str) -> bool:
    return path == name or path.startswith(f"{name}/") or fnmatchcase(path, name)


def _begun_in_run(events: Iterable[Event]) -> int:
    run, begun = "", 0
    for event in events:
        match event.payload:
            case UserSaid(run=said):
                run, begun = said, begun if said == run else 0
            case SubagentStarted():
                begun += 1
    return begun


def _report(order: SubagentStarted, log: Sequence[Event], state: State) -> str:
    """Return what a sub-agent found, or why not, with the places that it rests on."""
    ended = state.ended
    how = _WORDS[ended.reason] if ended else "not finished"
    if ended and ended.reason != "done" and ended.text:
        how = f"{how}: {ended.text}"
    answer = text_of(state.reply.content).strip() if state.reply is not None else ""
    parts = [f"## {order.title} ({order.child}): {how}", answer or "(It said nothing.)"]
    if lines := _places(answer, _evidence_in(log)):
        parts.append(
            "Recorded by its tools, to be named as evidence in claims:\n" + "\n".join(lines)
        )
    return "\n".join(parts)


def _evidence_in(log: Iterable[Event]) -> dict[str, Evidence]:
    found: dict[str, Evidence] = {}
    for event in log:
        if isinstance(event.payload, ToolFinished):
            found |= {item.id: item for item in event.payload.evidence}
    return found


def _places(answer: str, evidence: Mapping[str, Evidence]) -> list[str]:
    """Return a line for each piece of evidence that the answer names, or for the first ones where it names none."""
    named = [item for item in evidence.values() if item.id in answer]
    shown = (named or list(evidence.values()))[:EVIDENCE_SHOWN]
    lines = [f"- {item.id}: {item.path}, {_place(item)}{_words(item)}" for item in shown]
    if more := len(evidence) - len(shown):
        lines.append(f"- and {more} more that the answer does not name")
    return lines


def _place(item: Evidence) -> str:
    return ", ".join(f"{name} {value}" for name, value in item.locator.items()) or "whole"


def _words(item: Evidence) -> str:
    quote = " ".join(item.quote.split())
    if len(quote) > QUOTE_SHOWN:
        quote = f"{quote[:QUOTE_SHOWN]}…"
    value = f" = {item.value} {item.unit}".rstrip() if item.value else ""
    return f"{value}: “{quote}”" if quote else value
