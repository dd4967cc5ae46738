"""Workbooks saved by Excel, and hostile ones; skipped where the cases folder is absent."""

from __future__ import annotations

import shutil
import subprocess
import warnings
import zipfile
from pathlib import Path

import pytest
from openpyxl import load_workbook

from deskmate.errors import ToolInputError
from deskmate.plugin import Deliverable, Sources, ToolContext, ValidationContext
from deskmate_documents.inventory import compare, counts, inventory
from deskmate_documents.office.package_gate import problems
from deskmate_documents.office.sheet_tools import sheet_edit, sheet_map, sheet_read
from deskmate_documents.office.workbook_gate import check_workbook
from deskmate_documents.opc import Package
from deskmate_documents.xlsx.book import Workbook
from deskmate_documents.xlsx.edit import Outcome, edit_workbook
from deskmate_documents.xlsx.graph import Graph
from deskmate_documents.xlsx.pivots import pivots
from deskmate_documents.xlsx.refs import name_of

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
CALCULATED = sorted((FINANCE / "xlsx_calc").glob("*.xlsx"))
HOSTILE = sorted(p for p in (FOLDER / "hostile").glob("*/*") if p.is_file())


def change_one_cell(source: Path, target: Path) -> tuple[str, str, Outcome]:
    """Give the first figure that may be edited another value, or an empty cell far away one."""
    book = Workbook(source)
    sheet = next(s for s in book.sheets if s.kind == "worksheet")
    figures = [v for v in book.values(sheet) if v.kind == "number" and not v.formula]
    for cell in [*(name_of(v.place) for v in figures[:60]), "AZ900"]:
        edit = {"cells": "'" + sheet.name.replace("'", "''") + f"'!{cell}", "value": 4711}
        try:
            return sheet.name, cell, edit_workbook(source, target, [edit], allow_protected=True)
        except ToolInputError as error:
            assert "belongs to" in error.message or "merged" in error.message  # noqa: PT017
    raise AssertionError("no cell could be edited")


