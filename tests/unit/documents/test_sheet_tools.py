"""The workbook tools: bounded maps and windows, evidence for cells, and what they say of stale results."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest
import xlsxwriter
from openpyxl import Workbook as NewWorkbook
from tests.unit.documents.gate_rooms import errors, room

from deskmate.errors import ToolInputError
from deskmate.plugin import Deliverable, ToolContext
from deskmate_documents.office.sheet_tools import sheet_edit, sheet_map, sheet_read
from deskmate_documents.office.workbook_gate import check_workbook
from deskmate_documents.xlsx.formula import moved, relative, stored, tokens, unprefixed
from deskmate_documents.xlsx.lint import literals_of


@pytest.fixture
def context(tmp_path: Path) -> ToolContext:
    (tmp_path / "w").mkdir()
    (tmp_path / "h").mkdir()
    return ToolContext(workspace=tmp_path / "w", home=tmp_path / "h", resources=tmp_path)


@pytest.fixture
def model(context: ToolContext) -> Path:
    """Inputs and formulas with a broken pattern, a hidden sheet, a name, a figure stored as text, in thousands."""
    path = context.workspace / "m.xlsx"
    with xlsxwriter.Workbook(path) as book:
        money = book.add_format({"num_format": '"$"#,##0.00'})
        day = book.add_format({"num_format": "yyyy-mm-dd"})
        sheet = book.add_worksheet("P&L")
        sheet.write("A1", "in thousands of USD")
        sheet.write_row("A3", ["Month", "Revenue", "Cost", "Margin"])
        for row in range(3, 9):
            sheet.write_number(row, 0, 45_658 + row, day)
            sheet.write_number(row, 1, 100 + row, money)
            sheet.write_number(row, 2, 50)
            formula = f"=B{row + 1}-C{row + 1}" if row != 5 else "=B6-C6*1.07"
            sheet.write_formula(row, 3, formula, money, 50 + row)
        sheet.write_string("E4", "1,234")
        hidden = book.add_worksheet("Inputs")
        hidden.write_formula("A1", "='P&L'!B4+Total", None, 7)
        hidden.hide()
        book.define_name("Total", "=SUM('P&L'!$D$4:$D$9)")
    return path


def test_the_map_shows_every_sheet_and_what_to_look_at(model: Path, context: ToolContext) -> None:
    answer = sheet_map("m.xlsx", context, lint=True)
    first, second = answer["sheets"]
    assert (first["used"], first["header_row"], first["formulas"]) == ("A1:E9", 3, 6)
    assert first["headers"] == ["Month", "Revenue", "Cost", "Margin"]
    assert first["units"] == ["A1: in thousands of USD"]
    assert second["state"] == "hidden"
    assert answer["names"] == [{"name": "Total", "refers_to": "SUM('P&L'!$D$4:$D$9)"}]
    assert {(d["rule"], d["location"]) for d in answer["doubts"]} == {
        ("literal", "P&L!D6"), ("pattern", "P&L!D6"), ("text-number", "P&L!E4"), ("hidden", "Inputs"),
    }  # fmt: skip


def test_a_sheet_in_detail_groups_formulas_by_pattern(model: Path, context: ToolContext) -> None:
    answer = sheet_map("m.xlsx", context, sheet="p&l")
    assert answer["formulas"] == [
        {"cells": "D4:D5", "formula": "=B4-C4"},
        {"cells": "D6", "formula": "=B6-C6*1.07"},
        {"cells": "D7:D9", "formula": "=B7-C7"},
    ]
    columns = {c["column"]: c for c in answer["columns"]}
    assert columns["A"]["kinds"] == {"date": 6}
    assert (columns["B"]["unit"], columns["B"]["header"]) == ("$", "Revenue")
    assert sheet_map("m.xlsx", context, sheet="Inputs")["reads_sheets"] == ["P&L"]


def test_a_window_gives_values_with_evidence_and_what_reads_them(
    model: Path, context: ToolContext
) -> None:
    # This writer asks for calculation on opening, so stored results are no evidence.
    answer = sheet_read("m.xlsx", "'P&L'!A4:D4", context, trace=True)
    cells = {c["cell"]: c for c in answer.result["cells"]}
    assert (cells["A4"]["date"], cells["B4"]["value"], cells["B4"]["unit"]) == (
        "2025-01-04",
        "103",
        "$",
    )
    assert cells["B4"]["read_by"] == ["Inputs!A1", "'P&L'!D4"]
    assert cells["D4"]["reads"] == ["'P&L'!B4", "'P&L'!C4"]
    assert cells["D4"]["read_by"] == ["Inputs!A1"]
    assert cells["D4"]["old"]
    assert {e.locator["cell"] for e in answer.evidence} == {"A4", "B4", "C4"}
    found = next(e for e in answer.evidence if e.locator["cell"] == "B4")
    assert (found.value, found.unit, found.locator["sheet"]) == ("103", "$", "P&L")
    assert found.source == hashlib.sha256(model.read_bytes()).hexdigest()


def test_long_windows_go_on_where_they_stopped(context: ToolContext) -> None:
    book = NewWorkbook()
    for row in range(500):
        book.active.append([row, row + 1, f"t{row}"])
    book.save(context.workspace / "long.xlsx")
    seen, area, calls = [], "Sheet!A1:C500", 0
    while area:
        answer = sheet_read("long.xlsx", area, context)
        seen += [c["cell"] for c in answer.result["cells"]]
        assert len(answer.result["cells"]) == len(answer.evidence)
        area, calls = answer.result.get("next", ""), calls + 1
    assert (len(seen), len(set(seen)), calls) == (1500, 1500, 3)


def test_a_model_of_fifty_sheets_has_a_bounded_map(context: ToolContext) -> None:
    with xlsxwriter.Workbook(context.workspace / "big.xlsx") as book:
        for number in range(50):
            sheet = book.add_worksheet(f"Sheet {number}")
            sheet.write_row("A1", [f"A rather long header {n}" for n in range(60)])
            for row in range(1, 40):
                sheet.write_row(row, 0, range(30))
                sheet.write_formula(row, 30, f"=SUM(A{row + 1}:AD{row + 1})")
    answer = sheet_map("big.xlsx", context)
    assert len(answer["sheets"]) == 50
    assert len(json.dumps(answer)) < 60_000
    assert sheet_map("big.xlsx", context, sheet="Sheet 7")["formulas"] == [
        {"cells": "AE2:AE40", "formula": "=SUM(A2:AD2)"}
    ]


def test_an_edit_in_place_says_what_is_old_and_marks_it_when_read(context: ToolContext) -> None:
    book = NewWorkbook()
    book.active.append([2, "=A1*2"])
    book.save(context.workspace / "a.xlsx")
    edit = {"op": "set", "cells": "Sheet!A1", "value": 3}
    answer = sheet_edit("a.xlsx", [edit], context)
    assert answer.result["changed"] == {"Sheet": ["A1"]}
    assert answer.result["stale"] == ["Sheet!B1"]
    (made,) = answer.deliverables
    assert (made.path, made.role, made.sources) == ("a.xlsx", "workbook", {"original": "a.xlsx"})
    found = sheet_read("a.xlsx", "Sheet!A1:B1", context)
    assert [c.get("old", False) for c in found.result["cells"]] == [False, True]
    assert [e.value for e in found.evidence] == ["3"]
    assert sheet_map("a.xlsx", context)["results_may_be_old"]


def test_files_of_other_kinds_and_other_targets_are_refused(
    model: Path, context: ToolContext
) -> None:
    (context.workspace / "a.csv").write_text("a,b")
    with pytest.raises(ToolInputError, match="not an Excel workbook"):
        sheet_map("a.csv", context)
    edit = {"cells": "P&L!B4", "value": 1}
    with pytest.raises(ToolInputError, match=r"must end in \.xlsx"):
        sheet_edit("m.xlsx", [edit], context, target="b.xlsm")


FORMULAS = [
    "SUM(A1:B2,$C$3)*'My ''sheet'!D4-Sheet1!E5%",
    'IF(A1="a,(b""c",#REF!,-1.5E+3)',
    "SUM(Sheet1:Sheet3!A1)+[1]Other!B2+'[2]X y'!$A:$B",
    "Table1[[#This Row],[Net '[x'] amount]]*Table1[Rate]",
    "{1,2;3,4}+LOG10(A1)+A1:INDEX(B:B,3)+_xlfn.XLOOKUP(1:1,a_b.c,Ünit)",
]


@pytest.mark.parametrize("formula", FORMULAS)
def test_tokens_are_the_formula_again_and_moving_there_and_back_changes_nothing(
    formula: str,
) -> None:
    assert "".join(token.text for token in tokens(formula)) == formula
    assert moved(moved(formula, 5, 3), -5, -3) == formula
    assert relative(moved(formula, 4, 2), (9, 9)) == relative(formula, (5, 7))


def test_moving_and_prefixing_leave_texts_names_and_functions_alone() -> None:
    assert moved('LOG10(A1)+"B2"&x.C3&T1[D4]+$A1+A$1+B:B+3:3', 1, 1) == (
        'LOG10(B2)+"B2"&x.C3&T1[D4]+$A2+B$1+C:C+4:4'
    )
    assert moved("A1+B2", -1, 0) == "#REF!+B1"
    assert stored('=CONCAT("XLOOKUP(",FILTER(A1:A2,B1:B2))') == (
        '_xlfn.CONCAT("XLOOKUP(",_xlfn._xlws.FILTER(A1:A2,B1:B2))'
    )
    assert unprefixed("IFS(1,2)+_xlfn.XLOOKUP(1,2,3)") == ("IFS",)
    assert literals_of("ROUND(A1*1.07,2)/12+DATE(2024,1,31)+INDEX(A:A,7)") == ("1.07",)


def next_machine(context: ToolContext, tmp_path: Path, result: Deliverable) -> ToolContext:
    """Return a fresh machine's context: the host lays the original out, and says what was presented."""
    held, home = tmp_path / "held", tmp_path / "h2"
    home.mkdir()
    return replace(context, home=home, results={result.path: result}, originals=held)


