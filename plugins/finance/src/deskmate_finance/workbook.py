"""Reading a workbook that this plugin made: its rows by title, its formulas, and what in it is not live."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path

from deskmate.plugin import ToolError
from deskmate_documents.numbers import decimal_of
from deskmate_documents.xlsx.book import Workbook
from deskmate_documents.xlsx.cells import Value
from deskmate_documents.xlsx.formula import tokens
from deskmate_documents.xlsx.lint import literals_of
from deskmate_documents.xlsx.refs import Place, name_of
from deskmate_documents.xlsx.results import wrong_results

Cells = Mapping[Place, Value]
Both = tuple[Mapping[str, Decimal], Mapping[str, Decimal] | None]
CENT = Decimal("0.000001")
"""Less than this is what binary fractions leave of a sum in cents; results are shown to the cent."""


def cells_of(book: Workbook, name: str) -> dict[Place, Value]:
    """Return a sheet's cells that hold something.

    Raises:
        ToolInputError: there is no such sheet.
    """
    return {v.place: v for v in book.values(book.sheet(name)) if v.kind != "empty" or v.formula}


def text_at(cells: Cells, row: int, column: int) -> str:
    """Return what a cell holds as text, "" for an empty one."""
    value = cells.get((row, column))
    return value.text.strip() if value else ""


def figure_at(cells: Cells, row: int, column: int) -> Decimal | None:
    """Return the figure of a cell; None if it holds none."""
    value = cells.get((row, column))
    return decimal_of(value.text) if value and value.kind == "number" else None


def equal(one: Decimal | None, other: Decimal | None) -> bool:
    """Say whether two figures are the same amount of money."""
    if one is None or other is None:
        return one is other
    return abs(one - other) <= CENT * max(Decimal(1), abs(other) / 10**9)


def titled(cells: Cells) -> dict[str, int]:
    """Return title in column A → its first row."""
    found: dict[str, int] = {}
    for row, column in sorted(cells):
        if column == 1 and cells[row, column].kind == "text":
            found.setdefault(cells[row, column].text.strip(), row)
    return found


def differences(file: Path, expected: Mapping[str, Both]) -> Iterator[tuple[str, str]]:
    """Yield (place, message) of each figure on titled sheets that is not the expected one, is missing or too many."""
    book = Workbook(file)
    names = {sheet.name for sheet in book.sheets}
    for name, both in expected.items():
        if name not in names:
            yield name, f"The sheet {name} is missing."
            continue
        yield from _of_sheet(name, cells_of(book, name), both)


def _of_sheet(name: str, cells: Cells, both: Both) -> Iterator[tuple[str, str]]:
    rows = titled(cells)
    known: set[Place] = set()
    for column, figures in enumerate(both, 2):
        for title, figure in (figures or {}).items():
            row = rows.get(title, 0)
            known.add((row, column))
            found = figure_at(cells, row, column)
            if not equal(found, figure):
                shown = "missing" if found is None else f"{found:f}"
                place = f"{name}!{name_of((row, column))}" if row else name
                yield place, f"{title} is {shown}; the sources give {figure:f}."
    for at, value in cells.items():
        if value.kind == "number" and at not in known:
            yield f"{name}!{name_of(at)}", f"The figure {value.text} belongs to no line."


def not_live(
    file: Path, inputs: Mapping[str, frozenset[int]], skip: frozenset[str] = frozenset()
) -> Iterator[tuple[str, str]]:
    """Yield (place, message) of figures that are typed in where a formula must stand, and of results that are not true.

    Args:
        file: the workbook.
        inputs: sheet → columns, from 1, whose figures are inputs; no other cell may hold a typed figure.
        skip: names of cells (`Sheet!B5`) that are inputs too.
    """
    book = Workbook(file)
    for sheet in book.sheets:
        for value in book.values(sheet) if sheet.kind == "worksheet" else ():
            place = f"{sheet.name}!{name_of(value.place)}"
            if value.formula:
                yield from ((place, message) for message in _of_formula(value))
                continue
            typed = value.kind == "number" and place not in skip
            if typed and value.place[1] not in inputs.get(sheet.name, frozenset()):
                yield place, f"The figure {value.text} is typed in; a formula must stand there."
    try:
        for wrong in wrong_results(file):
            shown = wrong.computed or "nothing"
            yield (
                wrong.label,
                f"={wrong.formula[:80]} shows {wrong.stored}; it computes to {shown}.",
            )
    except ToolError as error:
        yield "workbook", error.message


def _of_formula(value: Value) -> Iterator[str]:
    if value.kind == "error":
        yield f"The cell shows {value.text}."
    if literals_of(value.formula):
        yield f"={value.formula[:80]} holds a typed figure."
    elif not any(token.kind in ("ref", "table", "name") for token in tokens(value.formula)):
        yield f"={value.formula[:80]} refers to no cell."
