"""Redaction: what lies under a box is taken out of the file, not covered; the result is read again to prove it."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deskmate.errors import ToolError, ToolInputError
from deskmate_documents.pdf.bounded import SECONDS_A_PICTURE, each_page
from deskmate_documents.pdf.cleaning import (
    clean_document,
    clear_annotations,
    clear_page,
    forget,
    own_resources,
)
from deskmate_documents.pdf.opening import Box, Frame, frame_of, guarded, parsed, shown
from deskmate_documents.pdf.reading import HITS_LIMIT, find_words
from deskmate_documents.pdf.stream import Rect
from deskmate_documents.pdf.tables import mined, readable
from deskmate_documents.pdf.writing import encrypt_again, save, unlocked

BOXES_LIMIT = 2_000
DPI = 200
PIXELS_LIMIT = 12_000_000
_EDGE = 0.6


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What is to go from a page, as seen. `words`: what stood there, as far as it is known."""

    page: int
    box: Box
    words: str = ""


@dataclass(slots=True)
class Redacted:
    """What was done. `as_pictures`: pages that could not be cleared piece by piece and are pictures now."""

    marks: int = 0
    glyphs: int = 0
    pages: list[int] = field(default_factory=list)
    as_pictures: dict[int, str] = field(default_factory=dict)
    annotations: int = 0
    notes: list[str] = field(default_factory=list)


def find_marks(
    path: Path,
    words: list[str],
    numbers: list[int] | None,
    password: str = "",
    *,
    each: bool = True,
) -> list[Mark]:
    """Return a mark for each place where these words stand, on all pages or some. `each`: each word must stand somewhere.

    Raises:
        ToolInputError: one of them stands nowhere, or there are more than 2,000 places.
    """
    marks: list[Mark] = []
    with shown(path, password) as document:
        for phrase in words:
            before = len(marks)
            for number in numbers or range(1, len(document) + 1):
                hits = find_words(document, number, phrase, whole=phrase.replace(" ", "").isalnum())
                if len(hits) == HITS_LIMIT:
                    raise ToolInputError(
                        f"{phrase!r} stands too often on page {number}; give boxes."
                    )
                marks += [
                    Mark(page=number, box=box, words=phrase) for hit in hits for box in hit.boxes
                ]
            if each and len(marks) == before:
                raise ToolInputError(
                    f"{phrase!r} stands nowhere in the text of {path.name}; a scan needs boxes. Nothing was redacted."
                )
    if len(marks) > BOXES_LIMIT:
        raise ToolInputError(
            f"There are more than {BOXES_LIMIT} places; redact fewer pages at a time."
        )
    return marks


def redact(
    source: Path,
    target: Path,
    marks: list[Mark],
    password: str = "",
    on_progress: Callable[[str], None] = lambda line: None,
) -> Redacted:
    """Write a file without what lies under the marks: text, pictures, outlines, annotations, form values.

    Metadata, attachments, scripts, tags with spoken text and thumbnails go too. The result is read again by two
    readers; a page that still has text there, or that cannot be judged, is replaced by a picture of itself.

    Raises:
        ToolInputError: encrypted, damaged, or a box that is no box.
        ToolError: the result still holds what was to go; nothing is written.
    """
    wanted: dict[int, list[Mark]] = {}
    for mark in marks:
        wanted.setdefault(mark.page, []).append(mark)
    done = Redacted(marks=len(marks), pages=sorted(wanted))
    work = target.with_name(f".{target.name}.redacting.pdf")
    try:
        with unlocked(source, password) as plain:
            _redact(plain, work, wanted, done, on_progress)
            if plain != source:
                done.notes.append(_encrypted(work, password))
        work.replace(target)
    finally:
        work.unlink(missing_ok=True)
    return done


