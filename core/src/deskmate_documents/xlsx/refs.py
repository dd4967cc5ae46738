"""Cell references: A1 notation, areas, and lists of areas as workbooks store them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from deskmate.errors import ToolInputError

ROWS = 1_048_576
COLUMNS = 16_384
_CELL = re.compile(r"\$?([A-Za-z]{1,3})\$?(\d{1,7})")
_COLUMNS = re.compile(r"\$?([A-Za-z]{1,3}):\$?([A-Za-z]{1,3})")
_ROWS = re.compile(r"\$?(\d{1,7}):\$?(\d{1,7})")

Place = tuple[int, int]
"""(row, column), both from 1."""


@dataclass(frozen=True, slots=True, order=True)
class Area:
    """A rectangle of cells, rows and columns from 1, both ends included."""

    top: int
    left: int
    bottom: int
    right: int

    def __contains__(self, place: Place) -> bool:
        """Say whether the cell lies in it."""
        return self.top <= place[0] <= self.bottom and self.left <= place[1] <= self.right

    def __str__(self) -> str:
        """Return it in A1 notation; one cell without a colon."""
        first = f"{column_name(self.left)}{self.top}"
        if (self.top, self.left) == (self.bottom, self.right):
            return first
        return f"{first}:{column_name(self.right)}{self.bottom}"

    @property
    def size(self) -> int:
        """How many cells it has."""
        return (self.bottom - self.top + 1) * (self.right - self.left + 1)

    def meets(self, other: Area) -> bool:
        """Say whether they share a cell."""
        return (
            self.top <= other.bottom
            and other.top <= self.bottom
            and self.left <= other.right
            and other.left <= self.right
        )

    def cells(self) -> Iterator[Place]:
        """Yield its cells row by row."""
        for row in range(self.top, self.bottom + 1):
            for column in range(self.left, self.right + 1):
                yield row, column


@lru_cache(maxsize=20_000)
def column_name(number: int) -> str:
    """Return the letters of a column, 1 is A."""
    letters = ""
    while number > 0:
        number, rest = divmod(number - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


@lru_cache(maxsize=20_000)
def column_number(letters: str) -> int:
    """Return the number of a column, A is 1."""
    number = 0
    for letter in letters.upper():
        number = number * 26 + ord(letter) - 64
    return number


def name_of(place: Place) -> str:
    """Return a cell's name, such as B7."""
    return f"{column_name(place[1])}{place[0]}"


def parse_area(text: str) -> Area:
    """Return the area that A1 notation names: a cell, a range, whole columns or whole rows.

    Raises:
        ToolInputError: it is no area, or lies outside a sheet.
    """
    bare = text.strip()
    if found := _COLUMNS.fullmatch(bare):
        first, last = column_number(found[1]), column_number(found[2])
        area = Area(1, min(first, last), ROWS, max(first, last))
    elif found := _ROWS.fullmatch(bare):
        area = Area(
            *(min(int(found[1]), int(found[2])), 1), max(int(found[1]), int(found[2])), COLUMNS
        )
    else:
        ends = [_CELL.fullmatch(part) for part in bare.split(":")]
        places = [(int(end[2]), column_number(end[1])) for end in ends if end]
        if len(places) != len(ends) or len(ends) > 2:
            raise ToolInputError(f"{text!r} is not a cell or range such as B7 or A1:D20.")
        rows, columns = sorted(p[0] for p in places), sorted(p[1] for p in places)
        area = Area(rows[0], columns[0], rows[-1], columns[-1])
    if area.top < 1 or area.bottom > ROWS or area.right > COLUMNS:
        raise ToolInputError(f"{text!r} lies outside a sheet (XFD1048576 is its last cell).")
    return area


def parse_areas(text: str) -> tuple[Area, ...]:
    """Return the areas of a stored list (`A1:B2 D4`); what is no area is left out."""
    found = []
    for part in text.split():
        try:
            found.append(parse_area(part))
        except ToolInputError:
            continue
    return tuple(found)


def split_sheet(text: str) -> tuple[str, str]:
    """Return (sheet, rest) of `Sheet!A1` or `'My sheet'!A1`; no sheet gives an empty name."""
    bare = text.strip().removeprefix("=")
    if bare.startswith("'"):
        found = re.match(r"'((?:[^']|'')+)'!(.*)$", bare, re.DOTALL)
        return (found[1].replace("''", "'"), found[2]) if found else ("", bare)
    sheet, mark, rest = bare.rpartition("!")
    return (sheet, rest) if mark else ("", bare)


def quote_sheet(name: str) -> str:
    """Return a sheet's name as formulas write it."""
    plain = re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.]*", name) and not _CELL.fullmatch(name)
    looks_relative = re.fullmatch(r"(?i)r\d*c\d*|[rc]", name)
    return name if plain and not looks_relative else "'" + name.replace("'", "''") + "'"


def words(text: str) -> frozenset[str]:
    """Return the words of a list written as text."""
    return frozenset(text.split())
