"""Elements at a place where the schemas do not allow them are found; the workbooks of other programs are left alone."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

import pytest
import xlsxwriter
from tests.unit.documents.schemas import schema_errors

from deskmate_documents.office.package_gate import problems
from deskmate_documents.opc import parse_xml
from deskmate_documents.xlsx.edit import edit_workbook
from deskmate_documents.xlsx.order import ORDERS, misplaced
from deskmate_documents.xlsx.rules import ORDER


@pytest.fixture
def book(tmp_path: Path) -> Path:
    path = tmp_path / "book.xlsx"
    with xlsxwriter.Workbook(path) as made:
        sheet = made.add_worksheet("S")
        sheet.write_row("A1", ["Name", "Amount"])
        for row in range(1, 5):
            sheet.write_row(row, 0, [f"n{row}", row])
        sheet.write_formula("D1", "=SUM(B2:B5)", None, 10)
        sheet.merge_range("F1:G1", "x")
        sheet.conditional_format("B2:B5", {"type": "2_color_scale"})
        sheet.data_validation(
            "B2:B5", {"validate": "integer", "criteria": "between", "minimum": 1, "maximum": 9}
        )
        chart = made.add_chart({"type": "column"})
        chart.add_series({"values": "=S!$B$2:$B$5", "categories": "=S!$A$2:$A$5"})
        sheet.insert_chart("H9", chart)
        made.define_name("Total", "=S!$D$1")
    pivot = {
        "op": "pivot",
        "cells": "S!J1",
        "source": "S!A1:B5",
        "rows": ["Name"],
        "values": [{"field": "Amount"}],
    }
    edit_workbook(path, path, [pivot])
    return path


SWAPS = [
    ("xl/worksheets/sheet1.xml", r"(<sheetData>.*</sheetData>)(<mergeCells.*?</mergeCells>)", "sheetData"),
    ("xl/worksheets/sheet1.xml", r"(<conditionalFormatting.*?</conditionalFormatting>)(<dataValidations.*?</dataValidations>)", "conditionalFormatting"),
    ("xl/worksheets/sheet1.xml", r"(<f>SUM\(B2:B5\)</f>)(<v>[^<]*</v>)", "row 1: The element f"),
    ("xl/worksheets/sheet1.xml", r"(<formula1>1</formula1>)(<formula2>9</formula2>)", "formula1"),
    ("xl/worksheets/sheet1.xml", r"(<cfvo[^>]*/><cfvo[^>]*/>)(<color[^>]*/><color[^>]*/>)", "cfvo"),
    ("xl/workbook.xml", r"(<sheets>.*</sheets>)(<definedNames>.*</definedNames>)", "sheets"),
    ("xl/styles.xml", r"(<fonts.*</fonts>)(<fills.*</fills>)", "fonts"),
    ("xl/charts/chart1.xml", r"(<c:cat>.*</c:cat>)(<c:val>.*</c:val>)", "cat"),
    ("xl/charts/chart1.xml", r"(<c:formatCode>General</c:formatCode>)(<c:ptCount val=\"4\"/>)", "formatCode"),
    ("xl/drawings/drawing1.xml", r"(<xdr:from>.*</xdr:from>)(<xdr:to>.*</xdr:to>)", "from"),
    ("xl/pivotTables/pivotTable1.xml", r"(<location[^>]*/>)(<pivotFields.*</pivotFields>)", "location"),
    ("xl/pivotCache/pivotCacheDefinition1.xml", r"(<cacheSource.*</cacheSource>)(<cacheFields.*</cacheFields>)", "cacheSource"),
]  # fmt: skip


@pytest.mark.parametrize(("part", "pattern", "word"), SWAPS)
def test_two_elements_in_the_wrong_order_are_found(
    book: Path, part: str, pattern: str, word: str
) -> None:
    assert list(problems(book)) == []
    with zipfile.ZipFile(book) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    swapped, count = re.subn(pattern, r"\2\1", files[part].decode(), count=1, flags=re.DOTALL)
    assert count == 1
    files[part] = swapped.encode()
    with zipfile.ZipFile(book, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    found = [text for text in problems(book) if "comes before it" in text]
    assert found
    assert word in found[0]
    assert schema_errors(book) != []  # another reader of the schemas agrees


def test_an_element_that_has_no_place_is_found() -> None:
    space = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    root = parse_xml(f'<worksheet xmlns="{space}"><sheetData/><fonts/></worksheet>'.encode(), "x")
    assert list(misplaced(root)) == ["The element fonts may not stand within worksheet."]


def test_what_is_not_of_the_schemas_is_left_alone() -> None:
    space = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    other = '<y:a xmlns:y="urn:y"/>'
    root = parse_xml(f'<worksheet xmlns="{space}">{other}<sheetData/></worksheet>'.encode(), "x")
    assert list(misplaced(root)) == []
    assert list(ORDERS[space]["worksheet"]) == ORDER
