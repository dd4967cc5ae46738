"""The log of one thread in SQLite: appended by one writer, read by anyone, never changed."""

from __future__ import annotations

import gc
import os
import re
import sqlite3
import threading
import time
from collections.abc import (
    AsyncIterator,
    Callable,
    Collection,
    Iterable,
    Iterator,
    Sequence,
)
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import anyio
import anyio.lowlevel
import anyio.to_thread

from deskmate import failpoints
from deskmate.errors import DeskmateError, UserError
from deskmate.store import chain, schema
from deskmate.store.blobs import write_file
from deskmate.store.keeping import keeping_content
from deskmate.store.lock import WriterLock
from deskmate.store.rows import (
    INSERT_UNDER,
    SELECT,
    Row,
    as_record,
    checked_rows,
    erase_rows,
    make_event,
    read_event,
)
from deskmate.store.synced import check_not_synced
from deskmate.types.events import Erased, Event, Payload
from deskmate.types.ids import ThreadId

Now = Callable[[], str]
T = TypeVar("T")
HEAD_FILE = "head.json"
"""Length and head of the log at the last orderly close: a witness beside the database."""
LOCK_FILE = "writer.lock"
QUICK_S = 0.005
"""While the last write took no longer, the loop's own thread writes: handing a write over takes as long as it."""
_TURN_S = 0.01
_MANY_EVENTS = 500
_ID = re.compile(r"t-[a-z0-9]{1,40}")


def utc_now() -> str:
    """Return the wall clock as RFC 3339 UTC with microseconds."""
    return f"{datetime.now(UTC).replace(tzinfo=None).isoformat(timespec='microseconds')}Z"


