"""Changes of decks, PDFs and pictures, which are looked at and taken whole; and the first lines of new documents."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import pypdf
import pytest
from PIL import Image
from pypdf.generic import DictionaryObject, NameObject, TextStringObject
from reportlab.pdfgen import canvas  # type: ignore[import-untyped]
from tests.unit.documents.gate_rooms import write_docx
from tests.unit.documents.sheet_rooms import forge

from deskmate.plugin import ToolInputError
from deskmate_documents.differs import merge, pieces
from deskmate_documents.pdf.pieces import LOOKS_LIMIT
from deskmate_documents.pptx.build import Plan, build
from deskmate_documents.pptx.deck import Deck
from deskmate_documents.pptx.edit import edit_deck
from deskmate_documents.pptx.shapes import shapes_of

PLANS = (
    Plan(kind="title", title="Sales", subtitle="A year"),
    Plan(
        title="By region",
        table={"header": ["Region", "EUR"], "rows": [["North", "10"], ["South", "20"]]},
    ),
    Plan(
        title="A chart",
        chart={
            "type": "column",
            "categories": ["North", "South"],
            "series": [{"name": "EUR", "values": [10, 20]}],
        },
    ),
)


@pytest.fixture
def deck(tmp_path: Path) -> Path:
    build(list(PLANS), tmp_path / "old.pptx", None)
    return tmp_path / "old.pptx"


def edited(deck: Path, *edits: dict[str, Any]) -> Path:
    target = deck.with_name("new.pptx")
    edit_deck(deck, target, edits)
    return target


def number(deck: Path, slide: int, kind: str) -> int:
    opened = Deck(deck)
    return next(s.id for s in shapes_of(opened, opened.slide(slide).part) if s.kind == kind)


def test_the_same_deck_has_no_changes(deck: Path) -> None:
    assert pieces(deck, deck) == ()


def test_a_deck_that_another_program_only_saved_has_no_changes(deck: Path) -> None:
    from lxml import etree

    new = deck.with_name("new.pptx")
    with zipfile.ZipFile(deck) as archive, zipfile.ZipFile(new, "w") as saved:
        for name in archive.namelist():
            data = archive.read(name)
            if name.endswith(".xml"):
                data = etree.tostring(etree.fromstring(data), pretty_print=True)
            saved.writestr(name, data)
    assert pieces(deck, new) == ()


def test_words_cells_and_notes_of_a_slide_are_shown(deck: Path) -> None:
    new = edited(
        deck,
        {"op": "cell", "slide": 2, "shape": number(deck, 2, "table"), "row": 3, "column": 2, "text": "25"},
        {"op": "text", "slide": 2, "shape": number(deck, 2, "title"), "text": "By region, euros"},
        {"op": "notes", "slide": 1, "text": "Say hello"},
        {"op": "hide", "slide": 3, "hidden": True},
    )  # fmt: skip
    found = pieces(deck, new)
    assert not any(piece.alone for piece in found)
    first, second, third = [piece.lines for piece in found]
    assert first == ("@@ slide 1 “Sales” @@ change 1", "+notes: Say hello")
    assert second[0] == "@@ slide 2 “By region, euros” @@ change 2"
    assert set(second[1:]) == {
        "-By region", "+By region, euros", "-row 3, column 2: 20", "+row 3, column 2: 25",
    }  # fmt: skip
    assert third[1:] == ("~hidden",)


def test_slides_that_come_go_and_move_are_told_once(deck: Path) -> None:
    new = edited(deck, {"op": "remove", "slide": 1}, {"op": "move", "slide": 2, "to": 1})
    found = [piece.lines for piece in pieces(deck, new)]
    assert [line for lines in found for line in lines if line.startswith("~moved")] in (
        ["~moved: it was slide 3"],
        ["~moved: it was slide 2"],
    )
    gone = next(lines for lines in found if "~the slide is gone" in lines)
    assert {"-Sales", "-A year"} <= set(gone)


def test_the_values_of_a_chart_and_a_new_shape_are_shown(deck: Path, tmp_path: Path) -> None:
    chart = {**PLANS[2].chart, "series": [{"name": "EUR", "values": [10, 21]}]}  # type: ignore[dict-item]
    other = Plan(title="A chart", chart=chart, bullets=("One more",))
    build([*PLANS[:2], other], tmp_path / "new.pptx", None)
    (piece,) = pieces(deck, tmp_path / "new.pptx")
    assert {"-chart: EUR, South: 20", "+chart: EUR, South: 21", "+One more"} <= set(piece.lines)


def test_where_a_link_of_a_slide_leads_is_shown(deck: Path) -> None:
    new = deck.with_name("new.pptx")
    new.write_bytes(deck.read_bytes())
    rels = "ppt/slides/_rels/slide1.xml.rels"
    kind = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/hyperlink"
    link = f'<Relationship Id="rId77" Type="{kind}" Target="https://evil.example.net/" TargetMode="External"/>'
    forge(new, rels, "</Relationships>", f"{link}</Relationships>")
    (piece,) = pieces(deck, new)
    assert piece.lines == ("@@ slide 1 “Sales” @@ change 1", "+link to https://evil.example.net/")


@pytest.mark.parametrize("within", ["slide", "chart"])
def test_a_slide_that_only_looks_otherwise_is_told(deck: Path, within: str) -> None:
    new = deck.with_name("new.pptx")
    new.write_bytes(deck.read_bytes())
    name = next(n for n in Deck(deck).package.names if n.startswith("ppt/charts/chart"))
    if within == "slide":
        forge(new, "ppt/slides/slide3.xml", "</p:cSld>", "</p:cSld><p:transition/>")
    else:
        forge(new, name, "</c:chart>", '<c:dispBlanksAs val="span"/></c:chart>')
    (piece,) = pieces(deck, new)
    assert piece.lines[0] == "@@ slide 3 “A chart” @@ change 1"
    assert piece.lines[1:] == (
        "~what it says is the same; its look, animations or what lies within it differ",
    )


def pdf(path: Path, *pages: tuple[str, ...], box: bool = False) -> Path:
    page = canvas.Canvas(str(path), invariant=True)
    for lines in pages:
        for place, line in enumerate(lines):
            page.drawString(72, 700 - 20 * place, line)
        if box:
            page.rect(300, 300, 100, 100, fill=1)
        page.showPage()
    page.save()
    return path


def test_pages_of_a_pdf_are_compared_by_their_text(tmp_path: Path) -> None:
    old = pdf(tmp_path / "old.pdf", ("One", "Two"), ("Three",))
    new = pdf(tmp_path / "new.pdf", ("One", "Second"), ("Three",), ("Four",))
    assert [piece.lines for piece in pieces(old, new)] == [
        ("@@ the file @@ change 1", "-2 pages", "+3 pages"),
        ("@@ page 1 @@ change 2", "-Two", "+Second"),
        ("@@ page 3 @@ change 3", "~the page is new", "+Four"),
    ]
    assert pieces(old, old) == ()


def test_a_page_that_only_looks_different_is_told(tmp_path: Path) -> None:
    old = pdf(tmp_path / "old.pdf", ("One",))
    (piece,) = pieces(old, pdf(tmp_path / "new.pdf", ("One",), box=True))
    assert piece.lines[1:] == ("~the text is the same, the page looks different",)


def test_scripts_and_attachments_of_a_pdf_are_shown_and_other_bytes_never_hidden(
    tmp_path: Path,
) -> None:
    old = pdf(tmp_path / "old.pdf", ("One",))
    armed, linked = tmp_path / "armed.pdf", tmp_path / "linked.pdf"
    writer = pypdf.PdfWriter(clone_from=old)
    action = {NameObject("/S"): NameObject("/JavaScript"), NameObject("/JS"): TextStringObject("1")}
    writer.root_object[NameObject("/OpenAction")] = DictionaryObject(action)
    writer.add_attachment("a.exe", b"MZ")
    writer.write(armed)
    (piece,) = pieces(old, armed)
    assert piece.lines[0] == "@@ what else it holds @@ change 1"
    assert set(piece.lines[1:]) == {"+attachments: yes", "+scripts: yes"}
    writer = pypdf.PdfWriter(clone_from=old)
    writer.add_metadata({"/Subject": "Another"})
    writer.write(linked)
    (piece,) = pieces(old, linked)
    assert "~its pages are the same" in piece.lines[1]


def test_pages_that_are_not_looked_at_are_counted(tmp_path: Path) -> None:
    old = pdf(tmp_path / "old.pdf", *[("Same",)] * (LOOKS_LIMIT + 3))
    assert [p.lines[1] for p in pieces(old, old)] == [
        "~3 pages with the same text were not compared by how they look"
    ]


def test_a_page_as_large_as_a_field_is_drawn_small(tmp_path: Path) -> None:
    sides = []
    for name in ("old.pdf", "new.pdf"):
        page = canvas.Canvas(str(tmp_path / name), invariant=True, pagesize=(2e6, 2e6))
        page.drawString(72, 72, "far")
        page.rect(1e5, 1e5, 9e5, 9e5, fill=int(name == "new.pdf"))
        page.showPage()
        page.save()
        sides.append(tmp_path / name)
    (piece,) = pieces(*sides)
    assert piece.lines[1:] == ("~the text is the same, the page looks different",)


def test_values_of_a_form_are_compared(tmp_path: Path) -> None:
    old, new = tmp_path / "old.pdf", tmp_path / "new.pdf"
    page = canvas.Canvas(str(old), invariant=True)
    page.acroForm.textfield(name="who", value="Ann", x=72, y=600, width=200, height=20)
    page.showPage()
    page.save()
    writer = pypdf.PdfWriter(clone_from=old)
    writer.update_page_form_field_values(writer.pages[0], {"who": "Bo"})
    writer.write(new)
    lines = [piece.lines for piece in pieces(old, new)]
    assert lines[-1][1:] == ("-who: Ann", "+who: Bo")


def test_pictures_are_compared_by_size_digest_and_pixels(tmp_path: Path) -> None:
    old, new, wide = (tmp_path / name for name in ("a.png", "b.png", "c.png"))
    picture = Image.new("RGB", (10, 10), "white")
    picture.save(old)
    picture.putpixel((1, 1), (0, 0, 0))
    picture.save(new)
    Image.new("RGB", (20, 10), "white").save(wide)
    (piece,) = pieces(old, new)
    assert piece.lines[-1] == "~1.0 % of the pixels differ"
    assert piece.lines[1].startswith("-PNG 10 × 10, ")
    (other,) = pieces(old, wide)
    assert [line[:12] for line in other.lines[1:]] == ["-PNG 10 × 10", "+PNG 20 × 10"]


def test_of_a_moving_picture_only_the_first_is_compared_and_that_is_said(tmp_path: Path) -> None:
    white, black = Image.new("RGB", (10, 10), "white"), Image.new("RGB", (10, 10), "black")
    grey = Image.new("RGB", (10, 10), "grey")
    white.save(tmp_path / "a.gif", save_all=True, append_images=[black])
    white.save(tmp_path / "b.gif", save_all=True, append_images=[grey])
    (piece,) = pieces(tmp_path / "a.gif", tmp_path / "b.gif")
    assert piece.lines[-1] == "~none of the pixels of its first picture differ"


@pytest.mark.parametrize("suffix", [".pptx", ".pdf", ".png"])
def test_what_cannot_be_read_is_said_in_one_line(tmp_path: Path, suffix: str) -> None:
    old, new = tmp_path / f"old{suffix}", tmp_path / f"new{suffix}"
    old.write_bytes(b"PK\x03\x04 broken")
    new.write_bytes(b"%PDF-1.7 broken")
    with pytest.raises(ToolInputError):
        pieces(old, new)


def test_such_files_are_only_taken_whole(deck: Path, tmp_path: Path) -> None:
    with pytest.raises(ToolInputError, match="only be taken whole"):
        merge(deck, deck, ["1"], tmp_path / "out.pptx")


def test_the_first_lines_of_a_new_document_are_shown(tmp_path: Path) -> None:
    file = write_docx(tmp_path / "a.docx", *(f"Line {n}" for n in range(100)))
    (piece,) = pieces(None, file)
    assert piece.lines[:2] == ("@@ what it says @@", "+Line 0")
    assert piece.lines[-1] == "~and more"
    assert not piece.alone
    assert pieces(None, write_docx(tmp_path / "empty.docx")) == ()
