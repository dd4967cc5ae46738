"""Carries a plan out: the whole of it or, after any crash or error, nothing of it.

verify and back up → `planned` → temporary files → check again → `backed_up` → renames → `done`. Recovery
discards what was only planned and finishes what was backed up; where that cannot be, it takes all back.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field

from deskmate.changes.disk import Folders, dress_at, drop, sync_at, write_new
from deskmate.changes.journal import Journal
from deskmate.changes.plan import Plan, State, Step, same
from deskmate.errors import ConflictError, CorruptData, DeskmateError
from deskmate.ports import Blobs
from deskmate.types.ids import Digest

Failpoint = Callable[[str], None]
"""Called with a name at every point where a crash is possible; tests raise there."""

_GONE = {errno.ENOENT, errno.ENOTDIR}


@dataclass(slots=True, kw_only=True)
class Work:
    """One plan being carried out. `lost`: metadata that could not be kept, in words.

    `made`: the folders that the plan makes, once they were looked for.
    """

    plan: Plan
    digest: Digest
    folders: Folders
    blobs: Blobs
    journal: Journal
    failpoint: Failpoint = lambda name: None
    stamps: dict[str, tuple[int, ...] | None] = field(default_factory=dict)
    lost: list[str] = field(default_factory=list)
    touched: set[str] = field(default_factory=set)
    made: set[str] | None = None


def carry_out(work: Work) -> None:
    """Carry a plan out for the first time.

    Raises ConflictError (nothing was written), DeskmateError (all was taken back, or, where the
    journal still says `backed_up`, is to be settled by recovery), OSError if the journal fails.
    """
    verify(work)
    work.journal.write(work.digest, "planned")
    work.failpoint("planned")
    try:
        write_temporaries(work)
        _check_stamps(work)
        work.journal.write(work.digest, "backed_up")
    except (OSError, DeskmateError) as error:
        discard(work)
        raise _give_up(work, error) from error
    work.failpoint("backed_up")
    try:
        settle(work, forward=True, fresh=True)
    except (OSError, DeskmateError) as error:
        take_back(work)
        raise _give_up(work, error) from error
    work.journal.write(work.digest, "done")
    work.failpoint("done")


def _give_up(work: Work, error: Exception) -> DeskmateError:
    if isinstance(error, DeskmateError):
        failure = error
    else:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        failure = DeskmateError(
            f"The changes could not be written: {reason}; your files are as they were.",
            hint="Free space or put the permissions right, then apply again.",
        )
    with suppress(OSError):  # the log says it, too; without either, recovery finds nothing to do
        work.journal.write(work.digest, "undone", failure.message)
    return failure


def verify(work: Work) -> None:
    """Check that every path is as the plan expects, and put every original into the blobs.

    Raises ConflictError naming the paths that are not; nothing was written to the user's folders.
    """
    conflicts = []
    for step in work.plan.steps:
        try:
            if step.before is None or step.before.kind != "dir":
                work.stamps[step.path] = work.folders.stamp(step.path)
            found = work.folders.look(step.path)
            if found and found.sha256 and not _is_kept(work.blobs, found.sha256):
                found = work.folders.look(step.path, work.blobs.put)
        except OSError as error:
            raise ConflictError(f"{step.path} cannot be read: {error.strerror}.") from error
        if not same(found, step.before):
            conflicts.append(step.path)
    if conflicts:
        raise conflict(conflicts)
    work.failpoint("verified")


def _is_kept(blobs: Blobs, digest: Digest) -> bool:
    """Say whether a content is in the blobs and can be read: reading costs far less than storing again."""
    if not blobs.has(digest):
        return False
    try:
        for _ in blobs.chunks(digest):
            pass
    except CorruptData:
        return False
    return True


def conflict(paths: Iterable[str]) -> ConflictError:
    """Return the error for paths that changed meanwhile."""
    named = sorted(paths)
    more = f" and {len(named) - 3} more" if len(named) > 3 else ""
    return ConflictError(
        f"Changed meanwhile, so nothing was written: {', '.join(named[:3])}{more}.",
        hint="Look at deskmate changes show; your own version was kept.",
    )


def _check_stamps(work: Work) -> None:
    """Make the time in which a user's edit could go unseen as short as one rename each."""
    changed = [path for path, seen in work.stamps.items() if work.folders.stamp(path) != seen]
    if changed:
        raise conflict(changed)


def temporary_place(work: Work, number: int) -> tuple[str, str]:
    """Return folder and name of a step's temporary file: the nearest folder that stands already."""
    if work.made is None:
        work.made = {
            step.path
            for step in work.plan.steps
            if step.after
            and step.after.kind == "dir"
            and not (step.before and step.before.kind == "dir")
        }
    folder = work.plan.steps[number].path.rpartition("/")[0]
    while folder in work.made:
        folder = folder.rpartition("/")[0]
    return folder, f".deskmate-{work.digest[:16]}-{number}.tmp"


def write_temporaries(work: Work) -> None:
    """Write all new content beside where it goes, durably. Raises OSError, CorruptData."""
    written: dict[str, list[str]] = {}
    for number, step in enumerate(work.plan.steps):
        if step.brings_content and step.after is not None:
            place, name = temporary_place(work, number)
            _write_temporary(work, number, step.after, durable=False)
            written.setdefault(place, []).extend([name] if step.after.kind == "file" else [])
            work.failpoint("temporary")
    for place, names in sorted(written.items()):
        with work.folders.folder(place) as folder:
            for name in names:
                sync_at(folder, name)
            os.fsync(folder)
    work.failpoint("temporaries")


