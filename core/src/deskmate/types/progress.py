"""Progress lines that know more than their words. Plain displays print them as any other line."""

from __future__ import annotations

from typing import Literal, Self

Unit = Literal["steps", "bytes"]


class Counted(str):
    """A line about work with a known end: `done` of `total`, in `unit`.

    The same words again mean that the same work went on; only the figures are new. `note`: what else is to be
    shown beside the figures, such as how long it will take.
    """

    __slots__ = ("done", "note", "total", "unit")

    done: int
    total: int
    unit: Unit
    note: str

    def __new__(
        cls, line: str, *, done: int, total: int, unit: Unit = "steps", note: str = ""
    ) -> Self:
        """Return `line` with its figures."""
        counted = super().__new__(cls, line)
        counted.done, counted.total, counted.unit, counted.note = done, total, unit, note
        return counted


class Note(str):
    """A line that tells of something once, while what was going on goes on."""

    __slots__ = ()
