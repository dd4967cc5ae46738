"""Conditional formats and validations of every kind, as another reader sees them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import xlsxwriter
from openpyxl import Workbook as NewWorkbook
from openpyxl import load_workbook
from tests.unit.documents.sheet_rooms import edited, gate

from deskmate.errors import ToolInputError
from deskmate_documents.xlsx.book import Workbook
from deskmate_documents.xlsx.edit import edit_workbook
from deskmate_documents.xlsx.rules import X14, rules, validations

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
    {"type": "timePeriod", "period": "nextWeek", "format": {"strike": True, "border": "9C0006"}},
    {"type": "aboveAverage", "deviations": 2, "format": {"underline": True}},
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


KINDS: list[tuple[dict[str, Any], dict[str, Any], dict[str, str], list[str]]] = [
    ({"type": "top10", "rank": 3, "percent": True}, {"rank": 5, "percent": False, "bottom": True},
     {"rank": "5", "bottom": "1"}, []),
    ({"type": "aboveAverage", "below": True}, {"deviations": 1}, {"aboveAverage": "0", "stdDev": "1"}, []),
    ({"type": "containsText", "text": "x"}, {"text": "y", "cells": "B2:B5"}, {"operator": "containsText", "text": "y"},
     ['NOT(ISERROR(SEARCH("y",B2)))']),
    ({"type": "containsErrors"}, {"cells": "B2:B5"}, {}, ["ISERROR(B2)"]),
    ({"type": "timePeriod", "period": "today"}, {"period": "thisWeek"}, {"timePeriod": "thisWeek"},
     ["AND(TODAY()-ROUNDDOWN(A1,0)<=WEEKDAY(TODAY())-1,ROUNDDOWN(A1,0)-TODAY()<=7-WEEKDAY(TODAY()))"]),
    ({"type": "cellIs", "operator": "equal", "formulas": ["1"]}, {"stop": True}, {"operator": "equal", "stopIfTrue": "1"},
     ["1"]),
]  # fmt: skip


@pytest.mark.parametrize(("made", "change", "has", "formulas"), KINDS)
def test_what_only_a_kind_has_is_changed_and_the_rest_stays(
    plain: Path,
    made: dict[str, Any],
    change: dict[str, Any],
    has: dict[str, str],
    formulas: list[str],
) -> None:
    first = plain.with_name("first.xlsx")
    rule = made | {"format": {"bold": True}}
    edit_workbook(plain, first, [{"op": "rule", "cells": "Sheet!A1:A5", "rule": rule}])
    out, _ = edited(first, {"op": "rule_change", "sheet": "Sheet", "number": 1, "rule": change})
    book = Workbook(out)
    (found,) = rules(book.part(book.sheets[0]).skeleton())
    common = {"type": made["type"], "priority": "1", "dxfId": "0"}
    assert dict(found.node.attrib) == common | has
    assert list(found.formulas) == formulas


def test_points_and_icons_of_scales_are_changed_and_the_newer_bar_goes_along(plain: Path) -> None:
    first = plain.with_name("first.xlsx")
    made = [
        {"type": "dataBar", "colors": ["638EC6"], "solid": True},
        {"type": "iconSet", "icons": "3Arrows"},
        {"type": "colorScale", "colors": ["F8696B", "63BE7B"]},
    ]
    edit_workbook(
        plain, first, [{"op": "rule", "cells": "Sheet!A1:A5", "rule": each} for each in made]
    )
    points = ["min", {"type": "num", "value": 40, "above": True}]
    steps = [{"type": "num", "value": n} for n in (0, 10, 20, 30)]
    changes = [
        {"number": 1, "rule": {"points": points}},
        {"number": 2, "rule": {"icons": "4Arrows"}},
        {"number": 2, "rule": {"points": steps, "icons_only": True}},
        {"number": 3, "rule": {"formulas": ["0", "90"], "cells": "A1:A3"}},
    ]
    out, outcome = edited(
        first, *({"op": "rule_change", "sheet": "Sheet"} | each for each in changes)
    )
    assert gate(first, out, outcome) == []
    assert sorted(frame_rules(out)) == [
        ("A1:A3", "colorScale", ("0", "90")),
        ("A1:A5", "dataBar", ("40",)),
        ("A1:A5", "dataBar", ("min", "40")),
        ("A1:A5", "iconSet", ("0", "10", "20", "30")),
    ]
    book = Workbook(out)
    twin = next(r for r in rules(book.part(book.sheets[0]).skeleton()) if r.newer)
    ends = [node.get("type") for node in twin.node.iter(f"{{{X14}}}cfvo")]
    assert ends == ["autoMin", "num"]  # the upper end is not chosen by Excel any more


def test_newer_icons_are_a_rule_of_excel_2010(plain: Path) -> None:
    stars = {"type": "iconSet", "icons": "3Stars", "reverse": True}
    single = {"type": "iconSet", "icons": ["NoIcons", "3Flags/1", "5Boxes/4"], "icons_only": True}
    out, outcome = edited(
        plain, *({"op": "rule", "cells": "Sheet!A1:A5", "rule": each} for each in (stars, single))
    )
    assert gate(plain, out, outcome) == []
    book = Workbook(out)
    first, second = rules(book.part(book.sheets[0]).skeleton())
    assert [rule.node.get("priority") for rule in (first, second)] == ["2", "1"]
    assert first.formulas == ("0", "33", "66")
    shown = [
        (node.get("iconSet"), node.get("iconId")) for node in second.node.iter(f"{{{X14}}}cfIcon")
    ]
    assert shown == [("NoIcons", "0"), ("3Flags", "1"), ("5Boxes", "4")]
    for icons in (
        "3Suns",
        ["3Flags/3", "NoIcons", "NoIcons"],
        ["3Flags/0", "3Flags/1", "9Foo/8"],
        ["NoIcons"],
        [],
    ):
        rule = {"type": "iconSet", "icons": icons}
        with pytest.raises(ToolInputError, match="icon"):
            edit_workbook(plain, plain, [{"op": "rule", "cells": "Sheet!A1", "rule": rule}])
