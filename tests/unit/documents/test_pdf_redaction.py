"""Redaction takes out, it does not cover: proved by other readers, by the bytes, and by the pictures' pixels."""

from __future__ import annotations

import io
from pathlib import Path

import pdfplumber
import pypdf
import pypdfium2
import pytest
from PIL import Image
from pypdf.generic import ContentStream, DictionaryObject, NameObject, TextStringObject
from reportlab.pdfgen import canvas  # type: ignore[import-untyped]
from tests.unit.documents.pdfs import text_of, turned, write_form, write_pdf, write_scan

from deskmate.errors import ToolError, ToolInputError
from deskmate.plugin import ToolContext
from deskmate_documents.office.pdf_edits import pdf_redact
from deskmate_documents.pdf import redaction
from deskmate_documents.pdf.cleaning import Work


@pytest.fixture
def context(tmp_path: Path) -> ToolContext:
    (tmp_path / "w").mkdir()
    return ToolContext(workspace=tmp_path / "w", home=tmp_path / "h", resources=tmp_path)


def everything_in(path: Path) -> bytes:
    """Return the file and all its streams, unpacked."""
    reader = pypdf.PdfReader(path)
    found = [path.read_bytes()]
    for number in range(1, int(reader.trailer["/Size"])):
        node = reader.get_object(number)
        if node is not None and hasattr(node, "get_data"):
            try:
                found.append(node.get_data())
            except (NotImplementedError, ValueError):
                found.append(node._data)
        found.append(str(node).encode())
    return b"\n".join(found)


def characters_of(path: Path) -> list[tuple[str, float, float]]:
    """Return each character with its place, as pdfium sees it."""
    document = pypdfium2.PdfDocument(path)
    words = document[0].get_textpage()
    text = words.get_text_range()
    assert len(text) == words.count_chars()
    found = []
    for index, character in enumerate(text):
        if not character.isspace():
            left, bottom, *_ = words.get_charbox(index)
            found.append((character, round(left, 1), round(bottom, 1)))
    document.close()
    return found


def test_words_are_gone_and_the_rest_keeps_its_place(context: ToolContext) -> None:
    source = write_pdf(
        context.workspace / "a.pdf",
        [[(50, 500, "Paid to Marta Lindqvist on Monday"), (50, 480, "Marta was there")]],
    )
    answer = pdf_redact("a.pdf", "b.pdf", context, words=["Marta Lindqvist"])
    assert (answer.result["marks"], answer.result["as_pictures"]) == (1, {})
    result = context.workspace / "b.pdf"
    assert "Lindqvist" in everything_in(source).decode(
        "latin-1"
    )  # the test can see what it looks for
    assert b"Lindqvist" not in everything_in(result)
    assert "Marta was there" in text_of(result)
    with pdfplumber.open(source) as before, pdfplumber.open(result) as after:
        old, new = (
            {w["text"]: w["x0"] for w in d.pages[0].extract_words()} for d in (before, after)
        )
    assert new["Monday"] == pytest.approx(old["Monday"], abs=0.01)
    assert set(old) - set(new) == {"Lindqvist"}  # Marta stands once more below
    shown = pypdfium2.PdfDocument(result)
    pixel = shown[0].render(scale=1).to_pil().convert("L").getpixel((140, 96))
    shown.close()
    assert pixel == 0


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_turned_pages_are_redacted_where_they_are_seen(degrees: int, context: ToolContext) -> None:
    write_pdf(context.workspace / "a.pdf", [[(100, 500, "keep secret"), (100, 300, "secret too")]])
    turned(context.workspace / "a.pdf", degrees, (50, 100, 350, 600))
    pdf_redact("a.pdf", "b.pdf", context, words=["secret"])
    assert text_of(context.workspace / "b.pdf").split() == ["keep", "too"]


def test_every_way_of_showing_text_is_understood(context: ToolContext) -> None:
    """Spacing, stretching, rising, `'`, `"`, arrays, and a text within a form that is turned and moved."""
    file = context.workspace / "a.pdf"
    page = canvas.Canvas(str(file), pagesize=(400, 600))
    page.setFont("Helvetica", 14)
    page.beginForm("stamp")
    page.setFont("Helvetica", 10)
    page.drawString(0, 0, "inside secret here")
    page.endForm()
    page.drawString(50, 50, "start")
    page.translate(200, 300)
    page.rotate(90)
    page.doForm("stamp")
    page.save()
    writer = pypdf.PdfWriter(clone_from=file)
    content = ContentStream(writer.pages[0]["/Contents"], writer)
    content.set_data(
        content.get_data()
        + b"\nBT /F1 12 Tf 3 Tc 5 Tw 80 Tz 4 Ts 16 TL 50 500 Td (wide secret text) Tj (next secret line) ' "
        b'2 1 (third secret row) " 0 Tc 0 Tw 100 Tz 0 Ts [(spl) -200 (it sec) 30 (ret e) -50 (nd)] TJ ET\n'
    )
    writer.pages[0][NameObject("/Contents")] = writer._add_object(content)
    writer.write(file)
    before = pypdfium2.PdfDocument(file)
    assert before[0].get_textpage().get_text_range().count("secret") == 5
    before.close()
    answer = pdf_redact("a.pdf", "b.pdf", context, words=["secret"])
    assert (answer.result["glyphs"], answer.result["as_pictures"]) == (30, {})
    places = [characters_of(path) for path in (file, context.workspace / "b.pdf")]
    assert len(places[0]) - len(places[1]) == 30
    assert set(places[1]) < set(places[0])  # whatever stays stands where it stood
    assert b"secret" not in everything_in(context.workspace / "b.pdf")


