"""What became of every call key: the same key never runs twice in one guest."""

from __future__ import annotations

import json
import os
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deskmate.types.frames import json_text

Result = dict[str, Any]
_KEPT_WITHOUT_FILE = 64
_HELD, _HELD_BYTES = 64, 1 << 18
"""So many results, or bytes of them, are written to the file in one go: each write is one more wait for the host."""


@dataclass(slots=True)
class _Record:
    """Where a finished result lies in the file, or its JSON until it is written there."""

    offset: int = -1
    text: bytes | None = None
    finished: bool = False


class Ledger:
    """Keys and their results. All but the last ones are kept in a file, as soon as there is a disk for it."""

    def __init__(self) -> None:
        self._records: dict[str, _Record] = {}
        self._held: deque[str] = deque()
        self._held_bytes = 0
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
        self._write()

    def start(self, key: str) -> None:
        """Note that `key` runs."""
        self._records[key] = _Record()

    def finish(self, key: str, text: bytes) -> None:
        """Note the result of `key`, one line of JSON."""
        self._records[key] = _Record(text=text, finished=True)
        self._held.append(key)
        self._held_bytes += len(text)
        if self._fd < 0:
            self._forget_old()

    def spill(self) -> None:
        """Move the results from memory to the file, if there is one and they have become many."""
        if self._fd >= 0 and (len(self._held) >= _HELD or self._held_bytes >= _HELD_BYTES):
            self._write()

    def forget(self) -> None:
        """Begin anew: nothing ran."""
        if not self._records:
            return
        self._records.clear()
        self._held.clear()
        self._held_bytes = 0
        if self._fd >= 0 and os.lseek(self._fd, 0, os.SEEK_END):
            os.ftruncate(self._fd, 0)

    def _write(self) -> None:
        """Append all that memory holds; what finds no room on the disk stays there."""
        offset = os.lseek(self._fd, 0, os.SEEK_END)
        while self._held:
            key = self._held[0]
            text = self._records[key].text or b"null"
            line = b'{"key":%b,"result":%b}\n' % (json_text(key).encode(), text)
            try:
                whole = os.write(self._fd, line) == len(line)
            except OSError:
                whole = False
            if not whole:  # the disk is full: memory must do
                os.ftruncate(self._fd, offset)
                self._held.clear()
                break
            self._records[key] = _Record(offset=offset, finished=True)
            offset += len(line)
            self._held.popleft()
        self._held_bytes = 0

    def state(self, key: str) -> str:
        """Return `unknown`, `running` or `finished`."""
        if (record := self._records.get(key)) is None:
            return "unknown"
        return "finished" if record.finished else "running"

    def result(self, key: str) -> Result:
        """Return the result of a finished key."""
        record = self._records[key]
        if record.text is not None:
            kept: Result = json.loads(record.text)
            return kept
        with os.fdopen(os.dup(self._fd), "rb") as stream:
            stream.seek(record.offset)
            found: Result = json.loads(stream.readline())["result"]
            return found

    def _forget_old(self) -> None:
        while len(self._held) > _KEPT_WITHOUT_FILE:
            del self._records[self._held.popleft()]
