import hashlib
from pathlib import Path
from typing import Any

import pytest

from deskmate.plugin import ToolContext, ToolInputError
from deskmate_hr.tools.policy import policy_lookup

CASES = Path(__file__).resolve().parents[4] / "shared" / "cases" / "hr" / "18f-handbook"
PAGE = """---
title: Leave
---

# Leave

## Parental leave

Parents receive 16 weeks of paid leave.

## Sick leave

Call your manager before 9 a.m.

## Travel

Book trains, not planes, for journeys under four hours.
"""


def context(tmp_path: Path) -> ToolContext:
    (tmp_path / "handbook").mkdir(exist_ok=True)
    (tmp_path / "handbook" / "leave.md").write_text(PAGE)
    return ToolContext(workspace=tmp_path, home=tmp_path, resources=tmp_path)


def test_the_answer_is_a_verbatim_quote_with_its_place_and_evidence(tmp_path: Path) -> None:
    answer = policy_lookup(
        context(tmp_path), "How many weeks of parental leave do I get?", "handbook"
    )
    best = answer.result["answers"][0]
    assert best["quote"] == "Parents receive 16 weeks of paid leave."
    assert (best["path"], best["section"]) == (
        "handbook/leave.md",
        "Leave › Leave › Parental leave",
    )
    evidence = answer.evidence[0]
    assert evidence.quote in PAGE
    assert evidence.source == hashlib.sha256(PAGE.encode()).hexdigest()
    assert evidence.locator == {"paragraph": best["paragraph"]}


def test_what_the_handbook_does_not_say_is_not_found(tmp_path: Path) -> None:
    result = policy_lookup(context(tmp_path), "May I bring my dog to the office?").result
    assert not result["found"]
    assert result["answers"] == []
    assert result["summary"].startswith("Not found in 1 file(s)")
    assert "dog" in result["missing_words"]


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    here = context(tmp_path)
    (tmp_path / "handbook" / "old.pdf").write_bytes(b"not a pdf")
    result = policy_lookup(here, "sick leave", "handbook").result
    assert result["found"]
    assert "old.pdf" in result["unreadable"][0]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"question": "what is the?"}, "no words"),
        ({"question": "leave", "folder": "nowhere"}, "not a folder"),
        ({"question": "leave", "folder": "../.."}, "outside"),
        ({"question": "leave", "folder": "empty"}, "no handbook"),
        ({"question": "leave", "limit": 0}, "1 to 10"),
    ],
)
def test_bad_input_is_refused_in_one_line(tmp_path: Path, arguments: Any, says: Any) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ToolInputError, match=says):
        policy_lookup(context(tmp_path), **arguments)


@pytest.mark.cases
@pytest.mark.skipif(not CASES.is_dir(), reason="no cases folder")
@pytest.mark.parametrize(
    ("question", "page"),
    [
        ("How do I enroll in the transit benefit?", "transit-benefit"),
        ("When must supervisors complete the mid-year review?", "mid-year"),
        ("How much does the company contribute to my dental plan?", "benefits"),
        ("What is schedule A hiring?", "hiring-authorities"),
    ],
)
def test_a_real_handbook_is_searched_and_quoted_verbatim(question: Any, page: Any) -> None:
    here = ToolContext(workspace=CASES.parent, home=CASES, resources=CASES)
    answer = policy_lookup(here, question, CASES.name)
    assert page in answer.result["answers"][0]["path"]
    for quoted in answer.evidence:
        assert quoted.quote in (CASES.parent / quoted.path).read_text("utf-8")


@pytest.mark.cases
@pytest.mark.skipif(not CASES.is_dir(), reason="no cases folder")
@pytest.mark.parametrize(
    "question", ["What is the dress code for weddings?", "Is there a sabbatical?"]
)
def test_a_real_handbook_without_an_answer_says_so(question: Any) -> None:
    here = ToolContext(workspace=CASES.parent, home=CASES, resources=CASES)
    assert not policy_lookup(here, question, CASES.name).result["found"]
