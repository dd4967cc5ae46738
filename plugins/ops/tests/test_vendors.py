"""The scorecard: scores, costs and what would change the order; and that a workbook which says anything else is found."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from deskmate.plugin import ToolInputError
from deskmate_ops.tools.vendors import vendor_scorecard
from deskmate_ops.validators.live import live_formulas
from deskmate_ops.validators.rules import sums_tie, weights_hold

CHECKOUT = Path(__file__).resolve().parents[3]
NORTHWIND = CHECKOUT.parent / "shared" / "cases" / "ops" / "northwind" / "northwind.sqlite"
VENDORS = "Vendor,Price,Quality\nA,100.00,4\nB,80.00,2\nC,90.00,5\n"
MARKS = "Vendor,Quality,Delivery\nA,4,3\nB,5,4\nC,3,5\n"
COSTS = """Vendor,Item,Year,Amount,Currency
A,Set-up,2027,1000,EUR
A,Fee,2028,540,EUR
B,Fee,2027,700.50,EUR
B,Fee,2028,700.50,EUR
C,Fee,2027,2000,EUR
C,Rebate,2028,-108,EUR
"""
WEIGHTS = {"Quality": "0.3", "Delivery": "0.2", "TCO": "0.5"}
RULES = (sums_tie, weights_hold, live_formulas)


def changed(file: Path, sheet: str, cell: str, value: Any) -> None:
    book = openpyxl.load_workbook(file, data_only=True)
    book[sheet][cell] = value
    book.save(file)


def test_vendors_are_scored_with_weights_and_directions(desk: Any, verdict: Any) -> None:
    context = desk({"vendors.csv": VENDORS})
    weights = {"Price": "0.6", "Quality": "0.4"}
    answer = vendor_scorecard(context, weights=weights, lower_is_better=["Price"])
    assert [tuple(row.values()) for row in answer.result["scores"]] == [
        (1, "C", "70.00"),
        (2, "B", "60.00"),
        (3, "A", "26.67"),
    ]
    assert answer.result["changes"] == ["Price +20 %: B is first", "Quality -20 %: B is first"]
    assert answer.result["robust"].startswith("The order is not robust")
    for rule in RULES:
        assert verdict(rule, answer.deliverables[0], context) == []


def test_costs_are_discounted_and_weighed_as_a_criterion_of_their_own(
    desk: Any, verdict: Any, tmp_path: Path
) -> None:
    context = desk({"vendors.csv": MARKS, "vendor costs.csv": COSTS}, discount_rate="0.08")
    answer = vendor_scorecard(context, weights=WEIGHTS, settings={"scale": "1-5"})
    assert answer.result["costs"] == {
        "A": {"total": "1540.00", "present_value": "1500.00"},
        "B": {"total": "1401.00", "present_value": "1349.11"},
        "C": {"total": "1892.00", "present_value": "1900.00"},
    }
    # B: 0.3 × 100 + 0.2 × 75 + 0.5 × 100
    assert answer.result["scores"][0] == {"rank": 1, "vendor": "B", "score": "95.00"}
    book = openpyxl.load_workbook(tmp_path / "vendor-scorecard.xlsx")
    assert book["Figures"]["D2"].value == "=TCO!E3"
    assert book["TCO"]["E3"].value.startswith("=ROUND(SUMPRODUCT(")
    assert [len(book[name]._charts) for name in ("Scores", "TCO")] == [1, 1]
    assert book["Costs"]["E2"].value == "vendor costs.csv, row 2"
    for rule in RULES:
        assert verdict(rule, answer.deliverables[0], context) == []


def test_a_file_of_vendors_whose_name_speaks_of_costs_is_no_table_of_costs(desk: Any) -> None:
    context = desk({"vendor cost marks.csv": MARKS})
    answer = vendor_scorecard(context)
    assert answer.result["source"] == "vendor cost marks.csv"
    assert answer.result["cost_lines"] == "No costs were given."


def test_costs_may_be_a_sheet_of_the_same_workbook(desk: Any, verdict: Any, tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    for name, text in (("Vendors", MARKS), ("Costs", COSTS)):
        sheet = book.create_sheet(name)
        for line in text.splitlines():
            sheet.append(
                [
                    float(c) if c.replace(".", "").strip("-").isdigit() else c
                    for c in line.split(",")
                ]
            )
    del book["Sheet"]
    book.save(tmp_path / "offers.xlsx")
    context = desk({})
    answer = vendor_scorecard(context)
    assert answer.result["costs"]["A"]["total"] == "1540.00"
    assert answer.result["equal_weights"] is True
    for rule in RULES:
        assert verdict(rule, answer.deliverables[0], context) == []


def test_one_criterion_and_equal_vendors_are_no_crash(desk: Any, verdict: Any) -> None:
    context = desk({"vendors.csv": "Vendor,Price\nA,5\nB,5\n"})
    answer = vendor_scorecard(context)
    assert [row["rank"] for row in answer.result["scores"]] == [1, 1]
    for rule in RULES:
        assert verdict(rule, answer.deliverables[0], context) == []


def test_a_second_run_takes_the_same_source_not_the_first_result(desk: Any) -> None:
    context = desk({"vendors.csv": VENDORS})
    vendor_scorecard(context)
    assert vendor_scorecard(context).result["source"] == "vendors.csv"


@pytest.mark.parametrize(
    ("sheet", "cell", "value"),
    [
        ("Scores", "C2", 99),
        ("Scores", "A3", 1),
        ("Scores", "B2", "Z"),
        ("Points", "B3", 50.1),
        ("Figures", "B2", 4.5),
        ("Sensitivity", "C3", 1),
        ("Sensitivity", "F2", "C"),
        ("TCO", "E3", 1349.2),
        ("TCO", "B4", 999),
        ("Costs", "D3", 541),
        ("Costs", "D8", 1),
    ],
)
def test_a_figure_that_is_not_the_sources_is_found(
    desk: Any, verdict: Any, tmp_path: Path, sheet: str, cell: str, value: Any
) -> None:
    context = desk({"vendors.csv": MARKS, "vendor costs.csv": COSTS})
    answer = vendor_scorecard(context, weights=WEIGHTS, settings={"scale": "1-5"})
    changed(tmp_path / "vendor-scorecard.xlsx", sheet, cell, value)
    assert verdict(sums_tie, answer.deliverables[0], context)


@pytest.mark.parametrize(
    ("sheet", "cell", "value", "says"),
    [
        ("Weights", "B2", 0.31, "0.3 was given"),
        ("Weights", "C4", "higher", "it is lower"),
        ("Weights", "D2", "equal, because none were given", "given for this scorecard"),
        ("Weights", "A2", "Look", "not those that are weighed"),
        ("Scores", "C2", 101, "off 0 to 100"),
        ("Figures", "E2", None, "no source"),
        ("Figures", "E2", "vendors.csv, row 9", "row 9"),
        ("Costs", "E2", "", "does not name"),
    ],
)
def test_weights_scores_and_sources_that_do_not_hold_are_found(
    desk: Any, verdict: Any, tmp_path: Path, sheet: str, cell: str, value: Any, says: str
) -> None:
    context = desk({"vendors.csv": MARKS, "vendor costs.csv": COSTS})
    answer = vendor_scorecard(context, weights=WEIGHTS, settings={"scale": "1-5"})
    changed(tmp_path / "vendor-scorecard.xlsx", sheet, cell, value)
    found = verdict(weights_hold, answer.deliverables[0], context)
    assert any(says in message for message in found), found


def test_a_typed_score_is_found_and_other_looks_are_not(
    desk: Any, verdict: Any, tmp_path: Path
) -> None:
    context = desk({"vendors.csv": VENDORS})
    (deliverable,) = vendor_scorecard(context).deliverables
    file = tmp_path / "vendor-scorecard.xlsx"
    book = openpyxl.load_workbook(file, data_only=True)
    book["Scores"]["C2"].number_format = "0.0000"
    book.save(file)
    assert verdict(sums_tie, deliverable, context) == []
    assert verdict(weights_hold, deliverable, context) == []
    assert any("typed where a formula" in m for m in verdict(live_formulas, deliverable, context))


def test_lost_sheets_sources_costs_and_files_fail(desk: Any, verdict: Any, tmp_path: Path) -> None:
    context = desk({"vendors.csv": MARKS, "vendor costs.csv": COSTS})
    (deliverable,) = vendor_scorecard(context, weights=WEIGHTS).deliverables
    assert "UNVERIFIED" in verdict(sums_tie, deliverable, context, held=False)[0]
    without = {"source": "vendors.csv"}
    assert "no criterion 'TCO'" in verdict(sums_tie, deliverable, context, sources=without)[0]
    claimed = {**deliverable.data, "weights": {"Quality": "1"}}
    assert verdict(weights_hold, deliverable, context, data=claimed)
    file = tmp_path / "vendor-scorecard.xlsx"
    book = openpyxl.load_workbook(file, data_only=True)
    del book["Costs"]
    book.save(file)
    assert "has the sheets" in verdict(sums_tie, deliverable, context)[0]
    assert "has the sheets" in verdict(weights_hold, deliverable, context)[0]
    file.write_bytes(b"junk")
    assert "not a readable workbook" in verdict(sums_tie, deliverable, context)[0]


@pytest.mark.parametrize(
    ("text", "arguments", "says"),
    [
        (VENDORS, {"weights": {"Price": "0.5"}}, "must add up to 1"),
        (VENDORS, {"weights": {"Colour": "1"}}, "no criterion 'Colour'"),
        (VENDORS, {"lower_is_better": ["Colour"]}, "no criterion 'Colour'"),
        (VENDORS, {"output": "x.docx"}, "ends in .xlsx"),
        (
            VENDORS,
            {"settings": {"scale": "1-5"}},
            "row 2: Price of A is 100.00, off the scale 1 to 5",
        ),
        (VENDORS, {"settings": {"scale": "5"}}, "is none; write it as 1-5"),
        (VENDORS, {"settings": {"discount_rate": "8"}}, "below 1"),
        (VENDORS, {"settings": {"colour": "1"}}, "is unknown"),
        ("Vendor,Price\nA,1\nA,2\n", {}, "a vendor of its own"),
        ("Vendor,Price\nA,1\nB,\n", {}, "Price of B is missing"),
        ("Vendor,Text\nA,x\n", {}, "no column of figures"),
        ("Shop,Price\nA,1\n", {}, "no vendor column"),
    ],
)
def test_vendor_tables_that_do_not_fit_are_refused(
    desk: Any, text: str, arguments: Any, says: str
) -> None:
    with pytest.raises(ToolInputError, match=says):
        vendor_scorecard(desk({"vendors.csv": text}), **arguments)


@pytest.mark.parametrize(
    ("find", "replace", "says"),
    [
        ("C,Fee,2027,2000,EUR\nC,Rebate,2028,-108,EUR\n", "", "no costs of C"),
        ("A,Set-up", "Z,Set-up", "row 2: Z is not among the vendors"),
        ("2027,1000", "2027,", "row 2: A has no amount"),
        ("2027,1000", "soon,1000", "'soon' is no year"),
        ("2027,1000", "2099,1000", "more than 30 years"),
        ("1000,EUR", "1000,USD", "mixes EUR and USD"),
        ("Amount", "Words", "no amount column"),
    ],
)
def test_costs_that_do_not_fit_are_refused(desk: Any, find: str, replace: str, says: str) -> None:
    context = desk({"vendors.csv": MARKS, "costs.csv": COSTS.replace(find, replace, 1)})
    with pytest.raises(ToolInputError, match=says):
        vendor_scorecard(context)


def test_a_file_that_is_no_database_is_refused(desk: Any) -> None:
    with pytest.raises(ToolInputError, match="not a readable SQLite"):
        vendor_scorecard(desk({"x.sqlite": "hello"}))


@pytest.mark.cases
@pytest.mark.skipif(not NORTHWIND.is_file(), reason="no cases folder")
def test_a_real_order_database_gives_the_sums_that_sql_gives(
    desk: Any, verdict: Any, tmp_path: Path
) -> None:
    shutil.copy(NORTHWIND, tmp_path / "northwind.sqlite")
    context = desk({})
    answer = vendor_scorecard(context, request="supplier scorecard from northwind.sqlite")
    with closing(sqlite3.connect(tmp_path / "northwind.sqlite")) as database:
        (sales,) = database.execute(
            "select sum(UnitPrice * Quantity * (1 - Discount)) from [Order Details]"
        ).fetchone()
        (stock,) = database.execute("select sum(UnitPrice * UnitsInStock) from Products").fetchone()
    book = openpyxl.load_workbook(tmp_path / "vendor-scorecard.xlsx", data_only=True)
    header, *rows = book["Figures"].iter_rows(values_only=True)
    assert len(rows) == 29
    total = {
        name: sum(Decimal(str(row[n])) for row in rows)
        for n, name in enumerate(header)
        if 0 < n < 7
    }
    assert abs(total["Sales"] - Decimal(str(sales))) < Decimal("0.15")
    assert total["Stock value"] == Decimal(f"{stock:.2f}")
    assert total["Products"] == 77
    for rule in RULES:
        assert verdict(rule, answer.deliverables[0], context) == []
