"""What the tests of workbooks share: edits that everything checks, the gate, parts to look at and to forge."""

from __future__ import annotations

import warnings
import zipfile
from pathlib import Path
from typing import Any

from openpyxl import load_workbook
from tests.unit.documents.schemas import schema_errors

from deskmate.plugin import Deliverable, Sources, ValidationContext
from deskmate_documents.office.package_gate import problems
from deskmate_documents.office.workbook_gate import check_workbook
from deskmate_documents.xlsx.book import Workbook
from deskmate_documents.xlsx.edit import Outcome, edit_workbook
from deskmate_documents.xlsx.refs import name_of


def edited(path: Path, *edits: dict[str, Any], **options: Any) -> tuple[Path, Outcome]:
    """Edit a workbook; the result has no problem, fits the schemas, and another library opens it."""
    target = path.with_name("out.xlsx")
    outcome = edit_workbook(path, target, edits, **options)
    assert list(problems(target)) == []
    assert schema_errors(target, path) == []
    loaded(target)
    return target, outcome


def loaded(path: Path, **options: Any) -> Any:
    """Return a workbook as another library reads it, which says what it does not know."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return load_workbook(path, **options)


def gate(original: Path, result: Path, declared: Outcome | dict[str, Any]) -> list[str]:
    """Return what the gate says of a result; `declared`: an outcome, or the declaration itself."""
    data = declared if isinstance(declared, dict) else declared.declared.to_json()
    deliverable = Deliverable(
        path="out.xlsx",
        title="x",
        sources={"original": "a.xlsx"},
        data={"declared": data},
    )
    context = ValidationContext(file=result, sources=Sources({"a.xlsx": original}, {}))
    return [finding.message for finding in check_workbook(deliverable, context)]


def part(path: Path, name: str) -> str:
    """Return the text of a part."""
    with zipfile.ZipFile(path) as archive:
        return archive.read(name).decode()


def forge(path: Path, name: str, old: str, new: str) -> None:
    """Replace a text of a part, once, as no tool would."""
    with zipfile.ZipFile(path) as archive:
        files = {each: archive.read(each) for each in archive.namelist()}
    assert old in files[name].decode()
    files[name] = files[name].decode().replace(old, new, 1).encode()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for each, data in files.items():
            archive.writestr(each, data)


def insert(cells: str) -> dict[str, Any]:
    """Return the edit that inserts rows or columns."""
    return {"op": "insert", "cells": cells}


def delete(cells: str) -> dict[str, Any]:
    """Return the edit that deletes rows or columns."""
    return {"op": "delete", "cells": cells}


def formulas(path: Path) -> dict[str, str]:
    """Return cell → formula of a whole workbook."""
    return {f"{s.name}!{name_of(v.place)}": v.formula for s, v in Workbook(path).formulas()}
