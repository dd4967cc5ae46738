"""A Word document of headings, lines and tables, every text as it is: no sign in it is taken for formatting."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from deskmate_documents.content import read_content
from deskmate_documents.opc import without_times

DRAFT = "Draft for professional review"
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table with its heading and the line that stands where it has no rows. `widths`: of the columns, in inches."""

    heading: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    widths: tuple[float, ...]
    empty: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A whole document: title, lines, tables, closing lines. `landscape`: the sheet lies on its side."""

    title: str
    lines: tuple[str, ...]
    tables: tuple[Table, ...]
    closing: tuple[str, ...]
    landscape: bool = False


def shown(text: str) -> str:
    """Return a text as a cell shows it: one line, no control characters."""
    return " ".join(_CONTROL.sub(" ", text).split())


def write_listing(
    file: Path, title: str, lines: Sequence[str], tables: Sequence[Table], closing: Sequence[str]
) -> None:
    """Write the document: title, lines, each table under its heading, closing lines."""
    write(
        file,
        Listing(title=title, lines=tuple(lines), tables=tuple(tables), closing=tuple(closing)),
    )


def write(file: Path, listing: Listing) -> None:
    """Write a listing as a Word document."""
    import docx  # noqa: PLC0415 - heavy
    from docx.enum.section import WD_ORIENT  # noqa: PLC0415
    from docx.shared import Inches, Pt  # noqa: PLC0415

    document = docx.Document()
    document.core_properties.author = ""
    document.core_properties.title = listing.title[:250]
    section = document.sections[0]
    if listing.landscape:
        section.orientation = WD_ORIENT.LANDSCAPE
        section.page_width, section.page_height = section.page_height, section.page_width
    section.left_margin = section.right_margin = Inches(0.8)
    document.styles["Normal"].font.size = Pt(9.5)
    document.add_heading(shown(listing.title), level=1)
    document.add_paragraph(DRAFT, style="Subtitle")
    for line in listing.lines:
        document.add_paragraph(shown(line))
    for table in listing.tables:
        document.add_heading(table.heading, level=2)
        if not table.rows:
            document.add_paragraph(table.empty)
            continue
        grid = document.add_table(rows=0, cols=len(table.header), style="Table Grid")
        grid.autofit = False
        for column, width in zip(grid.columns, table.widths, strict=True):
            column.width = Inches(width)
        for number, row in enumerate((table.header, *table.rows)):
            cells = grid.add_row().cells
            for cell, text, width in zip(cells, row, table.widths, strict=True):
                cell.width = Inches(width)
                run = cell.paragraphs[0].add_run(shown(text))
                run.bold = number == 0 or None
    for line in listing.closing:
        document.add_paragraph(shown(line))
    file.parent.mkdir(parents=True, exist_ok=True)
    document.save(str(file))
    without_times(file)


def read_tables(file: Path) -> dict[tuple[str, ...], list[tuple[str, ...]]]:
    """Return the rows of the tables of a document by their header, texts as `shown`."""
    tables: dict[tuple[str, ...], list[tuple[str, ...]]] = {}
    for grid in read_content(file).grids:
        rows = [tuple(shown(cell) for cell in row) for row in grid.rows]
        if rows:
            tables.setdefault(rows[0], []).extend(rows[1:])
    return tables


def loose_lines(file: Path) -> list[str]:
    """Return the lines of a document outside its tables."""
    return [line.text for line in read_content(file).lines if not line.in_table]


def problems(file: Path, listing: Listing) -> Iterator[str]:
    """Yield what a document says otherwise than a listing, left out or added: rows first, then lines outside the tables."""
    got = read_tables(file)
    for table in listing.tables:
        there = Counter(got.pop(table.header, ()))
        yield from _differing(table.heading, Counter(table.rows), there)
    for header in got:
        yield f"There is a table that does not belong there: {' | '.join(header)[:160]}"
    wanted = Counter(
        filter(
            None,
            (
                shown(line)
                for line in (
                    listing.title,
                    DRAFT,
                    *listing.lines,
                    *(table.heading for table in listing.tables),
                    *(table.empty for table in listing.tables if not table.rows),
                    *listing.closing,
                )
            ),
        )
    )
    lines = Counter(shown(line) for line in loose_lines(file))
    for line in wanted - lines:
        yield f"The line “{line[:200]}” is missing or says something else."
    for line in lines - wanted:
        yield f"The line “{line[:200]}” does not belong there."


def _differing(
    heading: str, wanted: Counter[tuple[str, ...]], there: Counter[tuple[str, ...]]
) -> Iterator[str]:
    for row in wanted - there:
        yield f"{heading}: the row “{' | '.join(row)[:200]}” is missing."
    for row in there - wanted:
        yield f"{heading}: the row “{' | '.join(row)[:200]}” is not what the files give."
