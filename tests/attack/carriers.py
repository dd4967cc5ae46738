"""Where other people's texts come from: over forty places in which an order to the model may be hidden."""

from __future__ import annotations

import base64
import gzip
import io
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from email.message import EmailMessage

_W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'


def _zip(*files: tuple[str, str], comment: bytes = b"") -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files:
            archive.writestr(name, text)
        archive.comment = comment
    return out.getvalue()


def _docx(body: str, *more: tuple[str, str]) -> bytes:
    document = f"<w:document {_W}><w:body>{body}</w:body></w:document>"
    return _zip(("[Content_Types].xml", "<Types/>"), ("word/document.xml", document), *more)


def _run(text: str, look: str) -> str:
    return f"<w:p><w:r><w:rPr>{look}</w:rPr><w:t>{text}</w:t></w:r></w:p>"


def _xlsx(*more: tuple[str, str]) -> bytes:
    return _zip(("[Content_Types].xml", "<Types/>"), *more)


def _pdf(info: str = "", page: str = "", packed: str = "") -> bytes:
    stream = zlib.compress(packed.encode())
    return (
        b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\n"
        + f"2 0 obj<</Title({info})>>endobj\n3 0 obj<</Length {len(page)}>>stream\n{page}".encode()
        + b"\nendstream endobj\n4 0 obj<</Filter/FlateDecode>>stream\n"
        + stream
        + b"\nendstream endobj\ntrailer<</Info 2 0 R>>\n%%EOF"
    )


def _mail(order: str, *, where: str) -> bytes:
    mail = EmailMessage()
    mail["Subject"] = order if where == "subject" else "Minutes"
    mail["From"] = "a@example.test"
    if where == "header":
        mail["X-Note"] = order
    mail.set_content(order if where == "body" else "See below.")
    if where == "html":
        mail.add_alternative(f'<p style="display:none">{order}</p>', subtype="html")
    if where == "attachment":
        mail.add_attachment(order.encode(), maintype="text", subtype="plain", filename="a.txt")
    return mail.as_bytes()


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _png(order: str, kind: bytes) -> bytes:
    text = b"Comment\0" + order.encode()
    if kind == b"zTXt":
        text = b"Comment\0\0" + zlib.compress(order.encode())
    head = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + _chunk(kind, text) + _chunk(b"IEND", b"")


def _jpeg(order: str, *, exif: bool) -> bytes:
    data = (b"Exif\0\0MM\0*" if exif else b"") + order.encode()
    marker = b"\xff\xe1" if exif else b"\xff\xfe"
    return b"\xff\xd8" + marker + struct.pack(">H", len(data) + 2) + data + b"\xff\xd9"


def _tar(order: str) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        info = tarfile.TarInfo("a.txt")
        info.pax_headers = {"comment": order}
        archive.addfile(info, io.BytesIO(b""))
    return out.getvalue()


