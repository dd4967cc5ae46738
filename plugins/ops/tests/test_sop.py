from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from deskmate.plugin import Sources, ToolContext, ToolInputError, ValidationContext
from deskmate_ops.runbooks import read_runbook
from deskmate_ops.tools.sop import sop_build
from deskmate_ops.validators.rules import step_owners, steps_complete

CASES = Path(__file__).resolve().parents[4] / "shared" / "cases" / "ops" / "sop_pagerduty"
NOTES = """---
title: Fail over the database
owner: Storage team
---

Version: 3

## Steps for the Primary

Read all of it first.

1. Call the **commander** with `!ic page`.
   It takes a minute.
    * Ask for a [deputy](../people.md).
1. Stop writes.

```
- not a step
```

## Afterwards

- [ ] Tell support.
"""


def here(tmp_path: Path, text: str = NOTES) -> ToolContext:
    (tmp_path / "failover.md").write_text(text)
    return ToolContext(workspace=tmp_path, home=tmp_path, resources=tmp_path)


def verdict(tmp_path: Path, answer: Any, held: bool = True) -> list[str]:
    (deliverable,) = answer.deliverables
    path = deliverable.sources["notes"]
    room = ValidationContext(
        file=tmp_path / deliverable.path,
        sources=Sources({path: tmp_path / path} if held else {}, {}),
    )
    return [finding.message for finding in steps_complete(replace(deliverable), room)]


def lines(tmp_path: Path) -> Any:
    from docx import Document

    document = Document(str(tmp_path / "failover.docx"))
    return document, [p for p in document.paragraphs if p.text[:1].isdigit()]


def test_steps_are_numbered_with_their_roles_and_facts_are_the_notes_own(tmp_path: Path) -> None:
    answer = sop_build(here(tmp_path))
    result = answer.result
    assert [(s["number"], s["text"]) for s in result["steps"]] == [
        ("1.1", "Call the commander with !ic page. It takes a minute."),
        ("1.1.1", "Ask for a deputy."),
        ("1.2", "Stop writes. - not a step"),
        ("2.1", "Tell support."),
    ]
    assert (result["title"], result["roles"]) == ("Fail over the database", ["Primary"])
    assert result["facts"] == {"owner": "Storage team", "version": "3"}
    assert result["missing"] == ["next review"]
    assert verdict(tmp_path, answer) == []


def test_a_step_lost_altered_swapped_or_added_fails(tmp_path: Path) -> None:
    answer = sop_build(here(tmp_path))
    document, steps = lines(tmp_path)
    steps[2].text = "1.2\tStop all writes."
    document.save(str(tmp_path / "failover.docx"))
    messages = verdict(tmp_path, answer)
    assert "missing or altered" in messages[0]
    assert "not in the notes" in messages[1]

    sop_build(here(tmp_path))
    document, steps = lines(tmp_path)
    steps[0].text, steps[3].text = steps[3].text, steps[0].text
    document.save(str(tmp_path / "failover.docx"))
    assert any("out of order" in message for message in verdict(tmp_path, answer))

    sop_build(here(tmp_path))
    document, steps = lines(tmp_path)
    steps[3]._element.getparent().remove(steps[3]._element)
    document.save(str(tmp_path / "failover.docx"))
    assert ["Tell support" in message for message in verdict(tmp_path, answer)] == [True]


def test_prose_around_the_steps_may_change(tmp_path: Path) -> None:
    answer = sop_build(here(tmp_path))
    document, _ = lines(tmp_path)
    document.add_paragraph("Questions go to the storage team.")
    document.save(str(tmp_path / "failover.docx"))
    assert verdict(tmp_path, answer) == []


def test_missing_notes_and_broken_files_fail(tmp_path: Path) -> None:
    answer = sop_build(here(tmp_path))
    assert "UNVERIFIED" in verdict(tmp_path, answer, held=False)[0]
    (tmp_path / "failover.docx").write_bytes(b"junk")
    assert "not a readable DOCX" in verdict(tmp_path, answer)[0]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"path": "x.md"}, "not a file"),
        ({"output": "x.pdf"}, "must end in .docx"),
        ({"output": "../x.docx"}, "outside"),
    ],
)
def test_bad_arguments_are_refused(tmp_path: Path, arguments: Any, says: Any) -> None:
    with pytest.raises(ToolInputError, match=says):
        sop_build(here(tmp_path), **arguments)


def test_notes_without_a_step_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ToolInputError, match="holds no steps"):
        sop_build(here(tmp_path, "# Just words\n\nNothing to do.\n"))


@pytest.mark.cases
@pytest.mark.skipif(not CASES.is_dir(), reason="no cases folder")
def test_the_numbered_steps_of_real_runbooks_are_all_kept(tmp_path: Path) -> None:
    for page in sorted(CASES.glob("*.md")):
        text = page.read_text("utf-8")
        try:
            book = read_runbook(text, page.name)
        except ToolInputError:
            continue
        context = here(tmp_path, text)
        answer = sop_build(context)
        assert answer.result["step_count"] == len(book.steps())
        assert verdict(tmp_path, answer) == [], page.name


@pytest.mark.cases
@pytest.mark.skipif(not CASES.is_dir(), reason="no cases folder")
def test_a_real_checklist_and_its_roles_are_read(tmp_path: Path) -> None:
    book = read_runbook(
        (CASES / "during__security_incident_response.md").read_text("utf-8"), "x.md"
    )
    checklist = next(s for s in book.sections if s.title == "Checklist")
    assert len(checklist.steps) == 14
    assert checklist.steps[0].text == "Stop the attack in progress."
    incident = read_runbook((CASES / "during__during_an_incident.md").read_text("utf-8"), "x.md")
    assert "Incident Commander" in [section.role for section in incident.sections]