def _write_temporary(work: Work, number: int, wanted: State, *, durable: bool = True) -> None:
    place, name = temporary_place(work, number)
    with work.folders.folder(place) as folder:
        drop(folder, name)
        if wanted.kind == "symlink":
            os.symlink(wanted.target, name, dir_fd=folder)
            dress_at(folder, name, wanted)
            return
        assert wanted.sha256 is not None
        content = work.blobs.chunks(wanted.sha256)
        lost = write_new(folder, name, content, wanted, durable=durable)
        work.lost += [f"{work.plan.steps[number].path}: {what}" for what in lost]


def discard(work: Work) -> None:
    """Remove all temporary files of a plan, durably: nobody looks for them again. Raises OSError."""
    names: dict[str, list[str]] = {}
    for number in range(len(work.plan.steps)):
        place, name = temporary_place(work, number)
        names.setdefault(place, []).append(name)
    for place, temporary in names.items():
        try:
            with work.folders.folder(place) as folder:
                for name in temporary:
                    drop(folder, name)
                os.fsync(folder)
        except OSError as error:
            if error.errno not in _GONE:
                raise
    work.failpoint("discarded")


def take_back(work: Work) -> None:
    """Bring every path back to what it was before the plan.

    Raises DeskmateError if that fails; the journal keeps `backed_up`, so that recovery tries again.
    """
    try:
        settle(work, forward=False)
        discard(work)
    except OSError as error:
        raise DeskmateError(
            f"Some changes are half-written: {error.strerror}; all originals are kept.",
            hint="Put the disk or the permissions right, then run deskmate changes recover.",
        ) from error


def settle(work: Work, *, forward: bool, fresh: bool = False) -> None:
    """Bring every path to `after` (or back to `before`); what is so already is left alone.

    `fresh`: everything is known to be `before`. Without it, paths that are neither are left as they
    are. Raises OSError, CorruptData.
    """
    steps = list(enumerate(work.plan.steps))
    wanted = {step.path: step.after if forward else step.before for _, step in steps}
    current = {
        step.path: step.before if fresh else work.folders.look(step.path) for _, step in steps
    }
    ours = [(number, step) for number, step in steps if _is_ours(step, current[step.path])]
    for _, step in reversed(ours):
        _remove(work, step.path, current[step.path], wanted[step.path], tolerant=not forward)
    for number, step in ours:
        if not same(current[step.path], wanted[step.path]):
            _bring(work, number, wanted[step.path], fresh=fresh)
    _sync(work)
    for _, step in reversed(ours):
        if not (fresh and step.brings_content):
            _dress(work, step, wanted[step.path])
    work.failpoint("settled")


def _is_ours(step: Step, found: State | None) -> bool:
    """Say whether a path is before, after or between: gone, where a folder and a file change places."""
    between = found is None and step.removes
    return between or same(found, step.before) or same(found, step.after)


def _remove(
    work: Work, path: str, current: State | None, wanted: State | None, *, tolerant: bool
) -> None:
    if current is None or (wanted is not None and wanted.kind == current.kind):
        return
    work.touched.add(path.rpartition("/")[0])
    with work.folders.parent(path) as (folder, name):
        if current.kind != "dir":
            os.unlink(name, dir_fd=folder)
        else:
            try:
                os.rmdir(name, dir_fd=folder)
            except OSError as error:
                # a folder that we made and the user has put something into stays
                if not tolerant or error.errno != errno.ENOTEMPTY:
                    raise
    work.failpoint("removed")


def _bring(work: Work, number: int, wanted: State | None, *, fresh: bool) -> None:
    if wanted is None:
        return
    path = work.plan.steps[number].path
    work.touched.add(path.rpartition("/")[0])
    with work.folders.parent(path) as (folder, name):
        if wanted.kind == "dir":
            os.mkdir(name, 0o700, dir_fd=folder)
            work.failpoint("made")
            return
        place, temporary = temporary_place(work, number)
        if not fresh:  # after a crash nobody knows how far a temporary file got
            _write_temporary(work, number, wanted)
        with work.folders.folder(place) as source:
            os.rename(temporary, name, src_dir_fd=source, dst_dir_fd=folder)
            work.touched.add(place)
    work.failpoint("renamed")


def _dress(work: Work, step: Step, wanted: State | None) -> None:
    if wanted is None:
        return
    try:
        if "/" not in step.path:
            with work.folders.folder(step.path) as folder:
                lost = dress_at(folder, ".", wanted)
        else:
            with work.folders.parent(step.path) as (folder, name):
                lost = dress_at(folder, name, wanted)
    except FileNotFoundError:
        return
    work.lost += [f"{step.path}: {what}" for what in lost]
    work.failpoint("dressed")


def _sync(work: Work) -> None:
    for path in sorted(work.touched):
        try:
            with work.folders.folder(path) as folder:
                os.fsync(folder)
        except OSError as error:
            if error.errno not in _GONE:  # a folder that the plan itself removed
                raise
    work.failpoint("synced")


def finish(work: Work) -> str:
    """Bring a plan that a crash interrupted after `backed_up` to an end; return why it was taken back.

    The empty string means it was carried out. Raises DeskmateError if neither works now.
    """
    foreign = [
        step.path for step in work.plan.steps if not _is_ours(step, work.folders.look(step.path))
    ]
    if not foreign:
        try:
            settle(work, forward=True)
            return ""
        except (OSError, DeskmateError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
    else:
        reason = f"{', '.join(foreign[:3])} changed meanwhile and was left as it is"
    take_back(work)
    return f"taken back: {reason}"
