"""The body of an answer on its way into a VM: unpacked in small pieces, counted, secrets taken out."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from deskmate.connectors.redaction import Redactor, Scrubber
from deskmate.errors import ToolDenied

_PIECE_BYTES = 1 << 15
_ENCODINGS = {"gzip": 31, "x-gzip": 31, "deflate": 15}


class AnswerBody:
    """Turns received bytes into those for the guest. `size`: bytes of what came out so far, unpacked."""

    def __init__(self, encoding: str, redactor: Redactor, limit_bytes: int) -> None:
        """`encoding`: of the content, empty for none. Raises ToolDenied for one that cannot be unpacked."""
        if encoding and encoding not in _ENCODINGS:
            raise ToolDenied(f"the answer is packed as {encoding[:20]!a}, which cannot be checked")
        self._bits = _ENCODINGS.get(encoding)
        self._inflate = zlib.decompressobj(self._bits) if self._bits else None
        self._scrubber = Scrubber(redactor)
        self._limit_bytes = limit_bytes
        self.size = 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield what may go on. Raises ToolDenied if it is too much, or not what it says it is."""
        for piece in self._unpacked(data):
            self.size += len(piece)
            if self.size > self._limit_bytes:
                raise ToolDenied(f"the answer is larger than {self._limit_bytes} bytes")
            if clean := self._scrubber.feed(piece):
                yield clean

    def end(self) -> bytes:
        """Return the last bytes."""
        return self._scrubber.end()

    def _unpacked(self, data: bytes) -> Iterator[bytes]:
        if self._inflate is None:
            yield data
            return
        while data:
            if self._inflate.eof and self._bits is not None:  # one packed file may follow another
                self._inflate = zlib.decompressobj(self._bits)
            try:
                piece = self._inflate.decompress(data, _PIECE_BYTES)
            except zlib.error as error:
                raise ToolDenied("the answer is not packed as it says") from error
            data = self._inflate.unconsumed_tail or self._inflate.unused_data
            if piece:
                yield piece
