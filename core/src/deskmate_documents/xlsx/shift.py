"""Rows or columns that come into a sheet or go, as arithmetic: where lines, cells, areas and formulas are afterwards."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from deskmate.errors import ToolInputError
from deskmate_documents.xlsx.formula import Token, moved, split_ref, tokens
from deskmate_documents.xlsx.refs import (
    COLUMNS,
    ROWS,
    Area,
    Place,
    column_name,
    column_number,
    parse_areas,
    split_sheet,
)

Axis = Literal["rows", "columns"]
_END = re.compile(r"(\$?)([A-Za-z]{1,3})?(\$?)(\d{1,7})?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """`count` rows or columns of `sheet` that come in before line `at`, or (`gone`) go from there on."""

    sheet: str
    axis: Axis
    at: int
    count: int
    gone: bool

    @property
    def limit(self) -> int:
        """The last line that a sheet has."""
        return ROWS if self.axis == "rows" else COLUMNS

    @property
    def sign(self) -> int:
        """By how much the lines behind it move."""
        return -self.count if self.gone else self.count

    def line(self, number: int) -> int | None:
        """Return where a line is afterwards; None if it is gone."""
        if number < self.at:
            return number
        if self.gone and number < self.at + self.count:
            return None
        return number + self.sign

    def before(self, number: int) -> int:
        """Return where a line that is there afterwards was."""
        return number if number < self.at else number - self.sign

    def span(self, first: int, last: int) -> tuple[int, int] | None:
        """Return where a run of lines is afterwards; it grows with lines that come within. None if all are gone."""
        if (first, last) == (1, self.limit):
            return first, last
        if self.gone:
            end = self.at + self.count
            start = first if first < self.at else max(self.at, first - self.count)
            stop = last if last < self.at else self.at - 1 if last < end else last - self.count
            return (start, stop) if start <= stop else None
        start, stop = (n if n < self.at else n + self.count for n in (first, last))
        return (start, min(stop, self.limit)) if start <= self.limit else None

    def area(self, area: Area) -> Area | None:
        """Return where an area is afterwards; None if it is gone."""
        if self.axis == "rows":
            found = self.span(area.top, area.bottom)
            return Area(found[0], area.left, found[1], area.right) if found else None
        found = self.span(area.left, area.right)
        return Area(area.top, found[0], area.bottom, found[1]) if found else None

    def place(self, place: Place) -> Place | None:
        """Return where a cell is afterwards; None if it is gone."""
        number = self.line(self.along(place))
        if number is None:
            return None
        return (number, place[1]) if self.axis == "rows" else (place[0], number)

    def along(self, place: Place) -> int:
        """Return the cell's row or column, whichever moves."""
        return place[0] if self.axis == "rows" else place[1]

    def lines(self, area: Area) -> tuple[int, int]:
        """Return the first and last line of an area."""
        return (area.top, area.bottom) if self.axis == "rows" else (area.left, area.right)

    def cuts(self, area: Area) -> bool:
        """Say whether lines come in between those of an area, or some of them, not all, go."""
        first, last = self.lines(area)
        if (first, last) == (1, self.limit):
            return False
        if not self.gone:
            return first < self.at <= last
        found = self.span(first, last)
        return found is not None and found[1] - found[0] != last - first

    def takes(self, area: Area) -> bool:
        """Say whether all of an area goes."""
        return self.gone and self.area(area) is None

    def meets(self, area: Area) -> bool:
        """Say whether one of an area's lines goes, or lines come in between them."""
        return self.cuts(area) or self.takes(area)

    def areas(self, text: str) -> str:
        """Return a stored list of areas (`A1:B2 D4`) as it is afterwards; "" if nothing is left."""
        kept = (self.area(area) for area in parse_areas(text))
        return " ".join(str(area) for area in kept if area is not None)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "sheet": self.sheet,
            "axis": self.axis,
            "at": self.at,
            "count": self.count,
            "gone": self.gone,
        }

    @classmethod
    def from_json(cls, data: Any) -> Shift | None:
        """Return it for `to_json`'s shape; None for any other."""
        if not isinstance(data, Mapping) or data.get("axis") not in ("rows", "columns"):
            return None
        sheet, at, count = data.get("sheet"), data.get("at"), data.get("count")
        if not isinstance(sheet, str) or not isinstance(at, int) or not isinstance(count, int):
            return None
        shift = cls(sheet=sheet, axis=data["axis"], at=at, count=count, gone=bool(data.get("gone")))
        return shift if 1 <= at <= shift.limit and 1 <= count <= shift.limit else None


@dataclass(frozen=True, slots=True)
class Shifted:
    """A formula afterwards. `resized`: what it reads has more or fewer cells now, or is gone."""

    text: str
    resized: bool


