"""Unused content goes by itself: rarely, for a bounded time, and never what somebody can come to need."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import anyio
import pytest
from click.testing import CliRunner
from tests.unit.store.test_collection import DAY_S, Store, _damage, everything
from tests.unit.store.test_erasing import SECRET, WORDS
from tests.unit.store.test_invariants import ASKED, DONE

from deskmate.cli import root
from deskmate.store.collection import STAMP_FILE, Collected, collect_when_due
from deskmate.store.making import fork_log
from deskmate.store.marks import FILE
from deskmate.store.owning import KEPT_DAYS, delete_thread
from deskmate.store.thread import open_thread
from deskmate.types.events import (
    ApprovalAsked,
    BaseTaken,
    ModelReplied,
    ThreadForked,
    ToolFinished,
    ToolStarted,
)
from deskmate.types.ids import Digest, ThreadId, ToolUseId
from deskmate.types.messages import ToolUse

pytestmark = pytest.mark.anyio


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


def tidy(store: Store, **options: Any) -> Collected | None:
    return collect_when_due(store.threads, store.root, **options)


def settle(store: Store) -> None:
    """Let the logs look as if they had been written a while ago."""
    for path in store.threads.glob("*/thread.db"):
        os.utime(path, (time.time() - 60, time.time() - 60))


async def test_it_is_done_once_a_day_or_when_there_is_a_reason(store: Store) -> None:
    _, needed = await everything(store)
    store.blobs.put(b"stray")
    done = tidy(store)
    assert done
    assert (done.removed, store.here()) == (1, needed)
    stray = store.blobs.put(b"another stray")
    assert tidy(store) is None
    assert tidy(store, now=lambda: time.time() + 0.9 * DAY_S) is None
    assert store.here() == needed | {stray}
    assert tidy(store, is_due=True)
    assert store.here() == needed
    store.blobs.put(b"a third")
    assert tidy(store, now=lambda: time.time() + 1.1 * DAY_S)
    assert store.here() == needed


async def test_a_clock_that_was_set_back_does_not_put_it_off_for_ever(store: Store) -> None:
    await everything(store)
    assert tidy(store)
    assert tidy(store, now=lambda: time.time() - 400 * DAY_S)


async def test_while_a_thread_is_at_work_nothing_happens_and_it_stays_due(store: Store) -> None:
    thread, needed = await everything(store)
    async with open_thread(store.threads, thread):
        coming = store.blobs.put(b"about to be named")
        assert tidy(store) is None
        assert store.here() == needed | {coming}
    assert tidy(store)
    assert store.here() == needed


async def test_a_fork_an_undo_and_an_open_question_keep_what_they_need(store: Store) -> None:
    thread, needed = await everything(store)
    shown = store.blobs.put(b"what would be sent")
    await store.thread(
        ApprovalAsked(
            tool_use_id=ToolUseId("u"),
            tool="t",
            arguments=Digest("0" * 64),
            why="?",
            shown={"body": shown},
        )
    )
    async with open_thread(store.threads, thread, write=False) as log:
        records = await log.rows()
    first = ThreadForked(thread=ThreadId("t-fork"), parent=thread, seq=len(records))
    fork_log(store.threads, first, records, [])
    delete_thread(store.threads, thread, now=lambda: 1_000.0)
    store.blobs.put(b"stray")
    done = tidy(store, now=lambda: 1_000.0 + KEPT_DAYS * DAY_S + time.time())
    assert done
    assert done.purged == (thread,)
    assert store.here() == needed | {shown}


async def test_what_was_read_of_a_log_just_written_is_not_relied_on(store: Store) -> None:
    """Within one tick of the clock it could change again and look the same."""
    await everything(store)

    def kept() -> int:
        with closing(sqlite3.connect(store.threads.with_name(FILE))) as db:
            return int(db.execute("select count(*) from marks").fetchone()[0])

    written = max(p.stat().st_mtime for p in store.threads.glob("*/thread.db*"))
    assert tidy(store, now=lambda: written + 1)
    assert kept() == 0
    assert tidy(store, is_due=True, now=lambda: written + 60)
    assert kept() > 0


async def test_what_did_not_change_is_not_read_again(store: Store) -> None:
    _, needed = await everything(store)
    assert tidy(store, budget_s=-1) is None  # no time: nothing could be read
    assert not (store.threads.with_name(STAMP_FILE)).exists()
    settle(store)
    store.blobs.put(b"stray")
    assert tidy(store)
    assert store.here() == needed
    done = tidy(store, is_due=True, budget_s=-1)
    assert done is not None, "all was known"
    digest, inner = store.listing(a=b"a")
    thread = await store.thread(BaseTaken(manifest=digest, files=1, size=1))
    assert tidy(store, is_due=True, budget_s=-1) is None  # there is a new one to be read
    assert tidy(store, is_due=True)
    assert store.here() == needed | {digest, *inner}
    delete_thread(store.threads, thread, now=lambda: 1_000.0)
    assert tidy(store, is_due=True, now=lambda: 1_000.0 + KEPT_DAYS * DAY_S + time.time())
    assert store.here() == needed


def _drop_digests(db: sqlite3.Connection) -> None:
    db.execute("update marks set digests = x''")


def _of_another_log(db: sqlite3.Connection) -> None:
    db.execute("update marks set stamp = stamp || '1'")


def _gone(db: sqlite3.Connection) -> None:
    db.execute("drop table marks")


def _other_shape(db: sqlite3.Connection) -> None:
    db.execute("drop table marks")
    db.execute("create table marks (folder)")


@pytest.mark.parametrize("change", [_drop_digests, _of_another_log, _gone, _other_shape])
async def test_what_was_kept_and_does_not_fit_is_read_again(
    store: Store, change: Callable[[sqlite3.Connection], None]
) -> None:
    _, needed = await everything(store)
    settle(store)
    assert tidy(store)
    with sqlite3.connect(store.threads.with_name(FILE)) as db:
        change(db)
    db.close()
    store.blobs.put(b"stray")
    assert tidy(store, is_due=True)
    assert store.here() == needed


async def test_a_file_of_marks_that_is_garbage_is_made_anew(store: Store) -> None:
    _, needed = await everything(store)
    settle(store)
    store.threads.with_name(FILE).write_bytes(b"no database" * 500)
    store.blobs.put(b"stray")
    assert tidy(store)
    assert store.here() == needed
    assert tidy(store, is_due=True, budget_s=-1), "it was kept again"


async def test_a_damaged_log_stops_it_quietly_until_tomorrow(store: Store) -> None:
    thread, needed = await everything(store)
    stray = store.blobs.put(b"stray")
    _damage(store, thread, "update events set kind = 'OfANewerDeskmate' where seq = 2")
    assert tidy(store) is None
    assert store.here() == needed | {stray}
    assert store.threads.with_name(STAMP_FILE).exists()


def test_where_there_are_no_threads_nothing_is_made(tmp_path: Path) -> None:
    assert tidy(Store(tmp_path / "data")) is None
    assert list(tmp_path.iterdir()) == []


def _tidy_and_die(data: Path, point: str, at: int) -> None:
    seen = 0

    def die(name: str) -> None:
        nonlocal seen
        seen += name == point
        if name == point and seen == at:
            os.kill(os.getpid(), signal.SIGKILL)

    tidy(Store(data), failpoint=die, budget_s=60)


@pytest.mark.parametrize(
    ("point", "at"), [("marked", 1), ("purged", 1), ("alone", 1), ("removed", 1), ("removed", 4)]
)
async def test_killed_at_any_step_nothing_needed_is_gone_and_the_next_one_finishes(
    store: Store, tmp_path: Path, point: str, at: int
) -> None:
    thread, needed = await everything(store)
    for n in range(5):
        store.blobs.put(f"stray {n}".encode())
    child = multiprocessing.get_context("spawn").Process(
        target=_tidy_and_die, args=(tmp_path, point, at)
    )
    child.start()
    await anyio.to_thread.run_sync(child.join)
    assert child.exitcode == -signal.SIGKILL
    assert needed <= store.here()
    async with open_thread(store.threads, thread):  # its locks died with it
        pass
    assert tidy(store)
    assert store.here() == needed


def command(home: Path, *words: str) -> str:
    result = CliRunner().invoke(
        root, list(words), env={"DESKMATE_HOME": str(home)}, standalone_mode=False
    )
    assert result.exception is None, result.output
    return result.stdout


def test_erasing_takes_long_outputs_off_the_disk_with_the_events(tmp_path: Path) -> None:
    store = Store(tmp_path / "data")
    use = ToolUseId("u")
    full = store.blobs.put(SECRET.encode())

    async def make() -> ThreadId:
        call = ToolUse(id=use, name="p__t", input={})
        replied = ModelReplied(turn=1, model="m", content=(call,), stop_reason="tool_use")
        finished = ToolFinished(tool_use_id=use, tool="p__t", outcome="ok", text="", full=full)
        begun = ToolStarted(tool_use_id=use, tool="p__t", key="k")
        return await store.thread(WORDS, ASKED, replied, begun, finished, DONE)

    thread = anyio.run(make)
    text = command(tmp_path, "audit", "erase", "-t", thread, "--all", "--why", "x", "--yes")
    assert "still there" not in text
    assert store.here() == set()


def test_deleting_a_thread_tidies_what_was_deleted_long_ago(tmp_path: Path) -> None:
    store = Store(tmp_path / "data")

    async def make() -> tuple[ThreadId, ThreadId]:
        digest, _ = store.listing(a=b"a")
        return await store.thread(BaseTaken(manifest=digest, files=1, size=1)), await store.thread()

    old, new = anyio.run(make)
    delete_thread(store.threads, old, now=lambda: 1_000.0)
    assert len(store.here()) == 2
    command(tmp_path, "thread", "delete", new)
    assert store.here() == set()
    assert "30 days left" in command(tmp_path, "thread", "list", "--deleted")
