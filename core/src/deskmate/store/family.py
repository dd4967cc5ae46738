"""Where else a thread's events are: in its forks, in what it was forked from, and in forks of that."""

from __future__ import annotations

import json
import sqlite3
import sys
from collections.abc import Collection
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from deskmate.errors import DeskmateError
from deskmate.store import schema
from deskmate.store.owning import DELETED


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """Events of a thread in another one. `seqs`: their numbers there, of those that hold something personal.

    `below`: it is a fork of the thread, or a fork of a fork. `deleted`: it was deleted and can be brought back.
    `problem`: why it cannot be told what it holds; `seqs` is empty then.
    """

    thread: str
    seqs: frozenset[int] = frozenset()
    below: bool = False
    deleted: bool = False
    problem: str = ""
    is_unsettled: bool = False
    """Its database has a log ahead of it, in which or below which what was erased before may still stand."""


@dataclass(frozen=True, slots=True)
class _Origin:
    """Whose events a log has: number n of `thread`, up to `until`, is number n + `offset` here."""

    thread: str
    offset: int
    until: int


@dataclass(frozen=True, slots=True)
class _Log:
    """A thread's log as far as its family is concerned. `origins`: itself, its parent, the parent of that, and so on."""

    folder: Path
    thread: str
    origins: tuple[_Origin, ...]


def copies_of(threads: Path, thread: str, seqs: Collection[int]) -> tuple[Copy, ...]:
    """Return every other log on this machine that holds copies of these events, forks before their forks. Blocks.

    A log that cannot be read may hold some, and is among them as such. Also forks of one thread are found that is
    gone itself.
    """
    logs, broken = _logs(threads)
    start = next((log for log in logs if log.folder == threads / thread), None)
    copies = []
    for log in sorted(logs, key=lambda log: len(log.origins)) if start is not None else ():
        here = _same_events(start, log, seqs) if start is not None and log is not start else None
        if here:
            below = any(origin.thread == thread for origin in log.origins)
            copies.append(_copy(log, here, below))
    return (*(one for one in copies if one.seqs or one.problem or one.is_unsettled), *broken)


def _same_events(one: _Log, other: _Log, seqs: Collection[int]) -> frozenset[int]:
    """Return the numbers that events of a log have in another one, which come from the same thread."""
    found: set[int] = set()
    theirs = {origin.thread: origin for origin in other.origins}
    for mine in one.origins:
        if same := theirs.get(mine.thread):
            first = (seq - mine.offset for seq in seqs)
            found |= {n + same.offset for n in first if 1 <= n <= min(mine.until, same.until)}
    return frozenset(found)


def _logs(threads: Path) -> tuple[list[_Log], list[Copy]]:
    """Return all logs, also of threads that can be restored, and those that cannot be read."""
    logs, broken = [], []
    for pattern in ("t-*", f"{DELETED}/[0-9]*-t-*"):
        for folder in sorted(threads.glob(pattern)):
            if not (folder / schema.FILE).is_file():
                continue
            name = folder.name[folder.name.index("t-") :]
            try:
                logs.append(_read(folder, name))
            except (sqlite3.Error, DeskmateError, ValueError, KeyError, TypeError) as error:
                deleted = folder.parent != threads
                broken.append(Copy(thread=name, deleted=deleted, problem=_why(error)))
    return logs, broken


def _read(folder: Path, name: str) -> _Log:
    """Read where a log comes from: a fork's first event names its parent, whose own first one follows it."""
    origins = [_Origin(name, 0, sys.maxsize)]
    with closing(schema.open_database(folder, write=False)) as db:
        for kind, text in db.execute("select kind, payload from events order by seq"):
            if kind != "ThreadForked":
                break
            payload = json.loads(text)
            until = min(int(payload["seq"]), origins[-1].until - 1)
            origins.append(_Origin(str(payload["parent"]), len(origins), until))
    return _Log(folder, name, tuple(origins))


def _copy(log: _Log, seqs: frozenset[int], below: bool) -> Copy:
    deleted = log.folder.parent.name == DELETED
    try:
        held = held_in(log.folder, seqs)
    except (sqlite3.Error, DeskmateError) as error:
        return Copy(thread=log.thread, below=below, deleted=deleted, problem=_why(error))
    ahead = log.folder / f"{schema.FILE}-wal"
    return Copy(
        thread=log.thread,
        seqs=held,
        below=below,
        deleted=deleted,
        is_unsettled=ahead.is_file() and ahead.stat().st_size > 0,
    )


def held_in(folder: Path, seqs: Collection[int]) -> frozenset[int]:
    """Return which of these events of a log hold something personal. Blocks. Raises as opening a log does."""
    with closing(schema.open_database(folder, write=False)) as db:
        rows = db.execute("select seq from events where salt <> ''").fetchall()
    return frozenset(seqs) & {seq for (seq,) in rows}


def _why(error: Exception) -> str:
    return error.message if isinstance(error, DeskmateError) else f"it cannot be read: {error}"
