import zipfile
from pathlib import Path
from typing import Any

import docx
import pytest
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from reportlab.pdfgen import canvas  # type: ignore[import-untyped]

from deskmate.plugin import ToolInputError
from deskmate_documents.redacting import redact_file
from deskmate_documents.withheld import remains
from deskmate_legal.redaction_rule import check_redaction
from deskmate_legal.tools.redact import redact

WORDS = ["Jane Doe", "jane.doe@acme.com", "Project Falcon"]


def letter(path: Path) -> None:
    """Write a letter that says a name in every place where a Word file can hold one."""
    document = docx.Document()
    document.core_properties.author = "Jane Doe"
    document.core_properties.title = "Project Falcon"
    line = document.add_paragraph("Hello Ja")
    line.add_run("ne").bold = True
    line.add_run(" Doe, JANE\u00a0DOE of Project\u00a0Falcon, Project Falcon; Janet Doeman stays.")
    document.add_paragraph("Write to jane.doe@acme.com.")
    document.sections[0].footer.paragraphs[0].text = "Jane Doe"
    document.add_table(1, 1).cell(0, 0).text = "Jane\nDoe"
    document.add_comment(line.runs, text="Ask Jane Doe", author="Jane Doe", initials="JD")
    gone = OxmlElement("w:del")
    gone.set(qn("w:author"), "Jane Doe")
    gone.set(qn("w:id"), "90")
    run = OxmlElement("w:r")
    text = OxmlElement("w:delText")
    text.text = "Project Falcon"
    run.append(text)
    gone.append(run)
    line._p.append(gone)
    field = OxmlElement("w:fldSimple")
    field.set(qn("w:instr"), 'HYPERLINK "mailto:jane.doe@acme.com"')
    line._p.append(field)
    kind = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/hyperlink"
    document.part.relate_to("mailto:jane.doe%40acme.com", kind, is_external=True)
    document.save(str(path))


def sheet(path: Path) -> None:
    page = canvas.Canvas(str(path))
    page.setAuthor("Jane Doe")
    page.drawString(72, 700, "Hello Jane Doe, Janet Doeman stays.")
    page.drawString(72, 680, "Write to jane.doe@acme.com about Project Falcon.")
    page.save()


@pytest.mark.parametrize(("name", "write"), [("a.docx", letter), ("a.pdf", sheet)])
def test_the_words_are_gone_from_every_part_and_the_rest_stays(
    context: Any, clean_room: Any, name: str, write: Any
) -> None:
    write(context.workspace / name)
    before = (context.workspace / name).read_bytes()
    answer = redact(name, context, words=[*WORDS, "Nobody Else"])
    made = answer.deliverables[0]
    assert answer.result["absent"] == ["Nobody Else"]
    assert remains(context.file(made.path), WORDS) == []
    assert remains(context.file(made.path), ["Janet Doeman"]) != []
    assert (context.workspace / name).read_bytes() == before
    assert list(check_redaction(made, clean_room(made, name))) == []


def test_no_part_of_the_package_holds_the_words(context: Any) -> None:
    letter(context.workspace / "a.docx")
    redact("a.docx", context, words=WORDS)
    with zipfile.ZipFile(context.workspace / "a - redacted.docx") as archive:
        names = archive.namelist()
        whole = b"".join(archive.read(one) for one in names).lower()
    for word in (b"jane ", b"jane.", b"doe<", b"doe@", b"doe%", b"falcon"):
        assert word not in whole
    assert not any("comments" in one for one in names)


def test_the_gate_finds_what_a_box_only_covers(context: Any, clean_room: Any) -> None:
    sheet(context.workspace / "a.pdf")
    made = redact("a.pdf", context, words=WORDS).deliverables[0]
    covered = canvas.Canvas(str(context.workspace / "covered.pdf"))
    covered.drawString(72, 700, "Hello Jane Doe, Janet Doeman stays.")
    covered.rect(70, 690, 200, 20, fill=1)
    covered.save()
    room = clean_room(made, "a.pdf", file=context.file("covered.pdf"))
    assert ["“J…”" in f.message for f in check_redaction(made, room)] == [True]


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (lambda d: d.add_paragraph("Said Jane Doe."), "still in the file"),
        (lambda d: setattr(d.core_properties, "comments", "Jane Doe"), "still in the file"),
        (lambda d: d.add_paragraph("And a new line."), "More was changed"),
        (lambda d: d.add_paragraph("Or ann@acme.com."), "e-mail address is still"),
    ],
)
def test_each_spoilt_document_is_refused(
    context: Any, clean_room: Any, spoil: Any, expected: str
) -> None:
    letter(context.workspace / "a.docx")
    made = redact("a.docx", context, words=WORDS, personal=True).deliverables[0]
    document = docx.Document(str(context.workspace / made.path))
    spoil(document)
    document.save(str(context.workspace / "spoilt.docx"))
    room = clean_room(made, "a.docx", file=context.file("spoilt.docx"))
    assert any(expected in finding.message for finding in check_redaction(made, room))


def test_quoted_words_of_a_request_are_taken_and_without_any_nothing_is_written(
    context: Any,
) -> None:
    letter(context.workspace / "a.docx")
    done = redact("a.docx", context, request="Redact “Jane Doe” please")
    assert done.result["places"] == {"Jane Doe": 4}
    for words, message in (
        (["Zoe Moe"], "none of the words"),
        ([], "what is to go"),
        (["J"], "short"),
    ):
        with pytest.raises(ToolInputError, match=message):
            redact("a.docx", context, words=words, target="b.docx")
    assert not (context.workspace / "b.docx").exists()
    (context.workspace / "a.txt").write_text("Jane Doe")
    with pytest.raises(ToolInputError, match="only DOCX and PDF"):
        redact("a.txt", context, words=WORDS)


def test_embedded_objects_are_refused(context: Any, tmp_path: Path) -> None:
    letter(context.workspace / "a.docx")
    with zipfile.ZipFile(context.workspace / "a.docx", "a") as archive:
        archive.writestr("word/embeddings/oleObject1.bin", b"Jane Doe")
    with pytest.raises(ToolInputError, match="embedded objects"):
        redact_file(context.workspace / "a.docx", tmp_path / "b.docx", WORDS)
    assert not (tmp_path / "b.docx").exists()


@pytest.mark.cases
def test_real_documents_lose_a_word_and_keep_the_rest(
    cases: Any, context: Any, clean_room: Any
) -> None:
    import shutil

    done = 0
    for path in [
        *sorted(cases.glob("templates/*.docx"))[:3],
        *sorted(cases.glob("docx_comments/*.docx"))[:2],
    ]:
        shutil.copyfile(path, context.workspace / path.name)
        made = redact(path.name, context, words=["Agreement", "the"]).deliverables[0]
        assert list(check_redaction(made, clean_room(made, path.name))) == [], path.name
        docx.Document(str(context.workspace / made.path))
        done += 1
    assert done >= 3
