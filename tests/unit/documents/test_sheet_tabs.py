"""Sheets get another name or place, or go: all that names them follows, and what would break is refused."""

from __future__ import annotations

import re
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter
from tests.unit.documents.gate_rooms import errors, room

from deskmate.errors import ToolInputError
from deskmate.plugin import Deliverable
from deskmate_documents.office.workbook_gate import check_workbook
from deskmate_documents.xlsx.book import Workbook
from deskmate_documents.xlsx.declared import Declared
from deskmate_documents.xlsx.edit import Outcome, edit_workbook
from deskmate_documents.xlsx.refs import Area
from deskmate_documents.xlsx.sheetchange import SheetChange
from deskmate_documents.xlsx.sheetnames import texts_that_name, with_sheets

PIVOT = {
    "op": "pivot", "cells": "Report!F1", "source": "Data!A1:B4", "rows": ["Region"],
    "values": [{"field": "Amount", "function": "sum"}], "name": "P",
}  # fmt: skip


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A workbook in which everything that can name a sheet names Data."""
    path = tmp_path / "plain.xlsx"
    with xlsxwriter.Workbook(path) as book:
        book.calc_on_load = False
        data, report = book.add_worksheet("Data"), book.add_worksheet("Report")
        third = book.add_worksheet("Third")
        for number, row in enumerate(
            (("Region", "Amount"), ("North", 10), ("South", 20), ("West", 5))
        ):
            data.write_row(number, 0, row)
        data.print_area("A1:B4")
        report.write_formula("A1", "=SUM(Data!B2:B4)+'Data'!B2", None, 45)
        report.write_formula("A2", '=INDIRECT("Data!B2")', None, 10)
        report.write_formula("A3", "=SUM(Data:Report!Z9)", None, 0)
        report.conditional_format("B1:B9", {"type": "formula", "criteria": "=B1>Data!$B$2"})
        report.data_validation("C1", {"validate": "list", "source": "=Data!$A$2:$A$4"})
        report.write_url("D1", "internal:Data!A1")
        chart = book.add_chart({"type": "column"})
        chart.add_series({"categories": "=Data!$A$2:$A$4", "values": "=Data!$B$2:$B$4"})
        report.insert_chart("H5", chart)
        book.define_name("Amounts", "=Data!$B$2:$B$4")
        third.write("A1", "alone")
    made = tmp_path / "model.xlsx"
    edit_workbook(path, made, [PIVOT])
    return made


def made(source: Path, *edits: dict[str, Any]) -> tuple[Path, Outcome]:
    target = source.with_name("out.xlsx")
    return target, edit_workbook(source, target, list(edits))


def verdict(source: Path, target: Path, declared: Declared) -> list[str]:
    result = Deliverable(
        path="w/out.xlsx", title="x", sources={"original": "w/model.xlsx"},
        data={"declared": declared.to_json()},
    )  # fmt: skip
    return errors(check_workbook(result, room(target, {"w/model.xlsx": source})))


def everything(path: Path) -> str:
    with zipfile.ZipFile(path) as archive:
        return "\n".join(
            archive.read(name).decode("utf-8", "replace") for name in archive.namelist()
        )


def test_all_that_names_a_sheet_gets_its_new_name(model: Path) -> None:
    target, outcome = made(model, {"op": "sheet_rename", "sheet": "data", "name": "Raw & more"})
    text = everything(target)
    left = re.findall(r"""[^A-Za-z]Data(?:!|'!|<|"|:)""", text)
    # within INDIRECT, and what the link's cell shows and is said to show: words of the user's
    assert left == ['"Data!', '"Data!', ">Data!"]
    for mention in (
        "SUM('Raw &amp; more'!B2:B4)+'Raw &amp; more'!B2",
        "SUM('Raw &amp; more:Report'!Z9)",
        "B1&gt;'Raw &amp; more'!$B$2",
        "<formula1>'Raw &amp; more'!$A$2:$A$4",
        "location=\"'Raw &amp; more'!A1\"",
        "<c:f>'Raw &amp; more'!$B$2:$B$4",
        "'Raw &amp; more'!$A$1:$B$4</definedName>",
        'sheet="Raw &amp; more"',
        "<vt:lpstr>Raw &amp; more</vt:lpstr>",
    ):
        assert mention in text, mention
    assert any("Report!A2" in note for note in outcome.notes)
    assert verdict(model, target, outcome.declared) == []


def test_edits_before_and_after_a_new_name_are_one_declaration(model: Path) -> None:
    target, outcome = made(
        model,
        {"op": "set", "cells": "Data!B2", "value": 11},
        {"op": "sheet_rename", "sheet": "Data", "name": "Raw"},
        {"op": "set", "cells": "Raw!B3", "value": 21},
        {"op": "sheet_move", "sheet": "Third", "before": "Raw"},
    )
    assert outcome.declared.cells == {"Raw": [Area(2, 2, 3, 2)]}
    assert {"Report!A1"} <= set(outcome.stale)
    assert verdict(model, target, outcome.declared) == []
    silent = replace(outcome.declared, steps=outcome.declared.steps[:1])
    assert any("order" in message for message in verdict(model, target, silent))


def test_a_rename_that_nobody_declared_is_found(model: Path) -> None:
    target, _ = made(model, {"op": "sheet_rename", "sheet": "Third", "name": "Other"})
    assert any("gone" in message for message in verdict(model, target, Declared()))


def test_a_sheet_gets_another_place_and_what_counts_sheets_counts_on(model: Path) -> None:
    target, outcome = made(model, {"op": "sheet_move", "sheet": "Third", "before": "Data"})
    book = Workbook(target)
    assert [s.name for s in book.sheets] == ["Third", "Data", "Report"]
    assert {n.name: n.scope for n in book.names}["_xlnm.Print_Area"] == "Data"
    assert verdict(model, target, outcome.declared) == []


def test_a_place_within_a_run_that_a_formula_reads_is_refused(model: Path) -> None:
    with pytest.raises(ToolInputError, match="other sheets"):
        made(model, {"op": "sheet_move", "sheet": "Third", "before": "Report"})


def test_a_sheet_that_nothing_names_goes_with_its_parts(model: Path) -> None:
    target, outcome = made(model, {"op": "sheet_delete", "sheet": "Third"})
    assert [s.name for s in Workbook(target).sheets] == ["Data", "Report"]
    with zipfile.ZipFile(target) as archive:
        assert "xl/worksheets/sheet3.xml" not in archive.namelist()
    assert verdict(model, target, outcome.declared) == []


def test_a_sheet_with_a_pivot_table_and_a_chart_goes_with_both(model: Path) -> None:
    target, outcome = made(model, {"op": "sheet_delete", "sheet": "Report"})
    with zipfile.ZipFile(target) as archive:
        left = archive.namelist()
    assert not [name for name in left if "pivot" in name or "chart" in name or "drawing" in name]
    assert b"pivotCaches" not in zipfile.ZipFile(target).read("xl/workbook.xml")
    assert verdict(model, target, outcome.declared) == []


def test_a_sheet_that_is_used_stays_and_the_answer_says_by_what(model: Path) -> None:
    with pytest.raises(ToolInputError, match=r"Data is used by Report!A1, Report!A2, Report!A3"):
        made(model, {"op": "sheet_delete", "sheet": "Data"})


def test_a_table_used_by_its_name_keeps_its_sheet(tmp_path: Path) -> None:
    path = tmp_path / "t.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet, other = book.add_worksheet("T"), book.add_worksheet("U")
        sheet.add_table("A1:B3", {"name": "Sales", "data": [[1, 2], [3, 4]]})
        other.write_formula("A1", "=SUM(Sales[Column1])", None, 4)
    with pytest.raises(ToolInputError, match=r"T is used by U!A1"):
        made(path, {"op": "sheet_delete", "sheet": "T"})


@pytest.mark.parametrize(
    ("edit", "why"),
    [
        ({"op": "sheet_rename", "sheet": "Data", "name": "report"}, "already"),
        ({"op": "sheet_rename", "sheet": "Data", "name": "a/b"}, "cannot name"),
        ({"op": "sheet_rename", "sheet": "Data"}, "cannot name"),
        ({"op": "sheet_rename", "sheet": "None", "name": "x"}, "no sheet"),
        ({"op": "sheet_move", "sheet": "Data", "before": "None"}, "no sheet"),
        ({"op": "sheet_delete"}, "no sheet"),
    ],
)
def test_what_cannot_be_is_said(model: Path, edit: dict[str, Any], why: str) -> None:
    before = model.read_bytes()
    with pytest.raises(ToolInputError, match=why):
        edit_workbook(model, model, [edit])
    assert model.read_bytes() == before


def test_the_last_sheet_that_is_shown_stays(tmp_path: Path) -> None:
    path = tmp_path / "one.xlsx"
    with xlsxwriter.Workbook(path) as book:
        book.add_worksheet("A")
        book.add_worksheet("B").hide()
    with pytest.raises(ToolInputError, match="last sheet"):
        made(path, {"op": "sheet_delete", "sheet": "A"})
    assert made(path, {"op": "sheet_rename", "sheet": "A", "name": "a"})[1].declared.steps


def test_a_protected_structure_is_asked_about(model: Path, tmp_path: Path) -> None:
    locked = tmp_path / "locked.xlsx"
    with zipfile.ZipFile(model) as source, zipfile.ZipFile(locked, "w") as target:
        for name in source.namelist():
            data = source.read(name)
            if name == "xl/workbook.xml":
                mark = b"<bookViews>"
                data = data.replace(mark, b'<workbookProtection lockStructure="1"/>' + mark)
            target.writestr(name, data)
    edit = {"op": "sheet_rename", "sheet": "Data", "name": "Raw"}
    with pytest.raises(ToolInputError, match="allow_protected"):
        made(locked, edit)
    edit_workbook(locked, tmp_path / "x.xlsx", [edit], allow_protected=True)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("A!B2+a!B3*AA!B4", "'N 1'!B2+'N 1'!B3*AA!B4"),
        ("SUM(A:C!B2)", "SUM('N 1:C'!B2)"),
        ("'A'!Rate+[1]A!B2+\"A!B2\"", "'N 1'!Rate+[1]A!B2+\"A!B2\""),
        ("A!#REF!", "'N 1'!#REF!"),
        ("A1+B2", "A1+B2"),
    ],
)
def test_only_the_sheet_s_own_name_is_another_one(before: str, after: str) -> None:
    assert with_sheets(before, lambda name: "N 1" if name.lower() == "a" else name) == after


def test_texts_within_formulas_are_seen() -> None:
    assert texts_that_name("INDIRECT(\"'My data'!A1\")", "My data")
    assert texts_that_name('HYPERLINK("#Data!A1","x")', "data")
    assert not texts_that_name('"Data"&A1', "Data")


def test_a_step_that_has_another_shape_is_none() -> None:
    step = SheetChange(op="rename", sheet="A", to="B")
    assert SheetChange.from_json(step.to_json()) == step
    for data in ({}, {"tab": "burn", "sheet": "A"}, {"tab": "move", "sheet": 3}, None):
        assert SheetChange.from_json(data) is None
