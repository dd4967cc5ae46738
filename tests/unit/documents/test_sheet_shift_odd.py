"""Rows and columns that come or go beside what few workbooks have: names of names, edges, other files, controls."""

from __future__ import annotations

from pathlib import Path

import pytest
import xlsxwriter
from tests.unit.documents.sheet_rooms import delete, edited, forge, formulas, gate, insert, part

from deskmate.errors import ToolInputError
from deskmate_documents.xlsx.refs import parse_areas
from deskmate_documents.xlsx.shift import Formulas, Shift

ROW_3 = Shift(sheet="S", axis="rows", at=3, count=1, gone=False)
NO_ROW_3 = Shift(sheet="S", axis="rows", at=3, count=1, gone=True)
SHEETS = ["First", "S", "Last"]


@pytest.mark.parametrize(
    ("shift", "formula"),
    [
        (NO_ROW_3, "SUM(S!A1:S!A5)"),
        (NO_ROW_3, "SUM(A1 : INDEX(B8:B9,1))"),
        (NO_ROW_3, "SUM(INDEX(B1:B2,1):A9)"),
        (NO_ROW_3, "SUM(First:Last!A:A)"),
        (ROW_3, "MATCH(1,A2:A1048576,0)"),
        (ROW_3, "SUM(A2:B1048576)"),
    ],
)
def test_a_formula_that_reads_what_came_or_went_is_known_to_be_old(
    shift: Shift, formula: str
) -> None:
    assert Formulas(shift, SHEETS).shifted(formula, "S").resized


@pytest.mark.parametrize(
    ("formula", "after"),
    [
        ("[Book1.xlsx]S!A5+[1]S!A5", "[Book1.xlsx]S!A5+[1]S!A5"),
        (r"\A5+A5", r"\A5+A6"),
        ("SUM(First:Last!A1)+A1:INDEX(A1:A2,1)", "SUM(First:Last!A1)+A1:INDEX(A1:A2,1)"),
        ("T[[#This Row],[A5]]+T[@A5]+LOG10(A5)", "T[[#This Row],[A5]]+T[@A5]+LOG10(A6)"),
    ],
)
def test_what_only_looks_like_a_cell_of_the_sheet_stays(formula: str, after: str) -> None:
    assert Formulas(ROW_3, SHEETS).shifted(formula, "S").text == after


def test_a_single_end_is_not_taken_for_a_run() -> None:
    assert not Formulas(ROW_3, SHEETS).shifted("A1+A9&B1:B2", "S").resized


@pytest.mark.parametrize(
    ("at", "gone", "formula", "after"),
    [
        (5, False, "A1<>A1048576", "A1<>A1048576"),
        (1, False, "A1<>A1048576", "A2<>A1"),
        (3, True, "A1<>A1048576", "A1<>A1048576"),
        (1, True, "$B$9<>A1048576", "$B$8<>A1048576"),
    ],
)
def test_a_rule_that_reads_the_row_above_in_row_1_still_does(
    at: int, gone: bool, formula: str, after: str
) -> None:
    shift = Shift(sheet="S", axis="rows", at=at, count=1, gone=gone)
    found = Formulas(shift, ["S"]).anchored(formula, "S", parse_areas("A1:A10"))
    assert (found.text, found.even) == (after, False)


def test_a_rule_that_reads_from_a_fixed_row_around_the_edge_is_refused() -> None:
    with pytest.raises(ToolInputError, match="around the sheet's edge"):
        Formulas(ROW_3, ["S"]).anchored("SUM(A$5:A1048576)>1", "S", parse_areas("A1:A10"))


@pytest.mark.parametrize(
    ("text", "after", "is_relative"),
    [
        ("S!$B$2:$B2", "S!$B$3:$B2", True),
        ("S!$B2", "S!$B2", True),
        ("S!$B$2:$B$9", "S!$B$3:$B$10", False),
        ("S!$A:$B,S!$2:$3", "S!$A:$B,S!$3:$4", True),
        ("S!$2:$3", "S!$3:$4", False),
        ("S!2:3", "S!2:3", True),
    ],
)
def test_the_fixed_end_of_a_name_moves_and_the_other_one_goes_with_its_reader(
    text: str, after: str, is_relative: bool
) -> None:
    top = Shift(sheet="S", axis="rows", at=1, count=1, gone=False)
    found = Formulas(top, ["S"]).shifted(text, "", fixed_only=True)
    assert (found.text, found.resized) == (after, is_relative)


