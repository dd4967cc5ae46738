"""What a QEMU that was taken over can open on the host: its own disks, its libraries, and nothing else."""

from __future__ import annotations

import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from deskmate.errors import SandboxUnavailable
from deskmate.ports import SandboxSpec
from deskmate.sandbox.adapter import QemuSandbox
from deskmate.sandbox.machine import QemuMachine
from deskmate.types.ids import ThreadId

pytestmark = [pytest.mark.vm, pytest.mark.anyio, pytest.mark.attack("G13")]


@asynccontextmanager
async def machine_of(sandbox: QemuSandbox, thread: str) -> AsyncIterator[QemuMachine]:
    """Open a machine without plugins."""
    spec = SandboxSpec(thread=ThreadId(thread), plugins=())
    async with sandbox.open(spec, lambda line: None) as machine:
        yield machine


async def opened(machine: QemuMachine, path: str, number: int, *, read_only: bool = True) -> str:
    """Have QEMU open a file as a disk; returns the refusal, empty when it was opened."""
    disk = {
        "driver": "raw", "node-name": f"t{number}", "read-only": read_only,
        "file": {"driver": "file", "filename": path, "locking": "off"},
    }  # fmt: skip
    return await refused(machine, "blockdev-add", disk)


async def refused(machine: QemuMachine, command: str, arguments: dict[str, Any]) -> str:
    """Return why QEMU could not do it, empty when it could."""
    try:
        await machine.process.qmp.execute(command, **arguments)
    except SandboxUnavailable as error:
        return error.message or "refused"
    return ""


def files_of(pid: int) -> list[tuple[str, str]]:
    """Return (path below /proc, what it is) of a process's open files and links."""
    folder = Path(f"/proc/{pid}/fd")
    found = []
    for path in sorted(folder.iterdir()):
        with suppress(FileNotFoundError):  # the descriptor of this very listing
            found.append((str(path), str(path.readlink())))
    return found


async def test_a_taken_over_qemu_opens_no_file_of_the_host_or_of_another_machine(
    sandbox: QemuSandbox, public_tmp_path: Path
) -> None:
    secret = public_tmp_path / "secret"  # only the walls keep it
    secret.write_text("secret " * 200)
    secret.chmod(0o644)
    async with machine_of(sandbox, "t-a") as machine, machine_of(sandbox, "t-b") as other:
        own, theirs, host = machine.process.pid, other.process.pid, os.getpid()
        paths = [
            *("/etc/shadow", "/etc/passwd", "/etc/hostname", str(secret), "/proc/self/environ"),
            *(f"/proc/{pid}/{name}" for pid in (own, host, theirs) for name in ("environ", "maps", "mem")),
            *(path for path, _ in files_of(theirs)),
            *(path for path, _ in files_of(host)),
            *("/dev/mem", "/dev/sda", "/dev/random", "/dev/shm", "/run", "/tmp"),
        ]  # fmt: skip
        got = [
            path
            for number, path in enumerate(paths)
            if not await opened(machine, path, number) and Path(path).resolve() != Path("/dev/null")
        ]
        assert got == []


async def test_a_taken_over_qemu_cannot_write_the_disks_that_machines_share(
    sandbox: QemuSandbox,
) -> None:
    async with machine_of(sandbox, "t-a") as machine:
        for number in (1, 2):
            path = f"/dev/fdset/{number}"
            assert await opened(machine, path, 900 + number, read_only=False)
        for path, target in files_of(machine.process.pid):
            if ".cache" in target or "layers" in target or "images" in target:
                info = Path(path.replace("/fd/", "/fdinfo/")).read_text()
                flags = int(info.split("flags:")[1].split()[0], 8)
                assert flags & os.O_ACCMODE == os.O_RDONLY or "(deleted)" in target, target


async def test_a_taken_over_qemu_reaches_no_socket_and_no_process(
    sandbox: QemuSandbox, tmp_path: Path
) -> None:
    tmp_path.chmod(0o777)
    abstract = f"\0deskmate-{os.getpid()}"
    with socket.socket(socket.AF_UNIX) as named, socket.socket(socket.AF_UNIX) as hidden:
        named.bind(str(tmp_path / "s"))
        (tmp_path / "s").chmod(0o777)
        named.listen()
        hidden.bind(abstract)
        hidden.listen()
        async with machine_of(sandbox, "t-a") as machine, machine_of(sandbox, "t-b") as other:
            addresses = (
                {"type": "unix", "data": {"path": str(tmp_path / "s")}},
                {"type": "unix", "data": {"path": abstract[1:], "abstract": True, "tight": True}},
                {"type": "inet", "data": {"host": "127.0.0.1", "port": "9"}},
            )
            backends: list[dict[str, Any]] = [
                *({"type": "socket", "data": {"addr": at, "server": False}} for at in addresses),
                {"type": "file", "data": {"out": str(tmp_path / "o")}},
                {"type": "pty", "data": {}},
            ]
            file = {"qom-type": "memory-backend-file", "size": 4096, "mem-path": "/etc/passwd"}
            here = {"type": "unix", "data": {"path": str(tmp_path / "n")}}
            actions: list[tuple[str, dict[str, Any]]] = [
                *(("chardev-add", {"id": f"c{n}", "backend": b}) for n, b in enumerate(backends)),
                ("object-add", {**file, "id": "m", "share": False}),
                ("object-add", {"qom-type": "rng-random", "id": "r", "filename": "/etc/passwd"}),
                ("object-add", {"qom-type": "secret", "id": "s", "file": "/etc/hostname"}),
                ("dump-guest-memory", {"paging": False, "protocol": f"file:{tmp_path}/d"}),
                ("nbd-server-start", {"addr": here}),
            ]
            done = [action for action in actions if not await refused(machine, *action)]
            assert done == []
            status = [Path(f"/proc/{m.process.pid}/status").read_text() for m in (machine, other)]
            users = {text.split("Uid:")[1].split()[0] for text in status}
            assert len(users) == 2 or os.geteuid() != 0
            assert machine.process.walls["seccomp"] is True
        named.settimeout(0.1)
        with pytest.raises(TimeoutError):
            named.accept()
        assert [path.name for path in tmp_path.iterdir()] == ["s"]
