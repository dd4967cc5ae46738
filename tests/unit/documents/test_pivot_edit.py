"""Pivot tables are made, changed and refreshed as native ones, with every cell painted."""

from __future__ import annotations

import shutil
import warnings
import zipfile
from pathlib import Path
from typing import Any

import openpyxl
import pytest
import xlsxwriter
from tests.unit.documents.sheet_rooms import forge

from deskmate.errors import ToolInputError
from deskmate.plugin import Deliverable, Sources, ValidationContext
from deskmate_documents.inventory import compare, inventory
from deskmate_documents.office.package_gate import problems
from deskmate_documents.office.workbook_gate import check_workbook
from deskmate_documents.opc import Package
from deskmate_documents.xlsx.book import Workbook
from deskmate_documents.xlsx.edit import Outcome, edit_workbook
from deskmate_documents.xlsx.pivotlayout import FUNCTIONS, aggregate
from deskmate_documents.xlsx.pivots import pivots
from deskmate_documents.xlsx.pivotsource import Item
from deskmate_documents.xlsx.sheetpart import q
from deskmate_guest import soffice

POI = Path(__file__).parents[4] / "shared" / "cases" / "finance" / "xlsx_poi"
needs_office = pytest.mark.skipif(not soffice.installed(), reason="LibreOffice is not installed")
PIVOT = {
    "op": "pivot",
    "cells": "Summary!B2",
    "source": "Data!A1:E7",
    "rows": ["Region"],
    "columns": ["Product"],
    "values": [{"field": "Amount", "function": "sum"}],
    "name": "Sales",
}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "data.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet("Data")
        day = book.add_format({"num_format": "yyyy-mm-dd"})
        money = book.add_format({"num_format": "#,##0.00"})
        sheet.write_row("A1", ["Region", "Product", "Day", "Amount", "Units"])
        places = [(r, p) for r in ("North", "South", "East") for p in ("Apple", "Pear")]
        for row, (region, product) in enumerate(places, 1):
            sheet.write_row(row, 0, [region, product])
            sheet.write_number(row, 2, 46_000 + row % 2, day)
            sheet.write_number(row, 3, row * 10.5, money)
            sheet.write_number(row, 4, row)
        sheet.write("G1", "=SUM(E2:E7)", None, 21)
        book.add_worksheet("Summary")
    return path


def edited(path: Path, *edits: dict[str, Any], to: str = "out.xlsx") -> tuple[Path, Outcome]:
    target = path.with_name(to)
    outcome = edit_workbook(path, target, edits)
    assert list(problems(target)) == []
    return target, outcome