class ThreadStore:
    """A `Store` over `<threads>/<id>/thread.db`. Made by `open_thread`, closed by it."""

    def __init__(
        self, folder: Path, db: sqlite3.Connection, *, writes: bool, now: Now, held: ExitStack
    ) -> None:
        """`held`: what a writer holds, and gives back at the end."""
        self._folder = folder
        self._held = held
        self._db = db
        db.isolation_level = None  # a transaction begins where we say so
        self._writes = writes
        self._now = now
        self._limiter = anyio.CapacityLimiter(1)
        # a cancelled task gives the limiter back while its thread goes on
        self._mutex = threading.Lock()
        self._events: list[Event] = []
        self._failed = False
        self._took_s = 0.0
        self._turn_s = 0.0
        self.redact: Callable[[Any], Any] = lambda payload: payload
        """Takes known secrets out of a payload before it is stored."""
        self._token = self._take_lease() if writes else 0

    @property
    def thread(self) -> ThreadId:
        """Whose log it is."""
        return ThreadId(self._folder.name)

    @property
    def folder(self) -> Path:
        """The thread's own folder on the host."""
        return self._folder

    async def append(self, *payloads: Payload) -> tuple[Event, ...]:
        """Store payloads durably, all or none, and return the events.

        Raises UserError for a reader or a writer that lost its lease, DeskmateError when the disk
        is full or fails; after that every later append is refused.
        """
        if self._may_write_here():
            await self._give_turn()
            if self._may_write_here():
                return self._append(payloads)
        return await anyio.to_thread.run_sync(self._append, payloads, limiter=self._limiter)

    async def _give_turn(self) -> None:
        """Let others run now and then: a task that only appends must not hold the loop."""
        if time.monotonic() - self._turn_s < _TURN_S:
            await anyio.lowlevel.checkpoint_if_cancelled()
            return
        await anyio.lowlevel.checkpoint()
        self._turn_s = time.monotonic()

    def _may_write_here(self) -> bool:
        """Say whether the loop may wait for a write: nobody else is at it, and the last one was quick."""
        is_free = not self._limiter.borrowed_tokens and not self._mutex.locked()
        return is_free and bool(self._events) and self._took_s <= QUICK_S

    async def events(self, after: int = 0) -> tuple[Event, ...]:
        """Return all events with a `seq` greater than `after`, in order.

        Every event's hash is checked once. Raises CorruptData at the first that does not fit.
        """
        await anyio.to_thread.run_sync(self._refresh, limiter=self._limiter)
        return tuple(self._events[max(after, 0) :])

    async def rows(self) -> tuple[dict[str, Any], ...]:
        """Return the plain records, unchecked, for export and for `verify`."""
        return await anyio.to_thread.run_sync(self._rows, limiter=self._limiter)

    async def each_row(self, make: Callable[[tuple[Any, ...]], T]) -> tuple[T, ...]:
        """Return what `make` gives for the row of each event, its payload as JSON text; quicker than `events`.

        Every hash is checked first. Raises CorruptData at the first that does not fit.
        """
        return await anyio.to_thread.run_sync(self._each_row, make, limiter=self._limiter)

    async def faults(self) -> tuple[str, ...]:
        """Return what is wrong with the database beside its records, one line each."""
        return await anyio.to_thread.run_sync(self._faults, limiter=self._limiter)

    def _faults(self) -> tuple[str, ...]:
        with self._mutex:
            return tuple(schema.faults(self._db, self.thread))

    def close(self) -> None:
        """Close the database; a writer leaves the head's witness and lets others write."""
        try:
            if self._writes and not self._failed:
                with suppress(DeskmateError, OSError, sqlite3.Error), self._mutex:
                    self._write_head()
            with self._mutex:
                self._db.close()
        finally:
            self._held.close()

    def _take_lease(self) -> int:
        with self._db:
            self._db.execute("begin immediate")
            self._db.execute("update lease set token = token + 1, pid = ?", [os.getpid()])
            return int(self._db.execute("select token from lease").fetchone()[0])

    def _append(
        self, payloads: Sequence[Payload], also: Callable[[], None] | None = None
    ) -> tuple[Event, ...]:
        """`also`: what is done to the database in the same transaction."""
        if not self._writes:
            raise UserError(f"Thread {self.thread} was opened for reading only.")
        if self._failed:
            raise DeskmateError(
                f"Thread {self.thread} takes no more events: an earlier write failed.",
                hint="Resume the thread when the disk is well again.",
            )
        try:
            with self._mutex:
                began = time.perf_counter()
                fresh = self._insert(payloads, also)
                self._took_s = time.perf_counter() - began
                return fresh
        except sqlite3.Error as error:
            self._failed = True
            raise schema.explain(error, self.thread) from error

    async def erase(self, seqs: Collection[int], why: str) -> Erased:
        """Remove what is personal in these events for good, and store that this was done: both or neither.

        Raises UserError where nothing of them can be erased, and as `append`.
        """
        return await anyio.to_thread.run_sync(self._erase, seqs, why, limiter=self._limiter)

    def _erase(self, seqs: Collection[int], why: str) -> Erased:
        self._refresh()
        rows = self._query("where salt <> '' order by seq", [])
        found = tuple(row[0] for row in rows if row[0] in seqs)
        if not found:
            raise UserError("There is nothing to erase in these events.")
        erased = Erased(seqs=found, why=why)
        self._db.execute("pragma secure_delete=on")
        self._append([erased], also=lambda: erase_rows(self._db, found))
        self._events = []
        # what the log ahead of the database still holds goes when nobody reads it any more
        self._db.execute("pragma wal_checkpoint(truncate)")
        return erased

    def _insert(
        self, payloads: Sequence[Payload], also: Callable[[], None] | None = None
    ) -> tuple[Event, ...]:
        if not self._events:  # afterwards nobody else writes, and we keep what we wrote
            self._load()
        head = self._events[-1].hash if self._events else chain.GENESIS
        seq = len(self._events)
        fresh, rows = [], []
        for payload in map(self.redact, payloads):
            seq += 1
            event, row = make_event(seq, self._now(), payload, head)
            head = event.hash
            fresh.append(event)
            rows.append(row)
        _reach(fresh, "before")
        if len(rows) == 1 and not also:
            self._store(rows)  # a statement is a transaction, and cheaper than one around it
        else:
            self._store_together(rows, also)
        self._events += fresh
        _reach(fresh, "after")
        return tuple(fresh)

    def _store(self, rows: Sequence[Row]) -> None:
        # the lock is the operating system's; the token also holds where its locks do not (NFS)
        stored = self._db.executemany(INSERT_UNDER, [(*row, self._token) for row in rows])
        if rows and stored.rowcount < len(rows):
            raise UserError(f"Another Deskmate took over thread {self.thread}.")

    def _store_together(self, rows: Sequence[Row], also: Callable[[], None] | None) -> None:
        self._db.execute("begin immediate")
        try:
            if also:
                also()
            self._store(rows)
            self._db.execute("commit")
        except BaseException:
            with suppress(sqlite3.Error):
                self._db.rollback()
            raise

    def _refresh(self) -> None:
        with self._mutex:
            self._load()

    def _load(self) -> None:
        rows = self._query("where seq > ? order by seq", [len(self._events)])
        head = self._events[-1].hash if self._events else chain.GENESIS
        with _collecting_later(len(rows)):
            for row in rows:
                event = read_event(row, len(self._events) + 1, head)
                self._events.append(event)
                head = event.hash

    def _query(self, where: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
        try:
            rows: list[tuple[Any, ...]] = self._db.execute(f"{SELECT} {where}", values).fetchall()
        except schema.UNREADABLE as error:
            raise schema.explain(error, self.thread) from error
        return rows

    def _each_row(self, make: Callable[[tuple[Any, ...]], T]) -> tuple[T, ...]:
        try:
            with self._mutex, _collecting_later(_MANY_EVENTS):
                # a row at a time: what the processor still holds need not be fetched from memory again
                return tuple(make(row) for row in checked_rows(self._db))
        except schema.UNREADABLE as error:
            raise schema.explain(error, self.thread) from error

    def _rows(self) -> tuple[dict[str, Any], ...]:
        with self._mutex:
            return tuple(as_record(row) for row in self._query("order by seq", []))

    def _write_head(self) -> None:
        self._load()
        if self._events:
            last = self._events[-1]
            head = {"thread": self.thread, "size": last.seq, "head": last.hash, "time": last.time}
            write_file(self._folder / HEAD_FILE, chain.canonical(head))


def _reach(events: Iterable[Event], side: str) -> None:
    if failpoints.are_named():
        for event in events:
            failpoints.hit(f"log:{event.kind}:{side}")


@contextmanager
def _collecting_later(events: int) -> Iterator[None]:
    """Let the garbage collector rest while many events are read: all that is made stays in use."""
    if events < _MANY_EVENTS or not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def thread_folder(threads: Path, thread: str) -> Path:
    """Return the folder of a thread that exists. Raises UserError."""
    folder = threads / thread
    if not _ID.fullmatch(thread) or not (folder / schema.FILE).is_file():
        raise UserError(
            f"There is no thread {thread}.", hint="See deskmate thread list for what there is."
        )
    return folder


@asynccontextmanager
async def open_thread(
    threads: Path, thread: str, *, write: bool = True, now: Now = utc_now
) -> AsyncIterator[ThreadStore]:
    """Open a thread's log; one writer at a time, any number of readers.

    Raises UserError if there is no such thread or another process writes in it, CorruptData if the
    database is damaged.
    """
    folder = thread_folder(threads, thread)
    store = await anyio.to_thread.run_sync(_open, folder, write, now)
    try:
        yield store
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(store.close)


def _open(folder: Path, write: bool, now: Now) -> ThreadStore:
    with ExitStack() as holding:
        if write:
            check_not_synced(folder.parent)
            holding.callback(WriterLock(folder / LOCK_FILE, folder.name).release)
            holding.enter_context(keeping_content(folder.parent))
        for leftover in folder.glob(".*.tmp") if write else ():  # of a writer that ended early
            with suppress(OSError):
                leftover.unlink()
        db = schema.open_database(folder, write=write)
        held = ExitStack()
        try:
            store = ThreadStore(folder, db, writes=write, now=now, held=held)
        except schema.UNREADABLE as error:
            db.close()
            raise schema.explain(error, folder.name) from error
        held.push(holding.pop_all())
        return store
