from __future__ import annotations

import errno
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import anyio
import pytest

from deskmate.errors import CorruptData, DeskmateError, UserError
from deskmate.store import chain
from deskmate.store.making import create_thread
from deskmate.store.thread import QUICK_S, open_thread, utc_now
from deskmate.types.events import (
    ModelReplied,
    Refused,
    RunFinished,
    ThreadCreated,
    ThreadRenamed,
    UserSaid,
)
from deskmate.types.ids import RunId, ThreadId, ToolUseId
from deskmate.types.limits import Usage
from deskmate.types.messages import Text, ToolUse

pytestmark = pytest.mark.anyio


async def _thread(tmp_path: Path) -> ThreadId:
    return await create_thread(tmp_path, "NDA", version="1.0")


def _reply(value: object) -> ModelReplied:
    use = ToolUse(id=ToolUseId("toolu_1"), name="legal__read", input={"value": value})
    return ModelReplied(
        turn=1,
        model="offline",
        content=(Text(text="Grüße \x1b[2J \ud800"), use),
        stop_reason="tool_use",
        usage=Usage(input_tokens=3, cost_usd=1e-07),
    )


async def test_a_new_thread_begins_with_its_creation(tmp_path: Path) -> None:
    thread = await _thread(tmp_path)
    async with open_thread(tmp_path, thread, write=False) as store:
        events = await store.events()
    assert [event.payload for event in events] == [
        ThreadCreated(thread=thread, title="NDA", version="1.0")
    ]
    assert events[0].prev_hash == chain.GENESIS
    assert [path.name for path in tmp_path.iterdir()] == [thread]


async def test_events_come_back_as_they_were_stored_after_reopening(tmp_path: Path) -> None:
    thread = await _thread(tmp_path)
    payloads = (
        UserSaid(run=RunId("r-1"), text="Review", model="offline"),
        _reply([1, 2.5, -0.0, 10**30, None, True, "\ud83d"]),
        RunFinished(run=RunId("r-1"), reason="done"),
    )
    async with open_thread(tmp_path, thread) as store:
        stored = await store.append(*payloads)
        assert await store.events(after=1) == stored
    async with open_thread(tmp_path, thread, write=False) as store:
        again = await store.events(after=1)
        records = await store.rows()
    assert again == stored
    assert [event.payload for event in again] == list(payloads)
    assert [event.seq for event in again] == [2, 3, 4]
    assert chain.check(records) == chain.ChainReport(thread=thread, size=4, head=again[-1].hash)


async def test_an_append_is_all_or_nothing(tmp_path: Path) -> None:
    thread = await _thread(tmp_path)
    async with open_thread(tmp_path, thread) as store:
        with pytest.raises(CorruptData, match="ModelReplied"):
            await store.append(Refused(what="a", why="b"), _reply(float("nan")))
        assert len(await store.events()) == 1
        await store.append(Refused(what="a", why="b"))
        assert len(await store.events()) == 2


