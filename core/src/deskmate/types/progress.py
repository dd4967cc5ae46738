"""Progress lines that know more than their words. Plain displays print them as any other line."""

from __future__ import annotations

from typing import Literal, Self

Unit = Literal["steps", "bytes"]


class Counted(str):
    """A line about work with a known end: `done` of `total`, in `unit`.

    The same words again mean that the same work went on; only the figures are new.
    """

    __slots__ = ("done", "total", "unit")

    done: int
    total: int
    unit: Unit

    def __new__(cls, line: str, *, done: int, total: int, unit: Unit = "steps") -> Self:
        """Return `line` with its figures."""
        counted = super().__new__(cls, line)
        counted.done, counted.total, counted.unit = done, total, unit
        return counted


class Note(str):
    """A line that tells of something once, while what was going on goes on."""

    __slots__ = ()
