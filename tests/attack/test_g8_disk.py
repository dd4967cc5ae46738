"""A guest fills its own disk, or the host's disk is full: it is told, nothing breaks, and work goes on."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest
from tests.attack.conftest import OpenMachine, output_of
from tests.attack.host import gone, written_bytes
from tests.attack.table import Attempts
from tests.vm.desk import make_desk

from deskmate.discovery.installed import find_plugins
from deskmate.discovery.layer import build_layer
from deskmate.discovery.registry_check import check_registry
from deskmate.errors import SandboxUnavailable
from deskmate.ports import SandboxSpec
from deskmate.sandbox.adapter import QemuSandbox
from deskmate.sandbox.recipes import SCRATCH_BYTES
from deskmate.types.ids import ThreadId
from deskmate.types.places import Places

pytestmark = [pytest.mark.vm, pytest.mark.anyio, pytest.mark.attack("G8")]
HOST_MIB = 40

FILL = """
cd /workspace
for n in 1 2 3 4; do fallocate -l 3900M full-$n; done
echo more > one-more && echo written
dd if=/dev/zero of=/home/agent/over bs=1M count=5000 seek=4090 2>&1 | grep -o 'File size limit\\|No space\\|File too large'
rm -f full-* one-more /home/agent/over
echo again > well && cat well
"""


async def test_a_full_guest_disk_is_told_to_the_tool_and_can_be_cleared(
    open_machine: OpenMachine, attempt: Attempts
) -> None:
    async with open_machine() as machine:
        said = await output_of(machine, FILL, timeout_s=120)
        attempt("more than the disk holds", blocked="No space left on device" in said)
        attempt("no work after clearing", blocked=said.endswith("again\n"))
        size = written_bytes(machine.process.pid)
        attempt(f"the host's disk takes {size >> 20} MiB", blocked=size <= SCRATCH_BYTES)
        attempt("the machine does not answer", blocked=await machine.alive())


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A host disk of a few MiB, where machines keep their scratch disks."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    folder = tmp_path / "small"
    folder.mkdir()
    options = f"size={HOST_MIB}m"
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "none", folder], check=False
    ).returncode:
        pytest.skip("this environment lets nobody mount a small disk")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


@pytest.fixture
def cramped(places: Places, small_disk: Path, tmp_path: Path) -> Iterator[QemuSandbox]:
    """A sandbox whose machines lie on the small disk."""
    own = make_desk(tmp_path / "home", places, "none").places
    own.machines.symlink_to(small_disk)
    catalogue = find_plugins()
    adapter = QemuSandbox(own, lambda p, g: build_layer(p, catalogue, own, g), check_registry)
    yield adapter
    adapter.close()


WRITE = "dd if=/dev/urandom of=/workspace/big bs=1M count=60 oflag=direct,sync status=none; sync; echo ended"


async def test_a_full_host_disk_pauses_the_machine_until_there_is_room(
    cramped: QemuSandbox, small_disk: Path, attempt: Attempts
) -> None:
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes((HOST_MIB - 24) << 20))
    told: list[str] = []
    async with cramped.open(
        SandboxSpec(thread=ThreadId("t-full"), plugins=()), told.append
    ) as machine:
        ballast.write_bytes(bytes((HOST_MIB - 20) << 20))

        async def make_room() -> None:
            with anyio.fail_after(120):
                while not any("full" in line for line in told):
                    await anyio.sleep(0.1)
            subprocess.run(["mount", "-o", "remount,size=400m", small_disk], check=True)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(make_room)
            outcome = await machine.call(
                "workspace__shell",
                {"command": WRITE, "timeout_s": 150},
                key="k",
                timeout_s=170,
                on_progress=told.append,
            )
        attempt(f"the work is lost: {outcome.text[:200]}", blocked="ended" in outcome.text)
        text = await output_of(
            machine, "stat -c %s /workspace/big; dmesg 2>/dev/null | grep -c 'I/O error'; true"
        )
        attempt(f"the disk is damaged: {text}", blocked=text.split()[0] == str(60 << 20))


@pytest.mark.slow
async def test_a_host_disk_that_stays_full_ends_the_machine_with_the_reason(
    cramped: QemuSandbox, attempt: Attempts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deskmate.sandbox.machine.FULL_DISK_WAIT_S", 2.0)
    spec = SandboxSpec(thread=ThreadId("t-full"), plugins=())
    async with cramped.open(spec, lambda line: None) as machine:
        pid = machine.process.pid
        with pytest.raises(SandboxUnavailable, match="disk is full"):
            await output_of(machine, WRITE, timeout_s=150)
        attempt("the machine lives on", blocked=await gone(pid, 5))
