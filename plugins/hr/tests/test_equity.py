import math
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pandas as pd
import pytest

from deskmate.plugin import Sources, ToolContext, ToolInputError, ValidationContext
from deskmate_documents.office.gates import shared_gates
from deskmate_documents.xlsx.edit import edit_workbook
from deskmate_hr.tools.equity import pay_equity
from deskmate_hr.validators.equity_rules import equity_ties
from deskmate_hr.validators.live import live_formulas

CASES = (
    Path(__file__).resolve().parents[4] / "shared" / "cases" / "hr" / "data" / "emp_attrition.csv"
)
ASKED: dict[str, Any] = {"group": "Gender", "controls": ["Level", "Years"]}


def staff(people: int = 160, gap: float = 0.08) -> str:
    chance = random.Random(2)
    rows = ["Gender,Level,Years,Salary,Promoted"]
    for number in range(people):
        gender = "X" if number < 3 else chance.choice("FM")
        level, years = chance.choice("ABC"), chance.randint(0, 30)
        pay = 40_000 * 1.2 ** "ABC".index(level) * 1.01**years * math.exp(chance.gauss(0, 0.05))
        pay *= 1 - gap * (gender == "F")
        promoted = chance.random() < (0.15 if gender == "F" else 0.3)
        rows.append(f"{gender},{level},{years},{pay:.2f},{'yes' if promoted else 'no'}")
    return "\n".join(rows) + "\n"


def desk(tmp_path: Path, text: str = "") -> ToolContext:
    (tmp_path / "employees.csv").write_text(text or staff())
    return ToolContext(workspace=tmp_path, home=tmp_path, resources=tmp_path)


def verdicts(
    context: ToolContext, answer: Any, held: bool = True, **changes: Any
) -> dict[str, list[str]]:
    item = replace(answer.deliverables[0], **changes)
    files = {path: context.workspace / path for path in item.sources.values()} if held else {}
    room = ValidationContext(file=context.workspace / item.path, sources=Sources(files, {}))
    found = {"ties": equity_ties(item, room), "live": live_formulas(item, room)}
    return {rule: [f.message for f in own] for rule, own in found.items() if own}


def test_the_gap_is_what_least_squares_by_another_library_gives(tmp_path: Path) -> None:
    context = desk(tmp_path)
    answer = pay_equity(context, **ASKED, settings={"outcome": "Promoted"})
    assert verdicts(context, answer) == {}
    frame = pd.read_csv(tmp_path / "employees.csv")
    frame = frame[frame["Gender"] != "X"]
    factors = pd.get_dummies(frame[["Gender", "Level"]], dtype=float).drop(
        columns=["Gender_M", "Level_A"]
    )
    factors.insert(0, "one", 1.0)
    factors["Years"] = frame["Years"].astype(float)
    logs = np.log(frame["Salary"])
    estimates = np.linalg.lstsq(factors.to_numpy(), logs.to_numpy(), rcond=None)[0]
    adjusted = math.exp(estimates[list(factors.columns).index("Gender_F")]) - 1
    gaps = pd.read_excel(tmp_path / "pay-equity.xlsx", sheet_name="Gaps").set_index("Group")
    sign = 1 if "F" in gaps.index else -1
    row = gaps.iloc[1]
    assert row["Adjusted gap"] == pytest.approx((1 + adjusted) ** sign - 1)
    assert row["Lower"] < row["Adjusted gap"] < row["Upper"]
    assert row["Apart from 0"] == "yes"
    assert -0.12 < (row["Adjusted gap"] if sign > 0 else -row["Adjusted gap"]) < -0.05
    assert answer.result["left_out"] == ["X"]


def test_selection_rates_are_held_to_four_fifths(tmp_path: Path) -> None:
    context = desk(tmp_path)
    pay_equity(context, **ASKED, settings={"outcome": "Promoted"})
    frame = pd.read_csv(tmp_path / "employees.csv")
    frame = frame[frame["Gender"] != "X"]
    rates = (frame["Promoted"] == "yes").groupby(frame["Gender"]).mean()
    shown = pd.read_excel(tmp_path / "pay-equity.xlsx", sheet_name="Selection rates").set_index(
        "Group"
    )
    for group, rate in rates.items():
        assert shown.loc[group, "Rate"] == pytest.approx(rate)
        flagged = rate / rates.max() < 0.8
        assert shown.loc[group, "Under four fifths"] == ("yes" if flagged else "no")


def test_where_there_is_no_gap_the_interval_says_so(tmp_path: Path) -> None:
    context = desk(tmp_path, staff(gap=0.0))
    pay_equity(context, **ASKED)
    assert (
        pd.read_excel(tmp_path / "pay-equity.xlsx", sheet_name="Gaps")["Apart from 0"].iloc[1]
        == "no"
    )


def test_group_and_controls_are_read_from_the_request(tmp_path: Path) -> None:
    answer = pay_equity(
        desk(tmp_path), request="Pay equity by gender controlling for level and years"
    )
    data = answer.deliverables[0].data
    assert (data["group"], data["controls"]) == ("Gender", ["Level", "Years"])


