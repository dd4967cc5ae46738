"""A worker of a pool in a process of its own, to be killed: its items take a while, and a ledger says what it did.

Called as: python -m tests.fleet.worker_process URL NAME LEDGER SECONDS [SLOTS]
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anyio

from deskmate.engine.pool_worker import Member, open_worker

SLOTS = 2


async def main(url: str, name: str, ledger: Path, seconds: float, slots: int) -> None:
    def note(what: str, key: str) -> None:
        line = f"{what} {key} {name}\n".encode()
        file = os.open(ledger, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(file, line)  # one write a line: several processes share it
        os.close(file)

    async def work(key: str, arguments: Mapping[str, Any]) -> None:
        note("begun", key)
        try:
            await anyio.sleep(seconds)
        except BaseException:
            note("given-up", key)
            raise
        note("ended", key)

    until = anyio.Event()

    async def listen() -> None:
        with anyio.open_signal_receiver(signal.SIGTERM) as signals:
            async for _ in signals:
                until.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(listen)
        async with open_worker(url, Member(name=name, slots=slots, version="0")) as worker:
            print("ready", flush=True)
            await worker.work(work, until=until)
        tasks.cancel_scope.cancel()


if __name__ == "__main__":
    url, name, ledger, seconds, *slots = sys.argv[1:]
    anyio.run(main, url, name, Path(ledger), float(seconds), int(slots[0]) if slots else SLOTS)
