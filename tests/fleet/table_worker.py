"""A worker that answers a pool's tables with a scripted model and machines that run in its own process.

Called as: python -m tests.fleet.table_worker URL STORE NAME LEDGER
"""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import anyio
from tests.unit.tables.table_rooms import AnsweringModel, DocumentBox, WallClock, reads_well

from deskmate.engine.pool_worker import Member
from deskmate.host.adapters import Adapters
from deskmate.host.fleet.place import PoolPlace
from deskmate.host.fleet.worker import run_worker
from deskmate.types.places import Places

COST, SLOTS = 0.01, 2


async def main(url: str, store: Path, name: str, ledger: Path) -> None:
    places = Places(data=store / name / "d", cache=store / name / "c", config=store / name / "f")
    adapters = Adapters(
        places,
        environ={},
        sandbox=DocumentBox(dies=0.1),
        model=AnsweringModel(reads_well, cost=COST, ledger=ledger),
        clock=WallClock(),
    )
    until = anyio.Event()

    async def listen() -> None:
        with anyio.open_signal_receiver(signal.SIGTERM) as signals:
            async for _ in signals:
                until.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(listen)
        await run_worker(
            adapters,
            PoolPlace(url=url, store=store),
            Member(name=name, slots=SLOTS, version="0"),
            lambda line: print(line, flush=True),
            until=until,
        )
        tasks.cancel_scope.cancel()


if __name__ == "__main__":
    anyio.run(main, sys.argv[1], Path(sys.argv[2]), sys.argv[3], Path(sys.argv[4]))
