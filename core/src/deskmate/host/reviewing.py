"""A thread's changes for whoever shows them: what is staged, its differences, and what became of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import anyio.to_thread

from deskmate.errors import DeskmateError, UserError
from deskmate.ports import Progress
from deskmate.types.files import Operation
from deskmate.types.places import Places

if TYPE_CHECKING:
    from deskmate.changes.apply import Outcome, Place
    from deskmate.changes.differ import Differ
    from deskmate.changes.history import Applied
    from deskmate.changes.planning import ApplyOptions
    from deskmate.changes.review import ChangeSet
    from deskmate.changes.staged import Staged
    from deskmate.store.blobs import BlobStore
    from deskmate.types.files import Change


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """How one change looks. `hunks`: the pieces that can be taken alone; `applied`: those that were."""

    path: str
    operation: Operation
    hunks: tuple[str, ...] = ()
    applied: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """One apply or undo. `asked`: the request it was for. `undone`: nothing of it stands any more."""

    plan: str
    time: str
    seq: int
    by: str
    run: str
    asked: str
    undoes: tuple[str, ...]
    forced: bool
    operations: Mapping[Operation | str, int]
    paths: tuple[str, ...]
    parts: Mapping[str, tuple[str, ...]]
    waiting: Mapping[str, str]
    undone: bool


@asynccontextmanager
async def open_for_changes(
    places: Places,
    thread: str,
    progress: Progress,
    settled: Callable[[Outcome], None] = lambda outcome: None,
) -> AsyncIterator[Place]:
    """Open a thread for writing; `settled` is told what an earlier process left and was settled first."""
    from deskmate.changes.apply import Place, recover  # noqa: PLC0415
    from deskmate.host.documents import document_differs  # noqa: PLC0415
    from deskmate.store.blobs import BlobStore  # noqa: PLC0415
    from deskmate.store.thread import open_thread  # noqa: PLC0415

    async with open_thread(places.threads, thread) as store:
        blobs = BlobStore(places.blobs)
        place = Place(
            store=store,
            blobs=blobs,
            journal=store.folder / "apply",
            differs=document_differs(places, blobs, progress),
        )
        for outcome in await recover(place):
            settled(outcome)
        yield place


async def apply_and_settle(
    place: Place, staged: Staged, options: ApplyOptions, yours: Sequence[str] = ()
) -> Outcome:
    """Write a change set as decided. `yours`: paths whose new version is thrown away, since the user's own stays.

    Raises as `apply_changes`; then nothing was written and nothing thrown away.
    """
    from deskmate.changes.apply import apply_changes  # noqa: PLC0415
    from deskmate.changes.discarding import discard_changes  # noqa: PLC0415

    outcome = await apply_changes(place, staged.difference, staged.grants, options, run=staged.run)
    # decided on: the user's version stays, alone or beside the new one
    if settled := (*yours, *options.beside):
        await discard_changes(place, settled, staged.run)
        left = {path: why for path, why in outcome.left_out.items() if path not in settled}
        outcome = replace(outcome, left_out=left)
    return outcome


async def conflicts(place: Place, staged: Staged) -> Mapping[str, str]:
    """Return path → digest of the user's file, empty where there is none, of each change of a file that both changed.

    Raises UserError if a granted folder is missing, CorruptData.
    """
    from deskmate.changes.apply import review_changes  # noqa: PLC0415

    events = await place.store.events()
    found = await review_changes(place.blobs, staged.difference, staged.grants, events)
    return {
        item.path: (item.found.sha256 or "") if item.found else ""
        for item in found.items
        if item.standing == "conflict"
    }


async def staged_changes(places: Places, thread: str, run: str = "") -> tuple[Staged, ChangeSet]:
    """Return a thread's last change set, or that of `run`, judged against the folders as they are now.

    Raises UserError if there is none or a granted folder is missing, CorruptData.
    """
    from deskmate.changes.apply import review_changes  # noqa: PLC0415
    from deskmate.changes.staged import find_staged  # noqa: PLC0415
    from deskmate.store.blobs import BlobStore  # noqa: PLC0415
    from deskmate.store.thread import open_thread  # noqa: PLC0415

    async with open_thread(places.threads, thread, write=False) as store:
        events = await store.events()
        staged = find_staged(events, run)
        blobs = BlobStore(places.blobs)
        return staged, await review_changes(blobs, staged.difference, staged.grants, events)


async def differences(
    places: Places, thread: str, paths: Sequence[str], run: str, progress: Progress
) -> tuple[Shown, ...]:
    """Return how a change set's changes look; with `paths` only these and what is below them.

    Raises UserError where a path names nothing.
    """
    from deskmate.changes.history import settled_of  # noqa: PLC0415
    from deskmate.changes.names import is_below  # noqa: PLC0415
    from deskmate.changes.review import read_difference  # noqa: PLC0415
    from deskmate.changes.staged import find_staged  # noqa: PLC0415
    from deskmate.host.documents import document_differs  # noqa: PLC0415
    from deskmate.store.blobs import BlobStore  # noqa: PLC0415
    from deskmate.store.thread import open_thread  # noqa: PLC0415

    async with open_thread(places.threads, thread, write=False) as store:
        events = await store.events()
    blobs = BlobStore(places.blobs)
    staged = find_staged(events, run)
    written = settled_of(events, staged.difference, blobs).written
    differs = document_differs(places, blobs, progress)
    found = []
    changes = read_difference(staged.difference, blobs).changes
    for path in paths:
        if not any(is_below(change.path, [path]) for change in changes):
            raise UserError(f"{path} is not in the change set.", hint="See deskmate changes show.")
    for change in changes:
        if paths and not is_below(change.path, paths):
            continue
        ids = written[change.path].ids if change.path in written else ()
        # in a thread, from which a differ may ask a machine
        found.append(await anyio.to_thread.run_sync(_shown, change, blobs, ids, differs))
    return tuple(found)


def _shown(
    change: Change, blobs: BlobStore, ids: Sequence[str], differs: Sequence[Differ]
) -> Shown:
    from deskmate.changes.differ import sides_of  # noqa: PLC0415
    from deskmate.changes.review import describe_difference  # noqa: PLC0415

    hunks: list[str] = []
    try:
        sides = sides_of(change, blobs, differs) if change.before and change.after else None
        hunks = [piece.id for piece in sides.pieces() if piece.alone] if sides else []
        lines = list(describe_difference(change, blobs, ids, differs))
    except DeskmateError as error:
        lines = list(describe_difference(change, blobs, ids))
        lines.append(f"! its changes cannot be shown one by one: {error.message}")
    return Shown(
        path=change.path,
        operation=change.operation,
        hunks=tuple(hunks),
        applied=tuple(ids),
        lines=tuple(lines),
    )


async def past_changes(places: Places, thread: str, paths: Sequence[str] = ()) -> tuple[Past, ...]:
    """Return what was applied and undone, oldest first; with `paths` only what touched these or what is below."""
    from deskmate.changes.history import history  # noqa: PLC0415
    from deskmate.changes.names import is_below  # noqa: PLC0415
    from deskmate.store.blobs import BlobStore  # noqa: PLC0415
    from deskmate.store.thread import open_thread  # noqa: PLC0415
    from deskmate.types.events import UserSaid  # noqa: PLC0415

    async with open_thread(places.threads, thread, write=False) as store:
        events = await store.events()
    said = {
        str(event.payload.run): event.payload.text
        for event in events
        if isinstance(event.payload, UserSaid) and not event.payload.queued
    }
    found = [_past(applied, said) for applied in history(events, BlobStore(places.blobs))]
    return tuple(
        entry for entry in found if not paths or any(is_below(path, paths) for path in entry.paths)
    )


def _past(applied: Applied, said: Mapping[str, str]) -> Past:
    plan = applied.plan
    return Past(
        plan=applied.digest,
        time=applied.time,
        seq=applied.seq,
        by=applied.by,
        run=plan.run,
        asked=said.get(plan.run, ""),
        undoes=plan.undoes,
        forced=plan.forced,
        operations=applied.operations(),
        paths=tuple(step.path for step in plan.steps if not step.is_frame),
        parts={path: part.ids for path, part in plan.parts.items()},
        waiting=plan.waiting,
        undone=not applied.live,
    )
