"""Workbooks are edited by patching: what no edit names stays, byte for byte."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook as NewWorkbook
from openpyxl import load_workbook
from openpyxl.worksheet.table import Table, TableColumn
from tests.unit.documents.schemas import schema_errors

from deskmate.errors import ToolInputError
from deskmate_documents.office.package_gate import problems
from deskmate_documents.xlsx.book import Workbook
from deskmate_documents.xlsx.edit import Outcome, edit_workbook

Patch = Callable[[Path, str, Callable[[str], str]], Path]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A small model: inputs, formulas on two sheets, a table, a name, a merged cell."""
    book = NewWorkbook()
    sheet = book.active
    sheet.title = "Model"
    for row in (
        ["Item", "Units", "Price", "Total"],
        ["A", 2, 10.5, "=B2*C2"],
        ["B", 3, 20, "=B3*C3"],
    ):
        sheet.append(row)
    sheet["A5"] = "Sum"
    sheet["D5"] = "=SUM(D2:D3)"
    sheet.merge_cells("F1:G2")
    sheet["F1"] = "Note"
    other = book.create_sheet("P&L '25")
    other["A1"] = "=Model!D5*2"
    data = book.create_sheet("Data")
    for row in (["Name", "Amount", "Double"], ["x", 1, "=B2*2"], ["y", 2, "=B3*2"]):
        data.append(row)
    table = Table(displayName="Sales", ref="A1:C3")
    table._initialise_columns()
    for column, name in zip(table.tableColumns, ("Name", "Amount", "Double"), strict=True):
        assert isinstance(column, TableColumn)
        column.name = name
    data.add_table(table)
    path = tmp_path / "model.xlsx"
    book.save(path)
    return path


@pytest.fixture
def patch(tmp_path: Path) -> Patch:
    """Return a function that rewrites one part of a package as text."""

    def rewrite(path: Path, part: str, change: Callable[[str], str]) -> Path:
        target = tmp_path / f"patched-{path.name}"
        with zipfile.ZipFile(path) as old, zipfile.ZipFile(target, "w") as new:
            for name in old.namelist():
                data = old.read(name)
                new.writestr(name, change(data.decode()).encode() if name == part else data)
        return target

    return rewrite


def edited(path: Path, *edits: dict[str, Any], **options: Any) -> tuple[Path, Outcome]:
    target = path.with_name("out.xlsx")
    outcome = edit_workbook(path, target, edits, **options)
    assert list(problems(target)) == []
    assert schema_errors(target, path) == []
    return target, outcome


def parts(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_a_value_changes_its_row_only_and_names_what_is_old_now(model: Path) -> None:
    target, outcome = edited(model, {"cells": "Model!B2", "value": 5})
    before, after = parts(model), parts(target)
    assert {n for n in before if before[n] != after[n]} == {
        "xl/workbook.xml",
        "xl/worksheets/sheet1.xml",
    }
    rows = [
        re.findall(rb"<row.*?</row>", data["xl/worksheets/sheet1.xml"]) for data in (before, after)
    ]
    assert rows[0][1] != rows[1][1]
    assert [row for n, row in enumerate(rows[0]) if n != 1] == [
        row for n, row in enumerate(rows[1]) if n != 1
    ]
    assert outcome.stale == ("Model!D2", "Model!D5", "P&L '25!A1")
    assert load_workbook(target)["Model"]["B2"].value == 5
    assert b'fullCalcOnLoad="1"' in after["xl/workbook.xml"]


def test_what_no_formula_reads_touches_the_sheet_alone(model: Path) -> None:
    target, outcome = edited(
        model, {"cells": "Model!K9", "value": "=not a formula", "as_text": True}
    )
    before, after = parts(model), parts(target)
    assert [n for n in before if before[n] != after[n]] == ["xl/worksheets/sheet1.xml"]
    assert outcome.stale == ()
    assert load_workbook(target)["Model"].dimensions == "A1:K9"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.035, 0.035), (-7, -7), (True, True), ("plain", "plain"), (" spaced \n text", " spaced \n text"),
        ("a<b>&\"c\"", 'a<b>&"c"'), ("#N/A", "#N/A"), (None, None), ("Ünïcödé 😀", "Ünïcödé 😀"),
    ],
)  # fmt: skip
def test_values_of_every_kind_are_read_back_by_another_reader(
    model: Path, value: Any, shown: Any
) -> None:
    target, _ = edited(model, {"cells": "Model!B3", "value": value})
    assert load_workbook(target)["Model"]["B3"].value == shown


