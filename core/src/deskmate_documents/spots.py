"""Where words of a quotation stand in a text, letter by letter, to mark them: spacing and punctuation may differ."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence

_ELLIPSIS = re.compile(r"\[\s*(?:\.{3}|…)\s*\]|…|\.{3}")
_LEAST = 12
"""Letters that a text and a quotation which runs on beyond it must share."""

Span = tuple[int, int]


def folded(letters: Sequence[str]) -> tuple[str, list[int]]:
    """Return letters and digits in lower case, and which item each comes from; all else is left out."""
    found: list[str] = []
    places: list[int] = []
    for place, letter in enumerate(letters):
        for one in unicodedata.normalize("NFKC", letter).casefold():
            if one.isalnum():
                found.append(one)
                places.append(place)
    return "".join(found), places


def spans_of(letters: Sequence[str], quote: str, *, partly: bool = True) -> list[Span]:
    """Return where a quotation's words stand, as (first, behind the last) items; what … stands for is not marked.

    `partly`: a quotation that begins before the text or ends after it is marked as far as it stands there.
    """
    inside, places = folded(letters)
    pieces = [piece for piece in (folded(p)[0] for p in _ELLIPSIS.split(quote)) if piece]
    return [
        (places[first], places[behind - 1] + 1)
        for piece in pieces
        for first, behind in _found(inside, piece, partly)
    ]


def _found(inside: str, piece: str, partly: bool) -> Iterator[Span]:
    at = inside.find(piece)
    if at >= 0:
        yield at, at + len(piece)
    elif not partly:
        return
    elif len(inside) >= _LEAST and inside in piece:
        yield 0, len(inside)
    else:
        for length in range(min(len(inside), len(piece)) - 1, _LEAST - 1, -1):
            if inside.endswith(piece[:length]):
                yield len(inside) - length, len(inside)
                return
            if inside.startswith(piece[-length:]):
                yield 0, length
                return
