"""Rows and columns that come into a workbook or go: everything that names cells moves along, or one line says why not."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter
from openpyxl import Workbook as NewWorkbook
from openpyxl.worksheet.formula import ArrayFormula
from tests.unit.documents.sheet_rooms import delete, edited, formulas, gate, insert, loaded, part

from deskmate.errors import ToolInputError
from deskmate.plugin import Sources, ToolContext, ValidationContext
from deskmate_documents.inventory import compare, counts, inventory
from deskmate_documents.office.package_gate import check_package
from deskmate_documents.office.sheet_calc_tool import recalculated
from deskmate_documents.office.sheet_tools import sheet_edit
from deskmate_documents.office.workbook_gate import check_workbook
from deskmate_documents.opc import Package
from deskmate_documents.xlsx.book import Workbook
from deskmate_documents.xlsx.calculate import same
from deskmate_documents.xlsx.declared import Declared
from deskmate_documents.xlsx.difference import changes
from deskmate_documents.xlsx.edit import Outcome, edit_workbook
from deskmate_documents.xlsx.engines import Formualizer
from deskmate_documents.xlsx.formula import tokens
from deskmate_documents.xlsx.shift import Formulas, Shift


def rows(at: int, count: int = 1, *, gone: bool = False) -> Shift:
    return Shift(sheet="S", axis="rows", at=at, count=count, gone=gone)


def columns(at: int, count: int = 1, *, gone: bool = False) -> Shift:
    return Shift(sheet="S", axis="columns", at=at, count=count, gone=gone)


@pytest.mark.parametrize(
    ("shift", "before", "after"),
    [
        (rows(3), "A1+A2", "A1+A2"),
        (rows(3), "A3*$B$4", "A4*$B$5"),
        (rows(3), "SUM(A1:A9)", "SUM(A1:A10)"),
        (rows(3), "SUM(A3:A9)", "SUM(A4:A10)"),
        (rows(3), "SUM(A1:A2)", "SUM(A1:A2)"),
        (rows(3), "SUM(A:A)+SUM(2:5)", "SUM(A:A)+SUM(2:6)"),
        (rows(3), "S!A5+'S'!A5+Other!A5", "S!A6+'S'!A6+Other!A5"),
        (rows(3), "[1]S!A5+'[1]S'!A5", "[1]S!A5+'[1]S'!A5"),
        (rows(3), 'A5&"A5"&LOG10(A5)', 'A6&"A5"&LOG10(A6)'),
        (rows(3), "XFE5+TAX2024+A1048577", "XFE5+TAX2025+A1048577"),
        (rows(3), "SUM(A9:A1)", "SUM(A10:A1)"),
        (rows(3), "T[[#This Row],[A5]]", "T[[#This Row],[A5]]"),
        (rows(3, 2, gone=True), "SUM(A1:A9)", "SUM(A1:A7)"),
        (rows(3, 2, gone=True), "SUM(A4:A9)", "SUM(A3:A7)"),
        (rows(3, 2, gone=True), "SUM(A1:A3)", "SUM(A1:A2)"),
        (rows(3, 2, gone=True), "A3+A4+A5", "#REF!+#REF!+A3"),
        (rows(3, 2, gone=True), "SUM(A1:B1048576)", "SUM(A1:B1048576)"),
        (columns(3, 2, gone=True), "SUM(A1:XFD2)", "SUM(A1:XFD2)"),
        (rows(3, 2, gone=True), "SUM(S!A3:B4)", "SUM(S!#REF!)"),
        (columns(2, 2), "A1+B1+$C$1", "A1+D1+$E$1"),
        (columns(2, 2), "SUM(A1:C1)+SUM(A:B)+SUM(1:1)", "SUM(A1:E1)+SUM(A:D)+SUM(1:1)"),
        (columns(2, 2, gone=True), "SUM(A1:D1)+C1", "SUM(A1:B1)+#REF!"),
    ],
)
def test_a_formula_reads_the_same_cells_afterwards(shift: Shift, before: str, after: str) -> None:
    assert Formulas(shift, ["S", "Other"]).shifted(before, "S").text == after


def test_a_formula_of_another_sheet_moves_only_where_it_names_the_sheet() -> None:
    found = Formulas(rows(3), ["S", "Other"]).shifted("A5+S!A5+S!A5:A9", "Other")
    assert found.text == "A5+S!A6+S!A6:A10"
    assert not found.resized
    assert Formulas(rows(3), ["S"]).shifted("SUM(A1:A5)", "S").resized
    assert Formulas(rows(3), ["S"]).shifted("MATCH(1,A:A,0)", "S").resized


def test_cells_of_several_sheets_are_not_torn_apart() -> None:
    formulas = Formulas(rows(3), ["First", "S", "Last"])
    assert formulas.shifted("SUM(First:Last!A1)", "X").text == "SUM(First:Last!A1)"
    with pytest.raises(ToolInputError, match="several sheets"):
        formulas.shifted("SUM(First:Last!A5)", "X")


@pytest.mark.parametrize(
    ("shift", "text", "cells", "after", "even"),
    [
        (rows(5), "$A2>5", "B2:B10", "$A2>5", True),
        (rows(1), "A2>$D$8", "B2:B10", "A3>$D$9", True),
        (rows(2, gone=True), "$A2>$D$8", "B2:B10", "$A2>$D$7", True),
        (rows(5), "A1<>A2", "B2:B10", "A1<>A2", False),
        (columns(1), "A2=1", "B2:D9", "B2=1", True),
    ],
)
def test_the_formula_of_a_rule_stays_that_of_its_first_cell(
    shift: Shift, text: str, cells: str, after: str, even: bool
) -> None:
    from deskmate_documents.xlsx.refs import parse_areas

    found = Formulas(shift, ["S"]).anchored(text, "S", parse_areas(cells))
    assert (found.text, found.even) == (after, even)


@pytest.fixture
def busy(tmp_path: Path) -> Path:
    """A workbook that names its cells in every way that another program writes."""
    path = tmp_path / "busy.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet("S")
        other = book.add_worksheet("Other")
        bold = book.add_format({"bold": True, "num_format": "0.00"})
        sheet.write_row("A1", ["Name", "Amount", "Twice"])
        for row in range(1, 7):
            sheet.write_row(row, 0, [f"n{row}", row * 10], bold)
        sheet.add_table(
            "A1:C7",
            {
                "name": "T",
                "columns": [{"header": "Name"}, {"header": "Amount"}, {"header": "Twice", "formula": "=[@Amount]*2"}],
            },
        )  # fmt: skip
        for row in range(1, 7):
            sheet.write_formula(row, 2, "=T[[#This Row],[Amount]]*2", None, row * 20)
        sheet.write_formula("E1", "=SUM(B2:B7)", None, 210)
        sheet.write_formula("E9", "=E1*2+B4", None, 450)
        sheet.write_array_formula("G2:G3", "{=B2:B3*2}", None, 20)
        sheet.conditional_format("B2:B7", {"type": "data_bar", "data_bar_2010": True})
        sheet.conditional_format(
            "A2:A7", {"type": "formula", "criteria": "=$B2>$E$9", "format": bold}
        )
        sheet.add_sparkline("F9", {"range": "S!B2:B7"})
        sheet.data_validation("B2:B7", {"validate": "decimal", "criteria": ">", "value": "=$E$9"})
        sheet.merge_range("I5:J6", "merged")
        sheet.write_url("I9", "internal:Other!A1", string="there")
        other.write_url("A1", "internal:S!E9", string="back")
        sheet.write_comment("B5", "A remark")
        sheet.insert_textbox("L8", "Text", {"textlink": "=$E$9"})
        chart = book.add_chart({"type": "line"})
        chart.add_series({"categories": "=S!$A$2:$A$7", "values": "=S!$B$2:$B$7"})
        sheet.insert_chart("L12", chart)
        sheet.freeze_panes("B2")
        sheet.set_h_pagebreaks([5, 9])
        sheet.print_area("A1:J20")
        sheet.repeat_rows(0, 1)
        other.write_formula("B2", "=S!E9+SUM(S!B:B)+ROWS(S!B2:B7)", None, 876)
        other.autofilter("D2:F9")
        book.define_name("Total", "=S!$E$9")
    return path


def test_everything_that_names_cells_moves_with_inserted_rows(busy: Path) -> None:
    out, outcome = edited(busy, insert("S!5:6"))
    found = formulas(out)
    assert found["S!E1"] == "SUM(B2:B9)"
    assert found["S!E11"] == "E1*2+B4"
    assert found["S!G2"] == "B2:B3*2"
    assert found["Other!B2"] == "S!E11+SUM(S!B:B)+ROWS(S!B2:B9)"
    assert found["S!C5"] == found["S!C4"] == "T[[#This Row],[Amount]]*2"
    sheet = part(out, "xl/worksheets/sheet1.xml")
    for text in (
        'sqref="B2:B9"', 'sqref="A2:A9"', "$B2&gt;$E$11", "<xm:sqref>B2:B9</xm:sqref>", "<xm:f>S!B2:B9</xm:f>",
        "<xm:sqref>F11</xm:sqref>", "<formula1>$E$11</formula1>", 'mergeCell ref="I7:J8"', 'hyperlink ref="I11"',
        'brk id="7"', 'brk id="11"',
    ):  # fmt: skip
        assert text in sheet, text
    assert 'location="S!E11"' in part(out, "xl/worksheets/sheet2.xml")
    book = part(out, "xl/workbook.xml")
    assert "S!$A$1:$J$22" in book
    assert "S!$1:$2" in book
    assert ">S!$E$11<" in book
    assert 'ref="A1:C9"' in part(out, "xl/tables/table1.xml")
    assert 'ref="B7"' in part(out, "xl/comments1.xml")
    assert "<x:Row>6</x:Row>" in part(out, "xl/drawings/vmlDrawing1.vml")
    drawing = part(out, "xl/drawings/drawing1.xml")
    assert 'textlink="$E$11"' in drawing
    assert re.findall(r"<xdr:from>.*?<xdr:row>(\d+)", drawing) == ["13", "9"]
    assert "T" in {t.name for t in Workbook(out).tables}
    assert {"S!C5", "S!E1", "Other!B2"} <= set(outcome.stale)


def test_a_chart_keeps_each_point_with_its_cell(busy: Path) -> None:
    before = part(busy, "xl/charts/chart1.xml")
    out, _ = edited(busy, insert("S!5:6"))
    after = part(out, "xl/charts/chart1.xml")
    assert "S!$B$2:$B$9" in after
    assert "S!$A$2:$A$9" in after
    cache = re.search(r"<c:numCache>.*?</c:numCache>", after)
    assert cache is not None
    assert 'ptCount val="8"' in cache[0]
    points = re.findall(r'<c:pt idx="(\d)"><c:v>(\d+)', cache[0])
    assert points == [("0", "10"), ("1", "20"), ("2", "30"), ("5", "40"), ("6", "50"), ("7", "60")]
    assert 'ptCount val="6"' in before


def test_columns_come_in_with_a_header_in_a_table(busy: Path) -> None:
    out, _ = edited(busy, insert("S!B:B"))
    (table,) = Workbook(out).tables
    assert table.columns == ("Name", "Column1", "Amount", "Twice")
    assert str(table.area) == "A1:D7"
    assert loaded(out)["S"]["B1"].value == "Column1"
    assert formulas(out)["S!F9"] == "F1*2+C4"
    assert "S!$C$2:$C$7" in part(out, "xl/charts/chart1.xml")


@pytest.mark.parametrize(
    "cells", ["S!1:1", "S!5:6", "S!9:9", "S!B:C", "S!A:A", "Other!2:3", "S!K:K"]
)
def test_what_came_in_and_goes_again_leaves_no_trace(busy: Path, cells: str) -> None:
    there, outcome = edited(busy, insert(cells))
    assert counts(inventory(Package(there))).items() >= counts(inventory(Package(busy))).items()
    back = there.with_name("back.xlsx")
    edit_workbook(there, back, [delete(cells)])
    assert [c.message for c in changes(Workbook(busy), Workbook(back))] == []
    found = compare(inventory(Package(busy)), inventory(Package(back)))
    assert {f.kind for f in (*found.lost, *found.gained, *found.changed)} <= {
        "calculation settings"
    }
    assert gate(busy, there, outcome) == []


def test_edits_before_and_after_rows_come_in_are_all_declared(busy: Path) -> None:
    out, outcome = edited(
        busy,
        {"cells": "S!B7", "value": 5},
        {"cells": "Other!B9", "formula": "=S!B7"},
        insert("S!4:4"),
        {"cells": "S!B4", "value": 7},
        delete("Other!1:1"),
    )
    assert gate(busy, out, outcome) == []
    assert formulas(out)["Other!B8"] == "S!B8"
    again = out.with_name("again.xlsx")
    second = edit_workbook(out, again, [insert("S!1:2"), {"cells": "S!A1", "value": "top"}])
    both = Declared.from_json(outcome.declared.to_json()).merged(second.declared)
    merged = Outcome(declared=both, stale=(), more_stale=False, notes=())
    assert gate(busy, again, merged) == []
    forged = again.with_name("forged.xlsx")
    edit_workbook(again, forged, [{"cells": "S!B8", "value": 99}])
    assert any("S!B8 was" in message for message in gate(busy, forged, merged))


def test_values_are_the_same_after_rows_and_columns_come_in(busy: Path) -> None:
    out, _ = edited(busy, insert("S!4:6"), insert("S!B:B"))
    old, new = Workbook(busy), Workbook(out)
    spots = [(s.name, v.place) for s, v in old.formulas() if s.name == "S"]
    places = {
        spot: (spot[0], columns(2).place(rows(4, 3).place(spot[1]) or (0, 0)) or (0, 0))
        for spot in spots
    }
    first = Formualizer().compute(busy, spots)
    second = Formualizer().compute(out, list(places.values()))
    assert len(first) >= 8
    assert all(same(first[spot], second[places[spot]]) for spot in first)
    assert len(list(new.formulas())) == len(list(old.formulas())) + 3


def test_deleting_rows_shrinks_what_reads_them(busy: Path) -> None:
    out, outcome = edited(busy, delete("S!4:5"))
    found = formulas(out)
    assert found["S!E1"] == "SUM(B2:B5)"
    assert found["S!E7"] == "E1*2+#REF!"
    assert "S!E7" in outcome.stale
    assert 'ref="B5"' not in part(out, "xl/comments1.xml")
    assert any("comments" in note for note in outcome.notes)
    assert "S!$B$2:$B$5" in part(out, "xl/charts/chart1.xml")


@pytest.mark.parametrize(
    ("cells", "cause"),
    [
        ("S!3:3", "array formula"),
        ("S!B2:B3", "whole rows"),
        ("S!1:20000", "At most"),
    ],
)
def test_what_cannot_come_in_is_refused_in_one_line(busy: Path, cells: str, cause: str) -> None:
    before = busy.read_bytes()
    with pytest.raises(ToolInputError, match=cause) as caught:
        edited(busy, insert(cells))
    assert "\n" not in caught.value.message
    assert busy.read_bytes() == before


@pytest.mark.parametrize(
    ("cells", "cause"),
    [("S!1:1", "header"), ("S!A:C", "by its name"), ("S!B:B", "by its name"), ("S!3:3", "array")],
)
def test_what_cannot_go_is_refused_in_one_line(busy: Path, cells: str, cause: str) -> None:
    with pytest.raises(ToolInputError, match=cause):
        edited(busy, delete(cells))


def test_pivot_tables_move_whole_and_their_source_grows(busy: Path) -> None:
    path, _ = edited(
        busy,
        {
            "op": "pivot", "cells": "Other!H3", "source": "S!A1:B7", "rows": ["Name"],
            "values": [{"field": "Amount", "function": "sum"}], "name": "P",
        },
    )  # fmt: skip
    model = path.rename(path.with_name("pivot.xlsx"))
    with pytest.raises(ToolInputError, match="would be cut"):
        edited(model, insert("Other!5:5"))
    with pytest.raises(ToolInputError, match="columns and headers"):
        edited(model, insert("S!B:B"))
    out, outcome = edited(model, insert("Other!1:2"), insert("S!6:6"))
    (pivot,) = [
        n
        for n in zipfile.ZipFile(out).namelist()
        if "pivotTables/pivotTable" in n and "_rels" not in n
    ]
    assert re.search(r'<location[^>]* ref="H5:', part(out, pivot))
    (cache,) = [
        n
        for n in zipfile.ZipFile(out).namelist()
        if "pivotCacheDefinition" in n and "_rels" not in n
    ]
    assert 'ref="A1:B8"' in part(out, cache)
    assert any("refresh" in note for note in outcome.notes)
    assert gate(model, out, outcome) == []


def test_shared_formulas_stay_shared_where_they_say_the_same_and_are_written_out_where_not(
    tmp_path: Path,
) -> None:
    path = tmp_path / "shared.xlsx"
    book = NewWorkbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "S"
    for row in range(1, 8):
        sheet.cell(row, 1, row)
        sheet.cell(row, 2, f"=A{row}*2")
        sheet.cell(row, 3, f"=A{row + 1}*2")
    book.save(path)
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    text = files["xl/worksheets/sheet1.xml"].decode()
    for column, index in (("B", 0), ("C", 1)):
        for row in range(1, 8):
            first = f't="shared" ref="{column}1:{column}7" si="{index}"'
            read = f"A{row + index}*2"
            made = f"<f {first}>{read}</f>" if row == 1 else f'<f t="shared" si="{index}"/>'
            text = text.replace(
                f'<c r="{column}{row}"><f>{read}</f>', f'<c r="{column}{row}">{made}', 1
            )
    assert text.count('t="shared"') == 14
    files["xl/worksheets/sheet1.xml"] = text.encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    out, _ = edited(path, insert("S!4:4"))
    found = formulas(out)
    assert [found[f"S!B{n}"] for n in (1, 3, 5, 8)] == ["A1*2", "A3*2", "A5*2", "A8*2"]
    assert [found[f"S!C{n}"] for n in (1, 2, 3, 5, 8)] == ["A2*2", "A3*2", "A5*2", "A6*2", "A9*2"]
    assert part(out, "xl/worksheets/sheet1.xml").count('t="shared"') == 7


def test_new_rows_look_as_the_one_above_and_frozen_rows_stay_frozen(busy: Path) -> None:
    out, _ = edited(busy, insert("S!5:5"), insert("S!1:1"))
    sheet = loaded(out)["S"]
    assert sheet["A6"].font.bold
    assert sheet["A6"].value is None
    assert sheet["B6"].number_format == "0.00"
    assert sheet.freeze_panes == "B3"


def test_a_protected_sheet_asks_first(tmp_path: Path) -> None:
    path = tmp_path / "p.xlsx"
    book = NewWorkbook()
    sheet = book.active
    assert sheet is not None
    sheet["A1"] = 1
    sheet["A2"] = ArrayFormula("A2", "=SUM(A1:A1)")
    sheet.protection.sheet = True
    book.save(path)
    with pytest.raises(ToolInputError, match="protected"):
        edited(path, insert("Sheet!1:1"))
    out, _ = edited(path, insert("Sheet!1:1"), allow_protected=True)
    assert formulas(out) == {"Sheet!A3": "SUM(A2:A2)"}


def test_references_are_those_that_another_tokenizer_finds() -> None:
    from openpyxl.formula import Tokenizer

    for text in (
        "SUM(A1:B2,'My sheet'!$C$3)*Rate", "IF(A1>0,\"A1:B2\",Sheet1!A:A)", "T[[#This Row],[a]]+[1]X!A1",
        "SUM(A1:B2 B1:B9)", "SUM(Jan:Dec!A1)", "{1,2;3,4}*A1%",
    ):  # fmt: skip
        theirs = [
            t.value
            for t in Tokenizer(f"={text}").items
            if (t.type, t.subtype) == ("OPERAND", "RANGE")
        ]
        ours = [t.text for t in tokens(text) if t.kind in ("ref", "name", "table")]
        assert "".join(theirs).replace(":", "") == "".join(ours).replace(":", ""), text


class Second:
    """A second engine; here the same one under another name, since agreement is not what is tried."""

    name = "second"

    def compute(self, file: Path, wanted: Any) -> Any:
        return Formualizer().compute(file, wanted)


def test_results_are_settled_after_rows_came_in_and_the_gate_agrees(tmp_path: Path) -> None:
    plain = tmp_path / "plain.xlsx"
    with xlsxwriter.Workbook(plain) as book:
        sheet = book.add_worksheet("S")
        for row in range(1, 7):
            sheet.write_number(row, 1, row * 10)
            sheet.write_formula(row, 2, f"=B{row + 1}*2", None, row * 20)
        sheet.write_formula("E1", "=SUM(B2:B7)", None, 210)
        sheet.write_formula("E9", "=ROWS(B2:B7)", None, 6)
    workspace = tmp_path / "w"
    (workspace / "c").mkdir(parents=True)
    (tmp_path / "h").mkdir()
    context = ToolContext(workspace=workspace, home=tmp_path / "h", resources=tmp_path)
    (workspace / "c/m.xlsx").write_bytes(plain.read_bytes())
    edits = [
        {"op": "sheet", "name": "New", "before": "S"},
        insert("S!5:6"),
        {"cells": "S!B5", "values": [[1000], [2000]]},
        {"cells": "New!A1", "formula": "=S!E1"},
    ]
    sheet_edit("c/m.xlsx", edits, context)
    sheet_edit("c/m.xlsx", [insert("S!1:1")], context)
    answer = recalculated("c/m.xlsx", context, "", (Formualizer(), Second()))
    changed = {entry["cell"]: entry["now"] for entry in answer.result["changed"]}
    assert changed["S!E2"] == changed["New!A1"] == "3210"
    assert changed["S!E12"] == "8"
    assert {cell.partition("!")[0] for cell in changed} == {"S", "New"}
    assert len(changed) == 3
    assert answer.result["unsettled_count"] == 0
    (deliverable,) = answer.deliverables
    held = Sources({"c/m.xlsx": plain}, {})
    result = ValidationContext(file=workspace / "c/m.xlsx", sources=held)
    assert list(check_workbook(deliverable, result)) == []
    assert list(check_package(deliverable, result)) == []
    lie = workspace / "c/m.xlsx"
    edit_workbook(lie, lie, [{"cells": "S!B9", "value": 1}])
    assert list(check_workbook(deliverable, result)) != []
