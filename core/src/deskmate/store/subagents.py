"""What holds of a thread with sub-agents: each one's own log keeps the promises of every log, and it was begun before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from deskmate.store.invariants import CHECKERS
from deskmate.types.events import Event, SubagentDid, SubagentStarted, ToolFinished, UserSaid
from deskmate.types.ids import ToolUseId
from deskmate.types.subagents import logs_of, told


def broken_by_subagents(events: Sequence[Event]) -> Iterator[str]:
    """Yield each promise that does not hold, with its name."""
    yield from (f"{problem} (I3)" for problem in _intents(events))
    for child, log in logs_of(events).items():
        for name, check in CHECKERS.items():
            yield from (f"{child}: {problem} ({name})" for problem in check(log))


def _intents(events: Sequence[Event]) -> Iterator[str]:
    """A sub-agent does nothing before it is begun, nor after the call that it works for has its result."""
    uses: dict[str, SubagentStarted] = {}
    over: set[ToolUseId] = set()
    for event in events:
        match event.payload:
            case SubagentStarted(child=child) as started:
                if child in uses:
                    yield f"event {event.seq}: the sub-agent {child} was begun a second time"
                uses[child] = started
            case ToolFinished(tool_use_id=use):
                over.add(use)
            case SubagentDid(child=child) if child not in uses:
                yield f"event {event.seq}: the sub-agent {child} was never begun"
            case SubagentDid(child=child) as did:
                if uses[child].tool_use_id in over:
                    yield f"event {event.seq}: the sub-agent {child} went on after its call had ended"
                said = told(did) if did.kind == UserSaid.__name__ else None
                if isinstance(said, UserSaid) and said.limits != uses[child].limits:
                    yield f"event {event.seq}: the sub-agent {child} has other limits than were reserved (I13)"
