"""New sheets, charts, slicers and newer data bars come into a workbook that is there, and nothing else changes."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter
from openpyxl import load_workbook
from tests.unit.documents.schemas import schema_errors
from tests.unit.documents.sheet_rooms import edited as checked
from tests.unit.documents.sheet_rooms import forge, gate, part

from deskmate.errors import ToolInputError
from deskmate_documents.inventory import compare, counts, inventory
from deskmate_documents.opc import Package
from deskmate_documents.xlsx.book import Workbook
from deskmate_documents.xlsx.edit import Outcome, edit_workbook

CHART = {
    "type": "column",
    "title": "Amounts",
    "y_title": "EUR",
    "series": [{"name": "Amount", "categories": "Data!B2:B13", "values": "Data!C2:C13"}],
}
PIVOT = {
    "op": "pivot", "cells": "Model!A5", "source": "Sales", "rows": ["Region"], "values": [{"field": "Amount"}], "name": "P",
}  # fmt: skip


@pytest.fixture
def book(tmp_path: Path) -> Path:
    """A table with dates, a text box on its sheet, and a second sheet with a name of its own."""
    path = tmp_path / "book.xlsx"
    with xlsxwriter.Workbook(path) as made:
        sheet = made.add_worksheet("Data")
        date = made.add_format({"num_format": "mmm yy"})
        for row in range(1, 13):
            sheet.write_string(row, 0, ("North", "South", "West")[row % 3])
            sheet.write_number(row, 1, 45628 + 30 * row, date)
            sheet.write_number(row, 2, 100 + row * row)
        headers = [{"header": "Region"}, {"header": "Month"}, {"header": "Amount"}]
        sheet.add_table("A1:C13", {"name": "Sales", "columns": headers})
        sheet.insert_textbox("S2", "A note")
        model = made.add_worksheet("Model")
        model.write("A1", 5)
        model.print_area("A1:C9")
        model.activate()
    return path


def edited(path: Path, *edits: dict[str, Any], **options: Any) -> tuple[Path, Outcome]:
    """Edit, and have the result checked by everything that checks; nothing may be lost."""
    target, outcome = checked(path, *edits, **options)
    assert gate(path, target, outcome) == []
    before, after = (inventory(Package(p)) for p in (path, target))
    assert compare(before, after).lost == ()
    return target, outcome


def test_a_new_sheet_comes_where_it_is_wanted_and_is_filled(book: Path) -> None:
    out, outcome = edited(
        book,
        {"op": "sheet", "name": "Summary", "before": "Model", "widths": [24, 14]},
        {"cells": "Summary!A1", "values": [["Total", "Amount"], ["All", None]]},
        {"cells": "Summary!B2", "formula": "=SUM(Sales[Amount])", "number_format": "#,##0"},
        {"op": "insert", "cells": "Summary!1:1"},
    )
    found = Workbook(out)
    assert [sheet.name for sheet in found.sheets] == ["Data", "Summary", "Model"]
    assert {(n.name, n.scope, n.refers_to) for n in found.names} == {
        ("_xlnm.Print_Area", "Model", "Model!$A$1:$C$9")
    }
    assert 'activeTab="2"' in part(out, "xl/workbook.xml")
    read = load_workbook(out)["Summary"]
    assert read["B3"].value == "=SUM(Sales[Amount])"
    assert read.column_dimensions["A"].width == 24
    assert outcome.stale == ("Summary!B3",)


@pytest.mark.parametrize(
    ("edit", "cause"),
    [
        ({"name": "data"}, "already"),
        ({"name": "a/b"}, "cannot name a sheet"),
        ({"name": "x", "before": "none"}, "no sheet"),
        ({"name": "x", "widths": [0]}, "width"),
    ],
)
def test_a_sheet_that_cannot_be_is_refused(book: Path, edit: dict[str, Any], cause: str) -> None:
    with pytest.raises(ToolInputError, match=cause):
        edited(book, {"op": "sheet"} | edit)


def test_a_sheet_is_not_put_between_sheets_that_a_formula_reads_as_one(book: Path) -> None:
    model = book.with_name("run.xlsx")
    edit_workbook(book, model, [{"cells": "Model!B1", "formula": "=SUM(Data:Model!A1)"}])
    with pytest.raises(ToolInputError, match="between them"):
        edited(model, {"op": "sheet", "name": "x", "before": "Model"})


def test_a_protected_structure_asks_first(book: Path) -> None:
    locked = '<workbookProtection lockStructure="1"/><bookViews>'
    forge(book, "xl/workbook.xml", "<bookViews>", locked)
    with pytest.raises(ToolInputError, match="allow_protected"):
        edited(book, {"op": "sheet", "name": "x"})
    edited(book, {"op": "sheet", "name": "x"}, allow_protected=True)


def test_a_chart_is_native_with_references_and_figures(book: Path) -> None:
    out, _ = edited(book, {"op": "chart", "cells": "Model!D2:K18", "chart": CHART})
    chart = part(out, "xl/charts/chart1.xml")
    for text in (
        "Data!$B$2:$B$13",
        "Data!$C$2:$C$13",
        "<c:v>101</c:v>",
        "Amounts",
        'formatCode="mmm yy"',
    ):
        assert text in chart, text
    drawing = part(out, "xl/drawings/drawing2.xml")
    assert re.search(r"<xdr:col>3</xdr:col>.*<xdr:row>1</xdr:row>", drawing)
    assert len(load_workbook(out)["Model"]._charts) == 1


@pytest.mark.parametrize("kind", ["column", "bar", "line", "area", "pie", "doughnut", "scatter"])
def test_every_kind_of_chart_comes_beside_what_is_drawn_already(book: Path, kind: str) -> None:
    series = [{"name": "=C1", "categories": "A2:A13", "values": "C2:C13"}]
    stacked = {"stacked": "percent"} if kind in ("column", "bar", "area") else {}
    chart = {"type": kind, "series": series} | stacked
    out, _ = edited(book, {"op": "chart", "cells": "Data!E2", "chart": chart})
    drawing = part(out, "xl/drawings/drawing1.xml")
    assert "A note" in drawing
    assert drawing.count("<xdr:twoCellAnchor") == 2
    assert ("percentStacked" in part(out, "xl/charts/chart1.xml")) == bool(stacked)


@pytest.mark.parametrize(
    ("chart", "cause"),
    [
        ({"type": "radar", "series": [{"values": "C2:C3"}]}, "type"),
        ({"type": "pie"}, "series"),
        ({"type": "pie", "series": [{"values": "C2:C3"}], "stacked": True}, "stacked"),
        ({"series": [{"values": "Nope!C2:C3"}]}, "no sheet"),
        ({"series": [{"values": "Total"}]}, "not a cell"),
        ({"series": ["C2:C3"]}, "needs values"),
        ({"series": [{"values": "A1:Z9000"}]}, "more than"),
    ],
)
def test_a_chart_that_cannot_be_is_refused(book: Path, chart: dict[str, Any], cause: str) -> None:
    with pytest.raises(ToolInputError, match=cause):
        edited(book, {"op": "chart", "cells": "Data!E2", "chart": chart})


def test_what_a_drawing_showed_before_must_stay(book: Path) -> None:
    out, outcome = edited(book, {"op": "chart", "cells": "Data!E2", "chart": CHART})
    forge(out, "xl/drawings/drawing1.xml", "A note", "A lie!")
    assert any("drawing1.xml is changed" in message for message in gate(book, out, outcome))


def test_slicers_filter_tables_and_pivot_tables(book: Path) -> None:
    out, outcome = edited(
        book,
        PIVOT,
        {"op": "slicer", "cells": "Data!E2", "table": "Sales", "field": "region"},
        {
            "op": "slicer",
            "cells": "Data!I2:J9",
            "table": "Sales",
            "field": "Month",
            "caption": "When",
        },
        {"op": "slicer", "cells": "Model!E2", "pivot": "P", "field": "Region"},
    )
    assert counts(inventory(Package(out)))["slicer"] == 2
    assert counts(inventory(Package(out)))["slicer cache"] == 3
    shown = part(out, "xl/slicers/slicer1.xml")
    assert re.findall(r'<slicer name="(\w+)" cache="(\w+)"', shown) == [
        ("Region", "Slicer_Region"), ("Month", "Slicer_Month"),
    ]  # fmt: skip
    assert 'tableId="1" column="2"' in part(out, "xl/slicerCaches/slicerCache2.xml")
    pivot = part(out, "xl/slicerCaches/slicerCache3.xml")
    assert re.findall(r'<i x="(\d)" s="1"/>', pivot) == ["0", "1", "2"]
    number = re.search(r'tabular pivotCacheId="(\d+)"', pivot)
    (cache,) = [
        n
        for n in zipfile.ZipFile(out).namelist()
        if "CacheDefinition1.xml" in n and "rels" not in n
    ]
    assert number is not None
    assert f'x14:pivotCacheDefinition pivotCacheId="{number[1]}"' in part(out, cache)
    assert {"Slicer_Region", "Slicer_Month", "Slicer_Region1"} <= {
        n.name for n in Workbook(out).names
    }
    forge(out, "xl/slicers/slicer1.xml", "When", "Why")
    assert (
        gate(book, out, outcome) == []
    )  # its own parts are declared; what they filter is not theirs
    forge(out, "xl/tables/table1.xml", "Amount", "Sum")
    assert gate(book, out, outcome) != []


def test_several_slicers_come_to_a_workbook_that_has_one(book: Path) -> None:
    first = {"op": "slicer", "cells": "Data!E2", "table": "Sales", "field": "Region"}
    before, _ = edited(book, PIVOT, first)
    before = before.rename(before.with_name("before.xlsx"))
    out, outcome = edited(
        before,
        {"op": "slicer", "cells": "Data!I2", "table": "Sales", "field": "Month"},
        {"op": "slicer", "cells": "Data!M2", "table": "Sales", "field": "Amount"},
    )
    assert counts(inventory(Package(out)))["slicer cache"] == 3
    assert gate(before, out, outcome) == []


def test_a_chart_of_old_results_says_so(book: Path) -> None:
    formula = {"cells": "Model!B1:B3", "formula": "=A1*2"}
    chart = {
        "op": "chart",
        "cells": "Model!E5",
        "chart": {"type": "bar", "series": [{"values": "Model!B1:B3"}]},
    }
    _, outcome = edited(book, formula, chart)
    assert any("keeps old results, such as Model!B1" in note for note in outcome.notes)
    plain = {
        "op": "chart",
        "cells": "Model!E5",
        "chart": {"type": "bar", "series": [{"values": "Data!C2:C5"}]},
    }
    _, outcome = edited(book, {"cells": "Model!A1", "value": 6}, plain)
    assert outcome.notes == ()


@pytest.mark.parametrize(
    "wanted", [{"table": "Sales", "field": "Region"}, {"pivot": "P", "field": "Region"}]
)
def test_a_field_has_one_slicer(book: Path, wanted: dict[str, str]) -> None:
    slicer = {"op": "slicer", "cells": "Model!E2"} | wanted
    with pytest.raises(ToolInputError, match="There is a slicer for Region already"):
        edited(book, PIVOT, slicer, slicer | {"cells": "Model!J2", "field": "region"})


@pytest.mark.parametrize(
    ("edit", "cause"),
    [
        ({"table": "Sales", "field": "Nope"}, "Region, Month, Amount"),
        ({"table": "Nope", "field": "Region"}, "tables: Sales"),
        ({"pivot": "Nope", "field": "Region"}, "needs a table or a pivot"),
        ({"pivot": "P", "field": "Month"}, "not laid out"),
    ],
)
def test_a_slicer_that_cannot_be_is_refused(book: Path, edit: dict[str, Any], cause: str) -> None:
    with pytest.raises(ToolInputError, match=cause):
        edited(book, PIVOT, {"op": "slicer", "cells": "Model!E2"} | edit)


def test_a_newer_data_bar_has_its_twin(book: Path) -> None:
    rule = {
        "type": "dataBar", "colors": ["63C384"], "solid": True, "border_color": "2E8B57", "negative_color": "C00000",
        "axis": "middle", "direction": "right_to_left", "points": [{"type": "num", "value": 0}, "max"],
    }  # fmt: skip
    out, _ = edited(
        book,
        {"op": "rule", "cells": "Data!C2:C13", "rule": rule},
        {
            "op": "rule",
            "cells": "Model!A1:A9",
            "rule": {"type": "dataBar", "colors": ["638EC6"], "solid": True},
        },
    )
    sheet = part(out, "xl/worksheets/sheet1.xml")
    twins = re.findall(r"<x14:id>(\{[-0-9A-F]+\})</x14:id>", sheet)
    assert len(twins) == 1
    assert f'id="{twins[0]}"' in sheet
    for text in (
        'gradient="0"', 'axisPosition="middle"', 'direction="rightToLeft"', "<xm:f>0</xm:f>", 'type="autoMax"',
        '<x14:negativeFillColor rgb="FFC00000"/>', "<xm:sqref>C2:C13</xm:sqref>",
    ):  # fmt: skip
        assert text in sheet, text
    moved = book.with_name("moved.xlsx")
    edit_workbook(out, moved, [{"op": "insert", "cells": "Data!4:4"}])
    assert schema_errors(moved) == []
    assert "<xm:sqref>C2:C14</xm:sqref>" in part(moved, "xl/worksheets/sheet1.xml")


@pytest.mark.parametrize("wrong", [{"axis": "left"}, {"direction": "up"}, {"border_color": "red"}])
def test_a_data_bar_that_cannot_be_is_refused(book: Path, wrong: dict[str, Any]) -> None:
    rule = {"type": "dataBar", "colors": ["63C384"]} | wrong
    with pytest.raises(ToolInputError, match=r"is one of|not a colour"):
        edited(book, {"op": "rule", "cells": "Data!C2:C13", "rule": rule})
