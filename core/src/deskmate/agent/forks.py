"""What a fork begins with: its parent's open work brought to an honest end, and the files as they were."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from deskmate.agent.dispatch import closed
from deskmate.agent.manifests import read_base, read_plan_states
from deskmate.agent.state import State, fold
from deskmate.agent.uses import Use
from deskmate.ports import BlobReader
from deskmate.types.events import (
    ApplyFinished,
    ApplyStarted,
    BaseTaken,
    CheckpointMade,
    Event,
    GrantsSet,
    Payload,
    RunFinished,
    ToolFinished,
    ToolStarted,
)
from deskmate.types.files import Entry
from deskmate.types.messages import NOT_FINISHED

_CUT = f"{NOT_FINISHED}the thread was forked here, and this call belongs to the other thread."


@dataclass(frozen=True, slots=True, kw_only=True)
class ForkPoint:
    """Where a log is forked. `closing`: what the fork adds after its parent's events, in order.

    `files_seq`: the parent's event whose files the fork has, 0 where the thread had read none. `listed`: how
    many of them it knows by name only; their content is read from the folders when it is needed.
    """

    closing: tuple[Payload, ...]
    files_seq: int
    listed: int


def fork_point(events: Sequence[Event], seq: int, blobs: BlobReader) -> ForkPoint:
    """Return how a fork of this log at event `seq` begins: nothing is open, and nothing runs twice.

    A checkpoint that the parent stored with the result at the point, or the first base it took after it, is
    the point's own. Raises CorruptData.
    """
    before = events[:seq]
    state = fold(before)
    later = _files_after(events, seq, state)
    known = [event for event in before if isinstance(event.payload, BaseTaken | CheckpointMade)]
    source = later or (known[-1] if known else None)
    first = later.payload if later and isinstance(later.payload, BaseTaken) else None
    if first is not None:
        state = replace(state, base=first.manifest)
    listed = sum(entry.is_listed_only for entry in kept_base(blobs, state)) if state.base else 0
    return ForkPoint(
        closing=(*([later.payload] if later else ()), *_ended_work(state, before)),
        files_seq=source.seq if source else 0,
        listed=listed,
    )


def _files_after(events: Sequence[Event], seq: int, state: State) -> Event | None:
    """Return the event after the point that says how the files were at the point, None if none does."""
    if isinstance(events[seq - 1].payload, ToolFinished):
        following = events[seq] if seq < len(events) else None
        return following if following and isinstance(following.payload, CheckpointMade) else None
    for event in events[seq:] if state.base is None else ():
        match event.payload:
            case BaseTaken():
                return event
            case GrantsSet() | ToolStarted() | ApplyStarted():
                return None
    return None


def _ended_work(state: State, events: Sequence[Event]) -> list[Payload]:
    ended: list[Payload] = [closed(use, "interrupted", _CUT) for use in _unanswered(state)]
    plans: dict[str, ApplyStarted] = {}
    for event in events:
        if isinstance(event.payload, ApplyStarted):
            plans[event.payload.plan] = event.payload
        elif isinstance(event.payload, ApplyFinished):
            plans.pop(event.payload.plan, None)
    why = "the thread was forked before this was carried out"
    ended += [ApplyFinished(plan=one.plan, applied=False, text=why) for one in plans.values()]
    if state.active and state.run is not None:
        text = "The thread was forked in the middle of this run; say how to go on."
        ended.append(RunFinished(run=state.run.run, reason="stopped", text=text))
    return ended


def _unanswered(state: State) -> Sequence[Use]:
    """Return the uses without a result; a question to the user stays open for an answer."""
    parked = state.ended is not None and state.ended.reason == "needs_you"
    return [use for use in state.open_uses if not (parked and use.is_question)]


def kept_base(blobs: BlobReader, state: State) -> tuple[Entry, ...]:
    """Return a fork's base: as it was listed, with what was read and what was applied since.

    Raises CorruptData.
    """
    assert state.base is not None
    base = read_base(blobs, state.base, state.contents, state.lost)
    entries = {entry.path: entry for entry in base}
    for plan in state.applied:
        for path, entry in read_plan_states(blobs, plan).items():
            if entry is None:
                entries.pop(path, None)
            else:
                entries[path] = entry
    return tuple(entries[path] for path in sorted(entries))
