"""What a plugin's tools presented in earlier machines of the thread, as the host's log has it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from deskmate.types.codec import from_json
from deskmate.types.files import Deliverable


class Earlier(Mapping[str, Deliverable]):
    """Workspace path → deliverable, read from the host's note when it is first asked."""

    def __init__(self, note: Path) -> None:
        """`note`: a list of deliverables; there is none where nothing was presented."""
        self._note = note
        self._found: dict[str, Deliverable] | None = None

    def __getitem__(self, path: str) -> Deliverable:
        return self._read()[path]

    def __iter__(self) -> Iterator[str]:
        return iter(self._read())

    def __len__(self) -> int:
        return len(self._read())

    def _read(self) -> dict[str, Deliverable]:
        if self._found is None:
            rows = json.loads(self._note.read_bytes()) if self._note.is_file() else []
            found = (from_json(Deliverable, row) for row in rows)
            self._found = {item.path: item for item in found}
        return self._found
