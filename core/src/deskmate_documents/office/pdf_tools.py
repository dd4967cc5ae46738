"""Tools that read PDFs: outline first, then pages, words and tables with their places, forms, annotations."""

from __future__ import annotations

import hashlib
import time
from functools import partial
from pathlib import Path
from typing import Any

from deskmate.plugin import Evidence, ToolAnswer, ToolContext, ToolInputError
from deskmate.types.ids import Digest

PAGES_A_CALL = 40
SECONDS_A_CALL = 110.0
"""With the recognition of its last page a call ends within two minutes."""
TABLE_PAGES = 20
EMPTY_SHOWN = 100
CHARACTERS_LIMIT = 60_000
FOUND_LIMIT = 100
OUTLINE_PAGES = 60
FIELDS_SHOWN = 400
CELLS_SHOWN = 1_500


def pdf_outline(
    path: str, context: ToolContext, password: str = "", start: int = 1
) -> dict[str, Any]:
    """Show what a PDF is before you read it: pages, bookmarks, forms, signatures, pages without text. Also for 1,000 pages.

    Args:
        path: workspace path of the PDF.
        context: filled in by Deskmate.
        password: of an encrypted file, from the user.
        start: without bookmarks: from which page on to show how pages begin, 60 at a time.

    Returns:
        `pages`: their number; `bookmarks`: list of {level, title, page}, or where there are none `begins`: list of
        {page, begins}, and `next`; `without_text`: pages that are pictures (`pdf_read` with `ocr`), of a sample if
        `sampled`; `about`: title, author, …; `has`: fields, signatures, attachments, scripts, encrypted, ….
    """
    from deskmate_documents.pdf import reading  # noqa: PLC0415
    from deskmate_documents.pdf.opening import shown  # noqa: PLC0415

    real = _pdf(path, context)
    with shown(real, password) as document:
        count = len(document)
        answer: dict[str, Any] = {"path": context.name_of(real), "pages": count}
        answer["about"] = reading.metadata(document)
        marks, more = reading.bookmarks(document)
    if marks:
        answer |= {"bookmarks": marks, "more_bookmarks": more}
        shown_pages: list[int] = []
    else:
        last = min(start + OUTLINE_PAGES - 1, count)
        shown_pages = list(range(max(start, 1), last + 1))
        answer |= {"next": last + 1} if last < count else {}
    answer |= _glimpses(real, password, shown_pages, reading.sampled(count))
    answer["sampled"] = len(reading.sampled(count)) < count
    answer["has"] = reading.particulars(real, password)
    return {name: value for name, value in answer.items() if value not in ({}, [], False)}


def _glimpses(real: Path, password: str, shown: list[int], sample: list[int]) -> dict[str, Any]:
    """Return how pages begin and which of the sample have no text; what takes too long ends it."""
    from deskmate_documents.pdf import reading  # noqa: PLC0415
    from deskmate_documents.pdf.bounded import STUCK, Pace, each_page  # noqa: PLC0415

    begins: list[dict[str, Any]] = []
    empty: list[int] = []
    found: dict[str, Any] = {"begins": begins, "without_text": empty}
    pace = Pace()
    pages = list(dict.fromkeys([*shown, *sample]))
    for number, seen in each_page(real, password, pages, reading.glimpse):
        if seen is None:
            return found | {
                "problem": f"Page {number}: {STUCK}; pages behind it were not looked at."
            }
        if number in shown:
            begins.append({"page": number, "begins": seen[1]})
        if number in sample and not seen[0] and len(empty) < EMPTY_SHOWN:
            empty.append(number)
        if number != pages[-1] and pace.is_over():
            return found | {
                "problem": f"Pages take long to be drawn; those behind page {number} were not looked at."
            }
    return found


