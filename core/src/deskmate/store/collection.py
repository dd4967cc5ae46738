"""Removes content that no thread needs any more: none at work, none that can be restored, no undo, no fork.

Marks first, from every log and every list of files a log names; removes then, for moments in which no thread
is open for writing, and never on a guess: one log that cannot be read whole, and nothing is removed. Only whole
files go, so that a crash at any point leaves at most some unused content more.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from deskmate.errors import DeskmateError
from deskmate.store.blobs import BlobStore
from deskmate.store.keeping import alone_with_content
from deskmate.store.marks import DIGEST, Marks, OutOfTime
from deskmate.store.owning import purge_deleted

_BATCH_S = 0.2
"""How long writers may have to wait at a time."""
_IDLE_WAIT_S = 1.0
STAMP_FILE = ".collected"
"""Beside the threads; its time is when content was collected last."""
_EVERY_S = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """What was done. `purged`: threads whose time to be restored was over. `kept`: blobs still needed.

    `left`: unused blobs that stay, because a thread is at work, or since it was only asked what would go.
    """

    purged: tuple[str, ...]
    removed: int
    removed_bytes: int
    kept: int
    left: int


def collect(
    threads: Path,
    blobs: Path,
    *,
    remove: bool = True,
    now: Callable[[], float] = time.time,
    failpoint: Callable[[str], None] = lambda name: None,
) -> Collected:
    """Remove unused content, and threads that were deleted more than 30 days ago. Blocks.

    `remove`: False only counts. Raises CorruptData where a log or a list of files is damaged, UserError for a
    log of a newer Deskmate; nothing is removed then.
    """
    marks = Marks(threads, BlobStore(blobs), now)
    return _collect(marks, blobs, remove, _IDLE_WAIT_S, failpoint)


def collect_when_due(
    threads: Path,
    blobs: Path,
    *,
    is_due: bool = False,
    budget_s: float = 1.0,
    now: Callable[[], float] = time.time,
    failpoint: Callable[[str], None] = lambda name: None,
) -> Collected | None:
    """Do the same by itself, a day after the last time, within about a second. Blocks; raises nothing.

    Logs that did not change since the last time are not read again. `is_due`: something made content unused, so do
    not wait for the day. Returns None where it is not due or not safe now, or not all could be read in time: then the
    next time goes on from there. What is damaged is for `collect` to tell.
    """
    stamp = threads.with_name(STAMP_FILE)
    try:
        if not threads.is_dir() or not (is_due or _is_old(stamp, now())):
            return None
        with alone_with_content(threads, 0.0) as alone:
            if not alone:
                return None
        marks = Marks(threads, BlobStore(blobs), now, until=time.monotonic() + budget_s)
        marks.load()
        try:
            done = _collect(marks, blobs, True, 0.0, failpoint)
        except OutOfTime:
            return None
        finally:
            marks.keep()
        if not done.left:
            stamp.touch(mode=0o600)
        return done
    except DeskmateError:
        with suppress(OSError):
            stamp.touch(mode=0o600)  # not after every command anew
        return None
    except OSError:
        return None


def _is_old(stamp: Path, now: float) -> bool:
    try:
        age = now - stamp.stat().st_mtime
    except FileNotFoundError:
        return True
    return not 0 <= age < _EVERY_S  # a time to come is a clock that was set back


def _collect(
    marks: Marks, blobs: Path, remove: bool, wait_s: float, failpoint: Callable[[str], None]
) -> Collected:
    marks.refresh()  # before anything goes: a damaged log stops it all
    failpoint("marked")
    purged: tuple[str, ...] = ()
    if remove:
        purged = purge_deleted(marks.threads, now=marks.now)
        failpoint("purged")
        if purged:
            marks.refresh()
        BlobStore(blobs).sweep()
    unused, kept = _unused(blobs, marks.needed)
    removed, size = 0, 0
    while remove and unused and time.monotonic() < marks.until:
        with alone_with_content(marks.threads, wait_s) as alone:
            if not alone:
                break
            failpoint("alone")
            marks.refresh()
            until = time.monotonic() + _BATCH_S
            while unused and time.monotonic() < until:
                path = unused.pop()
                if path.stem in marks.needed:
                    kept += 1
                    continue
                with suppress(FileNotFoundError):  # another collector was here first
                    held = path.stat().st_size
                    path.unlink()
                    size, removed = size + held, removed + 1
                failpoint("removed")
        time.sleep(0.01)  # who waits goes first
    return Collected(
        purged=purged, removed=removed, removed_bytes=size, kept=kept, left=len(unused)
    )


def _unused(blobs: Path, needed: set[str]) -> tuple[list[Path], int]:
    """Return the blobs that nothing needs, and how many are needed."""
    found = [path for path in sorted(blobs.glob("??/*.zst")) if DIGEST.fullmatch(path.stem)]
    unused = [path for path in found if path.stem not in needed]
    return unused, len(found) - len(unused)
