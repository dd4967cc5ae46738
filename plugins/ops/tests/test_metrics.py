"""The figures of a process: measured once for the workbook, once more for the gate, and here by pandas."""

from __future__ import annotations

import gzip
import random
import re
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pytest

from deskmate.plugin import ToolContext, ToolInputError
from deskmate_ops.clock import Clock
from deskmate_ops.recount import _Days
from deskmate_ops.tools.measures import process_metrics
from deskmate_ops.validators.live import live_formulas
from deskmate_ops.validators.rules import sums_tie

LOG = """Case ID,Activity,Timestamp
1,Open,2025-01-01 08:00
2,Open,2025-01-01 09:00
1,Check,2025-01-01 10:00
1,Check,2025-01-01 11:30
1,Close,2025-01-02 08:00
2,Close,2025-01-01 09:45
"""
STARTS = """Case,Activity,Start,End
A,Open,2025-01-03 08:00,2025-01-03 09:00
A,Fix,2025-01-03 16:00,2025-01-06 10:00
B,Open,2025-01-03 09:00,2025-01-03 09:30
"""
XES = """<?xml version="1.0"?>
<log xmlns="http://www.xes-standard.org/">
<trace><string key="concept:name" value="7"/>
<event><string key="concept:name" value="Open"/><date key="time:timestamp" value="2025-01-01T08:00:00+01:00"/>
<string key="lifecycle:transition" value="start"/></event>
<event><string key="concept:name" value="Open"/><date key="time:timestamp" value="2025-01-01T09:00:00+01:00"/>
<string key="lifecycle:transition" value="complete"/></event>
<event><string key="concept:name" value="Fix"/><date key="time:timestamp" value="2025-01-01T09:30:00+01:00"/>
<string key="lifecycle:transition" value="schedule"/></event>
<event><string key="concept:name" value="Fix"/><date key="time:timestamp" value="2025-01-01T10:00:00+01:00"/>
<string key="lifecycle:transition" value="start"/></event>
</trace></log>"""


def generated(cases: int) -> str:
    """Return a log of many cases with loops, skips and equal times, shuffled."""
    chance = random.Random(7)
    rows = []
    for number in range(cases):
        at = datetime(2026, 3, 2, 8, tzinfo=UTC) + timedelta(minutes=97 * number)
        path = ["Receive", "Check", *(["Ask", "Check"] * chance.choice([0, 0, 0, 1, 2]))]
        path += ["Reject"] if chance.random() < 0.2 else ["Approve", "Pay"]
        for name in path:
            at += timedelta(seconds=chance.choice([0, 60, 3700, 90_061, 400_000]))
            rows.append(f"C{number},{name},{at:%Y-%m-%dT%H:%M:%S}")
    chance.shuffle(rows)
    return "case,activity,timestamp\n" + "\n".join(rows) + "\n"


def rows_of(context: ToolContext, sheet: str) -> list[tuple[Any, ...]]:
    book = openpyxl.load_workbook(context.workspace / "process-metrics.xlsx", data_only=True)
    return list(book[sheet].iter_rows(values_only=True))


def test_cases_variants_and_durations_are_measured(desk: Any, verdict: Any) -> None:
    context = desk({"log.csv": LOG})
    answer = process_metrics(context)
    summary = answer.result["summary"]
    assert (summary["Events"], summary["Cases"], summary["Variants"]) == ("6", "2", "2")
    assert summary["Median hours per case"] == "12.38"
    assert summary["Longest hours of a case"] == "24.00"
    assert summary["Cases with a repeated activity"] == "1"
    assert answer.result["handovers"][0]["total_hours"] == "20.50"
    assert answer.result["bottleneck"].startswith("Check → Close: 20.50 hours in all cases (82.8")
    assert answer.result["activities"][0] == {
        "activity": "Check", "events": 2, "cases": 1, "repeats": 1,
    }  # fmt: skip
    assert rows_of(context, "Handovers")[-1][2:5] == (4, None, 24.75)
    for rule in (sums_tie, live_formulas):
        assert verdict(rule, answer.deliverables[0], context) == []