@pytest.mark.parametrize("source", SAVED, ids=lambda p: p.stem)
def test_one_edited_cell_loses_nothing(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.xlsx"
    sheet, cell, outcome = change_one_cell(source, target)
    with zipfile.ZipFile(source) as before, zipfile.ZipFile(target) as after:
        assert before.namelist() == after.namelist()
        changed = {n for n in before.namelist() if before.read(n) != after.read(n)}
    book = Workbook(source)
    part = next(s.part for s in book.sheets if s.name == sheet)
    assert part in changed
    assert changed <= {part, book.main}
    differences = compare(inventory(Package(source)), inventory(Package(target)))
    assert (differences.lost, {f.kind for f in differences.gained}) in [
        ((), set()), ((), {"calculation settings"}),
    ]  # fmt: skip
    assert {f.kind for f in differences.changed} <= {"calculation settings"}
    assert list(problems(target)) == list(problems(source))
    deliverable = Deliverable(
        path="out.xlsx",
        title="x",
        sources={"original": "a.xlsx"},
        data={"declared": outcome.declared.to_json()},
    )
    context = ValidationContext(file=target, sources=Sources({"a.xlsx": source}, {}))
    assert list(check_workbook(deliverable, context)) == []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = load_workbook(target)[sheet][cell]
    # a cell that is formatted as a date or time is read back as one
    assert found.is_date or found.value == 4711


@pytest.mark.parametrize("source", SAVED[::6], ids=lambda p: p.stem)
def test_an_edit_that_is_not_declared_is_refused(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.xlsx"
    sheet, cell, _ = change_one_cell(source, target)
    data = {"declared": {"cells": {sheet: ["XFD1048576"]}}}
    deliverable = Deliverable(path="out.xlsx", title="x", sources={"original": "a.xlsx"}, data=data)
    context = ValidationContext(file=target, sources=Sources({"a.xlsx": source}, {}))
    assert f"{sheet}!{cell} was" in " ".join(
        f.message for f in check_workbook(deliverable, context)
    )


@pytest.mark.parametrize("source", [*SAVED, *CALCULATED], ids=lambda p: p.stem)
def test_cells_are_those_that_another_reader_finds(source: Path) -> None:
    book = Workbook(source)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        formulas, results = load_workbook(source), load_workbook(source, data_only=True)
    for sheet in book.sheets:
        if sheet.kind != "worksheet":
            continue
        seen = set()
        for value in book.values(sheet):
            seen.add(value.place)
            formula = formulas[sheet.name].cell(*value.place).value
            result = results[sheet.name].cell(*value.place).value
            if value.formula and not value.array and isinstance(formula, str):
                assert formula == f"={value.formula}"
            if value.kind == "number" and isinstance(result, int | float):
                assert float(value.text) == float(result)
            if value.kind == "text":
                assert value.text == (result or "")
        missed = {
            (c.row, c.column)
            for row in formulas[sheet.name].iter_rows()
            for c in row
            if c.value is not None
        }
        assert missed <= seen


@pytest.mark.parametrize("source", [*SAVED, *CALCULATED], ids=lambda p: p.stem)
def test_maps_and_windows_are_made_of_every_sheet(source: Path, tmp_path: Path) -> None:
    context = ToolContext(workspace=source.parent, home=tmp_path, resources=tmp_path)
    answer = sheet_map(source.name, context, lint=True)
    for sheet in answer["sheets"]:
        if "kind" not in sheet:
            assert sheet_map(source.name, context, sheet=sheet["name"])["name"] == sheet["name"]
            sheet_read(source.name, f"'{sheet['name']}'!A1:Z30", context, trace=True)
    assert Graph(Workbook(source)).count == sum(s.get("formulas", 0) for s in answer["sheets"])


def test_the_pivot_tables_are_all_read_with_source_and_fields() -> None:
    found = [pivot for source in SAVED for pivot in pivots(Workbook(source))]
    assert (
        len(found) == sum(counts(inventory(Package(s))).get("pivot table", 0) for s in SAVED) >= 14
    )
    assert all(p.name and p.area and p.fields for p in found)
    assert all(p.source for p in found if "WithoutSourceData" not in p.part)


@pytest.mark.parametrize("path", HOSTILE, ids=lambda p: p.name)
def test_hostile_files_give_a_result_or_one_clear_line(path: Path, tmp_path: Path) -> None:
    copy = tmp_path / f"{path.stem}.xlsx"
    shutil.copyfile(path, copy)
    copy.chmod(0o600)
    before = copy.read_bytes()
    context = ToolContext(workspace=tmp_path, home=tmp_path, resources=tmp_path)
    for call in (
        lambda: sheet_map(copy.name, context, lint=True),
        lambda: list(problems(copy)),
        lambda: sheet_edit(
            copy.name, [{"cells": "Sheet1!A1", "value": 1}], context, target="o.xlsx"
        ),
    ):
        try:
            call()
        except ToolInputError as error:
            assert "\n" not in error.message  # noqa: PT017
            assert len(error.message) < 600  # noqa: PT017
    assert copy.read_bytes() == before


def to_csv(folder: Path, files: list[Path]) -> dict[str, str]:
    """Return stem → text of the first sheets, as LibreOffice shows them; empty without its Calc."""
    command = [
        "soffice", "--headless", f"-env:UserInstallation=file://{folder}/profile", "--convert-to", "csv",
        "--outdir", str(folder / "csv"), *map(str, files),
    ]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True, timeout=250)
    return {p.stem: p.read_text(errors="replace") for p in (folder / "csv").glob("*.csv")}


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("soffice") is None, reason="LibreOffice is not installed")
def test_libreoffice_opens_every_edited_workbook(tmp_path: Path) -> None:
    if not to_csv(tmp_path / "probe", SAVED[:1]):
        pytest.skip("LibreOffice has no Calc here")
    made = tmp_path / "made"
    made.mkdir()
    for number, source in enumerate(SAVED):
        change_one_cell(source, made / f"{number}.xlsx")
    assert len(to_csv(tmp_path, sorted(made.iterdir()))) == len(SAVED)
