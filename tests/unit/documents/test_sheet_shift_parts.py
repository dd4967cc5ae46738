"""Single parts of a sheet when rows or columns come or go, each in the case in which it would go wrong first."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import xlsxwriter
from lxml import etree
from tests.unit.documents.sheet_rooms import delete, edited, forge, formulas, gate, insert, part

from deskmate.errors import ToolInputError
from deskmate_documents.xlsx.chartcache import reindexed
from deskmate_documents.xlsx.shift import Shift


@pytest.fixture
def book(tmp_path: Path) -> Path:
    """A table, a filter with a condition, columns of one width, and a pivot table with a filter above it."""
    path = tmp_path / "plain.xlsx"
    with xlsxwriter.Workbook(path) as made:
        made.calc_on_load = False
        sheet, other = made.add_worksheet("S"), made.add_worksheet("Other")
        for row in range(1, 7):
            sheet.write_row(row, 0, [f"n{row}", "ab"[row % 2], row])
        heads = [{"header": text} for text in ("Name", "Kind", "Amount")]
        sheet.add_table("A1:C7", {"name": "T", "columns": heads})
        other.set_column("A:B", 20)
        other.write_row("D2", ["x", "y", "z"])
        other.autofilter("D2:F9")
        other.filter_column("F", "x > 5")
    pivot = {
        "op": "pivot", "cells": "Other!J20", "source": "S!A1:C7", "rows": ["Name"], "filters": ["Kind"],
        "values": [{"field": "Amount"}], "name": "P",
    }  # fmt: skip
    there, _ = edited(path, pivot)
    return there.rename(path)


def test_a_member_of_a_shared_formula_with_a_text_of_its_own_is_written_out(tmp_path: Path) -> None:
    path = tmp_path / "shared.xlsx"
    with xlsxwriter.Workbook(path) as made:
        sheet = made.add_worksheet("S")
        for row in range(3):
            sheet.write_formula(row, 1, f"=A{row + 1}*2")
    name = "xl/worksheets/sheet1.xml"
    forge(path, name, "<f>A1*2</f>", '<f t="shared" ref="B1:B3" si="0">A1*2</f>')
    forge(path, name, "<f>A2*2</f>", '<f t="shared" si="0"/>')
    forge(path, name, "<f>A3*2</f>", '<f t="shared" si="0">A3*2</f>')
    out, _ = edited(path, insert("S!1:1"))
    assert formulas(out) == {"S!B2": "A2*2", "S!B3": "A3*2", "S!B4": "A4*2"}
    assert 't="shared"' not in part(out, name)


def test_new_columns_look_as_the_one_before_them(book: Path) -> None:
    out, _ = edited(book, insert("Other!C:D"))
    (first,) = re.findall(r"<col [^>]*>", part(out, "xl/worksheets/sheet2.xml"))
    assert 'min="1"' in first
    assert 'max="4"' in first


def test_the_condition_of_a_filter_stays_with_its_column(book: Path) -> None:
    out, _ = edited(book, insert("Other!E:E"))
    assert '<filterColumn colId="3"' in part(out, "xl/worksheets/sheet2.xml")
    with pytest.raises(ToolInputError, match="condition on a column that would go"):
        edited(book, delete("Other!F:F"))


@pytest.mark.parametrize("cells", ["Other!15:60", "Other!J:Z", "Other!20:20", "Other!21:21"])
def test_a_pivot_table_goes_neither_whole_nor_in_part_nor_its_filters(
    book: Path, cells: str
) -> None:
    with pytest.raises(ToolInputError, match="would be cut"):
        edited(book, delete(cells))


def test_no_row_comes_between_a_pivot_table_and_its_filters(book: Path) -> None:
    for row in (21, 22):
        with pytest.raises(ToolInputError, match="would be cut"):
            edited(book, insert(f"Other!{row}:{row}"))
    out, _ = edited(book, insert("Other!20:20"))
    assert 'ref="J23:' in part(out, "xl/pivotTables/pivotTable1.xml")


def test_a_table_keeps_a_row_below_its_header(book: Path) -> None:
    with pytest.raises(ToolInputError, match="all of its rows"):
        edited(book, delete("S!2:7"))
    out, _ = edited(book, delete("S!2:6"))
    assert 'ref="A1:C2"' in part(out, "xl/tables/table1.xml")


@pytest.mark.parametrize(("cell", "cells"), [("A1048576", "S!3:3"), ("XFD1", "S!B:B")])
def test_what_stands_in_the_last_line_is_not_pushed_off(
    tmp_path: Path, cell: str, cells: str
) -> None:
    path = tmp_path / "full.xlsx"
    with xlsxwriter.Workbook(path) as made:
        made.add_worksheet("S").write(cell, 1)
    with pytest.raises(ToolInputError, match="has no room"):
        edited(path, insert(cells))


def test_points_of_a_chart_that_reads_two_areas_grow_only_where_rows_come_within() -> None:
    space = "http://schemas.openxmlformats.org/drawingml/2006/chart"
    points = "".join(f'<pt idx="{n}"><v>{n}</v></pt>' for n in range(6))
    root = etree.fromstring(
        f'<numRef xmlns="{space}"><f/><numCache><ptCount val="6"/>{points}</numCache></numRef>'
    )
    shift = Shift(sheet="S", axis="rows", at=6, count=2, gone=False)
    reindexed(root[0], "(S!$B$2:$B$3,S!$B$6:$B$7,S!$B$10:$B$11)", shift)
    assert [(p.get("idx"), p[0].text) for p in root.iter("{*}pt")] == [
        (str(n), str(n)) for n in range(6)
    ]
    assert next(root.iter("{*}ptCount")).get("val") == "6"


def test_a_damaged_part_is_said_to_be_that_and_not_a_wrong_edit(book: Path) -> None:
    forge(book, "xl/worksheets/sheet2.xml", '<col min="1"', '<col min="first"')
    with pytest.raises(ToolInputError, match=r"plain\.xlsx has a damaged part"):
        edited(book, insert("Other!C:C"))


def test_the_link_of_a_shape_leads_to_the_same_cell(tmp_path: Path) -> None:
    path = tmp_path / "links.xlsx"
    with xlsxwriter.Workbook(path) as made:
        sheet = made.add_worksheet("S")
        made.add_worksheet("My sheet").insert_textbox("B2", "Go", {"url": "internal:S!A9"})
        sheet.insert_textbox("B2", "There", {"url": "internal:'My sheet'!A9"})
        sheet.insert_textbox("F2", "Out", {"url": "https://example.com/#S!A9"})
    rels = "xl/drawings/_rels/drawing{}.xml.rels".format

    def links(file: Path, number: int) -> list[str]:
        return re.findall(r'Target="([^"]*)"', part(file, rels(number)))

    out, outcome = edited(path, insert("S!3:4"))
    assert links(out, 1) == ["#'My sheet'!A9", "https://example.com/"]
    assert links(out, 2) == ["#S!A11"]
    assert gate(path, out, outcome) == []
    forge(path, rels(1), "My sheet", "My%20sheet")
    out, _ = edited(path, insert("'My sheet'!3:4"))
    assert links(out, 1) == ["#'My%20sheet'!A11", "https://example.com/"]
