"""One QEMU process behind the second wall: started from descriptors, killed for good, never a zombie."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import socket
import struct
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from importlib.util import MAGIC_NUMBER, cache_from_source
from pathlib import Path
from typing import Any

import anyio

from deskmate.errors import ProtocolError, SandboxUnavailable
from deskmate.sandbox import launcher
from deskmate.sandbox.channel import Channel
from deskmate.sandbox.files_disk import FilesDisk
from deskmate.sandbox.qemu import PORTS, Qemu, Shape, command
from deskmate.sandbox.qmp import Qmp
from deskmate.sandbox.recipes import SCRATCH_BYTES

_LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/etc/ld.so.cache")
_LOADERS = ("/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1")
_START_S = 20.0
_KILL_S = 10.0
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
    qemu: Qemu, shape: Shape, files: Mapping[str, int], *, incoming: bool, shared: bool
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
        plan = launch_plan(qemu, shape, theirs, incoming=incoming, shared=shared)
        try:
            child, report = _spawn(plan, tuple(theirs.values()))
        finally:
            for name in ("qmp", *PORTS):
                os.close(theirs[name])
        process = Process(
            child=child,
            qmp=Qmp(ours["qmp"]),
            agent=ours["agent"],
            bulk=ours["bulk"],
            egress=ours["egress"],
            walls={},
        )
        stack.callback(_close_pipes, child)
        stack.push_async_callback(process.kill)
        try:
            process.walls = await _walls(report)
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
    child, report = _spawn(plan, ())
    try:
        return await _walls(report)
    finally:
        child.kill()
        child.wait()
        _close_pipes(child)


def _spawn(plan: Mapping[str, Any], fds: tuple[int, ...]) -> tuple[subprocess.Popen[bytes], int]:
    report, far_report = os.pipe()
    arguments = [sys.executable, "-I", "-S", _launcher(), str(os.getpid()), str(far_report)]
    try:
        child = subprocess.Popen(
            arguments,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            pass_fds=[*fds, far_report],
            env={"PATH": "/usr/bin:/bin"},
            cwd="/",
        )
    finally:
        os.close(far_report)
    assert child.stdin is not None
    with contextlib.suppress(BrokenPipeError):
        child.stdin.write(json.dumps(plan).encode() + b"\n")
        child.stdin.flush()
    return child, report


@functools.cache
def _launcher() -> str:
    """Return the launcher's compiled form if it is that of its source: compiling it takes milliseconds."""
    compiled = cache_from_source(launcher.__file__)
    try:
        source = Path(launcher.__file__).stat()
        with Path(compiled).open("rb") as file:
            header = file.read(16)
    except OSError:
        return launcher.__file__
    times = struct.pack("<II", int(source.st_mtime) & 0xFFFFFFFF, source.st_size & 0xFFFFFFFF)
    return compiled if header == MAGIC_NUMBER + bytes(4) + times else launcher.__file__


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


async def _walls(report: int) -> dict[str, Any]:
    try:
        with anyio.fail_after(_START_S):
            await anyio.wait_readable(report)
            line = os.read(report, 65536)
    finally:
        os.close(report)
    try:
        walls = json.loads(line)
    except ValueError as error:
        raise SandboxUnavailable("the launcher died before QEMU") from error
    if not isinstance(walls, dict) or "error" in walls:
        raise SandboxUnavailable(f"the launcher refused: {walls.get('error', 'no reason')}")
    return walls


async def _close(stream: Channel) -> None:
    with anyio.CancelScope(shield=True):
        await stream.aclose()


def _close_pipes(child: subprocess.Popen[bytes]) -> None:
    for pipe in (child.stdin, child.stderr):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()
