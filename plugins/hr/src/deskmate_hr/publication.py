"""Writes the people report as DOCX or XLSX and reads its tables and prose back."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path

from deskmate.plugin import ToolInputError
from deskmate_documents.tables import read_sheets
from deskmate_documents.xlsx.build import Computed
from deskmate_documents.xlsx.pages import Page, Value, column, write_book
from deskmate_hr.grouping import TOTAL
from deskmate_hr.measures import WALK
from deskmate_hr.people import HIDDEN, Cell, Kind, PeopleTable, Report, text_of

NOTES, SUMMARY = "Notes", "Summary"
FORMATS = {"count": "#,##0", "ratio": "0.0%", "money": "#,##0.00", "years": "0.0", "label": ""}
LIVE_SHARE = "Share of"
FIRST = 0.2
"""Share of a table's width that the names of groups have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """What a reader of the file sees: tables as rows of text, key figures, and all other lines of text."""

    tables: tuple[tuple[tuple[str, ...], ...], ...]
    lines: tuple[str, ...]
    summary: tuple[tuple[str, ...], ...] = ()


def write_report(file: Path, title: str, report: Report, notes: Sequence[str]) -> None:
    """Write the report; the ending decides between DOCX and XLSX."""
    file.parent.mkdir(parents=True, exist_ok=True)
    if file.suffix.lower() == ".xlsx":
        pages = [_page(table, name, report.measure.law) for table, name in _named(report.tables)]
        write_book(file, [_summary(report, pages[0].name), *pages, _notes(title, notes)])
        return
    _write_docx(file, title, report, notes)


def _named(tables: Sequence[PeopleTable]) -> Iterator[tuple[PeopleTable, str]]:
    for number, table in enumerate(tables, start=1):
        plain = re.sub(r"[\\/*?:\[\]']", " ", table.by)
        yield table, f"{number} {plain}"[:31].strip()


def summary_rows(report: Report) -> list[tuple[str, str, int]]:
    """Return (name, text, column from 0) of the key figures: the totals of the first table."""
    table = report.tables[0]
    total = table.rows[-1]
    return [
        (name, text_of(total[place], kind), place)
        for place, (name, kind) in enumerate(zip(table.header, table.kinds, strict=True))
        if place and not name.startswith(LIVE_SHARE)
    ]


def _summary(report: Report, sheet: str) -> Page:
    table = report.tables[0]
    last = len(table.rows) + 1
    rows: list[list[Value]] = [["Key figure", "All people"]]
    edits = []
    for number, (name, _, place) in enumerate(summary_rows(report), start=2):
        cell = table.rows[-1][place]
        reference = f"='{sheet}'!{column(place + 1)}{last}"
        rows.append([name, Computed(reference, HIDDEN if cell is None else _number(cell))])
        edits.append(
            {"op": "style", "cells": f"B{number}", "number_format": FORMATS[table.kinds[place]]}
        )
    return Page(name=SUMMARY, rows=rows, widths=(34, 18), edits=edits)


def _number(cell: Cell) -> int | Decimal:
    return cell if isinstance(cell, int) else Decimal(str(cell))


def _page(table: PeopleTable, name: str, law: tuple[int, ...]) -> Page:
    last = len(table.rows) + 1
    rows: list[list[Value]] = [list(table.header)]
    for number, cells in enumerate(table.rows, start=2):
        rows.append([_live(table, cells, number, place, law) for place in range(len(cells))])
    widths = [
        max(20, *(len(str(row[0])) for row in rows)) + 2,
        *(max(12, len(name) + 3) for name in table.header[1:]),
    ]
    return Page(
        name=name,
        rows=rows,
        widths=[min(widths[0], 60), *widths[1:]],
        formats=[FORMATS[kind] for kind in table.kinds],
        totals=(last,),
        charts=[_chart(table, last)],
        edits=(
            {"op": "style", "cells": f"B2:{column(len(table.header))}{last}", "align": "right"},
        ),
        freeze="B2",
    )


