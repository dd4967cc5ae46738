"""Units that do not fit together: currencies, percentages and plain figures in one column or in one sum."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence

from deskmate_documents.xlsx.book import Sheet, Workbook
from deskmate_documents.xlsx.cells import Value
from deskmate_documents.xlsx.formula import Token, bare, split_ref, tokens
from deskmate_documents.xlsx.graph import Graph
from deskmate_documents.xlsx.refs import Area, Place, column_name, name_of, words
from deskmate_documents.xlsx.styles import unit_of

ADDING = words("SUM AVERAGE MIN MAX MEDIAN SUBTOTAL")
LEAST = 3
"""So many cells of a run must show a unit for one that shows another to stand out."""
_CODES = re.compile(r"(?<![A-Za-z])(USD|EUR|GBP|CHF|JPY|CNY|INR|CAD|AUD)(?![A-Za-z])|([€£¥$₹%])")
_SAME = {"€": "EUR", "£": "GBP", "$": "USD", "₹": "INR"}


class _Shown:
    """The cells of a sheet that show a unit, by column and unit: an area is answered without going through its cells."""

    def __init__(self, cells: Iterable[tuple[Place, str]]) -> None:
        """`cells`: row by row."""
        self._columns: dict[int, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
        for (row, column), unit in cells:
            self._columns[column][unit].append(row)

    def within(self, area: Area) -> set[str]:
        """Return the units that cells of an area show."""
        if area.right - area.left < len(self._columns):
            columns = [c for c in range(area.left, area.right + 1) if c in self._columns]
        else:
            columns = [c for c in self._columns if area.left <= c <= area.right]
        return {
            unit
            for column in columns
            for unit, rows in self._columns[column].items()
            if (at := bisect_left(rows, area.top)) < len(rows) and rows[at] <= area.bottom
        }


class Units:
    """The units that the cells of a workbook show by their number formats."""

    def __init__(self, book: Workbook) -> None:
        """Nothing is read before it is asked for."""
        self._book = book
        self._known: dict[str, _Shown] = {}
        self._styles: dict[int, str] = {}
        self._graph = Graph(book, empty=True)

    def take(self, sheet: str, values: Iterable[Value]) -> None:
        """Note the units of a sheet whose cells were just read, so that they are not read again."""
        self._known[sheet] = _Shown(
            (value.place, unit)
            for value in values
            if value.kind == "number" and (unit := self.unit(value))
        )

    def of(self, sheet: str) -> _Shown:
        """Return the cells of a sheet that show a unit."""
        if sheet not in self._known:
            found = self._book.sheet(sheet)
            self.take(sheet, self._book.values(found) if found.kind == "worksheet" else ())
        return self._known[sheet]

    def unit(self, value: Value) -> str:
        """Return the unit that a cell shows, "" for none."""
        return self._of_style(value.style)

    def _of_style(self, style: int) -> str:
        if style not in self._styles:
            unit = unit_of(self._book.styles.code(style))
            self._styles[style] = _SAME.get(unit, unit)
        return self._styles[style]

    @property
    def any(self) -> bool:
        """Say whether the workbook has a style that shows a unit."""
        return any(self._of_style(number) for number in range(self._book.styles.count))

    def read(self, token: Token, sheet: str, place: Place) -> set[str]:
        """Return the units of the cells that a reference reads."""
        found: set[str] = set()
        for where, area in self._graph.precedents(token.text, sheet, place):
            found |= self.of(where).within(area)
        return found

    def mixed(self, value: Value, sheet: str) -> str:
        """Return what a formula adds up that does not fit, such as `EUR and USD`; "" if all fits."""
        parts = [token for token in tokens(value.formula) if token.kind != "space"]
        for number, token in enumerate(parts):
            found: set[str] = set()
            if token.text in ("+", "-") and 0 < number < len(parts) - 1:
                found = self._around(parts, number, sheet, value.place)
            elif token.kind == "function" and bare(token.text) in ADDING:
                for argument in _arguments(parts, number + 1):
                    found |= self.read(argument, sheet, value.place)
            if len(found) > 1:
                return " and ".join(sorted(found))
        return ""

    def _around(self, parts: Sequence[Token], number: int, sheet: str, place: Place) -> set[str]:
        """Return the units of the two cells that a plus or minus joins, if both stand alone."""
        left, right = parts[number - 1], parts[number + 1]
        before = parts[number - 2].text if number > 1 else ""
        after = parts[number + 2].text if number + 2 < len(parts) else ""
        alone = not {before, after} & {"*", "/", "^", ":", "%"}
        if not alone or {left.kind, right.kind} != {"ref"}:
            return set()
        if ":" in split_ref(left.text)[1] or ":" in split_ref(right.text)[1]:
            return set()
        units = [self.read(token, sheet, place) for token in (left, right)]
        return units[0] | units[1] if all(units) else set()


def _arguments(parts: Sequence[Token], start: int) -> Iterator[Token]:
    """Yield the references that are whole arguments of the function whose bracket opens at `start`."""
    depth = 0
    for number in range(start, len(parts)):
        text = parts[number].text
        depth += (text == "(") - (text == ")")
        if depth == 0:
            return
        if depth == 1 and parts[number].kind in ("ref", "table", "name"):
            ends = parts[number + 1].text if number + 1 < len(parts) else ""
            if parts[number - 1].text in ("(", ",") and ends in (",", ")"):
                yield parts[number]


def odd_units(units: Units, sheet: Sheet, values: Sequence[Value]) -> Iterator[tuple[Place, str]]:
    """Yield (cell, sentence) for figures that show another unit than the run of figures they stand in."""
    columns: dict[int, list[Value]] = {}
    heads: dict[int, list[Value]] = {}
    for value in values:
        group = columns if value.kind == "number" else heads
        group.setdefault(value.place[1], []).append(value)
    for column, listed in columns.items():
        for run in _runs(listed):
            yield from _odd(units, run)
            yield from _headed(units, run, heads.get(column, ()))


def _runs(listed: Sequence[Value]) -> Iterator[list[Value]]:
    run: list[Value] = []
    for value in listed:
        if run and value.place[0] != run[-1].place[0] + 1:
            yield run
            run = []
        run.append(value)
    if run:
        yield run


def _odd(units: Units, run: Sequence[Value]) -> Iterator[tuple[Place, str]]:
    shown = [units.unit(value) for value in run]
    counted = Counter(unit for unit in shown if unit)
    if not counted:
        return
    (usual, often), *others = counted.most_common(2)
    if often < LEAST or often <= len(run) // 2 or (others and others[0][1] * 2 >= often):
        return
    column = column_name(run[0].place[1])
    for value, unit in zip(run, shown, strict=True):
        if unit and unit != usual and "%" in (unit, usual) and value.formula:
            continue  # a share below its figures, or a total of shares, is computed on purpose
        if unit and unit != usual:
            yield value.place, f"It shows {unit}, the figures around it in column {column} {usual}."
        elif not unit and usual == "%" and not value.formula and abs(float(value.text)) > 1:
            text = f"It shows {value.text[:20]} without %, the figures around it in column {column} percentages."
            yield value.place, text


def _headed(
    units: Units, run: Sequence[Value], heads: Sequence[Value]
) -> Iterator[tuple[Place, str]]:
    """Yield the first figure of a run below a header that names another currency or percent."""
    head = next((v for v in heads if v.place[0] == run[0].place[0] - 1 and v.kind == "text"), None)
    found = _CODES.findall(head.text) if head is not None else []
    named = {_SAME.get(code or sign, code or sign) for code, sign in found}
    shown = {units.unit(value) for value in run} - {""}
    if head is None or len(named) != 1 or len(shown) != 1 or named == shown:
        return
    yield (
        run[0].place,
        f"It shows {shown.pop()}, but its header {name_of(head.place)} says {named.pop()} ({head.text[:40]}).",
    )
