"""The headcount walk: counted for the workbook, again for the gate, and here by pandas; small units stay together."""

from __future__ import annotations

import random
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pytest

from deskmate.plugin import ToolInputError
from deskmate_documents.office.gates import shared_gates
from deskmate_hr.tools.walk import headcount_walk
from deskmate_hr.validators.live import live_formulas
from deskmate_hr.validators.walk_rules import walk_ties
from deskmate_hr.walks import OTHER, small_units

CASES = Path(__file__).parents[4] / "shared/cases/hr/data/emp_attrition.csv"
START, END = date(2026, 7, 1), date(2026, 9, 30)
PERIOD = {"from": START.isoformat(), "to": END.isoformat()}
SIZES = {"Engineering": 60, "Sales": 40, "Finance": 18, "Legal": 8, "Board office": 2, "Lab": 3}


def register(seed: int) -> tuple[str, str]:
    """Return a register of dates and the moves that led to its units."""
    chance = random.Random(seed)
    rows, moves = (
        ["Employee ID,Department,Hire date,Termination date"],
        ["Employee ID,Move date,From,To"],
    )
    number = 0
    for unit, size in SIZES.items():
        for _ in range(size):
            number += 1
            came = date(2023, 1, 1) + timedelta(days=chance.randint(0, 1400))
            left = came + timedelta(days=chance.randint(1, 1200)) if chance.random() < 0.3 else None
            now = unit
            day = came + timedelta(days=chance.randint(1, 1300))
            if chance.random() < 0.3 and (left is None or day <= left):
                before = chance.choice([name for name in SIZES if name != now])
                moves.append(f"E{number},{day},{before},{now}")
            rows.append(f"E{number},{unit},{came},{left or ''}")
    return "\n".join(rows) + "\n", "\n".join(moves) + "\n"


def by_pandas(people: str, moves: str) -> pd.DataFrame:
    """Count the walk by unit with pandas, from who is where at the end of each day."""
    from io import StringIO

    table = pd.read_csv(StringIO(people), parse_dates=["Hire date", "Termination date"])
    moved = pd.read_csv(StringIO(moves), parse_dates=["Move date"]).set_index("Employee ID")
    table = table.join(moved, on="Employee ID")

    def unit(day: Any) -> Any:
        return table["From"].where(table["Move date"] > day, table["Department"])

    start, end = pd.Timestamp(START), pd.Timestamp(END)
    eve = start - pd.Timedelta(days=1)
    came, out = table["Hire date"], table["Termination date"].fillna(pd.Timestamp.max.normalize())
    inside = table["Move date"].between(start, end)
    counts = {
        "opening": unit(eve)[(came < start) & (out >= start)],
        "hires": table.assign(at=[unit(day)[n] for n, day in came.items()])["at"][
            came.between(start, end)
        ],
        "moves_in": table["To"][inside],
        "leavers": table.assign(at=[unit(day)[n] for n, day in out.items()])["at"][
            out.between(start, end)
        ],
        "moves_out": table["From"][inside],
        "closing": unit(end)[(came <= end) & (out > end)],
    }
    return (
        pd.DataFrame({name: each.value_counts() for name, each in counts.items()})
        .fillna(0)
        .astype(int)
    )


@pytest.mark.parametrize("seed", [1, 2])
def test_a_register_gives_the_walk_that_pandas_counts(desk: Any, verdict: Any, seed: int) -> None:
    people, moves = register(seed)
    context = desk({"people.csv": people, "moves.csv": moves})
    answer = headcount_walk(context, settings=PERIOD)
    right = by_pandas(people, moves)
    shown = pd.DataFrame(answer.result["lines"]).set_index("unit")
    apart = [unit for unit in right.index if unit in shown.index]
    assert len(apart) >= 3
    for column in right.columns:
        assert shown.loc[apart, column].to_dict() == right.loc[apart, column].to_dict()
    for column in ("opening", "hires", "leavers", "closing"):
        assert answer.result["total"][column] == right[column].sum()
    assert (
        shown["opening"]
        + shown["hires"]
        + shown["moves_in"]
        - shown["leavers"]
        - shown["moves_out"]
        == shown["closing"]
    ).all()
    assert ((shown[["opening", "closing"]] == 0) | (shown[["opening", "closing"]] >= 5)).all(
        axis=None
    )
    for item in answer.deliverables[: 3 if seed == 1 else 1]:
        assert verdict(walk_ties, item, context) == []
        assert verdict(live_formulas, item, context) == []
        assert [m for gate in shared_gates() for m in verdict(gate.function, item, context)] == []


