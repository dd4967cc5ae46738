"""Quotations from a copy without a password: proven by the host's encrypted file, opened once more."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pypdf
import pytest
from tests.unit.documents.gate_rooms import digest, errors, room, run_gate, write_docx
from tests.unit.documents.pdfs import write_pdf

from deskmate.errors import ToolInputError
from deskmate.plugin import Deliverable, Evidence, ToolContext
from deskmate_documents.office import pdf_tools
from deskmate_documents.office.gates import shared_gates
from deskmate_documents.office.password_tools import document_lock, document_unlock
from deskmate_documents.office.tools import document_quote
from deskmate_documents.unlocked import opened

QUOTE = "The fee is forty pounds a month"
GATES = {gate.rule: gate for gate in shared_gates()}
MEMO = Deliverable(path="w/memo.docx", title="Memo", role="memo", sources={"terms": "open.docx"})


@pytest.fixture
def context(tmp_path: Path) -> ToolContext:
    """A room in which an encrypted contract was opened into a copy."""
    work = tmp_path / "w"
    write_docx(work / "terms.docx", f"{QUOTE}, payable in advance.")
    made = ToolContext(workspace=work, home=tmp_path / "h", resources=tmp_path)
    document_lock("terms.docx", "locked.docx", "right", made)
    return made


@pytest.fixture
def evidence(context: ToolContext) -> Evidence:
    return document_unlock("locked.docx", "open.docx", context, "right").evidence[0]


def said(context: ToolContext, words: str, *evidence: Evidence, rule: str = "G-QUOTE") -> list[str]:
    """Return what a rule says of a memo that quotes; the host holds the encrypted file only."""
    memo = write_docx(context.workspace / "memo.docx", f"They write “{words}”.")
    held = {"locked.docx": context.workspace / "locked.docx"}
    return errors(run_gate(GATES[rule], MEMO, room(memo, held, evidence)))


def test_a_quotation_of_the_copy_is_verified_before_it_was_applied(
    context: ToolContext, evidence: Evidence
) -> None:
    quoted = document_quote("open.docx", QUOTE, context)
    assert said(context, QUOTE, evidence, *quoted.evidence) == []
    assert said(context, QUOTE, evidence, rule="G-SOURCE") == []
    assert (
        "Does not occur in open.docx" in said(context, "The fee is ten pounds a year", evidence)[0]
    )


def test_without_the_record_nothing_is_believed(context: ToolContext, evidence: Evidence) -> None:
    assert "UNVERIFIED: the host never held open.docx" in said(context, QUOTE)[0]


@pytest.mark.parametrize(
    "lie",
    [
        {"locator": {"copy": "open.docx", "sha256": "0" * 64, "password": "right"}},
        {"locator": {"copy": "open.docx", "password": "right"}},
        {"source": "0" * 64},
        {"path": "elsewhere.docx"},
    ],
    ids=["another copy", "no digest", "another original", "no original"],
)
def test_a_record_that_the_hosts_file_does_not_bear_out_is_none(
    context: ToolContext, evidence: Evidence, lie: dict[str, Any]
) -> None:
    assert "UNVERIFIED" in said(context, QUOTE, replace(evidence, **lie))[0]


def test_a_wrong_password_opens_nothing(context: ToolContext, evidence: Evidence) -> None:
    wrong = replace(evidence, locator={**evidence.locator, "password": "wrong"})
    assert "UNVERIFIED" in said(context, QUOTE, wrong)[0]


def test_a_copy_that_was_rewritten_is_not_taken_for_the_original(
    context: ToolContext, evidence: Evidence
) -> None:
    copy = write_docx(context.workspace / "open.docx", "The fee is one pound a month in all.")
    forged = replace(evidence, locator={**evidence.locator, "sha256": digest(copy)})
    assert "UNVERIFIED" in said(context, "The fee is one pound a month", forged)[0]


def test_what_the_host_holds_at_that_path_stays_the_original(
    context: ToolContext, evidence: Evidence
) -> None:
    mine = write_docx(context.workspace / "mine.docx", "Another text.")
    held = {"locked.docx": context.workspace / "locked.docx", "open.docx": mine}
    assert opened(room(mine, held, (evidence,))).sources.file("open.docx") == mine


@pytest.fixture
def locked_pdf(context: ToolContext) -> Path:
    """A PDF that only its password opens."""
    path = write_pdf(
        context.workspace / "terms.pdf", [[(50, 500, f"{QUOTE}, or 480.25 euros.")], []]
    )
    writer = pypdf.PdfWriter(clone_from=path)
    writer.encrypt("right", algorithm="AES-256")
    writer.write(path)
    return path


def said_of_pdf(
    context: ToolContext, pdf: Path, words: str, *evidence: Evidence, rule: str = "G-QUOTE"
) -> list[str]:
    memo = write_docx(context.workspace / "memo.docx", f"They write “{words}” (page 1).")
    about = replace(MEMO, sources={"terms": "terms.pdf"})
    return errors(run_gate(GATES[rule], about, room(memo, {"terms.pdf": pdf}, evidence)))


def test_a_quotation_of_a_pdf_with_a_password_is_verified(
    context: ToolContext, locked_pdf: Path
) -> None:
    quoted = document_quote("terms.pdf", QUOTE, context, password="right")
    assert quoted.result["found"]
    assert said_of_pdf(context, locked_pdf, QUOTE, *quoted.evidence) == []
    lie = said_of_pdf(context, locked_pdf, "The fee is ten pounds a year", *quoted.evidence)
    assert "Does not occur in terms.pdf" in lie[0]
    assert "cannot be read" in said_of_pdf(context, locked_pdf, QUOTE)[0]


def test_each_tool_that_reads_it_records_the_password_and_its_figures_count(
    context: ToolContext, locked_pdf: Path
) -> None:
    for answer in (
        pdf_tools.pdf_read("terms.pdf", "1", context, password="right"),
        pdf_tools.pdf_find("terms.pdf", "fee", context, password="right"),
        pdf_tools.pdf_tables("terms.pdf", "1", context, password="right"),
    ):
        assert answer.evidence[0].locator == {"password": "right"}
        assert said_of_pdf(context, locked_pdf, QUOTE, *answer.evidence) == []
    read = pdf_tools.pdf_read("terms.pdf", "1", context, password="right").evidence
    figure = f"{QUOTE}, or 480.25 euros"
    assert said_of_pdf(context, locked_pdf, figure, *read, rule="G-NUM") == []


@pytest.mark.parametrize(
    "lie",
    [{"locator": {"password": "wrong"}}, {"source": "0" * 64}, {"path": "elsewhere.pdf"}],
    ids=["wrong password", "another original", "no original"],
)
def test_a_record_of_a_pdf_that_its_file_does_not_bear_out_is_none(
    context: ToolContext, locked_pdf: Path, lie: dict[str, Any]
) -> None:
    (opening, *_) = document_quote("terms.pdf", QUOTE, context, password="right").evidence
    assert "cannot be read" in said_of_pdf(context, locked_pdf, QUOTE, replace(opening, **lie))[0]


def test_a_password_that_a_pdf_does_not_need_or_that_is_wrong(context: ToolContext) -> None:
    write_pdf(context.workspace / "plain.pdf", [[(50, 500, QUOTE)]])
    found = document_quote("plain.pdf", QUOTE, context, password="idle").evidence
    assert [item.locator for item in found] == [{"paragraph": 1, "page": 1}]


def test_a_wrong_password_of_a_pdf_is_said(context: ToolContext, locked_pdf: Path) -> None:
    with pytest.raises(ToolInputError, match="the password given does not open it"):
        document_quote("terms.pdf", QUOTE, context, password="wrong")
    with pytest.raises(ToolInputError, match="document_quote open it"):
        document_quote("terms.pdf", QUOTE, context)
