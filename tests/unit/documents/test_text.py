from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from deskmate.errors import ToolInputError
from deskmate_documents.text import read_text

MakeDocx = Callable[..., Path]


def pdf(path: Path, pages: list[list[str]]) -> Path:
    """Write a PDF with these lines on its pages."""
    objects = [b"<< /Type /Catalog /Pages 2 0 R >>", b""]
    kids = []
    for lines in pages:
        shown = "".join(f"({line}) Tj T* " for line in lines)
        stream = f"BT /F1 12 Tf 14 TL 72 720 Td {shown}ET".encode()
        objects.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream))
        font = b"<< /Font << /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >>"
        objects.append(
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents %d 0 R /Resources %s >>"
            % (len(objects), font)
        )
        kids.append(b"%d 0 R" % len(objects))
    objects[1] = b"<< /Type /Pages /Kids [%s] /Count %d >>" % (b" ".join(kids), len(kids))
    out, places = b"%PDF-1.4\n", []
    for number, data in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, data)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    path.write_bytes(
        out
        + b"xref\n0 %d\n0000000000 65535 f \n%strailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF"
        % (len(objects) + 1, table, len(objects) + 1, len(out))
    )
    return path


def test_a_pdf_is_read_page_by_page_in_paragraphs(tmp_path: Path) -> None:
    lines = [
        "1. Term. This Agreement begins on the date of the last signature",
        "and ends after two years.",
        "2. Law. The law of Delaware applies to this Agreement in all",
    ]
    source = read_text(pdf(tmp_path / "a.pdf", [lines, ["respects, without exception."]]))
    assert source.kind == "pdf"
    assert [(x.page, x.paragraph, x.text[:8]) for x in source.passages] == [
        (1, 1, "1. Term."),
        (1, 2, "2. Law. "),
        (2, 3, "respects"),
    ]


def test_the_kind_is_found_in_the_bytes(tmp_path: Path, make_docx: MakeDocx) -> None:
    named_wrong = tmp_path / "contract.txt"
    named_wrong.write_bytes(make_docx("<w:p><w:r><w:t>Hello</w:t></w:r></w:p>").read_bytes())
    assert read_text(named_wrong).kind == "docx"


def test_plain_text_is_read_in_blocks_and_pages(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes("First block\r\ngoes on\r\n\r\nSecond\fThird café".encode("cp1252"))
    assert [(x.page, x.paragraph, x.text) for x in read_text(path).passages] == [
        (1, 1, "First block\ngoes on"),
        (1, 2, "Second"),
        (2, 3, "Third café"),
    ]


def test_docx_passages_keep_the_paragraphs_index(make_docx: MakeDocx) -> None:
    path = make_docx("<w:p/><w:p><w:r><w:t>Hello</w:t></w:r></w:p>")
    assert [(x.paragraph, x.text) for x in read_text(path).passages] == [(2, "Hello")]


@pytest.mark.parametrize(
    ("name", "data", "cause"),
    [
        ("a.pdf", b"", "0 bytes"),
        ("a.pdf", b"no pdf at all", "no PDF header"),
        ("a.pdf", b"%PDF-1.7\nbroken", "damaged"),
        ("a.bin", b"\x00\x01\x02", "neither DOCX, PDF nor text"),
        ("a.docx", b"words", "not an Office file"),
    ],
)
def test_what_cannot_be_read_says_why(tmp_path: Path, name: str, data: bytes, cause: str) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(ToolInputError, match=cause) as caught:
        read_text(path)
    assert caught.value.message.startswith(name)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ToolInputError, match=r"gone\.docx cannot be read"):
        read_text(tmp_path / "gone.docx")
