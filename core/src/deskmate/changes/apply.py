"""Applying a change set, and settling after a crash what was begun: intent, deed, outcome."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import anyio
import anyio.to_thread

from deskmate import failpoints
from deskmate.changes.carry import Failpoint, Work, carry_out, discard, finish
from deskmate.changes.differ import Differ, cut
from deskmate.changes.disk import Folders
from deskmate.changes.history import settled_of, unfinished
from deskmate.changes.journal import Journal
from deskmate.changes.plan import Plan, read_plan, store_plan
from deskmate.changes.planning import ApplyOptions, Selection, guard_bulk, plan_apply
from deskmate.changes.review import ChangeSet, add_flags, read_difference, review
from deskmate.errors import DeskmateError, UserError
from deskmate.ports import BlobReader, Blobs, Store
from deskmate.types.events import ApplyFinished, ApplyStarted, Event
from deskmate.types.files import Grant
from deskmate.types.ids import Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What was written. `plan`: None where there was nothing to do.

    `written`: paths that changed. `left_out`: path → why it was not touched. `waiting`: path → what the user
    chose to leave out; it stays staged. `notes`: metadata that could not be kept. `text`: why a plan was
    taken back, else empty.
    """

    plan: Digest | None = None
    written: tuple[str, ...] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)
    waiting: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where applying happens. `journal`: the thread's own folder for it, `<thread>/apply`.

    `differs`: who takes changes apart; None: the host alone, which knows text.
    """

    store: Store
    blobs: Blobs
    journal: Path
    failpoint: Failpoint = lambda name: failpoints.hit(f"apply:{name}")
    differs: Sequence[Differ] | None = None


async def review_changes(
    blobs: BlobReader, difference: Digest, grants: Sequence[Grant], events: Sequence[Event] = ()
) -> ChangeSet:
    """Return a staged change set judged against the folders as they are now. Writes nothing.

    `events`: the thread's log, for what became of the change set so far.

    Raises UserError if a granted folder is missing, CorruptData.
    """

    def work() -> ChangeSet:
        settled = settled_of(events, difference, blobs)
        with Folders(grants) as folders:
            found = review(read_difference(difference, blobs), grants, folders, blobs, settled)
            return add_flags(found, folders, blobs)

    return await anyio.to_thread.run_sync(work)


async def choose_changes(
    place: Place,
    difference: Digest,
    grants: Sequence[Grant],
    options: ApplyOptions,
    *,
    run: str = "",
) -> Selection:
    """Return what `apply_changes` would do. Writes nothing to the user's folders.

    Raises UserError (a choice that names nothing, a folder that is missing), CorruptData.
    """
    events = await place.store.events()

    def choose() -> Selection:
        blobs = place.blobs
        settled = settled_of(events, difference, blobs)
        with Folders(grants) as folders:
            found = review(read_difference(difference, blobs), grants, folders, blobs, settled)
            changes = {item.path: item.change for item in found.items}
            parts = cut(changes, options.hunks, settled.written, blobs, place.differs)
            return plan_apply(
                found, grants, folders, options, source=difference, run=run, parts=parts
            )

    return await anyio.to_thread.run_sync(choose)


async def apply_changes(
    place: Place,
    difference: Digest,
    grants: Sequence[Grant],
    options: ApplyOptions | None = None,
    *,
    run: str = "",
) -> Outcome:
    """Write a staged change set into the granted folders: all of the chosen changes or none.

    Raises UserError (bad choice, many deletions, another apply unsettled), ConflictError (a file
    changed in the last moment; nothing was written), DeskmateError (disk; all was taken back).
    """
    chosen = options or ApplyOptions()
    selection = await choose_changes(place, difference, grants, chosen, run=run)
    guard_bulk(selection, chosen)
    if selection.plan is None:
        return Outcome(left_out=selection.left_out, waiting=selection.waiting)
    by = "user" if chosen.mode == "review" else "policy"
    outcome = await perform(place, selection.plan, selection.left_out, by=by)
    return replace(outcome, waiting=selection.waiting)


async def perform(
    place: Place,
    plan: Plan,
    left_out: Mapping[str, str],
    *,
    by: str = "user",
    undo_of: Digest | None = None,
) -> Outcome:
    """Carry a plan out between its two events. `by`: who wanted it. Raises as `apply_changes`."""
    journal = Journal(place.journal)
    if journal.pending():
        raise UserError(
            "An earlier apply is not settled yet.", hint="Run deskmate changes recover first."
        )
    with anyio.CancelScope(shield=True):  # once begun it is quicker to finish than to take back
        digest = await anyio.to_thread.run_sync(store_plan, plan, place.blobs)
        await place.store.append(ApplyStarted(plan=digest, undo_of=undo_of, by=by))
        place.failpoint("started")
        try:
            lost = await anyio.to_thread.run_sync(_carry, place, plan, digest)
        except DeskmateError as error:
            # a state that has its name and was perhaps not synced: recovery knows what became of it
            if journal.state(digest) not in ("backed_up", "done"):
                await _close(place, digest, error.message)
            raise
        await _close(place, digest, "", plan.left)
    return Outcome(plan=digest, written=_written(plan), left_out=left_out, notes=lost)


def _written(plan: Plan) -> tuple[str, ...]:
    return tuple(
        step.path for step in plan.steps if step.before != step.after and not step.is_frame
    )


def _carry(place: Place, plan: Plan, digest: Digest) -> tuple[str, ...]:
    with Folders(plan.grants) as folders:
        work = _work(place, plan, digest, folders)
        try:
            carry_out(work)
        except OSError as error:
            raise DeskmateError(
                f"The apply cannot be recorded: {error.strerror}.",
                hint="Put the disk right, then run deskmate changes recover.",
            ) from error
        return tuple(dict.fromkeys(work.lost))


def _work(place: Place, plan: Plan, digest: Digest, folders: Folders) -> Work:
    return Work(
        plan=plan,
        digest=digest,
        folders=folders,
        blobs=place.blobs,
        journal=Journal(place.journal),
        failpoint=place.failpoint,
    )


async def _close(place: Place, digest: Digest, why_not: str, left: int | None = None) -> None:
    left = None if why_not else left
    await place.store.append(
        ApplyFinished(plan=digest, applied=not why_not, text=why_not, left=left)
    )
    place.failpoint("finished")
    journal = Journal(place.journal)
    if journal.state(digest) is not None:
        journal.remove(digest)


async def recover(place: Place) -> tuple[Outcome, ...]:
    """Settle what a crash left: to be called when a thread is opened for writing.

    A plan that was only prepared is discarded, one that was under way is finished, or taken back
    where a file changed meanwhile. Afterwards every ApplyStarted has exactly one ApplyFinished.

    Raises UserError if a granted folder is missing, DeskmateError if it cannot be settled now; the
    journal then stays, and nothing else is applied until it could be.
    """
    outcomes = []
    with anyio.CancelScope(shield=True):
        events = await place.store.events()
        for digest in unfinished(events):
            text = await anyio.to_thread.run_sync(_recover, place, digest)
            plan = await anyio.to_thread.run_sync(read_plan, digest, place.blobs)
            await _close(place, digest, text, plan.left)
            written = () if text else _written(plan)
            outcomes.append(Outcome(plan=digest, written=written, text=text))
        journal = Journal(place.journal)
        for record in journal.pending():  # its outcome is in the log: only the removal was missing
            journal.remove(record.plan)
        journal.sweep()
    return tuple(outcomes)


def _recover(place: Place, digest: Digest) -> str:
    journal = Journal(place.journal)
    state = journal.state(digest)
    if state is None:
        return "interrupted before anything was written"
    record = next(record for record in journal.pending() if record.plan == digest)
    if state in ("done", "undone"):
        return record.text
    plan = read_plan(digest, place.blobs)
    with Folders(plan.grants) as folders:
        work = _work(place, plan, digest, folders)
        try:
            if state == "planned":
                discard(work)
                text = "interrupted before anything was written"
            else:
                text = finish(work)
        except OSError as error:
            raise DeskmateError(
                f"An interrupted apply cannot be settled now: {error.strerror}.",
                hint="Put the disk or the permissions right, then run deskmate changes recover.",
            ) from error
        journal.write(digest, "undone" if text else "done", text)
    place.failpoint("recovered")
    return text
