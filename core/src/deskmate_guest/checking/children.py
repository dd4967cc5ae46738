"""Runs a function in a child process of bounded time and returns what it said as JSON."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import select
import signal
import time
from collections.abc import Callable
from typing import Any

_ANSWER_LIMIT_BYTES = 8 << 20
_FILE_LIMIT_BYTES = 256 << 20
LATE, DIED = "late", "died"


def in_child(
    function: Callable[[Callable[[Any], None]], None], timeout_s: float
) -> tuple[list[Any], str]:
    """Return what a function told, each a JSON value, and why it did not come to its end: `late`, `died`, or "".

    Args:
        function: gets `tell`, which takes one JSON value at a time; what it prints is lost.
        timeout_s: seconds until it and what it started are killed.
    """
    reader, writer = os.pipe()
    pid = os.fork()
    if not pid:
        os.close(reader)
        _be_child(function, writer)
    os.close(writer)
    late = False
    try:
        data, late = _read(reader, timeout_s)
    finally:
        os.close(reader)
        for kill in (os.killpg, os.kill):
            with contextlib.suppress(OSError):
                kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
    told = [json.loads(line) for line in data.split(b"\n")[:-1]]
    if told and told[-1] == "end":
        return told[:-1], ""
    return told, LATE if late else f"{DIED}: {_how(status)}"


def _be_child(function: Callable[[Callable[[Any], None]], None], writer: int) -> None:
    def tell(value: Any) -> None:
        data = json.dumps(value).encode() + b"\n"
        while data:
            data = data[os.write(writer, data) :]

    code = 1
    try:
        os.setsid()
        resource.setrlimit(resource.RLIMIT_FSIZE, (_FILE_LIMIT_BYTES, _FILE_LIMIT_BYTES))
        function(tell)
        tell("end")
        code = 0
    finally:
        os._exit(code)


def _read(reader: int, timeout_s: float) -> tuple[bytes, bool]:
    deadline, data = time.monotonic() + timeout_s, bytearray()
    while (left := deadline - time.monotonic()) > 0:
        if not select.select([reader], [], [], left)[0]:
            break
        piece = os.read(reader, 1 << 16)
        if not piece:
            return bytes(data), False
        data += piece
        if data.endswith(b'"end"\n') or len(data) > _ANSWER_LIMIT_BYTES:
            return bytes(data[:_ANSWER_LIMIT_BYTES]), False
    return bytes(data), True


def _how(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    return f"signal {-code}" if code < 0 else f"exit code {code}"
