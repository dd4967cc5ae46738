import io
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
from deskmate_hr.tools.benchmark import comp_benchmark
from deskmate_hr.validators.benchmark_rules import benchmark_ties, thin_data
from deskmate_hr.validators.live import live_formulas

CASES = (
    Path(__file__).resolve().parents[4] / "shared" / "cases" / "hr" / "data" / "emp_attrition.csv"
)
DAY = "2026-06-30"
SURVEY = """Role,Level,P25,P50,P75,n,Companies,Source,Effective date,Currency
Data Engineer,3,110000,125000,141000,42,11,Alpha,2026-03-01,USD
data engineer,3,112000,128500,144000,18,7,Beta,2026-05-15,USD
Product Manager,3,120000,138000,155000,5,5,Alpha,2026-03-01,USD
Counsel,4,150000,171000,190000,4,4,Alpha,2026-03-01,USD
Recruiter,2,70000,81000,92000,30,4,Alpha,2026-03-01,USD
"""


def employees() -> str:
    chance = random.Random(4)
    rows = ["Employee ID,Name,Role,Level,Base salary,Currency"]
    for number in range(24):
        role, level = (
            ("Data Engineer", 3)
            if number < 17
            else ("Product Manager", 3)
            if number < 21
            else ("Cook", 1)
        )
        rows.append(
            f"E{number:03},Person {number} Of,{role},{level},{chance.randint(85, 175) * 1000},USD"
        )
    return "\n".join(rows) + "\n"


def desk(
    tmp_path: Path, survey: str = SURVEY, own: str | None = None, **config: Any
) -> ToolContext:
    (tmp_path / "market survey.csv").write_text(survey)
    if own != "":
        (tmp_path / "employees.csv").write_text(own or employees())
    return ToolContext(workspace=tmp_path, home=tmp_path, resources=tmp_path, config=config)


def verdicts(
    context: ToolContext, answer: Any, held: bool = True, **changes: Any
) -> dict[str, list[str]]:
    item = replace(answer.deliverables[0], **changes)
    files = {path: context.workspace / path for path in item.sources.values()} if held else {}
    facts = {"date": DAY, "said": [DAY]}
    room = ValidationContext(
        file=context.workspace / item.path,
        sources=Sources(files, {}),
        facts=facts,
        config=context.config,
    )
    rules = {"ties": benchmark_ties, "thin": thin_data, "live": live_formulas}
    found = {name: [f.message for f in rule(item, room)] for name, rule in rules.items()}
    return {name: messages for name, messages in found.items() if messages}


def table(context: ToolContext, sheet: str) -> pd.DataFrame:
    file = context.workspace / "compensation-benchmark.xlsx"
    return pd.read_excel(file, sheet_name=sheet).set_index("Role")


def patch(context: ToolContext, cell: str, **change: Any) -> None:
    file = context.workspace / "compensation-benchmark.xlsx"
    edit_workbook(file, file, [{"op": "set", "cells": cell, **change}])


def test_percentiles_are_aged_weighted_and_ranged_as_pandas_does(tmp_path: Path) -> None:
    context = desk(tmp_path)
    answer = comp_benchmark(context, as_of=DAY)
    assert verdicts(context, answer) == {}
    frame = pd.read_csv(io.StringIO(SURVEY))
    days = (pd.Timestamp(DAY) - pd.to_datetime(frame["Effective date"])).dt.days
    market = table(context, "Market")
    assert list(market.index) == ["Data Engineer · 3", "Product Manager · 3"]
    for name in ("P25", "P50", "P75"):
        aged = frame[name] * (1 + 0.03 * days / 365)
        both = float((aged * frame["n"])[:2].sum() / frame["n"][:2].sum())
        assert market.loc["Data Engineer · 3", name] == pytest.approx(both, abs=1e-6)
    row = market.loc["Data Engineer · 3"]
    assert row["n"] == 60
    assert row["Organisations"] == 18
    assert row["Midpoint"] == pytest.approx(row["P50"])
    assert row["Maximum"] / row["Minimum"] == pytest.approx(1.5)
    assert (row["Minimum"] + row["Maximum"]) / 2 == pytest.approx(row["Midpoint"])


