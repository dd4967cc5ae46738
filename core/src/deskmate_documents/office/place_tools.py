"""Tools that open a source at its place, for whoever looks at it in the page: the program calls them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deskmate.plugin import ToolContext, ToolInputError

if TYPE_CHECKING:
    from deskmate_documents.text import Passage, SourceText

AROUND = 15
TEXT_LIMIT = 6_000
ROWS_A_WINDOW = 400
CELLS_A_WINDOW = 24_000
WINDOW_CHARACTERS = 250_000
COLUMNS_LIMIT = 400
TEXT_SHOWN = 400
_USUAL_WIDTH = 8.43
_SPARE = 2
_WIDEST = 40
"""Characters that a column gets whose width the file does not set, however long its texts are."""


def document_place(
    path: str,
    context: ToolContext,
    quote: str = "",
    paragraph: int = 0,
    page: int = 0,
    line: int = 0,
) -> dict[str, Any]:
    """Return the paragraphs of a document around a place, with the words of a quotation marked.

    Args:
        path: workspace path of a Word, PDF or text file.
        context: filled in by Deskmate.
        quote: words that stand there.
        paragraph: its number, from 1; 0: not known.
        page: likewise.
        line: of a text file, likewise.

    Returns:
        `kind`: docx, pdf or text; `found`: whether the quotation (without one: the place) is there; `at`: the paragraph
        to look at; `last`: the last paragraph; `paragraphs`: list of {paragraph, page, number, text, marks}.
    """
    from deskmate_documents.office.kept_text import text_of  # noqa: PLC0415

    source = text_of(context.file(path), context)
    if not source.passages:
        raise ToolInputError(f"{path} holds no words: a scan has to be recognized first.")
    words = quote or (_line_of(context.file(path), line) if source.kind == "text" else "")
    index, found = _look(source, words, paragraph, page)
    first = max(index - AROUND, 0)
    shown = source.passages[first : index + AROUND + 1]
    marks = _marks([p.text[:TEXT_LIMIT] for p in shown[index - first :]], words) if found else {}
    return {
        "kind": source.kind,
        "found": found,
        "at": source.passages[index].paragraph,
        "last": source.passages[-1].paragraph,
        "paragraphs": [
            {
                "paragraph": passage.paragraph,
                "page": passage.page or 0,
                "number": passage.number,
                "text": passage.text[:TEXT_LIMIT],
                "marks": marks.get(place - (index - first), []),
            }
            for place, passage in enumerate(shown)
        ],
    }


def _marks(texts: Sequence[str], words: str) -> dict[int, list[list[int]]]:
    """Return index of a paragraph → where a quotation's words stand in it, from the one on in which it begins."""
    from deskmate_documents.spots import folded, spans_of  # noqa: PLC0415

    found: dict[int, list[list[int]]] = {}
    left = len(folded(words)[0])
    for place, text in enumerate(texts):
        spans = spans_of(text, words) if left > 0 and words else []
        if not spans:
            break
        found[place] = [list(span) for span in spans]
        left -= sum(len(folded(text[first:behind])[0]) for first, behind in spans)
    return found


def _line_of(real: Path, line: int) -> str:
    from deskmate_documents.evidence import file_lines  # noqa: PLC0415

    lines = file_lines(real) if line else ()
    return lines[line - 1] if 0 < line <= len(lines) else ""


def _look(source: SourceText, words: str, paragraph: int, page: int) -> tuple[int, bool]:
    """Return the index of the passage to look at, and whether what was asked for is there."""
    from deskmate_documents.quotes import QuoteFinder  # noqa: PLC0415

    every = source.passages
    if words:
        finder = QuoteFinder(source)
        hits = finder.find(words) or finder.find_shortened(words)
        if hits:
            best = min(hits, key=lambda hit: _distance(hit, paragraph, page))
            return every.index(best), True
    for place, passage in enumerate(every):
        if paragraph and passage.paragraph == paragraph:
            return place, not words
        if not paragraph and page and passage.page == page:
            return place, not words
    return 0, not (words or paragraph or page)


def _distance(hit: Passage, paragraph: int, page: int) -> int:
    if paragraph:
        return abs(hit.paragraph - paragraph)
    return abs((hit.page or 0) - page) if page else 0


