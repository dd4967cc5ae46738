"""What attack tests share: real machines that say for the table what they are, and canaries."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest
from tests.attack.canary import Canary
from tests.attack.evil.guest import EvilGuests
from tests.vm.conftest import anyio_backend, blobs, desk, make_home, places, sandbox

from deskmate.ports import SandboxSpec, ToolOutcome
from deskmate.sandbox.adapter import QemuSandbox
from deskmate.sandbox.machine import QemuMachine
from deskmate.types.files import Grant
from deskmate.types.ids import ThreadId
from deskmate.types.places import Places

__all__ = ["anyio_backend", "blobs", "desk", "make_home", "places", "sandbox"]

OpenMachine = Callable[..., AbstractAsyncContextManager[QemuMachine]]


@pytest.fixture
def canary() -> Canary:
    return Canary()


@pytest.fixture
def open_machine(sandbox: QemuSandbox, attack_facts: dict[str, str]) -> OpenMachine:
    """Opens a real machine without plugins: `async with open_machine("t-name") as machine`."""

    @asynccontextmanager
    async def opened(thread: str = "t-attack", *grants: Grant) -> AsyncIterator[QemuMachine]:
        spec = SandboxSpec(thread=ThreadId(thread), plugins=(), grants=grants)
        async with sandbox.open(spec, lambda line: None) as machine:
            shape = machine._template.shape
            attack_facts["qemu"] = shape.qemu
            attack_facts["accelerator"] = f"{shape.acceleration} ({machine.isolation})"
            if "guest_kernel" not in attack_facts:
                attack_facts["guest_kernel"] = (await output_of(machine, "uname -r")).strip()
            yield machine

    return opened


async def call_of(machine: QemuMachine, command: str, timeout_s: float = 60) -> ToolOutcome:
    """Run a shell command in the guest and return the tool's outcome."""
    return await machine.call(
        "workspace__shell",
        {"command": command, "timeout_s": max(1, int(timeout_s))},
        key=secrets.token_hex(8),
        timeout_s=timeout_s + 10,
        on_progress=lambda line: None,
    )


async def output_of(machine: QemuMachine, command: str, timeout_s: float = 60) -> str:
    """Run a shell command in the guest and return what it printed."""
    outcome = await call_of(machine, command, timeout_s)
    assert isinstance(outcome.structured, dict), outcome.text
    return str(outcome.structured["output"])


@pytest.fixture(scope="session")
def evil(
    sandbox: QemuSandbox, places: Places, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[EvilGuests]:
    """Machines whose guest was taken over: `async with evil.machine() as machine`."""
    made = EvilGuests(sandbox, places, tmp_path_factory.mktemp("evil"))
    yield made
    made.close()