def test_the_fixed_end_of_a_name_that_would_go_is_refused() -> None:
    with pytest.raises(ToolInputError, match="fixed end would go"):
        Formulas(NO_ROW_3, ["S"]).shifted("S!$B$3:$B2", "", fixed_only=True)


@pytest.fixture
def book(tmp_path: Path) -> Path:
    """A table and figures on S, names of names, and readers on Other that name no sheet."""
    path = tmp_path / "odd.xlsx"
    with xlsxwriter.Workbook(path) as made:
        made.calc_on_load = False
        sheet, other = made.add_worksheet("S"), made.add_worksheet("Other")
        sheet.write_row("A1", ["Name", "Amount", "#No [x]"])
        for row in range(1, 7):
            sheet.write_row(row, 0, [f"n{row}", row * 10, row])
        columns = [
            {"header": "Name"},
            {"header": "Amount", "formula": "=ROW()*10"},
            {"header": "#No [x]"},
        ]
        sheet.add_table("A1:C7", {"name": "T", "columns": columns})
        for row in range(1, 7):
            sheet.write_formula(row, 1, "=ROW()*10", None, row * 10 + 10)
        sheet.write_number("H9", 9)
        made.define_name("Sub", "=S!$H$2:$H$9")
        made.define_name("Total", "=SUM(Sub)*2")
        made.define_name("Spot", "=S!$H$9")
        made.define_name("Line", "=ROW(Spot)")
        other.write_formula("A1", "=Total+1", None, 19)
        other.write_formula("A2", "=ROW(Spot)", None, 9)
        other.write_formula("A3", "=Line", None, 9)
        other.write_formula("A4", "=Spot", None, 9)
        other.write_url("C1", "external:other.xlsx#S!A9", string="elsewhere")
        other.write_url("C2", "internal:S!A9", string="here")
    return path


def test_results_behind_names_of_names_are_known_to_be_old(book: Path) -> None:
    out, outcome = edited(book, insert("S!8:8"))
    assert {"Other!A1", "Other!A2", "Other!A3"} <= set(outcome.stale)
    assert "Other!A4" not in outcome.stale
    assert gate(book, out, outcome) == []
    assert formulas(out)["Other!A2"] == "ROW(Spot)"


def test_a_place_in_another_file_stays(book: Path) -> None:
    out, _ = edited(book, insert("S!8:8"))
    sheet = part(out, "xl/worksheets/sheet2.xml")
    assert 'location="S!A9"' in sheet
    assert 'location="S!A10"' in sheet


def test_the_first_row_of_a_table_gets_the_formulas_of_its_columns(book: Path) -> None:
    out, outcome = edited(book, insert("S!2:3"))
    found = formulas(out)
    assert found["S!B2"] == found["S!B3"] == found["S!B4"] == "ROW()*10"
    assert {"S!B2", "S!B3"} <= set(outcome.stale)


def test_a_column_that_a_slicer_filters_by_cannot_go(book: Path) -> None:
    slicer = {"op": "slicer", "cells": "S!M3", "table": "T", "field": "Amount"}
    there, _ = edited(book, slicer)
    there = there.rename(there.with_name("sliced.xlsx"))
    with pytest.raises(ToolInputError, match="slicer filters T"):
        edited(there, delete("S!B:B"))
    out, _ = edited(there, delete("S!A:A"))
    assert 'column="2"' in part(out, "xl/slicerCaches/slicerCache1.xml")


@pytest.mark.parametrize(
    ("edit", "cause"),
    [
        ({"op": "name", "name": "Sums_", "refers_to": "=SUM(T[Amount])"}, "the name Sums_"),
        ({"op": "name", "name": "No", "refers_to": "=T['#No '[x']]"}, "the name No"),
        (
            {"op": "validation", "cells": "S!J1", "validation": {"type": "custom", "formulas": ["=SUM(T[Amount])>1"]}},
            "rule or validation of S",
        ),
        (
            {"op": "pivot", "cells": "Other!H3", "source": "T", "rows": ["Name"], "values": [{"field": "Amount"}], "name": "P"},
            "pivot table reads T",
        ),
    ],
)  # fmt: skip
def test_a_column_that_is_used_by_its_name_cannot_go(book: Path, edit: dict, cause: str) -> None:  # type: ignore[type-arg]
    there, _ = edited(book, edit)
    there = there.rename(there.with_name("used.xlsx"))
    with pytest.raises(ToolInputError, match=cause):
        edited(there, delete("S!B:C"))