def page_place(
    path: str,
    folder: str,
    context: ToolContext,
    quote: str = "",
    page: int = 0,
    dpi: int = 80,
) -> dict[str, Any]:
    """Draw the page of a document on which a quotation stands, and say where on it.

    Args:
        path: workspace path of a PDF, or of an Office file in a machine that has LibreOffice.
        folder: workspace path of the folder for the picture.
        context: filled in by Deskmate.
        quote: words that stand there; empty: the page is shown without a mark.
        page: its number, from 1, where the words are looked for first; 0: not known.
        dpi: pixels an inch, 24 to 300.

    Returns:
        `page`, `of`; `image`: its workspace path; `found`: whether the words are on it; `boxes`: list of
        [left, top, width, height] as shares of the page.
    """
    from deskmate_documents.office.render_tools import converted, draw, image_of  # noqa: PLC0415
    from deskmate_documents.pdf import bounded  # noqa: PLC0415
    from deskmate_documents.pdf.opening import shown  # noqa: PLC0415

    real, home = context.file(path), context.target(folder)
    pdf = real if real.suffix.lower() == ".pdf" else converted(real, context)[0]
    with shown(pdf, "") as document:
        count = len(document)
    start = min(max(page, 1), count)
    number, boxes = _find(pdf, quote, [start, *(n for n in range(1, count + 1) if n != start)])
    home.mkdir(parents=True, exist_ok=True)
    drawing = partial(draw, home=home, dpi=min(max(dpi, 24), 300))
    for _, blank in bounded.each_page(pdf, "", [number], drawing, bounded.SECONDS_A_PICTURE):
        if blank is None:
            raise ToolInputError(f"Page {number} of {real.name}: {bounded.STUCK}.")
    image = context.name_of(image_of(home, number))
    return {"page": number, "of": count, "image": image, "found": bool(boxes), "boxes": boxes}


def _find(pdf: Path, quote: str, order: Sequence[int]) -> tuple[int, list[list[float]]]:
    """Return the page on which words stand, and where; the first that is asked for, and no boxes, where they do not.

    Words that go over from one page to the next are found on the one where they begin or end.
    """
    from deskmate_documents.pdf import bounded  # noqa: PLC0415

    for partly in (False, True) if quote.strip() else ():
        work = partial(_boxes, quote=quote, partly=partly)
        for number, found in bounded.each_page(pdf, "", order, work):
            if found:
                return number, found
    return order[0], []


def _boxes(document: Any, number: int, quote: str, partly: bool) -> list[list[float]]:
    """Return where words stand on a page, a box a line. Runs in a child process."""
    import pypdfium2.raw as raw  # noqa: PLC0415

    from deskmate_documents.pdf.opening import frame_of  # noqa: PLC0415
    from deskmate_documents.pdf.reading import CHARACTERS_LIMIT  # noqa: PLC0415
    from deskmate_documents.spots import spans_of  # noqa: PLC0415

    page = document[number - 1]
    words = page.get_textpage()
    count = words.count_chars()
    if count > CHARACTERS_LIMIT:
        return []
    letters = [chr(raw.FPDFText_GetUnicode(words, at) or 32) for at in range(count)]
    frame = frame_of(page)
    width, height = frame.size
    lines: list[list[float]] = []
    for first, behind in spans_of(letters, quote, partly=partly):
        for at in range(first, behind):
            if letters[at].isspace():
                continue
            left, top, right, bottom = frame.shown(*words.get_charbox(at, loose=True))
            _widen(lines, left / width, top / height, right / width, bottom / height)
    return [[x, y, right - x, bottom - y] for x, y, right, bottom in lines]


def _widen(lines: list[list[float]], left: float, top: float, right: float, bottom: float) -> None:
    """Add a letter's box to the line that it goes on, or begin another."""
    middle = (top + bottom) / 2
    if lines and lines[-1][1] <= middle <= lines[-1][3] and left >= lines[-1][0]:
        last = lines[-1]
        last[1], last[2], last[3] = min(last[1], top), max(last[2], right), max(last[3], bottom)
    else:
        lines.append([left, top, right, bottom])


