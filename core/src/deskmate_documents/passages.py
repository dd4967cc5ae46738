"""The words of any document that a table may ask about, passage by passage: what `text` reads, and workbooks, decks, mails."""

from __future__ import annotations

import email
import email.policy
import re
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

from deskmate.errors import ToolInputError
from deskmate_documents.content import SHEETS, SLIDES, TABLES, read_content
from deskmate_documents.text import TEXT_LIMIT_BYTES, Passage, SourceText, read_text

MAIL = ".eml"
_HEADERS = ("From", "To", "Cc", "Date", "Subject")
_PARAGRAPH = re.compile(r"\n\s*\n")
_BLOCKS = [
    "address",
    "article",
    "blockquote",
    "br",
    "div",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
    "li",
    "ol",
    "p",
    "pre",
    "section",
    "table",
    "td",
    "th",
    "tr",
    "ul",
]


def read_passages(path: Path) -> SourceText:
    """Read a document of any of these kinds. A row of a sheet or table is a passage, its cells set apart by `|`.

    Raises:
        ToolInputError: empty, encrypted, damaged, too large, or of a kind that has no text here.
    """
    suffix = path.suffix.lower()
    if suffix in SHEETS | TABLES:
        found = _rows(path)
    elif suffix in SLIDES:
        found = ((line.text, line.where) for line in read_content(path).lines)
    elif suffix == MAIL:
        found = _mail(path)
    else:
        return read_text(path)
    if path.stat().st_size == 0:
        raise ToolInputError(f"{path.name} is empty (0 bytes).")
    passages = (
        Passage(text=text.strip(), page=None, paragraph=number, place=place)
        for number, (text, place) in enumerate(found, 1)
        if text.strip()
    )
    return SourceText(kind="text", passages=tuple(passages))


def _rows(path: Path) -> Iterator[tuple[str, str]]:
    for grid in read_content(path).grids:
        for number, row in enumerate(grid.rows, grid.first):
            cells = [" ".join(cell.split()) for cell in row if cell.strip()]
            yield (
                " | ".join(cells),
                f"{grid.sheet}, row {number}" if grid.sheet else f"row {number}",
            )


def _mail(path: Path) -> Iterator[tuple[str, str]]:
    """Yield a mail's heads, its words, and the names of what is attached, which is not read."""
    if path.stat().st_size > TEXT_LIMIT_BYTES:
        raise ToolInputError(f"{path.name} is larger than 32 MiB; refused as a mail.")
    try:
        with path.open("rb") as stream:
            mail = email.message_from_binary_file(stream, policy=email.policy.default)
        assert isinstance(mail, EmailMessage)
        for name in _HEADERS:
            if mail[name]:
                yield f"{name}: {' '.join(str(mail[name]).split())}", f"the head, {name}"
        body = mail.get_body(("plain", "html"))
        if body is not None:
            text = str(body.get_content())
            plain = text if body.get_content_subtype() == "plain" else _of_html(text)
            for paragraph in _PARAGRAPH.split(plain.replace("\r\n", "\n")):
                yield paragraph, ""
        for part in mail.iter_attachments():
            yield f"Attached: {part.get_filename() or part.get_content_type()}", "the attachments"
    except (LookupError, ValueError, TypeError, AttributeError, IndexError) as error:
        raise ToolInputError(f"{path.name} is not a readable mail: {error}.") from error


def _of_html(text: str) -> str:
    from lxml import etree, html  # noqa: PLC0415

    try:
        root = html.document_fromstring(text, parser=html.HTMLParser(encoding="utf-8"))
    except (etree.ParserError, ValueError):
        return ""
    for element in list(root.iter(etree.Comment, "script", "style", "head", "template")):
        element.drop_tree()
    for element in root.iter(*_BLOCKS):
        element.tail = f"\n\n{element.tail or ''}"
        element.text = f"\n\n{element.text or ''}" if element.tag not in ("br", "hr") else None
    return str(root.text_content())