def extracts() -> dict[str, str]:
    head = "Employee ID,Team\n"
    before = [f"A{n},Alpha" for n in range(12)] + [f"B{n},Beta" for n in range(9)]
    after = [f"A{n},Alpha" for n in range(2, 12)] + ["A0,Beta"] + [f"B{n},Beta" for n in range(8)]
    after += [f"N{n},Gamma" for n in range(6)]
    return {
        "opening.csv": head + "\n".join(before) + "\n",
        "closing.csv": head + "\n".join(after) + "\n",
    }


def test_two_extracts_are_compared_by_id_and_drawn_as_native_waterfalls(
    desk: Any, verdict: Any, tmp_path: Path
) -> None:
    context = desk(extracts())
    answer = headcount_walk(context)
    assert [tuple(line.values()) for line in answer.result["lines"]] == [
        ("Alpha", 12, 0, 0, 1, 1, 10),
        ("Beta", 9, 0, 1, 1, 0, 9),
        ("Gamma", 0, 6, 0, 0, 0, 6),
    ]
    book = openpyxl.load_workbook(tmp_path / "headcount-walk.xlsx")
    assert book["Walk"]["G2"].value == "=B2+C2+D2-E2-F2"
    assert [len(book[name]._charts) for name in ("Bridge", "Bridge by unit")] == [1, 1]
    assert "Gamma: +6" in (tmp_path / "headcount-walk.svg").read_text()
    assert [item.path.rpartition(".")[2] for item in answer.deliverables] == ["xlsx", "svg", "png"]
    for item in answer.deliverables:
        assert verdict(walk_ties, item, context) == []


def test_a_walk_that_says_anything_else_is_found(desk: Any, lies: Any) -> None:
    context = desk(extracts())
    item = headcount_walk(context).deliverables[0]
    cells = [
        ("Walk", "C4", 7, "the source gives '6'"),
        ("Walk", "B2", 3, "shown with 3 people"),
        ("Walk", "A2", "Alfa", "the source gives 'Alpha'"),
        ("Walk", "J2", 1, "the source gives '0'"),
        ("Bridge", "B3", 5, "the source gives '6'"),
        ("Bridge by unit", "D3", 26, "the source gives"),
        ("Notes", "A2", "All fine", "the source gives"),
    ]
    lies(walk_ties, item, context, cells)


def test_other_looks_pass_and_what_is_not_held_or_broken_fails(
    desk: Any, verdict: Any, tmp_path: Path
) -> None:
    context = desk(extracts())
    item, svg, png = headcount_walk(context).deliverables
    file = tmp_path / "headcount-walk.xlsx"
    values = openpyxl.load_workbook(file, data_only=True)
    values["Walk"].column_dimensions["A"].width = 50
    values["Walk"]["A2"].font = openpyxl.styles.Font(bold=True)
    values.save(file)
    assert verdict(walk_ties, item, context) == []
    assert any("typed" in message for message in verdict(live_formulas, item, context))
    assert "UNVERIFIED" in verdict(walk_ties, item, context, held=False)[0]
    (tmp_path / svg.path).write_text((tmp_path / svg.path).read_text().replace(">+6<", ">+7<"))
    assert verdict(walk_ties, svg, context) == ["The picture is not the one that its source gives."]
    (tmp_path / png.path).write_bytes(b"junk")
    assert "not a readable PNG" in verdict(walk_ties, png, context)[0]
    file.write_bytes(b"junk")
    assert "not a readable workbook" in verdict(walk_ties, item, context)[0]


def test_small_units_stand_together_until_none_can_be_worked_out() -> None:
    assert small_units({"a": (20, 20), "b": (9, 8)}, 5) == ()
    assert small_units({"a": (20, 20), "b": (9, 8), "c": (2, 2)}, 5) == ("b", "c")
    assert small_units({"a": (20, 20), "b": (9, 8), "c": (0, 3), "d": (4, 4)}, 5) == ("b", "c", "d")
    assert small_units({"a": (20, 20), "b": (0, 7)}, 5) == ()
    with pytest.raises(ToolInputError, match="fewer than 5"):
        small_units({"a": (4, 3)}, 5)


