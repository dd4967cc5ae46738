"""What acts by itself on opening is flagged; the ordinary near-miss of each is not."""

from __future__ import annotations

import io
import zipfile

import pytest

from deskmate.changes import dangers
from deskmate.changes.dangers import content_flags
from deskmate.testing.memory import MemoryBlobs
from deskmate.types.files import Entry


def office(*parts: str) -> bytes:
    """A ZIP with these parts, as Office writes it."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for part in ("[Content_Types].xml", *parts):
            archive.writestr(part, b"x" * 4000)
    return target.getvalue()


def flagged(path: str, after: bytes, before: bytes | None = None) -> tuple[str, ...]:
    blobs = MemoryBlobs()

    def entry(content: bytes) -> Entry:
        return Entry(
            path=path, kind="file", mode=0o644, size=len(content), sha256=blobs.put(content)
        )

    return content_flags(path, None if before is None else entry(before), entry(after), blobs)


@pytest.mark.parametrize(
    ("path", "content", "flag"),
    [
        ("d/a.docx", office("word/vbaProject.bin"), "holds macros"),
        ("d/a.xlsx", office("xl/macrosheets/sheet1.xml"), "holds macros"),
        ("d/a.odt", office("Basic/Standard/Module1.xml"), "holds macros"),
        ("d/a.doc", b"\xd0\xcf\x11\xe0" + b"x" * 600 + "_VBA_PROJECT".encode("utf-16-le"), "holds macros"),
        ("d/a.xlsx", office("xl/externalLinks/externalLink1.xml"), "reads other files or databases"),
        ("d/a.docx", office("word/activeX/activeX1.xml"), "holds ActiveX controls"),
        ("d/a.docx", office("word/embeddings/oleObject1.bin"), "holds embedded programs or objects"),
        ("d/a.docx", office("word/_rels/settings.xml.rels"), "names a template or data source elsewhere"),
        ("d/a.csv", b"name,link\nx,=HYPERLINK(\"http://e\",\"x\")\n", "holds a formula that reaches outside"),
        ("d/a.csv", b"a\n=1+WEBSERVICE(\"http://e\")", "holds a formula that reaches outside"),
        ("d/a.csv", b"a;b\n1;\"=cmd|' /C calc'!A0\"\n", "starts a program (DDE)"),
        ("d/a.csv", b"a,b\n-2+3+cmd|' /C calc'!A0,1\n", "starts a program (DDE)"),
        ("d/a.tsv", b"a\t=SUM(A1)\n", "holds formulas"),
        ("d/a.html", b"<p>x<SCRIPT>alert(1)</script>", "holds script"),
        ("d/a.txt", b"<!DOCTYPE html><img src=x onerror=alert(1)>", "holds script"),
        ("d/a.svg", b"<?xml version='1.0'?><svg onload='x()'/>", "holds script"),
        ("d/a.htm", b"<meta http-equiv=refresh content='0;url=//e'>", "leads to another page by itself"),
        ("d/a.html", b"<img width=1\n src='https://e/?d'>", "fetches from the network"),
        ("d/a.html", b"<iframe srcdoc=x>", "embeds other content"),
        ("d/a.pdf", b"%PDF-1.7\n1 0 obj<</S/JavaScript/JS(x)>>", "holds script"),
        ("d/a.pdf", b"%PDF-1.7\n1 0 obj<</S/J#61vaScript>>", "holds script"),
        ("d/a.pdf", b"%PDF-1.7\n<</S /Launch/F(calc)>>", "starts a program"),
        ("d/a.pdf", b"%PDF-1.7\n<</Names<</EmbeddedFiles 3 0 R>>>>", "holds attached files"),
        ("d/a.rtf", b"{\\rtf1{\\object\\objemb{\\*\\objdata 01}}}", "holds embedded programs or objects"),
        ("d/a.rtf", b"{\\rtf1{\\field{\\*\\fldinst DDEAUTO c:\\\\x}}}", "starts a program (DDE)"),
        ("d/a.xml", b"<?xml version='1.0'?><w:instrText>DDEAUTO c:\\x</w:instrText>", "starts a program (DDE)"),
        ("d/a.pdf", b"MZ\x90\0" + b"\0" * 99, "is a program"),
        ("d/a", b"\x7fELF\2\1", "is a program"),
        ("d/a.md", b"#!/bin/sh\nrm -rf x\n", "is a script"),
    ],
)  # fmt: skip
def test_what_acts_by_itself_is_flagged(path: str, content: bytes, flag: str) -> None:
    assert flag in flagged(path, content)


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("d/a.docx", office("word/document.xml", "word/media/image1.png")),
        ("d/a.xlsx", office("xl/workbook.xml", "xl/worksheets/sheet1.xml")),
        ("d/a.csv", b"name,amount\nA-Z,-12.50\n+49 30 1234,=\n"),
        ("d/a.csv", b"a,b\nx | y!,=\n"),
        ("d/a.md", b"Use <script> and javascript: with care; =HYPERLINK(x)\n"),
        ("d/a.html", b"<p>On Monday = ok <a href='https://example.com'>see</a> <img src='a.png'>"),
        ("d/a.pdf", b"%PDF-1.7\n1 0 obj<</Type/Page/JSON 3/Launcher 4>>"),
        ("d/a.rtf", b"{\\rtf1 The object of this agreement; a field; DDE}"),
        ("d/a.txt", b""),
        ("d/a.png", b"\x89PNG\r\n\x1a\n/JavaScript<script>"),
    ],
)
def test_ordinary_content_is_not(path: str, content: bytes) -> None:
    assert flagged(path, content) == ()


def test_what_a_file_had_before_is_no_news() -> None:
    page = b"<p>1<script>x</script>"
    assert flagged("d/a.html", page.replace(b"1", b"2"), page) == ()
    assert flagged("d/a.html", page + b"<iframe>", page) == ("embeds other content",)


def test_a_sign_between_two_pieces_is_seen() -> None:
    class Pieces(MemoryBlobs):
        def chunks(self, digest):  # type: ignore[no-untyped-def]
            content = self.read(digest)
            yield from (content[at : at + 1000] for at in range(0, len(content), 1000))

    blobs = Pieces()
    content = b"<html>" + b" " * 990 + b"<script>"
    entry = Entry(path="d/a", kind="file", mode=0o644, size=1, sha256=blobs.put(content))
    assert content_flags("d/a", None, entry, blobs) == ("holds script",)


def test_a_huge_file_says_how_far_it_was_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dangers, "LIMIT_BYTES", 1000)
    found = flagged("d/a.html", b"<html>" + b"x" * 2000)
    assert found == ("only its first 0 MiB were looked at",)