def test_text_that_xml_cannot_hold_comes_back_as_it_was(model: Path) -> None:
    text = "bell\x07 and _x0041_ and \r"
    target, _ = edited(model, {"cells": "Model!B3", "value": text})
    book = Workbook(target)
    values = {v.place: v.text for v in book.values(book.sheet("Model"))}
    assert values[3, 2] == text


def test_a_date_is_stored_as_the_number_that_it_is(model: Path) -> None:
    edit = {"cells": "Model!K1", "value": {"date": "2026-03-31"}, "number_format": "yyyy-mm-dd"}
    target, _ = edited(model, edit)
    found = load_workbook(target)["Model"]["K1"]
    assert (found.value.date().isoformat(), found.number_format) == ("2026-03-31", "yyyy-mm-dd")


def test_a_formula_is_moved_along_its_cells_and_prefixed(model: Path) -> None:
    formula = '=IFS($B2>1,XLOOKUP(B2,B:B,C$2:C$3))&"ROUND(B2)"'
    target, outcome = edited(model, {"cells": "Model!H2:H3", "formula": formula})
    sheet = load_workbook(target)["Model"]
    assert sheet["H3"].value == ('=_xlfn.IFS($B3>1,_xlfn.XLOOKUP(B3,B:B,C$2:C$3))&"ROUND(B2)"')
    assert {"Model!H2", "Model!H3"} <= set(outcome.stale)


@pytest.mark.parametrize(
    ("edit", "cause"),
    [
        ({"cells": "Nope!A1", "value": 1}, "has no sheet 'Nope'; it has Model"),
        ({"cells": "Model!A0", "value": 1}, "outside a sheet"),
        ({"cells": "Model!ZZZ1", "value": 1}, "outside a sheet"),
        ({"cells": "B2", "value": 1}, "does not say which sheet"),
        ({"cells": "Model!B2"}, "one of value, values and formula"),
        ({"cells": "Model!B2", "value": "=B3"}, "as formula, not as value"),
        ({"cells": "Model!B2", "formula": "=B3+(1"}, "do not match"),
        ({"cells": "Model!B2", "formula": '="open'}, "do not match"),
        ({"cells": "Model!B2", "formula": "=Gone!A1"}, "'Gone', which is not there"),
        ({"cells": "Model!B2", "formula": "=SUM(B1:B9)"}, "refer to itself"),
        ({"cells": "Model!B2", "formula": "=UNIQUE(A1:A3)"}, "fills several cells"),
        ({"cells": "Model!B2", "value": float("nan")}, "not a number that a cell can hold"),
        ({"cells": "Model!B2", "value": "x" * 40_000}, "at most 32767"),
        ({"cells": "Model!B2", "value": [1]}, "is no value"),
        ({"cells": "Model!G2", "value": 1}, "covered by the merged cell F1:G2; edit F1"),
        ({"cells": "Model!A1:Z9999", "value": 1}, "at most 50000"),
        ({"op": "explode"}, "op is one of set"),
        ({"op": "style", "cells": "Model!A1", "color": "red"}, "is not a colour"),
        ({"op": "name", "name": "A1", "refers_to": "=Model!A1"}, "cannot be a name"),
        ({"op": "name", "name": "gone", "refers_to": None}, "no name gone"),
        ({"op": "append", "table": "Nope", "rows": [[1]]}, "no table 'Nope'; tables: Sales"),
        ({"op": "append", "table": "Sales", "rows": [["z", 1]]}, "has 3 values"),
        ({"op": "append", "table": "Sales", "rows": [{"Nme": 1}]}, "no column 'Nme'"),
        ({"cells": "Data!B1", "value": 5}, "must hold a text"),
        ({"cells": "Data!B1", "value": "name"}, "has a column 'name' already"),
        ({"cells": "Data!B1", "formula": "=A2"}, "header of a table"),
        ({"op": "rule", "cells": "Model!B2", "rule": {"type": "magic"}}, "type is cellIs"),
        ({"op": "rule_remove", "sheet": "Model", "number": 1}, "has 0 conditional formats"),
        ({"op": "validation_remove", "cells": "Model!B2"}, "has no validation"),
        ({"op": "style", "cells": "Model!A1", "bold": True, "cells2": {}, "fill": None}, "is not a colour"),
    ],
)  # fmt: skip
def test_an_impossible_edit_is_named_and_nothing_is_written(
    model: Path, edit: dict[str, Any], cause: str
) -> None:
    good = {"cells": "Model!B3", "value": 9}
    with pytest.raises(ToolInputError, match=re.escape(cause)) as caught:
        edited(model, good, edit)
    assert caught.value.message.startswith("Edit 2")
    assert "\n" not in caught.value.message
    assert not model.with_name("out.xlsx").exists()


