"""Makes the logs of new threads and forks: whole, under their name, or not at all."""

from __future__ import annotations

import shutil
import sqlite3
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import anyio.to_thread

from deskmate import failpoints
from deskmate.errors import DeskmateError
from deskmate.store import chain, schema
from deskmate.store.blobs import DISK_FULL, make_folder, sync_folder
from deskmate.store.rows import INSERT, make_event, make_row
from deskmate.store.synced import check_not_synced
from deskmate.store.thread import Now, utc_now
from deskmate.types.events import Payload, ThreadCreated, ThreadForked
from deskmate.types.ids import ThreadId, new_thread_id

_LEFTOVER_S = 3600


async def create_thread(
    threads: Path,
    title: str,
    *,
    version: str,
    now: Now = utc_now,
    thread: ThreadId | None = None,
) -> ThreadId:
    """Make a thread with its first event and return its id; a crash leaves no half thread.

    `version`: Deskmate's own, recorded in the log. `thread`: the id, where it was chosen before.
    """
    thread = thread or new_thread_id()
    payload = ThreadCreated(thread=thread, title=title, version=version)
    row = make_event(1, now(), payload, chain.GENESIS)[1]
    await anyio.to_thread.run_sync(write_thread, threads, thread, [row])
    return thread


def fork_log(
    threads: Path,
    first: ThreadForked,
    parent: Sequence[Mapping[str, Any]],
    closing: Sequence[Payload],
    now: Now = utc_now,
) -> None:
    """Make a fork's thread: `first`, the parent's records with their times and payloads, and `closing`.

    Every hash is the fork's own. A crash leaves no half thread. Raises DeskmateError as `create_thread`.
    """
    rows = [make_event(1, now(), first, chain.GENESIS)[1]]
    for record in parent:
        seq, head = len(rows) + 1, rows[-1][5]
        payload = record["payload"]
        if record["kind"] == "Erased":  # its events have another number here
            payload = {**payload, "seqs": [one + 1 for one in payload["seqs"]]}
        rows.append(make_row(seq, record["time"], record["kind"], payload, head))
    for one in closing:
        rows.append(make_event(len(rows) + 1, now(), one, rows[-1][5])[1])
    write_thread(threads, first.thread, rows)


def write_thread(threads: Path, thread: ThreadId, rows: Sequence[tuple[Any, ...]]) -> None:
    """Make a thread's folder with these rows: first under another name, then in one rename."""
    check_not_synced(threads)
    temporary = threads / f".new-{thread}"
    _sweep(threads)
    # an id that was chosen before is tried again after a crash
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        make_folder(temporary)
        db = schema.open_database(temporary, write=True)
        try:
            with db:
                db.executemany(INSERT, rows)
            db.execute("pragma wal_checkpoint(truncate)")
        finally:
            db.close()
        sync_folder(temporary)
        failpoints.hit("thread:written")
        temporary.rename(threads / thread)
        failpoints.hit("thread:named")
        sync_folder(threads)
    except (DeskmateError, sqlite3.Error, OSError) as error:
        raise _not_made(error, threads) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _not_made(error: Exception, threads: Path) -> DeskmateError:
    full = "full" in str(error) or (isinstance(error, OSError) and error.errno in DISK_FULL)
    said = error.strerror if isinstance(error, OSError) else str(error).rstrip(".")
    why = "the disk is full" if full else said
    hint = "Free some space and try again." if full else "Check the disk and try again."
    return DeskmateError(f"A new thread cannot be made in {threads}: {why}.", hint=hint)


def _sweep(threads: Path) -> None:
    """Remove what a crash left of threads that never came to be."""
    for leftover in threads.glob(".new-t-*"):
        with suppress(OSError):
            if time.time() - leftover.stat().st_mtime > _LEFTOVER_S:
                shutil.rmtree(leftover)
