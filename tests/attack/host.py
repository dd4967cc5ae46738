"""What attack tests look at on the host: a process's memory and files, the event loop's lag."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio


def resident_mib(pid: int) -> int:
    """Return a process's resident memory in MiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) >> 10
    raise AssertionError(f"process {pid} has no memory")


def written_bytes(pid: int) -> int:
    """Return what the regular files take on disk that a process holds open for writing."""
    total = 0
    for path in Path(f"/proc/{pid}/fd").iterdir():
        about = path.stat()
        flags = int(
            Path(f"/proc/{pid}/fdinfo/{path.name}").read_text().split("flags:")[1].split()[0], 8
        )
        if stat.S_ISREG(about.st_mode) and flags & os.O_ACCMODE != os.O_RDONLY:
            total += about.st_blocks * 512
    return total


@asynccontextmanager
async def watched_loop() -> AsyncIterator[list[float]]:
    """Measure meanwhile how late this process's event loop is: seconds, one every 20 ms."""
    late: list[float] = []

    async def watch() -> None:
        while True:
            began = time.monotonic()
            await anyio.sleep(0.02)
            late.append(time.monotonic() - began - 0.02)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(watch)
        yield late
        tasks.cancel_scope.cancel()


async def gone(pid: int, within_s: float) -> bool:
    """Wait until a process is no more, or a zombie of somebody else's."""
    with anyio.move_on_after(within_s):
        while True:
            try:
                state = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][:1]
            except OSError:
                return True
            if state == "Z":
                return True
            await anyio.sleep(0.02)
    return False