def _live(
    table: PeopleTable, cells: Sequence[Cell], number: int, place: int, law: tuple[int, ...]
) -> Value:
    """Return a cell: shares, rates and whole totals as formulas; what is hidden as a dash."""
    cell, last = cells[place], len(table.rows) + 1
    base = 4 if law == WALK else 1
    if cell is None:
        return HIDDEN
    if table.header[place].startswith(LIVE_SHARE):
        letter = column(base + 1)
        return Computed(f"={letter}{number}/{letter}${last}", Decimal(cell))
    if table.header[place] == "Attrition" and table.kinds[place] == "ratio":
        formula = (
            f"=D{number}/AVERAGE(B{number},E{number})" if law == WALK else f"=C{number}/B{number}"
        )
        return Computed(formula, Decimal(cell))
    whole = all(row[place] is not None for row in table.rows)
    if number == last and table.kinds[place] == "count" and whole and last > 2:
        letter = column(place + 1)
        return Computed(f"=SUM({letter}2:{letter}{last - 1})", Decimal(cell))
    return cell


def _chart(table: PeopleTable, last: int) -> dict[str, object]:
    """Return a chart of attrition by group, else of the headcount; groups without a bar are hidden ones."""
    name = "Attrition" if "Attrition" in table.header else table.header[1]
    letter = column(table.header.index(name) + 1)
    series = {
        "name": name,
        "categories": f"A2:A{last - 1}",
        "values": f"{letter}2:{letter}{last - 1}",
    }
    if last <= 2:
        series |= {"categories": "A2:A2", "values": f"{letter}2:{letter}2"}
    return {
        "type": "column",
        "title": f"{name} by {table.by}",
        "at": f"A{last + 3}",
        "size": (760, 300),
        "gap": 60,
        "legend": False,
        "y_min": 0,  # a cut axis makes small differences look large
        "y_format": FORMATS[table.kinds[table.header.index(name)]],
        "series": [series],
    }


def _notes(title: str, notes: Sequence[str]) -> Page:
    rows = [[title], *[[note] for note in notes]]
    wrap = {"op": "style", "cells": f"A2:A{len(rows)}", "wrap": True}
    return Page(name=NOTES, rows=rows, widths=(110,), edits=(wrap,))


def _write_docx(file: Path, title: str, report: Report, notes: Sequence[str]) -> None:
    from docx import Document  # noqa: PLC0415 - heavy
    from docx.enum.section import WD_ORIENT  # noqa: PLC0415
    from docx.enum.text import WD_ALIGN_PARAGRAPH  # noqa: PLC0415
    from docx.oxml import OxmlElement  # noqa: PLC0415
    from docx.shared import Cm, Pt  # noqa: PLC0415

    document = Document()
    document.core_properties.author = ""
    document.core_properties.title = title
    section = document.sections[0]
    section.left_margin = section.right_margin = Cm(1.8)
    section.top_margin = section.bottom_margin = Cm(1.8)
    if max(len(table.header) for table in report.tables) > 7:
        section.orientation = WD_ORIENT.LANDSCAPE
        section.page_width, section.page_height = section.page_height, section.page_width
    document.add_heading(title, level=1)
    for line in headlines(report):
        document.add_paragraph(line)
    for table in report.tables:
        texts = table.texts
        document.add_heading(f"By {table.by}", level=2)
        grid = document.add_table(rows=len(texts), cols=len(texts[0]), style="Light Grid Accent 1")
        grid.rows[0]._tr.get_or_add_trPr().append(OxmlElement("w:tblHeader"))
        grid.autofit = False
        whole = int(section.page_width or 0) - int(section.left_margin) - int(section.right_margin)
        rest = (whole - int(whole * FIRST)) // max(len(texts[0]) - 1, 1)
        for place, own in enumerate(grid.columns):
            own.width = rest if place else int(whole * FIRST)
        for number, (line, cells) in enumerate(zip(grid.rows, texts, strict=True)):
            line._tr.get_or_add_trPr().append(OxmlElement("w:cantSplit"))
            for place, (cell, text) in enumerate(zip(line.cells, cells, strict=True)):
                cell.width = rest if place else int(whole * FIRST)
                paragraph = cell.paragraphs[0]
                run = paragraph.add_run(text)
                run.font.size = Pt(9 if number else 8)
                run.bold = True if cells[0] == TOTAL or place == 0 else None
                if place:
                    paragraph.alignment = WD_ALIGN_PARAGRAPH.RIGHT
    document.add_heading(NOTES, level=2)
    for note in notes:
        document.add_paragraph(note, style="List Bullet")
    document.save(str(file))


