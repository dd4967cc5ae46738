"""Checked changes: every open point of a request, freezes and overlaps as pandas finds them, and no verdict without its reasons."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from itertools import combinations
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pytest

from deskmate.plugin import ToolInputError
from deskmate_documents.office.gates import shared_gates
from deskmate_ops.changes import FIELDS, Rules
from deskmate_ops.tools.changes import change_check
from deskmate_ops.validators.live import live_formulas
from deskmate_ops.validators.plan_rules import change_checked

DAY = "2026-11-29"
FACTS = {"date": DAY}
HEAD = (
    "Change ID,Title,Requester,Approvers,Systems,Impact,Likelihood,Risk class,Start,End,Plan,Rollback plan,Rollback tested,"
    "Test evidence,Communication\n"
)
CHANGES = HEAD + (
    "CR-1,Upgrade the database,Lee Marsh,Dana Petrov; Sam Okoye,Warehouse DB,high,medium,high,2026-12-05 20:00,2026-12-06 04:00,"
    "run it,restore the snapshot,2026-11-20,TR-77,by mail\n"
    "CR-2,Patch the servers,Lee Marsh,Lee Marsh,Warehouse DB; Order desk,medium,low,low,2026-12-06 02:00,2026-12-06 05:00,"
    "rolling,previous image,yes,TR-78,banner\n"
    "CR-3,New price lists,Ada Okafor,Dana Petrov,Order desk,low,low,medium,2026-12-19 18:00,2026-12-19 20:00,"
    "script,TBD,,TR-80,by mail\n"
    "CR-4,Replace the switch,Sam Okoye,Dana Petrov,Network,high,huge,,2026-12-12 22:00,2026-12-12 21:00,swap,old one,no,,\n"
    "CR-5,Rotate certificates,Sam Okoye,Dana Petrov,Order desk,low,medium,low,2026-12-08 10:00,2026-12-08 11:00,"
    "script,old one kept,2026-11-15,TR-81,by mail\n"
    "CR-6,Late one,Sam Okoye,Dana Petrov,Ledger,low,low,low,2026-11-20 10:00,2026-11-20 11:00,script,undo,2026-11-15,TR-82,by mail\n"
)
FREEZES = "Name,From,To,Systems\nYear-end,2026-12-18,2027-01-03,Order desk; Ledger\n"


def test_each_open_point_of_a_change_is_named_and_a_sound_one_is_ready(
    desk: Any, verdict: Any, tmp_path: Path
) -> None:
    context = desk({"changes.csv": CHANGES, "freeze calendar.csv": FREEZES})
    answer = change_check(context, as_of=DAY)
    assert answer.result["points"] == [
        "CR-1: it overlaps CR-2 on warehouse db",
        "CR-2: its requester is among its approvers",
        "CR-2: 0 of 1 approvers besides the requester, as a low risk needs",
        "CR-2: it overlaps CR-1 on warehouse db",
        "CR-3: it says that its risk is medium; impact and likelihood give low",
        "CR-3: it cannot be rolled back: TBD",
        "CR-3: it lies in the freeze Year-end, 2026-12-18 00:00 to 2027-01-04 00:00",
        "CR-4: it does not say what tests prove it",
        "CR-4: it does not say who is told",
        "CR-4: its likelihood 'huge' is not low, medium or high",
        "CR-4: 1 of 2 approvers besides the requester, as a risk that is not rated needs",
        "CR-4: its roll-back is not tested: no",
        "CR-4: its window ends before it begins",
        "CR-6: its window began on 2026-11-20 10:00, which is past",
    ]
    assert [c["id"] for c in answer.result["changes"] if c["verdict"] == "ready"] == ["CR-5"]
    for item in answer.deliverables:
        assert verdict(change_checked, item, context, facts=FACTS) == []
        assert [
            m for gate in shared_gates() for m in verdict(gate.function, item, context, facts=FACTS)
        ] == []
    assert verdict(live_formulas, answer.deliverables[0], context) == []
    book = openpyxl.load_workbook(tmp_path / "change-check.xlsx")
    assert book["Changes"]["J2"].value == '=IF(I2=0,"ready","not ready")'
    assert "Freeze: Year-end" in (tmp_path / "change-check.svg").read_text()


@pytest.mark.parametrize("seed", [1])
def test_overlaps_and_freezes_are_those_of_pandas(
    desk: Any, verdict: Any, tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    rows = ["ID,Title,Systems,Start,End"]
    for number in range(40):
        start = datetime(2026, 12, 1, tzinfo=UTC) + timedelta(hours=chance.randint(0, 200))
        systems = "; ".join(chance.sample(["CRM", "ERP", "Mail", "Web"], chance.randint(1, 2)))
        rows.append(
            f"C{number},Change {number},{systems},{start:%Y-%m-%d %H:%M},{start + timedelta(hours=chance.randint(1, 6)):%Y-%m-%d %H:%M}"
        )
    context = desk(
        {
            "changes.csv": "\n".join(rows) + "\n",
            "freeze.csv": "Name,Start,End,Systems\nSale,2026-12-03 12:00,2026-12-04 12:00,Web\n",
        }
    )
    answer = change_check(context, as_of=DAY)
    table = pd.read_csv(tmp_path / "changes.csv", parse_dates=["Start", "End"])
    table["set"] = table["Systems"].str.lower().str.split("; ").map(set)
    right = set()
    for (_, a), (_, b) in combinations(table.iterrows(), 2):
        if (
            pd.Interval(a.Start, a.End, closed="left").overlaps(
                pd.Interval(b.Start, b.End, closed="left")
            )
            and a.set & b.set
        ):
            shared = ", ".join(sorted(a.set & b.set))
            right |= {
                f"{a.ID}: it overlaps {b.ID} on {shared}",
                f"{b.ID}: it overlaps {a.ID} on {shared}",
            }
    frozen = pd.Interval(
        pd.Timestamp("2026-12-03 12:00"), pd.Timestamp("2026-12-04 12:00"), closed="left"
    )
    inside = [
        row.ID
        for row in table.itertuples()
        if frozen.overlaps(pd.Interval(row.Start, row.End, closed="left")) and "web" in row.set
    ]
    book = openpyxl.load_workbook(tmp_path / "change-check.xlsx", data_only=True)
    points = [
        f"{row[0]}: {row[2]}" for row in list(book["Open points"].values)[1:] if row[1] == "window"
    ]
    assert {p for p in points if "overlaps" in p} == right
    assert [p.partition(":")[0] for p in points if "freeze" in p] == inside
    assert verdict(change_checked, answer.deliverables[0], context, facts=FACTS) == []


def test_a_check_that_says_anything_else_is_found(desk: Any, lies: Any) -> None:
    context = desk({"changes.csv": CHANGES, "freeze calendar.csv": FREEZES})
    item = change_check(context, as_of=DAY).deliverables[0]
    cells = [
        ("Changes", "J2", "ready", "the source gives 'not ready'"),
        ("Changes", "I3", 0, "the source gives '3'"),
        ("Changes", "C4", "high", "the source gives 'low'"),
        ("Changes", "H2", "Ada Okafor", "the source gives"),
        ("Open points", "C3", "nothing", "is none"),
        ("Open points", "A3", "CR-5", "do not say so"),
        ("Schedule", "E2", "2026-12-24 00:00", "the source gives"),
        ("Terms", "B2", "2026-12-24", "the source gives"),
    ]
    lies(change_checked, item, context, cells)


def test_near_misses_pass_and_what_is_broken_old_or_not_held_fails(
    desk: Any, verdict: Any, tmp_path: Path
) -> None:
    context = desk({"changes.csv": CHANGES, "freeze calendar.csv": FREEZES})
    item, svg, png = change_check(context, as_of=DAY).deliverables
    file = tmp_path / "change-check.xlsx"
    book = openpyxl.load_workbook(file, data_only=True)
    book["Changes"]["B2"].font = openpyxl.styles.Font(italic=True)
    book.save(file)
    assert verdict(change_checked, item, context, facts=FACTS) == []
    assert any("typed" in message for message in verdict(live_formulas, item, context))
    assert "UNVERIFIED" in verdict(change_checked, item, context, held=False)[0]
    assert (
        "neither today" in verdict(change_checked, item, context, facts={"date": "2027-03-01"})[0]
    )
    (tmp_path / svg.path).write_text(
        (tmp_path / svg.path).read_text().replace("#E06666", "#70AD47")
    )
    assert verdict(change_checked, svg, context, facts=FACTS) == [
        "The picture is not the one that its source gives."
    ]
    for broken in (item, png):
        (tmp_path / broken.path).write_bytes(b"junk")
        assert "not a readable" in verdict(change_checked, broken, context, facts=FACTS)[0]


def test_house_rules_say_what_is_needed(desk: Any) -> None:
    lean = "ID,Title,Systems,Start,End,Rollback,Rollback tested\nC1,a,CRM,2026-12-01 10:00,2026-12-01 20:00,undo,yes\n"
    context = desk(
        {"changes.csv": lean}, change_fields=["systems", "start", "end"], change_longest_hours=8
    )
    assert change_check(context, as_of=DAY).result["points"] == [
        "C1: its window is 10 hours long, more than 8"
    ]
    for config in (
        {"change_fields": ["cost"]},
        {"change_approvers": {"low": -1}},
        {"change_longest_hours": "x"},
    ):
        with pytest.raises(ToolInputError, match="setting change_"):
            Rules.of(config)
    assert Rules.of({}).needed == tuple(FIELDS)


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({"changes.csv": "ID,System\n1,a\n"}, "no column for title"),
        ({"changes.csv": "ID,Title\n1,a\n1,b\n"}, "stands in row 2 too"),
        ({"changes.csv": "ID,Title,Start\n1,a,2026-13-01\n"}, "not a date"),
        (
            {
                "changes.csv": "ID,Title\n1,a\n",
                "freeze.csv": "Name,Start,End\nX,2026-12-02,2026-12-01\n",
            },
            "ends before it begins",
        ),
        (
            {"changes.csv": "ID,Title\n1,a\n", "freeze.csv": "Name,Start,End\nX,2026-12-02,\n"},
            "start and end of a freeze",
        ),
    ],
)
def test_tables_that_do_not_fit_are_refused(desk: Any, files: dict[str, str], says: str) -> None:
    with pytest.raises(ToolInputError, match=says):
        change_check(desk(files), as_of=DAY)
