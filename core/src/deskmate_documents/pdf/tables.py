"""Tables of PDF pages, found by their ruled lines or by the gaps between words, with a box for each cell."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deskmate_documents.pdf.bounded import STUCK, each_page
from deskmate_documents.pdf.opening import Box, check_size, guarded
from deskmate_documents.pdf.writing import unlocked

CHARACTERS_LIMIT = 60_000
EDGES_LIMIT = 15_000
CELLS_LIMIT = 4_000
SECONDS_A_PAGE = 15.0
ASTRAY = "its words do not run from left to right as the page is shown; read it with pdf_read"
TOO_MUCH = "the page has too many characters or lines; read it as text"
_FIGURE = re.compile(
    r"(?P<open>\()?\s*(?P<sign>[-−–+])?\s*[$€£¥]?\s*(?P<figure>\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?)\s*(?P<unit>%)?\s*(?P<close>\))?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TableCell:
    """A cell, counted from 1. `value`: its figure as a decimal text, empty where it is none or may be read two ways."""

    row: int
    column: int
    text: str
    box: Box | None

    @property
    def value(self) -> str:
        """The figure."""
        return figure_of(self.text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table of a page. `cells`: those that are not empty. `problem`: why there are none."""

    page: int
    number: int
    rows: int
    columns: int
    cells: tuple[TableCell, ...]
    problem: str = ""


def figure_of(text: str) -> str:
    """Return the decimal figure that a cell shows, such as `-1234.5` for `(1,234.5)`; empty if it is none."""
    match = _FIGURE.fullmatch(text.strip())
    if not match or bool(match["open"]) != bool(match["close"]):
        return ""
    figure = match["figure"].replace(",", "")
    if len(figure) > 1 and figure[0] == "0" and figure[1] != ".":
        return ""  # a code, not a figure
    negative = bool(match["open"]) or (match["sign"] or "+") != "+"
    return f"-{figure}" if negative else figure


def find_tables(
    path: Path,
    numbers: list[int],
    password: str = "",
    *,
    by: str = "lines",
    goes_on: Callable[[int], bool] = lambda page: True,
) -> Iterator[Table]:
    """Yield the tables of these pages; each page is forgotten before the next one.

    Args:
        path: the PDF.
        numbers: pages, from 1.
        password: of an encrypted file.
        by: `lines` that are drawn, or `text`, the gaps between words.
        goes_on: asked before each page; false ends it there.

    Raises:
        ToolInputError: the file cannot be opened.
    """
    settings = {"vertical_strategy": by, "horizontal_strategy": by}
    import pdfplumber  # noqa: F401, PLC0415 - once, before the child processes that use it

    wanted = sorted(set(numbers))
    with unlocked(path, password) as plain:
        if not wanted or not goes_on(wanted[0]):
            return
        for number, found in each_page(
            plain, "", wanted, _Miner(plain, wanted, settings), SECONDS_A_PAGE
        ):
            yield from (_none(number, STUCK),) if found is None else found
            if number != wanted[-1] and not goes_on(wanted[wanted.index(number) + 1]):
                return


def _runs_astray(page: Any) -> bool:
    """Say whether most words stand on their side or their head, so that rows would be taken for columns."""
    astray = sum(c["matrix"][0] <= abs(c["matrix"][1]) for c in page.chars if c["text"].strip())
    return bool(astray * 2 > len(page.chars))


class _Miner:
    """Finds the tables of one page after the other; made before the child process that it works in."""

    def __init__(self, path: Path, numbers: Sequence[int], settings: dict[str, str]) -> None:
        """`path`: a file without encryption. `numbers`: ascending. `settings`: pdfplumber's."""
        self._path, self._settings = path, settings
        self._pages = mined(path, numbers)

    def __call__(self, document: Any, number: int) -> list[Table]:
        """Return the tables of a page. What draws too much is not given to pdfminer, which takes a minute over it."""
        if _draws_too_much(document, number):
            return [_none(number, TOO_MUCH)]
        for page in self._pages:
            if page.page_number == number:
                with readable(self._path):
                    return list(_of_page(page, self._settings))
        return []


def _draws_too_much(document: Any, number: int) -> bool:
    import pypdfium2  # noqa: PLC0415
    import pypdfium2.raw as raw  # noqa: PLC0415

    try:
        page = document[number - 1]
    except pypdfium2.PdfiumError:
        return False  # pdfminer may still read it
    try:
        lines = texts = 0
        for index in range(raw.FPDFPage_CountObjects(page)):
            item = raw.FPDFPage_GetObject(page, index)
            kind = raw.FPDFPageObj_GetType(item)
            texts += kind == raw.FPDF_PAGEOBJ_TEXT
            if kind == raw.FPDF_PAGEOBJ_PATH:
                lines += max(raw.FPDFPath_CountSegments(item) - 1, 1)
            if lines > EDGES_LIMIT or texts > CHARACTERS_LIMIT:
                return True
        return False
    finally:
        page.close()


def _none(number: int, problem: str) -> Table:
    return Table(page=number, number=0, rows=0, columns=0, cells=(), problem=problem)


def mined(path: Path, numbers: Iterable[int]) -> Iterator[Any]:
    """Yield pdfplumber's pages of a file without encryption, each closed before the next.

    Raises:
        ToolInputError: the file is damaged beyond what pdfminer reads.
    """
    import pdfplumber  # noqa: PLC0415

    check_size(path)
    with path.open("rb") as stream:
        with readable(path):
            document = pdfplumber.open(stream, pages=sorted(set(numbers)))
            pages = document.pages
        with document:
            for page in pages:
                yield page
                page.close()


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turn what pdfplumber raises over a damaged page, which it reads when it is asked, into one line."""
    from pdfplumber.utils.exceptions import PdfminerException  # noqa: PLC0415

    with guarded(path):
        try:
            yield
        except PdfminerException as error:
            raise ValueError(str(error)) from error


def _of_page(page: Any, settings: dict[str, str]) -> Iterator[Table]:
    number = page.page_number
    if len(page.chars) > CHARACTERS_LIMIT or len(page.edges) > EDGES_LIMIT:
        yield _none(number, TOO_MUCH)
        return
    if _runs_astray(page):
        yield _none(number, ASTRAY)
        return
    left, top = page.cropbox[0], page.cropbox[1]
    for count, table in enumerate(page.find_tables(table_settings=settings), 1):
        texts = table.extract()
        cells: list[TableCell] = []
        for row, (line, boxes) in enumerate(zip(texts, table.rows, strict=True), 1):
            for column, (text, box) in enumerate(zip(line, boxes.cells, strict=True), 1):
                words = " ".join((text or "").split())
                if words and len(cells) < CELLS_LIMIT:
                    place = (box[0] - left, box[1] - top, box[2] - left, box[3] - top)
                    cells.append(TableCell(row=row, column=column, text=words, box=place))
        yield Table(
            page=number,
            number=count,
            rows=len(texts),
            columns=max(len(line) for line in texts) if texts else 0,
            cells=tuple(cells),
        )