def headlines(report: Report) -> list[str]:
    """Return what the first lines say: totals, and which groups have the highest and lowest attrition shown."""
    figures = [f"{name.lower()} {text}" for name, text, _ in summary_rows(report) if text != HIDDEN]
    lines = [f"All people: {', '.join(figures)}."] if figures else []
    for table in report.tables:
        if "Attrition" not in table.header or table.is_protected:
            continue  # a headline on gender or age would read like a finding
        place = table.header.index("Attrition")
        known = [
            (Decimal(cell), str(row[0]))
            for row in table.rows[:-1]
            if (cell := row[place]) is not None
        ]
        if len(known) < 2 or min(known)[0] == max(known)[0]:
            continue
        (low, lowest), (high, highest) = min(known), max(known)
        lines.append(
            f"By {table.by}, attrition is highest in {highest} ({text_of(high, 'ratio')}) and lowest in {lowest} "
            f"({text_of(low, 'ratio')}) among the groups shown."
        )
    return lines


def read_report(file: Path, name: str) -> Published:
    """Return what the file shows.

    Raises:
        ToolInputError: it is neither a readable DOCX nor XLSX.
    """
    if name.lower().endswith(".xlsx"):
        return _read_xlsx(file, name)
    return _read_docx(file, name)


def _read_xlsx(file: Path, name: str) -> Published:
    sheets = read_sheets(file, name=name)
    tables = []
    for title, rows in sheets.items():
        if title in (NOTES, SUMMARY):
            continue
        width = len(rows[0]) if rows else 0
        kinds = [_kind(header, place) for place, header in enumerate(rows[0])] if rows else []
        whole = [(row + [""] * width)[:width] for row in rows[1:]]
        shown = [
            tuple(_text(cell, kind) for cell, kind in zip(row, kinds, strict=True)) for row in whole
        ]
        tables.append((tuple(rows[0]), *shown) if rows else ())
    summary = [
        (row[0], _text(row[1], _kind(row[0], 1)) if len(row) > 1 else "", *row[2:])
        for row in sheets.get(SUMMARY, [])
    ]
    lines = (" ".join(row) for row in sheets.get(NOTES, []))
    return Published(tables=tuple(tables), lines=tuple(lines), summary=tuple(summary))


def _kind(header: str, place: int) -> Kind:
    if place and (header.startswith(LIVE_SHARE) or header == "Attrition"):
        return "ratio"
    if place and header.startswith(("Mean ", "Median ")):
        return "years" if header.endswith(" tenure") else "money"
    return "label"


def _text(cell: str, kind: Kind) -> str:
    if kind == "label":
        return cell
    try:
        return text_of(Decimal(cell), kind)
    except InvalidOperation:
        return cell


def _read_docx(file: Path, name: str) -> Published:
    from docx import Document  # noqa: PLC0415 - heavy
    from docx.opc.exceptions import PackageNotFoundError  # noqa: PLC0415

    try:
        document = Document(str(file))
    except (PackageNotFoundError, KeyError, ValueError, OSError) as problem:
        raise ToolInputError(f"{name} is not a readable DOCX.") from problem
    tables = [
        tuple(tuple(cell.text.strip() for cell in row.cells) for row in table.rows)
        for table in document.tables
    ]
    return Published(
        tables=tuple(tables), lines=tuple(p.text for p in document.paragraphs if p.text.strip())
    )
