"""PDFs changed: what was there stays byte for byte, what cannot be done is said, and nothing half is written."""

from __future__ import annotations

from pathlib import Path

import pypdf
import pypdfium2
import pytest
from tests.unit.documents.pdfs import text_of, write_form, write_pdf

from deskmate.errors import ToolInputError
from deskmate.plugin import ToolContext
from deskmate_documents.office.pdf_edits import pdf_annotate, pdf_fill, pdf_pages, pdf_split
from deskmate_documents.office.pdf_tools import pdf_annotations, pdf_form
from deskmate_documents.pdf import forms


@pytest.fixture
def context(tmp_path: Path) -> ToolContext:
    (tmp_path / "w").mkdir()
    return ToolContext(workspace=tmp_path / "w", home=tmp_path / "h", resources=tmp_path)


def values_of(name: str, context: ToolContext) -> dict[str, str]:
    return {field["name"]: field.get("value", "") for field in pdf_form(name, context)["fields"]}


def test_a_form_is_filled_and_shows_it(context: ToolContext) -> None:
    source = write_form(context.workspace / "f.pdf")
    answer = pdf_fill(
        "f.pdf", "done.pdf", {"Name": "Zoë Byrne", "Agreed": True, "Country": "Belgium", "Plan": "basic"}, context
    )  # fmt: skip
    assert answer.result["problems"] == []
    assert answer.deliverables[0].sources == {"original": "f.pdf"}
    result = context.workspace / "done.pdf"
    assert result.read_bytes().startswith(source.read_bytes())  # appended, nothing rewritten
    assert values_of("done.pdf", context) == {
        "Name": "Zoë Byrne", "Code": "", "Agreed": "Yes", "Country": "Belgium", "Plan": "basic",
    }  # fmt: skip
    document = pypdfium2.PdfDocument(result)
    document.init_forms()
    before = pypdfium2.PdfDocument(source)
    before.init_forms()
    pages = [d[0].render(scale=1).to_pil().convert("L") for d in (before, document)]
    dark = [sum(page.crop((104, 84, 216, 96)).histogram()[:100]) for page in pages]
    assert (dark[0], dark[1] > 40) == (0, True)  # the value is drawn, not only stored
    document.close()
    before.close()


@pytest.mark.parametrize(
    ("values", "said"),
    [({"Nom": "x"}, "There is no field 'Nom'; there are: Name"), ({"Country": "Chile"}, "has no option 'Chile'"),
     ({"Code": "12345"}, "holds 4 characters, not 5"), ({"Plan": "gold"}, "has no state 'gold'"),
     ({"Name": True}, "is a text"), ({}, "at least one field")],
)  # fmt: skip
def test_what_a_form_cannot_hold_is_refused_whole(
    values: dict[str, str | bool], said: str, context: ToolContext
) -> None:
    write_form(context.workspace / "f.pdf")
    with pytest.raises(ToolInputError, match=said):
        pdf_fill("f.pdf", "done.pdf", {"Name": "A", **values} if values else {}, context)
    assert sorted(p.name for p in context.workspace.iterdir()) == ["f.pdf"]


