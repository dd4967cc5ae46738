"""Auditing a model: each planted defect is found at its cell, a sound model gives nothing, the report is complete."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from plugins.finance.tests.finance_rooms import desk, patch, rules, verdicts

from deskmate.plugin import ToolContext, ToolInputError
from deskmate_documents.xlsx.results import fill_results
from deskmate_finance.audit import audit
from deskmate_finance.tools.audit import model_audit

CASES = Path(__file__).parents[4] / "shared/cases/finance"
YEARS = "BCDEFG"


def model(file: Path) -> openpyxl.Workbook:
    """Return a sound model of six years, and write it to the file."""
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "Model"
    sheet.append(["Line", *(f"FY{year}" for year in range(2024, 2030))])
    sheet.append(["Units", 100, 110, 120, 130, 140, 150])
    sheet.append(["Price", 10, 10, 11, 11, 12, 12])
    sheet.append(["Revenue", *(f"={c}2*{c}3" for c in YEARS)])
    sheet.append(["Wages", -300, -310, -320, -330, -340, -350])
    sheet.append(["Rent", -100, -100, -100, -110, -110, -110])
    sheet.append(["Costs", *(f"=SUM({c}5:{c}6)" for c in YEARS)])
    sheet.append(["Profit", *(f"={c}4+{c}7" for c in YEARS)])
    sheet.append(["Check: profit less its parts", *(f"={c}8-{c}4-{c}5-{c}6" for c in YEARS)])
    book.save(file)
    return book


def found_in(file: Path) -> set[tuple[str, str]]:
    return {(matter.rule, matter.cells) for matter in audit(file).matters}


def test_a_sound_model_gives_nothing(tmp_path: Path) -> None:
    model(tmp_path / "m.xlsx")
    assert found_in(tmp_path / "m.xlsx") == set()
    assert audit(tmp_path / "m.xlsx").formulas == 24


@pytest.mark.parametrize(
    ("cells", "wanted"),
    [
        ({"A11": "Ratio", "B11": "=B4/B12"}, ("error-value", "Model!B11")),
        ({"D4": "=#REF!*D3"}, ("dead-reference", "Model!D4")),
        ({"D4": "=D2*D3*1.07"}, ("literal", "Model!D4")),
        ({"D4": "=D2*C3"}, ("pattern", "Model!D4")),
        ({"E5": 330}, ("sign", "Model!E5")),
        ({"D2": "120"}, ("text-number", "Model!D2")),
        ({f"{c}7": f"=SUM({c}5:{c}5)" for c in YEARS}, ("short-range", "Model!B7:G7")),
        ({"D8": "=D4+D7+5-4"}, ("tie", "Model!D9")),
        ({"D3": "=D9", "D9": "=D8-D4-D7"}, ("circular", "Model!D3")),
        ({"B4": "=B4+1"}, ("circular", "Model!B4")),
    ],
)
def test_a_planted_defect_is_found_at_its_cell(
    tmp_path: Path, cells: dict[str, Any], wanted: tuple[str, str]
) -> None:
    file = tmp_path / "m.xlsx"
    book = model(file)
    for cell, value in cells.items():
        book["Model"][cell] = value
    book.save(file)
    assert wanted in found_in(file)


def test_a_typed_total_that_does_not_add_up_is_found(tmp_path: Path) -> None:
    file = tmp_path / "m.xlsx"
    book = model(file)
    for row, cells in enumerate((("Goods", 3), ("Services", 2), ("Total", 7)), 12):
        book["Model"].cell(row, 1, cells[0])
        book["Model"].cell(row, 2, cells[1])
    book.save(file)
    assert [m.message for m in audit(file).matters if m.rule == "total"] == [
        "Total, column 2: 7 is given, the rows above it add up to 5."
    ]
    book["Model"]["B14"] = 5
    book.save(file)
    assert found_in(file) == set()


def test_hidden_things_iteration_and_old_results_are_found(tmp_path: Path) -> None:
    file = tmp_path / "m.xlsx"
    book = model(file)
    book.create_sheet("Old").sheet_state = "veryHidden"
    book["Model"].row_dimensions[5].hidden = True
    book["Model"].column_dimensions["C"].hidden = True
    book.calculation.iterate = True
    book.save(file)
    found = found_in(file)
    assert {("hidden", "Old"), ("hidden-rows", "Model"), ("iterate", "workbook")} <= found
    fill_results(file)
    assert not any(rule == "old-result" for rule, _ in found_in(file))
    patch(file, "Model", "B8", 601, result=True)
    assert ("old-result", "Model!B8") in found_in(file)


@pytest.mark.parametrize(
    "cells",
    [
        {"A5": "Net movement", "E5": 330},  # movements change their sign
        {"A9": "Difference to last year", "B9": "=B4-B3"},  # no check
        {"B7": "=SUM(B5:B5)+B6"},  # what is left out is added
        {"H7": "=SUM(B7:F7)+G7"},
        {"D4": "=ROUND(D2*D3,2)*100/100"},  # figures that a formula may hold
    ],
)
def test_near_misses_are_no_finding_of_their_kind(tmp_path: Path, cells: dict[str, Any]) -> None:
    file = tmp_path / "m.xlsx"
    book = model(file)
    for cell, value in cells.items():
        book["Model"][cell] = value
    book.save(file)
    assert not {rule for rule, _ in found_in(file)} & {"sign", "tie", "short-range", "literal"}


def reported(tmp_path: Path) -> tuple[ToolContext, Any, Path]:
    context = desk(tmp_path, {})
    context.workspace.mkdir()
    book = model(context.workspace / "model.xlsx")
    book["Model"]["D4"] = "=D2*D3*1.07"
    book.save(context.workspace / "model.xlsx")
    answer = model_audit(context)
    return context, answer, context.workspace / answer.result["path"]


def test_the_report_names_every_finding_and_leaves_the_model_alone(tmp_path: Path) -> None:
    context, answer, file = reported(tmp_path)
    assert (answer.result["errors"], answer.result["warnings"]) == (0, 2)
    assert "=D2*D3*1.07 holds the literal 1.07" in answer.result["first"]
    book = openpyxl.load_workbook(file, data_only=True)
    kinds = {r[0]: r[1:4] for r in book["Summary"].iter_rows(min_row=6, values_only=True)}
    assert kinds["Typed figures in formulas"] == (0, 1, 0)
    assert kinds["Total"][:2] == (0, 2)
    assert verdicts(context, answer.deliverables[0]) == []
    assert sorted(p.name for p in context.workspace.iterdir()) == ["model audit.xlsx", "model.xlsx"]


@pytest.mark.parametrize(
    ("sheet", "cell", "value", "rule"),
    [
        ("Findings", "D6", "Model!D5", "FIN-AUDIT-COMPLETE"),
        ("Findings", "B6", "note", "FIN-AUDIT-COMPLETE"),
        ("Findings", "F6", "All is well.", "FIN-AUDIT-COMPLETE"),
        ("Findings", "A8", 3, "FIN-AUDIT-COMPLETE"),
        ("Scope", "D6", 25, "FIN-AUDIT-COMPLETE"),
        ("Scope", "A9", "Everything was looked at.", "FIN-AUDIT-COMPLETE"),
        ("Summary", "C14", 0, "FIN-LIVE-TOTALS"),
    ],
)
def test_a_report_that_was_made_prettier_is_found(
    tmp_path: Path, sheet: str, cell: str, value: Any, rule: str
) -> None:
    context, answer, file = reported(tmp_path)
    patch(file, sheet, cell, value)
    assert rule in rules(verdicts(context, answer.deliverables[0]))


def test_what_is_no_model_is_refused_and_no_report_of_it_passes(tmp_path: Path) -> None:
    context, answer, _ = reported(tmp_path)
    assert rules(verdicts(context, answer.deliverables[0], originals=())) == {"FIN-AUDIT-COMPLETE"}
    (context.workspace / "bad.xlsx").write_bytes(b"no workbook")
    with pytest.raises(ToolInputError):
        model_audit(context, "bad.xlsx")
    with pytest.raises(ToolInputError, match="cannot be the report"):
        model_audit(context, "model.xlsx", output="model.xlsx")


@pytest.mark.skipif(not CASES.is_dir(), reason="the shared cases are not here")
@pytest.mark.parametrize("name", ["FIN_IRR.xlsx", "LOOK_FILTER_ERRORS.xlsx", "STAT_TRIMMEAN.xlsx"])
def test_workbooks_of_others_are_audited_the_same_way_twice(tmp_path: Path, name: str) -> None:
    (found,) = CASES.glob(f"*/{name}")
    context = desk(tmp_path, {})
    context.workspace.mkdir()
    shutil.copy(found, context.workspace / name)
    answer = model_audit(context)
    assert answer.result["formulas"] > 0
    assert verdicts(context, answer.deliverables[0]) == []
