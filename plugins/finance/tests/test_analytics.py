"""Unusual entries: each test finds what was planted and nothing beside it, and the gate sees a changed finding."""

from __future__ import annotations

import math
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from plugins.finance.tests.finance_rooms import desk, patch, rules, shown, verdicts

from deskmate.plugin import ToolInputError
from deskmate_finance.analytics import analyse, limits_of
from deskmate_finance.postings import read_postings
from deskmate_finance.tools.analytics import je_analytics

HEAD = "Entry,Posting date,Account,Debit,Credit,User,Description,Created at\n"


def entry(number: int, day: str, amount: str, *more: str) -> str:
    """Return two lines. `more`: debit account, credit account, user, text, created."""
    defaults = ("6000", "1000", "Ann", f"Wages {number}", f"{day} 10:00")
    debit, credit, user, text, created = (*more, *defaults[len(more) :])
    return (
        f"J-{number:03},{day},{debit},{amount},,{user},{text},{created}\n"
        f"J-{number:03},{day},{credit},,{amount},{user},{text},{created}\n"
    )


def usual(count: int = 60) -> str:
    """Return entries on working days that no test names."""
    days = [f"2025-{m:02}-{d:02}" for m in (3, 4, 5) for d in range(1, 29)]
    working = [d for d in days if date.fromisoformat(d).weekday() < 5]
    return HEAD + "".join(
        entry(n, working[n % len(working)], f"{137.31 + n * 61.07:.2f}") for n in range(count)
    )


def hits(tmp_path: Path, text: str, **settings: str) -> list[tuple[str, str]]:
    (tmp_path / "j.csv").write_text(text)
    made = analyse(read_postings(tmp_path / "j.csv", "j.csv", {}), limits_of(settings))
    return [(hit.test, hit.entry) for hit in made.hits]


def test_usual_entries_give_no_finding(tmp_path: Path) -> None:
    assert hits(tmp_path, usual(), holidays="2025-12-25", limit="10000") == []


@pytest.mark.parametrize(
    ("planted", "test"),
    [
        (entry(60, "2025-05-30", "20000.00"), "Round amount"),
        (entry(60, "2025-05-31", "12.34"), "Weekend"),
        (entry(60, "2025-05-01", "12.34"), "Holiday"),
        (entry(60, "2025-05-30", "12.34", "6000", "1000", "Ann", "x", "2025-05-30 23:10"), "Odd hour"),
        (entry(60, "2025-05-30", "12.34", "6000", "1000", "Ann", "x", "2025-06-20 10:00"), "Entered late"),
        (entry(60, "2025-05-30", "12.34", "6000", "1000", "Ann", ""), "No description"),
        (entry(60, "2025-05-30", "12.34").replace(",,12.34", ",,12.30"), "Does not balance"),
        (entry(60, "2025-05-30", "12.34", "6000", "4000"), "Unusual pair"),
        (entry(60, "2025-05-30", "12.34", "6000", "1000", "Zed"), "Seldom user"),
        (entry(60, "2025-05-30", "9700.00"), "Just below the limit"),
        (entry(60, "2025-05-30", "12.34").replace("30,1000", "29,1000"), "Number used twice"),
    ],
)  # fmt: skip
def test_each_test_finds_what_was_planted_and_nothing_else(
    tmp_path: Path, planted: str, test: str
) -> None:
    found = hits(tmp_path, usual() + planted, holidays="2025-05-01", limit="10000")
    assert [hit for hit in found if hit[1] == "J-060"] == [(test, "J-060")]


@pytest.mark.parametrize(
    ("planted", "test"),
    [
        (entry(60, "2025-05-30", "9000.00"), "below round_from"),
        (entry(60, "2025-05-30", "20000.01"), "no multiple"),
        (entry(60, "2025-05-30", "9499.99"), "more than 5 % below the limit"),
        (entry(60, "2025-05-30", "10000.01"), "over the limit"),
        (entry(60, "2025-05-30", "12.34", "6000", "1000", "Ann", "x", "2025-06-09 10:00"), "10 days"),
    ],
)  # fmt: skip
def test_a_near_miss_is_not_named(tmp_path: Path, planted: str, test: str) -> None:
    found = hits(tmp_path, usual() + planted, limit="10000")
    assert [hit for hit in found if hit[1] == "J-060"] == [], test


def test_a_copy_within_a_week_is_a_duplicate_and_next_months_is_not(tmp_path: Path) -> None:
    pair = entry(60, "2025-05-05", "900.10") + entry(61, "2025-05-12", "900.10")
    assert ("Duplicate", "J-061") in hits(tmp_path, usual() + pair)
    monthly = entry(60, "2025-04-07", "900.10") + entry(61, "2025-05-07", "900.10")
    assert hits(tmp_path, usual() + monthly) == []