SHARED = (
    '<row r="7"><c r="A7"><f t="shared" ref="A7:A9" si="0">B7+$C$1</f><v>1</v></c></row>'
    '<row r="8"><c r="A8"><f t="shared" si="0"/><v>2</v></c></row>'
    '<row r="9"><c r="A9"><f t="shared" si="0"/><v>3</v></c></row></sheetData>'
)


def test_taking_the_first_cell_of_a_shared_formula_writes_the_others_out(
    model: Path, patch: Patch
) -> None:
    shared = patch(model, "xl/worksheets/sheet1.xml", lambda t: t.replace("</sheetData>", SHARED))
    target, _ = edited(shared, {"cells": "Model!A7", "value": 1})
    sheet = load_workbook(target)["Model"]
    assert [sheet[c].value for c in ("A7", "A8", "A9")] == [1, "=B8+$C$1", "=B9+$C$1"]
    target, _ = edited(shared, {"cells": "Model!A8", "value": 1})
    assert b't="shared" ref="A7:A9"' in parts(target)["xl/worksheets/sheet1.xml"]


ARRAY = '<row r="7"><c r="A7"><f t="array" ref="A7:A8">B2:B3*2</f><v>4</v></c></row></sheetData>'


def test_part_of_an_array_formula_cannot_be_edited(model: Path, patch: Patch) -> None:
    array = patch(model, "xl/worksheets/sheet1.xml", lambda t: t.replace("</sheetData>", ARRAY))
    for cell in ("A7", "A8"):
        with pytest.raises(ToolInputError, match="array formula or data table A7:A8"):
            edited(array, {"cells": f"Model!{cell}", "value": 1})


def with_chain(path: Path, chain: str) -> Path:
    target = path.with_name(f"chain-{path.name}")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            text = old.read(name).decode()
            if name == "[Content_Types].xml":
                kind = "application/vnd.openxmlformats-officedocument.spreadsheetml.calcChain+xml"
                text = text.replace(
                    "</Types>",
                    f'<Override PartName="/xl/calcChain.xml" ContentType="{kind}"/></Types>',
                )
            if name == "xl/_rels/workbook.xml.rels":
                kind = (
                    "http://schemas.openxmlformats.org/officeDocument/2006/relationships/calcChain"
                )
                text = text.replace(
                    "</Relationships>",
                    f'<Relationship Id="rIdC" Type="{kind}" Target="calcChain.xml"/></Relationships>',
                )
            new.writestr(name, text)
        main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
        new.writestr("xl/calcChain.xml", f'<calcChain xmlns="{main}">{chain}</calcChain>')
    return target


def test_a_cell_that_loses_its_formula_leaves_the_calculation_chain(model: Path) -> None:
    chained = with_chain(model, '<c r="D2" i="1"/><c r="D3"/><c r="A1" i="2"/>')
    target, _ = edited(chained, {"cells": "Model!D2", "value": 1})
    assert re.findall(rb"<c [^>]*/>", parts(target)["xl/calcChain.xml"]) == [
        b'<c r="D3" i="1"/>',
        b'<c r="A1" i="2"/>',
    ]
    target, _ = edited(chained, {"cells": "Model!D2", "formula": "=1+B2"})
    assert parts(target)["xl/calcChain.xml"] == parts(chained)["xl/calcChain.xml"]


def test_an_empty_calculation_chain_goes_with_all_that_names_it(model: Path) -> None:
    target, _ = edited(with_chain(model, '<c r="D2" i="1"/>'), {"op": "clear", "cells": "Model!D2"})
    after = parts(target)
    assert "xl/calcChain.xml" not in after
    assert b"calcChain" not in after["[Content_Types].xml"] + after["xl/_rels/workbook.xml.rels"]