def shown(path: Path, sheet: str, area: str) -> list[list[Any]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cells = openpyxl.load_workbook(path)[sheet][area]
    return [[cell.value for cell in row] for row in cells]


def findings(original: Path, path: Path, outcome: Outcome) -> list[str]:
    deliverable = Deliverable(
        path="out.xlsx",
        title="x",
        sources={"original": "a.xlsx"},
        data={"declared": outcome.declared.to_json()},
    )
    context = ValidationContext(file=path, sources=Sources({"a.xlsx": original}, {}))
    return [finding.message for finding in check_workbook(deliverable, context)]


def test_a_pivot_table_is_made_with_its_cells(data: Path) -> None:
    path, outcome = edited(data, PIVOT)
    assert shown(path, "Summary", "B2:E7") == [
        ["Sum of Amount", "Product", None, None],
        ["Region", "Apple", "Pear", "Grand Total"],
        ["East", 52.5, 63, 115.5],
        ["North", 10.5, 21, 31.5],
        ["South", 31.5, 42, 73.5],
        ["Grand Total", 94.5, 126, 220.5],
    ]
    (pivot,) = pivots(Workbook(path))
    assert (pivot.name, pivot.area, pivot.source) == ("Sales", "B2:E7", "Data!A1:E7")
    assert (pivot.rows, pivot.columns, pivot.data) == (
        ("Region",), ("Product",), (("Amount", "sum"),),
    )  # fmt: skip
    assert findings(data, path, outcome) == []
    found = compare(inventory(Package(data)), inventory(Package(path)))
    assert found.lost == ()
    assert {f.kind for f in found.gained} >= {"pivot table", "pivot cache"}


def test_figures_have_the_format_of_their_column(data: Path) -> None:
    path, _ = edited(data, PIVOT)
    assert openpyxl.load_workbook(path)["Summary"]["C4"].number_format == "#,##0.00"
    root = Package(path).parse("xl/pivotTables/pivotTable1.xml")
    number = root.find(f"{q('dataFields')}/{q('dataField')}").get("numFmtId")
    assert number == "4"


def test_other_programs_read_the_cache(data: Path) -> None:
    path, _ = edited(data, PIVOT)
    (pivot,) = openpyxl.load_workbook(path)["Summary"]._pivots
    cache = pivot.cache
    assert [f.name for f in cache.cacheFields] == ["Region", "Product", "Day", "Amount", "Units"]
    assert len(cache.records.r) == 6
    assert pivot.location.firstDataRow == 2


def test_filters_stand_above_and_choose_an_item(data: Path) -> None:
    path, outcome = edited(
        data,
        PIVOT | {"columns": [], "filters": [{"field": "Product", "item": "pear"}, "Day"]},
    )
    assert shown(path, "Summary", "B2:C9") == [
        ["Product", "Pear"],
        ["Day", "(All)"],
        [None, None],
        ["Region", "Sum of Amount"],
        ["East", 63],
        ["North", 21],
        ["South", 42],
        ["Grand Total", 126],
    ]
    assert findings(data, path, outcome) == []


def test_several_values_and_nested_rows(data: Path) -> None:
    path, _ = edited(
        data,
        PIVOT
        | {
            "rows": ["Day", "Region"],
            "columns": ["Product"],
            "values": ["Units", {"field": "Amount", "function": "max", "name": "Largest"}],
        },
    )
    assert shown(path, "Summary", "B2:I11") == [
        [None, None, "Product", None, None, None, None, None],
        [None, None, "Apple", None, "Pear", None, "Total Sum of Units", "Total Largest"],
        ["Day", "Region", "Sum of Units", "Largest", "Sum of Units", "Largest", None, None],
        [_day(9), "East", None, None, 6, 63, 6, 63],
        [None, "North", None, None, 2, 21, 2, 21],
        [None, "South", None, None, 4, 42, 4, 42],
        [_day(10), "East", 5, 52.5, None, None, 5, 52.5],
        [None, "North", 1, 10.5, None, None, 1, 10.5],
        [None, "South", 3, 31.5, None, None, 3, 31.5],
        ["Grand Total", None, 9, 52.5, 12, 63, 21, 63],
    ]


def _day(number: int) -> object:
    import datetime

    return datetime.datetime(2025, 12, number)  # noqa: DTZ001


def test_a_refresh_follows_the_source(data: Path) -> None:
    first, _ = edited(data, PIVOT, to="first.xlsx")
    path, outcome = edited(
        first,
        {"cells": "Data!A2", "value": "West"},
        {"cells": "Data!D3", "value": 1000},
        {"cells": "Data!B4", "value": "Fig"},
        {"op": "pivot_refresh", "pivot": "sales"},
    )
    assert shown(path, "Summary", "B2:F8") == [
        ["Sum of Amount", "Product", None, None, None],
        ["Region", "Apple", "Fig", "Pear", "Grand Total"],
        ["East", 52.5, None, 63, 115.5],
        ["North", None, None, 1000, 1000],
        ["South", None, 31.5, 42, 73.5],
        ["West", 10.5, None, None, 10.5],
        ["Grand Total", 63, 31.5, 1105, 1199.5],
    ]
    assert findings(first, path, outcome) == []
    assert outcome.notes == ()
    back, _ = edited(
        path,
        {"cells": "Data!A2", "value": "North"},
        {"cells": "Data!B4", "value": "Apple"},
        {"op": "pivot_refresh", "pivot": "Sales"},
        to="back.xlsx",
    )
    assert shown(back, "Summary", "B7:F8") == [
        ["Grand Total", 94.5, 1105, 1199.5, None],
        [None] * 5,
    ]


def test_a_pivot_table_gets_other_fields_and_a_longer_source(data: Path) -> None:
    first, _ = edited(data, PIVOT, to="first.xlsx")
    path, outcome = edited(
        first,
        {"cells": "Data!A8", "values": [["North", "Apple", {"date": "2025-12-10"}, 100, 10]]},
        {
            "op": "pivot_change", "pivot": "Sales", "source": "Data!A1:E8", "rows": ["Product"], "columns": [],
            "values": [{"field": "Amount", "function": "average"}],
        },
    )  # fmt: skip
    assert shown(path, "Summary", "B2:E5") == [
        ["Product", "Average of Amount", None, None],
        ["Apple", pytest.approx(194.5 / 4), None, None],
        ["Pear", 42, None, None],
        ["Grand Total", pytest.approx(320.5 / 7), None, None],
    ]
    assert shown(path, "Summary", "B6:E7") == [[None] * 4] * 2
    assert next(pivots(Workbook(path))).source == "Data!A1:E8"
    assert findings(first, path, outcome) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rows": ["Country"]}, "no field 'Country'; it has Region, Product"),
        ({"rows": []}, "at least one field for rows"),
        ({"columns": ["Region"]}, "in one place only"),
        ({"values": []}, "at least one of values"),
        ({"values": [{"field": "Amount", "function": "median"}]}, "no function 'median'"),
        ({"values": [{"field": "Amount", "name": "Region"}]}, "is the name of a field"),
        ({"values": ["Amount", "Amount"]}, "give one with `name`"),
        ({"source": "Data!A1:F7"}, "must have a header"),
        ({"source": "Data!A1:E1"}, "must have a header row"),
        ({"source": "Nowhere"}, "no table, name or range"),
        ({"filters": [{"field": "Day", "item": "x"}]}, "has no item 'x'"),
        ({"cells": "Data!D6"}, "is not empty"),
        ({"cells": "Summary!XFD1"}, "would leave the sheet"),
    ],
)
def test_what_cannot_be_made_is_refused_whole(
    data: Path, change: dict[str, Any], message: str
) -> None:
    before = data.read_bytes()
    with pytest.raises(ToolInputError, match=message):
        edit_workbook(data, data, [PIVOT | change])
    assert data.read_bytes() == before


