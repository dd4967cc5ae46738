"""Journal entries: what each record gives, what forbids it, and that the gates see a changed line."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from plugins.finance.tests.finance_rooms import desk, patch, rules, verdicts

from deskmate.plugin import ToolInputError
from deskmate_finance.journal import Parts, Record
from deskmate_finance.periods import Month, find_month
from deskmate_finance.tools.journal import je_build

HEAD = "Type,Description,Debit account,Credit account,Amount,Reference,Preparer,Approver\n"
ACCRUAL = "Accrual,Audit fee,6100,2100,4500.00,ENG-7,Ann,Bo\n"
SPREAD = (
    "Description,Debit account,Credit account,Amount,Start,Months,End,Spread,Residual,Reference\n"
    "Insurance,6300,1300,10000.00,2025-01-01,12,,,,POL-1\n"
    "Machine,6800,1600,31000.00,2024-11-15,36,,,1000.00,FA-4\n"
    "Licence,6300,1300,365.00,2025-03-30,,2025-04-08,days,,L-9\n"
    "Over,6300,1300,50.00,2024-01-01,3,,,,OLD-1\n"
)
PAYROLL = (
    "Entry,Account,Debit,Credit,Reference,Description\n"
    "PR-3,6000,10000.00,,Payroll March,Gross pay\n"
    "PR-3,2100,,2500.00,Payroll March,Tax and insurance\n"
    "PR-3,1000,,7500.00,Payroll March,Net pay\n"
)


def built(tmp_path: Path, text: str, more: dict[str, str] | None = None, **arguments: Any) -> Any:
    context = desk(tmp_path, {"records.csv": text, **(more or {})})
    given_ = {"period": "2025-03", **arguments}
    return context, je_build(context, "records.csv", **given_)


def lines_of(context: Any) -> list[list[str]]:
    text = (context.workspace / "journal entries upload.csv").read_text()
    return [line.split(",") for line in text.splitlines()[1:]]


def test_an_accrual_is_reversed_on_the_first_day_of_the_next_month(tmp_path: Path) -> None:
    context, answer = built(tmp_path, HEAD + ACCRUAL)
    found = [(row[0], row[2], row[4], row[5], row[6]) for row in lines_of(context)]
    assert found == [
        ("JE-2025-03-001", "2025-03-31", "6100", "4500.00", ""),
        ("JE-2025-03-001", "2025-03-31", "2100", "", "4500.00"),
        ("JE-2025-03-001-R", "2025-04-01", "6100", "", "4500.00"),
        ("JE-2025-03-001-R", "2025-04-01", "2100", "4500.00", ""),
    ]
    found_by_gates = [v for each in answer.deliverables for v in verdicts(context, each)]
    assert {level for _, level, _ in found_by_gates} == {"warning"}  # no calendar of periods


def test_spread_amounts_give_the_share_of_the_month_and_nothing_after_their_end(
    tmp_path: Path,
) -> None:
    context, answer = built(tmp_path, SPREAD)
    # 10,000 / 12 of month 3; 30,000 / 36 of month 5; two of ten days
    assert [row[5] for row in lines_of(context) if row[5]] == ["833.33", "833.34", "73.00"]
    assert answer.result["idle"] == [5]


@given(st.decimals("0.01", "1e7", places=2), st.integers(1, 60), st.integers(0, 24))
def test_the_shares_of_all_months_add_up_to_the_whole(
    basis: Decimal, months: int, early: int
) -> None:
    def share(month: int) -> Decimal:
        after, before = (min(max(month + more, 0), months) for more in (1, 0))
        record = Record(
            number=1, entry="x", kind="prepaid", text="", accounts=("6000", "1300"), basis=basis,
            parts=Parts(all=months, after=after, before=before, unit="months"),
            day=date(2025, 1, 31), reference="r",
        )  # fmt: skip
        return record.amount(2)

    assert sum((share(m) for m in range(-early, months + early)), Decimal()) == basis


def test_an_entry_of_several_lines_balances_or_is_refused(tmp_path: Path) -> None:
    context, answer = built(tmp_path, PAYROLL, {"periods.csv": "period,status\n2025-03,open\n"})
    assert answer.result["entries"][0]["lines"] == 3
    assert [v for each in answer.deliverables for v in verdicts(context, each)] == []
    with pytest.raises(ToolInputError, match=r"entry PR-3: debits less credits are 0\.01"):
        built(tmp_path, PAYROLL.replace("7500.00", "7499.99"))


@pytest.mark.parametrize(
    ("text", "more", "says"),
    [
        (HEAD + ACCRUAL.replace("ENG-7", ""), {}, "row 2 has no support"),
        (HEAD + ACCRUAL.replace("6100", "9999"), {}, "account 9999 is not in the standard chart"),
        (HEAD + ACCRUAL.replace("6100", "2100"), {}, "debits and credits the same account"),
        (HEAD + ACCRUAL.replace("Bo", "ann"), {}, "Ann prepares and approves"),
        (HEAD + ACCRUAL.replace("4500.00", "-4500.00"), {}, "no amount above 0"),
        (HEAD + ACCRUAL * 2, {}, "row 3 is row 2 once more"),
        (HEAD + ACCRUAL, {"periods.csv": "period,status\n2025-03,closed\n"}, "period 2025-03 is closed"),
        (HEAD + ACCRUAL, {"periods.csv": "period,status\n2025-02,open\n"}, "not in the calendar"),
        (HEAD, {}, "no records"),
        ("A,B\nx,y\n", {}, "needs debit account"),
        (SPREAD.replace("2025-01-01", ""), {}, "row 2: an amount that is spread needs a start"),
        (SPREAD.replace(",12,,,", ",12,2025-11-30,,"), {}, "do not end on 2025-11-30"),
        (SPREAD.replace("2025-04-08", "2025-03-01"), {}, "before it starts"),
    ],
)  # fmt: skip
def test_what_forbids_a_posting_is_named_by_row(
    tmp_path: Path, text: str, more: Any, says: str
) -> None:
    with pytest.raises(ToolInputError, match=says):
        built(tmp_path, text, more)


def test_a_posting_that_was_made_before_is_refused_and_an_older_one_is_not(tmp_path: Path) -> None:
    posted = "Date,Account,Debit,Credit,Reference\n2025-02-28,6100,4500.00,,eng-7\n"
    with pytest.raises(ToolInputError, match=r"posted on 2025-02-28 \(row 2"):
        built(tmp_path, HEAD + ACCRUAL, {"gl.csv": posted}, files={"earlier": "gl.csv"})
    old = posted.replace("2025-02-28", "2024-11-30")
    _, answer = built(tmp_path, HEAD + ACCRUAL, {"gl.csv": old}, files={"earlier": "gl.csv"})
    assert answer.result["entry_count"] == 2


def test_approval_is_needed_from_the_limit_on(tmp_path: Path) -> None:
    context = desk(
        tmp_path, {"records.csv": HEAD + ACCRUAL.replace("Bo", "")}, journal_approval_limit=5000
    )
    answer = je_build(context, "records.csv", "2025-03")
    assert answer.result["entries"][0]["approval"] == "below the limit for approval"
    assert answer.result["unapproved"] == 0


@pytest.mark.parametrize(
    ("sheet", "cell", "value", "result", "rule"),
    [
        ("Journal entries", "F6", 4501, True, {"FIN-JE-BALANCES", "FIN-LIVE-TOTALS"}),
        ("Journal entries", "F6", 4500, False, {"FIN-JE-SUPPORTED", "FIN-LIVE-TOTALS"}),
        ("Journal entries", "C6", "6200", False, {"FIN-JE-SUPPORTED"}),
        ("Support", "F6", 4600, False, {"FIN-JE-SUPPORTED", "FIN-LIVE-TOTALS"}),
        ("Checks", "J6", "approver named: Eve", False, {"FIN-JE-SUPPORTED"}),
    ],
)
def test_a_changed_workbook_is_refused(
    tmp_path: Path, sheet: str, cell: str, value: Any, result: bool, rule: set[str]
) -> None:
    calendar = {"periods.csv": "period,status\n2025-03,open\n"}
    context, answer = built(tmp_path, HEAD + ACCRUAL, calendar)
    patch(context.workspace / answer.result["path"], sheet, cell, value, result=result)
    assert rules(verdicts(context, answer.deliverables[0])) == rule


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        (",4500.00,,", ",4500.01,,", {"FIN-JE-BALANCES", "FIN-JE-SUPPORTED"}),
        ("6100", "6200", {"FIN-JE-SUPPORTED"}),
        ("Entry,Line", "Entry,No", {"FIN-JE-BALANCES", "FIN-JE-SUPPORTED"}),
    ],
)
def test_a_changed_upload_is_refused(tmp_path: Path, old: str, new: str, rule: set[str]) -> None:
    calendar = {"periods.csv": "period,status\n2025-03,open\n"}
    context, answer = built(tmp_path, HEAD + ACCRUAL, calendar)
    file = context.workspace / answer.result["upload"]
    file.write_text(file.read_text().replace(old, new, 1))
    assert rules(verdicts(context, answer.deliverables[1])) == rule


def test_an_original_that_the_host_does_not_hold_leaves_the_entries_unverified(
    tmp_path: Path,
) -> None:
    context, answer = built(tmp_path, HEAD + ACCRUAL)
    found = verdicts(context, answer.deliverables[0], originals=[])
    assert any("UNVERIFIED" in message for _, level, message in found if level == "error")


def test_months_are_found_and_counted() -> None:
    assert find_month("accruals for 2025-03 please") == Month(2025, 3)
    assert find_month("2025-03 and 2025-04") is None
    assert Month(2025, 11).later(2) == Month(2026, 1)