def test_the_figures_are_those_of_pandas(desk: Any, verdict: Any, tmp_path: Path) -> None:
    context = desk({"log.csv": generated(200)})
    answer = process_metrics(context)
    frame = pd.read_csv(tmp_path / "log.csv", parse_dates=["timestamp"])
    frame = frame.sort_values(["case", "timestamp"], kind="stable")
    grouped = frame.groupby("case")
    hours = (grouped.timestamp.max() - grouped.timestamp.min()).dt.total_seconds() / 3600
    lines = {row[0]: row[1] for row in rows_of(context, "Summary")}
    assert lines["Cases"] == len(hours)
    assert lines["Median hours per case"] == pytest.approx(hours.median(), abs=1e-6)
    assert lines["Mean hours per case"] == pytest.approx(hours.mean(), abs=1e-6)
    assert lines["90 % of cases took at most hours"] == pytest.approx(sorted(hours)[179], abs=1e-6)
    paths = grouped.activity.agg(" → ".join).value_counts()
    assert lines["Variants"] == len(paths)
    shown = {row[6]: row[1] for row in rows_of(context, "Variants")[1:-1]}
    assert shown == paths.to_dict()
    frame["next"] = grouped.activity.shift(-1)
    frame["gap"] = (grouped.timestamp.shift(-1) - frame.timestamp).dt.total_seconds() / 3600
    moves = frame.dropna().groupby(["activity", "next"]).gap.agg(["count", "sum", "median"])
    there = {row[:2]: row[2:5] for row in rows_of(context, "Handovers")[1:-1]}
    assert set(there) == set(moves.index)
    for key, row in moves.iterrows():
        times, middle, whole = there[key]
        assert (times, middle, whole) == pytest.approx(
            (row["count"], row["median"], row["sum"]), abs=1e-6
        )
    weeks = rows_of(context, "Weeks")
    assert weeks[-1][1:3] == (200, 200)
    assert weeks[-2][3] == 0
    assert verdict(sums_tie, answer.deliverables[0], context) == []


def test_starts_split_working_from_waiting_and_business_hours_leave_the_rest_out(
    desk: Any, verdict: Any
) -> None:
    context = desk({"log.csv": STARTS}, business_hours="mon-fri 09:00-17:00", holidays=[])
    answer = process_metrics(context)
    # Friday 09:00 to 17:00, and Monday 09:00 to 10:00
    assert answer.result["summary"]["Longest hours of a case"] == "9.00"
    fix = next(row for row in rows_of(context, "Activities") if row[0] == "Fix")
    assert fix[8] == 2  # an hour on Friday, one on Monday
    assert rows_of(context, "Handovers")[1][9] == 7  # from 09:00 to 16:00
    lines = {row[0]: row[1] for row in rows_of(context, "Summary")}
    assert lines["Hours counted"] == "mon, tue, wed, thu, fri 09:00-17:00"
    assert verdict(sums_tie, answer.deliverables[0], context) == []
    asked = process_metrics(context, settings={"hours": "all hours"})
    assert asked.result["summary"]["Longest hours of a case"] == "74.00"
    assert verdict(sums_tie, asked.deliverables[0], context) == []
    claimed: dict[str, Any] = {"settings": {}}
    assert verdict(sums_tie, asked.deliverables[0], context, data=claimed)


@pytest.mark.parametrize("name", ["log.xes", "log.xes.gz"])
def test_xes_is_read_and_its_transitions_are_paired(
    desk: Any, verdict: Any, tmp_path: Path, name: str
) -> None:
    context = desk({})
    data = XES.encode()
    (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith("gz") else data)
    answer = process_metrics(context, path=name)
    summary = answer.result["summary"]
    assert (summary["Events"], summary["Started, not completed"]) == ("2", "1")
    assert summary["Left out, schedule"] == "1"
    assert summary["First event"] == "2025-01-01 08:00:00+01:00"
    assert verdict(sums_tie, answer.deliverables[0], context) == []


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"<log><trace>", "not a readable XES"),
        (b"<html/>", "begins with 'html'"),
        (b"<log><trace><event/></trace></log>", "has no concept:name"),
        (b'<!DOCTYPE a [<!ENTITY b "c">]><log>&b;</log>', "not a readable XES"),
    ],
)
def test_broken_and_hostile_xes_is_refused_in_one_line(
    desk: Any, tmp_path: Path, data: bytes, says: str
) -> None:
    (tmp_path / "log.xes").write_bytes(data)
    with pytest.raises(ToolInputError, match=says):
        process_metrics(desk({}))


def test_business_hours_are_the_same_counted_day_by_day() -> None:
    chance = random.Random(3)
    clock = Clock.of("sun-thu 08:30-16:15", ["2026-01-04", "2026-01-09"])
    first = datetime(2026, 1, 1, tzinfo=UTC)
    days = _Days(clock, first, first + timedelta(days=40))
    for _ in range(300):
        one = first + timedelta(seconds=chance.randrange(40 * 86_400))
        other = one + timedelta(seconds=chance.randrange(86_400))
        assert clock.span(one, other) / 3.6e9 == pytest.approx(days.between(one, other), abs=1e-6)


@pytest.mark.parametrize(
    ("hours", "holidays"),
    [("9 to 5", []), ("mon-xyz 09:00-17:00", []), ("mon 17:00-09:00", []), ("mon 09:00-25:00", []), ("mon 09:00-17:00", ["soon"])],
)  # fmt: skip
def test_calendars_that_cannot_be_read_are_refused(
    desk: Any, hours: str, holidays: list[str]
) -> None:
    with pytest.raises(ToolInputError):
        process_metrics(desk({"log.csv": LOG}, business_hours=hours, holidays=holidays))