def test_own_pay_stands_in_the_range_and_few_people_are_not_shown(tmp_path: Path) -> None:
    context = desk(tmp_path)
    answer = comp_benchmark(context, as_of=DAY)
    own = pd.read_csv(io.StringIO(employees()))
    roles, market = table(context, "Roles"), table(context, "Market")
    pay = own[own["Role"] == "Data Engineer"]["Base salary"]
    row = roles.loc["Data Engineer · 3"]
    assert row["People"] == len(pay)
    assert row["Compa-ratio"] == pytest.approx(
        pay.median() / market.loc["Data Engineer · 3", "Midpoint"]
    )
    hidden = roles.loc["Product Manager · 3"]
    assert set(hidden[["People", "Median pay", "Compa-ratio", "Below minimum"]]) == {"–"}
    assert answer.result["not_published"] == [
        "Cook · 1: the survey has no such role",
        "Counsel · 4: fewer than 5 people in the survey",
        "Recruiter · 2: fewer than 5 organisations in the survey",
    ]
    text = (tmp_path / "compensation-benchmark.xlsx").read_bytes()
    assert b"Person 1" not in text
    names = openpyxl.load_workbook(tmp_path / "compensation-benchmark.xlsx").sheetnames
    assert names == ["Market", "Roles", "Survey", "Not published", "Terms"]


def test_single_observations_are_interpolated_as_numpy_does(tmp_path: Path) -> None:
    chance = random.Random(7)
    pay = [chance.randint(30_000, 90_000) for _ in range(23)]
    lines = [f"Clerk,{p},2026-06-30" for p in pay] + ["Cook,40000,2026-06-30"] * 4
    context = desk(tmp_path, "Role,Salary,Survey date\n" + "\n".join(lines) + "\n", "")
    answer = comp_benchmark(context, as_of=DAY)
    row = table(context, "Market").loc["Clerk"]
    for name, part in (("P25", 25), ("P50", 50), ("P75", 75)):
        assert row[name] == pytest.approx(float(np.percentile(pay, part)))
    assert verdicts(context, answer) == {}


def test_a_line_for_each_person_has_an_id_and_no_name(tmp_path: Path) -> None:
    context = desk(tmp_path)
    answer = comp_benchmark(context, as_of=DAY, settings={"individuals": "ids"})
    assert verdicts(context, answer) == {}
    people = pd.read_excel(tmp_path / "compensation-benchmark.xlsx", sheet_name="People")
    assert len(people) == 21
    told = {"settings": {}, "as_of": DAY}
    assert any("was not asked for" in m for m in verdicts(context, answer, data=told)["thin"])
    patch(context, "People!C2", value=1)
    assert any("Pay of id E000" in message for message in verdicts(context, answer)["ties"])


def test_an_own_band_goes_before_the_market(tmp_path: Path) -> None:
    context = desk(tmp_path, pay_bands={"Data Engineer": [100000, 150000]})
    answer = comp_benchmark(context, as_of=DAY)
    row = table(context, "Market").loc["Data Engineer · 3"]
    assert list(row[["Minimum", "Midpoint", "Maximum", "Basis"]]) == [
        100000,
        125000,
        150000,
        "own band",
    ]
    assert verdicts(context, answer) == {}


def test_the_shared_gates_pass(tmp_path: Path) -> None:
    context = desk(tmp_path)
    (item,) = comp_benchmark(context, as_of=DAY).deliverables
    files = {path: tmp_path / path for path in item.sources.values()}
    room = ValidationContext(
        file=tmp_path / item.path, sources=Sources(files, {}), facts={"date": DAY}
    )
    assert [f.message for gate in shared_gates() for f in gate.function(item, room)] == []


@pytest.mark.parametrize(
    ("cell", "change", "rule", "says"),
    [
        ("Market!F2", {"value": 140000}, "ties", "P50 of Data Engineer"),
        ("Market!F2", {"value": 140000}, "live", "typed where a formula belongs"),
        ("Market!C2", {"formula": "=1+60"}, "ties", "n of Data Engineer"),
        ("Survey!H2", {"value": 129000}, "ties", "P50 of market survey.csv, row 2"),
        ("Survey!B2", {"value": "Gamma"}, "ties", "is not what market survey.csv, row 2 says"),
        ("Terms!B2", {"value": 0.05}, "ties", "Ageing rate a year"),
        ("Roles!B3", {"value": 4}, "thin", "Pay of 4 own people"),
        ("Market!D2", {"value": 90}, "ties", "organisations of Data Engineer"),
        ("Market!N1", {"value": "Counsel"}, "ties", "Its columns are"),
        ("Terms!A16", {"value": "Counsel is paid 171000."}, "ties", "not the benchmark's own"),
        ("Terms!B7", {"value": "EUR"}, "ties", "The currency is 'EUR'"),
        ("'Not published'!B3", {"value": "a secret"}, "ties", "not published because"),
        ("Roles!C2", {"value": 1}, "ties", "Median pay of Data Engineer"),
    ],
)
def test_a_changed_benchmark_fails(
    tmp_path: Path, cell: str, change: Any, rule: str, says: str
) -> None:
    context = desk(tmp_path)
    answer = comp_benchmark(context, as_of=DAY)
    patch(context, cell, **change)
    assert any(says in message for message in verdicts(context, answer).get(rule, ()))