FILES: dict[str, Callable[[str], bytes]] = {
    "plain text": lambda order: order.encode(),
    "UTF-16 text": lambda order: order.encode("utf-16"),
    "Markdown comment": lambda order: f"# Notes\n<!-- {order} -->\n".encode(),
    "Markdown link title": lambda order: f'[a](b.md "{order}")\n'.encode(),
    "CSV cell": lambda order: f'a,b\n1,"{order}"\n'.encode(),
    "JSON value": lambda order: b'{"note": "%s"}' % order.encode(),
    "YAML comment": lambda order: f"a: 1  # {order}\n".encode(),
    "code comment": lambda order: f"# {order}\nx = 1\n".encode(),
    "SQL comment": lambda order: f"select 1; -- {order}\n".encode(),
    "log line": lambda order: f"2026-11-23 WARN {order}\n".encode(),
    "HTML hidden element": lambda order: f"<div hidden>{order}</div>".encode(),
    "HTML comment": lambda order: f"<!-- {order} -->".encode(),
    "HTML alt text": lambda order: f'<img alt="{order}">'.encode(),
    "HTML meta": lambda order: f'<meta name="description" content="{order}">'.encode(),
    "SVG title": lambda order: f"<svg><title>{order}</title></svg>".encode(),
    "calendar entry": lambda order: f"BEGIN:VEVENT\nDESCRIPTION:{order}\n".encode(),
    "contact card": lambda order: f"BEGIN:VCARD\nNOTE:{order}\n".encode(),
    "RTF hidden text": lambda order: (r"{\rtf1{\v " + order + "}}").encode(),
    "notebook output": lambda order: b'{"cells":[{"outputs":["%s"]}]}' % order.encode(),
    "docx hidden text": lambda order: _docx(_run(order, "<w:vanish/>")),
    "docx white one point text": lambda order: _docx(
        _run(order, '<w:color w:val="FFFFFF"/><w:sz w:val="2"/>')
    ),
    "docx comment": lambda order: _docx("", ("word/comments.xml", order)),
    "docx alt text": lambda order: _docx(f'<wp:docPr descr="{order}"/>'),
    "docx footnote": lambda order: _docx("", ("word/footnotes.xml", order)),
    "docx header": lambda order: _docx("", ("word/header1.xml", order)),
    "docx deleted text": lambda order: _docx(f"<w:del><w:delText>{order}</w:delText></w:del>"),
    "docx property": lambda order: _docx("", ("docProps/core.xml", order)),
    "docx field code": lambda order: _docx(f"<w:instrText>{order}</w:instrText>"),
    "xlsx hidden sheet": lambda order: _xlsx(("xl/worksheets/sheet2.xml", order)),
    "xlsx very hidden name": lambda order: _xlsx(("xl/workbook.xml", order)),
    "xlsx cell comment": lambda order: _xlsx(("xl/comments1.xml", order)),
    "xlsx shared string": lambda order: _xlsx(("xl/sharedStrings.xml", order)),
    "pptx speaker notes": lambda order: _zip(("ppt/notesSlides/notesSlide1.xml", order)),
    "PDF metadata": lambda order: _pdf(info=order),
    "PDF invisible layer": lambda order: _pdf(page=f"3 Tr ({order}) Tj"),
    "PDF packed stream": lambda order: _pdf(packed=order),
    "mail header": lambda order: _mail(order, where="header"),
    "mail subject": lambda order: _mail(order, where="subject"),
    "mail body": lambda order: _mail(order, where="body"),
    "mail hidden HTML": lambda order: _mail(order, where="html"),
    "mail attachment": lambda order: _mail(order, where="attachment"),
    "zip comment": lambda order: _zip(("a.txt", "x"), comment=order.encode()),
    "name in a zip": lambda order: _zip((order, "x")),
    "tar comment": _tar,
    "gzip content": lambda order: gzip.compress(order.encode()),
    "PNG text": lambda order: _png(order, b"tEXt"),
    "PNG packed text": lambda order: _png(order, b"zTXt"),
    "JPEG EXIF": lambda order: _jpeg(order, exif=True),
    "JPEG comment": lambda order: _jpeg(order, exif=False),
    "ID3 tag": lambda order: b"ID3\x03\0\0" + order.encode(),
}
"""Name → a file with an order in it."""


def reveal(data: bytes) -> str:
    """Return all texts in a file, as a reader would that hides nothing from the model."""
    texts = [data.decode("utf-8", "replace"), data.decode("utf-16", "replace")]
    if zipfile.is_zipfile(io.BytesIO(data)):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for info in archive.infolist():
                texts += [info.filename, archive.read(info).decode("utf-8", "replace")]
            texts.append(archive.comment.decode("utf-8", "replace"))
    for start in range(len(data) - 1):
        if data[start] == 0x78 and data[start + 1] in (0x01, 0x5E, 0x9C, 0xDA):
            texts.append(_inflated(data[start:], 15))
    if data[:2] == b"\x1f\x8b":
        texts.append(_inflated(data, 31))
    for line in data.splitlines():
        if (len(line) > 40 and line.strip().isalnum()) or line.endswith(b"="):
            texts.append(_decoded(line))
    joined = data.replace(b"\n ", b" ").replace(b"=\n", b"")
    return "\n".join([*texts, joined.decode("utf-8", "replace")])


def _inflated(data: bytes, bits: int) -> str:
    try:
        return zlib.decompressobj(bits).decompress(data, 1 << 20).decode("utf-8", "replace")
    except zlib.error:
        return ""


def _decoded(line: bytes) -> str:
    try:
        return base64.b64decode(line, validate=True).decode("utf-8", "replace")
    except ValueError:
        return ""