def _redact(
    source: Path,
    work: Path,
    wanted: dict[int, list[Mark]],
    done: Redacted,
    on_progress: Callable[[str], None],
) -> None:
    frames = _frames(source, wanted)
    _write(source, work, wanted, frames, done, on_progress)
    left = _left(work, wanted)
    if left:
        done.as_pictures |= dict.fromkeys(left, "text was still to be found there")
        _write(source, work, wanted, frames, done, on_progress)
        left = _left(work, wanted)
    if left:
        raise ToolError(
            f"{source.name} was not redacted: page {left[0]} still had text under a box. Nothing was written."
        )


def _encrypted(work: Path, password: str) -> str:
    import pypdf  # noqa: PLC0415

    with parsed(work) as reader, guarded(work):
        writer = pypdf.PdfWriter(clone_from=reader)
        note = encrypt_again(writer, password)
        save(writer, work, pages=len(reader.pages), password=password)
    return note


def _frames(source: Path, wanted: dict[int, list[Mark]]) -> dict[int, Frame]:
    frames = {}
    with shown(source) as document:
        for number in wanted:
            if not 1 <= number <= len(document):
                raise ToolInputError(
                    f"Page {number} is not there; the file has {len(document)} pages."
                )
            page = document[number - 1]
            frames[number] = frame_of(page)
            page.close()
    for mark in (mark for some in wanted.values() for mark in some):
        if mark.box[0] >= mark.box[2] or mark.box[1] >= mark.box[3]:
            raise ToolInputError(
                "A box is [left, top, right, bottom] in points from the page's top left."
            )
    return frames


def _write(
    source: Path,
    work: Path,
    wanted: dict[int, list[Mark]],
    frames: dict[int, Frame],
    done: Redacted,
    on_progress: Callable[[str], None],
) -> None:
    import pypdf  # noqa: PLC0415
    from pdfminer.pdfdocument import PDFDocument  # noqa: PLC0415
    from pdfminer.pdfpage import PDFPage  # noqa: PLC0415
    from pdfminer.pdfparser import PDFParser  # noqa: PLC0415

    done.glyphs = done.annotations = 0
    gone: set[int] = set()
    with parsed(source) as reader, guarded(source), source.open("rb") as stream:
        writer = pypdf.PdfWriter(clone_from=reader)
        own_resources(writer)
        miner = PDFDocument(PDFParser(stream))
        for number, page in enumerate(PDFPage.create_pages(miner), 1):
            if number not in wanted:
                continue
            rects = [_rect(frames[number], mark.box) for mark in wanted[number]]
            done.annotations += clear_annotations(writer, writer.pages[number - 1], rects)
            if number not in done.as_pictures:
                work_done = clear_page(writer, number - 1, rects, page.resources)
                done.glyphs += work_done.glyphs
                gone |= work_done.gone
                if work_done.doubts:
                    done.as_pictures[number] = work_done.doubts[0]
            if number in done.as_pictures:
                _make_picture(writer, source, number, wanted[number])
            on_progress(f"page {number} redacted")
        words = {mark.words for some in wanted.values() for mark in some if mark.words}
        done.notes[:] = [*clean_document(writer, words), *forget(writer, gone)]
        save(writer, work, pages=len(reader.pages))
    _drop_orphans(work)


def _drop_orphans(work: Path) -> None:
    """Write a file anew with what can be reached from its root only: what was taken out goes with all that hung on it."""
    import pypdf  # noqa: PLC0415

    with parsed(work) as reader, guarded(work):
        save(pypdf.PdfWriter(clone_from=reader), work, pages=len(reader.pages))


def _rect(frame: Frame, box: Box) -> Rect:
    left, bottom, right, top = frame.stored(box)
    return left - _EDGE, bottom - _EDGE, right + _EDGE, top + _EDGE