def test_a_pivot_table_that_was_not_refreshed_is_named(data: Path) -> None:
    first, _ = edited(data, PIVOT, to="first.xlsx")
    refresh = {"op": "pivot_refresh", "pivot": "Sales"}
    _, outcome = edited(first, refresh, {"cells": "Data!D3", "value": 1000})
    assert outcome.notes == (
        "The pivot table Sales (Summary) reads edited cells; it shows old figures until refreshed.",
    )


def test_a_refresh_does_not_grow_over_other_cells(data: Path) -> None:
    first, _ = edited(data, PIVOT, {"cells": "Summary!B8", "value": "mine"}, to="first.xlsx")
    with pytest.raises(ToolInputError, match="B8 is not empty"):
        edited(
            first,
            {"cells": "Data!A2", "value": "West"},
            {"op": "pivot_refresh", "pivot": "Sales"},
        )


def test_figures_that_are_not_computed_yet_are_not_summed_up(data: Path) -> None:
    with pytest.raises(ToolInputError, match="Data!D2; recalculate first"):
        edit_workbook(data, data, [{"cells": "Data!D2", "formula": "=E2*3"}, PIVOT])


def test_painted_cells_stay_guarded(data: Path) -> None:
    first, _ = edited(data, PIVOT, to="first.xlsx")
    with pytest.raises(ToolInputError, match="belongs to the pivot table Sales"):
        edit_workbook(first, first, [{"cells": "Summary!C4", "value": 1}])


def test_the_gate_sees_a_figure_that_was_painted_over(data: Path) -> None:
    path, outcome = edited(data, PIVOT)
    undeclared = Outcome(
        declared=type(outcome.declared)(cells=outcome.declared.cells, styles=True),
        stale=(), more_stale=False, notes=(),
    )  # fmt: skip
    found = " ".join(findings(data, path, undeclared))
    assert "pivotTable1.xml" in found


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        ("sum", 6.0), ("count", 4.0), ("countNums", 3.0), ("average", 2.0), ("max", 3.0), ("min", 1.0),
        ("product", 6.0), ("stdDev", 1.0), ("stdDevp", pytest.approx((2 / 3) ** 0.5)), ("var", 1.0),
        ("varp", pytest.approx(2 / 3)),
    ],
)  # fmt: skip
def test_each_function(function: str, expected: object) -> None:
    items = [Item("n", "1"), Item("n", "2"), Item("n", "3"), Item("s", "x"), Item("m")]
    assert aggregate(function, items) == expected
    assert function in FUNCTIONS


