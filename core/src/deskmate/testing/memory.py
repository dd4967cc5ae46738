"""Stores in memory, for tests."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from deskmate.errors import CorruptData
from deskmate.types.ids import Digest


class MemoryBlobs:
    """A blob store that forgets when it is dropped."""

    def __init__(self) -> None:
        self.content: dict[Digest, bytes] = {}

    def put(self, content: bytes | Iterable[bytes]) -> Digest:
        """Keep content and return its sha256."""
        data = content if isinstance(content, bytes) else b"".join(content)
        digest = Digest(hashlib.sha256(data).hexdigest())
        self.content[digest] = data
        return digest

    def read(self, digest: Digest) -> bytes:
        """Return content. Raises CorruptData if it was never put."""
        if digest not in self.content:
            raise CorruptData(f"Blob {digest} is missing.")
        return self.content[digest]

    def chunks(self, digest: Digest) -> Iterable[bytes]:
        """Yield the content as one piece."""
        yield self.read(digest)

    def has(self, digest: Digest) -> bool:
        """Say whether it was put."""
        return digest in self.content
