"""Figures of the logs on this machine's disk, all from one run: a durable append, a long log, many threads."""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio.to_thread

from deskmate.ports import Progress
from deskmate.store.bench_search import bench_search
from deskmate.store.blobs import make_folder
from deskmate.store.making import create_thread
from deskmate.store.schema import FILE
from deskmate.store.thread import ThreadStore, open_thread
from deskmate.types.events import ModelAsked, ModelReplied, Payload, ToolFinished, ToolStarted
from deskmate.types.ids import Digest, ThreadId, ToolUseId
from deskmate.types.limits import Usage
from deskmate.types.messages import Text, ToolUse

APPEND_TARGET = 2.0
OPEN_TARGET_S = 0.15
SHOW_TARGET_S = 0.15
SEARCH_TARGET_S = 0.2
_ROUNDS = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreFigures:
    """What was measured; medians of appends and inserts, else the best of nine: the machine does other things too.

    `append_ms`, `insert_ms`: one event stored, and one bare durable insert of the same bytes into a
    database beside it, in turns. `append_ratio`: one by the other. `open_s`: open a log of `events`
    and check and read all of them. `rows_s`: only fetch and hash the same rows. `open_ratio`: one by
    the other. `show_s`: what `thread show` does with that log, up to its last line. `search_s`: the slowest of
    a few searches over `threads` threads whose catalogue is there; the best of five each. `index_s`: make that
    catalogue anew out of their logs.
    """

    appends: int
    append_ms: float
    insert_ms: float
    append_ratio: float
    events: int
    open_s: float
    rows_s: float
    open_ratio: float
    show_s: float
    threads: int
    search_s: float
    index_s: float
    targets_met: bool


async def bench_store(
    data: Path,
    progress: Progress,
    line_of: Callable[[tuple[Any, ...]], str],
    *,
    appends: int = 300,
    events: int = 10_000,
    many: int = 5_000,
) -> StoreFigures:
    """Measure in a folder of its own below `data`, on the disk that threads are on; it is removed.

    `line_of`: how a row is shown. `many`: threads that are searched.
    """
    await anyio.to_thread.run_sync(make_folder, data)
    folder = Path(tempfile.mkdtemp(prefix=".bench-", dir=data))
    try:
        threads = folder / "one/threads"
        progress(f"{appends} appends beside {appends} bare inserts")
        append, insert = await _appends(threads, appends)
        progress(f"opening a log of {events:,} events")
        opened, rows, shown = await _opening(threads, events, line_of)
        progress(f"searching {many:,} threads")
        search, index = await anyio.to_thread.run_sync(bench_search, folder / "many", many)
    finally:
        await anyio.to_thread.run_sync(shutil.rmtree, folder)
    met = (
        append / insert <= APPEND_TARGET
        and opened <= OPEN_TARGET_S * events / 10_000
        and shown <= SHOW_TARGET_S * events / 10_000
        and search <= SEARCH_TARGET_S
    )
    return StoreFigures(
        appends=appends,
        append_ms=round(append * 1000, 3),
        insert_ms=round(insert * 1000, 3),
        append_ratio=round(append / insert, 2),
        events=events,
        open_s=round(opened, 4),
        rows_s=round(rows, 4),
        open_ratio=round(opened / rows, 2),
        show_s=round(shown, 4),
        threads=many,
        search_s=round(search, 4),
        index_s=round(index, 2),
        targets_met=met,
    )


async def _appends(folder: Path, count: int) -> tuple[float, float]:
    """Return the median seconds of an append and of a bare insert, taken in turns."""
    payload = _turn(0)[-1]
    thread = await create_thread(folder, "Figures", version="bench")
    appended, inserted = [], []
    async with open_thread(folder, thread) as store:
        with closing(_bare(folder / "bare.db")) as bare:
            await _append_once(store, payload)
            row = _newest_row(folder, thread)
            for _ in range(count):
                appended.append(await _append_once(store, payload))
                inserted.append(_insert_once(bare, row))
    return statistics.median(appended), statistics.median(inserted)


async def _append_once(store: ThreadStore, payload: Payload) -> float:
    began = time.perf_counter()
    await store.append(payload)
    return time.perf_counter() - began


def _bare(file: Path) -> sqlite3.Connection:
    """Return a database that is as durable as a thread's, and nothing else."""
    connection = sqlite3.connect(file, isolation_level=None)
    connection.execute("pragma journal_mode=wal")
    connection.execute("pragma synchronous=full")
    connection.execute(
        "create table rows (seq integer primary key, time, kind, payload, prev, own, sealed, salt)"
    )
    return connection


def _insert_once(connection: sqlite3.Connection, row: tuple[object, ...]) -> float:
    began = time.perf_counter()
    connection.execute("begin immediate")
    connection.execute("insert into rows values (null, ?, ?, ?, ?, ?, ?, ?)", row)
    connection.execute("commit")
    return time.perf_counter() - began


def _newest_row(folder: Path, thread: ThreadId) -> tuple[object, ...]:
    """Return the newest stored row without its number."""
    with closing(sqlite3.connect(folder / thread / FILE)) as connection:
        found: tuple[object, ...] = connection.execute(
            "select time, kind, payload, prev_hash, hash, sealed, salt from events"
            " order by seq desc limit 1"
        ).fetchone()
    return found


async def _opening(
    folder: Path, count: int, line_of: Callable[[tuple[Any, ...]], str]
) -> tuple[float, float, float]:
    """Return the best seconds of opening a log and reading it, of its bare rows, and of showing it."""
    thread = await create_thread(folder, "Figures", version="bench")
    payloads = [payload for turn in range(count // 4 + 1) for payload in _turn(turn)]
    async with open_thread(folder, thread) as store:
        await store.append(*payloads[: count - 1])
    opened, rows, shown = [], [], []
    for _ in range(_ROUNDS):
        began = time.perf_counter()
        async with open_thread(folder, thread, write=False) as store:
            found = await store.events()
        opened.append(time.perf_counter() - began)
        assert len(found) == count
        del found
        rows.append(_read_rows(folder / thread / FILE))
        began = time.perf_counter()
        async with open_thread(folder, thread, write=False) as store:
            text = "\n".join(await store.each_row(line_of))
        shown.append(time.perf_counter() - began)
        assert text.count("\n") == count - 1
    return min(opened), min(rows), min(shown)


def _read_rows(file: Path) -> float:
    began = time.perf_counter()
    with closing(sqlite3.connect(file)) as connection:
        for row in connection.execute("select payload from events order by seq").fetchall():
            hashlib.sha256(row[0].encode()).hexdigest()
    return time.perf_counter() - began


def _turn(turn: int) -> tuple[Payload, ...]:
    """Return the events of one turn, of a usual size."""
    use, tool = ToolUseId(f"toolu_{turn}"), "workspace__read"
    text = Text(text="I read the contract and compare it with the playbook, clause by clause.")
    call = ToolUse(id=use, name=tool, input={"path": "contracts/nda.docx", "offset": turn})
    return (
        ModelAsked(turn=turn, model="sonnet", request=Digest("0" * 64)),
        ModelReplied(
            turn=turn,
            model="sonnet",
            content=(text, call),
            stop_reason="tool_use",
            usage=Usage(input_tokens=9_000, output_tokens=120),
        ),
        ToolStarted(tool_use_id=use, tool=tool, key=f"key-{turn}"),
        ToolFinished(
            tool_use_id=use, tool=tool, outcome="ok", text="“A clause of the contract.”\n" * 30
        ),
    )
