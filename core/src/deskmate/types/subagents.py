"""The logs of sub-agents, read out of the log of their thread: each is a log like any other, with numbers of its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from deskmate.errors import CorruptData
from deskmate.types.codec import from_json, to_json
from deskmate.types.events import KINDS, Compacted, Event, ModelReplied, Payload
from deskmate.types.limits import Usage
from deskmate.types.subagent_events import SubagentDid, SubagentStarted

NOT_INSIDE = frozenset({SubagentDid.__name__, SubagentStarted.__name__})
"""A sub-agent has no sub-agents."""
_PAID = frozenset({ModelReplied.__name__, Compacted.__name__})


def did(child: str, payload: Payload) -> SubagentDid:
    """Return the thread's fact for a sub-agent's own."""
    return SubagentDid(child=child, kind=type(payload).__name__, fact=to_json(payload))


def told(payload: SubagentDid) -> Payload:
    """Return the sub-agent's own fact. Raises CorruptData."""
    if payload.kind not in KINDS or payload.kind in NOT_INSIDE:
        raise CorruptData(f"A sub-agent's log holds {payload.kind!r}, which is no fact of one.")
    found: Payload = from_json(KINDS[payload.kind], payload.fact)
    return found


def usage_of(payload: SubagentDid) -> Usage | None:
    """Return what a sub-agent's call of the model took, None for another fact. Raises CorruptData."""
    if payload.kind not in _PAID:
        return None
    found = told(payload)
    return found.usage if isinstance(found, ModelReplied | Compacted) else None


def log_of(events: Iterable[Event], child: str) -> tuple[Event, ...]:
    """Return a sub-agent's own log. Raises CorruptData."""
    return logs_of(events, child).get(child, ())


def logs_of(events: Iterable[Event], child: str = "") -> Mapping[str, tuple[Event, ...]]:
    """Return sub-agent → its own log, of `child` alone where one is named. Raises CorruptData.

    `seq` counts within it; the hashes are those of the thread's log, which binds it.
    """
    found: dict[str, list[Event]] = {}
    for event in events:
        payload = event.payload
        if isinstance(payload, SubagentDid) and child in ("", payload.child):
            log = found.setdefault(payload.child, [])
            log.append(own_event(event, payload, len(log) + 1))
    return {name: tuple(log) for name, log in found.items()}


def own_event(event: Event, payload: SubagentDid, seq: int) -> Event:
    """Return the sub-agent's own event number `seq` for an event of the thread. Raises CorruptData."""
    return Event(
        seq=seq,
        time=event.time,
        payload=told(payload),
        prev_hash=event.prev_hash,
        hash=event.hash,
    )


def started_in(events: Iterable[Event]) -> tuple[SubagentStarted, ...]:
    """Return the sub-agents of a thread, in the order in which they were begun."""
    return tuple(e.payload for e in events if isinstance(e.payload, SubagentStarted))


def inside(record: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a plain record as a sub-agent's own where it holds one, else as it is. Its numbers stay the thread's."""
    payload = record["payload"]
    if record["kind"] != SubagentDid.__name__ or not isinstance(payload.get("fact"), Mapping):
        return record
    return {**record, "kind": payload.get("kind", ""), "payload": payload["fact"]}


def records_of(records: Sequence[Mapping[str, Any]]) -> Mapping[str, list[Mapping[str, Any]]]:
    """Return sub-agent → its own plain records."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for record in records:
        if record["kind"] == SubagentDid.__name__:
            found.setdefault(str(record["payload"].get("child")), []).append(inside(record))
    return found
