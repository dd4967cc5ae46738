"""The log of one thread in SQLite: appended by one writer, read by anyone, never changed."""

from __future__ import annotations

import gc
import json
import os
import re
import secrets
import shutil
import sqlite3
import threading
import time
from collections.abc import (
    AsyncIterator,
    Callable,
    Collection,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread

from deskmate import failpoints
from deskmate.errors import CorruptData, DeskmateError, UserError
from deskmate.store import chain, schema
from deskmate.store.blobs import DISK_FULL, make_folder, sync_folder, write_file
from deskmate.store.keeping import keeping_content
from deskmate.store.lock import WriterLock
from deskmate.store.sealing import seal
from deskmate.store.synced import check_not_synced
from deskmate.types.codec import from_json, to_json
from deskmate.types.events import KINDS, Erased, Event, Payload, ThreadCreated, ThreadForked
from deskmate.types.ids import ThreadId, new_thread_id

if TYPE_CHECKING:
    from sqlite_utils import Database

Now = Callable[[], str]
HEAD_FILE = "head.json"
"""Length and head of the log at the last orderly close: a witness beside the database."""
LOCK_FILE = "writer.lock"
_LEFTOVER_S = 3600
_MANY_EVENTS = 500
_SELECT = "select seq, time, kind, payload, prev_hash, hash, sealed, salt from events"
INSERT = "insert into events values (?, ?, ?, ?, ?, ?, ?, ?)"
Row = tuple[int, str, str, str, str, str, str | None, str | None]
"""An event in the database: `sealed` and `salt` are there where it holds something personal."""
_ID = re.compile(r"t-[a-z0-9]{1,40}")


def utc_now() -> str:
    """Return the wall clock as RFC 3339 UTC with microseconds."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class ThreadStore:
    """A `Store` over `<threads>/<id>/thread.db`. Made by `open_thread`, closed by it."""

    def __init__(
        self, folder: Path, db: Database, *, writes: bool, now: Now, held: ExitStack
    ) -> None:
        """`held`: what a writer holds, and gives back at the end."""
        self._folder = folder
        self._held = held
        self._db = db
        self._writes = writes
        self._now = now
        self._limiter = anyio.CapacityLimiter(1)
        # a cancelled task gives the limiter back while its thread goes on
        self._mutex = threading.Lock()
        self._events: list[Event] = []
        self._failed = False
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
        return await anyio.to_thread.run_sync(self._append, payloads, limiter=self._limiter)

    async def events(self, after: int = 0) -> tuple[Event, ...]:
        """Return all events with a `seq` greater than `after`, in order.

        Every event's hash is checked once. Raises CorruptData at the first that does not fit.
        """
        await anyio.to_thread.run_sync(self._refresh, limiter=self._limiter)
        return tuple(self._events[max(after, 0) :])

    async def rows(self) -> tuple[dict[str, Any], ...]:
        """Return the plain records, unchecked, for export and for `verify`."""
        return await anyio.to_thread.run_sync(self._rows, limiter=self._limiter)

    async def checked_rows(self) -> tuple[tuple[Any, ...], ...]:
        """Return the rows of all events, their payloads as JSON text; quicker than `events`.

        Every hash is checked. Raises CorruptData at the first that does not fit.
        """
        return await anyio.to_thread.run_sync(self._checked_rows, limiter=self._limiter)

    async def faults(self) -> tuple[str, ...]:
        """Return what is wrong with the database beside its records, one line each."""
        return await anyio.to_thread.run_sync(self._faults, limiter=self._limiter)

    def _faults(self) -> tuple[str, ...]:
        with self._mutex:
            return tuple(schema.faults(self._db.conn, self.thread))

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
        with self._db.atomic():
            self._db.execute("update lease set token = token + 1, pid = ?", [os.getpid()])
            return int(self._db.execute("select token from lease").fetchone()[0])

    def _append(
        self, payloads: Sequence[Payload], also: Callable[[], None] = lambda: None
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
                return self._insert(payloads, also)
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
        connection = self._db.conn
        connection.execute("pragma secure_delete=on")
        self._append([erased], also=lambda: erase_rows(connection, found))
        self._events = []
        # what the log ahead of the database still holds goes when nobody reads it any more
        connection.execute("pragma wal_checkpoint(truncate)")
        return erased

    def _insert(
        self, payloads: Sequence[Payload], also: Callable[[], None] = lambda: None
    ) -> tuple[Event, ...]:
        connection = self._db.conn
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
        connection.execute("begin immediate")
        try:
            # the lock is the operating system's; the token also holds where its locks do not (NFS)
            if connection.execute("select token from lease").fetchone()[0] != self._token:
                raise UserError(f"Another Deskmate took over thread {self.thread}.")
            also()
            connection.executemany(INSERT, rows)
            _reach(fresh, "before")
            connection.execute("commit")
        except BaseException:
            with suppress(sqlite3.Error):
                connection.rollback()
            raise
        self._events += fresh
        _reach(fresh, "after")
        return tuple(fresh)

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
            rows: list[tuple[Any, ...]] = self._db.conn.execute(
                f"{_SELECT} {where}", values
            ).fetchall()
        except schema.UNREADABLE as error:
            raise schema.explain(error, self.thread) from error
        return rows

    def _checked_rows(self) -> tuple[tuple[Any, ...], ...]:
        with self._mutex:
            rows = tuple(self._query("order by seq", []))
        check_rows(rows)
        return rows

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
    for event in events:
        failpoints.hit(f"log:{event.kind}:{side}")


def erase_rows(connection: sqlite3.Connection, seqs: Iterable[int]) -> None:
    """Leave of these rows what is public. Their hashes stay as they are and fit."""
    connection.executemany(
        "update events set payload = '{' || substr(sealed, 83), salt = '' where seq = ?",
        [(seq,) for seq in seqs],
    )


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


def make_event(seq: int, time: str, payload: Payload, prev_hash: str) -> tuple[Event, Row]:
    """Return the event and its database row. Raises CorruptData for what JSON cannot carry."""
    kind = type(payload).__name__
    try:
        row = make_row(seq, time, kind, chain.normal(to_json(payload)), prev_hash)
    except (ValueError, TypeError) as error:
        raise CorruptData(f"A {kind} event cannot be stored: {error}.") from error
    event = Event(seq=seq, time=time, payload=payload, prev_hash=prev_hash, hash=row[5])
    return event, row


def make_row(seq: int, time: str, kind: str, payload: Mapping[str, Any], prev_hash: str) -> Row:
    """Return the row of an event, sealed where something of it is personal."""
    text = chain.canonical(payload).decode()
    sealed, salt = seal(kind, payload, text, secrets.token_hex) or (None, None)
    digest = chain.row_hash(seq, time, kind, sealed or text, prev_hash)
    return seq, time, kind, text, prev_hash, digest, sealed, salt


def stored_events(connection: sqlite3.Connection) -> Iterator[tuple[Event, str]]:
    """Yield every event of a log with its payload as it is stored. Raises CorruptData, sqlite3.Error."""
    head = chain.GENESIS
    for seq, row in enumerate(connection.execute(f"{_SELECT} order by seq"), start=1):
        event = read_event(row, seq, head)
        head = event.hash
        yield event, row[3]


def check_rows(rows: Iterable[tuple[Any, ...]]) -> None:
    """Raise CorruptData at the first row that does not fit into the chain."""
    head = chain.GENESIS
    for seq, row in enumerate(rows, start=1):
        check_row(row, seq, head)
        head = row[5]


def read_event(row: tuple[Any, ...], seq: int, head: str) -> Event:
    """Return the event of a database row that must be number `seq` and follow `head`."""
    check_row(row, seq, head)
    number, time, kind, payload, prev_hash, digest, _, _ = row
    data = from_json(KINDS[kind], json.loads(payload))
    return Event(seq=number, time=time, payload=data, prev_hash=prev_hash, hash=digest)


def check_row(row: tuple[Any, ...], seq: int, head: str) -> None:
    """Raise CorruptData where a database row is not number `seq`, does not follow `head` or was altered."""
    number, time, kind, payload, prev_hash, digest, sealed, salt = row
    if number != seq or prev_hash != head or kind not in KINDS:
        raise _broken(seq)
    fits = chain.row_hash(number, time, kind, sealed or payload, prev_hash) == digest
    if fits and sealed:
        fits = bool(salt) and chain.commitment(salt, payload) in sealed
    if not fits and not _is_sound(as_record(row)):
        raise _broken(seq)


def _is_sound(record: Mapping[str, Any]) -> bool:
    """Decide the long way: it was erased, or its keys stand in another order."""
    if not isinstance(record["payload"], dict) or chain.record_hash(record) != record["hash"]:
        return False
    return "sealed" not in record or chain.is_seal_sound(record)


def as_record(row: tuple[Any, ...]) -> dict[str, Any]:
    """Return a database row as a plain record; a payload that is not JSON stays text."""
    number, time, kind, payload, prev_hash, digest, sealed, salt = row
    record = {
        "seq": number,
        "time": time,
        "kind": kind,
        "payload": _parsed(payload),
        "prev_hash": prev_hash,
        "hash": digest,
    }
    return record if sealed is None else {**record, "sealed": _parsed(sealed), "salt": salt}


def _parsed(text: Any) -> Any:
    with suppress(ValueError, TypeError):
        return chain.parse(text)
    return text


def _broken(seq: int) -> CorruptData:
    return CorruptData(
        f"Event {seq} of the log was altered, or one before it is missing.",
        hint="See deskmate thread verify; import the thread's last export.",
    )


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


async def create_thread(threads: Path, title: str, *, version: str, now: Now = utc_now) -> ThreadId:
    """Make a thread with its first event and return its id; a crash leaves no half thread.

    `version`: Deskmate's own, recorded in the log.
    """
    thread = new_thread_id()
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
    try:
        make_folder(temporary)
        db = schema.open_database(temporary, write=True)
        try:
            with db.atomic():
                db.conn.executemany(INSERT, rows)
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