def test_errors_and_nothing_to_compute_show_as_excel_shows_them() -> None:
    assert aggregate("sum", [Item("n", "1"), Item("e", "#N/A")]) == "#N/A"
    assert aggregate("average", [Item("s", "x")]) == "#DIV/0!"
    assert aggregate("sum", [Item("s", "x")]) == 0
    assert aggregate("sum", []) == 0


@pytest.mark.cases
@pytest.mark.skipif(not POI.is_dir(), reason="the cases folder is not beside the checkout")
def test_a_pivot_table_of_excel_is_refreshed_to_what_excel_painted(tmp_path: Path) -> None:
    source = POI / "DataTableCities.xlsx"
    target = tmp_path / "out.xlsx"
    outcome = edit_workbook(source, target, [{"op": "pivot_refresh", "pivot": "PivotTable3"}])
    before, after = (shown(p, "PivotTable", "B5:E18") for p in (source, target))
    for old, new in zip(before[1:-1], after[1:-1], strict=True):
        assert new == [old[0], *(pytest.approx(value) for value in old[1:])]
    assert findings(source, target, outcome) == []


@pytest.mark.cases
@pytest.mark.skipif(not POI.is_dir(), reason="the cases folder is not beside the checkout")
def test_a_pivot_table_of_another_kind_is_marked_for_excel(tmp_path: Path) -> None:
    source = POI / "ExcelPivotTableSample.xlsx"
    target = tmp_path / "out.xlsx"
    collapsed = tmp_path / "collapsed.xlsx"
    shutil.copyfile(source, collapsed)
    forge(collapsed, "xl/pivotTables/pivotTable1.xml", '<item x="0"', '<item sd="0" x="0"')
    source = collapsed
    edit = {"op": "pivot_refresh", "pivot": "PivotTable1", "sheet": "Tabelle2"}
    outcome = edit_workbook(source, target, [edit])
    assert "collapsed" in outcome.notes[0]
    package = Package(target)
    assert package.parse("xl/pivotCache/pivotCacheDefinition1.xml").get("refreshOnLoad") == "1"
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target) as new:
        differing = {n for n in old.namelist() if old.read(n) != new.read(n)}
    assert differing == {"xl/pivotCache/pivotCacheDefinition1.xml"}
    assert findings(source, target, outcome) == []


@pytest.mark.cases
@pytest.mark.skipif(not POI.is_dir(), reason="the cases folder is not beside the checkout")
@pytest.mark.parametrize("sheet", ["Tabelle2", "Tabelle3"])
def test_a_table_of_excel_with_hidden_items_keeps_its_figures_and_words(
    tmp_path: Path, sheet: str
) -> None:
    source, target = POI / "ExcelPivotTableSample.xlsx", tmp_path / "out.xlsx"
    edit = {"op": "pivot_refresh", "pivot": "PivotTable1", "sheet": sheet}
    outcome = edit_workbook(source, target, [edit])
    assert outcome.notes == ()
    old, new = (shown(path, sheet, "A1:D7") for path in (source, target))
    assert new[2:] == old[2:]
    assert findings(source, target, outcome) == []


@needs_office
def test_libreoffice_computes_the_same_figures(data: Path, tmp_path: Path) -> None:
    """It lays the table out anew from the source; the figures must be those that were painted."""
    first, _ = edited(data, PIVOT, to="first.xlsx")
    path, _ = edited(
        first,
        {"cells": "Data!D3", "value": 1000},
        {"op": "pivot_refresh", "pivot": "Sales"},
    )
    computed = tmp_path / "computed" / "out.xlsx"
    computed.parent.mkdir()
    soffice.convert_afresh(path, computed, "xlsx", tmp_path / "profile", lambda: True)
    shutil.rmtree(tmp_path / "profile")
    assert shown(computed, "Summary", "C4:E7") == shown(path, "Summary", "C4:E7")
    assert [p.name for p in pivots(Workbook(computed))] == ["Sales"]
