"""Tables ask workbooks, decks, CSV files and mails too: a row, a slide, a mail's head is where an answer stands."""

from __future__ import annotations

import contextlib
from email.message import EmailMessage
from pathlib import Path

import openpyxl
import pptx
import pytest

from deskmate.errors import ToolInputError
from deskmate.types.tables import Answer, Column
from deskmate_documents.cells import CellReader, marked_text
from deskmate_documents.passages import read_passages

TOTAL = Column(
    name="Total",
    question="The total?",
    kind="money",
    patterns=(r"Total \| (?P<value>[A-Z]{3} [\d,.]+)",),
)


def book(path: Path) -> Path:
    made = openpyxl.Workbook()
    sheet = made.active
    assert sheet is not None
    sheet.title = "Invoice"
    sheet["B2"] = "Invoice 17"
    for row, (name, amount) in enumerate([("Paper", "EUR 40.00"), ("Total", "EUR 1,240.00")], 6):
        sheet.cell(row, 2, name)
        sheet.cell(row, 4, amount)
    made.save(path)
    return path


def test_rows_of_a_workbook_are_its_passages(tmp_path: Path) -> None:
    source = read_passages(book(tmp_path / "i.xlsx"))
    assert [(p.text, p.place) for p in source.passages] == [
        ("Invoice 17", "Invoice, row 2"),
        ("Paper | EUR 40.00", "Invoice, row 6"),
        ("Total | EUR 1,240.00", "Invoice, row 7"),
    ]
    (found,) = CellReader(source).find([TOTAL])
    assert (found.status, found.value, found.unit, found.place) == (
        "checked", "1240", "EUR", "Invoice, row 7",
    )  # fmt: skip
    lie = Answer(column="Total", found=True, value="EUR 40.00", quote="Paper | EUR 40.00")
    (checked,) = CellReader(source).check([TOTAL], [lie])
    assert (checked.status, checked.place) == ("disputed", "Invoice, row 6")
    assert "Invoice, row 7" in checked.why
    assert marked_text(source).splitlines()[1] == "Paper | EUR 40.00"


def test_rows_of_a_csv_file_are_counted(tmp_path: Path) -> None:
    (tmp_path / "i.csv").write_text("item;amount\nPaper;40,00\nTotal;EUR 1,240.00\n")
    (found,) = CellReader(read_passages(tmp_path / "i.csv")).find([TOTAL])
    assert (found.value, found.place) == ("1240", "row 3")


def test_slides_are_named(tmp_path: Path) -> None:
    made = pptx.Presentation()
    slide = made.slides.add_slide(made.slide_layouts[5])
    assert slide.shapes.title is not None
    slide.shapes.title.text = "Governed by the laws of Austria"
    made.save(str(tmp_path / "d.pptx"))
    (passage,) = read_passages(tmp_path / "d.pptx").passages
    assert passage.text == "Governed by the laws of Austria"
    assert "slide 1" in passage.place.lower()


def mail(**parts: str) -> EmailMessage:
    made = EmailMessage()
    made["From"], made["To"] = "Ana Kühn <ana@example.org>", "b@example.org"
    made["Subject"] = "Kündigung zum 30. Juni"
    made["Date"] = "Mon, 02 Mar 2026 09:00:00 +0100"
    if "plain" in parts:
        made.set_content(parts["plain"])
    if "html" in parts:
        if "plain" in parts:
            made.add_alternative(parts["html"], subtype="html")
        else:
            made.set_content(parts["html"], subtype="html")
    made.add_attachment(b"%PDF-", maintype="application", subtype="pdf", filename="Brief.pdf")
    return made


def texts(path: Path) -> list[str]:
    return [passage.text for passage in read_passages(path).passages]


def test_a_mail_has_a_head_words_and_attachments(tmp_path: Path) -> None:
    told = mail(plain="Dear Ben,\n\nwe end the contract.\n", html="<p>not this</p>")
    (tmp_path / "m.eml").write_bytes(bytes(told))
    found = texts(tmp_path / "m.eml")
    assert found[0] == "From: Ana Kühn <ana@example.org>"
    assert "Subject: Kündigung zum 30. Juni" in found
    assert found[-3:] == ["Dear Ben,", "we end the contract.", "Attached: Brief.pdf"]


def test_a_mail_of_html_alone_is_read_without_what_nobody_sees(tmp_path: Path) -> None:
    page = (
        "<html><head><style>p{}</style></head><body><p>We end<br>it.</p><script>x()</script>"
        "<!-- no --><table><tr><td>A</td><td>B</td></tr></table></body></html>"
    )
    (tmp_path / "m.eml").write_bytes(bytes(mail(html=page)))
    found = " ".join(texts(tmp_path / "m.eml"))
    assert "We end" in found
    assert "x()" not in found
    assert "p{}" not in found
    assert " no " not in found


@pytest.mark.parametrize(
    "content",
    [
        b"\x00\xff\xfe" * 50,
        b"Content-Type: multipart/mixed; boundary=x\n\n--x\n--x--\n",
        b"Content-Type: text/html; charset=nonsense\n\n<p>a</p>",
        b"Content-Transfer-Encoding: base64\n\n%%%%",
        b"Content-Type: message/rfc822\n\nFrom: a\n\nb",
        b"From: =?utf-8?b?%%?=\nDate: never\n\n" + b"<" * 10_000,
    ],
)
def test_broken_mails_give_words_or_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "m.eml").write_bytes(content)
    with contextlib.suppress(ToolInputError):
        assert all(passage.text for passage in read_passages(tmp_path / "m.eml").passages)


@pytest.mark.parametrize("name", ["a.xlsx", "a.csv", "a.pptx", "a.eml", "a.pdf", "a.txt"])
def test_an_empty_file_says_so(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(ToolInputError):
        read_passages(tmp_path / name)
