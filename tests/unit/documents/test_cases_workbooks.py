"""Workbooks saved by Excel, and hostile ones; skipped where the cases folder is absent."""

from __future__ import annotations

import re
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openpyxl.formula import Tokenizer
from tests.unit.documents.schemas import schema_errors
from tests.unit.documents.sheet_rooms import gate, loaded

from deskmate.errors import ToolInputError
from deskmate.plugin import ToolContext
from deskmate_documents.inventory import compare, counts, inventory
from deskmate_documents.office.package_gate import problems
from deskmate_documents.office.sheet_tools import sheet_edit, sheet_map, sheet_read
from deskmate_documents.opc import Package
from deskmate_documents.xlsx.book import Workbook, parse_target
from deskmate_documents.xlsx.calculate import same
from deskmate_documents.xlsx.difference import changes
from deskmate_documents.xlsx.edit import Outcome, edit_workbook
from deskmate_documents.xlsx.engines import Formualizer
from deskmate_documents.xlsx.formula import tokens
from deskmate_documents.xlsx.graph import Graph
from deskmate_documents.xlsx.pivots import pivots
from deskmate_documents.xlsx.refs import name_of, quote_sheet
from deskmate_documents.xlsx.structure import wanted_shift

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
    assert gate(source, target, outcome) == []
    found = loaded(target)[sheet][cell]
    # a cell that is formatted as a date or time is read back as one
    assert found.is_date or found.value == 4711


REFUSED = re.compile(
    "would be cut|cannot come|no room|from elsewhere|would lose|by its name|would go|cannot be written"
)


def lines_that_came_in(
    source: Path, target: Path, op: str = "insert"
) -> Iterator[tuple[str, Outcome]]:
    """Insert rows and columns into each sheet in turn, or delete them; what is refused is left out."""
    for sheet in Workbook(source).sheets[:2]:
        for lines in ("3:4", "B:B") if sheet.kind == "worksheet" else ():
            cells = f"{quote_sheet(sheet.name)}!{lines}"
            edit = {"op": op, "cells": cells}
            try:
                yield cells, edit_workbook(source, target, [edit], allow_protected=True)
            except ToolInputError as error:
                if not REFUSED.search(error.message):
                    raise


@pytest.mark.parametrize("source", SAVED, ids=lambda p: p.stem)
def test_rows_and_columns_come_in_and_nothing_is_lost(source: Path, tmp_path: Path) -> None:
    target, back = tmp_path / "out.xlsx", tmp_path / "back.xlsx"
    had = counts(inventory(Package(source)))
    for cells, outcome in lines_that_came_in(source, target):
        has = counts(inventory(Package(target)))
        assert {kind: n for kind, n in had.items() if has.get(kind, 0) < n} == {}
        assert len(list(problems(target))) == len(list(problems(source)))
        assert gate(source, target, outcome) == []
        loaded(target)
        edit_workbook(target, back, [{"op": "delete", "cells": cells}], allow_protected=True)
        assert [c.message for c in changes(Workbook(source), Workbook(back))] == []
        found = compare(inventory(Package(source)), inventory(Package(back)))
        left = {f.kind for f in (*found.lost, *found.gained, *found.changed)}
        assert left <= {"calculation settings"}


def additions(book: Workbook) -> Iterator[dict[str, Any]]:
    """Yield an edit of each kind that adds something, for what the workbook has."""
    sheet = next(s for s in book.sheets if s.kind == "worksheet")
    name = quote_sheet(sheet.name)
    figure = next((v for v in book.values(sheet) if v.kind == "number"), None)
    cell = name_of(figure.place) if figure else "A1"
    yield {"op": "sheet", "name": "New one", "before": book.sheets[0].name, "widths": [20]}
    yield {"cells": "'New one'!A1", "formula": f"={name}!{cell}"}
    series = [{"values": f"{cell}:{cell}"}]
    yield {"op": "chart", "cells": f"{name}!AA3", "chart": {"type": "bar", "series": series}}
    yield {
        "op": "rule",
        "cells": f"{name}!{cell}",
        "rule": {"type": "dataBar", "colors": ["63C384"], "solid": True},
    }
    for table in book.tables[:1]:
        filters = book.package.parse(table.part).iter("{*}filterColumn")
        filtered = {int(node.get("colId", "0")) for node in filters}
        free = [name for n, name in enumerate(table.columns) if n not in filtered]
        for column in free[:1] if table.header_rows else ():
            yield {"op": "slicer", "cells": f"{name}!AK3", "table": table.name, "field": column}
    for pivot in [p for p in pivots(book) if p.rows and p.rows[0] != "Values"][:1]:
        place = f"{quote_sheet(pivot.sheet)}!AP3"
        yield {"op": "slicer", "cells": place, "pivot": pivot.name, "field": pivot.rows[0]}