def sheet_window(path: str, context: ToolContext, sheet: str = "", top: int = 1) -> dict[str, Any]:
    """Return rows of a worksheet as people see them, from one row on, for a page that shows them as a grid.

    Args:
        path: workspace path of an Excel workbook.
        context: filled in by Deskmate.
        sheet: its name; empty: the first that is visible.
        top: the first row, from 1.

    Returns:
        `sheets`: names of the visible worksheets; `sheet`; `rows`, `columns`: how far it reaches; `widths`: of the
        columns, in characters, where the file sets none as what stands there needs; `top`; `cells`: rows of texts from
        `top` on, as many as fit; `kinds`: a letter for each text (n number, t text, b true or false, e error, f a
        formula that has no result yet); `formulas`: cell → formula.
    """
    from deskmate_documents.office.sheet_record import workbook_file  # noqa: PLC0415
    from deskmate_documents.xlsx.book import Workbook  # noqa: PLC0415
    from deskmate_documents.xlsx.refs import Area  # noqa: PLC0415
    from deskmate_documents.xlsx.survey import quick_survey  # noqa: PLC0415

    book = Workbook(workbook_file(path, context))
    visible = [s for s in book.sheets if s.kind == "worksheet" and s.state == "visible"]
    if not visible:
        raise ToolInputError(f"{path} has no sheet that can be shown.")
    chosen = book.sheet(sheet) if sheet else visible[0]
    used = quick_survey(book, chosen).used or Area(1, 1, 1, 1)
    columns = min(used.right, COLUMNS_LIMIT)
    top = min(max(top, 1), used.bottom)
    rows = max(min(ROWS_A_WINDOW, CELLS_A_WINDOW // columns), 1)
    area = Area(top, 1, min(top + rows - 1, used.bottom), columns)
    cells, kinds, formulas = _grid(book, chosen, area)
    return {
        "sheets": [one.name for one in visible],
        "sheet": chosen.name,
        "rows": used.bottom,
        "columns": columns,
        "widths": list(_widths(book.part(chosen).skeleton(), columns, cells)),
        "top": top,
        "cells": cells,
        "kinds": kinds,
        "formulas": formulas,
    }


def _grid(book: Any, sheet: Any, area: Any) -> tuple[list[list[str]], list[str], dict[str, str]]:
    """Return texts and kinds row by row, and the formulas, as far as they fit into one answer."""
    from deskmate_documents.xlsx.refs import name_of  # noqa: PLC0415
    from deskmate_documents.xlsx.showing import shown_value  # noqa: PLC0415

    cells: list[list[str]] = [[] for _ in range(area.top, area.bottom + 1)]
    kinds = ["" for _ in cells]
    formulas: dict[str, str] = {}
    characters = 0
    for value in book.values(sheet, area):
        row, column = value.place[0] - area.top, value.place[1]
        text = shown_value(value, book.styles.code(value.style), date1904=book.date1904)
        kind = " " if value.kind == "empty" else value.kind[0]
        if value.formula:
            formulas[name_of(value.place)] = f"={value.formula}"[:TEXT_SHOWN]
            if value.kind == "empty":
                text, kind = f"={value.formula}", "f"
        text = text[:TEXT_SHOWN]
        characters += len(text) + len(formulas.get(name_of(value.place), ""))
        if characters > WINDOW_CHARACTERS and row:
            return cells[:row], kinds[:row], formulas
        missing = column - 1 - len(cells[row])
        cells[row] += [""] * missing + [text]
        kinds[row] += " " * missing + kind
    return cells, kinds, formulas


def _widths(skeleton: Any, columns: int, cells: Sequence[Sequence[str]]) -> Iterator[float]:
    """Yield the width of each column in characters, as the sheet says it, else as wide as the texts of `cells` need."""
    from deskmate_documents.xlsx.sheetpart import q  # noqa: PLC0415

    form = skeleton.find(q("sheetFormatPr"))
    usual = _number(form.get("defaultColWidth") if form is not None else None, _USUAL_WIDTH)
    known: dict[int, float] = {}
    for node in skeleton.iterfind(f"{q('cols')}/{q('col')}"):
        first, last = int(_number(node.get("min"), 1)), int(_number(node.get("max"), 0))
        width = 0.0 if node.get("hidden") in ("1", "true") else _number(node.get("width"), usual)
        for column in range(max(first, 1), min(last, columns) + 1):
            known[column] = width
    for column in range(1, columns + 1):
        if column in known:
            yield known[column]
        else:
            longest = max((len(row[column - 1]) for row in cells if len(row) >= column), default=0)
            yield max(usual, min(longest + _SPARE, _WIDEST))


def _number(text: str | None, usual: float) -> float:
    try:
        number = float(text or "")
    except ValueError:
        return usual
    return number if 0 <= number <= 100_000 else usual