def test_moves_among_small_units_are_none(desk: Any, verdict: Any) -> None:
    head = "ID,Team\n"
    before = (
        "".join(f"A{n},Alpha\n" for n in range(9))
        + "S1,One\nS2,One\nS3,One\nT1,Two\nT2,Two\nT3,Two\n"
    )
    context = desk(
        {"opening.csv": head + before, "closing.csv": head + before.replace("S1,One", "S1,Two")}
    )
    answer = headcount_walk(context)
    assert [line["unit"] for line in answer.result["lines"]] == ["Alpha", OTHER]
    assert answer.result["total"]["moves_in"] == 0
    assert answer.result["together"] == 2
    assert verdict(walk_ties, answer.deliverables[0], context) == []


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({"people.csv": "ID,Team,Hire date\n1,A,2020-01-01\n"}, "no column for the leaving date"),
        ({"people.csv": "ID,Team,Hire date,End date\n1,A,2020-01-01,\n1,B,2020-01-01,\n"}, "stands in rows 2 and 3"),
        ({"people.csv": "ID,Team,Hire date,End date\n1,A,2020-01-01,2019-01-01\n"}, "before the hire date"),
        ({"people.csv": "ID,Team,Hire date,End date\n1,A,,\n"}, "hire date is missing"),
        ({"people.csv": "ID,Hire date,End date\n1,2020-01-01,\n"}, "no column for the unit"),
        ({"people.csv": "ID,Team,Hire date,End date\n1,A,2020-01-01,\n", "moves.csv": "ID,Date,From,To\n1,2026-08-01,A,B\n"}, "goes to B, but what follows begins in A"),
        ({"people.csv": "ID,Team,Hire date,End date\n1,A,2020-01-01,\n", "moves.csv": "ID,Date,From,To\n1,2019-08-01,B,A\n"}, "is not employed"),
        ({"people.csv": "ID,Team,Hire date,End date\n1,A,2020-01-01,\n", "moves.csv": "ID,Date,From,To\n9,2026-08-01,B,A\n"}, "9 is not in people.csv"),
        ({"people.csv": "ID,Team,Hire date,End date\n1,A,2020-01-01,\n"}, "fewer than 5 people"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_with_the_place(
    desk: Any, files: dict[str, str], says: str
) -> None:
    with pytest.raises(ToolInputError, match=says):
        headcount_walk(desk(files), settings=PERIOD)


def test_a_register_needs_a_period_and_a_source_is_never_overwritten(desk: Any) -> None:
    context = desk({"people.csv": register(1)[0]})
    with pytest.raises(ToolInputError, match="Give the period"):
        headcount_walk(context)
    with pytest.raises(ToolInputError, match="cannot be both ends"):
        headcount_walk(context, path="people.csv", closing="people.csv")
    with pytest.raises(ToolInputError, match="unknown"):
        headcount_walk(context, settings={**PERIOD, "colour": "red"})


@pytest.mark.cases
@pytest.mark.skipif(not CASES.exists(), reason="the cases folder is not there")
def test_the_public_employee_table_walks_from_all_to_those_who_stayed(
    desk: Any, verdict: Any
) -> None:
    table = pd.read_csv(CASES)
    stayed = table[table["Attrition"] == "No"]
    context = desk(
        {"opening.csv": table.to_csv(index=False), "closing.csv": stayed.to_csv(index=False)}
    )
    answer = headcount_walk(context, settings={"id": "EmployeeNumber", "unit": "JobRole"})
    shown = {
        line["unit"]: (line["opening"], line["leavers"], line["closing"])
        for line in answer.result["lines"]
    }
    sizes, rest = table["JobRole"].value_counts(), stayed["JobRole"].value_counts()
    assert shown == {
        role: (sizes[role], sizes[role] - rest[role], rest[role]) for role in sizes.index
    }
    assert verdict(walk_ties, answer.deliverables[0], context) == []