DUTIES = """# Fail over

Owner: Storage lead

1. Stop writes. (owner: DBA on call; check: no open transactions)
1. Wait for the replica.
   - Owner: DBA on call
   - Input: the replica's address
   - Check: lag is 0
   - Roll-back: start writes again
   - Consult: network team
   - Ask a second pair of eyes.
1. Promote the replica.
   Rollback: promote the old primary
   Inform: support desk
"""


def tables(tmp_path: Path) -> Any:
    from docx import Document

    document = Document(str(tmp_path / "failover.docx"))
    return document, document.tables[1], document.tables[2]


def owners(tmp_path: Path, answer: Any, held: bool = True) -> list[str]:
    (deliverable,) = answer.deliverables
    path = deliverable.sources["notes"]
    room = ValidationContext(
        file=tmp_path / deliverable.path,
        sources=Sources({path: tmp_path / path} if held else {}, {}),
    )
    return [finding.message for finding in step_owners(deliverable, room)]


def test_owners_checks_and_roll_backs_are_the_notes_own_and_gaps_are_named(tmp_path: Path) -> None:
    answer = sop_build(here(tmp_path, DUTIES))
    _, steps, raci = tables(tmp_path)
    assert [[cell.text for cell in row.cells] for row in steps.rows][1:] == [
        ["1.1", "DBA on call", "open", "no open transactions", "open", "5"],
        ["1.2", "DBA on call", "the replica's address", "lag is 0", "start writes again", "6"],
        ["1.3", "open", "open", "open", "promote the old primary", "13"],
    ]
    assert [[cell.text for cell in row.cells] for row in raci.rows][1:] == [
        ["1.1", "DBA on call", "Storage lead", "none named", "none named"],
        ["1.2", "DBA on call", "Storage lead", "network team", "none named"],
        ["1.3", "open", "Storage lead", "none named", "support desk"],
    ]
    assert answer.result["open_points"] == [
        "The notes do not name a version.",
        "The notes do not name a day of the next review.",
        "No owner is named for step 1.3.",
        "No input is named for steps 1.1, 1.3.",
        "No check is named for step 1.3.",
        "No roll-back is named for step 1.1.",
    ]
    assert [s["number"] for s in answer.result["steps"]] == ["1.1", "1.2", "1.2.1", "1.3"]
    assert verdict(tmp_path, answer) == []
    assert owners(tmp_path, answer) == []


def test_a_role_of_the_section_owns_its_steps_and_nobody_is_accountable_by_guess(
    tmp_path: Path,
) -> None:
    answer = sop_build(here(tmp_path, "# A\n\n## Steps for the Scribe\n\n- Write it down.\n"))
    _, steps, raci = tables(tmp_path)
    assert steps.rows[1].cells[1].text == "Scribe"
    assert raci.rows[1].cells[2].text == "open"
    assert "Nobody is named as accountable for every step." in answer.result["open_points"]
    assert owners(tmp_path, answer) == []


@pytest.mark.parametrize(
    ("table", "row", "column", "text", "says"),
    [
        (1, 3, 1, "Network team", "does not stand in its lines"),
        (1, 3, 1, "DBA on call", "does not stand in its lines"),  # that of another step
        (1, 1, 1, "open", "name an owner, and it says open"),
        (1, 1, 4, "start writes again", "does not stand in its lines"),
        (1, 2, 3, "", "Check is empty"),
        (1, 2, 5, "7", "stands in line 6"),
        (1, 2, 0, "1.9", "each step once"),
        (2, 1, 1, "Storage lead", "Responsible is"),
        (2, 1, 2, "DBA on call", "Accountable is"),
        (2, 1, 2, "", "Accountable is"),
        (2, 3, 3, "legal", "does not stand in its lines"),
        (1, 0, 1, "Doer", "no table of steps"),
    ],
)  # fmt: skip
def test_what_is_invented_of_a_step_is_found(
    tmp_path: Path, table: int, row: int, column: int, text: str, says: str
) -> None:
    answer = sop_build(here(tmp_path, DUTIES))
    document = tables(tmp_path)[0]
    document.tables[table].rows[row].cells[column].text = text
    document.save(str(tmp_path / "failover.docx"))
    found = owners(tmp_path, answer)
    assert any(says in message for message in found), found


def test_an_open_point_that_is_dropped_or_added_is_found(tmp_path: Path) -> None:
    answer = sop_build(here(tmp_path, DUTIES))
    document = tables(tmp_path)[0]
    (point,) = [p for p in document.paragraphs if p.text.startswith("No owner")]
    point.text = "No owner is named for step 1.1."
    document.save(str(tmp_path / "failover.docx"))
    assert owners(tmp_path, answer) == [
        "The open points do not say: No owner is named for step 1.3.",
        "The open point is none: No owner is named for step 1.1.",
    ]
    assert "UNVERIFIED" in owners(tmp_path, answer, held=False)[0]
    (tmp_path / "failover.docx").write_bytes(b"junk")
    assert "not a readable DOCX" in owners(tmp_path, answer)[0]


@pytest.mark.cases
@pytest.mark.skipif(not CASES.is_dir(), reason="no cases folder")
def test_nothing_is_invented_of_the_steps_of_real_runbooks(tmp_path: Path) -> None:
    checked = 0
    for page in sorted(CASES.glob("*.md")):
        text = page.read_text("utf-8")
        try:
            read_runbook(text, page.name)
        except ToolInputError:
            continue
        assert owners(tmp_path, sop_build(here(tmp_path, text))) == [], page.name
        checked += 1
    assert checked >= 10
