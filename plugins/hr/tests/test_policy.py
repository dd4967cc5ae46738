import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import docx
import pytest

from deskmate.plugin import Sources, ToolContext, ToolInputError, ValidationContext
from deskmate_documents.office.quote_gate import check_quotes
from deskmate_hr.tools.policy import policy_answer, policy_lookup
from deskmate_hr.validators.policy_rules import policy_searched, quotes_verbatim
from deskmate_hr.versions import family_of

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


def verdicts(tmp_path: Path, answer: Any, **changes: Any) -> tuple[list[str], list[str]]:
    (item,) = answer.deliverables
    item = replace(item, **changes)
    held = {path: tmp_path / path for path in item.sources.values() if (tmp_path / path).is_file()}
    sources = Sources(held, {})
    room = ValidationContext(file=tmp_path / item.path, sources=sources, evidence=answer.evidence)
    found = [finding.message for finding in quotes_verbatim(item, room)]
    found += [finding.message for finding in check_quotes(item, room)]
    return found, [finding.message for finding in policy_searched(item, room)]


def memo(tmp_path: Path, question: str = "How many weeks of parental leave?", **more: Any) -> Any:
    return policy_answer(context(tmp_path), question, "handbook", **more)


def edit(tmp_path: Path, old: str, new: str) -> None:
    file = tmp_path / "handbook" / "policy-answer.docx"
    document = docx.Document(str(file))
    (paragraph,) = [p for p in document.paragraphs if old in p.text]
    paragraph.runs[0].text = paragraph.text.replace(old, new)
    for run in paragraph.runs[1:]:
        run.text = ""
    document.save(str(file))


def test_a_memo_quotes_with_place_and_passes(tmp_path: Path) -> None:
    answer = memo(tmp_path)
    assert answer.result["output"] == "handbook/policy-answer.docx"
    lines = [p.text for p in docx.Document(str(tmp_path / answer.result["output"])).paragraphs]
    at = lines.index("Parents receive 16 weeks of paid leave.")
    assert lines[at + 1] == "handbook/leave.md, paragraph 4; Leave › Leave › Parental leave"
    assert "Draft for professional review" in lines
    assert verdicts(tmp_path, answer) == ([], [])


def test_a_memo_says_that_the_policy_does_not_say(tmp_path: Path) -> None:
    answer = memo(tmp_path, "May I bring my dog to the office?")
    lines = [p.text for p in docx.Document(str(tmp_path / answer.result["output"])).paragraphs]
    assert "The policy does not say." in lines
    assert "Words of the question that occur nowhere: bring, dog, office." in lines
    assert verdicts(tmp_path, answer) == ([], [])
    # The same memo as an answer to what the policy does say is a lie.
    told = {**answer.deliverables[0].data, "question": "parental leave weeks"}
    assert any(
        "is silent, and the policy has" in m for m in verdicts(tmp_path, answer, data=told)[1]
    )


@pytest.mark.parametrize(
    ("old", "new", "rule", "says"),
    [
        ("16 weeks", "18 weeks", 0, "does not say"),
        ("paragraph 4", "paragraph 6", 0, "does not say"),
        ("paragraph 4", "paragraph 99", 0, "has no paragraph 99"),
        ("paragraph 4", "somewhere", 0, "names no file and paragraph"),
        ("handbook/leave.md, p", "handbook/other.md, p", 0, "UNVERIFIED"),
        ("How many weeks", "How many days", 1, "does not state the question"),
        ("The quotes are", "Fathers are included. The quotes are", 1, "neither a quote"),
    ],
)
def test_a_memo_that_was_changed_fails(
    tmp_path: Path, old: str, new: str, rule: int, says: str
) -> None:
    answer = memo(tmp_path)
    edit(tmp_path, old, new)
    assert any(says in message for message in verdicts(tmp_path, answer)[rule])


def test_a_quote_with_other_quotation_marks_and_spaces_passes(tmp_path: Path) -> None:
    answer = memo(tmp_path)
    edit(
        tmp_path,
        "Parents receive 16 weeks of paid leave.",
        "Parents receive  16 weeks of paid leave.",
    )
    assert verdicts(tmp_path, answer)[0] == []


def test_a_memo_that_is_junk_or_has_no_sources_fails(tmp_path: Path) -> None:
    answer = memo(tmp_path)
    assert any(
        "UNVERIFIED" in m for m in verdicts(tmp_path, answer, sources={"x": "handbook/gone.md"})[1]
    )
    assert verdicts(tmp_path, answer, data={})[1]
    (tmp_path / "handbook" / "policy-answer.docx").write_bytes(b"junk")
    item = answer.deliverables[0]
    room = ValidationContext(file=tmp_path / item.path, sources=Sources({}, {}))
    assert quotes_verbatim(item, room)


