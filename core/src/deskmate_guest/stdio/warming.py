"""A program's first start, before its machine is frozen: what it loads is in memory then, and its code translated.

It does not go on running. Whatever it made of random numbers would be the same in every run.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

_SPOKEN = (
    {
        "id": 1,
        "method": "initialize",
        "params": {
            "protocolVersion": "2025-11-25",
            "capabilities": {},
            "clientInfo": {"name": "deskmate", "version": "1"},
        },
    },
    {"method": "notifications/initialized"},
    {"id": 2, "method": "tools/list"},
)
_LAST_ID = 2
_END_S = 5.0
_LINES = 1_000


def load_once(
    command: Sequence[str], folder: Path, environment: Mapping[str, str], limit_s: float
) -> str:
    """Start a program, have it list its tools, and end it; return in a line how far it came. Raises OSError."""
    began = time.monotonic()
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=folder,
        env=dict(environment),
        start_new_session=True,
    )
    alarm = _Alarm(process, limit_s)
    try:
        answered = _speak(process)
    finally:
        alarm.cancel()
        _end(process)
    seconds = time.monotonic() - began
    return f"{'it listed its tools' if answered else 'it gave no list'} after {seconds:.1f} s"


def _speak(process: subprocess.Popen[bytes]) -> bool:
    """Say what a client says first, one thing after the other; say whether the last was answered."""
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        for message in _SPOKEN:
            process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")
            process.stdin.flush()
            if "id" in message and not _answered(process, message["id"]):
                return False
    except OSError:  # it ended
        return False
    return True


def _answered(process: subprocess.Popen[bytes], number: Any) -> bool:
    assert process.stdout is not None
    for _ in range(_LINES):
        line = process.stdout.readline()
        if not line:
            return False
        try:
            message = json.loads(line)
        except ValueError:
            continue
        if isinstance(message, dict) and message.get("id") == number and "method" not in message:
            return True
    return False


def _end(process: subprocess.Popen[bytes]) -> None:
    """End it as a client does, by closing its input: Node.js writes down what it translated when it exits."""
    for pipe in (process.stdin, process.stdout):
        assert pipe is not None
        with contextlib.suppress(OSError):
            pipe.close()
    for how in (process.terminate, process.kill):
        try:
            process.wait(_END_S)
            return
        except subprocess.TimeoutExpired:
            how()
    process.wait()


class _Alarm:
    """Kills a program that takes too long, so that reading from it ends."""

    def __init__(self, process: subprocess.Popen[bytes], limit_s: float) -> None:
        self._timer = threading.Timer(limit_s, process.kill)
        self._timer.daemon = True
        self._timer.start()

    def cancel(self) -> None:
        self._timer.cancel()