@pytest.mark.parametrize("source", SAVED, ids=lambda p: p.stem)
def test_additions_lose_nothing_and_fit_the_schemas(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.xlsx"
    outcome = edit_workbook(source, target, [*additions(Workbook(source))], allow_protected=True)
    lost = compare(inventory(Package(source)), inventory(Package(target))).lost
    assert [f for f in lost if f.kind != "defined name"] == []
    assert list(problems(target)) == list(problems(source))
    assert schema_errors(target, source) == []
    assert gate(source, target, outcome) == []
    loaded(target)


@pytest.mark.parametrize("op", ["insert", "delete"])
@pytest.mark.parametrize("source", [*SAVED, *CALCULATED], ids=lambda p: p.stem)
def test_no_result_changes_unsaid_when_rows_or_columns_come_or_go(
    source: Path, tmp_path: Path, op: str
) -> None:
    """Compute before and after; a cell with another result must be among those named as old."""
    target = tmp_path / "out.xlsx"
    spots = [(sheet.name, value.place) for sheet, value in Workbook(source).formulas()]
    if not spots:
        pytest.skip("it has no formulas")
    first = Formualizer().compute(source, spots)
    for cells, outcome in lines_that_came_in(source, target, op):
        book = Workbook(source)
        sheet, area = parse_target(book, cells)
        shift = wanted_shift(sheet, area, gone=op == "delete")
        now = {
            s: (s[0], place)
            for s in spots
            if (place := shift.place(s[1]) if s[0] == sheet.name else s[1])
        }
        second = Formualizer().compute(target, list(now.values()))
        for spot in first.keys() & now.keys():
            given = second.get(now[spot])
            named = f"{now[spot][0]}!{name_of(now[spot][1])}" in outcome.stale
            assert named or (given is not None and same(first[spot], given)), (cells, spot)


@pytest.mark.parametrize("source", [*SAVED, *CALCULATED], ids=lambda p: p.stem)
def test_references_are_those_that_another_tokenizer_finds(source: Path) -> None:
    for _, value in Workbook(source).formulas():
        theirs = [
            t.value
            for t in Tokenizer(f"={value.formula}").items
            if (t.type, t.subtype) == ("OPERAND", "RANGE")
        ]
        ours = [
            t.text
            for t in tokens(value.formula)
            if t.kind in ("ref", "name", "table", "broken") and t.text not in ("TRUE", "FALSE")
        ]
        assert _bare(theirs) == _bare(ours)


def _bare(parts: list[str]) -> str:
    return "".join("".join(parts).replace(":", "").split())


@pytest.mark.parametrize("source", SAVED[::6], ids=lambda p: p.stem)
def test_an_edit_that_is_not_declared_is_refused(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.xlsx"
    sheet, cell, _ = change_one_cell(source, target)
    declared = {"cells": {sheet: ["XFD1048576"]}}
    assert f"{sheet}!{cell} was" in " ".join(gate(source, target, declared))


@pytest.mark.parametrize("source", [*SAVED, *CALCULATED], ids=lambda p: p.stem)
def test_cells_are_those_that_another_reader_finds(source: Path) -> None:
    book = Workbook(source)
    formulas, results = loaded(source), loaded(source, data_only=True)
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
        lambda: [*lines_that_came_in(copy, tmp_path / "l.xlsx")],
        lambda: edit_workbook(copy, tmp_path / "n.xlsx", [*additions(Workbook(copy))]),
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