def versions(tmp_path: Path) -> None:
    folder = tmp_path / "handbook"
    folder.mkdir(exist_ok=True)
    for year, weeks in ((2024, 10), (2025, 12), (2099, 20)):
        (folder / f"remote-work-{year}.md").write_text(
            f"# Remote work\n\nEffective date: {year}-01-01\n\nRemote work abroad is limited to {weeks} weeks.\n"
        )
    (folder / "travel.md").write_text(
        "# Travel\n\nApplies to: Germany\n\nRemote work abroad needs a certificate of insurance for weeks of travel.\n"
    )
    (folder / "draft.md").write_text("Status: draft\n\nRemote work abroad: no limit of weeks.\n")


def test_only_the_version_in_force_is_quoted(tmp_path: Path) -> None:
    versions(tmp_path)
    question = "How many weeks of remote work abroad?"
    found = memo(tmp_path, question, as_of="2025-06-30", jurisdiction="California")
    assert [a["quote"] for a in found.result["answers"]] == [
        "Remote work abroad is limited to 12 weeks."
    ]
    assert found.result["answers"][0]["effective"] == "2025-01-01"
    assert found.result["left_out"] == [
        "handbook/draft.md: its status is draft",
        "handbook/remote-work-2099.md: it takes effect on 2099-01-01 only",
        "handbook/travel.md: it applies to Germany, not to California",
        "handbook/remote-work-2024.md: replaced by handbook/remote-work-2025.md from 2025-01-01",
    ]
    assert verdicts(tmp_path, found) == ([], [])
    earlier = memo(tmp_path, question, as_of="2024-06-30", jurisdiction="Germany")
    quotes = " ".join(a["quote"] for a in earlier.result["answers"])
    assert "10 weeks" in quotes
    assert "certificate" in quotes


def test_a_quote_of_a_version_that_is_not_in_force_fails(tmp_path: Path) -> None:
    versions(tmp_path)
    found = memo(tmp_path, "How many weeks of remote work abroad?", as_of="2024-06-30")
    told = {**found.deliverables[0].data, "as_of": "2025-06-30"}
    verbatim, searched = verdicts(tmp_path, found, data=told)
    assert verbatim == []
    assert any("is not among the passages that answer" in message for message in searched)


def test_a_day_that_is_neither_today_nor_named_fails(tmp_path: Path) -> None:
    found = memo(tmp_path, as_of="2024-06-30")
    (item,) = found.deliverables
    sources = Sources({path: tmp_path / path for path in item.sources.values()}, {})
    for said, count in (("Leave?", 1), ("Leave as of 2024-06-30?", 0)):
        facts = {"date": "2026-05-01", "said": [said]}
        room = ValidationContext(file=tmp_path / item.path, sources=sources, facts=facts)
        assert len(policy_searched(item, room)) == count


def test_versions_of_a_file_are_one_family() -> None:
    names = (
        "p/leave-policy-2024.docx",
        "p/Leave Policy v2.1.pdf",
        "p/leave_policy (2025-03-01).md",
    )
    assert {family_of(name) for name in names} == {"p/leave policy"}
    assert family_of("p/leave-2.md") != family_of("p/travel.md")


def test_word_and_pdf_policies_are_quoted_with_section_and_page(tmp_path: Path) -> None:
    folder = tmp_path / "handbook"
    folder.mkdir()
    document = docx.Document()
    document.add_heading("Expenses", level=1)
    document.add_paragraph("Receipts above 25 euros are handed in within thirty days.")
    document.save(str(folder / "expenses.docx"))
    (folder / "cars.pdf").write_bytes(pdf(["First page."], ["Company cars are washed monthly."]))
    receipts = memo(tmp_path, "When are receipts handed in?").result["answers"][0]
    assert (receipts["path"], receipts["section"]) == ("handbook/expenses.docx", "Expenses")
    answer = memo(tmp_path, "How often are cars washed?")
    cars = answer.result["answers"][0]
    assert (cars["page"], cars["quote"]) == (2, "Company cars are washed monthly.")
    assert verdicts(tmp_path, answer) == ([], [])
    edit(tmp_path, "page 2, ", "")
    assert any("The page is missing" in message for message in verdicts(tmp_path, answer)[0])


def pdf(*pages: list[str]) -> bytes:
    """Return a PDF with a line of Helvetica for each text."""
    kids = " ".join(f"{3 + 2 * n} 0 R" for n in range(len(pages)))
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>",
    ]
    font = "<< /Font << /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >>"
    for number, lines in enumerate(pages):
        shown = " ".join(
            f"1 0 0 1 72 {720 - 20 * n} Tm ({line}) Tj" for n, line in enumerate(lines)
        )
        stream = f"BT /F1 12 Tf {shown} ET"
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Resources {font} /Contents {4 + 2 * number} 0 R >>"
        )
        objects.append(f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream")
    out, places = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += f"{number} 0 obj\n{body}\nendobj\n".encode()
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    size = len(objects) + 1
    return (
        out
        + (
            f"xref\n0 {size}\n0000000000 65535 f \n{table}trailer\n<< /Size {size} /Root 1 0 R >>\nstartxref\n{len(out)}\n%%EOF"
        ).encode()
    )
