"""One program and its three pipes, kept from one call to the next: what the host sends goes in, what comes out waits."""

from __future__ import annotations

import base64
import binascii
import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from deskmate.errors import ToolError, ToolInputError
from deskmate.plugin import ToolContext
from deskmate.types.frames import json_text
from deskmate_guest.stdio.warming import load_once

CHUNK_BYTES = 256 << 10
"""Most that one call hands over; the rest waits for the next."""
WAITING_BYTES = 4 << 20
"""Most that waits here in one direction; then the program waits."""
STDERR_BYTES = 16 << 10
"""The end of what it wrote to stderr that is kept."""
LONGEST_WAIT_S = 20.0
_READ_BYTES = 1 << 16
_END_S = 2.0
PYTHON = "{python}"
"""Stands in a command for this Python; `{packages}` for the folder of what was installed."""
PACKAGES = "{packages}"
KEPT = "kept"
LONGEST_LOAD_S = 240.0


class Program:
    """A running program. Threads move its pipes; `changed` guards all that they share."""

    def __init__(
        self, command: Sequence[str], folder: Path, environment: Mapping[str, str]
    ) -> None:
        """Start it in `folder`. Raises OSError."""
        self.changed = threading.Condition()
        self._incoming, self._outgoing = bytearray(), bytearray()
        self._stderr = bytearray()
        self._silent = False
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=folder,
            env=dict(environment),
            bufsize=0,
        )
        self._ended = False
        self._threads = [
            threading.Thread(target=work, daemon=True)
            for work in (self._write, self._read, self._read_errors)
        ]
        for thread in self._threads:
            thread.start()

    def _pipe(self, name: str) -> IO[bytes]:
        pipe = getattr(self._process, name)
        assert pipe is not None
        return pipe  # type: ignore[no-any-return]

    def _write(self) -> None:
        pipe = self._pipe("stdin")
        while True:
            with self.changed:
                self.changed.wait_for(lambda: self._incoming or self._ended)
                if self._ended:
                    return
                data = bytes(self._incoming[:_READ_BYTES])
            try:
                sent = pipe.write(data) or 0
            except (OSError, ValueError):
                return
            with self.changed:
                del self._incoming[:sent]
                self.changed.notify_all()

    def _read(self) -> None:
        pipe = self._pipe("stdout")
        while data := _some(pipe):
            with self.changed:
                self._outgoing += data
                self.changed.notify_all()
                self.changed.wait_for(lambda: len(self._outgoing) < WAITING_BYTES or self._ended)
        with self.changed:
            self._silent = True
            self.changed.notify_all()

    def _read_errors(self) -> None:
        pipe = self._pipe("stderr")
        while data := _some(pipe):
            with self.changed:
                self._stderr = (self._stderr + data)[-STDERR_BYTES:]

    def put(self, data: bytes) -> None:
        """Have the program read `data`. Raises ToolError if it does not read what was sent before."""
        with self.changed:
            if len(self._incoming) + len(data) > WAITING_BYTES:
                raise ToolError("The program does not read what it is sent.")
            self._incoming += data
            self.changed.notify_all()

    def take(self, wait_s: float) -> dict[str, Any]:
        """Return what came out, after at most `wait_s` if nothing has."""
        with self.changed:
            self.changed.wait_for(lambda: self._outgoing or self._silent, wait_s)
            out = bytes(self._outgoing[:CHUNK_BYTES])
            del self._outgoing[: len(out)]
            ended = self._silent and not self._outgoing
            self.changed.notify_all()
        code = self._code() if ended else None
        with self.changed:
            said = bytes(self._stderr)
        return {
            "out": base64.b64encode(out).decode(),
            "stderr": said.decode("utf-8", "replace"),
            "ended": ended,
            "code": code,
        }

    def _code(self) -> int | None:
        """Return how it ended, None where it only closed its output."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            code = self._process.wait(_END_S)
            self._threads[2].join(_END_S)  # its last words may still be on their way
            return code
        return None

    def end(self) -> None:
        """Kill it; what it started itself goes with the machine."""
        self._process.kill()
        self._process.wait()
        with self.changed:
            self._ended = True
            self.changed.notify_all()
        for thread, name in zip(self._threads, ("stdin", "stdout", "stderr"), strict=True):
            thread.join(_END_S)
            if not thread.is_alive():  # else something that it started holds the other end
                self._pipe(name).close()


def _some(pipe: IO[bytes]) -> bytes:
    try:
        return pipe.read(_READ_BYTES)
    except (OSError, ValueError):
        return b""


_running: list[Program] = []


def start(context: ToolContext, command: list[str], environment: dict[str, str]) -> str:
    """Start the program; one that runs is ended.

    Args:
        command: its words; `{python}` and `{packages}` are replaced.
        environment: variables beside the worker's own.
        context: filled in by Deskmate.
    """
    while _running:
        _running.pop().end()
    if not command:
        raise ToolInputError("There is no command.")
    words, variables = _prepared(context.home, command, environment)
    try:
        _running.append(Program(words, _folder(context), variables))
    except (OSError, ValueError) as error:
        raise ToolError(f"The program cannot be started: {error}") from error
    return "started"


def warm(context: ToolContext, command: list[str], environment: dict[str, str]) -> str:
    """Start the program once and end it, before the machine is frozen: its next start finds it loaded and translated.

    Args:
        command: its words; `{python}` and `{packages}` are replaced.
        environment: variables beside the worker's own.
        context: filled in by Deskmate.
    """
    if not command:
        raise ToolInputError("There is no command.")
    words, variables = _prepared(context.home, command, environment)
    try:
        return load_once(words, context.home, variables, LONGEST_LOAD_S)
    except (OSError, ValueError) as error:
        raise ToolError(f"The program cannot be started: {error}") from error


def _prepared(
    home: Path, command: Sequence[str], environment: Mapping[str, str]
) -> tuple[list[str], dict[str, str]]:
    packages = next((path for path in sys.path if Path(path).parent.name == "wheels"), "")
    words = [word.replace(PYTHON, sys.executable).replace(PACKAGES, packages) for word in command]
    return words, _environment(home, packages, environment)


def _folder(context: ToolContext) -> Path:
    """Return where the program starts: in the folder that it keeps, where it has one."""
    kept = context.workspace / KEPT
    return kept if kept.is_dir() else context.home


def exchange(context: ToolContext, data: str, wait_s: float) -> str:
    """Pass on what the host sends, and return what the program wrote as JSON.

    Args:
        data: bytes for the program in base64.
        wait_s: how long to wait for it to write something, at most 20 s.
        context: filled in by Deskmate.
    """
    if not _running:
        raise ToolError("The program was not started, or its worker is another one now.")
    try:
        _running[0].put(base64.b64decode(data, validate=True))
    except binascii.Error as error:
        raise ToolInputError("The data are not base64.") from error
    return json_text(_running[0].take(min(max(wait_s, 0.0), LONGEST_WAIT_S)))


def _environment(home: Path, packages: str, more: Mapping[str, str]) -> dict[str, str]:
    """Return the program's variables: the worker's, in which the way out is, and those that the user gave.

    What Python and Node.js translate is kept in the program's own folder: its packages lie on a disk that is read-only.
    Folders in the workspace belong to another user, which git refuses unless it is told not to.
    """
    return {
        **os.environ,
        "PYTHONPATH": packages,
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "",
        "PYTHONPYCACHEPREFIX": f"{home}/.translated/python",
        "NODE_COMPILE_CACHE": f"{home}/.translated/node",
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "safe.directory",
        "GIT_CONFIG_VALUE_0": "*",
        **more,
    }
