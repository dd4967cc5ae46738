"""Workbooks that a tool makes of sheets: written with computed results, and compared again, cell by cell."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path, PurePosixPath
from typing import Any

from deskmate.plugin import ToolInputError
from deskmate_documents.xlsx.book import Workbook
from deskmate_documents.xlsx.build import build_workbook
from deskmate_documents.xlsx.cells import Value, serial
from deskmate_documents.xlsx.formula import stored
from deskmate_documents.xlsx.refs import name_of
from deskmate_documents.xlsx.results import fill_results
from deskmate_finance.looks import DRAFT, styled
from deskmate_finance.workbook import cells_of, equal, figure_at

Sheets = Sequence[Mapping[str, Any]]
Rows = list[list[Any]]
TEXT_LIMIT = 1_000


def write_made(target: Path, sheets: Sheets) -> None:
    """Write a new workbook with the result of every formula.

    Raises:
        ToolError: a formula gives none; nothing is written then.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="deskmate-finance-") as folder:
        part = Path(folder) / "made.xlsx"
        build_workbook(part, sheets)
        fill_results(part)
        target.write_bytes(part.read_bytes())


def book_path(output: str, beside: str, name: str, *inputs: str) -> str:
    """Return where the new workbook goes: as named, else under its usual name beside the source.

    Raises:
        ToolInputError: it is no .xlsx, or one of the inputs.
    """
    path = output or str(PurePosixPath(beside).parent / name)
    if not path.lower().endswith(".xlsx") or path in inputs:
        raise ToolInputError(f"{path} cannot be the workbook; give a new name in .xlsx.")
    return path


def words(value: str, look: str = "text") -> dict[str, Any]:
    """Return a cell of text, whatever the text begins with."""
    return styled({"text": value[:TEXT_LIMIT]}, look)


def heads(titles: Sequence[str], figures: frozenset[str] = frozenset()) -> list[Any]:
    """Return a row of column heads; those of figures stand at the right."""
    return [words(title, "head figure" if title in figures else "head") for title in titles]


def top(title: str, *notes: str) -> Rows:
    """Return the rows above a table: title, that it is a draft, notes, and an empty row."""
    return [
        [words(title, "title")],
        [words(DRAFT, "draft")],
        *([words(note, "note")] for note in notes),
        [],
    ]


def other_cells(file: Path, sheets: Sheets) -> Iterator[tuple[str, str]]:
    """Yield (place, message) of each cell that does not hold what these sheets hold, and of what is too many.

    Typed figures, texts and formulas are compared; what formulas show is the matter of FIN-LIVE-TOTALS.
    """
    book = Workbook(file)
    names = [sheet.name for sheet in book.sheets]
    wanted_names = [str(sheet["name"]) for sheet in sheets]
    if names != wanted_names:
        yield "workbook", f"The sheets must be {', '.join(wanted_names)}, not {', '.join(names)}."
    for sheet in sheets:
        if sheet["name"] not in names:
            continue
        cells = cells_of(book, sheet["name"])
        for number, row in enumerate(sheet["rows"], 1):
            for column, wanted in enumerate(row, 1):
                at = (number, column)
                message = _differs(_bare(wanted), cells.pop(at, None))
                if message:
                    yield f"{sheet['name']}!{name_of(at)}", message
        for at, value in cells.items():
            yield (
                f"{sheet['name']}!{name_of(at)}",
                f"{value.text or value.formula} must not stand here.",
            )


def _bare(cell: Any) -> Any:
    return cell["value"] if isinstance(cell, dict) and set(cell) == {"value", "look"} else cell


def _differs(wanted: Any, found: Value | None) -> str:
    """Return what is wrong with a cell; "" if nothing is."""
    if wanted is None or wanted == {"text": ""} or wanted == "":
        return f"{found.text} must not stand here." if found and found.text else ""
    if isinstance(wanted, dict) and "date" in wanted:
        wanted = Decimal(str(serial(str(wanted["date"]), date1904=False)))
    if isinstance(wanted, str) and wanted.startswith("="):
        given = "" if found is None else found.formula
        return "" if given == stored(wanted) else f"{wanted[:80]} must stand here."
    if found is None or found.formula:
        return f"{_shown(wanted)} must stand here."
    if isinstance(wanted, int | float | Decimal):
        figure = figure_at({found.place: found}, *found.place)
        right = equal(figure, Decimal(str(wanted)))
        return "" if right else f"{_shown(wanted)} must stand here, not {found.text}."
    right = found.text.strip() == _shown(wanted).strip()
    return "" if right else f"{_shown(wanted)[:120]} must stand here, not {found.text[:120]}."


def _shown(wanted: Any) -> str:
    return str(wanted["text"]) if isinstance(wanted, dict) else str(wanted)
