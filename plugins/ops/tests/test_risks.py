"""The risk register: what it scores, what it leaves open, and that a register which says anything else is found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import openpyxl
import pytest

from deskmate.plugin import ToolInputError
from deskmate_ops.scale import Scale
from deskmate_ops.tools.risks import risk_register
from deskmate_ops.validators.live import live_formulas
from deskmate_ops.validators.rules import risk_owners, risk_scores

DAY = "2026-11-28"
TABLE = """ID,Risk,Likelihood,Impact,Owner,Mitigation,Due,Residual likelihood,Residual impact,Review date,Status
R1,Single supplier,4,5,Dana Petrov,Second source,2027-03-31,2,4,2027-01-15,open
R2,System out of support,almost certain,Major,TBD,Migrate,2026-09-30,2,3,2026-10-01,open
R3,=1+1,1,5,Dana Petrov,,,,,2026-06-30,closed
R4,Rules change,,,Lee Marsh,,,,,,open
R5,Forklift accident,2,4,Lee Marsh,Training,2027-05-01,3,4,2026-11-28,open
"""


def changed(file: Path, sheet: str, cell: str, value: Any) -> None:
    book = openpyxl.load_workbook(file, data_only=True)
    book[sheet][cell] = value
    book.save(file)


def test_risks_are_scored_and_what_the_table_leaves_open_is_named(
    desk: Any, verdict: Any, tmp_path: Path
) -> None:
    context = desk({"risks.csv": TABLE})
    answer = risk_register(context, as_of=DAY)
    result = answer.result
    assert [(r["id"], r["score"], r["band"], r["residual"]) for r in result["risks"]] == [
        ("R1", 20, "critical", 8),
        ("R2", 20, "critical", 6),
        ("R5", 8, "medium", 12),
        ("R3", 5, "medium", None),
        ("R4", None, "", None),
    ]
    assert result["overdue"] == ["R2"]  # not the closed one, and not the one of the day itself
    assert result["open_points"] == [
        "R2: no owner is named",
        "R2: its review is overdue by 58 days",
        "R2: its treatment is overdue by 59 days",
        "R5: the residual score is above the score before treatment",
        "R4: likelihood or impact is not rated, so there is no score",
        "R4: no review date is named",
    ]
    book = openpyxl.load_workbook(tmp_path / "risk-register.xlsx")
    assert book["Register"]["G2"].value == '=IF(OR(E2="",F2=""),"",E2*F2)'
    assert book["Register"]["B5"].data_type == "s"
    assert len(book["Register"].conditional_formatting) >= 5
    assert len(book["Heat map"].conditional_formatting) == 2
    assert len(book["Summary"]._charts) == 1
    assert [item.path for item in answer.deliverables] == [
        "risk-register.xlsx", "risk-heat-map.svg", "risk-heat-map.png",
    ]  # fmt: skip
    assert "likelihood 4, impact 5: R1" in (tmp_path / "risk-heat-map.svg").read_text()
    facts = {"date": DAY}
    for deliverable in answer.deliverables:
        assert verdict(risk_scores, deliverable, context, facts=facts) == []
    for rule in (risk_owners, live_formulas):
        assert verdict(rule, answer.deliverables[0], context, facts=facts) == []


@pytest.mark.parametrize(
    ("sheet", "cell", "value", "says"),
    [
        ("Register", "G2", 21, "score is 21"),
        ("Register", "H2", "high", r"it is 20 \(critical\)"),
        ("Register", "E2", 9, "the table says '4'"),
        ("Register", "E2", "x", "whole numbers from 1 to 5"),
        ("Register", "A3", "R1", "occurs 2 times"),
        ("Register", "A2", "R9", "not in the table"),
        ("Register", "D3", "Dana Petrov", "the table says 'not named'"),
        ("Register", "O2", "2027-02-30", "is no day"),
        ("Register", "P3", "", "overdue on 2026-11-28"),
        ("Register", "G6", 4, "without ratings"),
        ("Heat map", "F3", 2, "the register gives"),
        ("Summary", "B5", 1, r"should be \['2'"),
        ("Scale", "B5", 5, "should be '4'"),
        ("Scale", "B2", "2026-11-27", "should be '2026-11-28'"),
    ],
)
def test_a_register_that_says_anything_else_is_found(
    desk: Any, verdict: Any, tmp_path: Path, sheet: str, cell: str, value: Any, says: str
) -> None:
    import re

    context = desk({"risks.csv": TABLE})
    deliverable = risk_register(context, as_of=DAY).deliverables[0]
    changed(tmp_path / "risk-register.xlsx", sheet, cell, value)
    found = verdict(risk_scores, deliverable, context, facts={"date": DAY})
    assert any(re.search(says, message) for message in found), found


@pytest.mark.parametrize(
    ("sheet", "cell", "value", "says"),
    [
        ("Register", "D3", "", "neither an owner"),
        ("Register", "D4", "not named", "the open points do not say so"),
        ("Open points", "B2", "nothing", "no owner is named, and the open points"),
        ("Open points", "A2", "R1", "of R1 is none"),
    ],
)
def test_a_gap_that_is_hidden_or_made_up_is_found(
    desk: Any, verdict: Any, tmp_path: Path, sheet: str, cell: str, value: Any, says: str
) -> None:
    context = desk({"risks.csv": TABLE})
    deliverable = risk_register(context, as_of=DAY).deliverables[0]
    changed(tmp_path / "risk-register.xlsx", sheet, cell, value)
    found = verdict(risk_owners, deliverable, context, facts={"date": DAY})
    assert any(says in message for message in found), found


def test_the_day_is_the_runs_or_one_that_the_user_named(desk: Any, verdict: Any) -> None:
    context = desk({"risks.csv": TABLE})
    deliverable = risk_register(context, as_of=DAY).deliverables[0]
    late = {"date": "2027-06-01"}
    assert "neither today" in verdict(risk_scores, deliverable, context, facts=late)[0]
    named = {**late, "said": [f"Register as of {DAY}, please."]}
    assert verdict(risk_scores, deliverable, context, facts=named) == []
    assert "as of which day" in verdict(risk_scores, deliverable, context, data={})[0]


def test_a_closed_gap_and_other_looks_pass_and_broken_files_fail(
    desk: Any, verdict: Any, tmp_path: Path
) -> None:
    context = desk({"risks.csv": TABLE})
    register, _, png = risk_register(context, as_of=DAY).deliverables
    file = tmp_path / "risk-register.xlsx"
    book = openpyxl.load_workbook(file, data_only=True)
    book["Register"].column_dimensions["B"].width = 20
    book["Register"]["B2"].font = openpyxl.styles.Font(bold=True)
    book.save(file)
    assert verdict(risk_scores, register, context) == []
    assert any("typed" in message for message in verdict(live_formulas, register, context))
    assert "UNVERIFIED" in verdict(risk_scores, register, context, held=False)[0]
    del book["Scale"]
    book.save(file)
    assert "should have" in verdict(risk_scores, register, context)[0]
    file.write_bytes(b"junk")
    assert "not a readable workbook" in verdict(risk_owners, register, context)[0]
    (tmp_path / "risk-heat-map.png").write_bytes(b"junk")
    assert "not a readable PNG" in verdict(risk_scores, png, context)[0]


def test_a_table_without_ids_gets_numbers_and_a_scale_of_ones_own_holds(
    desk: Any, verdict: Any
) -> None:
    bands = {"fine": 5, "act": 9}
    context = desk(
        {"risks.csv": "Risk,Probability,Severity\na,3,3\nb,1,2\n"}, risk_steps=3, risk_bands=bands
    )
    answer = risk_register(context, as_of=DAY)
    assert [(r["id"], r["band"]) for r in answer.result["risks"]] == [
        ("R001", "act"),
        ("R002", "fine"),
    ]
    for deliverable in answer.deliverables:
        assert verdict(risk_scores, deliverable, context) == []
    assert verdict(risk_owners, answer.deliverables[0], context) == []


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("Risk,Impact\na,1\n", "no likelihood column"),
        ("ID,Risk,Likelihood,Impact\n1,a,1,1\n1,b,1,1\n", "row 3: the id 1 stands in row 2 too"),
        ("Risk,Likelihood,Impact\na,6,1\n", "'6' is no whole number from 1 to 5"),
        ("Risk,Likelihood,Impact\na,often,1\n", "one of rare"),
        ("ID,Risk,Likelihood,Impact\n1,,1,1\n", "there is no risk"),
        ("Risk,Likelihood,Impact,Review date\na,1,1,2026-02-30\n", "not a date"),
        ("Risk,Likelihood,Impact\n", "has no risks"),
    ],
)
def test_tables_that_do_not_fit_are_refused_with_the_place(desk: Any, text: str, says: str) -> None:
    with pytest.raises(ToolInputError, match=says):
        risk_register(desk({"risks.csv": text}))


@pytest.mark.parametrize(
    "config",
    [{"risk_steps": 2}, {"risk_bands": {"low": 4}}, {"risk_bands": {"a": 9, "b": 4, "c": 25}}, {"risk_bands": {"a": "x"}}],
)  # fmt: skip
def test_scales_that_are_none_are_refused(config: Any) -> None:
    with pytest.raises(ToolInputError, match="setting"):
        Scale.of(config)


def test_bands_of_other_steps_are_in_proportion() -> None:
    assert Scale.of({"risk_steps": 10}).bands == (
        ("low", 16), ("medium", 36), ("high", 64), ("critical", 100),
    )  # fmt: skip
