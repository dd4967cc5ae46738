"""What a pivot table reads: the rows of a range or table as items, and the distinct items of each field."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from deskmate.errors import ToolInputError
from deskmate_documents.xlsx.book import Workbook
from deskmate_documents.xlsx.cells import Value, as_date
from deskmate_documents.xlsx.refs import Area, parse_area, split_sheet
from deskmate_documents.xlsx.styles import is_date

ROWS_LIMIT = 200_000
FIELDS_LIMIT = 256
ItemKind = Literal["n", "d", "s", "b", "e", "m"]
_ORDER = {"n": 0, "d": 0, "s": 1, "b": 2, "e": 3, "m": 4}


@dataclass(frozen=True, slots=True)
class Item:
    """One value of a field. `kind`: number, date, text, truth value, error or missing, as caches name them.

    `text`: numbers and dates as stored numbers; texts as they are.
    """

    kind: ItemKind
    text: str = ""

    @property
    def number(self) -> float | None:
        """Its value as a number; None for what is none."""
        return float(self.text) if self.kind in ("n", "d") else None

    @property
    def key(self) -> tuple[str, str | float]:
        """What makes it the same item as another: texts in any case."""
        number = self.number
        return self.kind, self.text.lower() if number is None else number

    @property
    def rank(self) -> tuple[int, float, str]:
        """Its place in ascending order: numbers, texts, truth values, errors, blanks."""
        return _ORDER[self.kind], self.number or 0.0, self.text.lower()


MISSING = Item("m")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The rows that a pivot table reads. `name`: of a table or name, "" for a plain range. `codes`: number formats.

    `formulas`: cells (`Sheet!A1` places) of the source that hold formulas.
    """

    sheet: str
    area: Area
    name: str
    fields: tuple[str, ...]
    codes: tuple[str, ...]
    rows: tuple[tuple[Item, ...], ...]
    formulas: tuple[tuple[int, int], ...]


def find_area(book: Workbook, text: str) -> tuple[str, Area, str]:
    """Return (sheet, area with the headers, name) of a range, a table or a defined name.

    Raises:
        ToolInputError: there is none.
    """
    for table in book.tables:
        if table.name.lower() == text.lower():
            if not table.header_rows:
                raise ToolInputError(f"The table {table.name} has no header row.")
            last = table.area.bottom - table.totals_rows
            whole = Area(table.area.top, table.area.left, last, table.area.right)
            return table.sheet, whole, table.name
    for name in book.names:
        if name.name.lower() == text.lower():
            sheet, area = split_sheet(name.refers_to)
            return book.sheet(sheet).name, parse_area(area), name.name
    sheet, area = split_sheet(text)
    if not sheet:
        raise ToolInputError(
            f"{text!r} is no table, name or range such as Data!A1:F200 in this workbook."
        )
    return book.sheet(sheet).name, parse_area(area), ""


def read_source(book: Workbook, text: str) -> Source:
    """Return the rows of a source.

    Raises:
        ToolInputError: it has no rows, is too large, or a column has no header or that of another.
    """
    sheet, area, name = find_area(book, text)
    found = {value.place: value for value in book.values(book.sheet(sheet), area)}
    if area.size > 1_000_000:
        bottom = max((place[0] for place in found), default=area.top)
        area = Area(area.top, area.left, bottom, area.right)
    columns = range(area.left, area.right + 1)
    if (
        area.bottom <= area.top
        or area.bottom - area.top > ROWS_LIMIT
        or len(columns) > FIELDS_LIMIT
    ):
        raise ToolInputError(
            f"{text} must have a header row, 1 to {ROWS_LIMIT} rows below it and at most {FIELDS_LIMIT} columns."
        )
    headers = [found.get((area.top, column)) for column in columns]
    fields = [value.text.strip() if value is not None else "" for value in headers]
    if "" in fields or len({f.lower() for f in fields}) < len(fields):
        raise ToolInputError(
            f"Each column of {text} must have a header of its own in its first row."
        )
    places = [[(row, column) for column in columns] for row in range(area.top + 1, area.bottom + 1)]
    codes = tuple(
        _code(book, [found[row[n]] for row in places if row[n] in found])
        for n in range(len(fields))
    )
    rows = tuple(
        tuple(_item(found.get(place), codes[n]) for n, place in enumerate(row)) for row in places
    )
    return Source(
        sheet=sheet,
        area=area,
        name=name,
        fields=tuple(fields),
        codes=codes,
        rows=rows,
        formulas=tuple(p for p, v in found.items() if v.formula and p[0] > area.top),
    )


def _code(book: Workbook, values: Iterable[Value]) -> str:
    """Return the number format of a column's figures; a date's only if all that is there are dates."""
    codes = [book.styles.code(v.style) if v.kind == "number" else "" for v in values if v.text]
    if codes and all(code and is_date(code) for code in codes):
        return codes[0]
    return next((code for code in codes if code and not is_date(code)), "General")


def _item(value: Value | None, code: str) -> Item:
    if value is None or (value.kind == "empty" or (value.kind == "text" and not value.text)):
        return MISSING
    if value.kind == "number":
        return Item("d" if is_date(code) else "n", value.text)
    if value.kind == "bool":
        return Item("b", value.text)
    return Item("e" if value.kind == "error" else "s", value.text)


def distinct(source: Source, field: int) -> list[Item]:
    """Return the distinct items of a field, ascending."""
    known: dict[tuple[str, str | float], Item] = {}
    for row in source.rows:
        known.setdefault(row[field].key, row[field])
    return sorted(known.values(), key=lambda item: item.rank)


def iso(item: Item, *, date1904: bool) -> str:
    """Return a date as caches write it."""
    text = as_date(item.text, date1904=date1904)
    if re.fullmatch(r"\d\d:\d\d:\d\d", text):
        return f"1899-12-30T{text}"
    return text.replace(" ", "T") if " " in text else f"{text}T00:00:00"
