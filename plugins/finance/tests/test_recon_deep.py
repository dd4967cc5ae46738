"""Reconciliation as a controller reads it: references in texts, takings of a day, tolerance, and the difference explained."""

from __future__ import annotations

import random
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from plugins.finance.tests.finance_rooms import desk, patch, row_of, rules, shown, verdicts

from deskmate.plugin import ToolInputError
from deskmate_finance.matching import match, references
from deskmate_finance.sides import Entry
from deskmate_finance.tools.recon import recon_match

BANK = """Date,Description,Amount,Balance
2026-03-02,ACME LTD INV-1001 THANKS,1250.00,3250.00
2026-03-05,Card takings,512.40,3762.40
2026-03-12,Transfer INV-1002,799.98,4562.38
2026-03-30,Bank charges,-12.40,4549.98
"""
LEDGER = """Date,Text,Amount,Balance
2026-01-20,Invoice INV-1001 Acme,1250.00,3251.00
2026-03-01,Something else,1250.00,4501.00
2026-03-04,Till 1,100.10,4601.10
2026-03-04,Till 2,90.00,4691.10
2026-03-04,Till 3,70.30,4761.40
2026-03-04,Till 4,150.00,4911.40
2026-03-04,Till 5,102.00,5013.40
2026-03-11,Invoice INV-1002,800.00,5813.40
"""


def run(tmp_path: Path, **arguments: Any) -> Any:
    context = desk(tmp_path, {"bank statement.csv": BANK, "ledger.csv": LEDGER})
    answer = recon_match(context, **arguments)
    return context, answer, context.workspace / answer.result["output"]


def test_a_reference_in_the_text_beats_a_nearer_day_and_a_days_takings_are_one_sum(
    tmp_path: Path,
) -> None:
    context, answer, _ = run(tmp_path)
    assert answer.result["groups_by_rule"] == {
        "amount and reference in the text": 1,
        "sum of a day, 5": 1,
    }
    open_rows = [(i["side"], i["row"]) for i in answer.result["open_items"]]
    assert open_rows == [("bank", 4), ("bank", 5), ("ledger", 3), ("ledger", 9)]
    assert rules(verdicts(context, answer.deliverables[0])) == {"FIN-RECON-TIES"}  # the warning


def test_the_difference_is_explained_to_nothing(tmp_path: Path) -> None:
    context, answer, file = run(tmp_path)
    # the bank began with 2,000.00, the ledger with 2,001.00
    assert (answer.result["difference"], answer.result["carried_in"]) == ("-1.00", "-1.00")
    assert answer.result["explanation"] == "-1.00 was there before the first row of the period"
    figures = shown(file, "Summary")
    assert (figures["Balance before the first row"], figures["Unexplained"]) == (2000, 0)
    (found,) = verdicts(context, answer.deliverables[0])
    assert found[1:] == (
        "warning",
        "The balances differed by -1.00 before the first row; the cause lies in an earlier period.",
    )


def test_amounts_with_one_reference_may_differ_within_the_tolerance(tmp_path: Path) -> None:
    context, answer, file = run(tmp_path, settings={"tolerance": "0.05"})
    assert answer.result["groups_by_rule"]["reference, amounts differ"] == 1
    assert answer.result["within_groups"] == "-0.02"
    assert shown(file, "Summary")["Unexplained"] == 0
    found = verdicts(context, answer.deliverables[0])
    assert {level for _, level, _ in found} == {"warning"}
    assert any("differs by -0.02, within the tolerance of 0.05" in text for _, _, text in found)
    data = {**answer.deliverables[0].data, "tolerance": "0.01"}
    found = verdicts(context, answer.deliverables[0], data=data)
    assert any(level == "error" and "does not settle" in text for _, level, text in found)
    for wrong in ("-1", "much"):
        with pytest.raises(ToolInputError):
            recon_match(context, settings={"tolerance": wrong})


def test_the_workbook_is_live(tmp_path: Path) -> None:
    _, _, file = run(tmp_path)
    book = openpyxl.load_workbook(file)
    assert book["Summary"]["B8"].value.startswith("=ROUND(")
    assert book["Open items"]["F2"].value == "=MAX(0,Summary!$B$4-C2)"
    assert book["Ageing"]["D2"].value.startswith("=ROUND(SUMIFS(")
    assert book["Groups"]["D2"].value == "=ROUND(B2-C2,2)"
    results = openpyxl.load_workbook(file, data_only=True)
    assert [r[3] for r in results["Groups"].iter_rows(min_row=2, values_only=True)] == [0, 0]


@pytest.mark.parametrize(
    ("sheet", "title", "column", "value", "result", "rule"),
    [
        ("Summary", "Difference", "B", -1.0, False, "FIN-LIVE-TOTALS"),
        ("Summary", "Difference", "B", 0, True, "FIN-RECON-TIES"),
        ("Summary", "Unexplained", "B", 0.5, True, "FIN-RECON-TIES"),
        ("Summary", "Difference carried in from before", "C", 0, True, "FIN-RECON-TIES"),
        ("Ageing", "bank", "D", "=7.5+1.3", False, "FIN-LIVE-TOTALS"),
    ],
)
def test_a_difference_that_was_argued_away_is_found(
    tmp_path: Path, sheet: str, title: str, column: str, value: Any, result: bool, rule: str
) -> None:
    context, answer, file = run(tmp_path)
    patch(file, sheet, f"{column}{row_of(file, sheet, title)}", value, result=result)
    errors = [found for found in verdicts(context, answer.deliverables[0]) if found[1] == "error"]
    assert rule in rules(errors)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("ACME inv-1001 thanks", {"inv1001"}),
        ("Payment 2026-03-02", set()),
        ("Rent March 2026", set()),
        ("Card 03/04/26 10.50", set()),
        ("SEPA 4711008 RE20260017", {"4711008", "re20260017"}),
        ("Room 12", set()),
    ],
)
def test_dates_years_and_prices_are_no_references(text: str, wanted: set[str]) -> None:
    entry = Entry(number=1, day=date(2026, 3, 1), amount=Decimal(1), text=text)
    assert references(entry) == wanted


def test_a_reference_that_two_rows_name_decides_nothing() -> None:
    one = Entry(number=1, day=date(2026, 3, 1), amount=Decimal(5), text="INV-1001")
    far = date(2025, 1, 1)
    others = [Entry(number=n, day=far, amount=Decimal(5), text="INV-1001") for n in (1, 2)]
    assert match([one], others, days=5, group_size=4).groups == ()


@pytest.mark.parametrize("seed", range(6))
def test_each_row_is_used_once_whatever_the_rows_are(seed: int) -> None:
    chance = random.Random(seed)

    def side() -> list[Entry]:
        return [
            Entry(
                number=n,
                day=date(2026, 1, 1) + timedelta(days=chance.randrange(20)),
                amount=Decimal(chance.randrange(-12, 30)),
                text=chance.choice(("", "INV-1001", "INV-1002 x", "till")),
            )
            for n in range(80)
        ]

    bank, ledger = side(), side()
    found = match(bank, ledger, days=3, group_size=4, tolerance=Decimal(1))
    used = [n for g in found.groups for n in g.bank]
    assert len(used) == len(set(used))
    used = [n for g in found.groups for n in g.ledger]
    assert len(used) == len(set(used))
    for group in found.groups:
        paid = sum((bank[n].amount for n in group.bank), Decimal())
        gap = paid - sum((ledger[n].amount for n in group.ledger), Decimal())
        assert abs(gap) <= (1 if group.how == "reference, amounts differ" else 0)
    assert found == match(bank, ledger, days=3, group_size=4, tolerance=Decimal(1))
