"""What a reader is shown of any file: lines with their place, and tables as rows of text.

One view of Word, PowerPoint, Excel, PDF, Markdown, CSV and text files for the gates that look at what is said.
Where things stand is said in words that a person can follow.
"""

from __future__ import annotations

import csv
import functools
import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from deskmate.errors import ToolInputError
from deskmate_documents.docx.reading import open_body, read_docx
from deskmate_documents.docx.wml import DEL, GONE, TBL, TC, TR, P, accepted_text, child, val, w
from deskmate_documents.graphics import drawn, lines_of
from deskmate_documents.opc import OFFICE_RELS, Element, Package
from deskmate_documents.tables import decode
from deskmate_documents.text import TEXT_LIMIT_BYTES, read_text

if TYPE_CHECKING:
    from deskmate_documents.xlsx.book import Workbook
    from deskmate_documents.xlsx.cells import Value

WORD = frozenset({".docx", ".docm", ".dotx"})
SLIDES = frozenset({".pptx", ".pptm"})
SHEETS = frozenset({".xlsx", ".xlsm"})
TABLES = frozenset({".csv", ".tsv"})
PROSE = frozenset({*WORD, *SLIDES, ".pdf", ".md", ".markdown", ".txt", ".text", ".rst"})
KINDS = PROSE | SHEETS | TABLES
CELLS_LIMIT = 500_000
_A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_P = "{http://schemas.openxmlformats.org/presentationml/2006/main}"
_ADDS = re.compile(r"\bSUM\(|\bSUBTOTAL\(\s*(?:9|109)\s*,|\+", re.IGNORECASE)
_MD_ROW = re.compile(r"^\s*\|.*\|\s*$")
_MD_RULE = re.compile(r"^[\s|:-]+$")
_MD_HEADING = re.compile(r"^\s{0,3}(#{1,6})\s+(.*?)\s*#*\s*$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A paragraph or line. `heading`: its level from 1, 0 for ordinary text. `in_table`: a cell's text.

    `stored`: a figure as it lies behind a chart, in full and on the chart's own scale.
    """

    text: str
    where: str
    heading: int = 0
    in_table: bool = False
    stored: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """A table. `rows`: of texts, not all equally long. `above`: the last words before it.

    `computed`: (row, column), from 0, of cells whose formula does something else than add up. `sheet`, `first`: of a
    workbook's sheet, and the number that its first row has there.
    """

    rows: tuple[tuple[str, ...], ...]
    where: str
    above: str = ""
    computed: frozenset[tuple[int, int]] = frozenset()
    sheet: str = ""
    first: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """All lines in order, those of cells included, and all tables."""

    lines: tuple[Line, ...]
    grids: tuple[Grid, ...]

    @property
    def text(self) -> str:
        """All lines, one below the other."""
        return "\n".join(line.text for line in self.lines)


def read_content(file: Path) -> Content:
    """Return what a file shows; nothing for a kind that is neither text nor table.

    Raises:
        ToolInputError: it is damaged, encrypted or too large.
    """
    stat = file.stat()
    return _read(file, stat.st_mtime_ns, stat.st_size)


@functools.lru_cache(maxsize=16)
def _read(file: Path, changed: int, size: int) -> Content:
    suffix = file.suffix.lower()
    if suffix not in KINDS:
        return Content(lines=(), grids=())
    if suffix in WORD:
        return _word(file)
    if suffix in SLIDES:
        return _slides(file)
    if suffix in SHEETS:
        return _of_grids(_sheets(file))
    if suffix in TABLES:
        return _of_grids([Grid(rows=_csv_rows(file), where="the table")])
    if suffix in (".md", ".markdown"):
        return _markdown(decode(_bytes(file), file.name))
    lines = []
    for passage in read_text(file).passages:
        page = f"page {passage.page}, " if passage.page is not None else ""
        where = f"{page}paragraph {passage.paragraph}"
        lines += [Line(text=text, where=where) for text in passage.text.split("\n")]
    return Content(lines=tuple(lines), grids=())


def _bytes(file: Path) -> bytes:
    if file.stat().st_size > TEXT_LIMIT_BYTES:
        raise ToolInputError(f"{file.name} is larger than 32 MiB; refused as a text.")
    return file.read_bytes()


def _of_grids(grids: Iterable[Grid]) -> Content:
    known = tuple(grids)
    lines = (
        Line(text=cell, where=f"{grid.where}, row {number}", in_table=True)
        for grid in known
        for number, row in enumerate(grid.rows, 1)
        for cell in row
        if cell
    )
    return Content(lines=tuple(lines), grids=known)


def _word(file: Path) -> Content:
    document = read_docx(file)
    lines = [
        Line(
            text=p.text,
            where=f"paragraph {p.index}",
            heading=p.heading_level or 0,
            in_table=p.in_table,
        )
        for p in (*document.paragraphs, *document.notes)
        if p.text.strip()
    ]
    lines += [
        Line(text=comment.text, where=f"comment {comment.id}") for comment in document.comments
    ]
    package = Package(file)
    main, root = open_body(package)
    lines += [line for line in _graphic_lines(package, main, root, "") if line.stored]
    grids = []
    for number, table in enumerate(root.iter(TBL), 1):
        rows = tuple(_word_row(row) for row in table.iter(TR) if _is_of(row, table))
        above = table.getprevious()
        words = accepted_text(above) if above is not None and above.tag == P else ""
        grids.append(Grid(rows=rows, where=f"table {number}", above=words))
    return Content(lines=tuple(lines), grids=tuple(grids))


def _is_of(row: Element, table: Element) -> bool:
    own = next(row.iterancestors(TBL), None) is table
    return own and child(row, "trPr", "del") is None


def _word_row(row: Element) -> tuple[str, ...]:
    cells = []
    for cell in row.iter(TC):
        if next(cell.iterancestors(TR)) is not row:
            continue
        texts = [accepted_text(p) for p in cell.iter(P) if next(p.iterancestors(DEL), None) is None]
        cells.append("\n".join(texts).strip())
        span = val(child(cell, "tcPr", "gridSpan"), "1")
        merged = child(cell, "tcPr", "vMerge")
        if merged is not None and merged.get(w("val")) != "restart":
            cells[-1] = ""
        cells += [""] * (min(int(span), 100) - 1 if span.isdigit() else 0)
    return tuple(cells)


def slide_parts(package: Package) -> tuple[tuple[str, Element], ...]:
    """Return (part, entry in the presentation) of each slide, in order."""
    main = package.main_part()
    rels = package.relationships(main)
    found = []
    for node in package.parse(main).iter(f"{_P}sldId"):
        rel = rels.get(node.get(f"{{{OFFICE_RELS}}}id", ""))
        if rel is not None and rel.target in package:
            found.append((rel.target, node))
    return tuple(found)


def _slides(file: Path) -> Content:
    package = Package(file)
    lines: list[Line] = []
    grids: list[Grid] = []
    for number, (part, _) in enumerate(slide_parts(package), 1):
        root = package.parse(part)
        lines += _slide_lines(root, f"slide {number}")
        for table in root.iter(f"{_A}tbl"):
            rows = tuple(
                tuple(_drawn(cell) for cell in row.iterfind(f"{_A}tc"))
                for row in table.iterfind(f"{_A}tr")
            )
            grids.append(Grid(rows=rows, where=f"slide {number}, table"))
        lines += _graphic_lines(package, part, root, f"slide {number}, ")
        for notes in package.related(part, "notesSlide"):
            lines += _slide_lines(package.parse(notes), f"notes of slide {number}")
    return Content(lines=tuple(lines), grids=tuple(grids))


def _graphic_lines(package: Package, part: str, root: Element, before: str) -> Iterator[Line]:
    for where, text, stored in lines_of(drawn(package, part, root, GONE)):
        yield Line(text=text, where=f"{before}{where}", in_table=stored, stored=stored)


def _slide_lines(root: Element, where: str) -> Iterator[Line]:
    for paragraph in root.iter(f"{_A}p"):
        holder = next(paragraph.iterancestors(f"{_P}sp"), None)
        kinds = [] if holder is None else [n.get("type", "") for n in holder.iter(f"{_P}ph")]
        if kinds and kinds[0] in ("sldNum", "dt"):
            continue
        text = _drawn(paragraph)
        if text:
            heading = 1 if kinds and kinds[0] in ("title", "ctrTitle") else 0
            cell = next(paragraph.iterancestors(f"{_A}tc"), None) is not None
            yield Line(text=text, where=where, heading=heading, in_table=cell)


def _drawn(node: Element) -> str:
    texts = ("\n" if n.tag == f"{_A}br" else n.text or "" for n in node.iter(f"{_A}t", f"{_A}br"))
    return "".join(texts).strip()


def _sheets(file: Path) -> Iterator[Grid]:
    """Yield the blocks of each sheet, cut at empty rows, with the figures as their formats show them."""
    from deskmate_documents.xlsx.book import Workbook  # noqa: PLC0415

    book = Workbook(file)
    count = 0
    for sheet in book.sheets:
        if sheet.kind != "worksheet":
            continue
        rows: dict[int, dict[int, str]] = {}
        computed: set[tuple[int, int]] = set()
        for value in book.values(sheet):
            count += 1
            if count > CELLS_LIMIT:
                raise ToolInputError(f"{file.name} has more than {CELLS_LIMIT} cells; refused.")
            if value.text:
                row, column = value.place
                rows.setdefault(row, {})[column] = _cell(book, value)
                if value.formula and not _ADDS.search(value.formula):
                    computed.add((row, column))
        book.forget(sheet)
        yield from _blocks(sheet.name, rows, computed)


def _cell(book: Workbook, value: Value) -> str:
    from deskmate_documents.xlsx.cells import as_date  # noqa: PLC0415
    from deskmate_documents.xlsx.styles import is_date  # noqa: PLC0415

    if value.formula and book.is_stale:
        return "?"  # a result from before an edit: nothing follows from it
    if value.kind == "number" and is_date(book.styles.code(value.style)):
        return as_date(value.text, date1904=book.date1904) or value.text
    return value.text


def _blocks(
    name: str, rows: dict[int, dict[int, str]], computed: set[tuple[int, int]]
) -> Iterator[Grid]:
    held: list[int] = []
    above = ""
    for number in [*sorted(rows), None]:
        if held and (number is None or number != held[-1] + 1):
            width = min(max(max(rows[n]) for n in held), 500)
            cells = tuple(
                tuple(rows[n].get(column, "") for column in range(1, width + 1)) for n in held
            )
            first, last = held[0], held[-1]
            yield Grid(
                rows=cells,
                where=f"{name}, rows {first}–{last}",
                above=above,
                sheet=name,
                first=first,
                computed=frozenset((r - first, c - 1) for r, c in computed if first <= r <= last),
            )
            above = " ".join(text for text in cells[-1] if text)[:200]
            held = []
        if number is not None:
            held.append(number)


def _csv_rows(file: Path) -> tuple[tuple[str, ...], ...]:
    text = decode(_bytes(file), file.name)
    head = text[:20_000]
    mark = max("\t;,|", key=lambda sign: (head.count(sign), sign == ","))
    try:
        rows = csv.reader(io.StringIO(text, newline=""), delimiter=mark)
        return tuple(tuple(cell.strip() for cell in row) for row in rows)
    except csv.Error as error:
        raise ToolInputError(f"{file.name} is not a readable table: {error}.") from error


def _markdown(text: str) -> Content:
    lines: list[Line] = []
    grids: list[Grid] = []
    table: list[tuple[str, ...]] = []
    fenced = False
    above = ""
    for number, raw in enumerate([*text.splitlines(), ""], 1):
        if raw.lstrip().startswith(("```", "~~~")):
            fenced = not fenced
            continue
        if not fenced and _MD_ROW.match(raw):
            cells = tuple(cell.strip() for cell in re.split(r"(?<!\\)\|", raw.strip())[1:-1])
            if not _MD_RULE.match(raw):
                table.append(cells)
                lines += [Line(text=c, where=f"line {number}", in_table=True) for c in cells if c]
            continue
        if table:
            grids.append(Grid(rows=tuple(table), where=f"table above line {number}", above=above))
            table = []
        if fenced or not raw.strip():
            continue
        above = raw.strip()
        heading = _MD_HEADING.match(raw)
        level = len(heading[1]) if heading else 0
        shown = heading[2] if heading else raw.strip()
        lines.append(Line(text=shown, where=f"line {number}", heading=level))
    return Content(lines=tuple(lines), grids=tuple(grids))
