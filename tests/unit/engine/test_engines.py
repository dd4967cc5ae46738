"""What every engine keeps: an item is stored once and done once, slots hold, what work raises stops and loses nothing."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from deskmate.engine.durable import open_engine
from deskmate.errors import DeskmateError, LimitExceeded
from deskmate.ports import Engine, Item
from deskmate.testing.memory_engine import MemoryEngine

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(90)]
Open = Callable[[], AbstractAsyncContextManager[Engine]]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(params=["memory", "durable"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    @asynccontextmanager
    async def memory() -> AsyncIterator[Engine]:
        yield MemoryEngine()

    return memory if request.param == "memory" else lambda: open_engine(tmp_path / "engine.db")


def items(count: int) -> list[Item]:
    return [Item(key=f"i{number:03}", arguments={"n": number}) for number in range(count)]


async def test_each_item_is_stored_once_done_once_and_never_more_at_a_time_than_slots(
    opened: Open,
) -> None:
    done: Counter[str] = Counter()
    now = most = 0

    async def work(key: str, arguments: Mapping[str, Any]) -> None:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await anyio.sleep(0.01)
        assert key == f"i{arguments['n']:03}"
        done[key] += 1
        now -= 1

    async with opened() as engine:
        assert await engine.submit(items(12)) == 12
        assert await engine.submit(items(14)) == 2
        with anyio.fail_after(60):
            await engine.serve(work, slots=3)
        counts = await engine.counts()
        assert (counts.queued, counts.running, counts.done) == (0, 0, 14)
        assert done == Counter(item.key for item in items(14))
        assert 1 < most <= 3
        assert await engine.submit(items(14)) == 0
        with anyio.fail_after(60):
            await engine.serve(work, slots=3)
        assert done.total() == 14


async def test_what_work_raises_stops_the_rest_lets_what_runs_finish_and_loses_nothing(
    opened: Open,
) -> None:
    done: Counter[str] = Counter()
    broken = True

    async def work(key: str, arguments: Mapping[str, Any]) -> None:
        if broken and key == "i001":
            raise LimitExceeded("The budget is used up.", limit="cost_usd")
        await anyio.sleep(0.05)
        done[key] += 1

    async with opened() as engine:
        await engine.submit(items(8))
        with anyio.fail_after(60), pytest.raises(LimitExceeded):
            await engine.serve(work, slots=2)
        early = done.total()
        assert early < 7
        broken = False
        with anyio.fail_after(60):
            await engine.serve(work, slots=2)
        assert done == Counter(item.key for item in items(8))


async def test_one_engine_at_a_time_is_open_in_a_process(tmp_path: Path) -> None:
    async with open_engine(tmp_path / "a.db"):
        with pytest.raises(DeskmateError, match="open in this process already"):
            async with open_engine(tmp_path / "b.db"):
                pass


async def test_it_listens_on_no_port_and_connects_to_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DBOS__CLOUD", "true")
    monkeypatch.setenv("DBOS__CONDUCTOR_KEY", "k")
    asked: list[Any] = []
    for name in ("connect", "connect_ex", "bind", "listen"):
        monkeypatch.setattr(
            socket.socket,
            name,
            lambda self, *args, _name=name: asked.append((_name, args)),
            raising=False,
        )

    async def work(key: str, arguments: Mapping[str, Any]) -> None:
        return None

    async with open_engine(tmp_path / "engine.db") as engine:
        await engine.submit(items(2))
        with anyio.fail_after(60):
            await engine.serve(work, slots=1)
    assert asked == []
    assert os.environ["DBOS__CONDUCTOR_KEY"] == "k"


KILLED = """
import os, sys, anyio
from pathlib import Path
from deskmate.engine.durable import open_engine
from deskmate.ports import Item
ledger = open(sys.argv[2], "a")
async def work(key, arguments):
    ledger.write(key + "\\n"); ledger.flush()
    await anyio.sleep(0.02)
    if key == sys.argv[3]:
        os.kill(os.getpid(), 9)
    ledger.write(key + " done\\n"); ledger.flush()
async def main():
    async with open_engine(Path(sys.argv[1])) as engine:
        await engine.submit(Item(key=f"i{n:03}", arguments={"n": n}) for n in range(20))
        await engine.serve(work, slots=3)
anyio.run(main)
"""


async def test_a_killed_process_loses_no_item_and_only_what_ran_is_begun_again(
    tmp_path: Path,
) -> None:
    ledger = tmp_path / "ledger"
    for deadly, code in (("i004", -9), ("i013", -9), ("", 0)):
        done = subprocess.run(
            [sys.executable, "-c", KILLED, tmp_path / "engine.db", ledger, deadly],
            timeout=60,
            check=False,
            capture_output=True,
        )
        assert done.returncode == code, done.stderr
    lines = ledger.read_text().split("\n")
    finished = Counter(line for line in lines if line.endswith("done"))
    begun = Counter(line for line in lines if line and not line.endswith("done"))
    assert len(finished) == 20
    assert all(begun[f"i{n:03}"] <= 3 for n in range(20))
    assert begun.total() <= 20 + 2 * 6, "at most what was under way at each kill is begun again"
