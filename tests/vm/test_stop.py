"""The stop switch on a real machine: QEMU is gone, the thread can go on."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from deskmate.host.stopping import descendants, stop_threads
from deskmate.store.making import create_thread
from deskmate.store.thread import open_thread
from deskmate.types.events import RunFinished
from deskmate.types.places import Places

pytestmark = [pytest.mark.vm, pytest.mark.anyio]

RUN = """
import sys
from pathlib import Path
import anyio
from deskmate.cli.run import until_interrupted
from deskmate.host import Host, RunOrder
from deskmate.testing.scripted_model import ScriptedModel
from deskmate.types.places import Places

class Nobody:
    async def approve(self, tool, arguments, why):
        return None

async def work():
    root = Path(sys.argv[1])
    own = Places(data=root / "d", cache=Path(sys.argv[2]), config=root / "f")
    model = ScriptedModel([(("workspace__shell", {"command": "sleep 600"}),), "Done."])
    host = Host(own, model=model)
    order = RunOrder(text="Wait.")
    return await host.run(order, sys.argv[3], observer=lambda item: None, approver=Nobody())

try:
    anyio.run(until_interrupted, work)
except KeyboardInterrupt:
    raise SystemExit(130)
"""


async def test_a_stopped_run_leaves_no_machine(places: Places, tmp_path: Path) -> None:
    threads = tmp_path / "d/threads"
    thread = await create_thread(threads, "T", version="0")
    command = [sys.executable, "-c", RUN, str(tmp_path), str(places.cache), thread]
    process = subprocess.Popen(command)
    try:
        with anyio.fail_after(200):
            while not await has(threads, thread, "ToolStarted"):
                await anyio.sleep(0.1)
        family = descendants(process.pid)
        assert family, "a machine must be running"
        (stopped,) = await stop_threads(threads, [thread])
        assert stopped.how in ("stopped", "killed")
        assert not [one for one in family if Path(f"/proc/{one.pid}/exe").exists()]
        assert await anyio.to_thread.run_sync(process.wait, 60) == 130
    finally:
        process.kill()
        process.wait()
    async with open_thread(threads, thread, write=False) as store:
        ends = [
            e.payload.reason for e in await store.events() if isinstance(e.payload, RunFinished)
        ]
    assert ends == ["stopped"]


async def has(threads: Path, thread: str, kind: str) -> bool:
    async with open_thread(threads, thread, write=False) as store:
        return any(event.kind == kind for event in await store.events())
