"""The control matrix: states by table, coverage as pandas counts it, evidence hashed, and no gap hidden or made up."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pytest

from deskmate.plugin import ToolInputError
from deskmate_documents.office.gates import shared_gates
from deskmate_ops.controls import days_of, frequencies_of
from deskmate_ops.tools.controls import control_matrix
from deskmate_ops.validators.live import live_formulas
from deskmate_ops.validators.plan_rules import control_coverage

DAY = "2026-11-29"
RISKS = "Risk ID,Risk\nR1,One supplier\nR2,Access to the warehouse system\nR3,Payment to a wrong account\nR4,Flood\n"
CONTROLS = """Control ID,Control,Risks,Owner,Frequency,Last tested,Result,Evidence
C1,Second source reviewed,R1,Dana Petrov,quarterly,2026-10-15,passed,review-2026-10-15.txt
C2,Rights recertified,R2; R3,Sam Okoye,quarterly,2026-05-02,passed,rights-2026-05-02.txt
C3,Four eyes on bank data,R3,Lee Marsh,monthly,2026-11-10,Effective,bank.txt; gone.txt
C4,Leavers removed,R2,TBD,weekly,2026-11-26,failed,
C5,Insurance checked,R9,Lee Marsh,yearly,,,
"""
PROOFS = {
    "review-2026-10-15.txt": "a",
    "rights-2026-05-02.txt": "b",
    "bank.txt": "c",
    "stray.txt": "d",
}


@pytest.fixture
def room(desk: Any, tmp_path: Path) -> Any:
    (tmp_path / "evidence").mkdir()
    return desk(
        {
            "risks.csv": RISKS,
            "controls.csv": CONTROLS,
            **{f"evidence/{k}": v for k, v in PROOFS.items()},
        }
    )


def test_coverage_states_and_every_gap_follow_from_the_tables(
    room: Any, verdict: Any, tmp_path: Path
) -> None:
    answer = control_matrix(room, as_of=DAY)
    assert answer.result["coverage"] == {
        "R1": "covered",
        "R2": "no working control",
        "R3": "covered",
        "R4": "no control",
    }
    assert [f"{gap['id']}: {gap['gap']}" for gap in answer.result["gaps"]] == [
        "R2: no control of it works: C2 overdue, C4 failed",
        "R4: no control covers it",
        "C2: its test is overdue by 119 days",
        "C2: its evidence rights-2026-05-02.txt is 211 days old, more than 92",
        "C3: its evidence gone.txt is not there",
        "C4: no owner is named",
        "C4: its last test failed (failed)",
        "C4: no evidence is named",
        "C5: the risk R9 is not in the list of risks",
        "C5: it was never tested",
        "evidence/stray.txt: no control names it",
    ]
    controls = pd.read_csv(tmp_path / "controls.csv")
    pairs = controls.assign(risk=controls["Risks"].str.split(r"\s*;\s*")).explode("risk")
    tested = pd.to_datetime(pairs["Last tested"])
    days = pairs["Frequency"].map({"quarterly": 92, "monthly": 31, "weekly": 7, "yearly": 366})
    works = pairs["Result"].str.lower().isin(["passed", "effective"]) & (
        (pd.Timestamp(DAY) - tested).dt.days <= days
    )
    book = openpyxl.load_workbook(tmp_path / "control-matrix.xlsx", data_only=True)
    for risk, _, count, working, _ in list(book["Coverage"].values)[1:5]:
        assert (count, working) == (
            (pairs["risk"] == risk).sum(),
            (works & (pairs["risk"] == risk)).sum(),
        )
    shown = {row[0]: row[1] for row in list(book["Evidence"].values)[1:]}
    assert shown == {
        f"evidence/{k}": hashlib.sha256(v.encode()).hexdigest() for k, v in PROOFS.items()
    }
    for item in answer.deliverables:
        assert verdict(control_coverage, item, room, facts={"date": DAY}) == []
        assert [
            m
            for gate in shared_gates()
            for m in verdict(gate.function, item, room, facts={"date": DAY})
        ] == []
    assert verdict(live_formulas, answer.deliverables[0], room) == []
    live = openpyxl.load_workbook(tmp_path / "control-matrix.xlsx")
    assert live["Matrix"]["B2"].value == "='Controls'!$I$2"
    assert len(live["Coverage"]._charts) == 1
    assert "R2, C4: failed" in (tmp_path / "control-matrix.svg").read_text()


def test_a_matrix_that_says_anything_else_is_found(room: Any, lies: Any) -> None:
    item = control_matrix(room, as_of=DAY).deliverables[0]
    cells = [
        ("Coverage", "E3", "covered", "the source gives 'no working control'"),
        ("Coverage", "D3", 1, "the source gives '0'"),
        ("Matrix", "C3", "works", "the source gives 'overdue'"),
        ("Matrix", "B5", "works", "the source gives ''"),
        ("Controls", "F3", "2026-11-02", "the source gives '2026-05-02'"),
        ("Controls", "C5", "Dana Petrov", "the source gives 'not named'"),
        ("Gaps", "C2", "nothing much", "is none"),
        ("Gaps", "B4", "C9", "has a gap that is not named|does not say so"),
        ("Evidence", "B2", "0" * 64, "the source gives"),
        ("Terms", "B2", "2026-05-03", "the source gives"),
    ]
    lies(control_coverage, item, room, cells)


def test_near_misses_pass_and_what_is_broken_changed_or_not_held_fails(
    room: Any, verdict: Any, tmp_path: Path
) -> None:
    item, svg, png = control_matrix(room, as_of=DAY).deliverables
    file = tmp_path / "control-matrix.xlsx"
    book = openpyxl.load_workbook(file, data_only=True)
    book["Controls"].column_dimensions["B"].width = 20
    book.save(file)
    assert verdict(control_coverage, item, room) == []
    assert any("typed" in message for message in verdict(live_formulas, item, room))
    assert "neither today" in verdict(control_coverage, item, room, facts={"date": "2027-03-01"})[0]
    assert "UNVERIFIED" in verdict(control_coverage, item, room, held=False)[0]
    (tmp_path / svg.path).write_text(
        (tmp_path / svg.path).read_text().replace("no control", "covered")
    )
    assert verdict(control_coverage, svg, room) == [
        "The picture is not the one that its source gives."
    ]
    (tmp_path / "evidence/bank.txt").write_text("other")
    assert any("the source gives" in message for message in verdict(control_coverage, item, room))
    for broken in (item, png):
        (tmp_path / broken.path).write_bytes(b"junk")
        assert "not a readable" in verdict(control_coverage, broken, room)[0]


def test_a_test_holds_through_its_last_day(desk: Any) -> None:
    control = "Control ID,Control,Risks,Owner,Frequency,Last tested,Result\nC1,Look,R1,Lee,{},2026-11-19,pass\n"
    for frequency, state in (
        ("10", "covered"),
        ("9 days", "no working control"),
        ("now and then", "no working control"),
    ):
        context = desk({"risks.csv": RISKS, "controls.csv": control.format(frequency)})
        assert control_matrix(context, as_of=DAY).result["coverage"]["R1"] == state


def test_ones_own_frequencies_count_and_others_are_refused() -> None:
    assert (
        days_of("Each Sprint", frequencies_of({"control_frequencies": {"each sprint": 14}})) == 14
    )
    assert days_of("every 10 days", {}) == 10
    assert days_of("0", {}) is None
    for config in ({"control_frequencies": {"x": 0}}, {"control_frequencies": ["x"]}):
        with pytest.raises(ToolInputError, match="control_frequencies"):
            frequencies_of(config)


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({"risks.csv": "ID,Risk\nR1,a\nR1,b\n", "controls.csv": CONTROLS}, "R1 stands there twice"),
        ({"risks.csv": RISKS, "controls.csv": "ID,Control\nC1,a\n"}, "no column for risks"),
        ({"risks.csv": RISKS, "controls.csv": "ID,Control,Risks\n,a,R1\n"}, "row 2: id is missing"),
        (
            {"risks.csv": RISKS, "controls.csv": "ID,Control,Risks,Last tested\nC1,a,R1,soon\n"},
            "not a date",
        ),
        ({"risks.csv": RISKS}, "risks.csv has no column for control"),
    ],
)
def test_tables_that_do_not_fit_are_refused(desk: Any, files: dict[str, str], says: str) -> None:
    with pytest.raises(ToolInputError, match=says):
        control_matrix(desk(files))


def test_a_folder_that_is_not_there_is_refused(room: Any) -> None:
    with pytest.raises(ToolInputError, match="nowhere is not a folder"):
        control_matrix(room, evidence="nowhere")
