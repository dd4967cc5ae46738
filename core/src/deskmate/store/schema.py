"""The database of a thread: opening it, its migrations, and what its errors mean."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from deskmate.errors import CorruptData, DeskmateError, UserError

if TYPE_CHECKING:
    from sqlite_utils import Database, Migrations

FILE = "thread.db"
UNREADABLE = (sqlite3.Error, UnicodeDecodeError)
"""What reading a database raises; the latter for a damaged text that SQLite itself does not look at."""
_BUSY_S = 5.0
_SET = "deskmate.thread"


def _m001_events(db: Database) -> None:
    """Append-only events, and the lease of the one writer."""
    db.execute(
        "create table events (seq integer primary key, time text not null, kind text not null,"
        " payload text not null, prev_hash text not null, hash text not null) strict"
    )
    db.execute("create index events_kind on events (kind)")
    for verb in ("update", "delete"):
        db.execute(
            f"create trigger events_no_{verb} before {verb} on events"
            " begin select raise(abort, 'events are append-only'); end"
        )
    db.execute(
        "create table lease (id integer primary key check (id = 1), token integer not null,"
        " pid integer not null) strict"
    )
    db.execute("insert into lease values (1, 0, 0)")


def _m002_seals(db: Database) -> None:
    """What is personal in an event can be erased, and nothing else of it can be changed.

    The public part is the sealed one behind `{"!commitment":"…64 digits…",`: 82 characters.
    """
    db.execute("alter table events add column sealed text")
    db.execute("alter table events add column salt text")
    db.execute("drop trigger events_no_update")
    db.execute(
        "create trigger events_no_update before update on events when not (old.sealed is not null"
        " and new.salt = '' and new.payload = '{' || substr(old.sealed, 83)"
        " and new.sealed = old.sealed and new.seq = old.seq and new.time = old.time"
        " and new.kind = old.kind and new.prev_hash = old.prev_hash and new.hash = old.hash)"
        " begin select raise(abort, 'events are append-only'); end"
    )


def _m003_listing(db: Database) -> None:
    """The index holds the few events that lists of threads are made from: the many others need not be put in."""
    db.execute("drop index events_kind")
    db.execute(
        "create index events_listed on events (kind) where kind in ('ThreadCreated', 'ThreadForked',"
        " 'ThreadRenamed', 'ThreadMarked', 'PluginsSet', 'ProjectSet', 'UserSaid', 'RunResumed',"
        " 'RunFinished', 'ChangesStaged', 'ApplyFinished', 'ChangesDiscarded')"
    )


_STEPS = (_m001_events, _m002_seals, _m003_listing)
"""In order; each runs in one transaction. Released ones never change."""
_READABLE = frozenset({"m001_events", "m002_seals"})
"""What a reader cannot do without; the other steps make nothing but speed."""
LISTED = (
    "kind in ('ThreadCreated', 'ThreadForked', 'ThreadRenamed', 'ThreadMarked', 'PluginsSet',"
    " 'ProjectSet', 'UserSaid', 'RunResumed', 'RunFinished', 'ChangesStaged', 'ApplyFinished',"
    " 'ChangesDiscarded')"
)
"""The condition of the index, which a query must repeat to be answered from it."""


def migrations() -> Migrations:
    """Return the schema's migrations by the names they are recorded under."""
    from sqlite_utils import Migrations  # noqa: PLC0415 - slow to load, not needed for --help

    found = Migrations(_SET)
    for step in _STEPS:
        found(name=step.__name__.strip("_"))(step)
    return found


def open_database(folder: Path, *, write: bool) -> sqlite3.Connection:
    """Open a thread's database; a writer brings it to the newest schema first.

    Raises UserError for a schema of a newer Deskmate, CorruptData for a file that is no database.
    """
    mode = "rwc" if write else "ro"
    connection = sqlite3.connect(
        f"{(folder / FILE).absolute().as_uri()}?mode={mode}",
        uri=True,
        timeout=_BUSY_S,
        check_same_thread=False,
    )
    try:
        if write:
            connection.execute("pragma journal_mode=wal")
            connection.execute("pragma synchronous=full")
            # else a row that replaces another would not meet the guard against removing it
            connection.execute("pragma recursive_triggers=on")
        connection.execute("pragma trusted_schema=off")
        _migrate(connection, folder.name, write=write)
    except BaseException as error:
        connection.close()
        if isinstance(error, UNREADABLE):
            raise explain(error, folder.name) from error
        raise
    return connection