def test_the_shared_gates_pass_and_it_is_a_draft(tmp_path: Path) -> None:
    context = desk(tmp_path)
    (item,) = pay_equity(context, **ASKED).deliverables
    files = {path: tmp_path / path for path in item.sources.values()}
    room = ValidationContext(file=tmp_path / item.path, sources=Sources(files, {}))
    assert [f.message for gate in shared_gates() for f in gate.function(item, room)] == []
    notes = openpyxl.load_workbook(tmp_path / item.path)["Notes"]
    assert "Privileged and confidential" in notes["A2"].value


@pytest.mark.parametrize(
    ("cell", "change", "rule", "says"),
    [
        ("Model!B3", {"value": -0.01}, "ties", "the source gives"),
        ("Model!C3", {"value": 0.5}, "ties", "the source gives"),
        ("Model!A3", {"value": "Gender: Q"}, "ties", "not those of the model"),
        ("Gaps!D3", {"value": 0.0}, "live", "typed where a formula belongs"),
        ("Gaps!B3", {"value": 9}, "ties", "groups and their numbers"),
        ("Notes!A3", {"value": "Model: all is well."}, "ties", "The notes are not"),
        ("'Selection rates'!C2", {"value": 9}, "ties", "The rate of"),
        ("Gaps!H1", {"value": "Fair pay"}, "ties", "sheets and columns"),
    ],
)
def test_a_changed_analysis_fails(
    tmp_path: Path, cell: str, change: Any, rule: str, says: str
) -> None:
    context = desk(tmp_path)
    answer = pay_equity(context, **ASKED, settings={"outcome": "Promoted"})
    file = tmp_path / "pay-equity.xlsx"
    edit_workbook(file, file, [{"op": "set", "cells": cell, **change}])
    assert any(says in message for message in verdicts(context, answer)[rule])


def test_other_controls_than_declared_fail(tmp_path: Path) -> None:
    context = desk(tmp_path)
    answer = pay_equity(context, **ASKED)
    told = {**answer.deliverables[0].data, "controls": ["Level"]}
    assert "ties" in verdicts(context, answer, data=told)
    assert any("does not say how" in m for m in verdicts(context, answer, data={})["ties"])
    assert any("UNVERIFIED" in m for m in verdicts(context, answer, held=False)["ties"])
    (tmp_path / "pay-equity.xlsx").write_bytes(b"junk")
    assert set(verdicts(context, answer)) == {"ties", "live"}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"group": ""}, "Say which groups"),
        ({"group": "Colour"}, "no column 'Colour'"),
        ({"group": "Years", "controls": []}, "two groups of 5|too few"),
        ({"controls": ["Level", "Level"]}, "each once"),
        ({"controls": ["Same"]}, "the same for all"),
        ({"controls": ["Level", "Copy"]}, "says the same"),
        ({"settings": {"x": "y"}}, "unknown"),
        ({"settings": {"outcome": "Level"}}, "no plain yes or no"),
        ({"output": "employees.csv"}, "ends in .xlsx"),
    ],
)
def test_bad_input_is_refused(tmp_path: Path, arguments: Any, says: str) -> None:
    head, *rows = staff().splitlines()
    text = "\n".join([f"{head},Same,Copy", *(f"{row},1,{row.split(',')[1]}2" for row in rows)])
    with pytest.raises(ToolInputError, match=says):
        pay_equity(desk(tmp_path, text), **{**ASKED, **arguments})


def test_too_few_people_and_missing_pay_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ToolInputError, match="are too few for a model"):
        pay_equity(desk(tmp_path, staff(25)), **ASKED)
    with pytest.raises(ToolInputError, match="is missing or not above 0"):
        pay_equity(desk(tmp_path, staff() + "F,A,3,,no\n"), **ASKED)


@pytest.mark.cases
@pytest.mark.skipif(not CASES.is_file(), reason="no cases folder")
def test_a_real_table_gives_the_gap_that_numpy_gives(tmp_path: Path) -> None:
    context = desk(tmp_path, CASES.read_text("utf-8-sig"))
    answer = pay_equity(
        context, group="Gender", controls=["JobLevel", "JobRole", "TotalWorkingYears"]
    )
    frame = pd.read_csv(CASES, encoding="utf-8-sig")
    kinds = pd.get_dummies(frame[["JobLevel", "JobRole"]].astype(str), dtype=float)
    factors = np.column_stack(
        [
            np.ones(len(frame)),
            frame["Gender"] == "Female",
            kinds.drop(columns=["JobLevel_1", "JobRole_Manager"]),
            frame["TotalWorkingYears"],
        ]
    ).astype(float)
    estimates = np.linalg.lstsq(factors, np.log(frame["MonthlyIncome"].to_numpy()), rcond=None)[0]
    gaps = pd.read_excel(tmp_path / "pay-equity.xlsx", sheet_name="Gaps")
    assert gaps["Adjusted gap"].iloc[1] == pytest.approx(math.exp(estimates[1]) - 1)
    assert verdicts(context, answer) == {}
