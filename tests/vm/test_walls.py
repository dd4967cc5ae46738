"""What a guest, and a QEMU that was taken over, cannot do; and what becomes of a machine that dies."""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest

from deskmate.errors import SandboxUnavailable
from deskmate.ports import SandboxSpec, ToolOutcome
from deskmate.sandbox.adapter import QemuSandbox
from deskmate.sandbox.machine import QemuMachine
from deskmate.types.ids import ThreadId

pytestmark = [pytest.mark.vm, pytest.mark.anyio]


@asynccontextmanager
async def _machine(sandbox: QemuSandbox) -> AsyncIterator[QemuMachine]:
    spec = SandboxSpec(thread=ThreadId("t-walls"), plugins=())
    async with sandbox.open(spec, lambda line: None) as machine:
        yield machine


async def _shell(machine: QemuMachine, command: str, timeout_s: float = 60) -> ToolOutcome:
    return await machine.call(
        "workspace__shell",
        {"command": command},
        key=secrets.token_hex(8),
        timeout_s=timeout_s,
        on_progress=lambda line: None,
    )


async def _output(machine: QemuMachine, command: str) -> str:
    outcome = await _shell(machine, command)
    assert isinstance(outcome.structured, dict), outcome.text
    return str(outcome.structured["output"])


async def test_the_qemu_process_has_no_rights_left(sandbox: QemuSandbox) -> None:
    async with _machine(sandbox) as machine:
        text = Path(f"/proc/{machine.process.pid}/status").read_text()
        status = dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)
        assert status["NoNewPrivs"] == "1"
        assert status["Seccomp"] == "2"
        assert int(status["CapEff"], 16) == 0
        if os.geteuid() == 0:
            assert "0" not in status["Uid"].split()
        assert machine.process.walls["no_new_privs"] is True


async def test_the_guest_has_no_network_device(sandbox: QemuSandbox) -> None:
    async with _machine(sandbox) as machine:
        assert (await _output(machine, "ls /sys/class/net")).split() == ["lo"]
        devices = await _output(machine, "cat /sys/bus/virtio/devices/*/device | sort | uniq -c")
        assert sorted(row.split()[1] for row in devices.splitlines()) == [
            "0x0002",
            "0x0003",
            "0x0004",
        ]


async def test_two_restores_have_different_random_numbers(sandbox: QemuSandbox) -> None:
    command = (
        "python3 -c 'import uuid, random, os; print(uuid.uuid4(), random.random(), os.urandom(8).hex())';"
        "cat /etc/machine-id; hostname"
    )
    async with _machine(sandbox) as one, _machine(sandbox) as other:
        first = (await _output(one, command)).split()
        second = (await _output(other, command)).split()
    assert len(first) == 5
    assert not set(first) & set(second)


async def test_a_call_on_a_killed_machine_is_unavailable_and_leaves_no_zombie(
    sandbox: QemuSandbox,
) -> None:
    async with _machine(sandbox) as machine:
        pid = machine.process.pid

        async def kill() -> None:
            await anyio.sleep(0.5)
            os.kill(pid, 9)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(kill)
            with pytest.raises(SandboxUnavailable):
                await _shell(machine, "sleep 60")
        assert not await machine.alive()
    assert not Path(f"/proc/{pid}").exists()


async def test_closing_a_machine_leaves_no_process_and_no_file(sandbox: QemuSandbox) -> None:
    async with _machine(sandbox) as machine:
        pid = machine.process.pid
        assert Path(f"/proc/{pid}").exists()
    assert not Path(f"/proc/{pid}").exists()
    folder = sandbox._places.machines
    assert not folder.exists() or list(folder.iterdir()) == []


async def test_nothing_of_the_hosts_environment_is_in_the_machine(
    sandbox: QemuSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    canary = secrets.token_hex(16)
    monkeypatch.setenv("DESKMATE_TEST_SECRET", canary)
    async with _machine(sandbox) as machine:
        await _output(machine, "env")
        assert canary not in await _output(machine, "env; cat /proc/cmdline")
        try:
            found = _memory_holds(machine.process.pid, canary.encode())
        except PermissionError:
            pytest.skip("this user may not read QEMU's memory: it is the walls' own doing")
    assert not found


def _memory_holds(pid: int, needle: bytes) -> bool:
    maps = Path(f"/proc/{pid}/maps").read_text().splitlines()
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for line in maps:
            span, rights = line.split()[:2]
            if not rights.startswith("rw"):
                continue
            start, end = (int(part, 16) for part in span.split("-"))
            tail = b""
            while start < end:
                try:
                    chunk = os.pread(memory.fileno(), min(1 << 22, end - start), start)
                except OSError:
                    break
                if needle in tail + chunk:
                    return True
                tail = chunk[-len(needle) :]
                start += len(chunk) or 1 << 22
    return False
