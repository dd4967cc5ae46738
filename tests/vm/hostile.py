"""Documents that are made to harm who opens them: bombs, mazes and noise of every kind that the tools read."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Callable, Iterator

import docx
import openpyxl
import pptx
import pypdf
from PIL import Image
from reportlab.lib.utils import ImageReader  # type: ignore[import-untyped]
from reportlab.pdfgen import canvas  # type: ignore[import-untyped]

_BODY = "word/document.xml"
_SHEET = "xl/worksheets/sheet1.xml"


def hostile_files() -> Iterator[tuple[str, bytes]]:
    """Yield name and bytes of one document of each kind."""
    letter = _bytes(docx.Document().save)
    book = _bytes(openpyxl.Workbook().save)
    deck = _bytes(pptx.Presentation().save)
    yield "nothing.docx", b""
    yield "noise.docx", hashlib.shake_256(b"noise").digest(5_000)
    yield "cut.xlsx", book[: len(book) // 2]
    yield "laughs.docx", _with(letter, _BODY, _laughs)
    yield "laughs.xlsx", _with(book, _SHEET, _laughs)
    yield "laughs.pptx", _with(deck, "ppt/presentation.xml", _laughs)
    yield "bomb.docx", _with(letter, _BODY, lambda xml: xml + b" " * (300 << 20))
    yield "deep.docx", _with(letter, _BODY, _nested(b"w:tbl", b"w:tr", b"w:tc"))
    yield "wide.xlsx", _with(book, _SHEET, _endless)
    yield "formulas.xlsx", _formulas()
    yield "many.xlsx", _many_cells()
    yield "long.docx", _one_paragraph()
    yield "circle.pdf", _circle()
    yield "giant.pdf", _giant()
    yield "lines.pdf", _lines()
    yield "specks.pdf", _specks()


def _bytes(save: Callable[[io.BytesIO], object]) -> bytes:
    out = io.BytesIO()
    save(out)
    return out.getvalue()


def _with(package: bytes, part: str, change: Callable[[bytes], bytes]) -> bytes:
    """Return a package with one part changed."""
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(package)) as old,
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for name in old.namelist():
            data = old.read(name)
            new.writestr(name, change(data) if name == part else data)
    return out.getvalue()


def _laughs(xml: bytes) -> bytes:
    entities = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10))
    kind = f'<!DOCTYPE d [<!ENTITY a0 "lol">{entities}]>'.encode()
    head, mark, rest = xml.partition(b"?>")
    return head + mark + kind + rest if mark else kind + xml


def _nested(*tags: bytes) -> Callable[[bytes], bytes]:
    """Put thousands of elements one within the other."""
    before = b"".join(b"<" + tag + b">" for tag in tags) * 4_000
    after = b"".join(b"</" + tag + b">" for tag in reversed(tags)) * 4_000
    return lambda xml: xml.replace(b"<w:body>", b"<w:body>" + before + b"<w:p/>" + after)


def _endless(xml: bytes) -> bytes:
    """Have a sheet's last cell, and a rule over all cells between: millions of pages for who prints it."""
    rows = (
        b'<sheetData><row r="1"><c r="A1"><v>1</v></c></row>'
        b'<row r="1048576"><c r="XFD1048576"><v>2</v></c></row></sheetData>'
    )
    head, _, rest = xml.partition(b"<sheetData")
    return head + rows + rest.partition(b"/>")[2]


def _formulas() -> bytes:
    """Every row sums products over all rows before it, of texts that double."""
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet["A1"], sheet["B1"] = "=B1", "=A1"
    for row in range(2, 3_000):
        sheet[f"C{row}"] = f'=SUMPRODUCT((ROW(A1:A{row}*50)>0)*(LEN(REPT("x",32000))>1))'
        sheet[f"D{row}"] = f"=COUNTIF(D1:D{row - 1},C{row})+SUM(D$1:D{row - 1})"
    return _bytes(book.save)


def _many_cells() -> bytes:
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet()
    for row in range(30_000):
        sheet.append([row] * 10)
    return _bytes(book.save)


def _one_paragraph() -> bytes:
    document = docx.Document()
    paragraph = document.add_paragraph()
    for number in range(20_000):
        paragraph.add_run(f"word {number} ").bold = number % 2 == 0
    return _bytes(document.save)


def _circle() -> bytes:
    """A page that draws a form which draws itself."""
    writer = pypdf.PdfWriter()
    page = writer.add_blank_page(300, 300)
    form = pypdf.generic.StreamObject()
    form.set_data(b"/F Do " * 1_000)
    name = pypdf.generic.NameObject
    form[name("/Type")], form[name("/Subtype")] = name("/XObject"), name("/Form")
    form[name("/BBox")] = pypdf.generic.RectangleObject((0, 0, 300, 300))
    inside = writer._add_object(form)
    resources = pypdf.generic.DictionaryObject(
        {name("/XObject"): pypdf.generic.DictionaryObject({name("/F"): inside})}
    )
    form[name("/Resources")] = page[name("/Resources")] = resources
    content = pypdf.generic.StreamObject()
    content.set_data(b"/F Do")
    page[name("/Contents")] = writer._add_object(content)
    return _bytes(writer.write)


def _giant() -> bytes:
    """A page of five kilometres."""
    writer = pypdf.PdfWriter()
    writer.add_blank_page(14_400_000, 14_400_000)
    return _bytes(writer.write)


def _lines() -> bytes:
    """A table of a hundred thousand lines."""
    out = io.BytesIO()
    page = canvas.Canvas(out)
    for number in range(50_000):
        page.line(number % 600, 0, number % 600, 800)
        page.line(0, number % 800, 600, number % 800)
    page.save()
    return out.getvalue()


def _specks() -> bytes:
    """Scans of nothing but specks, in which a program that reads letters looks for them."""
    out = io.BytesIO()
    pages = canvas.Canvas(out)
    for number in range(6):
        specks = hashlib.shake_256(str(number).encode()).digest(1_000 * 1_400)
        picture = Image.frombytes("L", (1_000, 1_400), specks)
        pages.drawImage(ImageReader(picture), 0, 0, 595, 842)
        pages.showPage()
    pages.save()
    return out.getvalue()
