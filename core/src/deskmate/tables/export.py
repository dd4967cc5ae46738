"""Tables as JSON and CSV files: written row by row, whole or not at all."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from deskmate.errors import UserError
from deskmate.tables.record import TableRecord
from deskmate.types.codec import to_json
from deskmate.types.tables import Cell

KINDS = (".xlsx", ".csv", ".json")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def export_table(record: TableRecord, target: Path) -> None:
    """Write a table to a file of one of the KINDS, in place of what was there. Raises UserError."""
    kind = target.suffix.lower()
    if kind not in KINDS:
        raise UserError(
            f"{target.name} is no file that a table is written to.", hint=f"Use {', '.join(KINDS)}."
        )
    if not target.parent.is_dir():
        raise UserError(f"{target.parent} is not a folder.")
    part = target.with_name(f".{target.name}.part")
    try:
        if kind == ".xlsx":
            from deskmate.tables.workbook import write_workbook  # noqa: PLC0415 - heavy

            write_workbook(record, part)
        else:
            with part.open("w", encoding="utf-8", newline="") as file:
                (_write_csv if kind == ".csv" else _write_json)(record, file)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def _write_json(record: TableRecord, file: TextIO) -> None:
    head = json.dumps(to_json(record.summary(), defaults=True), ensure_ascii=False)
    file.write(f'{{"format": 1, "summary": {head}, "rows": [')
    for number, row in enumerate(record.rows()):
        entry = {
            "number": row.number,
            "path": row.path,
            "sha256": row.sha256,
            "state": row.state,
            "cells": to_json(record.cells(row.number), defaults=True),
        }
        file.write((",\n" if number else "\n") + json.dumps(entry, ensure_ascii=False))
    file.write("\n]}\n")


def _write_csv(record: TableRecord, file: TextIO) -> None:
    file.write("\ufeff")  # spreadsheets take it for UTF-8
    writer = csv.writer(file)
    heads = ("", " unit", " status", " page", " paragraph", " place", " quote", " why")
    names = [column.name for column in record.about.columns]
    writer.writerow(["row", "document", "sha256", *(f"{n}{head}" for n in names for head in heads)])
    for row in record.rows():
        values = [each for cell in record.cells(row.number) for each in _of(cell)]
        writer.writerow([row.number, _safe(row.path), row.sha256 or "", *values])


def _of(cell: Cell) -> Iterator[str | int]:
    yield from (_safe(cell.value), cell.unit, cell.status, cell.page or "", cell.paragraph or "")
    yield from (_safe(cell.place), _safe(cell.quote), _safe(cell.why))


def _safe(text: str) -> str:
    """Return text that no spreadsheet takes for a formula: a document's words are not to be carried out."""
    if text.startswith(_FORMULA) and not _is_number(text):
        return f"'{text}"
    return text


def _is_number(text: str) -> bool:
    return text.lstrip("-").replace(".", "", 1).isdigit()
