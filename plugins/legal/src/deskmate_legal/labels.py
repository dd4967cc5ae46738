"""Clause labels: "ARTICLE IV", "Section 2.", "3.1", "(b)", "(iii)", "A.", "Exhibit B" at a text's start."""

from __future__ import annotations

import re
from dataclasses import dataclass

_ROMAN_DIGITS = {"i": 1, "v": 5, "x": 10, "l": 50, "c": 100}
_ROMAN = re.compile(r"(?=[ivxlc])(?:xc|xl|l?x{0,3})(?:ix|iv|v?i{0,3})", re.IGNORECASE)
_LABEL = re.compile(
    r"""(?:
    (?P<exhibit>(?:EXHIBIT|SCHEDULE|ANNEX|APPENDIX|ATTACHMENT|Exhibit|Schedule|Annex|Appendix|Attachment)
        \s+["“]?[A-Z0-9]{1,3}(?:[.-]\d+)?["”]?)(?=\s*(?:$|\n|[-–—:(]|[A-Z]))
    |(?:ARTICLE|Article)\s+(?P<article>[IVXLC]+|\d+)\b[.:]?
    |(?:SECTION|Section|Sec\.|§)\s*(?P<section>\d+(?:\.\d+)*)(?:[.:)]|(?=\s+[A-Z]|\s*$))
    |(?P<decimal>\d{1,2}(?:\.\d{1,2}){1,4})[.)]?(?=\s|$|[A-Z“"])
    |(?P<integer>\d{1,3})[.)](?=\s|$|[A-Z“"])
    |\((?P<paren>[a-z]|[A-Z]|[ivxl]{2,6}|[IVXL]{2,6}|[a-z]{2}|\d{1,3})\)(?=\s|$|[A-Z“"])
    |(?P<upper>[IVXL]{1,6}|[A-Z])\.(?=\s|$)
    |(?P<lower>[ivx]{2,5}|[a-z])[.)](?=\s|$)
    )""",
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """A clause label.

    `kind`: its style, such as `integer`, `decimal2`, `(alpha)`; labels of one style are siblings.
    `key`: as in the text, without "Section". `ordinal`: its place among siblings, from 1. `end`: where
    the label ends. `parent`: of "3.2" the "3", else "".
    """

    kind: str
    key: str
    ordinal: int
    end: int
    parent: str = ""


def roman(text: str) -> int | None:
    """Return the value of a Roman number up to 89, or None."""
    if not text or not _ROMAN.fullmatch(text):
        return None
    total, last = 0, 0
    for letter in reversed(text.lower()):
        digit = _ROMAN_DIGITS[letter]
        total += digit if digit >= last else -digit
        last = max(last, digit)
    return total


def alphabetic(text: str) -> int | None:
    """Return the place of a letter label: a=1 … z=26, aa=27; or None."""
    if len(set(text.lower())) != 1 or not text.isalpha():
        return None
    return ord(text[0].lower()) - 96 + 26 * (len(text) - 1)


def labels_at(text: str, start: int = 0) -> tuple[Label, ...]:
    """Return the readings of the label at `start`: none, one, or two where "(i)" is a letter or Roman."""
    match = _LABEL.match(text, start)
    if match is None:
        return ()
    style, key = match.lastgroup or "", match[match.lastgroup or 0]
    if style == "exhibit":
        return (Label(kind="exhibit", key=" ".join(key.split()), ordinal=1, end=match.end()),)
    if style == "article":
        return (Label(kind=style, key=key, ordinal=roman(key) or _int(key), end=match.end()),)
    if style in {"section", "decimal", "integer"}:
        return (_numeric(key, match.end(), section=style == "section"),)
    return _lettered(style, key, match.end())


def _numeric(key: str, end: int, *, section: bool) -> Label:
    parts = key.split(".")
    single = "section" if section else "integer"
    kind = f"decimal{len(parts)}" if len(parts) > 1 else single
    return Label(kind=kind, key=key, ordinal=int(parts[-1]), end=end, parent=".".join(parts[:-1]))


def _lettered(style: str, key: str, end: int) -> tuple[Label, ...]:
    if key.isdigit():
        return (Label(kind="(integer)", key=f"({key})", ordinal=int(key), end=end),)
    shown = f"({key})" if style == "paren" else key
    frame = "({})" if style == "paren" else "{}."
    case = "upper" if key.isupper() else "lower"
    found = []
    letter, number = alphabetic(key), roman(key)
    if letter is not None:
        found.append(Label(kind=frame.format(f"{case} letter"), key=shown, ordinal=letter, end=end))
    if number is not None:
        found.append(Label(kind=frame.format(f"{case} roman"), key=shown, ordinal=number, end=end))
    return tuple(found)


def _int(text: str) -> int:
    return int(text) if text.isdigit() else 0
