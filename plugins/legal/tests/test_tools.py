from typing import Any

import docx
import pytest

from deskmate.plugin import ToolInputError
from deskmate_documents.docx.reading import read_docx
from deskmate_documents.quotes import find_quote
from deskmate_documents.text import read_text
from deskmate_legal.tools.compare import contract_compare
from deskmate_legal.tools.find import contract_find
from deskmate_legal.tools.memo import memo_write
from deskmate_legal.tools.nda import nda_triage
from deskmate_legal.tools.parse import contract_parse
from deskmate_legal.tools.redline import contract_redline
from deskmate_legal.tools.review import playbook_review
from deskmate_legal.tools.terms import terms_check

REQUEST = "Review this NDA against our playbook. Redline what deviates and write a one-page memo."


def text_of(path: Any) -> Any:
    return " ".join(" ".join(p.text for p in read_text(path).passages).split())


def changed(entry: Any, **fields: Any) -> Any:
    return {**entry, **fields}


def test_the_contract_and_the_playbook_are_found_and_nothing_else(context: Any, nda: Any) -> None:
    (context.workspace / "contracts/notes.txt").write_text("Call the dentist.")
    first = contract_find(REQUEST, context)
    edits = playbook_review(nda, context).result["edits"]
    contract_redline(nda, edits, context)
    memo_write(nda, context)
    assert contract_find(REQUEST, context) == first
    assert [c["path"] for c in first["contracts"]] == [nda]
    assert first["playbook"] == "contracts/playbook.yaml"
    assert first["skipped"] == [
        {"path": "contracts/notes.txt", "reason": "it does not read like a contract"}
    ]


def test_a_named_file_is_taken_alone(context: Any, nda: Any) -> None:
    other = context.workspace / "contracts/supply.txt"
    other.write_text("SUPPLY AGREEMENT\n\n1. The parties agree.")
    assert (
        contract_find("Please review supply.txt", context)["contracts"][0]["path"]
        == "contracts/supply.txt"
    )
    assert contract_find("review the nda", context)["count"] == 1
    assert contract_find("review the contracts", context)["count"] == 2


def test_an_empty_folder_and_two_playbooks_are_said_in_one_line(context: Any) -> None:
    with pytest.raises(ToolInputError, match="no DOCX, PDF or text file"):
        contract_find("review", context)
    for name in ("playbook-a.yaml", "playbook-b.yaml"):
        (context.workspace / name).write_text(
            "title: x\nextends: default\ncategories:\n  - id: audit\n"
        )
    with pytest.raises(ToolInputError, match="2 playbooks"):
        contract_find("review", context)


def test_clauses_come_in_parts_with_computed_numbers(context: Any, nda: Any) -> None:
    first = contract_parse(nda, context, limit=5)
    rest = contract_parse(nda, context, start=first["next"], limit=200)
    numbers = [c["number"] for c in first["clauses"] + rest["clauses"]]
    assert len(numbers) == first["total"]
    assert rest["next"] is None
    assert {"1", "3.3", "8.5"} <= set(numbers)


def test_the_review_finds_what_was_put_into_the_invented_nda(context: Any, nda: Any) -> None:
    found = playbook_review(nda, context)
    rules = {(row["category"], row["rule"].split()[0]) for row in found.result["deviations"]}
    assert {
        ("confidentiality-term", "range"),
        ("definition-exclusions", "no-independent"),
        ("residuals", "residuals-clause"),
        ("standard-of-care", "highest-care"),
        ("return-destroy", "range"),
        ("no-license", "absent"),
        ("injunctive-relief", "bond-waived"),
        ("governing-law", "range"),
        ("non-solicit", "range"),
        ("auto-renewal", "range"),
        ("publicity", "free-use"),
    } <= rules
    source = read_text(context.file(nda))
    for evidence in found.evidence:
        places = [p.paragraph for p in find_quote(source, evidence.quote)]
        assert evidence.locator["paragraph"] in places


def test_the_memo_carries_every_quotation_as_a_claim_and_fits_a_page(
    context: Any, nda: Any
) -> None:
    answer = memo_write(nda, context)
    (deliverable,) = answer.deliverables
    memo = text_of(context.file(deliverable.path))
    ids = {evidence.id for evidence in answer.evidence}
    assert len(deliverable.claims) >= 10
    for claim in deliverable.claims:
        assert set(claim.evidence) <= ids
        assert " ".join(claim.text.split()) in memo
    assert "Draft for professional review" in memo
    assert answer.result["on_first_page"] == answer.result["deviations"]