def _migrate(connection: sqlite3.Connection, thread: str, *, write: bool) -> None:
    known = {step.__name__.strip("_") for step in _STEPS}
    applied = _applied(connection)
    if applied - known:
        raise UserError(
            f"Thread {thread} was written by a newer Deskmate.", hint="Update Deskmate."
        )
    if not write and _READABLE - applied:
        raise UserError(
            f"Thread {thread} was written by an older Deskmate.",
            hint=f"Open it once for writing: deskmate thread resume {thread}",
        )
    if write and known - applied:
        from sqlite_utils import Database  # noqa: PLC0415 - loads whole sciences where they are installed

        migrations().apply(Database(connection, execute_plugins=False))


def _applied(connection: sqlite3.Connection) -> set[str]:
    """Return the names of the steps that this database has seen, as the library records them."""
    there = "select 1 from sqlite_master where name = '_sqlite_migrations'"
    if not connection.execute(there).fetchone():
        return set()
    query = "select name from _sqlite_migrations where migration_set = ?"
    return {name for (name,) in connection.execute(query, (_SET,))}


_GUARDS = {
    "events_no_update": (
        "CREATE TRIGGER events_no_update before update on events when not (old.sealed is not null"
        " and new.salt = '' and new.payload = '{' || substr(old.sealed, 83)"
        " and new.sealed = old.sealed and new.seq = old.seq and new.time = old.time"
        " and new.kind = old.kind and new.prev_hash = old.prev_hash and new.hash = old.hash)"
        " begin select raise(abort, 'events are append-only'); end"
    ),
    "events_no_delete": (
        "CREATE TRIGGER events_no_delete before delete on events"
        " begin select raise(abort, 'events are append-only'); end"
    ),
}
"""Name → the text that SQLite keeps of it."""


def faults(connection: sqlite3.Connection, thread: str) -> Iterator[str]:
    """Yield what would let a stored event be lost (I7) or two writers write (I12), one line each."""
    try:
        for (line,) in connection.execute("pragma quick_check(5)").fetchall():
            if line != "ok":
                yield f"the database is damaged: {line} (I7)"
        (mode,) = connection.execute("pragma journal_mode").fetchone()
        if mode != "wal":
            yield f"the database keeps its journal as {mode!r}, not as a write-ahead log (I7)"
        query = "select name, sql from sqlite_master where type = 'trigger'"
        triggers = dict(connection.execute(query).fetchall())
        for guard, sql in _GUARDS.items():
            if guard not in triggers:
                yield f"the database lets events be changed: {guard} is gone (I7)"
            elif triggers[guard] != sql:
                yield f"the database lets events be changed: {guard} is another one (I7)"
        for name in sorted(triggers.keys() - _GUARDS.keys()):
            yield f"the database does what Deskmate does not: a trigger {name} (I7)"
        leases = connection.execute("select id, token from lease").fetchall()
        if len(leases) != 1 or not isinstance(leases[0][1], int):
            yield "the lease of the one writer is gone (I12)"
    except UNREADABLE as error:
        yield explain(error, thread).message


def explain(error: sqlite3.Error | UnicodeDecodeError, thread: str) -> DeskmateError:
    """Return what a database error means for the user of the thread."""
    text = str(error)
    if "full" in text:
        return DeskmateError(
            f"The disk is full: thread {thread} cannot be written; what was stored is safe.",
            hint="Free some space and resume the thread.",
        )
    if "I/O" in text or "readonly" in text or "unable to open" in text:
        return DeskmateError(
            f"Thread {thread} cannot be written: {text}; what was stored is safe.",
            hint="Check the disk, then resume the thread.",
        )
    if "locked" in text:
        return UserError(f"The log of thread {thread} is in use.", hint="Try again in a moment.")
    return CorruptData(
        f"The log of thread {thread} is damaged: {text}.",
        hint="Import the thread's last export; keep the damaged folder.",
    )
