from pathlib import Path
from typing import Any

import docx
import pytest

from deskmate.plugin import Sources, ToolContext, ToolInputError, ValidationContext
from deskmate_documents.office.gates import shared_gates
from deskmate_hr.interviews import traits
from deskmate_hr.tools.interview import interview_plan
from deskmate_hr.validators.interview_rules import interview_sound

HEAD = "Competency,Question,Interviewer,Weak,Good,Excellent\n"
ROWS = (
    "Debugging,Tell me about a fault that took you days to find.,Lee Marsh,no method,a method,a method and what changed after\n"
    "Debugging,How would you find out why this job is slow?,Ada Okafor,guesses,measures,measures and explains\n"
    "Teamwork,When did you change your mind because of a colleague?,Lee Marsh,never,one case,one case and its effect\n"
)


def desk(tmp_path: Path, rows: str = ROWS) -> ToolContext:
    (tmp_path / "interview questions.csv").write_text(HEAD + rows)
    return ToolContext(workspace=tmp_path, home=tmp_path, resources=tmp_path)


def room(tmp_path: Path, answer: Any) -> Any:
    (item,) = answer.deliverables
    files = {path: tmp_path / path for path in item.sources.values()}
    return item, ValidationContext(file=tmp_path / item.path, sources=Sources(files, {}))


def verdict(tmp_path: Path, answer: Any) -> list[str]:
    item, place = room(tmp_path, answer)
    return [finding.message for finding in interview_sound(item, place)]


def test_a_plan_has_matrix_scales_and_an_empty_score_sheet(tmp_path: Path) -> None:
    answer = interview_plan(desk(tmp_path))
    tables = docx.Document(str(tmp_path / "interview-plan.docx")).tables
    assert [cell.text for cell in tables[0].rows[1].cells] == ["Debugging", "1", "1"]
    assert [cell.text for cell in tables[0].rows[2].cells] == ["Teamwork", "1", "–"]
    assert [row.cells[0].text for row in tables[1].rows] == ["Score", "1", "3", "5"]
    assert answer.result["interviewers"] == {"Lee Marsh": 2, "Ada Okafor": 1}
    assert verdict(tmp_path, answer) == []
    item, place = room(tmp_path, answer)
    assert [f.message for gate in shared_gates() for f in gate.function(item, place)] == []


@pytest.mark.parametrize(
    ("text", "trait"),
    [
        ("How old are you?", "age"),
        ("Do you plan to have children soon?", "family plans"),
        ("Are you married?", "family plans"),
        ("How many sick days have you taken; do you have any illness?", "health"),
        ("Where are you originally from?", "origin"),
        ("What was your previous salary?", "pay history"),
        ("Are you a member of a union?", "union membership or politics"),
        ("Which church do you go to?", "religion"),
        ("Have you ever been arrested?", "arrests"),
    ],
)
def test_what_nobody_may_ask_is_refused(tmp_path: Path, text: str, trait: str) -> None:
    assert traits(text) == [trait]
    with pytest.raises(ToolInputError, match=f"row 5 asks about {trait}"):
        interview_plan(desk(tmp_path, ROWS + f'Fit,"{text}",Lee Marsh,a,b,c\n'))


@pytest.mark.parametrize(
    "text",
    [
        "How old was the system that you replaced?",
        "How do you end child processes that hang?",
        "Tell me about a union of two data sets that you built.",
        "How did you marry both code bases?",
        "How would you design pay slips for previous months?",
        "Where did you learn about native modules?",
        "Describe the health checks that you run.",
    ],
)
def test_near_misses_may_be_asked(text: str) -> None:
    assert traits(text) == []


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("days to find", "weeks to find", "The plan has not"),
        ("a method and what changed", "anything", "The plan has not"),
        ("Every candidate", "Are you married? Every candidate", "asks about family plans"),
    ],
)
def test_a_plan_that_was_changed_fails(tmp_path: Path, old: str, new: str, says: str) -> None:
    answer = interview_plan(desk(tmp_path))
    document = docx.Document(str(tmp_path / "interview-plan.docx"))
    cells = [
        p for t in document.tables for row in t.rows for cell in row.cells for p in cell.paragraphs
    ]
    (paragraph,) = [p for p in [*document.paragraphs, *cells] if old in p.text]
    paragraph.runs[0].text = paragraph.text.replace(old, new)
    for run in paragraph.runs[1:]:
        run.text = ""
    document.save(str(tmp_path / "interview-plan.docx"))
    assert any(says in message for message in verdict(tmp_path, answer))


def test_a_score_that_nobody_gave_fails(tmp_path: Path) -> None:
    answer = interview_plan(desk(tmp_path))
    document = docx.Document(str(tmp_path / "interview-plan.docx"))
    document.tables[-1].rows[1].cells[2].text = "5"
    document.save(str(tmp_path / "interview-plan.docx"))
    assert any("filled in" in message for message in verdict(tmp_path, answer))


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ("Debugging,Why?,Lee,a,,c\n", "good is missing"),
        ("Debugging,Why?,,a,b,c\n", "interviewer is missing"),
        ("A,Why?,Lee,a,b,c\nB,why?,Ada,a,b,c\n", "asks what"),
        ("", "no header|questions|not a table|table"),
    ],
)  # fmt: skip
def test_gaps_are_refused_by_row(tmp_path: Path, rows: str, says: str) -> None:
    with pytest.raises(ToolInputError, match=says):
        interview_plan(desk(tmp_path, rows))


def test_other_bad_input_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ToolInputError, match=r"ends in \.docx"):
        interview_plan(desk(tmp_path), output="plan.txt")
    (tmp_path / "interview questions.csv").write_text("Question,Owner\nWhy?,Lee\n")
    with pytest.raises(ToolInputError, match="no column for competency"):
        interview_plan(ToolContext(workspace=tmp_path, home=tmp_path, resources=tmp_path))


def test_junk_and_an_original_that_is_not_held_fail(tmp_path: Path) -> None:
    answer = interview_plan(desk(tmp_path))
    item, place = room(tmp_path, answer)
    bare = ValidationContext(file=place.file, sources=Sources({}, {}))
    assert any("UNVERIFIED" in f.message for f in interview_sound(item, bare))
    (tmp_path / "interview-plan.docx").write_bytes(b"junk")
    assert verdict(tmp_path, answer)
