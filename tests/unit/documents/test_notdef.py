"""Signs that a font shows as an empty box are found in the font that the PDF embeds."""

from __future__ import annotations

import struct
from pathlib import Path

import pptx
import pytest
from pptx.util import Inches
from pypdf import PdfWriter
from pypdf.generic import DictionaryObject, NameObject, StreamObject
from tests.unit.documents.gate_rooms import errors, room

from deskmate.plugin import Deliverable, ToolInputError
from deskmate_documents.office.render_gate import BOX, RenderGate, boxes_of
from deskmate_documents.pdf.notdef import pages_with_boxes, repeats_notdef

NOTDEF, LETTER, OTHER = b"\x00\x01boxbox", b"\x00\x01letter", b"\x00\x01another"


def font(*glyphs: bytes, long: bool = False) -> bytes:
    """Return a TrueType font with these outlines, as far as the reader looks."""
    padded = [glyph + b"\0" * (-len(glyph) % 4) for glyph in glyphs]
    ends = [0]
    for glyph in padded:
        ends.append(ends[-1] + len(glyph))
    places = (
        struct.pack(f">{len(ends)}I", *ends)
        if long
        else struct.pack(f">{len(ends)}H", *(n // 2 for n in ends))
    )
    tables = {
        "head": b"\0" * 50 + struct.pack(">hh", int(long), 0),
        "loca": places,
        "glyf": b"".join(padded),
    }
    head = struct.pack(">IHHHH", 0x00010000, len(tables), 0, 0, 0)
    offset = len(head) + 16 * len(tables)
    for name, data in tables.items():
        head += struct.pack(">4sIII", name.encode(), 0, offset, len(data))
        offset += len(data)
    return head + b"".join(tables.values())


def page_with(path: Path, *fonts: bytes) -> Path:
    """Write a PDF with a page for each font."""
    writer = PdfWriter()
    for data in fonts:
        stream = StreamObject()
        stream.set_data(data)
        descriptor = DictionaryObject({NameObject("/FontFile2"): writer._add_object(stream)})
        entry = DictionaryObject(
            {
                NameObject("/Type"): NameObject("/Font"),
                NameObject("/Subtype"): NameObject("/TrueType"),
                NameObject("/BaseFont"): NameObject("/ABCDEF+Plain"),
                NameObject("/FontDescriptor"): writer._add_object(descriptor),
            }
        )
        page = writer.add_blank_page(300, 300)
        page[NameObject("/Resources")] = DictionaryObject(
            {NameObject("/Font"): DictionaryObject({NameObject("/F1"): writer._add_object(entry)})}
        )
    writer.write(path)
    return path


@pytest.mark.parametrize("long", [True, False])
def test_a_sign_with_the_outline_of_glyph_0_is_a_box(long: bool) -> None:
    assert repeats_notdef(font(NOTDEF, LETTER, NOTDEF, long=long))
    assert not repeats_notdef(font(NOTDEF, LETTER, OTHER, long=long))
    assert not repeats_notdef(font(b"", LETTER, b"", long=long))  # a font without a picture for it


def test_its_pages_and_font_are_named(tmp_path: Path) -> None:
    file = page_with(tmp_path / "a.pdf", font(NOTDEF, LETTER), font(NOTDEF, LETTER, NOTDEF))
    assert pages_with_boxes(file) == {2: "Plain"}
    assert boxes_of(file) == ((f"{BOX}: the font Plain lacks it.", "page 2"),)


def test_damaged_fonts_and_files_are_no_boxes(tmp_path: Path) -> None:
    assert pages_with_boxes(page_with(tmp_path / "a.pdf", b"no font", font(NOTDEF)[:40])) == {}
    broken = tmp_path / "b.pdf"
    broken.write_bytes(b"%PDF-1.7 broken")
    with pytest.raises(ToolInputError):
        pages_with_boxes(broken)
    assert boxes_of(broken) == ()


def test_the_gate_refuses_a_pdf_and_warns_of_an_office_file(tmp_path: Path) -> None:
    file = page_with(tmp_path / "a.pdf", font(NOTDEF, LETTER, NOTDEF))
    pdf = Deliverable(path="w/a.pdf", title="A")
    assert any(message.startswith(BOX) for message in errors(RenderGate().check(pdf, room(file))))
    same = list(RenderGate().check(pdf, room(file, {"w/a.pdf": file})))
    assert not any(finding.message.startswith(BOX) for finding in same)
    deck = tmp_path / "a.pptx"
    pptx.Presentation().save(str(deck))

    def renderer(source: Path, target: Path) -> None:
        target.write_bytes(file.read_bytes())

    shown = Deliverable(path="w/a.pptx", title="A", data={"render": True})
    found = [f for f in RenderGate(renderer).check(shown, room(deck)) if f.message.startswith(BOX)]
    assert [finding.level for finding in found] == ["warning"]


def test_a_shape_off_its_slide_is_found_unless_the_original_had_it(tmp_path: Path) -> None:
    deck = pptx.Presentation()
    slide = deck.slides.add_slide(deck.slide_layouts[6])
    box = slide.shapes.add_textbox(Inches(10.2), Inches(3), Inches(4), Inches(1))
    box.text_frame.text = "Nobody reads this"
    file = tmp_path / "a.pptx"
    deck.save(str(file))
    page = page_with(tmp_path / "a.pdf", font(NOTDEF, LETTER))

    def renderer(source: Path, target: Path) -> None:
        target.write_bytes(page.read_bytes())

    shown = Deliverable(path="w/a.pptx", title="A", data={"render": True})
    gate = RenderGate(renderer)
    found = [f for f in gate.check(shown, room(file)) if f.location == "slide 1"]
    assert [finding.level for finding in found] == ["error"]
    again = gate.check(shown, room(file, {"w/a.pptx": file}))
    assert [f for f in again if f.location == "slide 1"] == []
