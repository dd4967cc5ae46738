"""A secret that is recognised however it was wrapped on its way out."""

from __future__ import annotations

import base64
import contextlib
import gzip
import re
import secrets
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import quote_from_bytes

_DEPTH = 3


@dataclass(frozen=True, slots=True)
class Canary:
    """32 random bytes as hex text, so that it survives any text channel."""

    text: str = field(default_factory=lambda: secrets.token_hex(32))

    def in_any(self, pieces: Iterable[bytes]) -> bool:
        """Say whether the pieces hold it, one by one or joined in order, up to eight of them."""
        held = list(pieces)
        if any(self.found(piece) for piece in held):
            return True
        windows = ((held[n : n + size]) for size in range(2, 9) for n in range(len(held)))
        return any(self.found(b"".join(window)) for window in windows)

    def found(self, data: bytes, depth: int = _DEPTH) -> bool:
        """Say whether `data` holds it: as it is, encoded, turned round, or compressed."""
        if any(form in data for form in self.forms()):
            return True
        return depth > 0 and any(self.found(plain, depth - 1) for plain in _unpacked(data))

    def forms(self) -> list[bytes]:
        """Return the ways in which it may stand in plain sight."""
        raw = self.text.encode()
        forms = [raw, raw.upper(), raw[::-1], raw.hex().encode(), raw.hex().upper().encode()]
        forms += [bytes.fromhex(self.text), bytes.fromhex(self.text)[::-1]]
        forms += [self.text.encode("utf-16-le"), self.text.encode("utf-16-be")]
        forms += [quote_from_bytes(raw, safe="").encode(), b"".join(b"%%%02x" % c for c in raw)]
        for encode in (base64.b64encode, base64.urlsafe_b64encode, base64.b32encode):
            group = 5 if encode is base64.b32encode else 3
            for shift in range(group):
                # what stands before and after it blurs the outer characters
                inner = encode(bytes(shift) + raw + bytes(group)).rstrip(b"=")
                forms.append(inner[8 : len(raw)])
        return forms


def _unpacked(data: bytes) -> list[bytes]:
    """Return what is packed in `data`, from any place a stream may begin at."""
    found = []
    for match in re.finditer(rb"\x1f\x8b\x08|\x78[\x01\x5e\x9c\xda]", data):
        piece = data[match.start() :]
        with_gzip = piece.startswith(b"\x1f\x8b")
        stream = zlib.decompressobj(31 if with_gzip else 15)
        try:
            found.append(stream.decompress(piece, 1 << 24))
        except zlib.error:
            continue
    with contextlib.suppress(zlib.error):
        found.append(zlib.decompressobj(-15).decompress(data, 1 << 24))
    return [plain for plain in found if plain]


def packed(data: bytes) -> list[bytes]:
    """Return `data` in the packings that `found` sees through; for tests of the canary itself."""
    raw = zlib.compressobj(wbits=-15)
    return [gzip.compress(data), zlib.compress(data), raw.compress(data) + raw.flush()]
