"""Rooms for the gates of this profession: a workspace, its deliverables, and how a file is spoilt."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import openpyxl

from deskmate.plugin import Deliverable, Sources, ToolContext, ValidationContext
from deskmate_finance.validators.rules import every_rule


def desk(folder: Path, files: Mapping[str, str], **config: Any) -> ToolContext:
    """Return a workspace with these text files."""
    workspace = folder / "ws"
    for name, text in files.items():
        (workspace / name).parent.mkdir(parents=True, exist_ok=True)
        (workspace / name).write_text(text)
    return ToolContext(workspace=workspace, home=folder, resources=folder, config=config)


def verdicts(
    context: ToolContext,
    deliverable: Deliverable,
    *,
    originals: Iterable[str] | None = None,
    **changes: Any,
) -> list[tuple[str, str, str]]:
    """Return (rule, level, message) of all gates that look at a deliverable's role."""
    names = deliverable.sources.values() if originals is None else originals
    room = ValidationContext(
        file=context.workspace / deliverable.path,
        sources=Sources({name: context.workspace / name for name in names}, {}),
    )
    return [
        (rule, finding.level, finding.message)
        for rule, _, check, roles in every_rule()
        if deliverable.role in roles
        for finding in check(replace(deliverable, **changes), room)
    ]


def rules(found: Iterable[tuple[str, str, str]]) -> set[str]:
    """Return the rules that found something."""
    return {rule for rule, _, _ in found}


def patch(file: Path, sheet: str, cell: str, value: object, *, result: bool = False) -> None:
    """Put another value, formula or stored result into a cell; everything else keeps what it shows."""
    from deskmate_documents.xlsx.book import Workbook
    from deskmate_documents.xlsx.calculate import write_results
    from deskmate_documents.xlsx.edit import edit_workbook
    from deskmate_documents.xlsx.engines import Answer
    from deskmate_documents.xlsx.refs import parse_area

    if result:
        area = parse_area(cell)
        kind: Any = "number" if isinstance(value, int | float) else "text"
        spot = (sheet, (area.top, area.left))
        write_results(Workbook(file), file, {spot: Answer(kind, str(value))}, complete=True)
        return
    wanted: dict[str, Any] = {"op": "set", "cells": f"'{sheet}'!{cell}"}
    if isinstance(value, str) and value.startswith("="):
        wanted["formula"] = value
    else:
        wanted["value"] = value
    edit_workbook(file, file, [wanted])


def row_of(file: Path, sheet: str, title: str) -> int:
    """Return the row whose first cell is a title."""
    rows = openpyxl.load_workbook(file)[sheet].iter_rows(max_col=1)
    return int(next(cells[0].row for cells in rows if cells[0].value == title))


def shown(file: Path, sheet: str) -> dict[str, Any]:
    """Return title → figure in column B, as the file stores it."""
    rows = openpyxl.load_workbook(file, data_only=True)[sheet].iter_rows(
        max_col=2, values_only=True
    )
    return {str(title): figure for title, figure in rows if title}
