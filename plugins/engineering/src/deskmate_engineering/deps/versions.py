"""How the versions of an ecosystem are ordered. What cannot be ordered for certain has no place."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from packaging.version import InvalidVersion, Version

Order = Callable[[str], Any]
"""A version → something that compares with others of the same ecosystem, or None."""
_SEMVER = re.compile(
    r"v?(\d{1,9})\.(\d{1,9})\.(\d{1,9})(?:-([0-9A-Za-z.-]{1,200}))?(?:\+[0-9A-Za-z.-]{1,200})?",
    re.ASCII,
)
_SHORT = re.compile(r"v?\d{1,9}(\.\d{1,9}){0,1}", re.ASCII)
_DOTTED = re.compile(r"v?\d{1,9}(\.\d{1,9}){0,7}", re.ASCII)


def order_of(kind: str) -> Order:
    """Return the order of an ecosystem, by its name in package URLs."""
    if kind == "pypi":
        return _pep440
    return _semver if kind in ("npm", "cargo", "golang") else _dotted


def _pep440(text: str) -> Version | None:
    try:
        return Version(Version(text).public)  # a local build of 1.0 has the faults of 1.0
    except InvalidVersion:
        return None


def _semver(text: str) -> tuple[Any, ...] | None:
    if _SHORT.fullmatch(text):  # advisories shorten 1.0.0 to 1.0
        text += ".0" * (2 - text.count("."))
    match = _SEMVER.fullmatch(text)
    if match is None:
        return None
    numbers = tuple(int(match[place]) for place in (1, 2, 3))
    if match[4] is None:
        return (*numbers, 1)
    # numbers come before words, and fewer fields before more (SemVer 2.0.0, 11.4)
    fields = tuple(
        (0, int(one), "") if one.isdigit() else (1, 0, one) for one in match[4].split(".")
    )
    return (*numbers, 0, fields)


def _dotted(text: str) -> tuple[int, ...] | None:
    """Gems and Composer order words in ways of their own; plain numbers alike."""
    if not _DOTTED.fullmatch(text):
        return None
    numbers = [int(one) for one in text.removeprefix("v").split(".")]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)
