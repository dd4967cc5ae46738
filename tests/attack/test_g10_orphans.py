"""The host process is killed: no QEMU lives on, and the next one finds nothing of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import anyio.to_thread
import pytest
from tests.attack.host import gone
from tests.attack.table import Attempts

from deskmate.types.places import Places

pytestmark = [pytest.mark.vm, pytest.mark.anyio, pytest.mark.attack("G10")]
ROOT = Path(__file__).parents[2]
LIMIT_S = 5.0

HOST = """
import os, signal, sys, anyio
from pathlib import Path
from deskmate.host.adapters import Adapters
from deskmate.types.places import Places
signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background begins without it
async def main():
    cache = Path(sys.argv[1])
    sandbox = Adapters(Places(data=cache, cache=cache, config=cache / "none")).sandbox()
    async with sandbox.clean_room((), lambda line: None) as machine:
        print(machine.process.pid, flush=True)
        await anyio.sleep_forever()
anyio.run(main)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
async def test_no_machine_outlives_the_process_that_started_it(
    number: signal.Signals, places: Places, attempt: Attempts
) -> None:
    host = subprocess.Popen(
        [sys.executable, "-c", HOST, places.cache], cwd=ROOT, stdout=subprocess.PIPE
    )
    assert host.stdout is not None
    try:
        pid = int(await anyio.to_thread.run_sync(host.stdout.readline))
        assert Path(f"/proc/{pid}").exists()
        os.kill(host.pid, number)
        attempt(f"QEMU lives on after {number.name}", blocked=await gone(pid, LIMIT_S))
        assert await anyio.to_thread.run_sync(host.wait, 30) != 0
        left = list(places.machines.iterdir()) if places.machines.exists() else []
        mine = [path for path in left if str(host.pid) in path.name]
        attempt(f"files are left: {mine}", blocked=not mine)
    finally:
        host.kill()
        host.wait()
        host.stdout.close()
