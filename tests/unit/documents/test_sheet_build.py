"""New workbooks: values, formulas, tables, charts, and the edits of any workbook on top."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from deskmate.errors import ToolError, ToolInputError
from deskmate.plugin import ToolContext
from deskmate_documents.inventory import counts, inventory
from deskmate_documents.office.package_gate import problems
from deskmate_documents.office.sheet_build_tool import sheet_build
from deskmate_documents.office.sheet_tools import sheet_map, sheet_read
from deskmate_documents.opc import Package
from deskmate_documents.xlsx.book import Workbook
from deskmate_documents.xlsx.build import Computed, build_workbook
from deskmate_documents.xlsx.calculate import write_results
from deskmate_documents.xlsx.engines import Answer
from deskmate_documents.xlsx.results import fill_results, wrong_results

SALES = {
    "name": "P&L '26",
    "rows": [
        ["Month", "Revenue", "Cost", "Margin"],
        [{"date": "2026-01-31"}, 100, 60.5, "=B2-C2"],
        [{"date": "2026-02-28"}, 120, 70, "=B3-C3"],
        ["Sum", "=SUM(B2:B3)", None, '=IFS(B4>0,"up",TRUE,"down")'],
    ],
    "formats": ["yyyy-mm", "#,##0.00", "#,##0.00"],
    "widths": [12, 14],
    "freeze": "A2",
    "charts": [
        {
            "type": "line", "title": "Revenue", "x_title": "Month", "at": "G2",
            "series": [{"name": "Revenue", "categories": "A2:A3", "values": "B2:B3"}],
        }
    ],
}  # fmt: skip
DATA = {
    "name": "Data",
    "rows": [["Region", "Amount"], ["North", 1], ["South", 2], ["North", 4]],
    "table": "Sales",
}


@pytest.fixture
def context(tmp_path: Path) -> ToolContext:
    (tmp_path / "w").mkdir()
    return ToolContext(workspace=tmp_path / "w", home=tmp_path / "h", resources=tmp_path)


def test_a_new_workbook_has_what_was_asked_for(context: ToolContext) -> None:
    edits: list[dict[str, Any]] = [
        {"op": "pivot", "cells": "Data!E1", "source": "Sales", "rows": ["Region"], "values": ["Amount"]},
        {"op": "rule", "cells": "Data!B2:B4", "rule": {"type": "dataBar", "colors": ["638EC6"]}},
        {"op": "name", "name": "Total", "refers_to": "'P&L ''26'!$B$4"},
    ]  # fmt: skip
    answer = sheet_build("new/book.xlsx", [SALES, DATA], context, edits)
    path = context.workspace / "new/book.xlsx"
    assert answer.result == {"path": "new/book.xlsx", "sheets": ["P&L '26", "Data"], "notes": []}
    assert answer.deliverables[0].path == "new/book.xlsx"
    assert list(problems(path)) == []
    found = counts(inventory(Package(path)))
    assert {k: found[k] for k in ("chart", "table", "pivot table", "defined name")} == {
        "chart": 1, "table": 1, "pivot table": 1, "defined name": 1,
    }  # fmt: skip
    book = openpyxl.load_workbook(path)
    sheet = book["P&L '26"]
    assert (sheet["B2"].value, sheet["B2"].number_format) == (100, "#,##0.00")
    assert sheet["A2"].number_format == "yyyy-mm"
    assert sheet["D4"].value == '=_xlfn.IFS(B4>0,"up",TRUE,"down")'
    assert sheet.freeze_panes == "A2"
    assert [row[0].value for row in book["Data"]["F1:F4"]] == ["Sum of Amount", 5, 2, 7]
    series = sheet._charts[0].series[0]
    assert series.val.numRef.f == "'P&L ''26'!$B$2:$B$3"
    assert sheet._charts[0].x_axis.numFmt.formatCode == "yyyy-mm"
    assert list(context.workspace.glob("new/.*")) == []


def test_results_are_no_evidence_before_they_were_computed(context: ToolContext) -> None:
    sheet_build("b.xlsx", [SALES], context)
    answer = sheet_read("b.xlsx", "'P&L ''26'!B2:B4", context)
    assert [cell.get("old") for cell in answer.result["cells"]] == [None, None, True]
    assert [e.locator["cell"] for e in answer.evidence] == ["B2", "B3"]
    assert sheet_map("b.xlsx", context, lint=True)["doubts"] == []


@pytest.mark.parametrize(
    ("sheets", "message"),
    [
        ([], "1 to 60 sheets"),
        ([DATA, DATA | {"name": "data"}], "a name of its own"),
        ([DATA | {"name": "a/b"}], "cannot name a sheet"),
        ([DATA | {"rows": [["a", ["b"]]]}], "no value of a cell"),
        ([DATA | {"rows": [["a"], ["=SUM("]], "table": ""}], "do not match"),
        ([DATA | {"table": "A1"}], "cannot name a table"),
        ([DATA | {"rows": [["Region", "Amount"]]}], "needs one header row"),
        ([DATA | {"charts": [{"type": "spider", "series": [{}]}]}], "A chart has a type"),
        ([DATA | {"charts": [{"series": [{"name": "x"}]}]}], "a field of the wrong kind"),
        ([DATA | {"rows": 5}], "a field of the wrong kind"),
        ([DATA | {"freeze": "top"}], "not a cell or range"),
        ([DATA | {"rows": [[{"value": 1, "look": "total"}]]}], "a field of the wrong kind"),
        ([DATA | {"looks": {"total": {"blink": True}}}], "A look has bold"),
        (
            [SALES | {"charts": [{"series": [{"values": "B2:B3", "fill": "red"}]}]}],
            "six hex digits",
        ),
    ],
)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_what_cannot_be_built_is_refused_and_nothing_is_left(
    context: ToolContext, sheets: list[dict[str, Any]], message: str
) -> None:
    with pytest.raises(ToolInputError, match=message):
        sheet_build("b.xlsx", sheets, context)
    assert list(context.workspace.iterdir()) == []


def test_an_existing_file_is_never_replaced(context: ToolContext) -> None:
    (context.workspace / "b.xlsx").write_bytes(b"mine")
    with pytest.raises(ToolInputError, match="is there already"):
        sheet_build("b.xlsx", [DATA], context)
    with pytest.raises(ToolInputError, match=r"must end in \.xlsx"):
        sheet_build("b.xlsm", [DATA], context)
    assert (context.workspace / "b.xlsx").read_bytes() == b"mine"


def test_an_edit_that_fails_leaves_no_file(context: ToolContext) -> None:
    with pytest.raises(ToolInputError, match="Edit 1"):
        sheet_build("b.xlsx", [DATA], context, [{"op": "clear", "cells": "Nowhere!A1"}])
    assert list(context.workspace.iterdir()) == []


def test_cells_may_have_looks_and_text_is_never_a_formula(context: ToolContext) -> None:
    sheet = {
        "name": "Report",
        "header": 0,
        "print": "landscape",
        "looks": {"total": {"bold": True, "top": True, "bottom": "double", "number_format": "0.00"}},
        "rows": [[{"text": "=1+1"}, {"value": {"text": "=SUM"}, "look": "total"}],
                 [{"value": None, "look": "total"}, {"value": "=1+2", "look": "total"}]],
        "charts": [{"type": "column", "stacked": True, "legend": False, "gap": 40, "size": [800, 300],
                    "series": [{"values": "B2:B2", "fill": "none"}, {"values": "B2:B2", "fill": "2E7D32"}]}],
    }  # fmt: skip
    sheet_build("b.xlsx", [sheet], context)
    made = openpyxl.load_workbook(context.workspace / "b.xlsx")["Report"]
    assert [(c.value, c.data_type) for c in made[1]] == [("=1+1", "s"), ("=SUM", "s")]
    assert (made["B2"].value, made["B2"].number_format, made["B2"].font.b) == ("=1+2", "0.00", True)
    assert (made["A2"].border.top.style, made["A2"].border.bottom.style) == ("thin", "double")
    assert (made.page_setup.orientation, made.page_setup.fitToHeight) == ("landscape", 0)
    chart = made._charts[0]
    assert chart.legend is None
    assert chart.series[0].spPr.noFill is True
    assert chart.series[1].spPr.solidFill.srgbClr == "2E7D32"
    assert list(problems(context.workspace / "b.xlsx")) == []


def test_results_of_a_new_workbook_are_stored_and_false_ones_found(context: ToolContext) -> None:
    sheet_build("b.xlsx", [SALES], context)
    file = context.workspace / "b.xlsx"
    assert {wrong.label for wrong in wrong_results(file)} == {
        "P&L '26!D2", "P&L '26!D3", "P&L '26!B4", "P&L '26!D4",
    }  # fmt: skip
    fill_results(file)
    assert list(wrong_results(file)) == []
    assert openpyxl.load_workbook(file, data_only=True)["P&L '26"]["B4"].value == 220
    answer = sheet_read("b.xlsx", "'P&L ''26'!B4", context)
    assert answer.result["cells"][0].get("old") is None
    spot = ("P&L '26", (4, 2))
    write_results(Workbook(file), file, {spot: Answer("number", "221")}, complete=True)
    (wrong,) = wrong_results(file)
    assert (wrong.label, wrong.stored, wrong.computed) == ("P&L '26!B4", "221", "220")


def test_a_formula_without_a_result_leaves_the_file_as_it_was(context: ToolContext) -> None:
    sheet_build("b.xlsx", [{"name": "A", "rows": [["x"], ["=1/0"]]}], context)
    file = context.workspace / "b.xlsx"
    before = file.read_bytes()
    with pytest.raises(ToolError, match=r"=1/0 in A!A2 gives #DIV/0!"):
        fill_results(file)
    assert file.read_bytes() == before


def test_a_text_that_begins_like_a_formula_stays_a_text_and_a_wide_sheet_prints_on_one_page(
    context: ToolContext,
) -> None:
    sheet = {"name": "A", "rows": [["Name"], [{"text": "=1+1"}]], "print": "landscape"}
    sheet_build("a.xlsx", [sheet], context)
    found = openpyxl.load_workbook(context.workspace / "a.xlsx")["A"]
    assert (found["A2"].value, found["A2"].data_type) == ("=1+1", "s")
    assert (found.page_setup.orientation, found.page_setup.fitToHeight) == ("landscape", 0)
    assert found.print_title_rows == "$1:$1"
    assert list(problems(context.workspace / "a.xlsx")) == []


def test_a_formula_may_come_with_the_result_that_its_writer_computed(tmp_path: Path) -> None:
    rows = [
        ["Sum", "Word"],
        [Computed("=1.5+1", Decimal("2.5")), Computed('=IF(1=1,"a","b")', "a")],
    ]
    build_workbook(tmp_path / "a.xlsx", [{"name": "A", "rows": rows}])
    for stored, expected in ((True, (2.5, "a")), (False, ("=1.5+1", '=IF(1=1,"a","b")'))):
        found = openpyxl.load_workbook(tmp_path / "a.xlsx", data_only=stored)["A"]
        assert (found["A2"].value, found["B2"].value) == expected


def test_a_new_workbook_says_the_day_it_was_made_and_no_time(tmp_path: Path) -> None:
    build_workbook(tmp_path / "a.xlsx", [SALES])
    made = openpyxl.load_workbook(tmp_path / "a.xlsx").properties.created
    assert (made.hour, made.minute, made.second) == (0, 0, 0)