def test_a_value_that_the_form_does_not_keep_fills_nothing(
    context: ToolContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = write_form(context.workspace / "f.pdf").read_bytes()
    monkeypatch.setattr(forms, "_write", lambda revision, wanted: None)  # a form that forgets
    with pytest.raises(ToolInputError, match="Name did not keep its value"):
        pdf_fill("f.pdf", "f.pdf", {"Name": "Ann"}, context)
    assert [(p.name, p.read_bytes() == before) for p in context.workspace.iterdir()] == [
        ("f.pdf", True)
    ]


def test_text_wider_than_its_box_is_a_problem(context: ToolContext) -> None:
    write_form(context.workspace / "f.pdf")
    answer = pdf_fill(
        "f.pdf", "done.pdf", {"Name": "a very long name " * 4, "Agreed": True}, context
    )
    assert answer.result["problems"] == ["Name: the text is wider than its box."]


def test_pages_are_merged_reordered_and_turned(context: ToolContext) -> None:
    write_pdf(context.workspace / "a.pdf", [[(50, 500, f"A{n}")] for n in (1, 2, 3)])
    write_pdf(context.workspace / "b.pdf", [[(50, 500, "B1")]])
    answer = pdf_pages(
        [{"path": "a.pdf", "pages": "3-2"}, {"path": "b.pdf", "turn": 90}], "c.pdf", context
    )
    assert answer.result["pages"] == 3
    assert text_of(context.workspace / "c.pdf").split() == ["A3", "A2", "B1"]
    pages = pypdf.PdfReader(context.workspace / "c.pdf").pages
    assert [page.rotation for page in pages] == [0, 0, 90]


def test_a_file_is_split_and_never_over_another(context: ToolContext) -> None:
    write_pdf(context.workspace / "a.pdf", [[(50, 500, f"A{n}")] for n in (1, 2, 3)])
    answer = pdf_split("a.pdf", "parts", ["1-2", "3"], context)
    assert answer["paths"] == ["parts/a-1.pdf", "parts/a-2.pdf"]
    assert text_of(context.workspace / "parts/a-2.pdf").split() == ["A3"]
    with pytest.raises(ToolInputError, match=r"a-1\.pdf is already there"):
        pdf_split("a.pdf", "parts", ["1"], context)
    with pytest.raises(ToolInputError, match="the file has 3 pages"):
        pdf_split("a.pdf", "more", ["2-4"], context)


def test_an_encrypted_source_gives_a_result_with_the_same_password(context: ToolContext) -> None:
    file = write_pdf(context.workspace / "a.pdf", [[(50, 500, "secret")]])
    writer = pypdf.PdfWriter(clone_from=file)
    writer.encrypt("opensesame", algorithm="AES-256")
    writer.write(file)
    answer = pdf_pages([{"path": "a.pdf", "password": "opensesame"}], "b.pdf", context)
    assert answer.result["notes"] == ["The result is encrypted with the same password (AES-256)."]
    assert pypdf.PdfReader(context.workspace / "b.pdf").is_encrypted
    assert "secret" in text_of(context.workspace / "b.pdf", "opensesame")
    with pytest.raises(ToolInputError, match="the password given does not open it"):
        pdf_pages([{"path": "a.pdf", "password": "wrong"}], "c.pdf", context)
    with pytest.raises(ToolInputError, match="is encrypted; ask the user for its password"):
        pdf_pages([{"path": "a.pdf"}], "c.pdf", context)


def test_annotations_are_written_listed_and_taken_off(context: ToolContext) -> None:
    source = write_pdf(context.workspace / "a.pdf", [[(50, 500, "The term is five years.")]])
    pdf_annotate(
        "a.pdf", "b.pdf", context,
        add=[
            {"page": 1, "kind": "highlight", "words": "five years", "text": "too long", "author": "Ann"},
            {"page": 1, "kind": "box", "box": [40, 200, 120, 240]},
            {"page": 1, "kind": "note", "box": [300, 90, 320, 110], "text": "see annex"},
        ],
    )  # fmt: skip
    assert (context.workspace / "b.pdf").read_bytes().startswith(source.read_bytes())
    notes = pdf_annotations("b.pdf", context)["annotations"]
    assert [(n["kind"], n["author"]) for n in notes] == [
        ("highlight", "Ann"), ("box", "Deskmate"), ("note", "Deskmate"),
    ]  # fmt: skip
    assert (notes[0]["words"], notes[0]["text"]) == ("five years", "too long")
    assert notes[1]["box"] == [40, 200, 120, 240]
    pdf_annotate("b.pdf", "b.pdf", context, remove=[{"page": 1, "number": 2}])
    left = pdf_annotations("b.pdf", context)["annotations"]
    assert [n["kind"] for n in left] == ["highlight", "note"]


@pytest.mark.parametrize(
    ("note", "said"),
    [({"page": 1, "kind": "highlight", "words": "six"}, "does not have the words 'six'"),
     ({"page": 2, "kind": "note", "box": [1, 1, 2, 2]}, "the file has 1 pages"),
     ({"page": 1, "kind": "arrow", "box": [1, 1, 2, 2]}, "not 'arrow'"),
     ({"page": 1, "kind": "box", "box": [9, 9, 2, 2]}, "A box is")],
)  # fmt: skip
def test_annotations_that_cannot_be_placed_are_refused(
    note: dict[str, object], said: str, context: ToolContext
) -> None:
    write_pdf(context.workspace / "a.pdf", [[(50, 500, "five")]])
    with pytest.raises(ToolInputError, match=said):
        pdf_annotate("a.pdf", "b.pdf", context, add=[note])
    with pytest.raises(ToolInputError, match="none with number 4"):
        pdf_annotate("a.pdf", "b.pdf", context, remove=[{"page": 1, "number": 4}])
    assert not (context.workspace / "b.pdf").exists()