def test_a_table_grows_with_its_computed_column_its_rules_and_validations(
    model: Path, patch: Patch
) -> None:
    computed = '<tableColumn id="3" name="Double"><calculatedColumnFormula>B2*2</calculatedColumnFormula></tableColumn>'
    ready = patch(
        model, "xl/tables/table1.xml", lambda t: re.sub(r'<tableColumn id="3"[^>]*/>', computed, t)
    )
    rule = {
        "type": "cellIs",
        "operator": "lessThan",
        "formulas": ["0"],
        "format": {"color": "C00000"},
    }
    check = {"type": "decimal", "operator": "greaterThan", "formulas": ["0"]}
    first, _ = edited(
        ready,
        {"op": "rule", "cells": "Data!B2:B3", "rule": rule},
        {"op": "validation", "cells": "Data!B2:B3", "validation": check},
    )
    first = first.rename(first.with_name("first.xlsx"))
    target, outcome = edited(
        first, {"op": "append", "table": "sales", "rows": [["z", 9, None], {"name": "w"}]}
    )
    sheet = load_workbook(target)["Data"]
    assert sheet.tables["Sales"].ref == "A1:C5"
    assert [c.value for c in sheet[4]] == ["z", 9, "=B2*2"]
    assert sheet["A5"].value == "w"
    assert [str(area.sqref) for area in sheet.conditional_formatting] == ["B2:B5"]
    assert str(sheet.data_validations.dataValidation[0].sqref) == "B2:B5"
    assert outcome.declared.tables == ["Sales"]
    with pytest.raises(ToolInputError, match="are in use"):
        edited(
            model,
            {"cells": "Data!A4", "value": 1},
            {"op": "append", "table": "Sales", "rows": [["z", 1, 2]]},
        )


def test_a_table_header_renames_its_column_unless_formulas_use_it(model: Path) -> None:
    target, _ = edited(model, {"cells": "Data!B1", "value": "Net amount"})
    assert load_workbook(target)["Data"].tables["Sales"].column_names[1] == "Net amount"
    used, _ = edited(model, {"cells": "Model!K1", "formula": "=SUM(Sales[Amount])"})
    with pytest.raises(ToolInputError, match="Model!K1 use the column 'Amount'"):
        edited(used, {"cells": "Data!B1", "value": "Net"})


def test_locked_cells_of_a_protected_sheet_need_the_users_word(tmp_path: Path) -> None:
    book = NewWorkbook()
    book.active["A1"] = 1
    book.active.protection.sheet = True
    book.save(tmp_path / "p.xlsx")
    with pytest.raises(ToolInputError, match="locked on a protected sheet"):
        edited(tmp_path / "p.xlsx", {"cells": "Sheet!A1", "value": 2})
    target, _ = edited(tmp_path / "p.xlsx", {"cells": "Sheet!A1", "value": 2}, allow_protected=True)
    assert load_workbook(target)["Sheet"].protection.sheet


def test_names_are_added_changed_and_deleted(model: Path) -> None:
    add = {"op": "name", "name": "Rate", "refers_to": "=Model!$C$2"}
    target, outcome = edited(model, add, {"op": "name", "name": "Rate", "refers_to": "=Model!$C$3"})
    assert load_workbook(target).defined_names["Rate"].value == "Model!$C$3"
    assert outcome.declared.names == ["Rate", "Rate"]
    target = target.rename(target.with_name("named.xlsx"))
    target, _ = edited(target, {"op": "name", "name": "rate", "refers_to": None})
    assert "Rate" not in load_workbook(target).defined_names


def test_a_style_is_derived_and_what_the_cell_had_stays(model: Path) -> None:
    first, _ = edited(
        model, {"op": "style", "cells": "Model!C2", "number_format": "0.0%", "fill": "#FFFF00"}
    )
    first = first.rename(first.with_name("first.xlsx"))
    target, _ = edited(first, {"op": "style", "cells": "Model!C2", "bold": True, "color": "C00000"})
    cell = load_workbook(target)["Model"]["C2"]
    assert (cell.value, cell.number_format, cell.font.b, cell.font.color.rgb) == (
        10.5,
        "0.0%",
        True,
        "FFC00000",
    )
    assert cell.fill.fgColor.rgb == "FFFFFF00"


def test_other_prefixes_encodings_and_missing_names_of_cells_are_read(
    model: Path, patch: Patch
) -> None:
    def prefixed(text: str) -> str:
        text = re.sub(r"<(/?)([a-zA-Z])", r"<\1x:\2", text.partition("?>")[2] or text)
        return text.replace('xmlns="', 'xmlns:x="').replace('r="B2"', "").replace('r="C2"', "")

    odd = patch(model, "xl/worksheets/sheet1.xml", prefixed)
    target, _ = edited(
        odd, {"cells": "Model!C2", "value": 4}, {"cells": "Model!C9", "value": "new"}
    )
    sheet = load_workbook(target)["Model"]
    assert [sheet[c].value for c in ("A2", "B2", "C2", "D2", "C9")] == ["A", 2, 4, "=B2*C2", "new"]