def pdf_read(
    path: str,
    pages: str,
    context: ToolContext,
    password: str = "",
    boxes: bool = False,
    ocr: bool = False,
    language: str = "eng",
) -> ToolAnswer:
    """Read pages of a PDF, a window at a time; with `boxes` each line with its place, recorded as evidence.

    Args:
        path: workspace path of the PDF.
        pages: such as `1-3,8`; at most 40 pages, fewer where they hold much text or take long.
        context: filled in by Deskmate.
        password: of an encrypted file, from the user.
        boxes: give lines as {text, box}; a box is [left, top, right, bottom] in points from the page's top left.
        ocr: recognise the text of pages that are pictures; takes a while for each page.
        language: of the recognition, such as `eng`.

    Returns:
        `pages`: list of {page, size, text or lines, problem}; `next`: the page to go on with, missing at the end.
        Recognised pages have `confidence`, 0 to 100: check their figures.
    """
    from deskmate_documents.pdf.bounded import STUCK, Pace, each_page  # noqa: PLC0415
    from deskmate_documents.pdf.opening import page_numbers, shown  # noqa: PLC0415
    from deskmate_documents.pdf.reading import read_page  # noqa: PLC0415

    real = _pdf(path, context)
    digest = _digest(real)
    entries: list[dict[str, Any]] = []
    evidence: list[Evidence] = []
    answer: dict[str, Any] = {"path": context.name_of(real), "pages": entries}
    characters = 0
    pace, began = Pace(), time.monotonic()
    with shown(real, password) as document:
        numbers = page_numbers(pages, len(document), PAGES_A_CALL)
        for number, page in each_page(real, password, numbers, read_page):
            if pace.is_over() and entries:
                answer["next"] = number
                break
            if page is None:
                entries.append({"page": number, "problem": STUCK})
                continue
            lines, problem = page.lines, page.problem
            if not lines and page.has_images and not problem:
                page_at = (real, password, number)
                left_s = SECONDS_A_CALL - (time.monotonic() - began)
                lines, problem = _recognised(page_at, language, ocr, left_s, context)
            characters += sum(len(line.text) for line in lines)
            if entries and characters > CHARACTERS_LIMIT:
                answer["next"] = number
                break
            entries.append(_entry(page, lines, problem, boxes))
            if boxes:
                evidence += [
                    _line_evidence(digest, context.name_of(real), number, line)
                    for line in lines
                    if line.confidence is None
                ]
    return ToolAnswer(result=answer, evidence=(*_opening(real, password, context), *evidence))


def _recognised(
    page_at: tuple[Path, str, int], language: str, ocr: bool, left_s: float, context: ToolContext
) -> tuple[tuple[Any, ...], str]:
    """Return the lines of a page, which is named by file, password and number, or why there are none."""
    from deskmate_documents.pdf import ocr as recognition  # noqa: PLC0415

    if not recognition.can_recognise():
        return (), f"Page {page_at[2]} {recognition.MISSING}"
    if not ocr:
        return (), "no text, only pictures; ask again with ocr=true"
    context.on_progress(f"recognising page {page_at[2]}")
    try:
        return recognition.recognise(*page_at, language, left_s), ""
    except recognition.TookTooLong as error:
        return (), error.message


def _entry(page: Any, lines: tuple[Any, ...], problem: str, boxes: bool) -> dict[str, Any]:
    from deskmate_documents.pdf.opening import rounded  # noqa: PLC0415

    entry: dict[str, Any] = {"page": page.number, "size": [round(edge, 1) for edge in page.size]}
    if boxes:
        entry["lines"] = [{"text": line.text, "box": rounded(line.box)} for line in lines]
    else:
        entry["text"] = "\n".join(line.text for line in lines)[: 2 * CHARACTERS_LIMIT]
    sure = [line.confidence for line in lines if line.confidence is not None]
    if sure:
        entry["confidence"] = round(sum(sure) / len(sure))
    return entry | ({"problem": problem} if problem else {})


def _line_evidence(digest: Digest, path: str, number: int, line: Any) -> Evidence:
    from deskmate_documents.pdf.tables import figure_of  # noqa: PLC0415

    box = ",".join(f"{edge:.1f}" for edge in line.box)
    key = hashlib.sha256(f"{number} {box} {line.text}".encode()).hexdigest()[:10]
    return Evidence(
        id=f"pdf-{digest[:8]}-{key}",
        source=digest,
        path=path,
        locator={"page": number, "box": box},
        quote=line.text[:2_000],
        value=figure_of(line.text),
    )


