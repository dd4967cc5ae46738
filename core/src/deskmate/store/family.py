"""Where else a thread's events are: in its forks, in what it was forked from, and in forks of that."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterator
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
class _Log:
    """A thread's log as far as its family is concerned. `parent` is empty for a thread that is no fork."""

    folder: Path
    thread: str
    parent: str
    until: int


def copies_of(threads: Path, thread: str, seqs: Collection[int]) -> tuple[Copy, ...]:
    """Return every other log on this machine that holds copies of these events, forks before their forks. Blocks.

    A log that cannot be read may hold some, and is among them as such.
    """
    logs, broken = _logs(threads)
    found: dict[Path, tuple[_Log, frozenset[int], bool]] = {}
    start = [log for log in logs if log.thread == thread and log.folder.parent == threads]
    waiting = [(log, frozenset(seqs), True) for log in start]
    while waiting:
        log, here, below = waiting.pop(0)
        if log.folder in found:
            continue
        found[log.folder] = (log, here, below)
        for other, there, is_fork in _next_to(log, here, logs):
            if there:
                waiting.append((other, there, below and is_fork))
    copies = [
        _copy(log, here, below)
        for log, here, below in found.values()
        if log.folder != threads / thread
    ]
    return (*(one for one in copies if one.seqs or one.problem or one.is_unsettled), *broken)


def _next_to(
    log: _Log, seqs: frozenset[int], logs: Collection[_Log]
) -> Iterator[tuple[_Log, frozenset[int], bool]]:
    """Yield the forks of a log and what it was forked from, with the numbers of the same events there.

    A fork's first event is its own, so that its parent's event 1 is its event 2.
    """
    for other in logs:
        if other.parent == log.thread:
            yield other, frozenset(seq + 1 for seq in seqs if seq <= other.until), True
        if log.parent == other.thread:
            yield other, frozenset(seq - 1 for seq in seqs if 2 <= seq <= log.until + 1), False


def _logs(threads: Path) -> tuple[list[_Log], list[Copy]]:
    """Return all logs, also of threads that can be restored, and those that cannot be read."""
    logs, broken = [], []
    for pattern in ("t-*", f"{DELETED}/*-t-*"):
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
    with closing(schema.open_database(folder, write=False)) as db:
        row = db.execute("select kind, payload from events where seq = 1").fetchone()
    kind, text = row
    if kind != "ThreadForked":
        return _Log(folder, name, "", 0)
    payload = json.loads(text)
    return _Log(folder, name, str(payload["parent"]), int(payload["seq"]))


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
