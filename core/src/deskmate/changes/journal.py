"""How far a plan has been carried out: one small file a plan, replaced in one rename."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from deskmate.errors import CorruptData
from deskmate.types.codec import from_json, to_json
from deskmate.types.ids import Digest

JournalState = Literal["planned", "backed_up", "done", "undone"]
"""planned: only temporary files may exist. backed_up: may be half-done, all that is needed to finish or
take back is stored. done: carried out whole. undone: nothing of it is left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """Where one plan stands. `text`: why it was taken back."""

    plan: Digest
    state: JournalState
    text: str = ""


class Journal:
    """The records of one thread's plans, below `folder`. A finished plan's record is removed."""

    def __init__(self, folder: Path) -> None:
        """`folder` is made when the first record is written; the one above it is there."""
        self._folder = folder

    def write(self, plan: Digest, state: JournalState, text: str = "") -> None:
        """Record durably where a plan stands. Raises OSError."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        if state == "planned":  # a power cut must not take the folder with all its records
            _sync(self._folder.parent)
        path = self._path(plan)
        temporary = path.with_suffix(".tmp")
        with temporary.open("w") as file:
            json.dump(to_json(Record(plan=plan, state=state, text=text)), file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        _sync(self._folder)

    def pending(self) -> tuple[Record, ...]:
        """Return the records that are there, sorted by plan. Raises CorruptData."""
        paths = sorted(self._folder.glob("*.json")) if self._folder.is_dir() else []
        try:
            return tuple(from_json(Record, json.loads(path.read_text())) for path in paths)
        except ValueError as error:
            raise CorruptData(f"The apply journal in {self._folder} is damaged: {error}") from error

    def state(self, plan: Digest) -> JournalState | None:
        """Return where a plan stands, None where there is no record."""
        return next((record.state for record in self.pending() if record.plan == plan), None)

    def remove(self, plan: Digest) -> None:
        """Forget a finished plan. Raises OSError."""
        self._path(plan).unlink(missing_ok=True)
        _sync(self._folder)

    def sweep(self) -> None:
        """Remove what a crash left of records that never got their name. Raises OSError."""
        for leftover in self._folder.glob("*.tmp"):
            leftover.unlink(missing_ok=True)

    def _path(self, plan: Digest) -> Path:
        return self._folder / f"{plan}.json"


def _sync(path: Path) -> None:
    """Make the names in a folder durable."""
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