def pdf_find(
    path: str,
    words: str,
    context: ToolContext,
    pages: str = "1-",
    password: str = "",
    match_case: bool = False,
) -> ToolAnswer:
    """Find words in a PDF, also in one of 1,000 pages: page, boxes and the text around; each place is evidence.

    Args:
        path: workspace path of the PDF.
        words: as they stand there; they may run over the end of a line.
        context: filled in by Deskmate.
        pages: where to look, such as `100-400`; all by default.
        password: of an encrypted file, from the user.
        match_case: tell capitals from small letters.

    Returns:
        `places`: list of {page, boxes, text}, at most 100; `next`: the page to go on with, missing at the end.
    """
    from deskmate_documents.pdf.bounded import STUCK, Pace, each_page  # noqa: PLC0415
    from deskmate_documents.pdf.opening import page_numbers, rounded, shown  # noqa: PLC0415
    from deskmate_documents.pdf.reading import Line, find_words  # noqa: PLC0415

    if not words.strip():
        raise ToolInputError("Give the words to find.")
    real = _pdf(path, context)
    digest = _digest(real)
    places: list[dict[str, Any]] = []
    evidence: dict[str, Evidence] = {}
    answer: dict[str, Any] = {"path": context.name_of(real), "places": places}
    with shown(real, password) as document:
        numbers = page_numbers(pages, len(document), len(document))
    pace = Pace()
    find = partial(find_words, words=words.strip(), match_case=match_case)
    for done, (number, hits) in enumerate(each_page(real, password, numbers, find), 1):
        if (pace.is_over() and done > 1) or len(places) >= FOUND_LIMIT:
            answer["next"] = number
            break
        if hits is None:
            answer.setdefault("problems", []).append(f"page {number}: {STUCK}")
            continue
        for hit in hits:
            found = [rounded(box) for box in hit.boxes]
            places.append({"page": number, "boxes": found, "text": hit.text})
            if hit.boxes:
                line = Line(text=words.strip(), box=hit.boxes[0])
                item = _line_evidence(digest, context.name_of(real), number, line)
                evidence[item.id] = item
        if done % 100 == 0:
            context.on_progress(f"{done} of {len(numbers)} pages searched")
    return ToolAnswer(
        result=answer, evidence=(*_opening(real, password, context), *evidence.values())
    )


def pdf_tables(
    path: str, pages: str, context: ToolContext, password: str = "", by: str = "lines"
) -> ToolAnswer:
    """Read the tables of PDF pages as rows; each figure is recorded as evidence with page, table, row and column.

    Args:
        path: workspace path of the PDF.
        pages: such as `4-6`; at most 20.
        context: filled in by Deskmate.
        password: of an encrypted file, from the user.
        by: `lines`, where rules are drawn around cells; `text`, by the gaps between words.

    Returns:
        `tables`: list of {page, table, rows: lists of texts}; none where nothing is drawn: try `text`, or read the page.
        `next`: the page to go on with, where there were many cells or it took long.
        Check one row against `pdf_read`: joined cells are a sign that the other way of finding fits better.
    """
    from deskmate_documents.pdf.bounded import Pace  # noqa: PLC0415
    from deskmate_documents.pdf.opening import page_numbers, shown  # noqa: PLC0415
    from deskmate_documents.pdf.tables import find_tables  # noqa: PLC0415

    if by not in ("lines", "text"):
        raise ToolInputError("`by` is lines or text.")
    real = _pdf(path, context)
    with shown(real, password) as document:
        numbers = page_numbers(pages, len(document), TABLE_PAGES)
    name, digest = context.name_of(real), _digest(real)
    tables: list[dict[str, Any]] = []
    evidence: list[Evidence] = []
    cells = 0
    answer: dict[str, Any] = {"path": name, "tables": tables}
    pace = Pace()

    def goes_on(page: int) -> bool:
        context.on_progress(f"looking for tables on page {page}")
        if page == min(numbers) or not pace.is_over():
            return True
        answer["next"] = page
        return False

    for table in find_tables(real, numbers, password, by=by, goes_on=goes_on):
        cells += len(table.cells)
        if tables and cells > CELLS_SHOWN:
            answer["next"] = table.page
            break
        tables.append(_table(table))
        evidence += [_cell_evidence(digest, name, table, cell) for cell in table.cells]
    return ToolAnswer(result=answer, evidence=(*_opening(real, password, context), *evidence))


