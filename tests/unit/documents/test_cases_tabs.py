"""Sheets of workbooks saved by Excel get another name or place, or go; skipped where the cases folder is absent."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any

import pytest
from openpyxl import load_workbook

from deskmate.errors import ToolInputError
from deskmate.plugin import Deliverable, Sources, ValidationContext
from deskmate_documents.inventory import compare, counts, inventory
from deskmate_documents.office.package_gate import problems
from deskmate_documents.office.workbook_gate import check_workbook
from deskmate_documents.opc import Package
from deskmate_documents.xlsx.book import Workbook
from deskmate_documents.xlsx.difference import changes
from deskmate_documents.xlsx.edit import edit_workbook
from deskmate_documents.xlsx.engines import Formualizer
from deskmate_documents.xlsx.graph import Spot

FOLDER = Path(__file__).parents[4] / "shared" / "cases"
FINANCE = FOLDER / "finance"
pytestmark = [
    pytest.mark.cases,
    pytest.mark.skipif(not FOLDER.is_dir(), reason="the cases folder is not beside the checkout"),
]
SAVED = sorted(
    p
    for d in ("xlsx_poi", "xlsx_closedxml", "xlsx_xlsxwriter")
    for p in (FINANCE / d).glob("*.xlsx")
)
NAME = "Größe & 'Maß' 2"


def held(source: Path, target: Path, *edits: dict[str, Any]) -> None:
    """Make edits, and see that the package is whole, that other programs read it, and that the gate lets it pass."""
    outcome = edit_workbook(source, target, list(edits), allow_protected=True)
    assert len(list(problems(target))) == len(list(problems(source)))
    deliverable = Deliverable(
        path="out.xlsx", title="x", sources={"original": "a.xlsx"},
        data={"declared": outcome.declared.to_json()},
    )  # fmt: skip
    context = ValidationContext(file=target, sources=Sources({"a.xlsx": source}, {}))
    assert [f.message for f in check_workbook(deliverable, context)] == []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        load_workbook(target)


def left(source: Path, back: Path) -> set[str]:
    """Return what is another one after an edit was taken back."""
    found = compare(inventory(Package(source)), inventory(Package(back)))
    assert [c.message for c in changes(Workbook(source), Workbook(back))] == []
    return {f.kind for f in (*found.lost, *found.gained, *found.changed)}


def results(path: Path, old: str, new: str) -> dict[Spot, str]:
    """Compute all formulas, by the sheet's old name."""
    book = Workbook(path)
    wanted = [(sheet.name, value.place) for sheet, value in book.formulas()][:400]
    try:
        answers = Formualizer().compute(path, wanted)
    except ToolInputError:
        return {}
    return {(old if s == new else s, place): a.text for (s, place), a in answers.items()}


@pytest.mark.parametrize("source", SAVED, ids=lambda p: p.stem)
def test_a_sheet_gets_another_name_and_nothing_is_lost(source: Path, tmp_path: Path) -> None:
    target, back = tmp_path / "out.xlsx", tmp_path / "back.xlsx"
    for sheet in Workbook(source).sheets[:3]:
        held(source, target, {"op": "sheet_rename", "sheet": sheet.name, "name": NAME})
        assert counts(inventory(Package(target))) == counts(inventory(Package(source)))
        assert results(target, sheet.name, NAME) == results(source, sheet.name, NAME)
        edit_workbook(
            target,
            back,
            [{"op": "sheet_rename", "sheet": NAME, "name": sheet.name}],
            allow_protected=True,
        )
        # names of letters beyond ASCII get their quotes, which mean the same
        assert left(source, back) <= (set() if sheet.name.isascii() else {"defined name"})


@pytest.mark.parametrize("source", SAVED, ids=lambda p: p.stem)
def test_a_sheet_gets_another_place_and_nothing_is_lost(source: Path, tmp_path: Path) -> None:
    target, back = tmp_path / "out.xlsx", tmp_path / "back.xlsx"
    sheets = Workbook(source).sheets
    if len(sheets) < 2:
        pytest.skip("it has one sheet")
    first, second = sheets[0].name, sheets[1].name
    try:
        held(source, target, {"op": "sheet_move", "sheet": first})
    except ToolInputError as error:
        if "other sheets" not in error.message:
            raise
        return
    assert Workbook(target).sheets[-1].name == first
    edit_workbook(
        target, back, [{"op": "sheet_move", "sheet": first, "before": second}], allow_protected=True
    )
    assert left(source, back) == set()


@pytest.mark.parametrize("source", SAVED, ids=lambda p: p.stem)
def test_a_sheet_that_nothing_names_can_go(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.xlsx"
    for sheet in Workbook(source).sheets[:4]:
        try:
            held(source, target, {"op": "sheet_delete", "sheet": sheet.name})
        except ToolInputError as error:
            if not re.search("last sheet|is used by|belongs to|has a record", error.message):
                raise
            continue
        names = [s.name for s in Workbook(source).sheets]
        assert [s.name for s in Workbook(target).sheets] == [n for n in names if n != sheet.name]
