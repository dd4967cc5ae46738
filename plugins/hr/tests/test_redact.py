from pathlib import Path
from typing import Any

import docx
import pytest

from deskmate.plugin import Deliverable, Sources, ToolContext, ToolInputError, ValidationContext
from deskmate_documents.office.personal_gate import check_personal
from deskmate_hr.tools.redact import pii_redact
from deskmate_hr.validators.redaction_rule import redacted

ROSTER = "id,name\n1,Ada Okafor\n2,Will Brandt\n3,Uma Ohlsen\n"


@pytest.fixture
def desk(tmp_path: Path) -> ToolContext:
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    (workspace / "roster.csv").write_text(ROSTER)
    document = docx.Document()
    document.add_paragraph("Ada Okafor will report to Will Brandt. Okafor agreed; Ada signed.")
    document.add_paragraph("Reach her at ada@corp.com or +49 30 1234567; SSN 219-09-9999.")
    document.add_paragraph("Adaptive plans stay.")
    document.save(str(workspace / "note.docx"))
    return ToolContext(workspace=workspace, home=tmp_path, resources=tmp_path)


def room(desk: ToolContext, made: Deliverable, file: str = "", **facts: Any) -> ValidationContext:
    held = {path: desk.file(path) for path in made.sources.values()}
    return ValidationContext(
        file=desk.file(file or made.path), sources=Sources(held, {}), facts=facts
    )


def test_names_of_the_roster_and_personal_data_are_gone(desk: ToolContext) -> None:
    answer = pii_redact(desk, request="Redact the names of roster.csv in note.docx")
    text = [p.text for p in docx.Document(str(desk.workspace / "note - redacted.docx")).paragraphs]
    assert text == [
        "█████ will report to █████. █████ agreed; █████ signed.",
        "Reach her at █████ or █████; SSN █████.",
        "Adaptive plans stay.",
    ]
    assert answer.result["left"] == ["Will"]
    assert answer.result["places"] == {"names and words": 4, "personal data": 3}
    made = answer.deliverables[0]
    assert list(redacted(made, room(desk, made))) == []
    assert list(check_personal(made, room(desk, made))) == []


def test_a_result_with_a_name_of_the_roster_or_a_number_is_refused(desk: ToolContext) -> None:
    made = pii_redact(desk, path="note.docx", roster="roster.csv").deliverables[0]
    for words, expected in (
        ("And Uma Ohlsen.", "roster"),
        ("Ada Okafor", "still in the file"),
        ("Card 4111 1111 1111 1111", "payment card"),
        ("More.", "More was changed"),
    ):
        document = docx.Document(str(desk.workspace / made.path))
        document.add_paragraph(words)
        document.save(str(desk.workspace / "spoilt.docx"))
        found = [f.message for f in redacted(made, room(desk, made, "spoilt.docx"))]
        assert any(expected in message for message in found), words


def test_what_the_user_wrote_may_stay(desk: ToolContext) -> None:
    made = pii_redact(desk, path="note.docx", allow=["ada@corp.com"]).deliverables[0]
    said = room(desk, made, said=["Redact it, but leave ada@corp.com"])
    assert list(redacted(made, said)) == []
    assert any("e-mail" in f.message for f in redacted(made, room(desk, made)))


def test_wrong_files_are_named(desk: ToolContext) -> None:
    (desk.workspace / "plain.csv").write_text("a,b\n1,2\n")
    with pytest.raises(ToolInputError, match="no column of people's names"):
        pii_redact(desk, path="note.docx", roster="plain.csv")
    (desk.workspace / "note.docx").rename(desk.workspace / "note.txt")
    with pytest.raises(ToolInputError, match="There are 0 Word files and PDFs"):
        pii_redact(desk)
    with pytest.raises(ToolInputError, match="only DOCX and PDF"):
        pii_redact(desk, path="note.txt")
