"""Pivot tables in all three forms, with heads and subtotals, as Excel lays them out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import xlsxwriter
from tests.unit.documents.sheet_rooms import edited, forge, gate, loaded

from deskmate.errors import ToolInputError
from deskmate_documents.graphics import is_figure
from deskmate_documents.xlsx.book import Workbook
from deskmate_documents.xlsx.edit import edit_workbook
from deskmate_documents.xlsx.pivotlayout import compute
from deskmate_documents.xlsx.pivotread import not_plain, read_spec
from deskmate_documents.xlsx.pivots import Pivot, pivots
from deskmate_documents.xlsx.pivotsource import read_source
from deskmate_documents.xlsx.refs import parse_area
from deskmate_documents.xlsx.sheetpart import q

FINANCE = Path(__file__).parents[4] / "shared" / "cases" / "finance"
SALES = [
    ("North", "Apple", "Red", 1, 10), ("North", "Apple", "Green", 2, 20), ("North", "Pear", "Green", 4, 40),
    ("South", "Apple", "Red", 8, 80), ("South", "Pear", "Green", 16, 160),
]  # fmt: skip
PIVOT = {
    "op": "pivot", "cells": "Summary!A1", "source": "Data!A1:E6", "rows": ["Region", "Product"],
    "values": ["Units"], "name": "Sales", "subtotals": True,
}  # fmt: skip


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "data.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet("Data")
        sheet.write_row("A1", ["Region", "Product", "Colour", "Units", "Amount"])
        for row, sale in enumerate(SALES, 1):
            sheet.write_row(row, 0, sale)
        book.add_worksheet("Summary")
    return path


def shown(path: Path) -> list[list[Any]]:
    rows = loaded(path)["Summary"].iter_rows(values_only=True)
    return [[value for value in row if value is not None] for row in rows]


def lines(path: Path, axis: str) -> list[tuple[str, str, list[str]]]:
    """Return (kind, how many items are those of the line before, items) of each line that the definition lists."""
    book = Workbook(path)
    (pivot,) = pivots(book)
    listed = book.package.parse(pivot.part).find(q(axis))
    return [(n.get("t", ""), n.get("r", ""), [x.get("v", "0") for x in n]) for n in listed]


def test_a_compact_table_has_heads_with_subtotals_in_one_column(data: Path) -> None:
    path, outcome = edited(data, PIVOT | {"layout": "compact"})
    assert shown(path) == [
        ["Row Labels", "Sum of Units"],
        ["North", 7], ["Apple", 3], ["Pear", 4],
        ["South", 24], ["Apple", 8], ["Pear", 16],
        ["Grand Total", 31],
    ]  # fmt: skip
    assert lines(path, "rowItems") == [
        ("", "", ["0"]), ("", "1", ["0"]), ("", "1", ["1"]),
        ("", "", ["1"]), ("", "1", ["0"]), ("", "1", ["1"]), ("grand", "", ["0"]),
    ]  # fmt: skip
    assert gate(data, path, outcome) == []


def test_an_outline_has_columns_of_its_own_and_a_tabular_table_its_subtotals_below(
    data: Path,
) -> None:
    path, _ = edited(data, PIVOT | {"layout": "outline", "subtotals": False})
    assert shown(path)[:4] == [
        ["Region", "Product", "Sum of Units"],
        ["North"],
        ["Apple", 3],
        ["Pear", 4],
    ]
    three = PIVOT | {"rows": ["Region", "Product", "Colour"], "subtotals": ["Product"]}
    path, outcome = edited(data, three)
    assert shown(path)[1:6] == [
        ["North", "Apple", "Green", 2], ["Red", 1], ["Apple Total", 3], ["Pear", "Green", 4], ["Pear Total", 4],
    ]  # fmt: skip
    assert lines(path, "rowItems")[:4] == [
        ("", "", ["0", "0", "0"]), ("", "2", ["1"]), ("default", "1", ["0"]), ("", "1", ["1", "0"]),
    ]  # fmt: skip
    assert gate(data, path, outcome) == []


def test_columns_have_subtotals_of_each_value(data: Path) -> None:
    wanted = {"rows": ["Colour"], "columns": ["Region", "Product"], "values": ["Units", "Amount"]}
    path, _ = edited(data, PIVOT | wanted | {"layout": "compact"})
    head, labels, inner, _, first = shown(path)[:5]
    assert head == ["Column Labels"]
    assert labels[:3] == ["North", "North Sum of Units", "North Sum of Amount"]
    assert inner == ["Apple", "Pear", "Apple", "Pear"]
    assert first == ["Green", 2, 20, 4, 40, 6, 60, 16, 160, 16, 160, 22, 220]
    found = lines(path, "colItems")
    assert found[4:6] == [("default", "", ["0"]), ("default", "", ["0"])]


def test_a_refresh_keeps_the_form_and_a_change_may_give_another(data: Path) -> None:
    first, _ = edited(data, PIVOT | {"layout": "compact"})
    first = first.rename(data.with_name("first.xlsx"))
    path, outcome = edited(
        first, {"cells": "Data!D2", "value": 101}, {"op": "pivot_refresh", "pivot": "Sales"}
    )
    assert shown(path)[1:3] == [["North", 107], ["Apple", 103]]
    assert gate(first, path, outcome) == []
    path, _ = edited(
        first,
        {
            "op": "pivot_change",
            "pivot": "Sales",
            "layout": "tabular",
            "rows": ["Product", "Region"],
        },
    )
    assert shown(path)[:4] == [
        ["Product", "Region", "Sum of Units"], ["Apple", "North", 3], ["South", 8], ["Apple Total", 11],
    ]  # fmt: skip


def test_items_that_are_hidden_stay_so_and_a_table_keeps_its_words(
    data: Path,
) -> None:
    first, _ = edited(
        data, PIVOT | {"rows": ["Region"], "layout": "compact", "columns": ["Product"]}
    )
    first = first.rename(data.with_name("first.xlsx"))
    table, sheet = "xl/pivotTables/pivotTable1.xml", "xl/worksheets/sheet2.xml"
    forge(first, table, '<item x="1"', '<item x="1" h="1"')  # South
    forge(first, sheet, ">Row Labels<", ">Zeilen<")
    path, outcome = edited(
        first, {"cells": "Data!A6", "value": "West"}, {"op": "pivot_refresh", "pivot": "Sales"}
    )
    assert shown(path)[1:4] == [
        ["Zeilen", "Apple", "Pear", "Grand Total"], ["North", 3, 4, 7], ["Grand Total", 3, 4, 7],
    ]  # fmt: skip
    assert gate(first, path, outcome) == []
    path, _ = edited(
        first,
        {
            "op": "pivot_change",
            "pivot": "Sales",
            "columns": [],
            "filters": ["Region"],
            "rows": ["Product"],
        },
    )
    assert shown(path)[0] == ["Region", "(Multiple Items)"]
    assert shown(path)[-1] == ["Grand Total", 7]


def test_a_table_with_ways_of_its_own_is_refreshed_and_not_changed(data: Path) -> None:
    first, _ = edited(data, PIVOT | {"rows": ["Region"], "subtotals": False})
    first = first.rename(data.with_name("first.xlsx"))
    table = "xl/pivotTables/pivotTable1.xml"
    forge(
        first,
        table,
        '<pivotField axis="axisRow"',
        '<pivotField sortType="descending" axis="axisRow"',
    )
    forge(first, table, '<item x="0"/><item x="1"/>', '<item x="1"/><item x="0"/>')
    change = {"op": "pivot_change", "pivot": "Sales", "values": ["Amount"]}
    with pytest.raises(ToolInputError, match="descending order"):
        edit_workbook(first, data.with_name("no.xlsx"), [change])
    path, _ = edited(
        first, {"cells": "Data!D2", "value": 101}, {"op": "pivot_refresh", "pivot": "Sales"}
    )
    assert [row[0] for row in shown(path)[1:3]] == ["South", "North"]
    assert 'sortType="descending"' in Workbook(path).package.read(table).decode()


@pytest.mark.parametrize(
    ("wrong", "cause"),
    [
        ({"layout": "tree"}, "layout is one of"),
        ({"subtotals": ["Colour"]}, "fields of rows or columns"),
    ],
)
def test_what_cannot_be_is_named(data: Path, wrong: dict[str, Any], cause: str) -> None:
    with pytest.raises(ToolInputError, match=cause):
        edit_workbook(data, data, [PIVOT | wrong])


def computed(book: Workbook, pivot: Pivot) -> dict[tuple[int, int], str]:
    """Return place → text of a pivot table as it is computed here, total labels in the words of the file."""
    source = read_source(book, pivot.source)
    spec = read_spec(
        book.package.parse(pivot.part), book.package.parse(pivot.cache), source, date1904=book.date1904
    )  # fmt: skip
    area = parse_area(pivot.area)
    found = {}
    for (row, column), cell in compute(source, spec).cells.items():
        text = cell.text or source.fields[cell.field]
        if cell.item is not None:
            text = "(blank)" if cell.item.kind == "m" else cell.item.text
        if cell.role == "figure":
            text = f"{cell.value:.9g}" if isinstance(cell.value, float) else str(cell.value)
        found[area.top + row, area.left + column] = text
    return found


@pytest.mark.cases
@pytest.mark.skipif(not FINANCE.is_dir(), reason="the cases folder is not beside the checkout")
def test_tables_that_excel_painted_are_computed_as_it_did() -> None:
    seen = 0
    for file in sorted(FINANCE.glob("xlsx*/*.xlsx")):
        book = Workbook(file)
        for pivot in pivots(book):
            parts = [book.package.parse(part) for part in (pivot.part, pivot.cache) if part]
            if len(parts) < 2 or not_plain(*parts):
                continue
            values = book.values(book.sheet(pivot.sheet), parse_area(pivot.area))
            painted = {
                v.place: f"{float(v.text):.9g}" if v.kind == "number" else v.text
                for v in values
                if v.text
            }
            if painted:  # not every program paints them
                ours = computed(book, pivot)
                figures = {place: text for place, text in painted.items() if is_figure(text)}
                assert {p: t for p, t in ours.items() if is_figure(t)} == figures, file.name
                assert ours.keys() == painted.keys()  # captions are in the language of who made it
                seen += 1
    assert seen > 4
