"""Lays the memo out as a Word document: one page, what does not fit goes to an annex."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deskmate_documents.opc import without_times
from deskmate_legal.memo import STATUS, Memo, Proposal, Row

_COLUMNS = (1.1, 2.9, 1.75, 1.65)
_BRIEF_COLUMNS = (1.15, 2.75, 2.15, 1.35)
_PAGE_POINTS = 11 * 72 - 2 * 0.5 * 72
_FONT = "Arial"
_GREY = "D9E2EC"


@dataclass(frozen=True, slots=True, kw_only=True)
class Density:
    """How tightly a page is set. `size`: points. `quote`: characters. `brief`: short cells."""

    size: float
    quote: int
    brief: bool

    @property
    def columns(self) -> tuple[float, ...]:
        """Widths of the columns in inches."""
        return _BRIEF_COLUMNS if self.brief else _COLUMNS

    @property
    def line(self) -> float:
        """Height of a line in points."""
        return self.size * 1.24

    def lines(self, text: str, inches: float) -> int:
        """Return how many lines a text takes; counted for a wide face, since fonts get substituted."""
        per_line = max(int(inches * 126 / self.size), 1)
        return sum(max(math.ceil(len(part) / per_line), 1) for part in text.split("\n"))


_DENSITIES = (
    Density(size=8.5, quote=320, brief=False),
    Density(size=8, quote=220, brief=False),
    Density(size=8, quote=160, brief=True),
    Density(size=7.5, quote=120, brief=True),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What stands on the first page and what in the annex."""

    memo: Memo
    density: Density
    first: tuple[Row, ...]
    rest: tuple[Row, ...]


def plan(make: Callable[[int], Memo]) -> Plan:
    """Choose how tightly to set the page so that all rows fit; `make` builds the memo for a quotation length.

    If even the tightest does not hold them, the less severe rows go to the annex.
    """
    for density in _DENSITIES:
        memo = make(density.quote)
        if _used(memo, memo.rows, density) <= _PAGE_POINTS:
            return Plan(memo=memo, density=density, first=memo.rows, rest=())
    count = len(memo.rows)
    while count > 1 and _used(memo, memo.rows[:count], density) > _PAGE_POINTS:
        count -= 1
    return Plan(memo=memo, density=density, first=memo.rows[:count], rest=memo.rows[count:])


def _used(memo: Memo, rows: Sequence[Row], density: Density) -> float:
    wide = sum(density.columns)
    texts = [memo.summary, *_states(memo, density), *memo.notes, _method(memo), "further"]
    running = sum(density.lines(text, wide) * density.line + 3 for text in texts if text)
    head = 26 + 3 * (density.line + 2)
    return head + running + density.line + 2 + sum(_height(row, density) for row in rows)


def _height(row: Row, density: Density) -> float:
    cells = zip(_cells(row, density), density.columns, strict=True)
    return max(density.lines(text, width - 0.15) for text, width in cells) * density.line + 1


def _cells(row: Row, density: Density) -> tuple[str, str, str, str]:
    by = "" if row.by == "rules" else " (by reading)"
    ours = f"Accept: {row.range}" if density.brief and row.range else f"Ours: {row.position}"
    first = (
        f"{row.title} ({row.severity}){by}" if density.brief else f"{row.title}\n{row.severity}{by}"
    )
    joint = " " if density.brief else "\n"
    return (
        first,
        f"“{row.quote}”{joint}{row.place}" if row.quote else row.place,
        f"{row.deviation}{joint}{ours}" if row.position else row.deviation,
        row.brief if density.brief else row.action,
    )


def _states(memo: Memo, density: Density) -> list[str]:
    lines = []
    if memo.in_line:
        lines.append(f"No deviation found: {', '.join(memo.in_line)}.")
    if memo.unread:
        lines.append(f"Found, no figure to compare (read them): {', '.join(memo.unread)}.")
    if memo.absent:
        count = 2 if density.brief else 4
        shown = (f"{title} ({', '.join(terms[:count])})" for title, terms in memo.absent)
        lines.append(f"Absent, not required (terms searched): {'; '.join(shown)}.")
    return lines


def _method(memo: Memo) -> str:
    text = (
        "Method: clauses found by patterns, figures and laws compared by code, quotations copied from the "
        "file and checked against it."
    )
    if any(row.by != "rules" for row in memo.rows):
        text += " Rows marked “by reading” were not found by rules."
    return f"{text} Rules do not replace reading the contract."