def test_edits_of_an_edited_workbook_add_up_over_machines(
    model: Path, context: ToolContext, tmp_path: Path
) -> None:
    (tmp_path / "held").mkdir()
    (tmp_path / "held" / "m.xlsx").write_bytes(model.read_bytes())
    first = sheet_edit("m.xlsx", [{"op": "insert", "cells": "'P&L'!2:2"}], context)
    later = next_machine(context, tmp_path, first.deliverables[0])
    second = sheet_edit("m.xlsx", [{"op": "set", "cells": "'P&L'!B5", "value": 7}], later)
    (made,) = second.deliverables
    assert made.sources == {"original": "m.xlsx"}
    declared = made.data["declared"]
    assert [step["at"] for step in declared["steps"]] == [2]
    assert declared["cells"]["P&L"] == ["B5"]
    held = {"m.xlsx": tmp_path / "held" / "m.xlsx"}
    assert errors(check_workbook(made, room(model, held))) == []
    alone = replace(made, data={"declared": declared | {"steps": []}})
    assert errors(check_workbook(alone, room(model, held))) != []


def test_what_was_said_of_other_bytes_does_not_count(
    model: Path, context: ToolContext, tmp_path: Path
) -> None:
    first = sheet_edit("m.xlsx", [{"op": "set", "cells": "'P&L'!B4", "value": 7}], context)
    later = next_machine(context, tmp_path, first.deliverables[0])
    sheet_edit(
        "m.xlsx", [{"op": "set", "cells": "'P&L'!B5", "value": 8}], replace(later, results={})
    )
    third = sheet_edit("m.xlsx", [{"op": "set", "cells": "'P&L'!B6", "value": 9}], later)
    assert third.deliverables[0].data["declared"]["cells"]["P&L"] == ["B5:B6"]


def test_without_its_original_a_record_still_counts(
    model: Path, context: ToolContext, tmp_path: Path
) -> None:
    first = sheet_edit("m.xlsx", [{"op": "set", "cells": "'P&L'!B4", "value": 7}], context)
    later = next_machine(context, tmp_path, first.deliverables[0])
    second = sheet_edit("m.xlsx", [{"op": "set", "cells": "'P&L'!B9", "value": 8}], later)
    assert second.deliverables[0].data["declared"]["cells"]["P&L"] == ["B4", "B9"]
    third = sheet_edit("m.xlsx", [{"op": "set", "cells": "'P&L'!B8", "value": 8}], later)
    assert third.deliverables[0].data["declared"]["cells"]["P&L"] == ["B4", "B9", "B8"]
