"""The schedules and what became of each time they were due: one small database, written in whole transactions."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any

from deskmate import failpoints
from deskmate.errors import CorruptData, DeskmateError, UserError
from deskmate.store.blobs import make_folder
from deskmate.store.synced import check_not_synced
from deskmate.types.codec import from_json, to_json
from deskmate.types.schedules import OPEN, Due, DueState, Schedule, ScheduleState, Standing

FILE = "schedules.db"
_VERSION = 1
_BUSY_S = 10.0
_SCHEMA = """
create table schedules (id text primary key, definition text not null, state text not null,
  looked text not null, agreed text not null default '', agreed_at text not null default '',
  why text not null default '', seen text) strict;
create table dues (schedule text not null, due text not null, trigger text not null, state text not null,
  thread text not null, note text not null, why text not null, until text not null, count integer not null,
  attempts integer not null, claimed text not null, started text not null, ended text not null,
  deadline text not null, primary key (schedule, due)) strict;
create index dues_open on dues (state) where state in ('claimed', 'running', 'waiting');
create index dues_thread on dues (thread) where thread <> '';
create table dismissed (item text primary key, time text not null) strict;
"""
_COLUMNS = tuple(one.name for one in fields(Due))
_INSERT = (
    f"insert or ignore into dues ({', '.join(_COLUMNS)}) values ({', '.join('?' * len(_COLUMNS))})"  # noqa: S608 - our own names
)
_SELECT = f"select {', '.join(_COLUMNS)} from dues"  # noqa: S608 - our own names
_MOVES: Mapping[DueState, tuple[DueState, ...]] = {
    "claimed": ("running", "skipped", "failed"),
    "running": ("running", "waiting", "succeeded", "failed"),
    "waiting": ("running", "waiting", "succeeded", "failed"),
}
"""What a state may become; what has ended stays as it ended."""


class Schedules:
    """Over `<data>/schedules.db`. Safe for several processes at once; each method is one transaction. Blocks."""

    def __init__(self, data: Path) -> None:
        """Nothing is made before something is written."""
        self._path = data / FILE

    @property
    def lock(self) -> Path:
        """The file that the one process holds which carries schedules out."""
        return self._path.with_name("schedules.lock")

    # schedules

    def add(self, schedule: Schedule) -> None:
        """Store a new schedule, as a draft: it runs only after a dry run and the user's word."""
        definition = json.dumps(to_json(schedule), ensure_ascii=False)
        with self._writing() as db:
            db.execute(
                "insert into schedules (id, definition, state, looked) values (?, ?, 'draft', ?)",
                (schedule.id, definition, schedule.created),
            )

    def all(self) -> tuple[Standing, ...]:
        """Return all schedules, in the order they were made."""
        with self._reading() as db:
            rows = db.execute(f"{_STANDING} order by rowid").fetchall()
            return tuple(map(_standing, rows))

    def get(self, name: str) -> Standing:
        """Return the schedule of this id or name. Raises UserError if there is none, or more than one."""
        found = [one for one in self.all() if one.schedule.id == name]
        found = found or [
            one
            for one in self.all()
            if one.schedule.name.casefold() == " ".join(name.split()).casefold()
        ]
        if not found:
            raise UserError(f"There is no schedule {name}.", hint="See: deskmate schedule list")
        if len(found) > 1:
            ids = ", ".join(one.schedule.id for one in found)
            raise UserError(
                f"{len(found)} schedules are called {name}.", hint=f"Name one by its id: {ids}"
            )
        return found[0]

    def agree(self, schedule: str, digest: str, now: str) -> None:
        """Note that the user agreed to what the digest is of: from now on it runs by itself."""
        self._set(schedule, state="active", agreed=digest, agreed_at=now, looked=now, why="")

    def set_state(
        self, schedule: str, state: ScheduleState, *, looked: str = "", why: str = ""
    ) -> None:
        """Pause a schedule, let it go on, or note that it is over."""
        self._set(schedule, state=state, why=why, **({"looked": looked} if looked else {}))

    def look_anew(self, schedule: str, looked: str, why: str) -> None:
        """Begin to look from a moment on, also an earlier one than before."""
        self._set(schedule, looked=looked, why=why)

    def note_why(self, schedule: str, why: str) -> None:
        """Note what is in a schedule's way, or that nothing is any more."""
        self._set(schedule, why=why)

    def _set(self, schedule: str, **values: str) -> None:
        words = ", ".join(f"{name} = ?" for name in values)
        with self._writing() as db:
            db.execute(f"update schedules set {words} where id = ?", (*values.values(), schedule))  # noqa: S608 - our own names

    def remove(self, schedule: str) -> None:
        """Forget a schedule with its history; the threads of its runs stay."""
        with self._writing() as db:
            db.execute("delete from schedules where id = ?", (schedule,))
            db.execute("delete from dues where schedule = ?", (schedule,))

    def seen(self, schedule: str) -> str | None:
        """Return what was noted of the folder when the schedule was last due; None: nothing yet."""
        with self._reading() as db:
            row = db.execute("select seen from schedules where id = ?", (schedule,)).fetchone()
        return row[0] if row else None

    def note_seen(self, schedule: str, seen: str) -> None:
        """Note how the folder is, without the schedule's being due."""
        self._set(schedule, seen=seen)

    # times that they were due

    def take(
        self,
        schedule: str,
        dues: Sequence[Due],
        looked: str,
        *,
        state: ScheduleState = "active",
        seen: str | None = None,
        over: str = "",
    ) -> tuple[Due, ...]:
        """Claim or skip these times, and note that all up to `looked` is dealt with: all of it or nothing.

        A time that is there already stays as it is. `state`: of the schedule, by which this was decided. `seen`: of
        the folder. `over`: why there will be no other time. Returns those that were new; none if the schedule is
        gone or in another state by now.
        """
        with self._writing() as db:
            row = db.execute("select state from schedules where id = ?", (schedule,)).fetchone()
            if row is None or row[0] != state:
                return ()
            fresh = tuple(due for due in dues if db.execute(_INSERT, _row(due)).rowcount)
            db.execute(
                "update schedules set looked = max(looked, ?), seen = coalesce(?, seen) where id = ?",
                (looked, seen, schedule),
            )
            if over:
                db.execute(
                    "update schedules set state = 'over', why = ? where id = ?", (over, schedule)
                )
            failpoints.hit("schedule:taking")
        failpoints.hit("schedule:taken")
        return fresh

    def claim(self, due: Due) -> bool:
        """Store one time, for a run by hand or a dry run. False: there is one already."""
        with self._writing() as db:
            return bool(db.execute(_INSERT, _row(due)).rowcount)

    def begin(self, due: Due, now: str) -> Due | None:
        """Note that a process takes a claimed or interrupted run up. None: there is nothing to take up any more."""
        with self._writing() as db:
            changed = db.execute(
                "update dues set state = 'running', attempts = attempts + 1, started = case started when '' then"
                " ? else started end where schedule = ? and due = ? and state in ('claimed', 'running', 'waiting')",
                (now, due.schedule, due.due),
            ).rowcount
            return _find(db, due) if changed else None

    def settle(
        self, due: Due, state: DueState, why: str, now: str, *, deadline: str = ""
    ) -> Due | None:
        """Note what became of a run. None: it has ended already, and stays so."""
        with self._writing() as db:
            before = _find(db, due)
            if before is None or state not in _MOVES.get(before.state, ()):
                return None
            ended = "" if state in OPEN else now
            db.execute(
                "update dues set state = ?, why = ?, ended = ?, deadline = ? where schedule = ? and due = ?",
                (state, why, ended, deadline, due.schedule, due.due),
            )
            return _find(db, due)

    def open_dues(self) -> tuple[Due, ...]:
        """Return what is claimed, running or waiting, the oldest first."""
        with self._reading() as db:
            where = "where state in ('claimed', 'running', 'waiting') order by due, schedule"
            return tuple(map(_due, db.execute(f"{_SELECT} {where}").fetchall()))

    def history(self, schedule: str, limit: int = 50) -> tuple[Due, ...]:
        """Return what became of a schedule's times, the newest first."""
        with self._reading() as db:
            rows = db.execute(
                f"{_SELECT} where schedule = ? order by due desc limit ?", (schedule, limit)
            ).fetchall()
            return tuple(map(_due, rows))

    def failed(self, limit: int = 200) -> tuple[Due, ...]:
        """Return the runs that failed, the newest first."""
        with self._reading() as db:
            rows = db.execute(
                f"{_SELECT} where state = 'failed' order by due desc limit ?", (limit,)
            )
            return tuple(map(_due, rows.fetchall()))

    def of_thread(self, thread: str) -> Due | None:
        """Return the time whose run is in this thread, None for a thread of no schedule."""
        with self._reading() as db:
            row = db.execute(f"{_SELECT} where thread = ?", (thread,)).fetchone()
            return _due(row) if row else None

    # the inbox

    def dismiss(self, item: str, now: str) -> None:
        """Take an item out of the inbox for good."""
        with self._writing() as db:
            db.execute("insert or ignore into dismissed values (?, ?)", (item, now))

    def dismissed(self) -> frozenset[str]:
        """Return what was taken out of the inbox."""
        with self._reading() as db:
            return frozenset(item for (item,) in db.execute("select item from dismissed"))

    # the database

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        """Yield the database; reading makes none."""
        if self._path.is_file():
            with self._opened() as db:
                yield db
            return
        empty = sqlite3.connect(":memory:")
        try:
            empty.executescript(_SCHEMA)
            yield empty
        finally:
            empty.close()

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._opened() as db:
            db.execute("begin immediate")
            try:
                yield db
                db.execute("commit")
            except BaseException:
                if db.in_transaction:
                    db.execute("rollback")
                raise

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        try:
            db = self._open()
            try:
                yield db
            finally:
                db.close()
        except sqlite3.Error as error:
            raise _explain(error, self._path) from error

    def _open(self) -> sqlite3.Connection:
        if not self._path.is_file():
            check_not_synced(self._path.parent)
            make_folder(self._path.parent)
        db = sqlite3.connect(self._path, timeout=_BUSY_S, isolation_level=None)
        try:
            db.execute("pragma synchronous=full")
            version = db.execute("pragma user_version").fetchone()[0]
            if version > _VERSION:
                raise UserError(
                    "The schedules were written by a newer Deskmate.", hint="Update Deskmate."
                )
            if not version:
                self._make(db)
        except BaseException:
            db.close()
            raise
        return db

    def _make(self, db: sqlite3.Connection) -> None:
        db.execute("pragma journal_mode=wal")
        db.execute("begin immediate")
        if not db.execute("pragma user_version").fetchone()[0]:  # another process was quicker
            for statement in _SCHEMA.split(";"):
                db.execute(statement)
            db.execute(f"pragma user_version={_VERSION}")
        db.execute("commit")
        self._path.chmod(0o600)


