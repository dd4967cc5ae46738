"""How long a search over many threads takes, on threads that are made for it."""

from __future__ import annotations

import random
import shutil
import sqlite3
import time
from contextlib import closing
from pathlib import Path

from deskmate.store import chain, schema
from deskmate.store.catalogue import Catalogue
from deskmate.store.making import write_thread
from deskmate.store.rows import INSERT, Row, make_event
from deskmate.types.events import (
    ModelReplied,
    Payload,
    RunFinished,
    ThreadCreated,
    ToolFinished,
    UserSaid,
)
from deskmate.types.ids import RunId, ThreadId, ToolUseId
from deskmate.types.messages import Text

_ROUNDS = 5
_TIME = "2026-01-01T00:00:00.000000Z"
_COMMON = ("contract", "clause", "invoice", "the", "party", "review", "table", "quarter", "notice")
_QUERIES = ("contract", "indemn", "clause invoice", "word417", '"the party"', "con", "word1 word2")
"""Words of every thread, of some, of one, a beginning of two letters more than many begin with, a phrase."""


def bench_search(data: Path, count: int) -> tuple[float, float]:
    """Return the seconds of the slowest of a few searches, and of making the catalogue. Blocks."""
    threads = data / "threads"
    _make(threads, count)
    catalogue = Catalogue(data, threads)
    began = time.perf_counter()
    catalogue.summaries()
    index = time.perf_counter() - began
    return max(_best(catalogue, query) for query in _QUERIES), index


def _best(catalogue: Catalogue, query: str) -> float:
    taken = []
    for _ in range(_ROUNDS):
        began = time.perf_counter()
        catalogue.search(query)
        taken.append(time.perf_counter() - began)
    return min(taken)


def _make(threads: Path, count: int) -> None:
    """Make threads of one run each: the first as they are made, the others as copies with words of their own.

    They need not survive a power cut, so nothing waits for the disk.
    """
    words = random.Random(7)  # noqa: S311 - texts, not secrets
    write_thread(threads, ThreadId("t-0"), _rows(ThreadId("t-0"), words))
    for number in range(1, count):
        thread = ThreadId(f"t-{number}")
        (threads / thread).mkdir()
        shutil.copyfile(threads / "t-0" / schema.FILE, threads / thread / schema.FILE)
        with closing(sqlite3.connect(threads / thread / schema.FILE)) as db:
            db.execute("pragma synchronous=off")
            db.execute("pragma journal_mode=memory")
            (guard,) = db.execute(
                "select sql from sqlite_master where name = 'events_no_delete'"
            ).fetchone()
            db.execute("drop trigger events_no_delete")
            db.execute("delete from events")
            db.executemany(INSERT, _rows(thread, words))
            db.execute(guard)
            db.commit()


def _rows(thread: ThreadId, words: random.Random) -> list[Row]:
    head, rows = chain.GENESIS, []
    for seq, payload in enumerate(_run(thread, words), start=1):
        event, row = make_event(seq, _TIME, payload, head)
        head = event.hash
        rows.append(row)
    return rows


def _run(thread: ThreadId, words: random.Random) -> tuple[Payload, ...]:
    run, use = RunId("r-1"), ToolUseId("toolu_1")
    answer = (Text(text=_text(words, 80)),)
    return (
        ThreadCreated(thread=thread, title=_text(words, 6), version="bench"),
        UserSaid(run=run, text=_text(words, 30), model="bench"),
        ToolFinished(tool_use_id=use, tool="workspace__read", outcome="ok", text=_text(words, 400)),
        ModelReplied(turn=1, model="bench", content=answer, stop_reason="end_turn"),
        RunFinished(run=run, reason="done"),
    )


def _text(words: random.Random, count: int) -> str:
    """Return words as texts have them: a few that are everywhere, many that are rare."""
    rare = (f"word{int(words.paretovariate(0.6)) % 50_000}" for _ in range(count))
    return " ".join(words.choice(_COMMON) if words.random() < 0.4 else word for word in rare) + (
        " indemnity" if words.random() < 0.05 else ""
    )
