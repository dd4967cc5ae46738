"""Variance bridges: the split recomputes, ties to the cent, names its sources, and its gates know a lie."""

from __future__ import annotations

import random
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from plugins.finance.tests.finance_rooms import desk, patch, row_of, rules, shown, verdicts

from deskmate.plugin import Sources, ToolInputError, ValidationContext
from deskmate_documents.evidence import Ledger
from deskmate_documents.inventory import counts, inventory
from deskmate_documents.opc import Package
from deskmate_finance.tools.variance import variance_bridge
from deskmate_finance.variance import Limits, bridge, read_items

SALES = """Product,Budget units,Budget,Actual units,Actual
Alpha,1000,25000.00,1150,27600.00
Beta,400,18000.00,310,14260.00
Gamma,250,3750.00,600,9300.00
Delta,80,6400.00,0,0
Epsilon,0,0,45,3150.00
Service fee,,1200.00,,1500.00
Total,1730,54350.00,2105,55810.00
"""
LINES = """Line,Type,FY2024,FY2025
Revenue,revenue,287000.00,310400.00
Purchases,cost,176000.00,187300.00
Wages,cost,63100.00,68240.00
Interest,cost,3350.00,2750.00
Rent,cost,23000.00,24000.00
"""
NO_LIMITS = Limits(amount=Decimal(0), percent=Decimal(0))


def built(
    tmp_path: Path, text: str = SALES, name: str = "sales budget.csv", **arguments: Any
) -> Any:
    context = desk(tmp_path, {name: text})
    answer = variance_bridge(context, **arguments)
    return context, answer, context.workspace / answer.result["path"]


def all_verdicts(context: Any, answer: Any, **changes: Any) -> list[tuple[str, str, str]]:
    return [v for each in answer.deliverables for v in verdicts(context, each, **changes)]


def test_volume_mix_and_price_are_what_their_definitions_say(tmp_path: Path) -> None:
    context, answer, file = built(tmp_path)
    amounts = {d["driver"]: Decimal(d["amount"].replace(",", "")) for d in answer.result["drivers"]}
    # by hand: 1,650 units become 2,060 at an average of 46,750 / 1,650
    assert amounts["Volume"] == Decimal("11616.67")
    at_base = 1150 * Decimal(25) + 310 * Decimal(45) + 600 * Decimal(15)
    assert amounts["Mix"] == at_base - 46750 - Decimal("11616.67")
    assert amounts["Price"] == Decimal("51160.00") - at_base
    assert (amounts["New items"], amounts["Ended items"]) == (Decimal(3150), Decimal(-6400))
    assert amounts["Lines without quantities"] == 300
    assert sum(amounts.values()) == Decimal("1460.00")
    figures = shown(file, "Bridge")
    assert figures["Start and drivers less end"] == 0
    assert figures["Mix"] == pytest.approx(-6666.67)
    assert all_verdicts(context, answer) == []


def test_the_workbook_has_a_native_chart_live_formulas_and_the_source_of_each_figure(
    tmp_path: Path,
) -> None:
    context, answer, file = built(tmp_path)
    assert counts(inventory(Package(file)))["chart"] == 1
    book = openpyxl.load_workbook(file)
    assert [
        c.coordinate for r in book["Bridge"] for c in r if isinstance(c.value, int | float)
    ] == []
    row = row_of(file, "Items", "Beta")
    assert book["Items"][f"P{row}"].value == "sales budget.csv row 3, Actual"
    assert (context.workspace / answer.result["picture"]).read_bytes().startswith(b"\x89PNG")


def test_the_evidence_leads_back_to_the_figures(tmp_path: Path) -> None:
    context, answer, _ = built(tmp_path)
    room = ValidationContext(
        file=context.workspace / "sales budget.csv",
        sources=Sources({"sales budget.csv": context.workspace / "sales budget.csv"}, {}),
        evidence=answer.evidence,
    )
    ledger = Ledger(room)
    values = {item.locator["row"]: ledger.value(item.id) for item in answer.evidence if item.value}
    assert len(answer.evidence) == 12
    assert values[2] in (Decimal("25000.00"), Decimal("27600.00"))


def test_without_quantities_it_goes_by_line_and_costs_lower_the_result(tmp_path: Path) -> None:
    context, answer, _file = built(tmp_path, LINES, "pl 2025.csv")
    assert answer.result["start"] == "21,550.00"
    drivers = [(d["driver"], d["amount"]) for d in answer.result["drivers"]]
    assert drivers == [
        ("Revenue", "23,400.00"), ("Purchases", "-11,300.00"), ("Wages", "-5,140.00"), ("Interest", "600.00"),
        ("All other lines", "-1,000.00"),
    ]  # fmt: skip
    assert all_verdicts(context, answer) == []


def test_materiality_comes_from_the_settings_or_the_call(tmp_path: Path) -> None:
    context = desk(tmp_path, {"pl.csv": LINES}, materiality_amount=6000, materiality_percent=5)
    found = variance_bridge(context).result
    assert [item["item"] for item in found["material"]] == ["Revenue", "Purchases"]
    found = variance_bridge(context, materiality={"amount": "0", "percent": "8.15"}).result
    assert [item["item"] for item in found["material"]] == ["Revenue", "Interest"]
    for wrong in ({"amount": "x"}, {"percent": "-1"}, {"amount": "NaN"}):
        with pytest.raises(ToolInputError, match="Materiality"):
            variance_bridge(context, materiality=wrong)


