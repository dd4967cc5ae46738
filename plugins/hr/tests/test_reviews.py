"""The review lint: what it finds, what it leaves alone, and that a sheet which says anything else is found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import docx
import openpyxl
import pandas as pd
import pytest

from deskmate.plugin import ToolInputError
from deskmate_documents.office.gates import shared_gates
from deskmate_hr.reviews import RULES, Passage, lint
from deskmate_hr.tools.review import review_lint
from deskmate_hr.validators.live import live_formulas
from deskmate_hr.validators.review_rules import review_quoted

TABLE = """Employee ID,Rating,Comments
E1,4,"Closed 14 of 15 tickets in Q2; when the export failed in May, she traced it in a day and wrote the missing test."
E2,2,"He is lazy and always late. Needs improvement."
E3,3,Good.
E4,4,"She is too emotional for her age. People say that since having a baby she leaves early."
"""


def rules(text: str) -> list[str]:
    return [hit.rule.id for hit in lint([Passage(path="a", place="b", text=text)])]


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("Her tone in meetings is abrasive.", "R-STYLE"),
        ("Remarkable, at his age.", "R-AGE"),
        ("She was less visible after her maternity leave.", "R-FAMILY-HEALTH"),
        ("His accent is hard to follow.", "R-ORIGIN"),
        ("She should smile more.", "R-LOOKS"),
        ("Ada is a brilliant colleague.", "R-PERSONALITY"),
        ("He's often quite arrogant.", "R-PERSONALITY"),
        ("Bo never answers.", "R-ABSOLUTE"),
        ("I heard that the team was unhappy.", "R-HEARSAY"),
        ("An outstanding contributor this year.", "R-EVIDENCE"),
    ],
)
def test_each_rule_finds_what_it_is_for(text: str, rule: str) -> None:
    assert rules(text) == [rule]


@pytest.mark.parametrize(
    "text",
    [
        "She set an aggressive timeline and kept it.",
        "Wrote the parental leave policy and the sick leave process.",
        "The migration was difficult, and the interface is weak.",
        "His work on emotional intelligence training reached 40 people.",
        "An outstanding quarter: 14 of 15 tickets closed in Q2.",
        "Struggled with the release in May because the tests were missing.",
        "The alarm is always on.",
        "This is nice work on the young customers segment.",
        "",
    ],
)
def test_near_misses_are_left_alone(text: str) -> None:
    assert rules(text) == []


def test_a_table_is_read_row_by_row_with_quotes_and_sources(
    desk: Any, verdict: Any, tmp_path: Path
) -> None:
    context = desk({"performance reviews.csv": TABLE})
    answer = review_lint(context)
    assert [(row["place"], row["rule"]) for row in answer.result["findings"]] == [
        ("row 3", "R-REASONS"), ("row 3", "R-PERSONALITY"), ("row 3", "R-EVIDENCE"), ("row 4", "R-REASONS"), ("row 5", "R-STYLE"),
        ("row 5", "R-FAMILY-HEALTH"), ("row 5", "R-HEARSAY"),
    ]  # fmt: skip
    (item,) = answer.deliverables
    table = pd.read_csv(tmp_path / "performance reviews.csv")
    short = (table["Comments"].str.split().str.len() < 12).sum()
    assert sum(row["rule"] == "R-REASONS" for row in answer.result["findings"]) == short
    book = openpyxl.load_workbook(tmp_path / item.path, data_only=True)
    assert all(row[3] for row in book["Rules"].values)
    assert sum(row[4] for row in list(book["Rules"].values)[1:]) == answer.result["count"]
    assert len(openpyxl.load_workbook(tmp_path / item.path)["Rules"]._charts) == 1
    for rule in (review_quoted, live_formulas, *(gate.function for gate in shared_gates())):
        assert verdict(rule, item, context) == []


def test_documents_are_read_by_paragraph(desk: Any, verdict: Any, tmp_path: Path) -> None:
    context = desk({"reviews.md": "# Review\n\nHe is lazy.\n"})
    (tmp_path / "folder").mkdir()
    document = docx.Document()
    document.add_paragraph("Worked on the export.")
    document.add_paragraph("Ada is shy. She closed 4 cases.")
    document.save(str(tmp_path / "folder/review of Ada.docx"))
    answer = review_lint(context)
    assert sorted(row["quote"] for row in answer.result["findings"]) == [
        "Ada is shy.",
        "He is lazy.",
    ]
    assert verdict(review_quoted, answer.deliverables[0], context) == []
    (found,) = review_lint(context, path="folder").result["findings"]
    assert (found["file"], found["quote"]) == ("folder/review of Ada.docx", "Ada is shy.")


def test_a_sheet_that_says_anything_else_is_found(
    desk: Any, lies: Any, verdict: Any, tmp_path: Path
) -> None:
    context = desk({"performance reviews.csv": TABLE})
    (item,) = review_lint(context).deliverables
    cells = [
        ("Findings", "E3", "He is very lazy.", "does not say"),
        ("Findings", "B3", "row 2", "does not say"),
        ("Findings", "C3", "R-AGE", "the source gives 'R-PERSONALITY'"),
        ("Rules", "D2", "somewhere", "the source gives"),
        ("Texts", "B2", 9, "the source gives"),
        ("Notes", "A2", "All of this is true.", "the source gives"),
    ]
    lies(review_quoted, item, context, cells)
    assert "UNVERIFIED" in verdict(review_quoted, item, context, held=False)[0]
    (tmp_path / item.path).write_bytes(b"junk")
    assert "not a readable workbook" in verdict(review_quoted, item, context)[0]


def test_nothing_found_is_said_and_passes(desk: Any, verdict: Any) -> None:
    context = desk({"review.txt": "Closed 14 of 15 tickets.\n"})
    answer = review_lint(context)
    assert answer.result["count"] == 0
    assert verdict(review_quoted, answer.deliverables[0], context) == []


@pytest.mark.parametrize(
    ("files", "path", "says"),
    [
        ({"notes.txt": "x"}, "", "There are no reviews"),
        ({"review.csv": "Who,Day\nA,1\n"}, "", "no column of comments"),
        ({"review.csv": "Who,Comments\nA,\n"}, "", "no text in these reviews"),
        ({"review.txt": ""}, "", "is empty"),
    ],
)
def test_what_is_no_review_is_refused(
    desk: Any, files: dict[str, str], path: str, says: str
) -> None:
    with pytest.raises(ToolInputError, match=says):
        review_lint(desk(files), path=path)


def test_every_rule_has_a_reason_and_a_source() -> None:
    assert all(rule.why and rule.source for rule in RULES)
    assert len({rule.id for rule in RULES}) == len(RULES)
