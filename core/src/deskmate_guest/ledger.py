"""What became of every call key: the same key never runs twice in one guest."""

from __future__ import annotations

import json
import os
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Result = dict[str, Any]
_KEPT_WITHOUT_FILE = 64
_KEPT_IN_MEMORY = 8
"""The last results are not written to the file at once: the host waits for its answer."""


@dataclass(slots=True)
class _Record:
    """Where a finished result lies in the file, or the result itself while there is no file."""

    offset: int = -1
    result: Result | None = None
    finished: bool = False


class Ledger:
    """Keys and their results. All but the last results are kept in a file, as soon as there is a disk for it."""

    def __init__(self) -> None:
        self._records: dict[str, _Record] = {}
        self._held: deque[str] = deque()
        self._fd = -1

    def open(self, path: Path) -> None:
        """Use the file at `path`, readable by its owner only; its records count from now on.

        A key that was started and not finished there is forgotten: nobody knows what became of it.
        Opening it again, as a copy of the template does, changes nothing.
        """
        if self._fd >= 0:
            return
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        offset = 0
        with path.open("rb") as stream:
            for line in stream:
                if not line.endswith(b"\n"):
                    break  # torn by a crash
                key = json.loads(line)["key"]
                self._records[key] = _Record(offset=offset, finished=True)
                offset += len(line)
        os.ftruncate(self._fd, offset)
        self.spill()

    def start(self, key: str) -> None:
        """Note that `key` runs."""
        self._records[key] = _Record()

    def finish(self, key: str, result: Result) -> None:
        """Note the result of `key`."""
        self._records[key] = _Record(result=result, finished=True)
        self._held.append(key)
        if self._fd < 0:
            self._forget_old()

    def spill(self) -> None:
        """Move all but the last few results from memory to the file, if there is one."""
        while self._fd >= 0 and len(self._held) > _KEPT_IN_MEMORY:
            self._write(self._held.popleft())

    def forget(self) -> None:
        """Begin anew: nothing ran."""
        if not self._records:
            return
        self._records.clear()
        self._held.clear()
        if self._fd >= 0 and os.lseek(self._fd, 0, os.SEEK_END):
            os.ftruncate(self._fd, 0)

    def _write(self, key: str) -> None:
        result = self._records[key].result
        offset = os.lseek(self._fd, 0, os.SEEK_END)
        line = json.dumps({"key": key, "result": result}, ensure_ascii=False).encode() + b"\n"
        try:
            whole = os.write(self._fd, line) == len(line)
        except OSError:
            whole = False
        if whole:
            self._records[key] = _Record(offset=offset, finished=True)
        else:  # the disk is full: memory must do
            os.ftruncate(self._fd, offset)

    def state(self, key: str) -> str:
        """Return `unknown`, `running` or `finished`."""
        if (record := self._records.get(key)) is None:
            return "unknown"
        return "finished" if record.finished else "running"

    def result(self, key: str) -> Result:
        """Return the result of a finished key."""
        record = self._records[key]
        if record.result is not None:
            return record.result
        with os.fdopen(os.dup(self._fd), "rb") as stream:
            stream.seek(record.offset)
            found: Result = json.loads(stream.readline())["result"]
            return found

    def _forget_old(self) -> None:
        while len(self._held) > _KEPT_WITHOUT_FILE:
            del self._records[self._held.popleft()]
