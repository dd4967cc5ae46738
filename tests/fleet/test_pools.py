"""What a pool keeps, in a file and on a server: once stored, once done, in order, by urgency, by the worker it is for."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anyio
import pytest

from deskmate.engine import running
from deskmate.engine.pool import make_pool, open_pool, pool_url
from deskmate.engine.pool_worker import Member, Worker, _Claim, is_claimed, open_worker
from deskmate.errors import DeskmateError, UserError
from deskmate.host.fleet.place import MARK, PoolPlace
from deskmate.ports.engines import BULK, INTERACTIVE, Item, Work
from deskmate.types.fleet import StopReason

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(90)]
MEMBER = Member(name="w1", slots=2, version="0")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def items(count: int, **more: Any) -> list[Item]:
    return [
        Item(key=f"job/{number:03}", arguments={"n": number}, **more) for number in range(count)
    ]


@asynccontextmanager
async def at_work(worker: Worker, work: Work) -> AsyncIterator[anyio.Event]:
    """Work while the block runs."""
    until = anyio.Event()
    with anyio.fail_after(60):
        async with anyio.create_task_group() as tasks:

            async def go() -> None:
                await worker.work(work, until=until)

            tasks.start_soon(go)
            yield until
            until.set()


async def wait_for(check: Any) -> None:
    with anyio.fail_after(40):
        while not await check():
            await anyio.sleep(0.05)


async def test_each_item_is_stored_once_done_once_and_never_more_at_a_time_than_slots(
    url: str,
) -> None:
    done: Counter[str] = Counter()
    now = most = 0

    async def work(key: str, arguments: Mapping[str, Any]) -> None:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await anyio.sleep(0.05)
        assert key == f"job/{arguments['n']:03}"
        done[key] += 1
        now -= 1

    async with open_pool(url) as pool:
        assert await pool.submit(items(10)) == 10
        assert await pool.submit(items(12)) == 2
        assert (await pool.counts("job/")).queued == 12
        assert (await pool.counts("other/")).queued == 0
        async with open_worker(url, MEMBER) as worker, at_work(worker, work):

            async def all_done() -> bool:
                return (await pool.counts("job/")).done == 12

            await wait_for(all_done)
            assert await pool.submit(items(12)) == 0
        assert done == Counter(item.key for item in items(12))
        assert most == 2
        (known,) = pool.roster.workers()
        assert (known.name, known.state, known.slots) == ("w1", "ended", 2)


async def test_urgent_items_overtake_and_items_of_one_part_are_done_one_at_a_time_in_order(
    url: str,
) -> None:
    order: list[str] = []
    now: Counter[str] = Counter()
    together: list[tuple[str, int]] = []
    open_now = anyio.Event()

    async def work(key: str, arguments: Mapping[str, Any]) -> None:
        part = arguments.get("part", "bulk")
        now[part] += 1
        together.append((part, now[part]))
        order.append(key)
        await open_now.wait()
        await anyio.sleep(0.02)
        now[part] -= 1

    async with open_pool(url) as pool:
        bulk = [Item(key=f"bulk/{n:02}", arguments={}, priority=BULK) for n in range(6)]
        await pool.submit(bulk)
        async with open_worker(url, MEMBER) as worker, at_work(worker, work):

            async def both_begun() -> bool:
                return len(order) == 2

            await wait_for(both_begun)
            turns = [
                Item(
                    key=f"turn/{turn}/{part}",
                    arguments={"part": part},
                    host="w1",
                    part=part,
                    priority=INTERACTIVE,
                )
                for turn in range(3)
                for part in ("t-a", "t-b", "t-c")
            ]
            for turn in turns:
                await pool.submit([turn])
            await pool.submit([Item(key="else/1", arguments={}, host="w2")])

            async def claimed() -> bool:  # of each queue as much as there are slots
                return (await pool.counts("turn/")).running == 2

            await wait_for(claimed)
            open_now.set()

            async def over() -> bool:
                return len(order) == len(bulk) + len(turns)

            await wait_for(over)
            assert (await pool.counts("else/")).queued == 1, "another worker's item stays its own"
    assert set(order[2:4]) < {item.key for item in turns}, "urgent ones came first to what was free"
    assert all(most == 1 for part, most in together if part != "bulk")
    for part in ("t-a", "t-b", "t-c"):
        own = [key for key in order if key.endswith(part)]
        assert own == [f"turn/{turn}/{part}" for turn in range(3)]


async def test_what_work_raises_stops_that_item_and_a_stop_ends_what_runs(url: str) -> None:
    done: list[str] = []
    ended: list[str] = []
    broken = True

    async def work(key: str, arguments: Mapping[str, Any]) -> None:
        if key == "job/001" and broken:
            raise DeskmateError("It cannot be done.")
        if key.startswith("long/"):
            try:
                await anyio.sleep_forever()
            finally:
                ended.append(key)
        done.append(key)

    async with open_pool(url) as pool, open_worker(url, MEMBER) as worker, at_work(worker, work):
        await pool.submit(items(4))

        async def rest_done() -> bool:
            found = await pool.counts("job/")
            return (found.done, found.stopped) == (3, 1)

        await wait_for(rest_done)
        broken = False
        assert await pool.submit(items(4)) == 0

        async def all_done() -> bool:
            return (await pool.counts("job/")).done == 4

        await wait_for(all_done)
        assert Counter(done) == Counter(item.key for item in items(4))
        await pool.submit([Item(key=f"long/{n}", arguments={}) for n in range(5)])

        async def two_run() -> bool:
            return (await pool.counts("long/")).running == 2

        await wait_for(two_run)
        assert await pool.stop("long/") == 5

        async def both_ended() -> bool:
            return len(ended) == 2

        await wait_for(both_ended)
        assert (await pool.counts("long/")).stopped == 5


async def test_a_name_is_one_worker_and_all_workers_are_of_one_size(url: str) -> None:
    async with open_worker(url, MEMBER) as worker:
        if not url.startswith("sqlite"):  # there whoever starts a worker holds a lock over its name
            assert await anyio.to_thread.run_sync(is_claimed, pool_url(url), "w1")
            assert not await anyio.to_thread.run_sync(is_claimed, pool_url(url), "w2")
            ours = worker.claim._connection
            assert ours is not None
            ours.invalidate()  # as when the network was away

            async def ours_again() -> (
                bool
            ):  # the server sees a moment later that the old one is gone
                await anyio.to_thread.run_sync(worker.claim.check)
                return worker.claim._connection is not None

            await wait_for(ours_again)
            assert await anyio.to_thread.run_sync(is_claimed, pool_url(url), "w1")
            await _lose_the_name_to_another(worker)
        roster = worker.pool.roster
        roster.see(replace(worker.state(), name="w0", slots=5))
        with pytest.raises(UserError, match="5 slots each"):
            worker._check_slots()
        roster.see(replace(worker.state(ended=True), name="w0", slots=5))
        worker._check_slots()
        first = StopReason(kind="over_budget", message="No money.", by="w1")
        roster.stop("tb-1", first)
        roster.stop("tb-1", StopReason(kind="failed", message="Later."))
        assert roster.stopped("tb-1") == first
        roster.go_on("tb-1")
        assert roster.stopped("tb-1") is None


async def _lose_the_name_to_another(worker: Worker) -> None:
    """A name that another has for long is another's; before that it may be our own lost connection that has it."""
    worker.claim.release()
    other = _Claim(worker.pool.url, "w1")
    await anyio.to_thread.run_sync(other.take)
    try:
        await anyio.to_thread.run_sync(worker.claim.check)
        assert worker.claim._lost_at is not None
        worker.claim._lost_at -= 1_000
        with pytest.raises(UserError, match="Another worker named w1"):
            await anyio.to_thread.run_sync(worker.claim.check)
    finally:
        other.release()
    await anyio.to_thread.run_sync(worker.claim.check)
    assert worker.claim._lost_at is None