async def test_the_loop_writes_itself_only_while_the_last_write_was_quick(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    thread = await _thread(tmp_path)
    here, wrote = threading.get_ident(), []
    slow = False

    def now() -> str:
        wrote.append(threading.get_ident())
        if slow:
            time.sleep(QUICK_S * 1.1)
        return utc_now()

    event = Refused(what="a", why="b")
    async with open_thread(tmp_path, thread, now=now) as store:
        await store.append(event)  # the log is read first, however long it is
        monkeypatch.setattr("deskmate.store.thread.QUICK_S", 3600.0)
        await store.append(event)
        await store.append(event, event)
        monkeypatch.undo()
        slow = True
        await store.append(event)
        await store.append(event)
        assert len(await store.events()) == 7
    elsewhere = [ident != here for ident in wrote]
    assert elsewhere[:4] == [True, False, False, False]
    assert elsewhere[-1]


async def test_appends_of_many_tasks_are_all_stored_whoever_writes_them(tmp_path: Path) -> None:
    thread = await _thread(tmp_path)
    slow = iter(range(100))

    def now() -> str:
        time.sleep(QUICK_S if next(slow) % 7 == 0 else 0)
        return utc_now()

    async with open_thread(tmp_path, thread, now=now) as store:
        async with anyio.create_task_group() as tasks:
            for number in range(40):
                tasks.start_soon(store.append, Refused(what=str(number), why="b"))
        events = await store.events(after=1)
    assert sorted(int(event.payload.what) for event in events) == list(range(40))  # type: ignore[union-attr]
    async with open_thread(tmp_path, thread, write=False) as store:
        assert await store.events(after=1) == events


async def test_a_cancelled_append_stores_nothing_also_where_the_loop_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    thread = await _thread(tmp_path)
    monkeypatch.setattr("deskmate.store.thread.QUICK_S", 3600.0)
    async with open_thread(tmp_path, thread) as store:
        await store.append(Refused(what="a", why="b"))
        await store.append(Refused(what="a", why="b"))
        with anyio.CancelScope() as scope:
            scope.cancel()
            await store.append(Refused(what="a", why="b"))
        assert len(await store.events()) == 3


async def test_a_second_writer_is_told_who_works_and_readers_may_read(tmp_path: Path) -> None:
    thread = await _thread(tmp_path)
    async with open_thread(tmp_path, thread) as store:
        with pytest.raises(UserError, match=f"working in thread {thread} .pid {os.getpid()}"):
            async with open_thread(tmp_path, thread):
                pass
        await store.append(Refused(what="a", why="b"))
        async with open_thread(tmp_path, thread, write=False) as reader:
            assert len(await reader.events()) == 2
            await store.append(Refused(what="c", why="d"))
            assert len(await reader.events()) == 3
            with pytest.raises(UserError, match="for reading only"):
                await reader.append(Refused(what="e", why="f"))
    async with open_thread(tmp_path, thread) as store:
        assert len(await store.events()) == 3


async def test_a_writer_whose_lease_was_taken_stores_nothing(tmp_path: Path) -> None:
    thread = await _thread(tmp_path)
    async with open_thread(tmp_path, thread) as store:
        with sqlite3.connect(tmp_path / thread / "thread.db") as other:
            other.execute("update lease set token = token + 1")
        other.close()
        with pytest.raises(UserError, match="took over"):
            await store.append(Refused(what="a", why="b"))
        assert len(await store.events()) == 1


async def test_the_database_itself_refuses_changes_and_deletions(tmp_path: Path) -> None:
    thread = await _thread(tmp_path)
    db = sqlite3.connect(tmp_path / thread / "thread.db")
    for statement in ("update events set time = ''", "delete from events"):
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            db.execute(statement)
    db.close()


async def test_a_missing_thread_and_a_path_as_name_are_user_errors(tmp_path: Path) -> None:
    for name in ("t-missing", "../t-x", "", "t-a/b"):
        with pytest.raises(UserError, match="There is no thread"):
            async with open_thread(tmp_path, name):
                pass


async def test_a_file_that_is_no_database_is_corrupt_data(tmp_path: Path) -> None:
    thread = await _thread(tmp_path)
    (tmp_path / thread / "thread.db").write_bytes(b"not a database at all" * 100)
    with pytest.raises(CorruptData, match="damaged"):
        async with open_thread(tmp_path, thread):
            pass


async def test_a_thread_of_a_newer_deskmate_is_refused(tmp_path: Path) -> None:
    thread = await _thread(tmp_path)
    with sqlite3.connect(tmp_path / thread / "thread.db") as db:
        db.execute(
            "insert into _sqlite_migrations (migration_set, name, applied_at)"
            " values ('deskmate.thread', 'm999_future', '')"
        )
    db.close()
    with pytest.raises(UserError, match="newer Deskmate"):
        async with open_thread(tmp_path, thread):
            pass


async def test_an_altered_event_is_found_on_reading(tmp_path: Path) -> None:
    thread = await _thread(tmp_path)
    db = sqlite3.connect(tmp_path / thread / "thread.db")
    db.execute("drop trigger events_no_update")
    db.execute("update events set payload = replace(payload, 'NDA', 'MSA')")
    db.commit()
    db.close()
    async with open_thread(tmp_path, thread, write=False) as store:
        with pytest.raises(CorruptData, match="Event 1"):
            await store.events()
        made: list[object] = []
        with pytest.raises(CorruptData, match="Event 1"):
            await store.each_row(made.append)
        assert made == []


async def test_another_order_of_keys_is_no_alteration(tmp_path: Path) -> None:
    thread = await _thread(tmp_path)
    db = sqlite3.connect(tmp_path / thread / "thread.db")
    db.execute("drop trigger events_no_update")
    db.execute(
        "update events set payload = ?",
        [f'{{"version": "1.0", "title": "NDA", "thread": "{thread}"}}'],
    )
    db.commit()
    db.close()
    async with open_thread(tmp_path, thread, write=False) as store:
        assert len(await store.events()) == 1


async def test_a_full_disk_stops_writing_and_loses_nothing(tmp_path: Path) -> None:
    thread = await _thread(tmp_path)
    async with open_thread(tmp_path, thread) as store:
        await store.append(Refused(what="before", why=""))
        # the database's own limit gives the very error of a full disk, on every system
        pages = store._db.execute("pragma page_count").fetchone()[0]
        store._db.execute(f"pragma max_page_count = {pages}")
        with pytest.raises(DeskmateError, match="disk is full"):
            await store.append(Refused(what="x" * 100_000, why=""), Refused(what="y", why=""))
        with pytest.raises(DeskmateError, match="takes no more events"):
            await store.append(Refused(what="later", why=""))
    async with open_thread(tmp_path, thread) as store:
        assert [event.kind for event in await store.events()] == ["ThreadCreated", "Refused"]
        await store.append(Refused(what="again", why=""))


_WRITER = """
import anyio, sys
from pathlib import Path
from deskmate.store.thread import open_thread
from deskmate.types.events import Refused

async def main():
    async with open_thread(Path(sys.argv[1]), sys.argv[2]) as store:
        for number in range(100000):
            first = Refused(what=f"{number}a", why="")
            await store.append(first, Refused(what=f"{number}b", why=""))
            print(number, flush=True)

anyio.run(main)
"""


async def test_kill_9_loses_no_acknowledged_event_and_splits_no_append(tmp_path: Path) -> None:
    thread = await _thread(tmp_path)
    expected = 0
    for rounds in range(5):
        process = subprocess.Popen(
            [sys.executable, "-c", _WRITER, str(tmp_path), thread],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout
        for _ in range(3 + rounds):
            acknowledged = int(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
        acknowledged = max([acknowledged, *map(int, process.stdout.read().split())])
        process.wait()
        process.stdout.close()
        expected += 2 * (acknowledged + 1)
        async with open_thread(tmp_path, thread, write=False) as store:
            events = await store.events(after=1)
            assert not chain.check(await store.rows()).problem
        assert len(events) in (expected, expected + 2)
        assert len(events) % 2 == 0
        expected = len(events)


async def test_what_a_writer_left_half_written_is_removed_by_the_next(tmp_path: Path) -> None:
    thread = await create_thread(tmp_path, "T", version="0.1.0")
    leftover = tmp_path / thread / ".head.json.00.tmp"
    leftover.write_text("{")
    async with open_thread(tmp_path, thread, write=False):
        assert leftover.exists()  # a reader does not know whether it is still being written
    async with open_thread(tmp_path, thread):
        assert not leftover.exists()


async def test_a_thread_on_a_disk_that_fails_is_refused_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    thread = await create_thread(tmp_path, "T", version="0.1.0")

    def fail(*words: object, **more: object) -> int:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", fail)
        with pytest.raises(DeskmateError, match="cannot be locked for writing: Input/output error"):
            async with open_thread(tmp_path, thread):
                pass
    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", fail)  # a note for others only
        async with open_thread(tmp_path, thread) as store:
            await store.append(ThreadRenamed(title="stored"))


async def test_a_thread_that_cannot_be_made_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*words: object, **more: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "mkdir", fail)
        with pytest.raises(
            DeskmateError, match=r"A new thread cannot be made in .*: the disk is full"
        ):
            await create_thread(tmp_path / "threads", "T", version="0.1.0")


async def test_what_a_crash_left_of_a_new_thread_is_removed(tmp_path: Path) -> None:
    leftover = tmp_path / ".new-t-lost"
    leftover.mkdir()
    os.utime(leftover, (0, 0))
    await _thread(tmp_path)
    assert not leftover.exists()


async def test_a_thread_whose_id_was_chosen_is_made_after_a_crash_in_the_middle(
    tmp_path: Path,
) -> None:
    chosen = ThreadId("t-abcdefghjk")
    half = await create_thread(tmp_path, "Half", version="1", thread=ThreadId("t-zzzzzzzzzz"))
    (tmp_path / half).rename(tmp_path / f".new-{chosen}")
    assert await create_thread(tmp_path, "Whole", version="1", thread=chosen) == chosen
    async with open_thread(tmp_path, chosen, write=False) as store:
        assert len(await store.events()) == 1
