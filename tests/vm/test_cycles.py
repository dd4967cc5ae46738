"""Starting and stopping machines many times leaves nothing behind; many live at once and all answer."""

from __future__ import annotations

import os
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from deskmate.ports import SandboxSpec
from deskmate.sandbox.adapter import QemuSandbox
from deskmate.sandbox.machine import QemuMachine
from deskmate.types.ids import ThreadId
from deskmate.types.places import Places

pytestmark = [pytest.mark.vm, pytest.mark.anyio]

SPEC = SandboxSpec(thread=ThreadId("t-cycles"), plugins=())


def left(places: Places) -> tuple[int, int, list[str]]:
    """Return this process's children, its descriptors, and the files of machines."""
    files = [str(path) for path in places.machines.rglob("*")] if places.machines.is_dir() else []
    fds = len(list(Path("/proc/self/fd").iterdir()))
    children = [
        child.strip()
        for child in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    ]
    return len(children), fds, files


async def call(machine: QemuMachine, key: str) -> None:
    outcome = await machine.call(
        "workspace__glob", {"pattern": "*"}, key=key, timeout_s=120, on_progress=lambda line: None
    )
    assert not outcome.is_error, outcome.text


@pytest.mark.parametrize(
    "cycles",
    [15, pytest.param(500, marks=[pytest.mark.slow, pytest.mark.timeout(3600)])],
)
async def test_machines_that_come_and_go_leave_nothing(
    cycles: int, sandbox: QemuSandbox, places: Places
) -> None:
    await sandbox.registry((), lambda line: None)  # settles the layer, whatever is edited meanwhile
    async with sandbox.open(SPEC, lambda line: None) as machine:
        await call(machine, "first")  # what is opened once and kept is open now
    before = left(places)
    for number in range(cycles):
        async with sandbox.open(SPEC, lambda line: None) as machine:
            if number % 5 == 0:
                await call(machine, "now and then")
    assert left(places) == before


@pytest.mark.slow
@pytest.mark.timeout(3600)
async def test_a_hundred_machines_live_at_once_and_all_answer(sandbox: QemuSandbox) -> None:
    async with AsyncExitStack() as stack:
        machines = [
            await stack.enter_async_context(sandbox.open(SPEC, lambda line: None))
            for _ in range(100)
        ]
        assert len({machine.id for machine in machines}) == 100
        for number, machine in enumerate(machines):
            await call(machine, f"call-{number}")
