"""Runs programs: a shell command, or Python with the document libraries loaded already."""

from __future__ import annotations

import contextlib
import io
import os
import selectors
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from deskmate.plugin import ToolContext, ToolInputError
from deskmate_guest.randomness import reseed

_KEPT_BYTES = 30_000
_HALF = _KEPT_BYTES // 2
_MAX_TIMEOUT_S = 600
_PROGRESS_S = 2.0


def shell(command: str, context: ToolContext, timeout_s: int = 120) -> dict[str, Any]:
    """Run a bash command in /workspace and return its exit code and output.

    For git, ripgrep, tar, curl, sqlite3, pdftotext and other programs. Processes left in the background end with the
    call. Long output is cut in the middle; redirect it to a file under /home/agent and read that.

    Args:
        command: what bash runs, such as `ls -la contracts`.
        timeout_s: seconds until it is killed, 1 to 600.
        context: filled in by Deskmate.
    """
    if not 1 <= timeout_s <= _MAX_TIMEOUT_S:
        raise ToolInputError(f"timeout_s is {timeout_s}; it must be 1 to {_MAX_TIMEOUT_S}.")
    with subprocess.Popen(
        ["/bin/bash", "-c", command],
        cwd=context.workspace,
        env=environment_of(context),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        return _follow(process.pid, process.stdout.fileno(), timeout_s, context, process.wait)


def environment_of(context: ToolContext) -> dict[str, str]:
    """Return the shell's: what pip installs for the agent is on its path."""
    path = f"{context.home}/.local/bin:{os.environ.get('PATH', '/usr/bin:/bin')}"
    home = {"HOME": str(context.home), "PATH": path}
    return {**os.environ, **home, "TERM": "dumb", "PAGER": "cat"}


def python(code: str, context: ToolContext) -> dict[str, Any]:
    """Run Python 3.11 code in /workspace and return its exit code and what it printed.

    pandas, openpyxl, python-docx, python-pptx, pypdf, pdfplumber, lxml and rapidfuzz are there and
    load at once. Every call starts fresh: variables of earlier calls are gone.

    Args:
        code: the program; print what you want to see.
        context: filled in by Deskmate.
    """
    reader, writer = os.pipe()
    sys.stdout.flush()
    pid = os.fork()
    if not pid:
        _run_code(code, context, writer)
    os.close(writer)
    with os.fdopen(reader, "rb", buffering=0) as stream:
        return _follow(
            pid,
            stream.fileno(),
            _MAX_TIMEOUT_S,
            context,
            lambda: os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]),
        )


def _run_code(code: str, context: ToolContext, writer: int) -> None:
    """Be the child of `python`: never returns."""
    status = 70
    try:
        os.setsid()
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(writer, 1)
        os.dup2(writer, 2)
        sys.stdout = io.TextIOWrapper(os.fdopen(1, "wb", closefd=False), line_buffering=True)
        sys.stderr = io.TextIOWrapper(os.fdopen(2, "wb", closefd=False), line_buffering=True)
        sys.argv = ["-c"]
        sys.path.insert(0, str(context.workspace))
        sys.path.append(site_packages(context.home))
        reseed()  # else every call would draw the same numbers of numpy
        status = _execute(code)
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(status)


def site_packages(home: Path) -> str:
    """Return where pip installs for a user with this home folder; the workers do not look there."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    return str(home / f".local/lib/python{version}/site-packages")


def _execute(code: str) -> int:
    try:
        exec(compile(code, "<code>", "exec"), {"__name__": "__main__"})  # noqa: S102
    except SystemExit as stop:
        if isinstance(stop.code, str):
            sys.stderr.write(stop.code + "\n")
        return stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    except BaseException as error:  # noqa: BLE001 — the agent's own code: show it what it did
        inner = error.__traceback__.tb_next if error.__traceback__ else None
        traceback.print_exception(type(error), error, inner)
        return 1
    return 0


def _follow(
    pid: int, fd: int, timeout_s: int, context: ToolContext, wait: Callable[[], int]
) -> dict[str, Any]:
    """Collect a process group's output until its leader ends, or kill it at the deadline."""
    output = _Output()
    deadline = time.monotonic() + timeout_s
    watch = os.pidfd_open(pid)
    late = False
    try:
        late = _collect(fd, watch, output, deadline, context)
    finally:
        with contextlib.suppress(OSError):
            os.killpg(pid, signal.SIGKILL)
        os.close(watch)
    code = wait()
    output.drain(fd)
    result: dict[str, Any] = {"exit_code": code, "output": output.text()}
    if late:
        result["note"] = f"It was killed: it ran longer than {timeout_s} s."
    return result


def _collect(fd: int, watch: int, output: _Output, deadline: float, context: ToolContext) -> bool:
    """Read until the leader ends. Returns True if the deadline came first."""
    told_at = time.monotonic()
    with selectors.DefaultSelector() as selector:
        selector.register(watch, selectors.EVENT_READ)
        selector.register(fd, selectors.EVENT_READ)
        while (left := deadline - time.monotonic()) > 0:
            ready = [key.fd for key, _ in selector.select(left)]
            if fd in ready and not output.read(fd):
                selector.unregister(fd)
            elif watch in ready and fd not in ready:
                return False
            if output.last_line and time.monotonic() - told_at > _PROGRESS_S:
                told_at = time.monotonic()
                context.on_progress(output.last_line)
    return True


class _Output:
    """Keeps the first and the last part of what a program prints."""

    def __init__(self) -> None:
        self._head, self._tail, self._size = bytearray(), bytearray(), 0
        self.last_line = ""

    def read(self, fd: int) -> int:
        """Take one piece; returns its size."""
        data = os.read(fd, 1 << 16)
        self._size += len(data)
        room = _HALF - len(self._head)
        self._head += data[:room]
        self._tail += data[room:] if room < len(data) else b""
        del self._tail[:-_HALF]
        if stripped := data.strip():
            self.last_line = stripped.splitlines()[-1].decode("utf-8", "replace")[:200]
        return len(data)

    def drain(self, fd: int) -> None:
        """Take what is left without waiting."""
        os.set_blocking(fd, False)
        with contextlib.suppress(BlockingIOError):
            while self.read(fd):
                pass

    def text(self) -> str:
        """Return the output, cut in the middle if it was long."""
        left_out = self._size - len(self._head) - len(self._tail)
        head = self._head.decode("utf-8", "replace")
        tail = self._tail.decode("utf-8", "replace")
        if left_out <= 0:
            return (self._head + self._tail).decode("utf-8", "replace")
        return f"{head}\n[… {left_out} bytes left out; send the output to a file and read that …]\n{tail}"