def _table(table: Any) -> dict[str, Any]:
    rows = [[""] * table.columns for _ in range(table.rows)]
    for cell in table.cells:
        rows[cell.row - 1][cell.column - 1] = cell.text[:500]
    entry: dict[str, Any] = {"page": table.page, "table": table.number, "rows": rows}
    return entry | ({"problem": table.problem} if table.problem else {})


def _cell_evidence(digest: Digest, path: str, table: Any, cell: Any) -> Evidence:
    box = ",".join(f"{edge:.1f}" for edge in cell.box)
    return Evidence(
        id=f"pdf-{digest[:8]}-p{table.page}t{table.number}r{cell.row}c{cell.column}",
        source=digest,
        path=path,
        locator={
            "page": table.page, "table": table.number, "row": cell.row, "column": cell.column, "box": box,
        },
        quote=cell.text[:2_000],
        value=cell.value,
        unit="%" if cell.value and "%" in cell.text else "",
    )  # fmt: skip


def pdf_form(path: str, context: ToolContext, password: str = "") -> dict[str, Any]:
    """List the fields of a PDF form with values, options and places, and check how it is filled.

    Args:
        path: workspace path of the form.
        context: filled in by Deskmate.
        password: of an encrypted file, from the user.

    Returns:
        `fields`: list of {name, kind, value, options, label, required, read_only, max_length, page, box}, without
        empty entries, at most 400; `problems`: required fields that are empty, values that do not fit.
    """
    from deskmate_documents.pdf.forms import check_form, read_form  # noqa: PLC0415
    from deskmate_documents.pdf.opening import rounded  # noqa: PLC0415

    real = _pdf(path, context)
    fields = read_form(real, password)
    shown = []
    for field in fields[:FIELDS_SHOWN]:
        entry = {
            "name": field.name, "kind": field.kind, "value": field.value[:2_000], "options": list(field.options[:100]),
            "label": field.label, "required": field.required, "read_only": field.read_only,
            "max_length": field.max_length,
        }  # fmt: skip
        entry = {key: value for key, value in entry.items() if value not in ("", [], False, 0)}
        if field.places:
            entry |= {"page": field.places[0][0], "box": rounded(field.places[0][1])}
        shown.append(entry)
    return {
        "path": context.name_of(real),
        "fields": shown,
        "more": max(len(fields) - FIELDS_SHOWN, 0),
        "problems": check_form(fields),
    }


def pdf_annotations(path: str, context: ToolContext, password: str = "") -> dict[str, Any]:
    """List what people wrote on a PDF: notes, highlights with the words under them, stamps; links are left out.

    Args:
        path: workspace path of the PDF.
        context: filled in by Deskmate.
        password: of an encrypted file, from the user.

    Returns:
        `annotations`: list of {page, number, kind, author, date, text, words, box}, at most 400.
    """
    from deskmate_documents.pdf.annotations import read_annotations  # noqa: PLC0415
    from deskmate_documents.pdf.opening import rounded  # noqa: PLC0415

    real = _pdf(path, context)
    found = read_annotations(real, password)
    shown = []
    for note in found[:FIELDS_SHOWN]:
        entry = {
            "page": note.page, "number": note.number, "kind": note.kind, "author": note.author, "date": note.date,
            "text": note.text[:2_000], "words": note.words, "box": rounded(note.box),
        }  # fmt: skip
        shown.append({key: value for key, value in entry.items() if value})
    return {
        "path": context.name_of(real),
        "annotations": shown,
        "more": max(len(found) - FIELDS_SHOWN, 0),
    }


def _pdf(path: str, context: ToolContext) -> Path:
    real = context.file(path)
    if real.suffix.lower() != ".pdf":
        raise ToolInputError(f"{path} is not a PDF by its name.")
    return real


def _opening(real: Path, password: str, context: ToolContext) -> tuple[Evidence, ...]:
    """Return what is recorded of an encrypted file, so that the gates can open it once more."""
    from deskmate_documents.unlocked import opening_of  # noqa: PLC0415

    return opening_of(real, context.name_of(real), password)


def _digest(real: Path) -> Digest:
    with real.open("rb") as stream:
        return Digest(hashlib.file_digest(stream, "sha256").hexdigest())
