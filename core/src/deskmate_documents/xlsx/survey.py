"""One pass over a sheet for its outline: how far it reaches, how much it holds, and its first rows.

Large sheets are looked through as bytes behind their first rows, which is some twenty times as quick.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from deskmate_documents.xlsx.book import Sheet, Workbook
from deskmate_documents.xlsx.cells import Value
from deskmate_documents.xlsx.refs import COLUMNS, Area, column_number, name_of

LARGE_BYTES = 1 << 18
HEAD_ROWS = 200
ROWS_KEPT = 40
_SCALE = re.compile(
    r"\b(?:in|amounts in|figures in)?\s*(?:\w+\s+)?(?:thousands?|millions?|billions?|mio\.?|tsd\.?)\b|[$€£]\s?(?:000s?|k|mn?|bn)\b|'000",
    re.IGNORECASE,
)


@dataclass(slots=True, kw_only=True)
class Survey:
    """What one pass over a sheet finds. `rows`: the first ones. `notes`: texts that name a scale."""

    used: Area | None = None
    cells: int = 0
    formulas: int = 0
    errors: int = 0
    rows: dict[int, list[Value]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def reach(self, row: int, first: int, last: int) -> None:
        """Say that a row has cells from one column to another."""
        known = self.used or Area(row, first, row, last)
        self.used = Area(
            min(known.top, row),
            min(known.left, first),
            max(known.bottom, row),
            max(known.right, last),
        )

    def add(self, value: Value) -> None:
        """Count one cell."""
        row, column = value.place
        self.reach(row, column, column)
        self.cells += 1
        self.formulas += bool(value.formula)
        self.errors += value.kind == "error"
        if len(self.rows) < ROWS_KEPT or row in self.rows:
            self.rows.setdefault(row, []).append(value)
        named = value.kind == "text" and len(value.text) < 80 and len(self.notes) < 5
        if named and _SCALE.search(value.text):
            self.notes.append(f"{name_of(value.place)}: {value.text}")


def whole_survey(book: Workbook, sheet: Sheet) -> Survey:
    """Return what a sheet holds, looking at every cell."""
    survey = Survey()
    for value in book.values(sheet):
        if value.kind != "empty" or value.formula:
            survey.add(value)
    return survey


def quick_survey(book: Workbook, sheet: Sheet) -> Survey:
    """Return what a sheet holds; of a large one only the first rows are kept, and looked at for texts."""
    part = book.part(sheet)
    numbers = part.row_numbers
    if len(book.package.read(sheet.part)) < LARGE_BYTES or len(numbers) <= HEAD_ROWS:
        return whole_survey(book, sheet)
    survey = Survey()
    last = numbers[HEAD_ROWS - 1]
    for value in book.values(sheet, Area(1, 1, last, COLUMNS)):
        if value.kind != "empty" or value.formula:
            survey.add(value)
    cell = re.compile(
        b"<" + part.prefix + rb"c\b([^>]*?)(?<!/)>(?!</)", re.DOTALL
    )  # one with content
    formula = b"<" + part.prefix + b"f"
    for number, data in part.raw(last):
        tags = cell.findall(data)
        listed = b"\n".join(
            tags
        )  # all of a row at once: a call for each cell would take most of the time
        names = _NAME.findall(listed)
        if len(names) != len(tags):
            return whole_survey(book, sheet)
        if names:
            columns = [column_number(name.decode()) for name in set(names)]
            survey.reach(number, min(columns), max(columns))
        survey.errors += len(_ERROR.findall(listed))
        survey.cells += len(names)
        survey.formulas += data.count(formula)
    return survey


_NAME = re.compile(rb"""\sr\s*=\s*["']([A-Za-z]{1,3})\d""")
_ERROR = re.compile(rb"""\st\s*=\s*["']e["']""")