def test_a_pivot_table_of_another_workbooks_sheet_keeps_its_source(book: Path) -> None:
    pivot = {
        "op": "pivot", "cells": "Other!H3", "source": "S!A1:C7", "rows": ["Name"],
        "values": [{"field": "Amount"}], "name": "P",
    }  # fmt: skip
    there, _ = edited(book, pivot)
    there = there.rename(there.with_name("pivot.xlsx"))
    cache = "xl/pivotCache/pivotCacheDefinition1.xml"
    text = part(there, cache)
    source = text[text.index("<worksheetSource") : text.index("/>", text.index("<worksheetSource"))]
    link = (
        ' r:id="rId9" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"'
    )
    forge(there, cache, source, source + link)
    from deskmate_documents.xlsx.edit import edit_workbook

    out = there.with_name("o.xlsx")
    outcome = edit_workbook(there, out, [insert("S!3:3")])
    assert 'ref="A1:C7"' in part(out, cache)
    assert not any("pivot table reads" in note for note in outcome.notes)


def test_rows_in_a_table_tell_that_its_pivot_table_is_old(book: Path) -> None:
    pivot = {
        "op": "pivot", "cells": "Other!H3", "source": "T", "rows": ["Name"], "values": [{"field": "Amount"}], "name": "P",
    }  # fmt: skip
    there, _ = edited(book, pivot)
    there = there.rename(there.with_name("pivot.xlsx"))
    _, outcome = edited(there, insert("S!3:3"))
    assert any("reads T, which has other cells" in note for note in outcome.notes)


XDR = "http://schemas.openxmlformats.org/drawingml/2006/spreadsheetDrawing"
MC = "http://schemas.openxmlformats.org/markup-compatibility/2006"


def place(prefix: str) -> str:
    """Return the corners of something drawn over C5:D7."""
    return "".join(
        f"<{prefix}{end}><xdr:col>{column}</xdr:col><xdr:colOff>0</xdr:colOff><xdr:row>{row}</xdr:row><xdr:rowOff>0</xdr:rowOff></{prefix}{end}>"
        for end, row, column in (("from", 4, 2), ("to", 6, 3))
    )


def test_controls_move_with_their_cells_wherever_their_place_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "control.xlsx"
    with xlsxwriter.Workbook(path) as made:
        sheet = made.add_worksheet("S")
        sheet.write("A9", 1)
        sheet.insert_textbox("C5", "Box")
    drawing = "xl/drawings/drawing1.xml"
    forge(path, drawing, "<xdr:twoCellAnchor", f'<mc:AlternateContent xmlns:mc="{MC}"><mc:Choice xmlns:a14="http://schemas.microsoft.com/office/drawing/2010/main" Requires="a14"><xdr:twoCellAnchor')  # fmt: skip
    forge(path, drawing, "</xdr:twoCellAnchor>", "</xdr:twoCellAnchor></mc:Choice><mc:Fallback/></mc:AlternateContent>")  # fmt: skip
    controls = "".join(
        f'<control shapeId="{number}" r:id="rId1" name="x"><controlPr linkedCell="$A$9" listFillRange="S!$A$5:$A$9">'
        f"<anchor{how}>{place('')}</anchor></controlPr></control>"
        for number, how in enumerate(
            ("", ' moveWithCells="1"', ' moveWithCells="1" sizeWithCells="1"'), 1025
        )
    )
    forge(path, "xl/worksheets/sheet1.xml", "</worksheet>", f'<controls xmlns:xdr="{XDR}">{controls}</controls></worksheet>')  # fmt: skip
    from deskmate_documents.xlsx.edit import edit_workbook

    out = tmp_path / "out.xlsx"
    edit_workbook(path, out, [insert("S!6:6")])
    assert "<xdr:row>4</xdr:row>" in part(out, drawing)
    rows = [text.partition("<")[0] for text in part(out, "xl/worksheets/sheet1.xml").split("<xdr:row>")[1:]]  # fmt: skip
    assert rows == ["4", "6", "4", "6", "4", "7"]
    edit_workbook(path, out, [insert("S!2:3")])
    assert "<xdr:row>6</xdr:row>" in part(out, drawing)
    text = part(out, "xl/worksheets/sheet1.xml")
    assert text.count('linkedCell="$A$11"') == text.count('listFillRange="S!$A$7:$A$11"') == 3
    rows = [piece.partition("<")[0] for piece in text.split("<xdr:row>")[1:]]
    assert rows == ["4", "6", "6", "8", "6", "8"]