_STANDING = "select definition, state, looked, agreed, agreed_at, why from schedules"


def _standing(row: tuple[Any, ...]) -> Standing:
    definition, state, looked, agreed, agreed_at, why = row
    return Standing(
        schedule=from_json(Schedule, json.loads(definition)),
        state=state,
        looked=looked,
        agreed=agreed,
        agreed_at=agreed_at,
        why=why,
    )


def _find(db: sqlite3.Connection, due: Due) -> Due | None:
    where = "where schedule = ? and due = ?"
    row = db.execute(f"{_SELECT} {where}", (due.schedule, due.due)).fetchone()
    return _due(row) if row else None


def _due(row: Iterable[Any]) -> Due:
    return Due(**dict(zip(_COLUMNS, row, strict=True)))


def _row(due: Due) -> tuple[Any, ...]:
    return tuple(getattr(due, name) for name in _COLUMNS)


def _explain(error: sqlite3.Error, path: Path) -> DeskmateError:
    text = str(error)
    if "full" in text:
        return DeskmateError(
            "The disk is full: the schedules cannot be written; what was stored is safe.",
            hint="Free some space.",
        )
    if "locked" in text:
        return UserError("The schedules are in use.", hint="Try again in a moment.")
    if isinstance(error, sqlite3.OperationalError):
        return DeskmateError(
            f"The schedules in {path} cannot be used: {text}.", hint="Check the disk."
        )
    return CorruptData(
        f"The schedules in {path} are damaged: {text}.",
        hint="Move the file away and make the schedules anew; the threads of their runs are whole.",
    )
