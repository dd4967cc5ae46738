from pathlib import Path
from typing import Any

import pytest

from deskmate.plugin import ToolContext, ToolInputError
from deskmate_finance.tools.trial_balance import trial_balance_check


def check(tmp_path: Path, text: str, **arguments: Any) -> Any:
    (tmp_path / "tb.csv").write_text(text)
    return trial_balance_check(
        ToolContext(workspace=tmp_path, home=tmp_path, resources=tmp_path), **arguments
    )


def test_debits_and_credits_are_added_per_currency_and_totals_left_out(tmp_path: Path) -> None:
    result = check(
        tmp_path,
        "Account,Debit,Credit,Currency\n1000 Cash,100.10,,EUR\n4000 Sales,,100.10,EUR\n"
        "1000 Cash,5.00,,USD\n4000 Sales,,4.00,USD\nTotal,105.10,104.10,\n",
    )
    assert not result["balances"]
    assert result["totals"][0] == {
        "group": "EUR",
        "debit": "100.10",
        "credit": "100.10",
        "difference": "0.00",
    }
    assert result["difference"] == "1.00"
    assert result["total_rows"] == [6]
    assert result["findings"] == []


def test_a_signed_balance_column_works_too(tmp_path: Path) -> None:
    assert check(tmp_path, "Account,Balance\nCash,1.005\nSales,-1.005\n")["balances"]


def test_what_looks_wrong_is_named_by_row(tmp_path: Path) -> None:
    result = check(tmp_path, "Account,Debit,Credit\nA,1,1\n,2,\nA,-1,\nB,,1\n")
    assert [(f["row"], f["problem"]) for f in result["findings"]] == [
        (2, "the row has both a debit and a credit"),
        (3, "the row has no account"),
        (4, "a debit or credit is negative"),
        (4, "the account occurs more than once"),
    ]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("Item,Debit,Credit\nA,1,1\n", "no account column"),
        ("Account,Text\nA,x\n", "neither debit and credit nor a balance"),
        ("Account,Debit,Credit\nA,x,\n", "row 2: 'x' is not an amount"),
        ("Account,Debit,Credit\nTotal,1,1\n", "no account rows"),
    ],
)
def test_tables_that_are_no_trial_balance_are_refused(tmp_path: Path, text: Any, says: Any) -> None:
    with pytest.raises(ToolInputError, match=says):
        check(tmp_path, text)


def test_a_path_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ToolInputError, match="not a file"):
        check(tmp_path, "Account,Balance\nA,0\n", path="x.csv")
