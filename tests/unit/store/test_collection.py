"""What is collected is what nobody can come to need, at whatever moment the collector dies."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from deskmate.errors import CorruptData, UserError
from deskmate.store.blobs import BlobStore
from deskmate.store.collection import Collected, collect
from deskmate.store.keeping import alone_with_content, keeping_content
from deskmate.store.making import create_thread
from deskmate.store.owning import (
    DELETED,
    KEPT_DAYS,
    delete_thread,
    purge_deleted,
    restore_thread,
)
from deskmate.store.thread import open_thread
from deskmate.store.verify import verify_thread
from deskmate.types.events import (
    ApplyFinished,
    ApplyStarted,
    BaseTaken,
    ChangesDiscarded,
    ChangesStaged,
    CheckpointMade,
    ContentTaken,
    ToolFinished,
    UserSaid,
)
from deskmate.types.ids import Digest, RunId, ThreadId, ToolUseId
from deskmate.types.messages import Picture

pytestmark = pytest.mark.anyio
DAY_S = 86_400


class Store:
    """Threads and blobs of one user."""

    def __init__(self, data: Path) -> None:
        self.threads = data / "threads"
        self.root = data / "blobs"
        self.blobs = BlobStore(self.root)

    def listing(self, **content: bytes) -> tuple[Digest, list[Digest]]:
        inner = [self.blobs.put(one) for one in content.values()]
        entries = [{"path": name, "sha256": one} for name, one in zip(content, inner, strict=True)]
        return self.blobs.put(json.dumps({"entries": entries}).encode()), inner

    async def thread(self, *payloads: Any) -> ThreadId:
        thread = await create_thread(self.threads, "T", version="1")
        async with open_thread(self.threads, thread) as store:
            await store.append(*payloads)
        return thread

    def collect(self, **options: Any) -> Collected:
        return collect(self.threads, self.root, **options)

    def here(self) -> set[str]:
        return {path.stem for path in self.root.glob("??/*.zst")}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


async def everything(store: Store) -> tuple[ThreadId, set[str]]:
    """A thread that refers to content in every way there is, and what it needs."""
    needed: set[str] = set()

    def listed(name: str) -> Digest:
        digest, inner = store.listing(**{f"{name}{n}": f"{name}{n}".encode() for n in (1, 2)})
        needed.update((digest, *inner))
        return digest

    full = store.blobs.put(b"a long answer")
    needed.add(full)
    before = store.blobs.put(b"what was there before")
    source = listed("source")
    plan = store.blobs.put(
        json.dumps(
            {"source": source, "steps": [{"path": "a", "before": {"sha256": before}}]}
        ).encode()
    )
    shown = store.blobs.put(b"shown")
    needed.update((before, plan, shown))
    discarded = listed("discarded")
    thread = await store.thread(
        BaseTaken(manifest=listed("base"), files=2, size=1),
        ContentTaken(manifest=listed("content"), files=2, size=1),
        CheckpointMade(manifest=listed("checkpoint"), files=2, size=1),
        ChangesStaged(run=RunId("r-1"), difference=source, created=1, modified=0, deleted=0),
        ToolFinished(
            tool_use_id=ToolUseId("u"),
            tool="t",
            outcome="ok",
            text="",
            full=full,
            synthetic=True,
            pictures=(Picture(media="image/png", sha256=shown, bytes=5),),
        ),
        ApplyStarted(plan=plan),
        ApplyFinished(plan=plan, applied=True),
        ChangesDiscarded(difference=discarded),
    )
    return thread, needed


async def test_what_a_log_names_in_any_way_stays_and_the_rest_goes(store: Store) -> None:
    _, needed = await everything(store)
    stray = {store.blobs.put(f"stray {n}".encode()) for n in range(5)}
    asked = store.collect(remove=False)
    assert (asked.removed, asked.left, asked.kept) == (0, 5, len(needed))
    assert store.here() == needed | stray
    done = store.collect()
    assert (done.removed, done.left, done.kept) == (5, 0, len(needed))
    assert done.removed_bytes > 0
    assert store.here() == needed
    assert store.collect().removed == 0


async def test_what_two_threads_share_stays_as_long_as_one_needs_it(store: Store) -> None:
    shared, inner = store.listing(a=b"shared")
    base = BaseTaken(manifest=shared, files=1, size=6)
    one, two = await store.thread(base), await store.thread(base)
    delete_thread(store.threads, one, now=lambda: 1_000.0)
    later = 1_000.0 + KEPT_DAYS * DAY_S + 1
    assert store.collect(now=lambda: later).purged == (one,)
    assert store.here() == {shared, *inner}
    delete_thread(store.threads, two, now=lambda: later)
    assert store.collect(now=lambda: later + DAY_S).removed == 0


async def test_a_deleted_thread_can_be_restored_whole_until_its_time_is_over(store: Store) -> None:
    thread, needed = await everything(store)
    delete_thread(store.threads, thread, now=lambda: 1_000.0)
    assert store.collect(now=lambda: 1_000.0 + (KEPT_DAYS - 1) * DAY_S).removed == 0
    restore_thread(store.threads, thread)
    async with open_thread(store.threads, thread, write=False) as log:
        report = await verify_thread(log, store.blobs)
        assert not [problem for problem in report.problems if "lob" in problem]
    delete_thread(store.threads, thread, now=lambda: 1_000.0)
    done = store.collect(now=lambda: 1_000.0 + KEPT_DAYS * DAY_S)
    assert (done.purged, done.removed) == ((thread,), len(needed))
    assert store.here() == set()


async def test_while_a_thread_is_at_work_nothing_goes_that_it_may_come_to_name(
    store: Store,
) -> None:
    thread = await store.thread()
    async with open_thread(store.threads, thread) as log:
        fresh = store.blobs.put(b"not in the log yet")
        done = await anyio.to_thread.run_sync(store.collect)
        assert (done.removed, done.left) == (0, 1)
        await log.append(
            ToolFinished(tool_use_id=ToolUseId("u"), tool="t", outcome="ok", text="", full=fresh)
        )
    assert store.collect().removed == 0
    assert store.here() == {fresh}


async def test_what_is_named_between_marking_and_removing_stays(store: Store) -> None:
    thread = await store.thread()
    fresh, stray = store.blobs.put(b"named late"), store.blobs.put(b"stray")

    def name_it(point: str) -> None:
        if point != "marked":
            return

        async def work() -> None:
            async with open_thread(store.threads, thread) as log:
                await log.append(
                    ToolFinished(
                        tool_use_id=ToolUseId("u"), tool="t", outcome="ok", text="", full=fresh
                    )
                )

        anyio.from_thread.run(work)

    done = await anyio.to_thread.run_sync(lambda: store.collect(failpoint=name_it))
    assert done.removed == 1
    assert store.here() == {fresh}
    assert stray not in store.here()


async def test_a_thread_made_between_marking_and_removing_keeps_its_content(store: Store) -> None:
    digest, inner = store.listing(a=b"a", b=b"b")

    def make_it(point: str) -> None:
        if point == "marked":
            anyio.from_thread.run(store.thread, BaseTaken(manifest=digest, files=2, size=2))

    done = await anyio.to_thread.run_sync(lambda: store.collect(failpoint=make_it))
    assert done.removed == 0
    assert store.here() == {digest, *inner}


def _damage(store: Store, thread: str, change: str) -> None:
    db = sqlite3.connect(store.threads / thread / "thread.db")
    db.execute("drop trigger events_no_update")
    db.execute("drop trigger events_no_delete")
    db.execute(change)
    db.commit()
    db.close()


@pytest.mark.parametrize(
    "change",
    [
        "update events set payload = replace(payload, substr(payload, 20, 4), 'ffff') where seq = 2",
        "update events set kind = 'OfANewerDeskmate' where seq = 2",
        "delete from events where seq = 2",
        "drop table events",
        "insert into _sqlite_migrations (migration_set, name, applied_at)"
        " values ('deskmate.thread', 'm999', 'now')",
    ],
)
async def test_one_log_that_cannot_be_read_whole_and_nothing_is_removed(
    store: Store, change: str
) -> None:
    thread, needed = await everything(store)
    stray = store.blobs.put(b"stray")
    _damage(store, thread, change)
    with pytest.raises((CorruptData, UserError), match=f"Nothing was removed: thread {thread}"):
        store.collect()
    assert store.here() == needed | {stray}


async def test_a_list_of_files_that_is_gone_stops_it_too(store: Store) -> None:
    digest, inner = store.listing(a=b"a")
    await store.thread(BaseTaken(manifest=digest, files=1, size=1))
    (store.root / digest[:2] / f"{digest}.zst").unlink()
    with pytest.raises(CorruptData, match="Nothing was removed"):
        store.collect()
    assert store.here() == set(inner)


def _collect_and_die(data: Path, point: str, at: int, later: float) -> None:
    seen = 0

    def die(name: str) -> None:
        nonlocal seen
        seen += name == point
        if name == point and seen == at:
            os.kill(os.getpid(), signal.SIGKILL)

    store = Store(data)
    store.collect(failpoint=die, now=lambda: later)


@pytest.mark.parametrize(
    ("point", "at"),
    [("marked", 1), ("purged", 1), ("alone", 1), *[("removed", n) for n in range(1, 9)]],
)
async def test_killed_at_any_step_every_thread_is_whole_and_the_next_one_finishes(
    store: Store, tmp_path: Path, point: str, at: int
) -> None:
    thread, needed = await everything(store)
    gone, _ = store.listing(x=b"of a deleted thread", y=b"another")
    deleted = await store.thread(BaseTaken(manifest=gone, files=2, size=2))
    delete_thread(store.threads, deleted, now=lambda: 1_000.0)
    later = 1_000.0 + KEPT_DAYS * DAY_S
    for n in range(5):
        store.blobs.put(f"stray {n}".encode())
    child = multiprocessing.get_context("spawn").Process(
        target=_collect_and_die, args=(tmp_path, point, at, later)
    )
    child.start()
    await anyio.to_thread.run_sync(child.join)
    assert child.exitcode == -signal.SIGKILL
    assert needed <= store.here()
    async with open_thread(store.threads, thread, write=False) as log:
        report = await verify_thread(log, store.blobs)
        assert not [problem for problem in report.problems if "lob" in problem]
    store.collect(now=lambda: later)
    assert store.here() == needed
    async with open_thread(store.threads, thread) as log:  # its lock died with the collector
        await log.append(UserSaid(run=RunId("r-2"), text="On", model="m"))


def test_writers_wait_for_a_moment_and_never_meet_a_collector(tmp_path: Path) -> None:
    threads = tmp_path / "threads"
    inside: list[str] = []
    problems: list[str] = []

    def write() -> None:
        for _ in range(30):
            with keeping_content(threads):
                inside.append("w")
                time.sleep(0.001)
                inside.remove("w")

    def remove() -> None:
        for _ in range(30):
            with alone_with_content(threads, 5) as alone:
                if alone and inside:
                    problems.append("met")
            time.sleep(0.001)

    works: list[Callable[[], None]] = [write, write, remove]
    running = [threading.Thread(target=work) for work in works]
    for one in running:
        one.start()
    for one in running:
        one.join()
    assert problems == []


async def test_what_another_collector_took_first_is_no_error(store: Store) -> None:
    stray = store.blobs.put(b"stray")
    store.blobs.put(b"another stray")

    def be_first(name: str) -> None:
        if name == "alone":
            (store.root / stray[:2] / f"{stray}.zst").unlink(missing_ok=True)

    done = await anyio.to_thread.run_sync(lambda: store.collect(failpoint=be_first))
    assert (done.removed, store.here()) == (1, set())


async def test_of_two_who_remove_a_deleted_thread_one_does_and_no_rest_stays(store: Store) -> None:
    thread = await store.thread()
    delete_thread(store.threads, thread, now=lambda: 1_000.0)
    (folder,) = (store.threads / DELETED).iterdir()

    def meanwhile() -> float:
        if folder.exists():
            assert purge_deleted(store.threads, now=lambda: later) == (thread,)
        return later

    later = 1_000.0 + KEPT_DAYS * DAY_S
    left = folder.with_name(".going-1-t-x")
    left.mkdir()
    (left / "half").write_bytes(b"a crash left it")
    assert purge_deleted(store.threads, now=meanwhile) == ()
    assert list((store.threads / DELETED).iterdir()) == []


async def test_what_is_being_removed_for_good_is_no_damaged_log(store: Store) -> None:
    thread = await store.thread()
    stray = store.blobs.put(b"stray")
    delete_thread(store.threads, thread, now=lambda: time.time())
    (folder,) = (store.threads / DELETED).iterdir()
    going = folder.rename(folder.with_name(f".going-{folder.name}"))
    (going / "thread.db").write_bytes(b"half gone")
    assert store.collect(remove=False).left == 1
    assert store.collect().removed == 1
    assert not store.blobs.has(stray)
    assert not going.exists()


async def test_a_collector_never_meets_a_thread_between_two_folders(store: Store) -> None:
    thread = await store.thread()
    alone: list[bool] = []

    def now() -> float:
        with alone_with_content(store.threads, 0.0) as is_alone:
            alone.append(is_alone)
        return 1_000.0

    delete_thread(store.threads, thread, now=now)
    assert alone[-1] is False
    with alone_with_content(store.threads, 0.0) as is_alone:
        assert is_alone
        restoring = threading.Thread(target=restore_thread, args=(store.threads, thread))
        restoring.start()
        restoring.join(0.2)
        assert not (store.threads / thread).exists()
    restoring.join(10)
    assert (store.threads / thread).is_dir()


def test_files_that_are_no_blobs_are_left_alone(store: Store, tmp_path: Path) -> None:
    store.blobs.put(b"stray")
    other = [store.root / "ab" / "notes.zst", store.root / "README", store.root / ".x.tmp"]
    for path in other:
        path.parent.mkdir(exist_ok=True)
        path.write_text("mine")
    assert store.collect().removed == 1
    assert all(path.is_file() for path in other)


def test_nothing_at_all_is_no_error(tmp_path: Path) -> None:
    done = collect(tmp_path / "threads", tmp_path / "blobs")
    assert done == Collected(purged=(), removed=0, removed_bytes=0, kept=0, left=0)
