"""Workers are killed, stopped and woken, forgotten; the database goes away: all items done, none lost, nothing late stored."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import anyio
import anyio.to_thread
import pytest
from tests.fleet.postgres import PostgresServer
from tests.fleet.processes import ROOT, crew, lines, lines_of, wait_for
from tests.fleet.worker_process import SLOTS

from deskmate.engine.pool import SharedPool, open_pool
from deskmate.ports.engines import Item

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(300)]
MODULE = "tests.fleet.worker_process"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def items(count: int) -> list[Item]:
    return [Item(key=f"job/{number:05}", arguments={}) for number in range(count)]


async def results(pool: SharedPool) -> dict[str, tuple[str, str | None, int | None]]:
    """Return item → how it ended, at which worker, when."""
    found = await anyio.to_thread.run_sync(
        lambda: pool._client.list_workflows(workflow_id_prefix="job/", load_input=False)
    )
    return {one.workflow_id: (one.status, one.executor_id, one.updated_at) for one in found}


async def test_killed_and_sleeping_workers_lose_nothing_and_store_nothing_late(
    url: str, tmp_path: Path
) -> None:
    ledger, count = tmp_path / "ledger", 30
    # asleep in the middle of a write it would hold a file's lock, which no other process can take from it
    sleeps = not url.startswith("sqlite")
    async with open_pool(url) as pool:
        with crew(MODULE, (url,), (str(ledger), "0.4")) as workers:
            workers.begin("w1", "w2", "w3")
            await pool.submit(items(count))

            async def in_the_middle() -> bool:
                return all(lines_of(ledger, "begun", name) for name in ("w1", "w2"))

            await wait_for(in_the_middle)
            workers.kill("w1")
            if sleeps:
                workers.stop("w2")
            else:
                workers.kill("w2")
            workers.begin("w1")  # as its supervisor does: what it had begun is its own
            held = (await pool.counts()).running
            assert held
            await pool.forget("w2")

            async def done() -> bool:
                return (await pool.counts()).done == count

            await wait_for(done)
            before = await results(pool)
            assert {status for status, _, _ in before.values()} == {"SUCCESS"}
            if sleeps:
                workers.wake("w2")

                async def awake() -> bool:
                    asleep = set(lines_of(ledger, "begun", "w2"))
                    over = lines_of(ledger, "ended", "w2") + lines_of(ledger, "given-up", "w2")
                    return asleep <= set(over)

                await wait_for(awake)
            workers.end()
        assert await results(pool) == before, "what woke late stored nothing"
    ended = lines(ledger, "ended")
    assert len(ended) == count
    assert lines(ledger, "begun").total() <= count + 2 * SLOTS, "only what was under way runs again"


@pytest.mark.parametrize("url", ["postgres"], indirect=True)
async def test_work_that_was_given_to_another_is_cancelled_where_it_still_runs(
    url: str, tmp_path: Path
) -> None:
    ledger = tmp_path / "ledger"
    async with open_pool(url) as pool:
        with crew(MODULE, (url,), (str(ledger), "600")) as workers:
            workers.begin("w1")
            await pool.submit(items(1))

            async def begun() -> bool:
                return bool(lines_of(ledger, "begun", "w1"))

            await wait_for(begun)
            workers.stop("w1")
            await pool.forget("w1")
            workers.begin("w2")

            async def begun_again() -> bool:
                return bool(lines_of(ledger, "begun", "w2"))

            await wait_for(begun_again)
            workers.wake("w1")

            async def given_up() -> bool:
                return bool(lines_of(ledger, "given-up", "w1"))

            await wait_for(given_up)
    assert not lines(ledger, "ended")


async def test_a_database_that_stops_hard_costs_nothing_but_time(
    server: PostgresServer, tmp_path: Path
) -> None:
    url, ledger, count = server.new_database(), tmp_path / "ledger", 12
    async with open_pool(url) as pool:
        with crew(MODULE, (url,), (str(ledger), "1")) as workers:
            workers.begin("w1", "w2")
            await pool.submit(items(count))

            async def in_the_middle() -> bool:
                return lines(ledger, "begun").total() >= 3

            await wait_for(in_the_middle)
            await anyio.to_thread.run_sync(server.stop_hard)

            async def rest_ended() -> bool:  # what runs goes on
                return lines(ledger, "ended").total() == lines(ledger, "begun").total()

            await wait_for(rest_ended)
            await anyio.sleep(2)
            await anyio.to_thread.run_sync(server.start)

            async def done() -> bool:
                return (await pool.counts()).done == count

            await wait_for(done)
            workers.end()
    assert lines(ledger, "begun").total() == lines(ledger, "ended").total() == count, "none twice"


SUBMITTER = """
import sys, anyio
from deskmate.engine.pool import open_pool
from deskmate.ports.engines import Item
async def main():
    async with open_pool(sys.argv[1]) as pool:
        print("begins", flush=True)
        await pool.submit(Item(key=f"job/{n:05}", arguments={}) for n in range(int(sys.argv[2])))
