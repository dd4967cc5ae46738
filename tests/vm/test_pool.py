"""Machines that waited: as fresh as restored ones, handed out once, and gone with the pool."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import anyio
import pytest

from deskmate.ports import SandboxSpec
from deskmate.sandbox.adapter import QemuSandbox
from deskmate.sandbox.machine import QemuMachine
from deskmate.types.ids import ThreadId

pytestmark = [pytest.mark.vm, pytest.mark.anyio]

SPEC = SandboxSpec(thread=ThreadId("t-pool"), plugins=())
WHO = (
    "import random, time, uuid, socket;"
    "print(uuid.uuid4(), random.random(), socket.gethostname(), open('/etc/machine-id').read().strip(), time.time())"
)


async def waiting(sandbox: QemuSandbox) -> None:
    with anyio.fail_after(60):
        while not sandbox.waiting:
            await anyio.sleep(0.05)


async def call(machine: QemuMachine, tool: str, arguments: dict[str, str], key: str) -> str:
    outcome = await machine.call(
        tool, arguments, key=key, timeout_s=60, on_progress=lambda line: None
    )
    assert not outcome.is_error, outcome.text
    return outcome.text


async def who(machine: QemuMachine) -> list[str]:
    output = json.loads(await call(machine, "workspace__python", {"code": WHO}, "who"))["output"]
    return str(output).split()


async def test_machines_that_waited_share_nothing_and_have_the_right_time(
    sandbox: QemuSandbox,
) -> None:
    found, pids = [], []
    async with sandbox.pooled():
        for _ in range(4):
            async with sandbox.open(SPEC, lambda line: None) as machine:
                pids.append(machine.process.pid)
                found.append(await who(machine))
                assert abs(float(found[-1][4]) - time.time()) < 10
                status = await machine.status("practice-0")
                assert status == ("unknown", None), "the ledger knows of the practice"
            await waiting(sandbox)
            await anyio.sleep(1)  # the guest's clock stands still meanwhile
        async with sandbox.clean_room((), lambda line: None) as room:
            pids.append(room.process.pid)
    for values in list(zip(*found, strict=True))[:4]:
        assert len(set(values)) == 4, values
    assert len(set(pids)) == 5
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)


async def test_a_machine_that_died_waiting_is_replaced_without_a_word(sandbox: QemuSandbox) -> None:
    async with sandbox.pooled():
        async with sandbox.open(SPEC, lambda line: None):
            await waiting(sandbox)
        pool = sandbox._pool
        assert pool is not None
        spare = pool._slots[0].machine
        assert spare is not None
        os.kill(spare.process.pid, 9)
        async with sandbox.open(SPEC, lambda line: None) as machine:
            assert machine.process.pid != spare.process.pid
            await call(machine, "workspace__glob", {"pattern": "*"}, "after")


async def test_an_error_of_the_work_is_the_works_own(sandbox: QemuSandbox) -> None:
    with pytest.raises(ZeroDivisionError):
        async with sandbox.pooled():
            raise ZeroDivisionError
    assert sandbox._pool is None