def test_pixels_under_a_box_are_gone_from_the_picture_itself(context: ToolContext) -> None:
    picture = Image.new("RGB", (100, 100), "white")
    picture.paste((200, 10, 10), (0, 0, 50, 100))  # the left half is red
    write_scan(context.workspace / "scan.pdf", picture)
    answer = pdf_redact(
        "scan.pdf", "b.pdf", context, boxes=[{"page": 1, "box": [50, 100, 200, 250]}]
    )
    assert answer.result["as_pictures"] == {}
    reader = pypdf.PdfReader(context.workspace / "b.pdf")
    left = [image.image.convert("RGB") for image in reader.pages[0].images]
    assert len(left) == 1
    assert left[0].getpixel((10, 10)) == (0, 0, 0)  # the upper left quarter
    assert left[0].getpixel((10, 90)) == (200, 10, 10)
    assert left[0].getpixel((90, 10)) == (255, 255, 255)


def test_a_picture_that_pages_share_does_not_stay_in_the_file(context: ToolContext) -> None:
    """One list of resources, inherited from the pages' tree, names the picture for both pages; one draws it."""
    picture = Image.new("RGB", (100, 100), (7, 77, 177))
    file = write_scan(context.workspace / "a.pdf", picture)
    writer = pypdf.PdfWriter(clone_from=file)
    shared = writer.pages[0].raw_get("/Resources")
    blank = writer.add_blank_page(400, 600)
    writer.root_object["/Pages"].get_object()[NameObject("/Resources")] = shared
    for page in (writer.pages[0], blank):
        del page["/Resources"]
    writer.write(file)
    raw = bytes((7, 77, 177)) * 10
    assert raw in everything_in(file)
    pdf_redact("a.pdf", "b.pdf", context, boxes=[{"page": 1, "box": [50, 100, 350, 400]}])
    assert raw not in everything_in(context.workspace / "b.pdf")
    writer = pypdf.PdfWriter(clone_from=file)
    writer.pages[1][NameObject("/Contents")] = writer.pages[0].raw_get("/Contents")
    writer.write(file)
    answer = pdf_redact("a.pdf", "b.pdf", context, boxes=[{"page": 1, "box": [50, 100, 350, 400]}])
    assert "Page 2 draws a picture" in answer.result["notes"][-1]


def test_a_picture_with_a_mask_makes_its_page_a_picture(context: ToolContext) -> None:
    picture = Image.new("RGBA", (100, 100), (10, 10, 200, 128))
    data = io.BytesIO()
    picture.save(data, "PNG")
    file = context.workspace / "a.pdf"
    page = canvas.Canvas(str(file), pagesize=(400, 600))
    (context.workspace / "p.png").write_bytes(data.getvalue())
    page.drawImage(str(context.workspace / "p.png"), 50, 200, 300, 300, mask="auto")
    page.drawString(50, 100, "text beside")
    page.save()
    answer = pdf_redact("a.pdf", "b.pdf", context, boxes=[{"page": 1, "box": [60, 120, 100, 160]}])
    assert list(answer.result["as_pictures"]) == ["1"]
    assert text_of(context.workspace / "b.pdf").strip() == ""
    shown = pypdfium2.PdfDocument(context.workspace / "b.pdf")
    image = shown[0].render(scale=1).to_pil().convert("RGB")
    shown.close()
    assert image.getpixel((80, 140)) == (0, 0, 0)
    assert image.getpixel((200, 300))[2] > 180


def test_values_notes_bookmarks_metadata_and_spoken_text_go_too(context: ToolContext) -> None:
    file = write_form(context.workspace / "a.pdf")
    writer = pypdf.PdfWriter(clone_from=file)
    writer.update_page_form_field_values(writer.pages[0], {"Name": "Marta"})
    writer.add_metadata({"/Title": "About Marta"})
    writer.add_outline_item(title="Chapter on Marta", page_number=0)
    writer.add_attachment("marta.txt", b"Marta again")
    script = {"/S": NameObject("/JavaScript"), "/JS": TextStringObject("app.alert('Marta')")}
    writer.root_object[NameObject("/OpenAction")] = DictionaryObject(
        {NameObject(key): value for key, value in script.items()}
    )
    content = ContentStream(writer.pages[0]["/Contents"], writer)
    content.set_data(
        content.get_data()
        + b"\n/Span <</ActualText (Marta) /MCID 0>> BDC BT /F1 12 Tf 50 200 Td (M.) Tj ET EMC\n"
    )
    writer.pages[0][NameObject("/Contents")] = writer._add_object(content)
    tree = DictionaryObject({NameObject("/ActualText"): TextStringObject("Marta")})
    writer.root_object[NameObject("/StructTreeRoot")] = writer._add_object(tree)
    writer.write(file)
    assert b"Marta" in everything_in(file)
    field = {"page": 1, "box": [100, 80, 220, 100]}
    answer = pdf_redact("a.pdf", "b.pdf", context, words=["Marta"], boxes=[field])
    assert answer.result["annotations"] == 1
    assert b"Marta" not in everything_in(context.workspace / "b.pdf")
    reader = pypdf.PdfReader(context.workspace / "b.pdf")
    assert "Name" not in (reader.get_fields() or {})
    assert "Country" in (reader.get_fields() or {})


