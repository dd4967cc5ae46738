"""The files of the granted folders whose content is not in this machine: known by name and size."""

from __future__ import annotations

import json
import os
from collections.abc import ItemsView, Iterator, Mapping
from pathlib import Path
from typing import Any

_EFFECTIVE = os.access in os.supports_effective_ids
"""With the real ids the kernel makes a new set of credentials for the question."""


class Listed(Mapping[str, int]):
    """Workspace path → bytes, read from the supervisor's notes when it is first asked and changed since."""

    def __init__(self, folder: Path) -> None:
        """`folder`: holds 0.json, rows of path, bytes and time; and n.json, paths that came in since."""
        self._folder = folder
        self._files: dict[str, int] = {}
        self._read = 0

    def __getitem__(self, path: str) -> int:
        return self._fresh()[path]

    def __iter__(self) -> Iterator[str]:
        return iter(self._fresh())

    def __len__(self) -> int:
        return len(self._fresh())

    def __contains__(self, path: object) -> bool:
        return path in self._fresh()

    def items(self) -> ItemsView[str, int]:
        """Return paths with sizes; the notes are looked at once, not for each."""
        return self._fresh().items()

    def _fresh(self) -> dict[str, int]:
        while os.access(
            note := f"{self._folder}/{self._read}.json", os.F_OK, effective_ids=_EFFECTIVE
        ):
            rows: list[Any] = json.loads(Path(note).read_text())
            if self._read:
                for path in rows:
                    self._files.pop(path, None)
            else:
                self._files = {row[0]: row[1] for row in rows}
            self._read += 1
        return self._files