def write_memo(planned: Plan, target: Path) -> None:
    """Write the memo to `target`."""
    import docx  # noqa: PLC0415
    from docx.shared import Inches, Pt  # noqa: PLC0415

    memo = planned.memo
    document = docx.Document()
    section = document.sections[0]
    section.page_width, section.page_height = Inches(8.5), Inches(11)
    section.left_margin = section.right_margin = Inches(0.55)
    section.top_margin = section.bottom_margin = Inches(0.5)
    style = document.styles["Normal"]
    style.font.name, style.font.size = _FONT, Pt(planned.density.size)
    style.paragraph_format.space_after = Pt(2)
    document.core_properties.title = f"Memo: {memo.file}"
    document.core_properties.author = "Deskmate"
    _head(document, memo)
    if planned.first:
        _rows(document, planned.first, planned.density)
    if planned.rest:
        _paragraph(document, f"Further deviations, in the annex: {len(planned.rest)}.", before=3)
    for line in (*_states(memo, planned.density), *memo.notes, _method(memo)):
        _paragraph(document, line, before=3)
    _annex(document, planned)
    document.save(str(target))
    without_times(target)


def _head(document: Any, memo: Memo) -> None:
    from docx.shared import Pt  # noqa: PLC0415

    title = document.add_paragraph()
    title.paragraph_format.space_after = Pt(2)
    run = title.add_run(f"Memo: review of {memo.title or memo.file}")
    run.bold, run.font.size = True, Pt(13)
    _labelled(document, (("File", memo.file), ("Playbook", memo.playbook), ("Date", memo.date)))
    second = [("Status", STATUS)]
    if memo.redline:
        second.append(("Redline", memo.redline))
    _labelled(document, second)
    _labelled(document, (("Summary", memo.summary),))


def _labelled(document: Any, pairs: Sequence[tuple[str, str]]) -> None:
    paragraph = document.add_paragraph()
    for place, (label, text) in enumerate(pairs):
        paragraph.add_run(f"{'   ' if place else ''}{label}: ").bold = True
        paragraph.add_run(text)


def _paragraph(document: Any, text: str, *, before: float = 0) -> None:
    from docx.shared import Pt  # noqa: PLC0415

    paragraph = document.add_paragraph()
    paragraph.paragraph_format.space_before = Pt(before)
    label, colon, rest = text.partition(": ")
    if colon and len(label) < 50:
        paragraph.add_run(label + ": ").bold = True
        paragraph.add_run(rest)
    else:
        paragraph.add_run(text)


def _rows(document: Any, rows: Sequence[Row], density: Density) -> None:
    heads = ("Clause", "Their text", "Deviation and our position", "Recommended action")
    table = _table(document, heads, density.columns)
    for row in rows:
        cells = table.add_row().cells
        for place, text in enumerate(_cells(row, density)):
            _fill(cells[place], text, bold_first=place == 0)


def _annex(document: Any, planned: Plan) -> None:
    memo, rest = planned.memo, planned.rest
    if not (rest or memo.proposals):
        return
    heading = document.add_paragraph()
    heading.paragraph_format.page_break_before = True
    heading.add_run("Annex").bold = True
    if rest:
        _paragraph(document, "Further deviations:")
        _rows(document, rest, planned.density)
    if memo.proposals:
        _paragraph(document, "Proposed wording:", before=6)
        _proposals(document, memo.proposals)


def _proposals(document: Any, wanted: Sequence[Proposal]) -> None:
    table = _table(document, ("Place", "Their words", "Proposed"), (1.3, 2.6, 3.5))
    for proposal in wanted:
        cells = table.add_row().cells
        _fill(cells[0], proposal.place)
        _fill(cells[1], f"“{proposal.words}”" if proposal.words else "none")
        _fill(cells[2], proposal.wording)


def _table(document: Any, heads: Sequence[str], widths: Sequence[float]) -> Any:
    from docx.oxml import OxmlElement  # noqa: PLC0415
    from docx.oxml.ns import qn  # noqa: PLC0415
    from docx.shared import Inches  # noqa: PLC0415

    table = document.add_table(rows=1, cols=len(heads))
    table.style = "Table Grid"
    table.autofit = False
    for column, width in zip(table.columns, widths, strict=True):
        column.width = Inches(width)
    for cell, head in zip(table.rows[0].cells, heads, strict=True):
        _fill(cell, head, bold_first=True)
        shade = OxmlElement("w:shd")
        shade.set(qn("w:val"), "clear")
        shade.set(qn("w:fill"), _GREY)
        cell._tc.get_or_add_tcPr().append(shade)  # python-docx has no shading API
    repeat = OxmlElement("w:tblHeader")
    table.rows[0]._tr.get_or_add_trPr().append(repeat)
    return table


def _fill(cell: Any, text: str, *, bold_first: bool = False) -> None:
    from docx.shared import Pt  # noqa: PLC0415

    for place, line in enumerate(text.split("\n")):
        paragraph = cell.paragraphs[0] if place == 0 else cell.add_paragraph()
        paragraph.paragraph_format.space_after = Pt(0)
        paragraph.add_run(line).bold = True if bold_first and place == 0 else None