def test_bookmarks_that_name_the_words_are_renamed(context: ToolContext) -> None:
    file = write_pdf(context.workspace / "a.pdf", [[(50, 500, "Marta")]])
    writer = pypdf.PdfWriter(clone_from=file)
    writer.add_outline_item(title="On MARTA", page_number=0)
    writer.write(file)
    notes = pdf_redact("a.pdf", "b.pdf", context, words=["Marta"]).result["notes"]
    assert "1 bookmarks named what was redacted" in notes[1]
    assert b"MARTA" not in everything_in(context.workspace / "b.pdf")


def test_outlines_of_letters_under_a_box_go(context: ToolContext) -> None:
    file = context.workspace / "a.pdf"
    page = canvas.Canvas(str(file), pagesize=(400, 600))
    path = page.beginPath()
    for x in (60, 200):
        path.rect(x, 500, 10, 10)
    page.drawPath(path, fill=1)
    page.line(10, 505, 390, 505)
    page.save()
    pdf_redact("a.pdf", "b.pdf", context, boxes=[{"page": 1, "box": [50, 80, 100, 120]}])
    data = pypdf.PdfReader(context.workspace / "b.pdf").pages[0].get_contents()
    assert data is not None
    drawn = data.get_data()
    assert b"200 500 10 10 re" in drawn
    assert b"60 500 10 10 re" not in drawn
    assert b"390 505 l" in drawn


def test_nothing_is_written_when_words_are_not_there(context: ToolContext) -> None:
    write_pdf(context.workspace / "a.pdf", [[(50, 500, "Marta")]])
    with pytest.raises(ToolInputError, match="'Olga' stands nowhere"):
        pdf_redact("a.pdf", "b.pdf", context, words=["Marta", "Olga"])
    with pytest.raises(ToolInputError, match="another file than the source"):
        pdf_redact("a.pdf", "a.pdf", context, words=["Marta"])
    with pytest.raises(ToolInputError, match="words or boxes"):
        pdf_redact("a.pdf", "b.pdf", context)
    with pytest.raises(ToolInputError, match="the file has 1 pages"):
        pdf_redact("a.pdf", "b.pdf", context, boxes=[{"page": 2, "box": [1, 1, 9, 9]}])
    assert [p.name for p in context.workspace.iterdir()] == ["a.pdf"]


def test_a_clearer_that_leaves_text_is_caught(
    context: ToolContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The proof is not the clearer's own: with one that does nothing the page becomes a picture, and a picture
    that fails too stops everything."""
    write_pdf(context.workspace / "a.pdf", [[(50, 500, "Marta is here")]])
    monkeypatch.setattr(
        redaction, "clear_page", lambda writer, index, rects, fonts: Work(writer, rects)
    )
    answer = pdf_redact("a.pdf", "b.pdf", context, words=["Marta"])
    assert answer.result["as_pictures"] == {"1": "text was still to be found there"}
    assert text_of(context.workspace / "b.pdf").strip() == ""
    monkeypatch.setattr(redaction, "_make_picture", lambda *args: None)
    with pytest.raises(ToolError, match="still had text under a box"):
        pdf_redact("a.pdf", "c.pdf", context, words=["Marta"])
    assert sorted(p.name for p in context.workspace.iterdir()) == ["a.pdf", "b.pdf"]


def test_a_picture_that_cannot_be_decoded_makes_its_page_a_picture(context: ToolContext) -> None:
    file = write_scan(context.workspace / "a.pdf", Image.new("RGB", (90, 90), "white"))
    writer = pypdf.PdfWriter(clone_from=file)
    (picture,) = writer.pages[0]["/Resources"]["/XObject"].values()
    broken = picture.get_object()
    broken[NameObject("/Filter")] = NameObject("/DCTDecode")
    broken._data = b"\xff\xd8\xff no picture"
    writer.write(file)
    answer = pdf_redact("a.pdf", "b.pdf", context, boxes=[{"page": 1, "box": [60, 120, 100, 160]}])
    assert "cannot be decoded" in answer.result["as_pictures"]["1"]
    assert b"no picture" not in everything_in(context.workspace / "b.pdf")