async def test_a_limit_of_the_rate_is_for_all_and_stays_when_a_worker_starts(url: str) -> None:
    begun: list[float] = []

    async def work(key: str, arguments: Mapping[str, Any]) -> None:
        begun.append(anyio.current_time())

    async with open_pool(url) as pool:
        with pytest.raises(UserError, match="no worker was ever here"):
            pool.limit_rate(3, 60)
        async with open_worker(url, MEMBER):
            pool.limit_rate(3, 60)
        await pool.submit(items(8))
        async with open_worker(url, MEMBER) as worker, at_work(worker, work):

            async def three() -> bool:
                return len(begun) == 3

            await wait_for(three)
            await anyio.sleep(0.8)  # several polls more
            assert len(begun) == 3
            pool.limit_rate(None, 60)

            async def rest() -> bool:
                return len(begun) == 8

            await wait_for(rest)


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
async def test_an_item_that_takes_its_worker_down_each_time_is_given_up_and_others_are_done(
    url: str,
) -> None:
    begun: Counter[str] = Counter()

    async def work(key: str, arguments: Mapping[str, Any]) -> None:
        begun[key] += 1
        if key == "job/000":
            raise ZeroDivisionError

    member, never = replace(MEMBER, slots=1, attempts=1), anyio.Event()
    async with open_pool(url) as pool:
        await pool.submit(items(2))
        for _ in range(2):
            async with open_worker(url, member) as worker:
                with anyio.fail_after(40), pytest.raises(ZeroDivisionError):
                    await worker.work(work, until=never)
        async with open_worker(url, member) as worker, at_work(worker, work):

            async def settled() -> bool:
                found = await pool.counts()
                return (found.done, found.stopped) == (1, 1)

            await wait_for(settled)
        counted, _ = await anyio.to_thread.run_sync(pool.queues)
        assert [(queue.waiting, queue.given_up) for queue in counted] == [(0, 1)]
        assert begun["job/000"] == 2