def _make_picture(writer: Any, source: Path, number: int, marks: list[Mark]) -> None:
    """Replace a page's content by a picture of it, with the boxes black."""
    from PIL import ImageDraw  # noqa: PLC0415
    from pypdf.generic import (  # noqa: PLC0415
        DictionaryObject,
        NameObject,
        NumberObject,
        RectangleObject,
        StreamObject,
    )

    ((_, drawn),) = each_page(source, "", [number], _drawn, SECONDS_A_PICTURE)
    if drawn is None:
        raise ToolError(
            f"{source.name}, page {number}: it takes too long to be drawn; nothing was written."
        )
    picture, scale, width, height = drawn
    pen = ImageDraw.Draw(picture)
    for mark in marks:
        edges = (mark.box[0] - _EDGE, mark.box[1] - _EDGE, mark.box[2] + _EDGE, mark.box[3] + _EDGE)
        pen.rectangle([edge * scale for edge in edges], fill="black")
    data = io.BytesIO()
    picture.save(data, "JPEG", quality=85)
    image = StreamObject()
    image.set_data(data.getvalue())
    image.update(
        {
            NameObject("/Type"): NameObject("/XObject"),
            NameObject("/Subtype"): NameObject("/Image"),
            NameObject("/Width"): NumberObject(picture.width),
            NameObject("/Height"): NumberObject(picture.height),
            NameObject("/ColorSpace"): NameObject("/DeviceRGB"),
            NameObject("/BitsPerComponent"): NumberObject(8),
            NameObject("/Filter"): NameObject("/DCTDecode"),
        }
    )
    content = StreamObject()
    content.set_data(f"q {width:.3f} 0 0 {height:.3f} 0 0 cm /Page Do Q".encode())
    node = writer.pages[number - 1]
    for key in [key for key in node if key not in ("/Type", "/Parent")]:
        del node[key]
    xobjects = DictionaryObject({NameObject("/Page"): writer._add_object(image)})
    node[NameObject("/Resources")] = DictionaryObject({NameObject("/XObject"): xobjects})
    node[NameObject("/MediaBox")] = RectangleObject((0, 0, width, height))
    node[NameObject("/CropBox")] = RectangleObject((0, 0, width, height))
    node[NameObject("/Rotate")] = NumberObject(0)
    node[NameObject("/Contents")] = writer._add_object(content)


def _drawn(document: Any, number: int) -> tuple[Any, float, float, float]:
    """Return a page's picture, how many pixels a point has in it, and the page's width and height in points."""
    page = document[number - 1]
    width, height = frame_of(page).size
    scale = min(DPI / 72, (PIXELS_LIMIT / max(width * height, 1)) ** 0.5)
    picture = page.render(scale=scale).to_pil().convert("RGB")
    page.close()
    return picture, scale, width, height


def _left(path: Path, wanted: dict[int, list[Mark]]) -> list[int]:
    """Return the pages on which one of two readers still finds a character under a mark."""
    found = set()
    for number, spots in each_page(path, "", list(wanted), _characters, SECONDS_A_PICTURE):
        if spots is None or any(_covered(spot, wanted[number]) for spot in spots):
            found.add(number)
    return sorted(found | _left_by_another(path, wanted))


def _characters(document: Any, number: int) -> list[tuple[float, float]]:
    page = document[number - 1]
    frame = frame_of(page)
    words = page.get_textpage()
    spots = []
    text = words.get_text_range()
    known = len(text) == words.count_chars()
    for index in range(words.count_chars()):
        if known and text[index].isspace():
            continue
        box = frame.shown(*words.get_charbox(index))
        spots.append(((box[0] + box[2]) / 2, (box[1] + box[3]) / 2))
    words.close()
    page.close()
    return spots


def _left_by_another(path: Path, wanted: dict[int, list[Mark]]) -> set[int]:
    found = set()
    for page in mined(path, wanted):
        with readable(path):
            left, top, characters = page.cropbox[0], page.cropbox[1], page.chars
        for char in characters:
            across = (char["x0"] + char["x1"]) / 2 - left
            down = (char["top"] + char["bottom"]) / 2 - top
            if char["text"].strip() and _covered((across, down), wanted[page.page_number]):
                found.add(page.page_number)
    return found


def _covered(spot: tuple[float, float], marks: list[Mark]) -> bool:
    x, y = spot
    return any(m.box[0] < x < m.box[2] and m.box[1] < y < m.box[3] for m in marks)
