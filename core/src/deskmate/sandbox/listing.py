"""What a guest is told that a line of the channel cannot hold: JSON documents in a tar stream."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence

from deskmate.errors import CorruptData
from deskmate.ports import ValidationRequest
from deskmate.sandbox.archive import Item
from deskmate.types.codec import to_json
from deskmate.types.files import Deliverable, Entry
from deskmate.types.ids import Digest
from deskmate.types.wire import GIVEN

NAMES_LIMIT_BYTES = 1 << 18
"""Of the paths that one request names."""


class Document:
    """One document as the only blob of a store."""

    def __init__(self, name: str, content: bytes) -> None:
        """`name`: what it is called in the stream."""
        self._content = content
        self._digest = Digest(hashlib.sha256(content).hexdigest())
        self._name = name

    @property
    def item(self) -> Item:
        """The document as an entry of a tar stream."""
        entry = Entry(
            path=self._name,
            kind="file",
            mode=0o644,
            size=len(self._content),
            sha256=self._digest,
        )
        return Item(name=self._name, entry=entry)

    def read(self, digest: Digest) -> bytes:
        """Return the document. Raises CorruptData for any other digest."""
        if digest != self._digest:
            raise CorruptData(f"Blob {digest} is missing.")
        return self._content

    def chunks(self, digest: Digest) -> Iterator[bytes]:
        """Yield the document in pieces of at most 1 MiB."""
        content = self.read(digest)
        for start in range(0, len(content), 1 << 20):
            yield content[start : start + (1 << 20)]

    def has(self, digest: Digest) -> bool:
        """Say whether it is this document."""
        return digest == self._digest


def listing(entries: Iterable[Entry]) -> Document:
    """Return rows of [path, bytes, time in ns] for files that are listed only."""
    rows = [[entry.path, entry.size, entry.mtime_ns] for entry in entries]
    return Document("0.json", json.dumps(rows, separators=(",", ":")).encode())


def given(request: ValidationRequest) -> Document:
    """Return what rules know besides the files: the sources' digests, the evidence, the facts."""
    data = {
        "sources": [{"path": item.path, "sha256": item.sha256} for item in request.sources],
        "evidence": to_json(tuple(request.evidence)),
        "facts": to_json(request.facts),
    }
    return Document(GIVEN, json.dumps(data, separators=(",", ":")).encode())


def presented(plugin: str, results: Sequence[Deliverable]) -> Document:
    """Return what a plugin's tools presented in earlier machines."""
    rows = to_json(tuple(results))
    return Document(f"{plugin}.json", json.dumps(rows, separators=(",", ":")).encode())


def batches(paths: Sequence[str], limit_bytes: int) -> list[list[str]]:
    """Return the paths in lists that each fit a line of the channel."""
    found: list[list[str]] = []
    room = 0
    for path in paths:
        if (room := room - len(json.dumps(path)) - 2) < 0:
            found.append([])
            room = limit_bytes
        found[-1].append(path)
    return found