def test_a_text_gets_proposed_wording_instead_of_a_redline(context: Any) -> None:
    path = context.workspace / "a.txt"
    path.write_text(
        "SUPPLY AGREEMENT\n\n1. Law. This Agreement between the parties is governed by the laws of Peru."
    )
    found = playbook_review("a.txt", context).result
    assert (found["edits"], found["redline_path"]) == ([], "")
    assert found["proposals"]
    memo = text_of(context.file(memo_write("a.txt", context).deliverables[0].path))
    assert "governed by the laws of the State of Delaware." in memo
    assert "cannot carry tracked changes" in memo


def test_a_finding_by_reading_is_taken_only_with_its_words_in_place(context: Any, nda: Any) -> None:
    finding: Any = {
        "title": "Notices",
        "quote": "Notices under this Agreement are given in writing",
        "paragraph": 31,
        "severity": "low",
        "deviation": "No e-mail.",
        "recommendation": "Add e-mail.",
    }
    memo = text_of(context.file(memo_write(nda, context, findings=[finding]).deliverables[0].path))
    assert "by reading" in memo
    with pytest.raises(ToolInputError, match="not in paragraph 3"):
        memo_write(nda, context, findings=[changed(finding, paragraph=3)])
    with pytest.raises(ToolInputError, match="nowhere"):
        memo_write(nda, context, findings=[changed(finding, quote="Notices are given by pigeon")])


def test_a_redline_never_replaces_the_original_or_leaves_the_workspace(
    context: Any, nda: Any
) -> None:
    edits: Any = playbook_review(nda, context).result["edits"]
    before = context.file(nda).read_bytes()
    with pytest.raises(ToolInputError, match="is the original"):
        contract_redline(nda, edits, context, target=nda)
    with pytest.raises(ToolInputError, match="outside the workspace"):
        contract_redline(nda, edits, context, target="../x.docx")
    with pytest.raises(ToolInputError, match="no edits"):
        contract_redline(nda, [], context)
    with pytest.raises(ToolInputError, match="does not occur"):
        contract_redline(nda, [changed(edits[0], find="not there at all")], context)
    contract_redline(nda, edits, context)
    assert context.file(nda).read_bytes() == before


def test_two_versions_are_compared_the_older_first(context: Any, nda: Any) -> None:
    folder = context.workspace / "contracts"
    original = context.file(nda)
    (folder / "deal v1.docx").write_bytes(original.read_bytes())
    document = docx.Document(str(original))
    document.paragraphs[2].runs[0].text += " They meet monthly."
    document.save(str(folder / "deal v2.docx"))
    pair = contract_find("what changed from deal v2 to deal v1", context, versions=True)
    assert (pair["before"], pair["after"]) == ("contracts/deal v1.docx", "contracts/deal v2.docx")
    answer = contract_compare(pair["before"], pair["after"], context)
    assert answer.result["revisions"] >= 1
    assert answer.deliverables[0].path == "contracts/deal v2 - comparison.docx"
    assert read_docx(context.file(answer.deliverables[0].path)).has_tracked_changes
    with pytest.raises(ToolInputError, match="same file"):
        contract_compare(nda, nda, context)
    with pytest.raises(ToolInputError, match="Two Word documents"):
        contract_find("compare", context, versions=True)


def test_the_invented_nda_reads_clean_of_errors(context: Any, nda: Any) -> None:
    found = terms_check(nda, context).result
    assert found["errors"] == 0, found["report"]
    assert "Residuals" in found["defined_terms"]


def test_triage_needs_verbatim_words_and_computes_the_colour(context: Any, nda: Any) -> None:
    answers: list[Any] = [
        {
            "criterion": "ip",
            "answer": "yes",
            "quote": "The Receiving Party may use for any purpose the residuals",
            "paragraph": 20,
        },
        {"criterion": "liability", "answer": "absent", "quote": "", "paragraph": 0},
    ]
    found = nda_triage(nda, context, answers)
    assert found.result["colour"] == "red"
    assert len(found.evidence) == 1
    with pytest.raises(ToolInputError, match="not in paragraph 2"):
        nda_triage(nda, context, [changed(answers[0], paragraph=2)])


@pytest.mark.parametrize("content", [b"", b"%PDF-1.7 broken", b"PK\x03\x04 not a zip"])
def test_a_damaged_contract_is_named_and_the_others_are_reviewed(
    context: Any, nda: Any, content: Any
) -> None:
    name = {b"": "empty.txt", b"%": "bad.pdf", b"P": "bad.docx"}[content[:1]]
    (context.workspace / "contracts" / name).write_bytes(content)
    found = contract_find("review contracts", context)
    assert [c["path"] for c in found["contracts"]] == [nda]
    assert found["skipped"][0]["path"] == f"contracts/{name}"
    with pytest.raises(ToolInputError):
        playbook_review(f"contracts/{name}", context)
