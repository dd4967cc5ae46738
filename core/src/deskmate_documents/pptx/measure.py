"""How wide and high text is, by the metrics of Helvetica, which common office fonts are close to."""

from __future__ import annotations

import unicodedata
from functools import cache

_FACTORS = {
    "calibri": 0.91, "carlito": 0.91, "cambria": 0.97, "caladea": 0.97, "times new roman": 0.91, "garamond": 0.86,
    "liberation serif": 0.91, "arial narrow": 0.82, "aptos": 0.97, "verdana": 1.15, "tahoma": 1.02,
    "courier new": 1.12, "georgia": 1.02, "segoe ui": 1.0,
}  # fmt: skip
_LINE = 1.2


@cache
def _widths(bold: bool) -> dict[str, float]:
    from pdfminer.fontmetrics import FONT_METRICS  # noqa: PLC0415

    return dict(FONT_METRICS["Helvetica-Bold" if bold else "Helvetica"][1])


def text_width(text: str, size: float, *, font: str = "", bold: bool = False) -> float:
    """Return the width in points of one line of text."""
    widths = _widths(bold)
    total = 0.0
    for character in text:
        known = widths.get(character)
        if known is None:
            if unicodedata.combining(character):
                continue
            wide = unicodedata.east_asian_width(character) in "WF"
            known = 1000 if wide else widths.get(unicodedata.normalize("NFKD", character)[0], 560)
        total += known
    return total * size / 1000 * _FACTORS.get(font.lower(), 1.0)


def wrapped(text: str, size: float, width: float, *, font: str = "", bold: bool = False) -> int:
    """Return how many lines a paragraph takes in a width in points; an empty one takes one."""
    lines, held = 1, 0.0
    space = text_width(" ", size, font=font, bold=bold)
    for word in text.split(" "):
        length = text_width(word, size, font=font, bold=bold)
        if held and held + space + length > width:
            lines, held = lines + 1, 0.0
        if length > width and width > 0:
            lines += int(length / width)
            length %= width
        held += (space if held else 0.0) + length
    return lines


def line_height(size: float) -> float:
    """Return the height in points of one line."""
    return size * _LINE
