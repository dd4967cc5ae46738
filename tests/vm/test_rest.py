"""An idle machine is stopped: it takes no processor time, and whoever uses it next notices nothing."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import anyio
import pytest

from deskmate.ports import SandboxSpec
from deskmate.sandbox.adapter import QemuSandbox
from deskmate.sandbox.machine import QemuMachine
from deskmate.testing.memory import MemoryBlobs
from deskmate.types.ids import ThreadId

pytestmark = [pytest.mark.vm, pytest.mark.anyio]

SPEC = SandboxSpec(thread=ThreadId("t-rest"), plugins=())


def processor_s(machine: QemuMachine) -> float:
    """Return the processor time that QEMU's threads have had."""
    tasks = Path(f"/proc/{machine.process.pid}/task").glob("*/schedstat")
    return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9


async def call(machine: QemuMachine, tool: str, key: str, **arguments: Any) -> str:
    outcome = await machine.call(
        f"workspace__{tool}", arguments, key=key, timeout_s=60, on_progress=lambda line: None
    )
    assert not outcome.is_error, outcome.text
    return outcome.text


async def test_an_idle_machine_takes_no_processor_time_and_goes_on_as_if_nothing_had_been(
    sandbox: QemuSandbox, blobs: MemoryBlobs
) -> None:
    async with sandbox.open(SPEC, lambda line: None) as machine:
        await call(machine, "write", "w", path="note.txt", content="kept\n")
        names = await call(machine, "shell", "n1", command="hostname; cat /etc/machine-id")
        with anyio.fail_after(60):
            while not machine.resting:
                await anyio.sleep(0.1)
        before = processor_s(machine)
        await anyio.sleep(4)
        assert processor_s(machine) - before < 0.1
        clock = json.loads(
            await call(machine, "python", "c", code="import time; print(time.time())")
        )
        assert abs(float(clock["output"]) - time.time()) < 3  # it stood still for longer
        assert await call(machine, "shell", "n2", command="hostname; cat /etc/machine-id") == names
        assert (await machine.status("w"))[0] == "finished"
        assert "kept" in await call(machine, "read", "r", path="note.txt")
        with anyio.fail_after(60):
            while not machine.resting:
                await anyio.sleep(0.1)
        difference, _ = await machine.difference((), blobs)
        assert [change.path for change in difference.changes] == ["note.txt"]
