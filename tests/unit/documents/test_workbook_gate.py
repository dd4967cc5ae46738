"""G-DIFF for workbooks: what an edit did not declare is found, what it declared passes."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter
from openpyxl import load_workbook

from deskmate.plugin import Deliverable, Finding, Sources, ToolContext, ValidationContext
from deskmate_documents.office.difference_gate import check_difference
from deskmate_documents.office.sheet_tools import sheet_edit

Change = Callable[[str], str]


@pytest.fixture
def context(tmp_path: Path) -> ToolContext:
    (tmp_path / "w/c").mkdir(parents=True)
    (tmp_path / "h").mkdir()
    return ToolContext(workspace=tmp_path / "w", home=tmp_path / "h", resources=tmp_path)


@pytest.fixture
def busy(context: ToolContext, tmp_path: Path) -> Path:
    """A workbook with a chart, sparkline, newer data bar, table, link, text box, validation; and its original."""
    path = context.workspace / "c/busy.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet("S")
        sheet.write_row("A1", ["Name", "Amount"])
        for row in range(1, 5):
            sheet.write_row(row, 0, [f"n{row}", row * 10])
        sheet.add_table(
            "A1:B5", {"name": "T", "columns": [{"header": "Name"}, {"header": "Amount"}]}
        )
        sheet.write_formula("D1", "=SUM(B2:B5)", None, 100)
        sheet.write_formula("D2", "=D1*2", None, 200)
        sheet.write_formula("D3", "=1+1", None, 2)
        sheet.conditional_format("B2:B5", {"type": "data_bar", "data_bar_2010": True})
        sheet.add_sparkline("F1", {"range": "S!B2:B5"})
        sheet.data_validation("B2:B5", {"validate": "decimal", "criteria": ">", "value": 0})
        sheet.write_url("G1", "https://example.test/a", string="link")
        sheet.insert_textbox("H5", "A note")
        chart = book.add_chart({"type": "line"})
        chart.add_series({"values": "=S!$B$2:$B$5"})
        sheet.insert_chart("H20", chart)
        book.add_worksheet("Second").write("A1", 1)
        book.define_name("Rate", "=S!$D$1")
    (tmp_path / "original.xlsx").write_bytes(path.read_bytes())
    return path


def gate(context: ToolContext, deliverable: Deliverable, original: Path | None) -> list[Finding]:
    held = {"c/busy.xlsx": original} if original else {}
    file = context.workspace / deliverable.path
    return list(
        check_difference(deliverable, ValidationContext(file=file, sources=Sources(held, {})))
    )


def edit(context: ToolContext, *edits: dict[str, Any], path: str = "c/busy.xlsx") -> Deliverable:
    (deliverable,) = sheet_edit(path, list(edits), context, target="c/out.xlsx").deliverables
    return deliverable


def forge(path: Path, part: str, change: Change) -> None:
    with zipfile.ZipFile(path) as old:
        files = {name: old.read(name) for name in old.namelist()}
    before = files[part]
    files[part] = change(before.decode()).encode()
    assert files[part] != before
    with zipfile.ZipFile(path, "w") as new:
        for name, data in files.items():
            new.writestr(name, data)


def errors(findings: list[Finding]) -> list[str]:
    return [finding.message for finding in findings if finding.level == "error"]


EDITS: list[list[dict[str, Any]]] = [
    [{"cells": "S!B2", "value": 77}],
    [{"cells": "S!D3", "formula": "=D1+1", "number_format": "0.0"}],
    [{"op": "clear", "cells": "S!D2"}],
    [{"op": "append", "table": "T", "rows": [["new", 5]]}],
    [{"op": "name", "name": "Other", "refers_to": "=S!$B$2"}],
    [
        {
            "op": "rule",
            "cells": "S!D1:D3",
            "rule": {"type": "uniqueValues", "format": {"bold": True}},
        }
    ],
    [{"op": "rule_remove", "sheet": "S", "number": 1}],
    [{"op": "validation_remove", "cells": "S!B2:B5"}],
    [{"cells": "S!A1", "value": "Title"}],
    [{"op": "style", "cells": "S!K1:L2", "fill": "FFFF00"}],
]


@pytest.mark.parametrize("edits", EDITS, ids=str)
def test_what_was_declared_passes(
    busy: Path, context: ToolContext, tmp_path: Path, edits: list[dict[str, Any]]
) -> None:
    deliverable = edit(context, *edits)
    assert gate(context, deliverable, tmp_path / "original.xlsx") == []


FORGERIES: dict[str, tuple[str, Change]] = {
    "value": ("xl/worksheets/sheet1.xml", lambda t: t.replace("<v>30</v>", "<v>31</v>")),
    "formula": ("xl/worksheets/sheet1.xml", lambda t: t.replace("<f>D1*2</f>", "<f>D1*3</f>")),
    "result out of reach": ("xl/worksheets/sheet1.xml", lambda t: t.replace("<f>1+1</f><v>2<", "<f>1+1</f><v>3<")),
    "other sheet": ("xl/worksheets/sheet2.xml", lambda t: t.replace("<v>1</v>", "<v>2</v>")),
    "cell gone": ("xl/worksheets/sheet2.xml", lambda t: re.sub(r"<row.*</row>", "", t)),
    "style": ("xl/worksheets/sheet1.xml", lambda t: t.replace('<c r="B3">', '<c r="B3" s="1">')),
    "hidden row": ("xl/worksheets/sheet1.xml", lambda t: t.replace('<row r="3"', '<row r="3" hidden="1"')),
    "hidden sheet": ("xl/workbook.xml", lambda t: t.replace('name="Second"', 'name="Second" state="hidden"')),
    "renamed sheet": ("xl/workbook.xml", lambda t: t.replace('name="Second"', 'name="Third"')),
    "name": ("xl/workbook.xml", lambda t: t.replace("S!$D$1", "S!$D$2")),
    "sparkline": ("xl/worksheets/sheet1.xml", lambda t: re.sub(r"<x14:sparklineGroups.*</x14:sparklineGroups>", "", t)),
    "rule": ("xl/worksheets/sheet1.xml", lambda t: re.sub(r"<conditionalFormatting .*?</conditionalFormatting>", "", t)),
    "validation": ("xl/worksheets/sheet1.xml", lambda t: re.sub(r"<dataValidations.*</dataValidations>", "", t)),
    "link target": ("xl/worksheets/_rels/sheet1.xml.rels", lambda t: t.replace("example.test/a", "evil.test/b")),
    "chart": ("xl/charts/chart1.xml", lambda t: t.replace("$B$5", "$B$4")),
    "text box": ("xl/drawings/drawing1.xml", lambda t: t.replace("A note", "A lie")),
    "shared text": ("xl/sharedStrings.xml", lambda t: t.replace(">n3<", ">n9<")),
    "table": ("xl/tables/table1.xml", lambda t: t.replace('ref="A1:B5"', 'ref="A1:B4"')),
    "theme": ("xl/theme/theme1.xml", lambda t: t.replace("Office Theme", "Other")),
    "number format": ("xl/styles.xml", lambda t: t.replace("<cellXfs count", '<cellXfs x="1" count').replace('numFmtId="0"', 'numFmtId="9"')),
    "column width": ("xl/worksheets/sheet1.xml", lambda t: t.replace("<sheetData>", '<cols><col min="1" max="1" width="0" hidden="1"/></cols><sheetData>')),
}  # fmt: skip


@pytest.mark.parametrize("name", FORGERIES)
def test_what_was_not_declared_is_found(
    busy: Path, context: ToolContext, tmp_path: Path, name: str
) -> None:
    deliverable = edit(context, {"cells": "S!B2", "value": 77})
    part, change = FORGERIES[name]
    forge(context.workspace / "c/out.xlsx", part, change)
    found = errors(gate(context, deliverable, tmp_path / "original.xlsx"))
    assert found
    assert all(message.startswith("Not among the declared edits") for message in found)


def test_results_that_the_edit_reaches_may_be_new(
    busy: Path, context: ToolContext, tmp_path: Path
) -> None:
    deliverable = edit(context, {"cells": "S!B2", "value": 77})
    forge(
        context.workspace / "c/out.xlsx",
        "xl/worksheets/sheet1.xml",
        lambda t: t.replace("<v>200<", "<v>334<"),
    )
    assert gate(context, deliverable, tmp_path / "original.xlsx") == []


def test_edits_of_an_edited_file_add_up_to_the_original(
    busy: Path, context: ToolContext, tmp_path: Path
) -> None:
    edit(context, {"cells": "S!B2", "value": 77})
    second = edit(context, {"cells": "S!B3", "value": 78}, path="c/out.xlsx")
    assert second.sources == {"original": "c/busy.xlsx"}
    assert gate(context, second, tmp_path / "original.xlsx") == []
    assert "UNVERIFIED" in gate(context, second, None)[0].message


def test_a_file_saved_by_another_program_is_told_what_it_lost(
    busy: Path, context: ToolContext, tmp_path: Path
) -> None:
    with pytest.warns(UserWarning, match="not supported"):
        load_workbook(busy).save(context.workspace / "c/busy2.xlsx")
    (context.workspace / "c/busy.xlsx").write_bytes(
        (context.workspace / "c/busy2.xlsx").read_bytes()
    )
    found = errors(
        gate(context, Deliverable(path="c/busy.xlsx", title="x"), tmp_path / "original.xlsx")
    )
    lost = " ".join(found)
    assert "sparklines" in lost
    assert "conditional format (2010)" in lost
    assert "text box" in lost


def test_a_new_workbook_is_not_its_business_and_a_broken_one_is_an_error(
    busy: Path, context: ToolContext, tmp_path: Path
) -> None:
    new = Deliverable(path="c/busy.xlsx", title="x")
    assert gate(context, new, None) == []
    deliverable = edit(context, {"cells": "S!B2", "value": 77})
    (context.workspace / "c/out.xlsx").write_bytes(b"PK\x03\x04 broken")
    assert len(errors(gate(context, deliverable, tmp_path / "original.xlsx"))) == 1


def test_more_cells_than_an_edit_can_have_are_not_believed(
    busy: Path, context: ToolContext, tmp_path: Path
) -> None:
    edit(context, {"cells": "S!B2", "value": 77})
    data = {"declared": {"cells": {"S": ["A1:XFD1048576"]}}}
    wide = Deliverable(path="c/out.xlsx", title="x", sources={"original": "c/busy.xlsx"}, data=data)
    assert "declare more than" in errors(gate(context, wide, tmp_path / "original.xlsx"))[0]


def test_doubts_that_an_edit_brings_are_named(
    busy: Path, context: ToolContext, tmp_path: Path
) -> None:
    deliverable = edit(
        context, {"cells": "S!D3", "formula": "=D1*1.07"}, {"cells": "S!K1", "formula": "=#REF!+1"}
    )
    found = gate(context, deliverable, tmp_path / "original.xlsx")
    assert sorted((f.level, f.location) for f in found) == [("error", "S!K1"), ("warning", "S!D3")]


def test_a_new_workbook_need_not_keep_what_is_in_one_that_it_was_made_of(
    context: ToolContext, busy: Path, tmp_path: Path
) -> None:
    with xlsxwriter.Workbook(context.workspace / "c/report.xlsx") as book:
        book.add_worksheet("Findings").write("A1", "D3 holds a literal")
    original = tmp_path / "original.xlsx"
    report = Deliverable(path="c/report.xlsx", title="x", sources={"model": "c/busy.xlsx"})
    assert gate(context, report, original) == []
    copy = replace(report, sources={"original": "c/busy.xlsx"})
    assert any(item.level == "error" for item in gate(context, copy, original))