def test_a_thin_role_put_back_fails(tmp_path: Path) -> None:
    grown = SURVEY.replace("190000,4,4", "190000,6,6")
    context = desk(tmp_path, grown)
    answer = comp_benchmark(context, as_of=DAY)
    assert "Counsel · 4" in table(context, "Market").index  # six people are enough
    assert verdicts(context, answer) == {}
    desk(tmp_path)  # and the survey that the host holds has four
    assert any("Counsel · 4 has too few people" in m for m in verdicts(context, answer)["thin"])


def test_an_original_that_is_not_held_or_a_junk_file_fails(tmp_path: Path) -> None:
    context = desk(tmp_path)
    answer = comp_benchmark(context, as_of=DAY)
    assert any("UNVERIFIED" in m for m in verdicts(context, answer, held=False)["ties"])
    assert any("does not say how" in m for m in verdicts(context, answer, data={})["ties"])
    (tmp_path / "compensation-benchmark.xlsx").write_bytes(b"junk")
    assert set(verdicts(context, answer)) == {"ties", "thin", "live"}


ROW = "Role,P50,n,Effective date\n"


@pytest.mark.parametrize(
    ("survey", "arguments", "says"),
    [
        (ROW + "Cook,4,4,2026-01-01\n", {}, "too thin for a benchmark"),
        (ROW + "Cook,4,9,2027-01-01\n", {}, "after 2026-06-30"),
        ("Role,P50,n\nCook,4,9\n", {}, "no column for the date"),
        ("Role,P50,Effective date\nCook,4,2026-01-01\n", {}, "the number of people"),
        ("Role,Colour\nCook,red\n", {}, "neither percentiles"),
        ("Colour,P50,n\nred,4,5\n", {}, "no column for the role"),
        ("Role,P25,P50,n,Effective date\nCook,5,4,9,2026-01-01\n", {}, "percentiles fall"),
        ("Role,P50,n,Effective date,Currency\nCook,4,9,2026-01-01,USD\nMaid,4,9,2026-01-01,EUR\n", {}, "several currencies"),
        (ROW + "Cook,,9,2026-01-01\n", {}, "P50 is missing"),
        (ROW + ",4,9,2026-01-01\n", {}, "the role is missing"),
        (ROW + "Cook,4,9.5,2026-01-01\n", {}, "whole number"),
        (ROW + "Cook,4,9,\n", {}, "date of the data is missing"),
        (ROW + "Cook,4,9,2026-01-01\n", {"settings": {"x": "1"}}, "unknown"),
        (ROW + "Cook,4,9,2026-01-01\n", {"settings": {"individuals": "names"}}, "never shown"),
        (ROW + "Cook,4,9,2026-01-01\n", {"output": "market survey.csv"}, "ends in .xlsx"),
        (ROW + "Cook,4,9,2026-01-01\n", {"as_of": "soon"}, "no date"),
        (SURVEY, {"employees": "own.csv"}, "by which the survey goes"),
        (SURVEY.replace("USD", "EUR"), {}, "convert one of them"),
    ],
)  # fmt: skip
def test_thin_or_doubtful_data_are_refused(
    tmp_path: Path, survey: str, arguments: Any, says: str
) -> None:
    context = desk(tmp_path, survey, None if survey.startswith("Role,Level") else "")
    (tmp_path / "own.csv").write_text("Role,Salary\nData Engineer,4\n")
    if "employees" not in arguments:
        (tmp_path / "own.csv").unlink()
    with pytest.raises(ToolInputError, match=says):
        comp_benchmark(context, survey="market survey.csv", **{"as_of": DAY, **arguments})


@pytest.mark.parametrize(
    "config",
    [
        {"ageing_rate": "x"},
        {"market_position": "9"},
        {"range_spread": "0"},
        {"benchmark_least": 3},
        {"pay_bands": {"A": [1]}},
    ],
)
def test_settings_out_of_range_are_refused(tmp_path: Path, config: Any) -> None:
    with pytest.raises(ToolInputError, match=r"setting|band"):
        comp_benchmark(desk(tmp_path, **config), as_of=DAY)


@pytest.mark.cases
@pytest.mark.skipif(not CASES.is_file(), reason="no cases folder")
def test_a_real_table_of_people_is_compared_by_role(tmp_path: Path) -> None:
    frame = pd.read_csv(CASES, encoding="utf-8-sig")
    roles = frame["JobRole"].unique()
    survey = ROW.replace("Role", "Job role") + "".join(f"{r},6500,50,2026-06-30\n" for r in roles)
    context = desk(tmp_path, survey, CASES.read_text("utf-8-sig"))
    answer = comp_benchmark(context, as_of=DAY)
    shown = table(context, "Roles")["Median pay"]
    median = frame.groupby("JobRole")["MonthlyIncome"].median()
    assert {role: float(pay) for role, pay in shown.items()} == median.to_dict()
    assert verdicts(context, answer) == {}
