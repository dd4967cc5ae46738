"""Conditional formats and validations of every kind, as another reader sees them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import xlsxwriter
from openpyxl import Workbook as NewWorkbook
from openpyxl import load_workbook

from deskmate.errors import ToolInputError
from deskmate_documents.xlsx.book import Workbook
from deskmate_documents.xlsx.edit import edit_workbook
from deskmate_documents.xlsx.rules import rules, validations

RULES: list[dict[str, Any]] = [
    {"type": "cellIs", "operator": "between", "formulas": ["1", "=$B$1"], "format": {"fill": "FFC7CE"}},
    {"type": "expression", "formulas": ["=MOD(ROW(),2)=0"], "format": {"bold": True}, "stop": True},
    {"type": "colorScale", "colors": ["F8696B", "63BE7B"]},
    {"type": "colorScale", "colors": ["F8696B", "FFEB84", "63BE7B"]},
    {"type": "dataBar", "colors": ["638EC6"]},
    {"type": "iconSet", "icons": "4Arrows", "reverse": True, "icons_only": True},
    {"type": "top10", "rank": 3, "percent": True, "bottom": True, "format": {"color": "9C0006"}},
    {"type": "aboveAverage", "below": True, "format": {"italic": True}},
    {"type": "duplicateValues", "format": {"number_format": "0.0"}},
    {"type": "uniqueValues", "format": {"fill": "FFC7CE"}},
    {"type": "containsText", "text": 'a"b', "format": {"fill": "FFC7CE"}},
    {"type": "notContainsText", "text": "x", "format": {"fill": "FFC7CE"}},
    {"type": "beginsWith", "text": "x", "format": {"fill": "FFC7CE"}},
    {"type": "endsWith", "text": "x", "format": {"fill": "FFC7CE"}},
    {"type": "containsBlanks", "format": {"fill": "FFC7CE"}},
    {"type": "notContainsErrors", "format": {"fill": "FFC7CE"}},
    {"type": "timePeriod", "period": "lastMonth", "format": {"fill": "FFC7CE"}},
]  # fmt: skip


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    book = NewWorkbook()
    for n in range(1, 6):
        book.active.append([n, n * 10])
    book.save(tmp_path / "a.xlsx")
    return tmp_path / "a.xlsx"


def frame_rules(path: Path) -> list[tuple[str, str, tuple[str, ...]]]:
    book = Workbook(path)
    return [(r.cells, r.kind, r.formulas) for r in rules(book.part(book.sheets[0]).skeleton())]


def test_every_kind_of_rule_is_added_first_and_read_by_another_reader(plain: Path) -> None:
    out = plain.with_name("out.xlsx")
    edit_workbook(
        plain, out, [{"op": "rule", "cells": "Sheet!A1:A5", "rule": rule} for rule in RULES]
    )
    (found,) = load_workbook(out)["Sheet"].conditional_formatting
    by_priority = sorted(found.rules, key=lambda rule: rule.priority)
    assert [rule.type for rule in by_priority] == [str(rule["type"]) for rule in reversed(RULES)]
    assert [rule.priority for rule in by_priority] == list(range(1, len(RULES) + 1))
    between = by_priority[-1]
    assert (between.formula, between.dxf.fill.bgColor.rgb) == (["1", "$B$1"], "FFFFC7CE")
    assert by_priority[-2].stopIfTrue
    contains = next(rule for rule in by_priority if rule.type == "containsText")
    assert contains.formula == ['NOT(ISERROR(SEARCH("a""b",A1)))']


def test_a_threshold_operator_colour_and_range_are_changed_in_place(plain: Path) -> None:
    first, out = plain.with_name("first.xlsx"), plain.with_name("out.xlsx")
    greater = {
        "type": "cellIs",
        "operator": "greaterThan",
        "formulas": ["100"],
        "format": {"bold": True},
    }
    scale = {"type": "colorScale", "colors": ["F8696B", "63BE7B"]}
    edits = [{"op": "rule", "cells": "Sheet!A1:A5", "rule": rule} for rule in (greater, scale)]
    edit_workbook(plain, first, edits)
    known = frame_rules(first)
    number = next(n for n, rule in enumerate(known, 1) if rule[1] == "cellIs")
    change = {
        "formulas": ["250"],
        "operator": "lessThan",
        "cells": "A1:B5",
        "format": {"fill": "FFC7CE"},
    }
    edit_workbook(
        first, out,
        [{"op": "rule_change", "sheet": "Sheet", "number": number, "rule": change},
         {"op": "rule_change", "sheet": "Sheet", "number": 3 - number, "rule": {"colors": ["000000", "FFFFFF"]}}],
    )  # fmt: skip
    assert sorted(frame_rules(out)) == [
        ("A1:A5", "colorScale", ("min", "max")),
        ("A1:B5", "cellIs", ("250",)),
    ]
    edit_workbook(out, first, [{"op": "rule_remove", "sheet": "Sheet", "number": 1}])
    assert len(frame_rules(first)) == 1


def test_a_newer_data_bar_is_removed_with_its_twin_and_sparklines_stay(tmp_path: Path) -> None:
    source, out = tmp_path / "x.xlsx", tmp_path / "out.xlsx"
    with xlsxwriter.Workbook(source) as book:
        sheet = book.add_worksheet("S")
        sheet.write_column("A1", [1, 2, 3])
        sheet.conditional_format("A1:A3", {"type": "data_bar", "data_bar_2010": True})
        sheet.add_sparkline("C1", {"range": "S!A1:A3"})
    assert [kind for _, kind, _ in frame_rules(source)] == ["dataBar", "dataBar"]
    edit_workbook(source, out, [{"op": "rule_remove", "sheet": "S", "number": 1}])
    assert frame_rules(out) == []
    book = Workbook(out)
    frame = book.part(book.sheets[0]).skeleton()
    assert [n for n in frame.iter() if str(n.tag).endswith("}sparkline")]


def test_validations_are_added_refused_twice_and_removed_whole(plain: Path) -> None:
    first, out = plain.with_name("first.xlsx"), plain.with_name("out.xlsx")
    wanted = {"type": "list", "formulas": ['"yes,no"'], "error": "Pick one"}
    edit = {"op": "validation", "cells": "Sheet!C1:C5", "validation": wanted}
    edit_workbook(plain, first, [edit])
    (found,) = load_workbook(first)["Sheet"].data_validations.dataValidation
    assert (found.type, found.formula1, str(found.sqref), found.error) == (
        "list",
        '"yes,no"',
        "C1:C5",
        "Pick one",
    )
    with pytest.raises(ToolInputError, match="has a validation already"):
        edit_workbook(first, out, [edit])
    with pytest.raises(ToolInputError, match="reaches beyond"):
        edit_workbook(first, out, [{"op": "validation_remove", "cells": "Sheet!C1"}])
    edit_workbook(first, out, [{"op": "validation_remove", "cells": "Sheet!C1:C9"}])
    book = Workbook(out)
    assert list(validations(book.part(book.sheets[0]).skeleton())) == []


@pytest.mark.parametrize(
    ("rule", "cause"),
    [
        ({"type": "cellIs", "operator": "between", "formulas": ["1"]}, "two for between"),
        ({"type": "colorScale", "colors": ["FFFFFF"]}, "two or three"),
        ({"type": "iconSet", "icons": "9Stars"}, "icons is one of"),
        ({"type": "top10", "rank": 0}, "1 to 1000"),
        ({"type": "timePeriod", "period": "soon"}, "period is one of"),
        (
            {"type": "dataBar", "colors": ["FFFFFF"], "points": ["min", {"type": "num"}]},
            "A point is",
        ),
        ({"type": "containsText", "text": ""}, "needs text"),
        ({"type": "expression", "formulas": ["TRUE"], "format": {"blink": True}}, "format takes"),
    ],
)
def test_rules_that_cannot_be_are_named(plain: Path, rule: dict[str, Any], cause: str) -> None:
    with pytest.raises(ToolInputError, match=cause):
        edit_workbook(plain, plain, [{"op": "rule", "cells": "Sheet!A1:A5", "rule": rule}])
