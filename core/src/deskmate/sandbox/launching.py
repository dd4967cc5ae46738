"""Starts launchers, one of them ahead of need: its interpreter takes as long to start as all its walls."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import socket
import struct
import subprocess
import sys
import threading
import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import MAGIC_NUMBER, cache_from_source
from pathlib import Path
from typing import Any

import anyio

from deskmate.errors import SandboxUnavailable
from deskmate.sandbox import launcher

_START_S = 20.0
_KILL_S = 10.0


@dataclass(slots=True)
class Launcher:
    """A launcher that waits for its plan; it becomes the planned program under the same process id.

    `report`: the descriptor on which it says which walls stand. `thread`: who started it; with the end of
    that thread the kernel ends what it became.
    """

    child: subprocess.Popen[bytes]
    control: socket.socket
    report: int
    thread: int

    def send(self, plan: Mapping[str, Any], files: Mapping[int, int] | None = None) -> None:
        """Hand over the plan and descriptors: number that it is to have there → descriptor here."""
        files = files or {}
        line = json.dumps({**plan, "given": list(files)}).encode()
        with self.control, contextlib.suppress(OSError):  # if it died, `walls` says so
            socket.send_fds(self.control, [line], list(files.values()))

    async def walls(self) -> dict[str, Any]:
        """Return which walls it has raised. Raises SandboxUnavailable if it refused, TimeoutError."""
        try:
            with anyio.fail_after(_START_S):
                await anyio.wait_readable(self.report)
                line = os.read(self.report, 65536)
        finally:
            os.close(self.report)
        try:
            walls = json.loads(line)
        except ValueError as error:
            raise SandboxUnavailable("the launcher died before QEMU") from error
        if not isinstance(walls, dict) or "error" in walls:
            raise SandboxUnavailable(f"the launcher refused: {walls.get('error', 'no reason')}")
        return walls

    def drop(self) -> None:
        """End one that got no plan."""
        self.control.close()
        os.close(self.report)
        self.child.kill()
        self.child.wait(_KILL_S)
        if self.child.stderr is not None:
            self.child.stderr.close()


class Launchers:
    """Keeps one launcher ready. It holds nothing of a machine; it ends with this object or this process."""

    def __init__(self) -> None:
        self._waiting: list[Launcher] = []
        weakref.finalize(self, _drop_all, self._waiting)

    def prepare(self) -> None:
        """Have one ready for the next machine that this thread starts; without one it is started then."""
        if not self._waiting:
            with contextlib.suppress(OSError):
                self._waiting.append(start_launcher())

    def take(self) -> Launcher:
        """Return the one that waits, else a new one."""
        while self._waiting:
            waiting = self._waiting.pop()
            if waiting.thread == threading.get_ident() and waiting.child.poll() is None:
                return waiting
            waiting.drop()
        return start_launcher()

    def close(self) -> None:
        """End the one that waits."""
        _drop_all(self._waiting)


def _drop_all(waiting: list[Launcher]) -> None:
    while waiting:
        waiting.pop().drop()


def start_launcher() -> Launcher:
    """Start a launcher; it waits for its plan."""
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    report, far_report = os.pipe()
    arguments = [sys.executable, "-I", "-S", _program(), str(os.getpid()), str(far_report)]
    try:
        child = subprocess.Popen(
            arguments,
            stdin=far.fileno(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            pass_fds=[far_report],
            env={"PATH": "/usr/bin:/bin"},
            cwd="/",
        )
    except OSError:
        near.close()
        os.close(report)
        raise
    finally:
        far.close()
        os.close(far_report)
    return Launcher(child, near, report, threading.get_ident())


@functools.cache
def _program() -> str:
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
