"""Playbook patterns: regular expressions as a lawyer can write them."""

from __future__ import annotations

import functools
import re

from deskmate.plugin import ToolInputError
from deskmate_legal.figures import DURATION, MONEY, PERCENT

_LAW = (
    r"(?P<n>(?:the\s+)?(?:(?:State|Commonwealth|Province|Republic|Kingdom|Federal\s+Republic)\s+of\s+)?"
    r"(?-i:[A-Z][\w.]*(?:\s+(?:(?:and|of|&)\s+(?:the\s+)?)?[A-Z][\w.]*){0,3}))"
)
_FIGURES = {"duration": DURATION, "percent": PERCENT, "money": MONEY}
BLANK = re.compile(r"\{\$?\w+\}|_{3,}|\[[\s_●•*]*\]|\[\*+\]")
"""A field of a form that nobody filled in."""


@functools.lru_cache(maxsize=4096)
def compiled(pattern: str, kind: str = "duration") -> re.Pattern[str]:
    """Compile a playbook pattern.

    A space stands for white space, `'` and `"` for all their kinds, `{n}` for a figure of `kind`, found
    as group `n`; upper and lower case are the same.

    Raises:
        ToolInputError: it is no regular expression.
    """
    try:
        return re.compile(_expanded(pattern, kind), re.IGNORECASE)
    except re.error as error:
        raise ToolInputError(f"The playbook's pattern {pattern!r} is wrong: {error}.") from error


def _expanded(pattern: str, kind: str) -> str:
    text = _spelled(pattern)
    if "{n}" in text:
        text = text.replace("{n}", _figure(kind), 1).replace("{n}", _figure(kind, named=False))
    return text


@functools.lru_cache(maxsize=512)
def either(patterns: tuple[str, ...], kind: str = "duration") -> re.Pattern[str] | None:
    """Compile alternatives to one pattern, or None if there are none; for searching only."""
    if not patterns:
        return None
    parts = (re.sub(r"\(\?P<\w+>", "(?:", _expanded(p, kind)) for p in patterns)
    return re.compile("|".join(f"(?:{part})" for part in parts), re.IGNORECASE)


def _spelled(pattern: str) -> str:
    """Return the pattern with spaces and quotes widened, outside of character classes."""
    out, inside, escaped = [], False, False
    for sign in pattern:
        if escaped:
            escaped = False
        elif sign == "\\":
            escaped = True
        elif sign in "[]":
            inside = sign == "["
        elif not inside and sign in " '\"":
            sign = {" ": r"\s+", "'": "['’‘]", '"': '["“”]'}[sign]
        out.append(sign)
    return "".join(out)


def _figure(kind: str, *, named: bool = True) -> str:
    if kind == "law":
        return _LAW if named else _LAW.replace("(?P<n>", "(?:")
    plain = re.sub(r"\(\?P<\w+>", "(?:", _FIGURES[kind].pattern)
    return f"(?P<n>{plain})" if named else f"(?:{plain})"
