"""A host is cut off the network while its worker has items: run inside a network namespace of its own, as root.

Called as: unshare -n python -m tests.fleet.partition_job FOLDER SECONDS. Prints what came of it as JSON.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import anyio
import anyio.to_thread
from tests.fleet.postgres import PostgresServer
from tests.fleet.processes import crew, lines, lines_of, wait_for

from deskmate.engine.pool import open_pool, pool_url
from deskmate.engine.pool_worker import is_claimed
from deskmate.ports.engines import Item

HERE, THERE = "10.77.0.1", "10.77.0.2"
COUNT, MODULE = 12, "tests.fleet.worker_process"


def shell(line: str) -> None:
    subprocess.run(line, shell=True, check=True)


async def main(folder: Path, cut_s: float) -> None:
    ledger = folder / "ledger"
    shell("ip link set lo up")
    other = subprocess.Popen(["unshare", "-n", "sleep", "1000"])
    try:
        await anyio.sleep(0.5)
        shell("ip link add near type veth peer name far")
        shell(f"ip link set far netns {other.pid}")
        shell(f"ip addr add {HERE}/24 dev near && ip link set near up")
        inside = f"nsenter -t {other.pid} -n"
        shell(f"{inside} ip addr add {THERE}/24 dev far && {inside} ip link set far up")
        server = PostgresServer(folder / "pg", HERE)
        (folder / "pg").mkdir()
        server.make()
        (folder / "pg/data/pg_hba.conf").open("a").write("host all all 10.77.0.0/24 trust\n")
        server.start()
        try:
            await cut_off(server.new_database(), ledger, other.pid, cut_s)
        finally:
            server.stop_hard()
    finally:
        other.kill()
        other.wait()


async def cut_off(url: str, ledger: Path, namespace: int, cut_s: float) -> None:
    inside = ("nsenter", "-t", str(namespace), "-n")
    async with open_pool(url) as pool:
        with (
            crew(MODULE, (url,), (str(ledger), "1"), inside) as far,
            crew(MODULE, (url,), (str(ledger), "1")) as near,
        ):
            far.begin("w1")
            await pool.submit(Item(key=f"job/{n:05}", arguments={}) for n in range(COUNT))

            async def begun() -> bool:
                return bool(lines_of(ledger, "begun", "w1"))

            await wait_for(begun)
            shell("ip link set near down")
            cut = time.monotonic()
            near.begin("w2")

            async def let_go() -> bool:
                return not await anyio.to_thread.run_sync(is_claimed, pool_url(url), "w1")

            await wait_for(let_go, 60)
            let_go_s = time.monotonic() - cut
            given_back = await pool.forget("w1")

            async def done() -> bool:
                return (await pool.counts()).done == COUNT

            await wait_for(done)
            before = await anyio.to_thread.run_sync(pool.tally)
            await anyio.sleep(max(0, cut_s - (time.monotonic() - cut)))
            shell("ip link set near up")

            async def back() -> bool:
                return await anyio.to_thread.run_sync(is_claimed, pool_url(url), "w1")

            await wait_for(back, 90)
            await anyio.sleep(3)
            after = await anyio.to_thread.run_sync(pool.tally)
            near.end()
            far.end()
    begun_all, ended = lines(ledger, "begun"), lines(ledger, "ended")
    print(
        json.dumps(
            {
                "items": COUNT,
                "results": len(ended),
                "begun": begun_all.total(),
                "given_back": given_back,
                "let_go_s": round(let_go_s, 1),
                "unchanged": before == after,
            }
        )
    )


if __name__ == "__main__":
    anyio.run(main, Path(sys.argv[1]), float(sys.argv[2]))
