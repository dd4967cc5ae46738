"""What the owner of a thread does to it: give it a title, mark it, delete it, and bring it back."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import anyio.to_thread

from deskmate.errors import UserError
from deskmate.store.blobs import make_folder, sync_folder
from deskmate.store.keeping import keeping_content
from deskmate.store.listing import ThreadSummary, summary_of
from deskmate.store.lock import WriterLock
from deskmate.store.thread import LOCK_FILE, open_thread, thread_folder
from deskmate.types.events import ThreadMarked, ThreadRenamed
from deskmate.types.ids import ThreadId

KEPT_DAYS = 30
"""How long a deleted thread can be brought back."""
TITLE_LIMIT = 200
DELETED = ".deleted"
"""Folder, beside the threads, of those that can be brought back."""
_DAY_S = 86_400
_GOING = ".going-"
"""Begins the name of a deleted thread that is being removed; what a crash left of it goes the next time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deleted:
    """A deleted thread that can still be brought back. `days`: for how long."""

    thread: ThreadId
    title: str
    days: int


async def rename_thread(threads: Path, thread: str, title: str) -> None:
    """Give a thread another title. Raises UserError if it is empty, or another process works in it."""
    words = " ".join(title.split())
    if not words:
        raise UserError("A thread needs a title.", hint='deskmate thread rename T "Harbour NDA"')
    async with open_thread(threads, thread) as store:
        await store.append(ThreadRenamed(title=words[:TITLE_LIMIT]))


async def mark_thread(
    threads: Path, thread: str, *, pinned: bool | None = None, archived: bool | None = None
) -> ThreadSummary:
    """Pin or archive a thread, or undo that; None leaves a mark as it is. Return how it stands then.

    An archived thread is not pinned: the later wish counts. Raises UserError if another process works in it.
    """
    folder = thread_folder(threads, thread)
    async with open_thread(threads, thread) as store:
        now = await anyio.to_thread.run_sync(summary_of, folder)
        wanted = ThreadMarked(
            pinned=(now.pinned and not archived) if pinned is None else pinned,
            archived=(now.archived and not pinned) if archived is None else archived,
        )
        if (wanted.pinned, wanted.archived) != (now.pinned, now.archived):
            await store.append(wanted)
    return await anyio.to_thread.run_sync(summary_of, folder)


def delete_thread(threads: Path, thread: str, *, now: Callable[[], float] = time.time) -> None:
    """Take a thread out of sight; for 30 days it can be brought back, whole.

    Its blobs stay as long as it can. Raises UserError if there is none, or another process works in it.
    """
    folder = thread_folder(threads, thread)
    lock = WriterLock(folder / LOCK_FILE, thread)
    try:
        purge_deleted(threads, now=now)
        make_folder(threads / DELETED)
        with keeping_content(
            threads
        ):  # a collector that looks into both folders must meet it in one
            folder.rename(threads / DELETED / f"{int(now())}-{thread}")
        sync_folder(threads / DELETED)
        sync_folder(threads)
    finally:
        lock.release()


def restore_thread(threads: Path, thread: str) -> None:
    """Bring a deleted thread back. Raises UserError if there is none, or a thread of its id."""
    found = [folder for _, name, folder in _deleted(threads) if name == thread]
    if not found:
        raise UserError(
            f"There is no deleted thread {thread}.", hint="See: deskmate thread list --deleted"
        )
    if (threads / thread).exists():
        raise UserError(
            f"There is a thread {thread} already.",
            hint=f"Delete it first: deskmate thread delete {thread}",
        )
    with keeping_content(threads):
        try:
            found[-1].rename(threads / thread)
        except FileNotFoundError as error:
            raise UserError(f"Thread {thread} was removed for good just now.") from error
    sync_folder(threads)


def deleted_threads(threads: Path, *, now: Callable[[], float] = time.time) -> tuple[Deleted, ...]:
    """Return the threads that can be brought back, the one deleted last first."""
    rows = []
    for when, name, folder in reversed(_deleted(threads)):
        days = KEPT_DAYS - int((now() - when) // _DAY_S)
        if days > 0:
            rows.append(Deleted(thread=ThreadId(name), title=summary_of(folder).title, days=days))
    return tuple(rows)


def purge_deleted(threads: Path, *, now: Callable[[], float] = time.time) -> tuple[str, ...]:
    """Remove for good what was deleted more than 30 days ago; return the ids."""
    gone = []
    for when, name, folder in _deleted(threads):
        if now() - when >= KEPT_DAYS * _DAY_S:
            # Out of the way first: nobody restores half a thread, and of two who purge one does.
            with suppress(FileNotFoundError):
                folder.rename(folder.with_name(f"{_GOING}{folder.name}"))
                gone.append(name)
    for folder in (threads / DELETED).glob(f"{_GOING}*"):
        shutil.rmtree(folder, ignore_errors=True)
    return tuple(gone)


def _deleted(threads: Path) -> list[tuple[int, str, Path]]:
    """Return (time of deletion, id, folder), oldest first."""
    folder = threads / DELETED
    found = []
    for path in folder.iterdir() if folder.is_dir() else ():
        when, _, name = path.name.partition("-")
        if when.isdigit() and name.startswith("t-"):
            found.append((int(when), name, path))
    return sorted(found)
