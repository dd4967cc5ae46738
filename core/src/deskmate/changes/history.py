"""What was applied and undone, and what became of a change set, read from a thread's events."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from deskmate.changes.differ import Part
from deskmate.changes.plan import Plan, Step, read_plan
from deskmate.changes.review import Settled
from deskmate.ports import BlobReader
from deskmate.types.events import ApplyFinished, ApplyStarted, ChangesDiscarded, Event
from deskmate.types.ids import Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """One plan that was carried out. `seq`, `time`: of its outcome. `live`: paths not undone since.

    `by`: `user`, or `policy` where the thread's mode let it be applied without a review; empty in old logs.
    """

    seq: int
    time: str
    by: str = ""
    digest: Digest
    plan: Plan
    live: frozenset[str] = frozenset()

    @property
    def is_undo(self) -> bool:
        """Whether it took something back."""
        return bool(self.plan.undoes)

    def operations(self) -> Mapping[str, int]:
        """Return how many paths were created, modified, deleted, and so on."""
        steps = (step for step in self.plan.steps if not step.is_frame)
        return dict(sorted(Counter(operation(step) for step in steps).items()))


def operation(step: Step) -> str:
    """Return in one word what a step did."""
    before, after = step.before, step.after
    if after is None:
        return "rmdir" if before and before.kind == "dir" else "delete"
    if before is None:
        return "mkdir" if after.kind == "dir" else "create"
    return "mode" if before.content() == after.content() else "modify"


def history(events: Sequence[Event], blobs: BlobReader) -> tuple[Applied, ...]:
    """Return all plans that were carried out, oldest first. Raises CorruptData."""
    started = {
        event.payload.plan: event.payload
        for event in events
        if isinstance(event.payload, ApplyStarted)
    }
    found = [
        Applied(
            seq=event.seq,
            time=event.time,
            by=started[event.payload.plan].by,
            digest=event.payload.plan,
            plan=read_plan(event.payload.plan, blobs),
        )
        for event in events
        if isinstance(event.payload, ApplyFinished)
        and event.payload.applied
        and event.payload.plan in started
    ]
    return _mark_live(found)


def _mark_live(applied: Sequence[Applied]) -> tuple[Applied, ...]:
    """Newest first: an undo takes paths off its targets as far as it was not undone itself."""
    undone: dict[Digest, set[str]] = {}
    marked = []
    for entry in reversed(applied):
        paths = {step.path for step in entry.plan.steps if not step.is_frame}
        paths -= undone.get(entry.digest, set())
        for target in entry.plan.undoes:
            undone.setdefault(target, set()).update(paths)
        marked.append(replace(entry, live=frozenset(paths)))
    return tuple(reversed(marked))


def settled_of(events: Sequence[Event], difference: Digest, blobs: BlobReader) -> Settled:
    """Return what became of a change set so far. Raises CorruptData."""
    written: dict[str, Part] = {}
    for entry in history(events, blobs):
        if entry.plan.source == difference:
            written |= {p: part for p, part in entry.plan.parts.items() if p in entry.live}
    discarded = [
        path
        for event in events
        if isinstance(event.payload, ChangesDiscarded) and event.payload.difference == difference
        for path in event.payload.paths
    ]
    return Settled(written=written, discarded=tuple(dict.fromkeys(discarded)))


def unfinished(events: Sequence[Event]) -> tuple[Digest, ...]:
    """Return the plans that were started and have no outcome, in order."""
    open_plans: dict[Digest, None] = {}
    for event in events:
        if isinstance(event.payload, ApplyStarted):
            open_plans[event.payload.plan] = None
        elif isinstance(event.payload, ApplyFinished):
            open_plans.pop(event.payload.plan, None)
    return tuple(open_plans)
