"""What is on the pages of a PDF, a window at a time: lines with their boxes, words found, bookmarks, facts."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from deskmate.errors import ToolInputError
from deskmate_documents.pdf.opening import Box, frame_of, guarded, parsed

BOOKMARKS_LIMIT = 400
HITS_LIMIT = 200
SAMPLED = 24
CHARACTERS_LIMIT = 400_000
"""Of one page; more is no page that anybody reads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line of text and where it is seen. `confidence`: 0 to 100 where it was recognised from an image."""

    text: str
    box: Box
    confidence: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PageText:
    """A page. `size`: width and height in points as shown. `has_images`: it draws pictures."""

    number: int
    size: tuple[float, float]
    lines: tuple[Line, ...]
    has_images: bool = False
    problem: str = ""

    @property
    def text(self) -> str:
        """All lines, one below the other."""
        return "\n".join(line.text for line in self.lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """Words found. `boxes`: one for each line that they stand on."""

    page: int
    boxes: tuple[Box, ...]
    text: str


def read_page(document: Any, number: int) -> PageText:
    """Return the text of one page of an open document; what cannot be read of it is said in `problem`."""
    import pypdfium2  # noqa: PLC0415

    try:
        page = document[number - 1]
    except pypdfium2.PdfiumError:
        return PageText(
            number=number, size=(0.0, 0.0), lines=(), problem="the page is damaged and was left out"
        )
    try:
        frame = frame_of(page)
        words = page.get_textpage()
        try:
            too_many = words.count_chars() > CHARACTERS_LIMIT
            lines = () if too_many else tuple(_lines(words, frame))
        finally:
            words.close()
        return PageText(
            number=number,
            size=frame.size,
            lines=lines,
            has_images=not lines and _draws_images(page),
            problem=f"more than {CHARACTERS_LIMIT} characters; left out" if too_many else "",
        )
    finally:
        page.close()


def _draws_images(page: Any) -> bool:
    import pypdfium2.raw as raw  # noqa: PLC0415

    return _holds_image(raw, page.raw, raw.FPDFPage_CountObjects, raw.FPDFPage_GetObject, 4)


def _holds_image(raw: Any, holder: Any, count: Any, get: Any, depth: int) -> bool:
    """Say whether a page or a form draws an image, looked at as pdfium holds it: some draw a hundred thousand lines."""
    for index in range(count(holder)):
        item = get(holder, index)
        kind = raw.FPDFPageObj_GetType(item)
        if kind == raw.FPDF_PAGEOBJ_IMAGE:
            return True
        inner = raw.FPDFFormObj_CountObjects, raw.FPDFFormObj_GetObject
        if (
            kind == raw.FPDF_PAGEOBJ_FORM
            and depth > 1
            and _holds_image(raw, item, *inner, depth - 1)
        ):
            return True
    return False


def _lines(words: Any, frame: Any) -> Iterator[Line]:
    """Yield the lines as pdfium tells them apart; it also knows which gaps are spaces."""
    text = words.get_text_range()
    if len(text) != words.count_chars():
        yield from _pieces(words, frame)
        return
    start = 0
    for piece in text.split("\r\n"):
        shown_text = " ".join(piece.replace("\ufffe", "-").split())
        if shown_text:
            box = _union([words.get_rect(i) for i in range(words.count_rects(start, len(piece)))])
            if box is not None:
                yield Line(text=shown_text, box=frame.shown(*box))
        start += len(piece) + 2


def _union(boxes: list[Box]) -> Box | None:
    if not boxes:
        return None
    lefts, bottoms, rights, tops = zip(*boxes, strict=True)
    return min(lefts), min(bottoms), max(rights), max(tops)


def _pieces(words: Any, frame: Any) -> Iterator[Line]:
    """Yield what pdfium tells apart by font, where its characters cannot be counted (outside Unicode's first plane)."""
    for index in range(words.count_rects()):
        rect = words.get_rect(index)
        text = " ".join(words.get_text_bounded(*rect).replace("\ufffe", "-").split())
        if text:
            yield Line(text=text, box=frame.shown(*rect))


def find_words(
    document: Any, number: int, words: str, *, match_case: bool = False, whole: bool = False
) -> list[Hit]:
    """Return where words stand on a page, also over the end of a line."""
    import pypdfium2  # noqa: PLC0415

    try:
        page = document[number - 1]
    except pypdfium2.PdfiumError:
        return []
    frame = frame_of(page)
    text = page.get_textpage()
    hits: list[Hit] = []
    try:
        search = text.search(words, match_case=match_case, match_whole_word=whole)
        while (found := search.get_next()) is not None and len(hits) < HITS_LIMIT:
            index, count = found
            boxes = tuple(
                frame.shown(*text.get_rect(i)) for i in range(text.count_rects(index, count))
            )
            around = text.get_text_range(max(index - 60, 0), count + 120)
            hits.append(Hit(page=number, boxes=boxes, text=" ".join(around.split())))
        search.close()
    finally:
        text.close()
        page.close()
    return hits


def bookmarks(document: Any) -> tuple[list[dict[str, Any]], bool]:
    """Return at most 400 bookmarks with level and page, and whether there are more."""
    found: list[dict[str, Any]] = []
    for mark in document.get_toc(max_depth=8):
        if len(found) == BOOKMARKS_LIMIT:
            return found, True
        target = mark.get_dest()
        page = target.get_index() if target else None
        entry = {"level": mark.level + 1, "title": " ".join(mark.get_title().split())[:200]}
        found.append(entry | ({"page": page + 1} if page is not None else {}))
    return found, False


def glimpse(document: Any, number: int) -> tuple[int, str]:
    """Return how many characters a page has, and how it begins; nothing of a damaged one."""
    import pypdfium2  # noqa: PLC0415

    try:
        page = document[number - 1]
    except pypdfium2.PdfiumError:
        return 0, ""
    words = page.get_textpage()
    try:
        count = int(words.count_chars())
        shown_lines = islice(_lines(words, frame_of(page)), 2) if count <= CHARACTERS_LIMIT else ()
        return count, " / ".join(line.text for line in shown_lines)[:160]
    finally:
        words.close()
        page.close()


def sampled(count: int) -> list[int]:
    """Return the pages that are looked at for text: all of a short file, some of a long one."""
    return list(range(1, count + 1, max(count // SAMPLED, 1) if count > 3 * SAMPLED else 1))


def metadata(document: Any) -> dict[str, str]:
    """Return title, author, subject, producer and dates, as far as they are there."""
    try:
        facts = document.get_metadata_dict(skip_empty=True)
    except (ctypes.ArgumentError, UnicodeError):
        return {}
    return {name.lower(): " ".join(value.split())[:200] for name, value in facts.items()}


def particulars(path: Path, password: str = "") -> dict[str, Any]:
    """Return what else a PDF holds: form fields, signatures, attachments, scripts, layers, tags."""
    try:
        with parsed(path, password) as reader, guarded(path):
            root = reader.trailer["/Root"]
            form = root.get("/AcroForm")
            form = form.get_object() if form is not None else {}
            names = root.get("/Names")
            names = names.get_object() if names is not None else {}
            fields = reader.get_fields() or {} if form else {}
            kinds = [field.get("/FT") for field in fields.values()]
            found = {
                "fields": sum(kind is not None and kind != "/Sig" for kind in kinds),
                "signatures": sum(kind == "/Sig" for kind in kinds),
                "xfa": "/XFA" in form,
                "attachments": "/EmbeddedFiles" in names,
                "scripts": "/JavaScript" in names or "/JS" in str(root.get("/OpenAction", "")),
                "layers": "/OCProperties" in root,
                "tagged": "/StructTreeRoot" in root,
                "encrypted": bool(reader.is_encrypted),
            }
    except ToolInputError:
        return {"damaged": True}
    return {name: value for name, value in found.items() if value}
