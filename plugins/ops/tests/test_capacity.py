"""The capacity plan: added up for the workbook, again for the gate in fractions, and here by pandas."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pytest

from deskmate.plugin import ToolInputError
from deskmate_documents.office.gates import shared_gates
from deskmate_ops.capacity import Limits
from deskmate_ops.tools.capacity import asked_stress, capacity_plan
from deskmate_ops.validators.live import live_formulas
from deskmate_ops.validators.plan_rules import capacity_ties

WEEKS = [f"2026-W{n}" for n in range(40, 46)]


def sources(seed: int) -> dict[str, str]:
    chance = random.Random(seed)
    people = ["Team,Person," + ",".join(WEEKS)]
    for team, size in (("Assembly", 5), ("Welding", 2), ("Quality", 1)):
        people += [
            f"{team},P{n},{','.join(str(chance.choice([32, 36.5, 40])) for _ in WEEKS)}"
            for n in range(size)
        ]
    work = ["Team,Work,Week,Hours"]
    for team, load in (("Assembly", 150), ("Welding", 88), ("Quality", 30), ("Logistics", 12)):
        work += [
            f"{team},Order {n},{week},{round(load / 2 * chance.uniform(0.6, 1.3), 2)}"
            for week in WEEKS
            for n in range(2)
        ]
    return {"capacity.csv": "\n".join(people) + "\n", "demand.csv": "\n".join(work) + "\n"}


@pytest.mark.parametrize("seed", [1])
def test_sums_shares_and_what_ifs_are_those_of_pandas(
    desk: Any, verdict: Any, tmp_path: Path, seed: int
) -> None:
    context = desk(sources(seed))
    answer = capacity_plan(
        context,
        scenarios=[
            {"name": "More", "demand": "1.25"},
            {"name": "Hire", "team": "Welding", "capacity": "40"},
        ],
    )
    wide = pd.read_csv(tmp_path / "capacity.csv").groupby("Team")[WEEKS].sum()
    long = pd.read_csv(tmp_path / "demand.csv").pivot_table(
        index="Team", columns="Week", values="Hours", aggfunc="sum"
    )
    book = openpyxl.load_workbook(tmp_path / "capacity-plan.xlsx", data_only=True)

    def sheet(name: str, columns: int) -> pd.DataFrame:
        rows = list(book[name].values)
        return pd.DataFrame(rows[1:], columns=rows[0]).set_index(list(rows[0][:columns]))

    use = sheet("Utilisation", 1)
    for team in wide.index:
        for week in WEEKS:
            assert use.loc[team, week] == pytest.approx(long.loc[team, week] / wide.loc[team, week])
        assert use.loc[team, "All periods"] == pytest.approx(
            long.loc[team].sum() / wide.loc[team].sum()
        )
    assert set(use.loc["Logistics"]) == {"no capacity"}
    assert use.loc["Total", "All periods"] == pytest.approx(
        long.to_numpy().sum() / wide.to_numpy().sum()
    )
    tried = sheet("What-if", 2)
    assert tried.loc[("More", "Welding"), WEEKS[0]] == pytest.approx(
        1.25 * long.loc["Welding", WEEKS[0]] / wide.loc["Welding", WEEKS[0]]
    )
    assert tried.loc[("Hire", "Welding"), WEEKS[2]] == pytest.approx(
        long.loc["Welding", WEEKS[2]] / (wide.loc["Welding", WEEKS[2]] + 40)
    )
    assert tried.loc[("Hire", "Assembly"), WEEKS[2]] == pytest.approx(use.loc["Assembly", WEEKS[2]])
    assert answer.result["bottleneck"] == "Logistics"
    by_team = {row["team"]: row for row in answer.result["teams"]}
    assert by_team["Welding"]["periods_over"] == (long.loc["Welding"] > wide.loc["Welding"]).sum()
    for item in answer.deliverables:
        assert verdict(capacity_ties, item, context) == []
        assert [m for gate in shared_gates() for m in verdict(gate.function, item, context)] == []
    assert verdict(live_formulas, answer.deliverables[0], context) == []


def test_the_usual_what_ifs_are_more_demand_and_the_bottleneck_relieved(
    desk: Any, verdict: Any, tmp_path: Path
) -> None:
    files = {
        "capacity.csv": "Team,Week,Hours\nA,1,40\nA,2,40\nB,1,10\nB,2,10\n",
        "demand.csv": "Team,Week,Hours\nA,1,38\nA,2,10\nB,1,14\nB,2,9\n",
    }
    context = desk(files)
    answer = capacity_plan(context, request="Capacity plan with 20 % more demand")
    assert answer.result["scenarios"] == [
        "As planned: 1 of 4 cells over 100% (B)",
        "Demand +20 %: 3 of 4 cells over 100% (A, B)",
        "B relieved: 0 of 4 cells over 100%",
    ]
    book = openpyxl.load_workbook(tmp_path / "capacity-plan.xlsx")
    assert book["What-if"]["E3"].value.startswith("=IF(MAX(0,Capacity!B3+$D3)=0")
    assert book["Capacity"]["B2"].value.startswith("=SUMIFS('Capacity source'!$D$2")
    assert len(book["Summary"]._charts) == len(book["Demand"]._charts) == 1
    assert len(book["Utilisation"].conditional_formatting) >= 1
    assert verdict(capacity_ties, answer.deliverables[0], context) == []


def test_a_plan_that_says_anything_else_is_found(desk: Any, lies: Any) -> None:
    context = desk(sources(1))
    item = capacity_plan(context).deliverables[0]
    cells = [
        ("Summary", "D2", 0.5, "the source gives"),
        ("Summary", "H5", "has slack", "the source gives"),
        ("Utilisation", "B2", 0.1, "the source gives"),
        ("Demand", "C3", 1, "the source gives"),
        ("Gap", "H3", 0, "the source gives"),
        ("What-if", "D3", 8, "the source gives '0'"),
        ("Demand source", "D2", 1, "the source gives"),
        ("Terms", "B6", 2, "the source gives"),
    ]
    lies(capacity_ties, item, context, cells)


def test_near_misses_pass_and_what_is_broken_or_not_held_fails(
    desk: Any, verdict: Any, tmp_path: Path
) -> None:
    context = desk(sources(1))
    item, svg, png = capacity_plan(context).deliverables
    file = tmp_path / "capacity-plan.xlsx"
    book = openpyxl.load_workbook(file, data_only=True)
    book["Summary"]["A2"].font = openpyxl.styles.Font(bold=True)
    book["Utilisation"]["B2"] = (
        book["Utilisation"]["B2"].value + 1e-12
    )  # what binary fractions leave
    book.save(file)
    assert verdict(capacity_ties, item, context) == []
    assert any("typed" in message for message in verdict(live_formulas, item, context))
    assert "UNVERIFIED" in verdict(capacity_ties, item, context, held=False)[0]
    (tmp_path / svg.path).write_text(
        (tmp_path / svg.path).read_text().replace("#E06666", "#C6E0B4")
    )
    assert verdict(capacity_ties, svg, context) == [
        "The picture is not the one that its source gives."
    ]
    for broken in (item, png):
        (tmp_path / broken.path).write_bytes(b"junk")
        assert "not a readable" in verdict(capacity_ties, broken, context)[0]


@pytest.mark.parametrize(
    ("capacity", "demand", "says"),
    [
        ("Team,Week,Hours\nA,1,40\n", "Team,Week,Hours\nA,2,40\n", "share no period"),
        ("Team,Week,Hours\nA,1,-4\n", "Team,Week,Hours\nA,1,40\n", "row 2: -4 is below 0"),
        ("Team,Week,Hours\n,1,4\n", "Team,Week,Hours\nA,1,40\n", "row 2: the team is missing"),
        (
            "Team,Week,FTE\nA,1,4\n",
            "Team,Week,Hours\nA,1,40\n",
            "Capacity counts fte, demand hours",
        ),
        ("Name,Week\nA,1\n", "Team,Week,Hours\nA,1,40\n", "no column for teams"),
        ("Team,Note\nA,x\n", "Team,Week,Hours\nA,1,40\n", "neither a column of periods"),
        ("Team,Week,Hours\nA,1,many\n", "Team,Week,Hours\nA,1,40\n", "not an amount"),
    ],
)
def test_tables_that_do_not_fit_are_refused(
    desk: Any, capacity: str, demand: str, says: str
) -> None:
    with pytest.raises(ToolInputError, match=says):
        capacity_plan(desk({"capacity.csv": capacity, "demand.csv": demand}))


@pytest.mark.parametrize(
    ("scenario", "says"),
    [
        ({"team": "Z"}, "no team 'Z'"),
        ({"demand": "much"}, "a factor such as 1.1"),
        ({"demand": "-1"}, "from 0 to 100"),
        ({"cost": "1"}, "not 'cost'"),
        ({"name": "As planned"}, "two scenarios"),
    ],
)
def test_what_ifs_that_are_none_are_refused(desk: Any, scenario: dict[str, str], says: str) -> None:
    with pytest.raises(ToolInputError, match=says):
        capacity_plan(desk(sources(1)), scenarios=[scenario])


def test_settings_and_words_that_are_none_are_refused_or_left() -> None:
    for config in ({"capacity_tight": "x"}, {"capacity_tight": "1.2"}, {"capacity_full": 3}):
        with pytest.raises(ToolInputError, match="capacity_tight"):
            Limits.of(config)
    assert asked_stress("what if demand falls by 5 % less") == "-0.05"
    assert asked_stress("demand +15%") == "0.15"
    assert asked_stress("use 80 % of the room") == ""
