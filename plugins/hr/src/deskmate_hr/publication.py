"""Writes the people report as DOCX or XLSX and reads its tables and prose back."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from deskmate.plugin import ToolInputError
from deskmate_documents.tables import read_sheets, write_tables
from deskmate_hr.people import PeopleTable

NOTES = "Notes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """What a reader of the file sees: tables as rows of text, and all other lines of text."""

    tables: tuple[tuple[tuple[str, ...], ...], ...]
    lines: tuple[str, ...]


def write_report(
    file: Path, title: str, tables: Sequence[PeopleTable], notes: Sequence[str]
) -> None:
    """Write the report; the ending decides between DOCX and XLSX."""
    if file.suffix.lower() == ".xlsx":
        sheets: dict[str, list[list[str]]] = {}
        for number, table in enumerate(tables, start=1):
            name = re.sub(r"[\\/*?:\[\]]", " ", f"{number} {table.by}")
            sheets[name] = [list(row) for row in table.rows]
        write_tables(file, {**sheets, NOTES: [[title], *[[note] for note in notes]]})
        return
    _write_docx(file, title, tables, notes)


def _write_docx(
    file: Path, title: str, tables: Sequence[PeopleTable], notes: Sequence[str]
) -> None:
    from docx import Document  # noqa: PLC0415 - heavy

    document = Document()
    document.core_properties.author = ""
    document.add_heading(title, level=1)
    for table in tables:
        document.add_heading(f"By {table.by}", level=2)
        grid = document.add_table(
            rows=len(table.rows), cols=len(table.rows[0]), style="Light Grid Accent 1"
        )
        for line, cells in zip(grid.rows, table.rows, strict=True):
            for cell, text in zip(line.cells, cells, strict=True):
                cell.text = text
    document.add_heading(NOTES, level=2)
    for note in notes:
        document.add_paragraph(note, style="List Bullet")
    file.parent.mkdir(parents=True, exist_ok=True)
    document.save(str(file))


def read_report(file: Path, name: str) -> Published:
    """Return what the file shows.

    Raises:
        ToolInputError: it is neither a readable DOCX nor XLSX.
    """
    if name.lower().endswith(".xlsx"):
        sheets = read_sheets(file, name=name)
        tables = [tuple(map(tuple, rows)) for title, rows in sheets.items() if title != NOTES]
        return Published(
            tables=tuple(tables), lines=tuple(" ".join(row) for row in sheets.get(NOTES, []))
        )
    return _read_docx(file, name)


def _read_docx(file: Path, name: str) -> Published:
    from docx import Document  # noqa: PLC0415 - heavy
    from docx.opc.exceptions import PackageNotFoundError  # noqa: PLC0415

    try:
        document = Document(str(file))
    except (PackageNotFoundError, KeyError, ValueError, OSError) as problem:
        raise ToolInputError(f"{name} is not a readable DOCX.") from problem
    tables = [
        tuple(tuple(cell.text.strip() for cell in row.cells) for row in table.rows)
        for table in document.tables
    ]
    return Published(
        tables=tuple(tables), lines=tuple(p.text for p in document.paragraphs if p.text.strip())
    )
