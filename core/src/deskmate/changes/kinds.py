"""Which kinds of files folders hold, by their names alone; what is in them is nobody's business here."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import PurePosixPath

NAMES_LIMIT = 20_000
ANY_KIND = "*"
"""Stands for every kind, where there are more names than were looked at."""
_KIND = re.compile(r"\.[a-z0-9]{1,12}")
_KINDS_LIMIT = 200


def kinds_in(folders: Iterable[str], limit: int = NAMES_LIMIT) -> frozenset[str]:
    """Return the suffixes of all files below folders, lower case; `*` too where there are more than `limit` names.

    Links are not followed, and what cannot be read is left out.
    """
    found: set[str] = set()
    left = limit
    for folder in folders:
        for _, below, names in os.walk(folder):
            below.sort()
            left -= len(names) + len(below)
            if left < 0 or len(found) > _KINDS_LIMIT:
                return frozenset({*sorted(found)[:_KINDS_LIMIT], ANY_KIND})
            suffixes = (PurePosixPath(name).suffix.lower() for name in names)
            found.update(kind for kind in suffixes if _KIND.fullmatch(kind))
    return frozenset(found)
