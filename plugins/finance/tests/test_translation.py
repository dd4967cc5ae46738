"""Groups in one currency: rates by kind of account, differences and rounding in sight, what is refused, and a changed figure."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from plugins.finance.tests.finance_rooms import desk, patch, rules, verdicts

from deskmate.plugin import ToolInputError
from deskmate_finance.tools.statements import statements_build
from deskmate_finance.tools.translation import tb_translate

BALANCES = """Entity,Currency,Account,Name,Debit,Credit
Top,EUR,1000,Bank,100.00,
Top,EUR,3000,Capital,,60.00
Top,EUR,4000,Sales,,90.00
Top,EUR,5000,Purchases,50.00,
Sub,USD,1000,Cash,333.33,
Sub,USD,2000,Suppliers,,33.33
Sub,USD,3000,Capital,,200.00
Sub,USD,4000,Sales,,177.77
Sub,USD,5000,Purchases,77.77,
"""
RATES = """Currency,Account,Closing,Average,Historical
USD,,0.90,0.95,0.80
USD,3000,,,0.75
"""


def grouped(
    tmp_path: Path, balances: str = BALANCES, rates: str = RATES, **arguments: Any
) -> tuple[Any, Any]:
    context = desk(tmp_path, {"trial balance.csv": balances, "fx rates.csv": rates})
    return context, tb_translate(context, **{"request": "Translate into EUR.", **arguments})


def test_each_account_has_its_rate_and_what_is_left_is_in_sight(tmp_path: Path) -> None:
    context, answer = grouped(tmp_path)
    # 333.33 × .9 − 33.33 × .9 − 200 × .75 − 177.77 × .95 + 77.77 × .95 = 25, exactly
    assert answer.result["entities"] == [
        {"entity": "Top", "currency": "EUR", "difference": "0.00", "rounding": "0.00"},
        {"entity": "Sub", "currency": "USD", "difference": "-25.00", "rounding": "0.00"},
    ]
    assert verdicts(context, answer.deliverables[0]) == []


def test_rounding_stands_on_a_line_of_its_own(tmp_path: Path) -> None:
    text = "Entity,Currency,Account,Balance\n" + "".join(
        f"S,USD,{1000 + n},0.01\n" for n in range(30)
    )
    context, answer = grouped(
        tmp_path, text + "S,USD,2000,-0.30\n", "currency,closing,average\nUSD,0.6,0.6\n"
    )
    # thirty times 0.006 is 0.30 in cents, and 0.30 × 0.6 is 0.18
    assert (answer.result["difference"], answer.result["rounding"]) == ("0.00", "-0.12")
    assert verdicts(context, answer.deliverables[0]) == []


def test_the_statements_are_built_from_the_group_and_balance(tmp_path: Path) -> None:
    context, answer = grouped(tmp_path)
    (context.workspace / "trial balance.csv").unlink()
    done = statements_build(context, answer.result["path"], settings={"sheet": "Group"}).result
    assert (done["ties"], done["currency"]) == (True, "EUR")
    # 90 − 50 and 100 × 0.95
    assert done["profit"] == "135.00"
    assert Decimal(done["total_assets"]) == Decimal(done["liabilities_and_equity"]) == 400
    with pytest.raises(ToolInputError, match="no cash flow"):
        statements_build(
            context, answer.result["path"], prior=answer.result["path"], settings={"sheet": "Group"}
        )


@pytest.mark.parametrize(
    ("balances", "rates", "says"),
    [
        (BALANCES.replace("333.33", "333.34"), RATES, "Sub does not balance: debits less credits are 0.01 USD"),
        (BALANCES.replace("Sub,USD,2000", "Sub,GBP,2000"), RATES.replace("USD,,", "GBP,,1,1,1\nUSD,,"), "Sub has rows in GBP, USD"),
        (BALANCES, "Currency,Closing,Average\nUSD,0.9,0.95\n", "lacks rates: historical USD for 3000"),
        (BALANCES, "Currency,Closing,Average\nGBP,0.9,0.95\n", "lacks rates: closing USD"),
        (BALANCES, "Currency,Closing\nUSD,0.9\n", "needs the columns currency, closing and average"),
        (BALANCES, RATES.replace("0.90", "-0.90"), "a rate is above nil"),
        (BALANCES, RATES + "USD,,0.91,0.95,0.8\n", "USD has two closing rates"),
        (BALANCES.replace("2000,Suppliers", "1000,Suppliers"), RATES, "account 1000 of Sub stands twice"),
        (BALANCES.replace("Sub,USD,2000", ",USD,2000"), RATES, "needs an entity"),
        (BALANCES.replace("2000,Suppliers", "9999,Suppliers"), RATES, "account 9999 has no line"),
        (BALANCES.replace("Entity", "Unit"), RATES, "needs a column entity"),
    ],
)  # fmt: skip
def test_what_cannot_be_translated_is_refused_in_one_line(
    balances: str, rates: str, says: str, tmp_path: Path
) -> None:
    with pytest.raises(ToolInputError, match=says):
        grouped(tmp_path, balances, rates)
    assert not list((tmp_path / "ws").glob("*.xlsx"))


def test_a_currency_that_nobody_names_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(ToolInputError, match="Name the group's currency"):
        grouped(tmp_path, request="Translate it.")


@pytest.mark.parametrize(
    ("sheet", "cell", "value", "result", "rule"),
    [
        ("Rates", "C8", 0.91, False, "FIN-GROUP-TIES"),
        ("Translated", "F11", 333.34, False, "FIN-GROUP-TIES"),
        ("Entities", "F8", 25, True, "FIN-GROUP-TIES"),
        ("Group", "D7", 401, True, "FIN-GROUP-TIES"),
        ("Group", "D7", 400, False, "FIN-LIVE-TOTALS"),
        ("Entities", "G8", 0, False, "FIN-LIVE-TOTALS"),
    ],
)
def test_each_spoilt_workbook_is_refused(
    sheet: str, cell: str, value: float, result: bool, rule: str, tmp_path: Path
) -> None:
    context, answer = grouped(tmp_path)
    made = answer.deliverables[0]
    patch(context.workspace / made.path, sheet, cell, value, result=result)
    assert rule in rules(verdicts(context, made))
    assert "FIN-GROUP-TIES" in rules(verdicts(context, made, originals=[]))


def test_random_groups_add_up_to_nil(tmp_path: Path) -> None:
    import random

    seeded = random.Random(7)
    for number in range(6):
        lines, folder = ["Entity,Currency,Account,Balance"], tmp_path / str(number)
        for entity, money in (("A", "USD"), ("B", "JPY"), ("C", "EUR")):
            total = Decimal()
            for account in (1000, 1100, 2000, 3000, 4000, 5000):
                figure = Decimal(seeded.randrange(-(10**9), 10**9)) / 100
                total += figure
                lines.append(f"{entity},{money},{account},{figure}")
            lines.append(f"{entity},{money},2100,{-total}")
        rates = "currency,closing,average,historical\n" + "".join(
            f"{money},{seeded.randrange(1, 2000) / 1000},{seeded.randrange(1, 2000) / 1000},{seeded.randrange(1, 2000) / 1000}\n"
            for money in ("USD", "JPY")
        )
        folder.mkdir()
        context, answer = grouped(folder, "\n".join(lines) + "\n", rates)
        assert verdicts(context, answer.deliverables[0]) == []
