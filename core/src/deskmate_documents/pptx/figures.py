"""Cells of a workbook as a slide shows them: with their number formats, and the source cell of each figure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from deskmate_documents.xlsx.book import Sheet, Workbook
from deskmate_documents.xlsx.cells import Value, as_date
from deskmate_documents.xlsx.refs import Area, name_of, quote_sheet
from deskmate_documents.xlsx.styles import is_date, unit_of

_DECIMALS = re.compile(r"[0#?]\.([0?#]+)")
_SECTION = re.compile(r';(?=(?:[^"]*"[^"]*")*[^"]*$)')


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A cell. `shown`: as a slide shows it. `value`: as stored, empty for texts. `old`: not computed since an edit."""

    cell: str
    shown: str
    value: str = ""
    unit: str = ""
    old: bool = False
    is_date: bool = False


def grid(book: Workbook, sheet: Sheet, area: Area) -> list[list[Figure | None]]:
    """Return an area row by row; empty cells are None."""
    rows: list[list[Figure | None]] = [
        [None] * (area.right - area.left + 1) for _ in range(area.bottom - area.top + 1)
    ]
    for value in book.values(sheet, area):
        if value.kind != "empty" and value.text:
            row, column = value.place
            rows[row - area.top][column - area.left] = figure(book, sheet, value)
    return rows


def figure(book: Workbook, sheet: Sheet, value: Value) -> Figure:
    """Return one cell."""
    code = book.styles.code(value.style)
    number = value.kind == "number"
    dated = number and is_date(code)
    shown = value.text
    if dated:
        shown = as_date(value.text, date1904=book.date1904) or value.text
    elif number:
        shown = displayed(value.text, code)
    return Figure(
        cell=f"{quote_sheet(sheet.name)}!{name_of(value.place)}",
        shown=" ".join(shown.split())[:300],
        value=value.text if number and not dated else "",
        unit=unit_of(code) if number else "",
        old=bool(value.formula) and (book.is_stale or value.kind == "empty"),
        is_date=dated,
    )


def displayed(text: str, code: str) -> str:
    """Return a number as its format shows it: percent, thousands, decimals, currency; General with at most 6 digits behind the point."""
    try:
        number = Decimal(text)
    except InvalidOperation:
        return text
    first = _SECTION.split(code)[0]
    percent = "%" in first
    if percent:
        number *= 100
    found = _DECIMALS.search(first)
    if code in ("General", "", "@"):
        shown = (
            f"{number:,f}"
            if abs(number) >= 10_000 and number == number.to_integral_value()
            else f"{number:f}"
        )
        shown = f"{number:.6f}" if len(shown) > 15 and abs(number) < 10**12 else shown
        shown = f"{number:.6E}" if len(shown) > 30 else shown
        shown = shown.rstrip("0").rstrip(".") if "." in shown else shown
    else:
        places = len(found[1]) if found else 0
        shown = (
            f"{number:,.{places}f}" if "," in first or "#,#" in first else f"{number:.{places}f}"
        )
    unit = unit_of(code)
    if percent:
        return f"{shown}%"
    if unit:
        sign, digits = ("-", shown[1:]) if shown.startswith("-") else ("", shown)
        return f"{sign}{unit}{digits}" if len(unit) == 1 else f"{sign}{digits} {unit}"
    return shown