class Formulas:
    """Shifts formulas of a workbook."""

    def __init__(self, shift: Shift, order: Sequence[str]) -> None:
        """`order`: the names of the sheets as their tabs stand."""
        self.shift = shift
        self._order = [name.lower() for name in order]
        self._target = shift.sheet.lower()

    def shifted(self, formula: str, home: str, *, fixed_only: bool = False) -> Shifted:
        """Return a formula of the sheet `home` as it is afterwards; `fixed_only`: names leave relative ends alone.

        Raises:
            ToolInputError: it reads the same cells of several sheets, of which only one moves.
        """
        out = []
        parts = tokens(formula)
        resized = False
        for number, token in enumerate(parts):
            text = token.text
            if token.kind == "ref" and self._is_of_several(token):
                resized = True
            elif token.kind == "ref" and self._reads(token, home):
                prefix, area = split_ref(text)
                changed = self._area(area, fixed_only=fixed_only)
                text = prefix + changed.text
                # `S!A1:S!A5`, `A1:INDEX(…)`: what lies between the two ends cannot be told from either.
                resized = resized or changed.resized or _is_end(parts, number)
            out.append(text)
        return Shifted("".join(out), resized)

    def _reads(self, token: Token, home: str) -> bool:
        """Say whether a reference means the sheet that is shifted, and no other one."""
        prefix = split_ref(token.text)[0]
        if not prefix:
            return home.lower() == self._target
        return split_sheet(f"{prefix}A1")[0].lower() == self._target

    def _is_of_several(self, token: Token) -> bool:
        """Say whether a reference reads this sheet among several, in cells that stay where they are.

        Raises:
            ToolInputError: those cells would move.
        """
        prefix, area = split_ref(token.text)
        first, colon, last = split_sheet(f"{prefix}A1")[0].lower().partition(":")
        if not colon or first not in self._order or last not in self._order:
            return False
        ends = sorted((self._order.index(first), self._order.index(last)))
        if self._target not in self._order[ends[0] : ends[1] + 1]:
            return False
        found = self._area(area)
        if found.text != area:
            raise ToolInputError(
                f"A formula reads {token.text}, the same cells of several sheets; only one of them would move."
            )
        return found.resized

    def _area(self, text: str, *, fixed_only: bool = False) -> Shifted:
        ends = [_END.fullmatch(part.strip()) for part in text.split(":")]
        numbers = [self._number(end) for end in ends]
        if None in numbers or not 1 <= len(ends) <= 2:
            # Whole lines across those that move stay as they are, but what they read stands elsewhere.
            return Shifted(text, True)
        fixed = [self._is_fixed(end) for end in ends]
        if fixed_only and not all(fixed):
            return self._relative(text, ends, fixed)
        lines = [number for number in numbers if number is not None]
        found = self.shift.span(min(lines), max(lines))
        if found is None:
            return Shifted("#REF!", True)
        new = [found[0] if n == min(lines) else found[1] for n in lines]
        if new == lines:
            # It ends with the sheet, so that other lines stand in it now.
            return Shifted(text, max(lines) == self.shift.limit)
        if len(lines) == 2 and lines[0] == lines[1]:
            new = list(found)
        parts = [self._written(end, number) for end, number in zip(ends, new, strict=True)]
        resized = found[1] - found[0] != max(lines) - min(lines)
        return Shifted(":".join(parts), resized)

    def _relative(
        self, text: str, ends: Sequence[re.Match[str] | None], fixed: Sequence[bool]
    ) -> Shifted:
        """Return an area of a name afterwards of which not all ends are fixed; what it means hangs on who reads it."""
        parts = []
        for end, is_fixed, part in zip(ends, fixed, text.split(":"), strict=True):
            line = self.shift.line(self._number(end) or 0) if is_fixed else 0
            if line is None:
                raise ToolInputError(
                    f"A defined name reads {text}, of which the fixed end would go; change the name first."
                )
            parts.append(self._written(end, line) if line else part)
        return Shifted(":".join(parts), True)

    def _number(self, end: re.Match[str] | None) -> int | None:
        """Return the line of one end of a reference; None where it has none or is none."""
        if end is None or (end[2] and column_number(end[2]) > COLUMNS):
            return None
        if end[4] and not 1 <= int(end[4]) <= ROWS:
            return None
        if self.shift.axis == "rows":
            return int(end[4]) if end[4] else None
        return column_number(end[2]) if end[2] else None

    def _is_fixed(self, end: re.Match[str] | None) -> bool:
        if end is None:
            return True
        if self.shift.axis == "columns":
            return bool(end[1])
        # `$5` of a whole row is read as the mark of a column that is not there.
        return bool(end[3] or (not end[2] and end[1]))

    def _written(self, end: re.Match[str] | None, number: int) -> str:
        assert end is not None
        if self.shift.axis == "rows":
            return f"{end[1]}{end[2] or ''}{end[3]}{number}"
        return f"{end[1]}{column_name(number)}{end[3]}{end[4] or ''}"

    def anchored(self, formula: str, home: str, areas: Iterable[Area]) -> Anchored:
        """Return a formula that is written for the first cell of areas (a rule, a validation) as it is afterwards.

        Raises:
            ToolInputError: it cannot be written for the first cell that is left.
        """
        known = list(areas)
        first = _first(known)
        if first is None:
            return Anchored(self.shifted(formula, home).text, True)
        start = first
        if home.lower() == self._target:
            start = _first([a for a in map(self.shift.area, known) if a is not None]) or first
            line = self.shift.before(self.shift.along(start))
            start = (line, start[1]) if self.shift.axis == "rows" else (start[0], line)
        masked, around = self._around(formula, known, first)
        here = moved(masked, start[0] - first[0], start[1] - first[1])
        if "#REF!" in here and "#REF!" not in formula:
            raise ToolInputError(
                f"The formula {formula[:80]} of a rule or validation cannot be written for the cells that are left."
            )
        now = self.shift.place(start) if home.lower() == self._target else start
        text = self.shifted(here, home).text
        for mark, read in around.items():
            down, right = (now[0] - first[0], now[1] - first[1]) if now else (0, 0)
            text = text.replace(mark, moved(read, down, right, around=True))
        return Anchored(text, not around and self._is_even(formula, home, known, first))

    def _around(
        self, formula: str, known: Sequence[Area], first: Place
    ) -> tuple[str, Mapping[str, str]]:
        """Return the formula with a mark for each reference that goes around the sheet's edge, and these.

        In row 1 the row above is the sheet's last: it stays as far away as it is.
        """
        out: list[str] = []
        around: dict[str, str] = {}
        last = max(self.shift.lines(area)[1] for area in known)
        for token in tokens(formula):
            text = token.text
            written = split_ref(text)[1].split(":") if token.kind == "ref" else ()
            ends = [_END.fullmatch(part.strip()) for part in written]
            numbers = [0 if self._is_fixed(end) else self._number(end) or 0 for end in ends]
            if any(n - self.shift.along(first) + last > self.shift.limit for n in numbers):
                if not all(numbers):
                    raise ToolInputError(
                        f"The formula {formula[:80]} of a rule or validation reads around the sheet's edge; it cannot "
                        "be kept as it is meant."
                    )
                text = chr(0xE000 + len(around))
                around[text] = token.text
            out.append(text)
        return "".join(out), around

    def _is_even(self, formula: str, home: str, areas: Sequence[Area], first: Place) -> bool:
        """Say whether what each cell reads, relative to itself, moves by as much as the cell."""
        origin = self.shift.along(first)
        moves = home.lower() == self._target
        for token in tokens(formula):
            if token.kind != "ref" or not self._reads(token, home):
                continue
            for part in split_ref(token.text)[1].split(":"):
                end = _END.fullmatch(part.strip())
                number = self._number(end)
                if number is None or self._is_fixed(end):
                    continue
                found = set(self._steps(areas, number - origin, moves=moves))
                if len(found) > 1 or None in found:
                    return False
        return True

    def _steps(self, areas: Sequence[Area], apart: int, *, moves: bool) -> Iterator[int | None]:
        """Yield, at every cell where it could change, how far away the line lies that was `apart` lines away."""
        shift = self.shift
        edges = (shift.at - 1, shift.at, shift.at + shift.count - 1, shift.at + shift.count)
        for area in areas:
            first, last = shift.lines(area)
            for number in {first, last, *edges, *(edge - apart for edge in edges)}:
                here = shift.line(number) if moves else number
                if first <= number <= last and here is not None:
                    there = shift.line(number + apart)
                    yield None if there is None else there - here


def _is_end(parts: Sequence[Token], number: int) -> bool:
    """Say whether a colon joins a reference with what stands before or behind it."""
    for side in (parts[max(number - 2, 0) : number][::-1], parts[number + 1 : number + 3]):
        if next((token.text for token in side if token.kind != "space"), "") == ":":
            return True
    return False


@dataclass(frozen=True, slots=True)
class Anchored:
    """A formula of a rule or validation afterwards. `even`: it says the same for each of its cells as before."""

    text: str
    even: bool


def _first(areas: Sequence[Area]) -> Place | None:
    return (min(a.top for a in areas), min(a.left for a in areas)) if areas else None
