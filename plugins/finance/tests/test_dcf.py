"""Valuations: a case computed by hand, two computations that agree, what is refused, and changed workbooks."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from plugins.finance.tests.finance_rooms import desk, patch, rules, shown, verdicts

from deskmate.plugin import ToolInputError
from deskmate_finance.tools.audit import model_audit
from deskmate_finance.tools.dcf import dcf_build

SIMPLE = """Item,Value,2026,2027
Base revenue,1000
Revenue growth,10%
EBIT margin,20%
Tax rate,25%
Depreciation,3%
Capital expenditure,5%
Working capital,10%
WACC,10%
Terminal growth,2%
Net debt,100
Shares,10
"""


def built(tmp_path: Path, text: str = SIMPLE, **arguments: Any) -> Any:
    context = desk(tmp_path, {"dcf inputs.csv": text})
    return context, dcf_build(context, **arguments)


def test_a_small_case_is_what_it_is_by_hand(tmp_path: Path) -> None:
    context, answer = built(tmp_path)
    # 1,100 and 1,210 of revenue: 15 % after tax, 2 % more invested than depreciated, 10 % of growth tied up
    flows = [1100 * 0.13 - 10, 1210 * 0.13 - 11]
    terminal = flows[1] * 1.02 / 0.08
    enterprise = flows[0] / 1.1 + (flows[1] + terminal) / 1.1**2
    figures = shown(context.workspace / answer.result["path"], "DCF")
    assert figures["Enterprise value"] == pytest.approx(enterprise)
    assert figures["Equity value"] == pytest.approx(enterprise - 100)
    assert figures["Value a share"] == pytest.approx((enterprise - 100) / 10)
    assert answer.result["value_a_share"] == f"{(enterprise - 100) / 10:,.2f}"
    assert verdicts(context, answer.deliverables[0]) == []


def test_the_table_has_the_base_case_in_its_centre_and_falls_with_wacc(tmp_path: Path) -> None:
    context, answer = built(tmp_path)
    sheet = openpyxl.load_workbook(context.workspace / answer.result["path"], data_only=True)["Sensitivity"]  # fmt: skip
    grid = [[cell.value for cell in row] for row in sheet["B6:F10"]]
    assert f"{grid[2][2]:,.2f}" == answer.result["value_a_share"]
    assert all(one > other for row in zip(*grid, strict=True) for one, other in itertools.pairwise(row))  # fmt: skip
    assert all(one < other for row in grid for one, other in itertools.pairwise(row))
    assert [cell.value for cell in sheet["A"][5:10]] == pytest.approx([0.08, 0.09, 0.10, 0.11, 0.12])  # fmt: skip


def test_a_cell_where_wacc_is_not_above_growth_has_no_value(tmp_path: Path) -> None:
    context, answer = built(tmp_path, SIMPLE.replace("WACC,10%", "WACC,4%"))
    sheet = openpyxl.load_workbook(context.workspace / answer.result["path"], data_only=True)["Sensitivity"]  # fmt: skip
    assert (sheet["B6"].value, sheet["F6"].value) != ("n/a", None)
    assert sheet["F6"].value == "n/a"
    assert verdicts(context, answer.deliverables[0]) == []


@pytest.mark.parametrize(
    ("old", "new", "growth"),
    [
        ("WACC,10%", "Risk-free rate,3%\nBeta,1.2\nEquity risk premium,5%\nCost of debt,4%\nShare of debt,0.5", "6.00%"),
        ("WACC,10%", "WACC,0.0825\nMid-year shift,0.5", "8.25%"),
        ("Shares,10\n", "Other claims,50\nBase working capital,90\n", "10.00%"),
        ("EBIT margin,20%", "EBIT margin,,18%,-3%", "10.00%"),
    ],
)  # fmt: skip
def test_every_way_of_giving_inputs_computes_alike_twice(
    tmp_path: Path, old: str, new: str, growth: str
) -> None:
    context, answer = built(tmp_path, SIMPLE.replace(old, new))
    assert answer.result["wacc"] == growth
    assert verdicts(context, answer.deliverables[0]) == []


def test_the_audit_of_a_valuation_finds_no_error_and_no_typed_figure(tmp_path: Path) -> None:
    context, answer = built(tmp_path)
    found = model_audit(context, answer.result["path"]).result
    assert found["errors"] == 0
    assert {each["kind"] for each in found["findings"]} <= {"unit"}


def test_what_makes_a_value_doubtful_is_said(tmp_path: Path) -> None:
    _, answer = built(tmp_path, SIMPLE.replace("Capital expenditure,5%", "Capital expenditure,2%"))
    notes = answer.result["notes"]
    assert "The terminal value is 86%" in notes
    assert "less is invested than depreciated" in notes
    assert "Growth falls by more than three points" in notes


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("WACC,10%", "WACC,2%", "WACC of 2.00% is not above terminal growth of 2.00%"),
        ("WACC,10%\n", "", "has no WACC"),
        ("Net debt,100\n", "", "has no Net debt"),
        ("Net debt", "Goodwill", "row 11: 'Goodwill' is no input"),
        ("Shares,10", "Net debt,10", "row 12: Net debt stands twice"),
        ("Revenue growth,10%", "Revenue growth,,10%", "needs a figure for every year"),
        ("1000", "a lot", "'a lot' is no figure"),
        ("2026,2027", "2026,2028", "years must follow each other"),
        ("2026,2027", "a,b", "no row of years"),
        ("Shares,10", "Shares,0", "above 0"),
        ("Shares,10", "Beta,1.1", "gives both WACC and Beta"),
        ("Shares,10", "Shares,1,2", "Shares has several figures"),
        ("WACC,10%", "WACC,10", "shares such as 8%"),
    ],
)  # fmt: skip
def test_inputs_that_give_no_value_are_refused(
    tmp_path: Path, old: str, new: str, says: str
) -> None:
    assert old in SIMPLE
    with pytest.raises(ToolInputError, match=says):
        built(tmp_path, SIMPLE.replace(old, new))


@pytest.mark.parametrize(
    ("sheet", "cell", "value", "result", "rule"),
    [
        ("DCF", "B22", 2000, True, {"FIN-DCF-TIES", "FIN-LIVE-TOTALS"}),
        ("DCF", "C7", 250, False, {"FIN-DCF-TIES", "FIN-LIVE-TOTALS"}),
        ("DCF", "C7", "=C6*Inputs!C$21*1.1", False, {"FIN-DCF-TIES", "FIN-LIVE-TOTALS"}),
        ("Sensitivity", "D8", 99, False, {"FIN-DCF-TIES", "FIN-LIVE-TOTALS"}),
    ],
)
def test_a_changed_valuation_is_refused(
    tmp_path: Path, sheet: str, cell: str, value: Any, result: bool, rule: set[str]
) -> None:
    context, answer = built(tmp_path)
    patch(context.workspace / answer.result["path"], sheet, cell, value, result=result)
    assert rules(verdicts(context, answer.deliverables[0])) == rule


def test_a_workbook_of_inputs_names_their_cells(tmp_path: Path) -> None:
    context = desk(tmp_path, {})
    book = openpyxl.Workbook()
    book.active.title = "Plan"
    for line in SIMPLE.splitlines():
        cells = list(line.split(","))
        book.active.append([cells[0], *(float(c.strip("%")) / (100 if "%" in c else 1) if c and c != "Value" else c for c in cells[1:])])  # fmt: skip
    context.workspace.mkdir()
    book.save(context.workspace / "dcf.xlsx")
    answer = dcf_build(context)
    sheet = openpyxl.load_workbook(context.workspace / answer.result["path"])["Inputs"]
    assert sheet["E6"].value == "Plan!B2"
    assert verdicts(context, answer.deliverables[0]) == []
