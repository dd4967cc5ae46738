"""One QEMU process behind the second wall: started from descriptors, killed for good, never a zombie."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio

from deskmate.errors import ProtocolError, SandboxUnavailable
from deskmate.sandbox.channel import Channel
from deskmate.sandbox.files_disk import FilesDisk
from deskmate.sandbox.launching import Launchers, start_launcher
from deskmate.sandbox.qemu import PORTS, Qemu, Shape, command
from deskmate.sandbox.qmp import Qmp
from deskmate.sandbox.recipes import SCRATCH_BYTES

_LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/etc/ld.so.cache")
_LOADERS = ("/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1")
_START_S = 20.0
_KILL_S = 10.0
_FIRST_NUMBER = 100
"""Of the descriptors that QEMU has: above all that the launcher may have open."""
_PROBE_BYTES = 1 << 30


@dataclass(slots=True, kw_only=True)
class Process:
    """A running QEMU with its channels.

    `walls`: what the launcher reported. `launched_s`: seconds until it handed over to QEMU. `files`: the disk
    that the host writes; a VM that becomes a template has none.
    """

    child: subprocess.Popen[bytes]
    qmp: Qmp
    agent: Channel
    bulk: Channel
    egress: Channel
    walls: Mapping[str, Any]
    launched_s: float = 0.0
    files: FilesDisk | None = None

    @property
    def pid(self) -> int:
        """The process id; the launcher becomes QEMU under the same id."""
        return self.child.pid

    @property
    def running(self) -> bool:
        """Whether the process lives; reaps it if it does not."""
        return self.child.poll() is None

    def last_words(self) -> str:
        """Return the last lines of what QEMU wrote to its error output, at most 600 characters."""
        assert self.child.stderr is not None
        os.set_blocking(self.child.stderr.fileno(), False)
        text = (self.child.stderr.read() or b"").decode("utf-8", "replace")
        return " ".join(text.split())[-600:]

    async def console(self) -> str:
        """Return what the guest's console holds, at most 64 KiB."""
        return str(await self.qmp.execute("ringbuf-read", device="console", size=65536))

    async def kill(self) -> None:
        """End the process and reap it."""
        with anyio.CancelScope(shield=True):
            if self.running:
                self.child.kill()
            with anyio.move_on_after(_KILL_S):
                while self.running:  # noqa: ASYNC110 - a process has no event to wait for
                    await anyio.sleep(0.002)


@asynccontextmanager
async def start(
    qemu: Qemu,
    shape: Shape,
    files: Mapping[str, int],
    *,
    incoming: bool,
    shared: bool,
    launchers: Launchers | None = None,
) -> AsyncIterator[Process]:
    """Start QEMU and yield it when QMP answers; on exit it is dead and reaped.

    `files`: kernel, initrd, ram and the disks → open descriptor, which stays the caller's. Must be
    called on a thread that outlives the VM: the kernel kills QEMU when the starting thread ends.
    Raises SandboxUnavailable with QEMU's or the launcher's reason.
    """
    async with AsyncExitStack() as stack:
        ours: dict[str, Channel] = {}
        theirs: dict[str, int] = dict(files)
        for name in ("qmp", *PORTS):
            near, far = socket.socketpair()
            ours[name] = Channel(near)
            stack.push_async_callback(_close, ours[name])
            theirs[name] = far.detach()
        began = time.monotonic()
        numbers = {name: _FIRST_NUMBER + count for count, name in enumerate(theirs)}
        plan = launch_plan(qemu, shape, numbers, incoming=incoming, shared=shared)
        try:
            started = launchers.take() if launchers is not None else start_launcher()
            started.send(plan, {numbers[name]: fd for name, fd in theirs.items()})
        finally:
            for name in ("qmp", *PORTS):
                os.close(theirs[name])
        process = Process(
            child=started.child,
            qmp=Qmp(ours["qmp"]),
            agent=ours["agent"],
            bulk=ours["bulk"],
            egress=ours["egress"],
            walls={},
        )
        stack.callback(_close_pipes, started.child)
        stack.push_async_callback(process.kill)
        try:
            process.walls = await started.walls()
            process.launched_s = time.monotonic() - began
            await process.qmp.connect(_START_S)
        except (TimeoutError, anyio.EndOfStream, ProtocolError, SandboxUnavailable) as error:
            await process.kill()
            words = process.last_words() or str(error)
            raise SandboxUnavailable(f"QEMU did not start: {words}") from error
        yield process


async def probe_walls() -> Mapping[str, Any]:
    """Return which walls the launcher raises here, found out around a program that does nothing.

    Raises SandboxUnavailable when it raises none.
    """
    program = str(Path("/bin/true").resolve())
    plan = {
        **dict.fromkeys(("write", "read_fds", "write_fds", "groups", "keep_fds"), ()),
        "command": [program],
        "read": _LIBRARIES,
        "execute": [program, *(str(Path(name).resolve()) for name in _LOADERS)],
        "file_limit_bytes": SCRATCH_BYTES,
        "memory_limit_bytes": _PROBE_BYTES,
    }
    started = start_launcher()
    started.send(plan)
    try:
        return await started.walls()
    finally:
        started.child.kill()
        started.child.wait()
        _close_pipes(started.child)


def launch_plan(
    qemu: Qemu, shape: Shape, fds: Mapping[str, int], *, incoming: bool, shared: bool
) -> dict[str, Any]:
    """Return what the launcher is told: the command, and all of the host that it may touch."""
    return {
        "command": command(qemu, shape, fds, incoming=incoming, shared=shared),
        "read": [*_LIBRARIES, str(qemu.data / "qemu"), str(qemu.data / "seabios")],
        "execute": [str(qemu.binary), *(str(Path(name).resolve()) for name in _LOADERS)],
        "write": ["/dev/null", *(["/dev/kvm"] if shape.acceleration == "kvm" else [])],
        "read_fds": [fds["kernel"], fds["initrd"]],
        "write_fds": [fds["ram"]],
        "groups": [Path("/dev/kvm").stat().st_gid] if shape.acceleration == "kvm" else [],
        "keep_fds": sorted(fds.values()),
        "file_limit_bytes": SCRATCH_BYTES + (1 << 20),
        "memory_limit_bytes": shape.memory_limit_bytes,
    }


async def _close(stream: Channel) -> None:
    with anyio.CancelScope(shield=True):
        await stream.aclose()


def _close_pipes(child: subprocess.Popen[bytes]) -> None:
    if child.stderr is not None:
        with contextlib.suppress(OSError):
            child.stderr.close()