anyio.run(main)
"""


@pytest.mark.slow
@pytest.mark.timeout(1800)
async def test_ten_thousand_items_with_the_submitter_killed_once_and_workers_five_times(
    url: str, tmp_path: Path
) -> None:
    ledger, count, slots, kills = tmp_path / "ledger", 10_000, 16, 5
    words = [sys.executable, "-c", SUBMITTER, url, str(count)]
    async with open_pool(url) as pool:
        submitter = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE)
        assert submitter.stdout is not None

        async def some() -> bool:
            return (await pool.counts()).queued >= 1_000

        await wait_for(some, 300)
        submitter.kill()
        submitter.wait()
        submitter.stdout.close()
        partly = (await pool.counts()).queued
        assert 1_000 <= partly < count, "it was killed in the middle"
        await anyio.to_thread.run_sync(
            lambda: subprocess.run(words, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        )
        assert (await pool.counts()).queued == count, "submitted again, stored once"
        with crew(MODULE, (url,), (str(ledger), "0", str(slots))) as workers:
            names = ["w1", "w2", "w3"]
            workers.begin(*names)
            for kill in range(kills):
                target = (kill + 1) * count // (kills + 2)

                async def so_far(target: int = target) -> bool:
                    return (await pool.counts()).done >= target

                await wait_for(so_far, 900)
                name = names[kill % len(names)]
                await anyio.to_thread.run_sync(workers.kill, name)
                await anyio.to_thread.run_sync(workers.begin, name)

            async def done() -> bool:
                return (await pool.counts()).done == count

            await wait_for(done, 900)
            workers.end()
    begun, ended = lines(ledger, "begun"), lines(ledger, "ended")
    assert len(ended) == count
    print(f"{begun.total() - count} of {count} begun twice, {ended.total() - count} ended twice")
    assert begun.total() <= count + kills * slots, "at most what was under way at a kill"


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.skipif(os.getuid() != 0, reason="a network namespace of its own takes root")
async def test_a_host_that_is_cut_off_for_35_seconds_stores_nothing_late() -> None:
    """Its items are given to another by the operator's word once the database has let its name go."""
    with tempfile.TemporaryDirectory(prefix="deskmate-partition-") as made:
        folder = Path(made)
        folder.chmod(0o755)
        words = ["unshare", "-n", sys.executable, "-m", "tests.fleet.partition_job", made, "35"]
        done = await anyio.to_thread.run_sync(
            lambda: subprocess.run(
                words, cwd=ROOT, capture_output=True, text=True, timeout=220, check=False
            )
        )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["results"] == found["items"]
    assert found["unchanged"], "what came back late changed nothing"
    assert found["begun"] <= found["items"] + SLOTS
    assert 0 < found["given_back"] <= 2 * SLOTS