@pytest.mark.parametrize(
    ("sheet", "cell", "value"),
    [
        ("Summary", "B3", 3),
        ("Summary", "B10", 12.4),
        ("Variants", "B2", 2),
        ("Variants", "G2", "Open → Close → Open"),
        ("Activities", "D2", 0),
        ("Handovers", "E2", 20.4999),
        ("Weeks", "D2", 1),
        ("Cases", "D3", "2025-01-01 09:46:00"),
    ],
)
def test_a_figure_that_is_not_the_logs_is_found(
    desk: Any, verdict: Any, tmp_path: Path, sheet: str, cell: str, value: Any
) -> None:
    context = desk({"log.csv": LOG})
    (deliverable,) = process_metrics(context).deliverables
    book = openpyxl.load_workbook(tmp_path / "process-metrics.xlsx", data_only=True)
    book[sheet][cell] = value
    book.save(tmp_path / "process-metrics.xlsx")
    assert verdict(sums_tie, deliverable, context)


def test_a_total_that_is_typed_or_a_formula_that_gives_another_result_is_found(
    desk: Any, verdict: Any, tmp_path: Path
) -> None:
    context = desk({"log.csv": LOG})
    (deliverable,) = process_metrics(context).deliverables
    file = tmp_path / "process-metrics.xlsx"
    sound = file.read_bytes()
    book = openpyxl.load_workbook(file)
    assert book["Handovers"]["A6"].value == "Total"
    book["Handovers"]["C6"] = 4
    book.save(file)
    assert any(
        "typed where a formula belongs" in m for m in verdict(live_formulas, deliverable, context)
    )
    file.write_bytes(sound)
    assert verdict(live_formulas, deliverable, context) == []
    with zipfile.ZipFile(file) as package:
        parts = {name: package.read(name) for name in package.namelist()}
    with zipfile.ZipFile(file, "w") as package:
        for name, data in parts.items():
            lie = re.sub(rb"(SUM\(C2:C5\)</f><v>)4[.0]*(</v>)", rb"\g<1>5\2", data)
            package.writestr(name, lie)
    assert "its formula gives '4'" in verdict(live_formulas, deliverable, context)[0]
    file.write_bytes(b"junk")
    assert "cannot be computed" in verdict(live_formulas, deliverable, context)[0]


def test_a_workbook_whose_looks_were_changed_passes(
    desk: Any, verdict: Any, tmp_path: Path
) -> None:
    context = desk({"log.csv": LOG})
    (deliverable,) = process_metrics(context).deliverables
    book = openpyxl.load_workbook(tmp_path / "process-metrics.xlsx", data_only=True)
    book["Summary"].column_dimensions["A"].width = 80
    book["Summary"]["A1"].font = openpyxl.styles.Font(italic=True)
    book.save(tmp_path / "process-metrics.xlsx")
    assert verdict(sums_tie, deliverable, context) == []


def test_lost_rows_sheets_sources_and_files_fail(desk: Any, verdict: Any, tmp_path: Path) -> None:
    context = desk({"log.csv": LOG})
    (deliverable,) = process_metrics(context).deliverables
    assert "UNVERIFIED" in verdict(sums_tie, deliverable, context, held=False)[0]
    wrong = {"settings": {"case": "Nope"}}
    assert "cannot be computed" in verdict(sums_tie, deliverable, context, data=wrong)[0]
    file = tmp_path / "process-metrics.xlsx"
    book = openpyxl.load_workbook(file, data_only=True)
    book["Variants"].delete_rows(3)
    book.save(file)
    assert any("of the log is missing" in m for m in verdict(sums_tie, deliverable, context))
    del book["Variants"]
    book.save(file)
    assert "has the sheets" in verdict(sums_tie, deliverable, context)[0]
    file.write_bytes(b"junk")
    assert "not a readable workbook" in verdict(sums_tie, deliverable, context)[0]


def test_what_a_log_says_never_becomes_a_formula(desk: Any, verdict: Any, tmp_path: Path) -> None:
    text = 'case,activity,timestamp\n1,"=HYPERLINK(""x"")",2025-01-01\n1,+1,2025-01-02\n'
    context = desk({"log.csv": text})
    (deliverable,) = process_metrics(context).deliverables
    book = openpyxl.load_workbook(tmp_path / "process-metrics.xlsx")
    assert {book["Activities"]["A2"].data_type, book["Activities"]["A3"].data_type} == {"s"}
    assert verdict(sums_tie, deliverable, context) == []


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("Case,Step\n1,a\n", "no timestamp column"),
        ("Case,Activity,Timestamp\n1,,2025-01-01\n", "row 2: case, activity or time is missing"),
        ("Case,Activity,Timestamp\n1,a,soon\n", "not a date"),
        ("Case,Activity,Timestamp\n", "no events"),
        ("Case,Activity,Start,End\n1,a,2025-01-02,2025-01-01\n", "row 2: it starts after it ends"),
        ("Case,Activity,Timestamp\n1,a,1025-01-02\n1,b,2025-01-01\n", "more than a hundred years"),
    ],
)
def test_logs_that_cannot_be_read_are_refused_with_the_place(
    desk: Any, text: str, says: str
) -> None:
    with pytest.raises(ToolInputError, match=says):
        process_metrics(desk({"log.csv": text}))
