"""Runs a command that a plugin in another format wants run at a moment, and that the user approved."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from typing import Any

from deskmate.plugin import ToolContext, ToolInputError
from deskmate_guest.workspace.commands import environment_of

_KEPT_BYTES = 32 << 10
_MAX_TIMEOUT_S = 120


def hook(
    command: str,
    given: str,
    environment: Mapping[str, str],
    context: ToolContext,
    arguments: Sequence[str] | None = None,
    timeout_s: int = 60,
) -> dict[str, Any]:
    """Run a plugin's command in /workspace and return its exit code and what it wrote. The program itself calls this.

    Args:
        command: what bash runs; a program where there are arguments.
        given: what it reads from its standard input.
        environment: variables beside the usual ones.
        context: filled in by Deskmate.
        arguments: the program's; no shell is asked then.
        timeout_s: seconds until it is killed, 1 to 120.
    """
    if not 1 <= timeout_s <= _MAX_TIMEOUT_S:
        raise ToolInputError(f"timeout_s is {timeout_s}; it must be 1 to {_MAX_TIMEOUT_S}.")
    words = ["/bin/bash", "-c", command] if arguments is None else [command, *arguments]
    with tempfile.TemporaryFile() as stdin:
        stdin.write(given.encode("utf-8", "replace"))
        stdin.seek(0)
        try:
            process = subprocess.Popen(
                words,
                cwd=context.workspace,
                env={**environment_of(context), **environment},
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else str(error)
            return {"exit_code": 127, "stdout": "", "stderr": f"{command}: {why}", "late": False}
    with process:
        return _followed(process, time.monotonic() + timeout_s)


def _followed(process: subprocess.Popen[bytes], deadline: float) -> dict[str, Any]:
    """Collect what it writes until it ends; all that it started ends with it."""
    assert process.stdout is not None
    assert process.stderr is not None
    kept = {stream.fileno(): bytearray() for stream in (process.stdout, process.stderr)}
    watch = os.pidfd_open(process.pid)
    try:
        late = _collect(kept, watch, deadline)
    finally:
        with contextlib.suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
        os.close(watch)
    code = process.wait()
    for fd in kept:
        os.set_blocking(fd, False)
        with contextlib.suppress(BlockingIOError):
            while _read(fd, kept):
                pass
    stdout, stderr = (bytes(data).decode("utf-8", "replace") for data in kept.values())
    return {"exit_code": code, "stdout": stdout, "stderr": stderr, "late": late}


def _collect(kept: dict[int, bytearray], watch: int, deadline: float) -> bool:
    """Read until the command ends. Returns True if the deadline came first."""
    with selectors.DefaultSelector() as selector:
        for fd in (watch, *kept):
            selector.register(fd, selectors.EVENT_READ)
        while (left := deadline - time.monotonic()) > 0:
            ready = [key.fd for key, _ in selector.select(left)]
            for fd in ready:
                if fd != watch and not _read(fd, kept):
                    selector.unregister(fd)
            if ready == [watch]:
                return False
    return True


def _read(fd: int, kept: dict[int, bytearray]) -> int:
    """Take one piece, as much of it as is kept; returns its size."""
    data = os.read(fd, 1 << 16)
    room = _KEPT_BYTES - len(kept[fd])
    kept[fd] += data[: max(room, 0)]
    return len(data)