def test_what_the_file_does_not_allow_is_said_not_passed_over(tmp_path: Path) -> None:
    text = "Entry,Date,Account,Amount\n1,2025-03-03,6000,5.00\n1,2025-03-03,1000,-5.00\n"
    context = desk(tmp_path, {"journal.csv": text})
    result = je_analytics(context).result
    left = {each["test"]: each["left_out"] for each in result["tests"] if each["left_out"]}
    assert left == {
        "Holiday": "no holidays were given",
        "Odd hour": "the file has no times of entry",
        "Entered late": "the file has no column for the created",
        "No description": "the file has no column for the text",
        "Unusual pair": "fewer than 50 entries",
        "Seldom user": "the file has no column for the user",
        "Just below the limit": "no limit of approval was given",
    }
    assert result["benford"].startswith("no conclusion")


def test_gaps_are_found_in_each_series(tmp_path: Path) -> None:
    (tmp_path / "j.csv").write_text(
        HEAD
        + "".join(entry(n, "2025-03-03", "5.00") for n in (1, 2, 5, 6, 8))
        + entry(3, "2025-03-03", "5.00").replace("J-", "K-")
    )
    made = analyse(read_postings(tmp_path / "j.csv", "j.csv", {}), limits_of({}))
    assert made.gaps == ("J-003 to J-004", "J-007")


@pytest.mark.parametrize(("digit", "reading"), [(None, "close conformity"), ("5", "no conformity")])
def test_first_digits_are_held_against_benford(
    tmp_path: Path, digit: str | None, reading: str
) -> None:
    # powers of a number that is no power of 10 follow the law
    amounts = [f"{10 ** (1 + n * math.log10(1.0617) % 3):.2f}" for n in range(600)]
    if digit:
        amounts = [digit + amount[1:] for amount in amounts]
    (tmp_path / "j.csv").write_text(
        HEAD + "".join(entry(n, "2025-03-03", a) for n, a in enumerate(amounts))
    )
    made = analyse(read_postings(tmp_path / "j.csv", "j.csv", {}), limits_of({}))
    assert (made.benford.total, made.benford.verdict) == (600, reading)


def test_the_summary_counts_what_the_findings_list(tmp_path: Path) -> None:
    planted = entry(60, "2025-05-31", "20000.00") + entry(62, "2025-05-25", "30000.00")
    context = desk(tmp_path, {"journal.csv": usual() + planted})
    answer = je_analytics(context, settings={"limit": "10000"})
    figures = shown(context.workspace / answer.result["path"], "Summary")
    assert (figures["Round amount"], figures["Weekend"], figures["Duplicate"]) == (2, 2, 0)
    assert figures["Debits"] == pytest.approx(float(answer.result["debits"].replace(",", "")))
    assert answer.result["first"].startswith("J-060, 2025-05-31, 20,000.00")
    assert verdicts(context, answer.deliverables[0]) == []


@pytest.mark.parametrize(
    ("sheet", "cell", "value", "rule"),
    [
        ("Findings", "B6", "Weekend", {"FIN-JET-REPRODUCES", "FIN-LIVE-TOTALS"}),
        ("Findings", "J6", "nothing", {"FIN-JET-REPRODUCES"}),
        ("Summary", "B6", 121, {"FIN-JET-REPRODUCES"}),
        ("Summary", "D16", "anything", {"FIN-JET-REPRODUCES"}),
        ("First digits", "B6", 1, {"FIN-JET-REPRODUCES", "FIN-LIVE-TOTALS"}),
    ],
)
def test_a_changed_finding_is_refused(
    tmp_path: Path, sheet: str, cell: str, value: Any, rule: set[str]
) -> None:
    planted = entry(60, "2025-05-30", "20000.00")
    context = desk(tmp_path, {"journal.csv": usual() + planted})
    answer = je_analytics(context)
    patch(context.workspace / answer.result["path"], sheet, cell, value)
    assert rules(verdicts(context, answer.deliverables[0])) == rule


@pytest.mark.parametrize(
    ("text", "settings", "says"),
    [
        ("A,B\nx,y\n", {}, "no column for the entry"),
        (HEAD + ",2025-03-03,6000,1.00,,,,\n", {}, "row 2: the entry, the date or the account"),
        (HEAD, {}, "no postings"),
        (usual(2), {"hours": "20-7"}, "give them as 7-20"),
        (usual(2), {"round_unit": "0"}, "unit of round amounts is 0"),
        (usual(2), {"holidays": "Christmas"}, "no day such as"),
        (usual(2), {"foo": "1"}, "'foo' is unknown"),
    ],
)
def test_what_cannot_be_used_is_refused(
    tmp_path: Path, text: str, settings: dict[str, str], says: str
) -> None:
    context = desk(tmp_path, {"journal.csv": text})
    with pytest.raises(ToolInputError, match=says):
        je_analytics(context, settings=settings)


def test_a_negative_debit_is_a_credit(tmp_path: Path) -> None:
    (tmp_path / "j.csv").write_text(HEAD + "1,2025-03-03,6000,-5.00,,,,\n")
    (line,) = read_postings(tmp_path / "j.csv", "j.csv", {}).lines
    assert (line.debit, line.credit) == (Decimal(), Decimal("5.00"))
