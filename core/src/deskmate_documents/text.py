"""Text of any source the gates and tools read (DOCX, PDF, plain text), passage by passage with its place."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from deskmate.errors import ToolInputError
from deskmate_documents.docx.reading import read_docx
from deskmate_documents.opc import Package
from deskmate_documents.pdf.bounded import Pace, each_page
from deskmate_documents.pdf.opening import PDF_LIMIT_BYTES, PDF_PAGES_LIMIT, locked

TEXT_LIMIT_BYTES = 32 << 20
CHARACTERS_LIMIT = 20_000_000
TELL_PAGES = 100

_NUMBERED = re.compile(
    r"(?:\(?(?:\d+(?:\.\d+)*|[A-Za-z]|[ivxIVX]{1,5})[.)]\s|\d+\.\d+\S*\s|[•●▪–·]\s|(?:ARTICLE|SECTION|WHEREAS|EXHIBIT|SCHEDULE)\b)"
)
_AND = re.compile(r"\b(?:and|or)$")
Kind = Literal["docx", "pdf", "text"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """A paragraph of a source. `paragraph`: counted from 1 over the source. `page`: from 1, or None.

    `place`: where it stands, in words, where page and paragraph do not say it.
    """

    text: str
    page: int | None
    paragraph: int
    number: str = ""
    place: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceText:
    """All passages of a source in order; passages without any words are left out."""

    kind: Kind
    passages: tuple[Passage, ...]


def read_text(
    path: Path, on_progress: Callable[[str], None] | None = None, password: str = ""
) -> SourceText:
    """Read a DOCX, PDF or plain text file; its kind is found in its bytes, not in its name.

    DOCX paragraphs keep the index of `read_docx`; the passages of headers, footers and notes follow.
    `on_progress` is told every hundred pages of a PDF. `password`: of an encrypted PDF.

    Raises:
        ToolInputError: empty, encrypted, damaged, or of a kind that has no text here.
    """
    try:
        with path.open("rb") as stream:
            head = stream.read(1024)
    except OSError as error:
        raise ToolInputError(f"{path.name} cannot be read ({error.strerror}).") from error
    if not head:
        raise ToolInputError(f"{path.name} is empty (0 bytes).")
    if b"%PDF-" in head:
        return SourceText(kind="pdf", passages=tuple(_pdf(path, on_progress, password)))
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06", b"\xd0\xcf\x11\xe0")):
        return SourceText(kind="docx", passages=tuple(_docx(path)))
    if path.suffix.lower() in {".docx", ".docm", ".dotx"}:
        Package(path)
    if path.suffix.lower() == ".pdf":
        raise ToolInputError(f"{path.name} is not a PDF or is damaged (no PDF header).")
    return SourceText(kind="text", passages=tuple(_plain(path)))


def _docx(path: Path) -> Iterator[Passage]:
    document = read_docx(path)
    for paragraph in (*document.paragraphs, *document.notes):
        if paragraph.text.strip():
            yield Passage(
                text=paragraph.text,
                page=paragraph.page,
                paragraph=paragraph.index,
                number=paragraph.number,
            )


def _plain(path: Path) -> Iterator[Passage]:
    if path.stat().st_size > TEXT_LIMIT_BYTES:
        raise ToolInputError(f"{path.name} is larger than 32 MiB; refused as a text.")
    text = _decoded(path)
    page = 1
    paged = "\f" in text
    count = 0
    for sheet in text.split("\f"):
        for block in _blocks(sheet):
            count += 1
            yield Passage(text=block, page=page if paged else None, paragraph=count)
        page += 1


def _decoded(path: Path) -> str:
    data = path.read_bytes()
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", errors="replace")
    if b"\x00" in data[:4096]:
        raise ToolInputError(f"{path.name} is neither DOCX, PDF nor text.")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")


def _blocks(text: str) -> Iterator[str]:
    """Yield the paragraphs of running text: blocks between blank lines."""
    for block in re.split(r"\n[ \t\r]*\n", text.replace("\r\n", "\n").replace("\r", "\n")):
        if block.strip():
            yield block.strip("\n")


def _page_blocks(text: str) -> Iterator[str]:
    """Yield the paragraphs of a PDF page, which stores lines only.

    A paragraph ends at a blank line, before a line that begins with a number of a clause or list, and after a
    line that ends early: well before the page's usual width, at the end of a sentence or before a capital.
    """
    for block in _blocks(text):
        lines = block.split("\n")
        width = sorted(len(line.strip()) for line in lines)[len(lines) * 3 // 4]
        held: list[str] = []
        for line in lines:
            if held and _begins_paragraph(held[-1].strip(), line.strip(), width):
                yield "\n".join(held)
                held = []
            held.append(line)
        yield "\n".join(held)


def _begins_paragraph(before: str, line: str, width: int) -> bool:
    if not before or not line:
        return True
    if _NUMBERED.match(line) and (
        before[-1] in '.;:,!?”"' or len(before) < width * 0.8 or _AND.search(before)
    ):
        return True
    short = len(before) < width * 0.75
    return short and (before[-1] in '.;:!?”"' or line[0].isupper() or not line[0].isalnum())


def _pdf(path: Path, on_progress: Callable[[str], None] | None, password: str) -> Iterator[Passage]:
    import pypdfium2  # noqa: PLC0415

    if path.stat().st_size > PDF_LIMIT_BYTES:
        raise ToolInputError(f"{path.name} is larger than 256 MiB; refused.")
    try:
        document = pypdfium2.PdfDocument(path, password=password or None)
    except pypdfium2.PdfiumError as error:
        raise _pdf_error(path, str(error), given=bool(password)) from error
    with document:
        pages = len(document)
    if pages > PDF_PAGES_LIMIT:
        raise ToolInputError(f"{path.name} has {pages} pages, more than {PDF_PAGES_LIMIT}.")
    count = characters = 0
    pace = Pace(calm_s=math.inf)
    for number, text in each_page(path, password, range(1, pages + 1), _page_text):
        if text is None:
            raise ToolInputError(
                f"{path.name}: page {number} takes too long to be drawn; read the others with pdf_read."
            )
        if pace.is_over() and number < pages:
            raise ToolInputError(
                f"{path.name}: its pages take too long to be drawn; read them with pdf_read."
            )
        characters += len(text)
        if characters > CHARACTERS_LIMIT:
            raise ToolInputError(f"{path.name} holds more than 20 million characters; refused.")
        if on_progress and number % TELL_PAGES == 0:
            on_progress(f"{number} of {pages} pages read")
        for block in _page_blocks(text):
            count += 1
            yield Passage(text=block, page=number, paragraph=count)


def _page_text(document: Any, number: int) -> str:
    """Return the text of a page, from 1; a page that cannot be opened has none."""
    import pypdfium2  # noqa: PLC0415

    try:
        page = document[number - 1]
    except pypdfium2.PdfiumError:
        return ""
    try:
        words = page.get_textpage()
        try:
            return str(words.get_text_bounded()).replace("\ufffe", "-")
        finally:
            words.close()
    except pypdfium2.PdfiumError:
        return ""
    finally:
        page.close()


def _pdf_error(path: Path, cause: str, *, given: bool) -> ToolInputError:
    if "password" in cause.lower() and given:
        return locked(path, given=True)
    if "password" in cause.lower():
        return ToolInputError(
            f"{path.name} is encrypted; the PDF tools and document_quote open it with the user's password."
        )
    return ToolInputError(f"{path.name} is damaged and cannot be opened as a PDF.")
