"""G-SOURCE, G-META, G-PII, G-ACTION, G-REVIEW, G-SCHEMA and G-RENDER: what each finds and what it lets pass."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import docx
import pytest
from docx.shared import Pt
from openpyxl import Workbook
from pptx import Presentation
from pypdf import PdfWriter
from tests.unit.documents.gate_rooms import errors, room, write_docx

from deskmate.plugin import Deliverable, ToolError, ToolInputError
from deskmate_documents.docx.build import build_docx
from deskmate_documents.office.action_gate import check_actions
from deskmate_documents.office.meta_gate import check_metadata
from deskmate_documents.office.personal_gate import check_personal
from deskmate_documents.office.render_gate import PageLook, RenderGate, check_rendering, problems
from deskmate_documents.office.review_gate import check_review
from deskmate_documents.office.schema_gate import check_schema
from deskmate_documents.office.source_gate import check_sources
from deskmate_documents.personal import is_card, is_iban

# G-SOURCE


def sources(tmp_path: Path, *lines: str, **facts: Any) -> list[str]:
    held = {}
    for name in ("q3 report.pdf", "model.xlsx"):
        (tmp_path / name).write_bytes(b"x")
        held[f"w/{name}"] = tmp_path / name
    file = write_docx(tmp_path / "out/a.docx", "# Findings", "All well.", *lines)
    return errors(check_sources(Deliverable(path="w/a.docx", title="A"), room(file, held, **facts)))


def test_sources_that_were_opened_pass(tmp_path: Path) -> None:
    assert sources(tmp_path, "# Sources", "w/q3 report.pdf, page 4", "model.xlsx, PL!C7") == []
    assert sources(tmp_path, "Source: model.xlsx") == []
    seen = ("# Sources", "https://api.example.com/v1")
    assert sources(tmp_path, *seen, hosts=["api.example.com"]) == []


def test_a_source_that_nobody_opened_is_found(tmp_path: Path) -> None:
    (message,) = sources(tmp_path, "# Sources", "q4 report.pdf", "# Annex", "budget.xlsx")
    assert message == "UNVERIFIED: q4 report.pdf was never opened in this thread."
    (message,) = sources(tmp_path, "# References", "https://evil.example.net/a")
    assert "evil.example.net" in message
    (message,) = sources(tmp_path, "Source: secret-plan.docx")
    assert "secret-plan.docx" in message


@pytest.mark.parametrize(
    ("entry", "named"),
    [
        ("- Profit and loss of May 2026.xlsx, PL!C7", ["Profit and loss of May 2026.xlsx"]),
        ("model.xlsx and Board minutes.docx", ["Board minutes.docx"]),
        ("Board/Old plan (final).pdf; Sales plan.csv", ["Board/Old plan (final).pdf", "Sales plan.csv"]),
        (f"{'long ' * 40}name.pdf", ["…" + ("long " * 40 + "name.pdf")[-100:]]),
    ],
)  # fmt: skip
def test_a_name_with_blanks_is_told_whole(tmp_path: Path, entry: str, named: list[str]) -> None:
    found = sources(tmp_path, "# Sources", entry)
    assert found == [f"UNVERIFIED: {name} was never opened in this thread." for name in named]


def test_a_file_named_in_running_text_is_no_source(tmp_path: Path) -> None:
    assert sources(tmp_path, "Save it as result.docx.", "Sources of error: none.txt matter") == []


def test_a_source_that_could_not_be_read_must_be_named(tmp_path: Path) -> None:
    lines = ("# Sources", "model.xlsx")
    (message,) = sources(tmp_path, *lines, unavailable=["w/locked.pdf"])
    assert message == "w/locked.pdf could not be read, and the list of sources does not say so."
    assert sources(tmp_path, *lines, "locked.pdf is not available", unavailable=["w/locked.pdf"])
    assert sources(tmp_path, "No list here.", unavailable=["w/locked.pdf"]) == []


def test_a_deliverable_made_from_what_the_host_never_held_is_unverified(tmp_path: Path) -> None:
    file = write_docx(tmp_path / "a.docx", "x")
    deliverable = Deliverable(path="w/a.docx", title="A", sources={"original": "w/o.docx"})
    assert "UNVERIFIED" in errors(check_sources(deliverable, room(file)))[0]
    assert errors(check_sources(deliverable, room(file, others={"w/o.docx": file}))) == []


# G-META


def meta(file: Path, *originals: Path, role: str = "document") -> list[str]:
    held = {f"w/{path.name}": path for path in originals}
    named = {f"source {n}": path for n, path in enumerate(held)}
    deliverable = Deliverable(path="w/out", title="A", role=role, sources=named)
    return errors(check_metadata(deliverable, room(file, held)))


def test_a_clean_file_of_every_kind_passes(tmp_path: Path) -> None:
    Workbook().save(tmp_path / "a.xlsx")
    deck = Presentation()
    deck.core_properties.author = ""
    deck.core_properties.last_modified_by = ""
    deck.save(str(tmp_path / "a.pptx"))
    writer = PdfWriter()
    writer.add_blank_page(100, 100)
    writer.write(tmp_path / "a.pdf")
    files = [write_docx(tmp_path / "a.docx", "Hello", author="python-docx")]
    files += [tmp_path / f"a.{kind}" for kind in ("xlsx", "pptx", "pdf")]
    assert [meta(file) for file in files] == [[], [], [], []]


def test_a_name_is_found_unless_the_original_had_it(tmp_path: Path) -> None:
    file = write_docx(tmp_path / "a.docx", "Hello", author="Ann Lee")
    assert meta(file) == ["The file carries along what nobody asked for, name: Ann Lee"]
    assert meta(file, write_docx(tmp_path / "o.docx", "Hi", author="Ann Lee")) == []


def test_comments_and_hidden_text_are_found(tmp_path: Path) -> None:
    document = docx.Document()
    document.core_properties.author = ""
    run = document.add_paragraph("Fee").add_run(" of 500")
    run.font.hidden = True
    document.add_comment(run, "Too much?", author="Ann", initials="A")
    document.save(str(tmp_path / "a.docx"))
    found = meta(tmp_path / "a.docx")
    assert [m.split(", ", 1)[1] for m in found] == [
        "comment: Ann: Too much?",
        "hidden text: of 500",
    ]
    assert len(meta(tmp_path / "a.docx", role="commented")) == 1


def test_tracked_changes_are_found_but_in_a_redline(tmp_path: Path, make_docx: Any) -> None:
    body = "<w:p><w:ins w:id='1' w:author='Bo'><w:r><w:t>new</w:t></w:r></w:ins></w:p>"
    file = make_docx(body)
    assert meta(file) == ["The file carries along what nobody asked for, tracked changes: by Bo"]
    assert meta(file, role="redline") == []


def test_hidden_sheets_and_slides_are_found(tmp_path: Path) -> None:
    book = Workbook()
    book.create_sheet("Secret").sheet_state = "veryHidden"
    book.save(tmp_path / "a.xlsx")
    deck = Presentation()
    deck.core_properties.author = deck.core_properties.last_modified_by = ""
    slide = deck.slides.add_slide(deck.slide_layouts[6])
    slide._element.set("show", "0")
    deck.save(str(tmp_path / "a.pptx"))
    assert meta(tmp_path / "a.xlsx")[0].endswith("hidden sheet: Secret")
    assert meta(tmp_path / "a.pptx")[0].endswith("hidden slide: slide 1")


def test_a_pdf_with_an_author_and_an_attachment_is_found(tmp_path: Path) -> None:
    writer = PdfWriter()
    writer.add_blank_page(100, 100)
    writer.add_metadata({"/Author": "Ann Lee"})
    writer.add_attachment("salaries.csv", b"a,b")
    writer.write(tmp_path / "a.pdf")
    found = " ".join(meta(tmp_path / "a.pdf"))
    assert "name: Ann Lee" in found
    assert "attached file salaries.csv" in found


@pytest.mark.parametrize("name", ["a.docx", "a.pdf"])
def test_metadata_of_a_damaged_file_is_not_passed(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"PK\x03\x04 broken")
    with pytest.raises(ToolInputError):
        meta(tmp_path / name)


# G-PII

PEOPLE = "Name,Team,E-mail\nAnn Lee,Sales,ann.lee@acme.io\nBo Orr,Legal,bo.orr@acme.io\n"
IBAN = "GB82 WEST 1234 5698 7654 32"


def personal(
    tmp_path: Path, text: str, *, role: str = "document", named: bool = True, **facts: Any
) -> list[str]:
    (tmp_path / "people.csv").write_text(PEOPLE)
    (tmp_path / "other.txt").write_text("Write to carl@acme.io, +49 30 1234567.")
    held = {"w/people.csv": tmp_path / "people.csv", "w/other.txt": tmp_path / "other.txt"}
    file = write_docx(tmp_path / "out/a.docx", text)
    made = {"employees": "w/people.csv"} if named else {}
    deliverable = Deliverable(path="w/a.docx", title="A", role=role, sources=made)
    return errors(check_personal(deliverable, room(file, held, **facts)))


def test_what_the_named_source_or_the_user_has_may_be_shown(tmp_path: Path) -> None:
    assert personal(tmp_path, "Ann Lee is at ann.lee@acme.io.") == []
    assert personal(tmp_path, f"Pay {IBAN}.", said=[f"The account is {IBAN}."]) == []
    assert personal(tmp_path, "Write to carl@acme.io.", named=False) == []


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Write to carl@acme.io.", "e-mail address from w/other.txt"),
        ("Call +49 30 1234567.", "telephone number from w/other.txt"),
        (f"Pay {IBAN}.", "bank account (IBAN) that stands in no source"),
        ("Card 4111 1111 1111 1111.", "payment card that stands in no source"),
        ("SSN 123-45-6789.", "social security number that stands in no source"),
    ],
)
def test_personal_data_from_elsewhere_or_nowhere_is_found(
    tmp_path: Path, text: str, kind: str
) -> None:
    (message,) = personal(tmp_path, text)
    assert kind in message
    assert text.split()[-1] not in message  # a finding does not spread what it found


@pytest.mark.parametrize(
    "text",
    [
        "Card 4111 1111 1111 1112, order 1234567890123456",
        "GB82 WEST 1234 5698 7654 33",
        "SSN 000-12-3456, part 123-45-67890",
        "write to a@example.com or x@sub.test, call 555-0123",
        "2026-03-02 10:00 and 1,234,567.89 and 10.0.0.1",
    ],
)
def test_what_only_looks_like_it_is_not(tmp_path: Path, text: str) -> None:
    assert personal(tmp_path, text) == []


def test_a_report_about_people_names_nobody(tmp_path: Path) -> None:
    assert personal(tmp_path, "Sales has 1, Legal has 1.", role="people_report") == []
    found = personal(tmp_path, "Ann Lee left; ask bo.orr@acme.io.", role="people_report")
    assert len(found) == 2
    assert not any("Ann" in message or "bo.orr" in message for message in found)


def test_check_digits() -> None:
    assert is_iban(IBAN)
    assert not is_iban(IBAN.replace("32", "23"))
    assert is_card("4111-1111-1111-1111")
    assert not is_card("0000 0000 0000 0000")


# G-ACTION

HEAD = ("Action", "Owner", "Due", "Status")


def actions(
    tmp_path: Path, *rows: tuple[str, ...], lines: tuple[str, ...] = (), role: str = "document"
) -> list[str]:
    (tmp_path / "people.csv").write_text(PEOPLE)
    table = [HEAD, *rows] if rows else []
    file = write_docx(tmp_path / "out/a.docx", *lines, table=table)
    deliverable = Deliverable(path="w/a.docx", title="A", role=role)
    return errors(check_actions(deliverable, room(file, {"w/people.csv": tmp_path / "people.csv"})))


def test_whole_action_items_pass(tmp_path: Path) -> None:
    assert actions(tmp_path, ("Send draft", "Ann Lee", "2026-12-01", "open")) == []
    assert actions(tmp_path, ("Send draft", "Bo Orr", "2026-01-01", "done")) == []
    line = "Send the draft today (owner: Ann Lee; due: 2026-12-01; status: open)"
    assert actions(tmp_path, lines=("# Action items", line)) == []


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (("x", "", "2026-12-01", "open"), "has no owner"),
        (("x", "TBD", "2026-12-01", "open"), "has no owner"),
        (("x", "Zoe Qui", "2026-12-01", "open"), "No source knows the owner Zoe Qui"),
        (("x", "Ann Lee", "", "open"), "has no due date"),
        (("x", "Ann Lee", "2026-02-30", "open"), "is no date of the calendar"),
        (("x", "Ann Lee", "next week", "open"), "is no date of the calendar"),
        (("x", "Ann Lee", "2026-11-27", "open"), "is past"),
        (("x", "Ann Lee", "2026-12-01", ""), "has no status"),
        (("x", "Ann Lee", "2026-12-01", "soonish"), "is no status"),
    ],
)
def test_an_item_that_binds_nobody_is_found(
    tmp_path: Path, row: tuple[str, ...], message: str
) -> None:
    assert message in " ".join(actions(tmp_path, row))


def test_steps_and_advice_are_no_action_items(tmp_path: Path) -> None:
    advice = ("# Action items", "Stop doing your old job.", "Ask for what you need.")
    assert actions(tmp_path, lines=advice) == []
    assert len(actions(tmp_path, lines=advice, role="minutes")) == 6
    document = docx.Document()
    table = document.add_table(rows=2, cols=3)
    for cell, text in zip(table.rows[0].cells, ("Step", "Action", "Owner"), strict=True):
        cell.text = text
    table.rows[1].cells[1].text = "Stop writes"
    document.save(str(tmp_path / "sop.docx"))
    found = check_actions(Deliverable(path="w/s", title="S"), room(tmp_path / "sop.docx"))
    assert errors(found) == []


# G-REVIEW


def reviewed(tmp_path: Path, *lines: str, role: str = "memo", signed: str = "") -> list[str]:
    file = write_docx(tmp_path / "memo.docx", "# Memo", *lines)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    signatures = {"w/memo.docx": {"name": signed, "sha256": digest}} if signed else {}
    deliverable = Deliverable(path="w/memo.docx", title="M", role=role)
    return errors(check_review(deliverable, room(file, signatures=signatures)))


def test_a_memo_is_a_draft_until_somebody_signed_these_bytes(tmp_path: Path) -> None:
    assert reviewed(tmp_path, "Draft for professional review") == []
    assert reviewed(tmp_path, "Hello") == [
        "The result does not say that it is a draft for professional review."
    ]
    assert reviewed(tmp_path, "Status: final", signed="Ann Lee") == []
    assert reviewed(tmp_path, "Hello", role="sop") == []
    file = write_docx(tmp_path / "memo.docx", "changed after it was signed")
    stale = {"w/memo.docx": {"name": "Ann Lee", "sha256": "0" * 64}}
    deliverable = Deliverable(path="w/memo.docx", title="M", role="memo")
    assert errors(check_review(deliverable, room(file, signatures=stale)))


@pytest.mark.parametrize(
    "line", ["Status: approved", "This memo has been reviewed.", "Reviewed by outside counsel"]
)
def test_words_are_no_signature(tmp_path: Path, line: str) -> None:
    (message,) = reviewed(tmp_path, "Draft for professional review", line)
    assert message.startswith("Nobody has signed this file")


def test_a_contract_that_speaks_of_approval_is_no_claim(tmp_path: Path) -> None:
    line = "The budget must be approved by the Board; counsel reviewed earlier drafts."
    assert reviewed(tmp_path, "Draft for professional review", line) == []


# G-SCHEMA

STRUCTURE = {
    "title": "Plan",
    "footer": "Acme",
    "blocks": [
        {"type": "heading", "text": "Aim", "level": 1},
        {"type": "paragraph", "text": "We *will* **win**."},
        {"type": "list", "items": ["one", "two"], "ordered": True},
        {"type": "table", "header": ["a", "b"], "rows": [["1", "2"]], "caption": "Figures"},
    ],
}


def twin(file: Path, structure: Any = STRUCTURE) -> list[str]:
    deliverable = Deliverable(path="w/a.docx", title="A", data={"structure": structure})
    return errors(check_schema(deliverable, room(file)))


def test_a_document_says_what_its_structure_says(tmp_path: Path) -> None:
    build_docx(STRUCTURE, tmp_path / "a.docx")
    assert twin(tmp_path / "a.docx") == []
    document = docx.Document(str(tmp_path / "a.docx"))
    document.tables[0].rows[1].cells[1].text = "3"
    document.save(str(tmp_path / "a.docx"))
    assert twin(tmp_path / "a.docx") == ["The file says “3” where its structure says “2”."]
    document.tables[0].rows[1].cells[1].text = "2"
    document.add_paragraph("P.S.")
    document.save(str(tmp_path / "a.docx"))
    assert twin(tmp_path / "a.docx") == ["Only the file has: “P.S.”."]
    assert "not valid" in twin(tmp_path / "a.docx", {"blocks": [{"type": "poem"}]})[0]
    assert "not valid" in twin(tmp_path / "a.docx", {"blocks": "x"})[0]


def json_file(tmp_path: Path, text: str, schema: Any = None, **data: Any) -> list[str]:
    file = tmp_path / "a.json"
    file.write_text(text)
    held = {}
    if schema is not None:
        (tmp_path / "a.schema.json").write_text(json.dumps(schema))
        held["w/a.schema.json"] = tmp_path / "a.schema.json"
    return errors(
        check_schema(Deliverable(path="w/a.json", title="A", data=data), room(file, held))
    )


def test_json_fits_its_schema(tmp_path: Path) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    assert json_file(tmp_path, '{"n": 1}') == []
    assert json_file(tmp_path, '{"n": 1}', schema) == []
    assert json_file(tmp_path, '{"n": "1"}', schema) == ["'1' is not of type 'integer'"]
    assert json_file(tmp_path, '{"n": 1}', schema={"type": "wish"})
    assert json_file(tmp_path, "{}", schema={"$ref": "https://example.com/s.json"})


@pytest.mark.parametrize("text", ["{", '{"a": 1, "a": 2}', '{"a": NaN}', "[" * 100_000, ""])
def test_what_is_no_json_is_found(tmp_path: Path, text: str) -> None:
    assert len(json_file(tmp_path, text)) == 1


# G-RENDER


def paged(path: Path, *pages: str) -> Path:
    """Write a PDF: a text a page, `` for a blank one, `<` begins one that runs off the page."""
    from pypdf.generic import DictionaryObject, NameObject, StreamObject

    writer = PdfWriter()
    font = DictionaryObject(
        {
            NameObject("/Type"): NameObject("/Font"),
            NameObject("/Subtype"): NameObject("/Type1"),
            NameObject("/BaseFont"): NameObject("/Helvetica"),
        }
    )
    for text in pages:
        page = writer.add_blank_page(300, 300)
        fonts = DictionaryObject({NameObject("/F1"): font})
        page[NameObject("/Resources")] = DictionaryObject({NameObject("/Font"): fonts})
        stream = StreamObject()
        place = 500 if text.startswith("<") else 20
        words = text.lstrip("<")
        stream.set_data(f"BT /F1 12 Tf {place} 200 Td ({words}) Tj ET".encode() if text else b"")
        page[NameObject("/Contents")] = writer._add_object(stream)
    writer.write(path)
    return path


def rendered(file: Path, renderer: Any = None, **data: Any) -> list[str]:
    deliverable = Deliverable(path=f"w/{file.name}", title="A", data=data)
    return errors(RenderGate(renderer).check(deliverable, room(file)))


def test_pages_are_whole(tmp_path: Path) -> None:
    assert rendered(paged(tmp_path / "a.pdf", "Hello", "there")) == []
    found = rendered(paged(tmp_path / "b.pdf", "Hello", "", "<gone"), pages=[1, 2])
    assert found == [
        "It has 3 pages; 1 to 2 are wanted.",
        "The page is blank.",
        "Text stands outside the page: gone",
    ]


def test_what_the_original_had_is_not_new(tmp_path: Path) -> None:
    file = paged(tmp_path / "b.pdf", "Hello", "")
    deliverable = Deliverable(path="w/b.pdf", title="A")
    assert errors(check_rendering(deliverable, room(file, {"w/b.pdf": file}))) == []


def test_an_office_file_is_rendered_only_where_its_tool_asks(tmp_path: Path) -> None:
    file = write_docx(tmp_path / "a.docx", "Hello")
    shown = paged(tmp_path / "shown.pdf", "Hello", "")
    calls = []

    def renderer(source: Path, target: Path) -> None:
        calls.append(source)
        shutil.copy(shown, target)

    def broken(source: Path, target: Path) -> None:
        raise ToolError("LibreOffice cannot open it")

    assert rendered(file, renderer) == []
    assert calls == []
    assert rendered(file, renderer, render=True) == ["The page is blank."]
    assert rendered(file, broken, pages=[1, 1]) == [
        "It cannot be shown: LibreOffice cannot open it"
    ]
    assert rendered(file, None, render=True)  # no LibreOffice here: not passed


def test_narrow_columns_are_found_in_sheets_only() -> None:
    look = PageLook(text="Sum ##### 5", objects=1, outside="")
    assert list(problems([look], sheets=True))
    assert list(problems([look])) == []


def test_a_damaged_pdf_is_not_passed(tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(b"%PDF-1.7 broken")
    assert rendered(tmp_path / "a.pdf") == [
        "It cannot be shown: a.pdf is not a PDF that can be shown."
    ]


def test_fonts_do_not_matter(tmp_path: Path) -> None:
    document = docx.Document()
    document.add_paragraph("x").runs[0].font.size = Pt(8)
    document.save(str(tmp_path / "a.docx"))
    assert rendered(tmp_path / "a.docx") == []
