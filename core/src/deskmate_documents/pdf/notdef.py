"""Boxes in place of signs: fonts embedded in a PDF that hold, for a sign that is used, only the picture of a missing one.

A program that has no font for a sign draws the font's glyph 0, a box, and embeds it as that sign's glyph. Known for
TrueType outlines, which is what office programs embed for most fonts; fonts of PostScript outlines are not looked into.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

from deskmate_documents.pdf.opening import parsed

FONT_BYTES = 16 << 20
GLYPHS_LIMIT = 65_535
_ERRORS = (struct.error, IndexError, KeyError, ValueError)


def pages_with_boxes(path: Path) -> dict[int, str]:
    """Return page → names of its fonts that draw a box for at least one sign.

    Raises:
        ToolInputError: it is no PDF that can be read.
    """
    found: dict[int, str] = {}
    known: dict[Any, bool] = {}
    with parsed(path) as reader:
        for number, page in enumerate(reader.pages, 1):
            names = [name for name, font in _fonts(page) if _boxed(font, known)]
            if names:
                found[number] = ", ".join(dict.fromkeys(names))
    return found


def _fonts(page: Any) -> Iterator[tuple[str, Any]]:
    resources = page.get("/Resources")
    fonts = resources.get_object().get("/Font") if resources is not None else None
    for reference in (fonts.get_object() if fonts is not None else {}).values():
        font = reference.get_object()
        below = font.get("/DescendantFonts")
        inner = below.get_object()[0].get_object() if below is not None else font
        name = str(font.get("/BaseFont", "")).lstrip("/")
        yield name.partition("+")[2] or name, inner


def _boxed(font: Any, known: dict[Any, bool]) -> bool:
    descriptor = font.get("/FontDescriptor")
    stream = descriptor.get_object().get("/FontFile2") if descriptor is not None else None
    if stream is None:
        return False
    key = getattr(stream, "idnum", id(stream))
    if key not in known:
        data = bytes(stream.get_object().get_data())
        try:
            known[key] = len(data) <= FONT_BYTES and repeats_notdef(data)
        except _ERRORS:
            known[key] = False  # a damaged font is drawn by nobody's rules
    return known[key]


def repeats_notdef(font: bytes) -> bool:
    """Say whether another glyph of a TrueType font is, outline for outline, its glyph 0. Raises struct.error and such."""
    tables = _tables(font)
    head, places = tables["head"], tables["loca"]
    is_long = struct.unpack_from(">h", head, 50)[0] == 1
    step = 4 if is_long else 2
    count = min(len(places) // step, GLYPHS_LIMIT + 1)
    offsets = struct.unpack_from(f">{count}{'I' if is_long else 'H'}", places)
    ends = [offset * (1 if is_long else 2) for offset in offsets]
    glyphs = tables["glyf"]
    first = glyphs[ends[0] : ends[1]]
    return bool(first) and any(glyphs[start:end] == first for start, end in pairwise(ends[1:]))


def _tables(font: bytes) -> Mapping[str, bytes]:
    (count,) = struct.unpack_from(">H", font, 4)
    found = {}
    for number in range(count):
        tag, _, offset, length = struct.unpack_from(">4sIII", font, 12 + 16 * number)
        found[tag.decode("latin-1")] = font[offset : offset + length]
    return found
