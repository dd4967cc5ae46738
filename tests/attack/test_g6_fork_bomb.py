"""A fork bomb in a tool: the agent answers meanwhile, the bomb ends with its call, and the host does not notice."""

from __future__ import annotations

import time

import anyio
import pytest
from tests.attack.conftest import OpenMachine, call_of, output_of
from tests.attack.host import resident_mib, watched_loop
from tests.attack.table import Attempts

from deskmate.sandbox.machine import QemuMachine

pytestmark = [pytest.mark.vm, pytest.mark.anyio, pytest.mark.attack("G6")]
PING_LIMIT_S = 2.0
BOMBS = {
    "bash": "f() { f | f & }; f; sleep 60",
    "python": "python3 -c 'import os\nwhile True:\n try: os.fork()\n except OSError: pass'",
    "sessions": "python3 -c 'import os\nwhile True:\n try: os.fork() or os.setsid()\n except OSError: pass'",
}


@pytest.mark.parametrize(
    "bomb",
    ["bash", *(pytest.param(name, marks=pytest.mark.slow) for name in ("python", "sessions"))],
)
async def test_a_fork_bomb_silences_nobody(
    bomb: str, open_machine: OpenMachine, attempt: Attempts
) -> None:
    async with open_machine() as machine:
        pings: list[float] = []
        async with watched_loop() as late, anyio.create_task_group() as tasks:
            tasks.start_soon(ping, machine, pings)
            outcome = await call_of(machine, BOMBS[bomb], timeout_s=10)
            tasks.cancel_scope.cancel()
        assert len(pings) > 5
        attempt(
            f"{bomb}: the agent answers after {max(pings):.1f} s", blocked=max(pings) < PING_LIMIT_S
        )
        attempt(f"{bomb}: the host is slow", blocked=sorted(late)[len(late) * 99 // 100] < 0.5)
        left = await output_of(
            machine, "cat /sys/fs/cgroup/plugins/workspace/pids.current; ps -e | wc -l"
        )
        attempt(f"{bomb}: {left.split()} live on", blocked=int(left.split()[1]) < 12)
        again = await output_of(machine, "echo well")
        attempt(f"{bomb}: no call works any more", blocked=again == "well\n")
        attempt(f"{bomb}: QEMU's memory", blocked=resident_mib(machine.process.pid) < 384 + 150)
        assert outcome.text


async def ping(machine: QemuMachine, seen: list[float]) -> None:
    """Ping four times a second, and note how long each answer took."""
    while True:
        began = time.monotonic()
        await machine.guest.ping(30)
        seen.append(time.monotonic() - began)
        await anyio.sleep(0.25)