async def test_what_is_no_pool_is_said_in_a_line(tmp_path: Path) -> None:
    for address, why in {
        "sqlite:///relative.db": "no file in a folder",
        f"sqlite:///{tmp_path}/missing/pool.db": "no file in a folder",
        "mysql://host/db": "cannot lie in mysql",
        "nonsense": "names no database",
    }.items():
        with pytest.raises(UserError, match=why) as caught:
            async with open_pool(address):
                pass
        assert "\n" not in caught.value.message


async def test_a_first_start_that_cannot_mark_the_folder_shuts_nobody_out(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = tmp_path / "store"
    store.mkdir()
    place = PoolPlace(url=url, store=store)
    pool = make_pool(url)
    try:

        def refuse(*_: Any, **__: Any) -> int:
            raise PermissionError(13, "Permission denied")

        with monkeypatch.context() as patch:
            patch.setattr(Path, "write_text", refuse)
            with pytest.raises(UserError, match="cannot be written: Permission denied"):
                place.check(pool)
        place.check(pool)
        place.check(pool)
        other = tmp_path / "other"
        other.mkdir()
        with pytest.raises(UserError, match="is not that of this pool"):
            PoolPlace(url=url, store=other).check(pool)
        assert [file.name for file in other.iterdir()] == []
        assert [file.name for file in store.iterdir()] == [MARK]
    finally:
        pool.close()


async def test_a_worker_whose_name_another_has_gives_nothing_back(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = make_pool(url)
    given: list[str] = []
    monkeypatch.setattr(pool, "give_back", given.append)
    for name in ("leave", "end"):
        monkeypatch.setattr(running, name, lambda: None)
    try:
        for held in (False, True):
            worker = Worker(pool, MEMBER)
            claim = SimpleNamespace(check=lambda: None, held=held, release=lambda: None)
            monkeypatch.setattr(worker, "claim", claim)
            worker.end()
        assert given == ["w1"]
    finally:
        pool.close()


@pytest.mark.parametrize("wrong", ["postgresql://h:abc/d", "mysql://h/d", "nothing"])
def test_an_address_that_is_none_is_one_line(wrong: str) -> None:
    with pytest.raises(UserError):
        pool_url(wrong)
