"""PDFs that nobody here wrote: read, redacted, filled, or refused with one line; hostile ones in bounded time and memory."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from pathlib import Path

import pypdfium2
import pytest

from deskmate.errors import ToolError
from deskmate.plugin import ToolContext
from deskmate_documents.office import pdf_edits, pdf_tools
from deskmate_documents.pdf.opening import shown
from deskmate_documents.pdf.reading import find_words, read_page

pytestmark = pytest.mark.cases
PASSWORDS = {
    "enc_r6-both-passwords.pdf": "foo", "crazyones-encrypted-256.pdf": "password", "encrypted-file.pdf": "test",
    "libreoffice-writer-password.pdf": "openpassword", "password-example.pdf": "test",
}  # fmt: skip


@pytest.fixture
def context(tmp_path: Path) -> ToolContext:
    (tmp_path / "w").mkdir()
    return ToolContext(workspace=tmp_path / "w", home=tmp_path / "h", resources=tmp_path)


def put(source: Path, context: ToolContext) -> str:
    (context.workspace / source.name).write_bytes(source.read_bytes())
    return source.name


def password_of(name: str) -> str:
    return "asdfzxcv" if "user-password" in name else PASSWORDS.get(name, "")


def test_every_pdf_is_read_with_its_password_and_says_so_without(
    cases: Path, context: ToolContext
) -> None:
    files = sorted(cases.glob("pdf/*/*.pdf"))
    assert len(files) >= 40
    read = locked = 0
    for source in files:
        name, password = put(source, context), password_of(source.name)
        if password:
            with pytest.raises(ToolError, match="is encrypted; ask the user"):
                pdf_tools.pdf_outline(name, context)
            with pytest.raises(ToolError, match="the password given does not open it"):
                pdf_tools.pdf_read(name, "1", context, password="not this")
            locked += 1
        outline = pdf_tools.pdf_outline(name, context, password=password)
        with shown(source, password) as document:
            assert outline["pages"] == len(document)
        pages = pdf_tools.pdf_read(name, "1-", context, password=password, boxes=True)
        for page in pages.result["pages"]:
            width, height = page["size"]
            for line in page["lines"]:
                assert line["text"]
                assert len(line["box"]) == 4
            assert width > 0
            assert height > 0
        pdf_tools.pdf_tables(name, "1", context, password=password)
        pdf_tools.pdf_form(name, context, password=password)
        pdf_tools.pdf_annotations(name, context, password=password)
        read += 1
    assert (read, locked) == (len(files), 8)


def test_the_text_of_one_document_is_the_same_however_it_is_encrypted(
    cases: Path, context: ToolContext
) -> None:
    plain = put(cases / "pdf/pypdf/enc_unencrypted.pdf", context)
    wanted = pdf_tools.pdf_read(plain, "1", context).result["pages"][0]["text"]
    assert wanted.startswith("pdf encryption test")
    for source in sorted(cases.glob("pdf/pypdf/enc_r*.pdf")):
        name = put(source, context)
        page = pdf_tools.pdf_read(name, "1", context, password=password_of(name)).result["pages"][0]
        assert page["text"] == wanted, name


def test_a_word_of_every_page_can_be_redacted(cases: Path, context: ToolContext) -> None:
    """The longest word of each first page goes; another reader finds it no more, and the rest is still there."""
    redacted = pictures = 0
    for source in sorted(cases.glob("pdf/*/*.pdf")):
        name, password = put(source, context), password_of(source.name)
        with shown(source, password) as document:
            words = read_page(document, 1).text.split()
            word = max((w for w in words if w.isalnum()), key=len, default="")
            if len(word) < 3 or not find_words(document, 1, word, whole=True):
                continue
        answer = pdf_edits.pdf_redact(
            name, "out.pdf", context, words=[word], pages="1", password=password
        )
        pictures += len(answer.result["as_pictures"])
        with shown(context.workspace / "out.pdf", password) as document:
            left = read_page(document, 1)
            assert not find_words(document, 1, word, whole=True), (name, word)
        if not answer.result["as_pictures"]:
            gone = sum(w == word for w in words)
            assert len(left.text.split()) >= len(words) - 3 * gone - 2, (name, word)
        redacted += 1
    assert redacted >= 30
    assert pictures <= 2


def test_forms_of_other_programs_are_filled(cases: Path, context: ToolContext) -> None:
    name = put(cases / "pdf/pypdf/libreoffice-form.pdf", context)
    values = {"First Name": "Zoë", "female": "2", "gdpr": True, "Nationality": "German"}
    pdf_edits.pdf_fill(name, "out.pdf", values, context)
    kept = {f["name"]: f.get("value", "") for f in pdf_tools.pdf_form("out.pdf", context)["fields"]}
    assert (kept["First Name"], kept["female"], kept["gdpr"], kept["Nationality"]) == (
        "Zoë", "2", "Yes", "German",
    )  # fmt: skip
    assert kept["First Name_2"] == "Bob"
    notes = pdf_edits.pdf_fill(
        put(cases / "pdf/pypdf/pdflatex-forms.pdf", context), "o.pdf", {"Name": "Žižek"}, context
    )
    assert "not in the form's font" in notes.result["notes"][0]


def message_of(call: Callable[[], object]) -> str:
    try:
        call()
    except ToolError as error:
        return error.message
    return ""


def test_hostile_files_give_a_result_or_one_line_in_bounded_time(
    cases: Path, context: ToolContext
) -> None:
    files = sorted(cases.glob("hostile/*/*.pdf"))
    assert len(files) >= 20
    for source in files:
        name = put(source, context)
        before = source.read_bytes()
        began = time.monotonic()
        for call in (
            lambda n=name: pdf_tools.pdf_outline(n, context),
            lambda n=name: pdf_tools.pdf_read(n, "1-", context, boxes=True),
            lambda n=name: pdf_tools.pdf_find(n, "the", context),
            lambda n=name: pdf_tools.pdf_tables(n, "1", context),
            lambda n=name: pdf_tools.pdf_form(n, context),
            lambda n=name: pdf_tools.pdf_annotations(n, context),
            lambda n=name: pdf_edits.pdf_pages([{"path": n}], "out.pdf", context),
            lambda n=name: pdf_edits.pdf_redact(
                n, "red.pdf", context, boxes=[{"page": 1, "box": [10, 10, 500, 500]}]
            ),
            lambda n=name: pdf_edits.pdf_annotate(
                n, "note.pdf", context, add=[{"page": 1, "kind": "note", "box": [9, 9, 20, 20]}]
            ),
        ):
            said = message_of(call)
            assert "\n" not in said
            assert not said or source.name in said or "Page" in said
        assert time.monotonic() - began < 20, name
        assert (context.workspace / name).read_bytes() == before
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < 1 << 20  # KiB: 1 GiB


def test_what_was_written_opens_elsewhere(cases: Path, context: ToolContext) -> None:
    for source in sorted(cases.glob("pdf/pypdf/*.pdf")):
        name, password = put(source, context), password_of(source.name)
        note = {"page": 1, "kind": "box", "box": [1, 1, 3, 3]}
        pdf_edits.pdf_annotate(name, "out.pdf", context, add=[note], password=password)
        pdf_edits.pdf_pages([{"path": name, "password": password}], "all.pdf", context)
        for result in ("out.pdf", "all.pdf"):
            document = pypdfium2.PdfDocument(context.workspace / result, password=password or None)
            with shown(source, password) as before:
                assert len(document) == len(before), (name, result)
            document[0].render(scale=0.3)
            document.close()