def test_scenarios_may_stand_one_below_the_other_or_in_two_files(tmp_path: Path) -> None:
    files = {
        "long.csv": "Item,Scenario,Amount\nA,Actual,7\nA,Budget,5\nB,Budget,2\nB,Actual,1\nB,Actual,3\n",
        "new.csv": "Item,Amount\nA,7\nB,4\n",
        "old.csv": "Item,Amount\nA,5\nB,2\n",
    }
    context = desk(tmp_path, files)
    for path, base in (("long.csv", ""), ("new.csv", "old.csv")):
        answer = variance_bridge(context, path, base, output=f"{path[:3]}.xlsx")
        assert (answer.result["start"], answer.result["end"]) == ("7", "11")
        assert all_verdicts(context, answer) == []


def test_a_workbook_is_cited_by_sheet_and_cell(tmp_path: Path) -> None:
    context = desk(tmp_path, {})
    context.workspace.mkdir()
    book = openpyxl.Workbook()
    book.active.title = "P&L"
    for row in (["Line", "Budget", "Actual"], ["Sales", 100.5, 120], ["Fees", 10, 8]):
        book.active.append(row)
    book.save(context.workspace / "plan.xlsx")
    answer = variance_bridge(context)
    assert answer.evidence[0].locator == {"sheet": "P&L", "cell": "B2"}
    assert all_verdicts(context, answer) == []


@pytest.mark.parametrize(
    ("text", "arguments", "says"),
    [
        ("Line,One,Two\nA,1,2\n", {}, "which columns are the two figures"),
        ("Code,Budget,Actual\nA,1,2\n", {}, "no column of items"),
        ("Line,Budget,Actual\nA,1,x\n", {}, "not an amount"),
        ("Line,Budget,Actual\nTotal,1,2\n", {}, "no rows with an item"),
        ("Line,Version,Amount\nA,One,2\nA,Two,3\n", {}, "say which of One and Two is the base"),
        (SALES, {"columns": {"colour": "x"}}, "'colour' is unknown"),
        (SALES, {"output": "x.txt"}, "cannot be the workbook"),
        (SALES, {"columns": {"base": "Nope", "actual": "Actual"}}, "no column 'Nope'"),
    ],
)
def test_what_cannot_be_told_is_asked_for(
    tmp_path: Path, text: str, arguments: Any, says: str
) -> None:
    with pytest.raises(ToolInputError, match=says):
        built(tmp_path, text, **arguments)


@pytest.mark.parametrize(
    ("sheet", "title", "column", "value", "result", "rule"),
    [
        ("Bridge", "Price", "B", -541.0, True, "FIN-BRIDGE-TIES"),
        ("Bridge", "Volume", "A", "Growth", False, "FIN-BRIDGE-TIES"),
        ("Bridge", "Actual", "B", 55810.01, True, "FIN-BRIDGE-TIES"),
        ("Bridge", "Price", "B", -540.0, False, "FIN-LIVE-TOTALS"),
        ("Bridge", "Price", "B", "=0-540", False, "FIN-LIVE-TOTALS"),
        ("Items", "Beta", "D", 14261.0, False, "FIN-BRIDGE-TIES"),
        ("Items", "Beta", "F", 311.0, False, "FIN-BRIDGE-TIES"),
        ("Items", "Beta", "P", "sales budget.csv row 4, Actual", False, "FIN-BRIDGE-TIES"),
        ("Items", "Beta", "A", "Bravo", False, "FIN-BRIDGE-TIES"),
        ("Items", "Beta", "B", "cost", False, "FIN-BRIDGE-TIES"),
        ("Items", "Beta", "G", "new", False, "FIN-BRIDGE-TIES"),
    ],
)
def test_each_gate_finds_the_lie_that_it_is_there_for(
    tmp_path: Path, sheet: str, title: str, column: str, value: Any, result: bool, rule: str
) -> None:
    context, answer, file = built(tmp_path)
    patch(file, sheet, f"{column}{row_of(file, sheet, title)}", value, result=result)
    assert rule in rules(all_verdicts(context, answer))


def test_a_picture_of_other_figures_is_found_and_another_encoding_is_none(tmp_path: Path) -> None:
    from PIL import Image

    context, answer, _ = built(tmp_path)
    picture = context.workspace / answer.result["picture"]
    with Image.open(picture) as opened:
        same = opened.convert("RGBA")
    same.save(picture, "PNG", compress_level=1)
    assert all_verdicts(context, answer) == []
    same.putpixel((300, 300), (1, 2, 3, 255))
    same.save(picture)
    assert rules(all_verdicts(context, answer)) == {"FIN-BRIDGE-PICTURE"}
    picture.write_bytes(b"no picture")
    assert rules(all_verdicts(context, answer)) == {"FIN-BRIDGE-PICTURE"}


def test_missing_originals_and_forged_limits_are_errors(tmp_path: Path) -> None:
    context, answer, _ = built(tmp_path)
    both = {"FIN-BRIDGE-TIES", "FIN-BRIDGE-PICTURE"}
    assert rules(all_verdicts(context, answer, originals=())) == both
    assert rules(all_verdicts(context, answer, data={"materiality": "low"})) == both


@pytest.mark.parametrize("seed", range(8))
def test_any_bridge_adds_up_exactly(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    rows = ["Product,Plan,Plan qty,Actual,Actual qty"]
    for number in range(30):
        cells = [
            f"{chance.randrange(-(10**6), 10**7) / 100}",
            f"{chance.randrange(0, 900) / 4}",
        ] * 2
        rows.append(f"P{number}," + ",".join(cells))
    (tmp_path / "t.csv").write_text("\n".join(rows))
    made = bridge(*read_items(tmp_path / "t.csv", "t.csv", {}), NO_LIMITS)
    assert made.start + sum(amount for _, amount in made.drivers) == made.end
