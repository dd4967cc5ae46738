"""New workbooks: values, formulas, tables, charts, and the edits of any workbook on top."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from deskmate.errors import ToolInputError
from deskmate.plugin import ToolContext
from deskmate_documents.inventory import counts, inventory
from deskmate_documents.office.package_gate import problems
from deskmate_documents.office.sheet_build_tool import sheet_build
from deskmate_documents.office.sheet_tools import sheet_map, sheet_read
from deskmate_documents.opc import Package
from deskmate_documents.xlsx.build import Computed, build_workbook

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


def test_a_text_that_begins_like_a_formula_stays_a_text_and_a_wide_sheet_prints_on_one_page(
    context: ToolContext,
) -> None:
    sheet = {"name": "A", "rows": [["Name"], [{"text": "=1+1"}]], "wide": True}
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
