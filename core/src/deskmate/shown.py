"""Text that people are shown: nothing in it can command a terminal or turn the reading direction."""

from __future__ import annotations

import re

CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def plain(text: str) -> str:
    """Return text that cannot command a terminal: control and direction marks are made visible."""
    return CONTROL.sub(lambda match: f"\\x{ord(match[0]):02x}", text)


def one_line(text: str, limit: int | None = None) -> str:
    """Return `text` in one line that cannot command a terminal, of at most `limit` characters."""
    line = plain(" ".join(text.split()))
    return line if limit is None or len(line) <= limit else line[: limit - 1] + "…"
