"""What a status report says, table by table, and the two forms that it takes: a one-pager and a deck."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from deskmate_documents.docx.build import build_docx
from deskmate_documents.pptx.build import build, read_plan
from deskmate_ops.status import (
    AMBER,
    GREEN,
    NOT_NAMED,
    OPEN,
    RED,
    Kpi,
    Limits,
    Stream,
    Task,
    gaps_of,
    kpi_state,
)

COLOURS = {RED: "E06666", AMBER: "FFD966", GREEN: "93C47D", OPEN: "D9D9D9"}
STREAM_HEADER = ("Workstream", "State", "Tasks", "Done", "Late", "Blocked", "Due soon", "Why")
KPI_HEADER = ("Key figure", "State", "Value", "Target", "Measured", "Source")
LATE_HEADER = ("Late or blocked", "Stream", "Owner", "Was due", "Days late", "Status", "Row")
NEXT_HEADER = ("Next step", "Owner", "Due", "Status", "Row")
GAP_HEADER = ("What the lists leave open", "Source")
SHOWN = 12
WHOLE = "All"


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """All that is reported. `names`: role → workspace path of the list."""

    tasks: Sequence[Task]
    kpis: Sequence[Kpi]
    streams: Sequence[Stream]
    today: date
    limits: Limits
    names: Mapping[str, str]

    @property
    def rag(self) -> str:
        """The worst colour of all workstreams and key figures."""
        states = {stream.rag for stream in self.streams} | {
            kpi_state(kpi, self.limits) for kpi in self.kpis
        }
        return next((colour for colour in (RED, AMBER) if colour in states), GREEN)


Table = tuple[tuple[str, ...], list[list[str]]]


def stream_table(status: Status) -> Table:
    """Return workstreams by state, with a row of all."""
    rows = [
        [s.name, s.rag, *map(str, (s.tasks, s.done, s.overdue, s.blocked, s.soon)), s.why]
        for s in status.streams
    ]
    sums = [
        sum(getattr(stream, name) for stream in status.streams)
        for name in ("tasks", "done", "overdue", "blocked", "soon")
    ]
    return STREAM_HEADER, [
        *rows,
        [WHOLE, status.rag, *map(str, sums), "the worst of all, key figures too"],
    ]


def kpi_table(status: Status) -> Table:
    """Return key figures against their targets."""
    path = status.names.get("kpis", "")
    rows = [
        [
            kpi.kpi,
            kpi_state(kpi, status.limits),
            f"{kpi.value} {kpi.unit}".strip(),
            f"{'at most' if kpi.lower else 'at least'} {kpi.target} {kpi.unit}".strip()
            if kpi.target
            else "none",
            kpi.day.isoformat() if kpi.day else NOT_NAMED,
            f"{kpi.source or NOT_NAMED}; {path}, row {kpi.row}",
        ]
        for kpi in status.kpis
    ]
    return KPI_HEADER, rows


def late_table(status: Status) -> Table:
    """Return what is late or blocked, the latest first."""
    found = [
        t for t in status.tasks if t.late(status.today) or (t.is_open and t.state == "blocked")
    ]
    found.sort(key=lambda task: (-task.late(status.today), task.row))
    rows = [
        [
            task.task,
            task.stream,
            task.owner or NOT_NAMED,
            task.due.isoformat() if task.due else NOT_NAMED,
            str(task.late(status.today)),
            task.status or NOT_NAMED,
            str(task.row),
        ]
        for task in found
    ]
    return LATE_HEADER, rows


def next_table(status: Status) -> Table:
    """Return the next steps: open, not late, whole, by day."""
    found = [
        (task.due, task.row, task)
        for task in status.tasks
        if task.is_open
        and task.due is not None
        and task.due >= status.today
        and task.owner
        and task.state
    ]
    rows = [
        [t.task, t.owner, day.isoformat(), t.status, str(t.row)]
        for day, _, t in sorted(found, key=lambda f: f[:2])
    ]
    return NEXT_HEADER, rows


def gap_table(status: Status) -> Table:
    """Return what the lists leave open."""
    found = gaps_of(status.tasks, status.kpis, status.today, status.limits)
    return GAP_HEADER, [[text, f"{status.names[role]}, row {row}"] for role, row, text in found]


def tables_of(status: Status) -> list[tuple[str, Table, int]]:
    """Return (heading, table, rows that it really has) of the report, cut to what a reader takes in."""
    found = [
        ("Workstreams", stream_table(status)),
        ("Key figures", kpi_table(status)),
        ("Late or blocked", late_table(status)),
        ("Next steps", next_table(status)),
        ("Open points", gap_table(status)),
    ]
    cut = []
    for heading, (header, rows) in found:
        if rows:
            limit = len(rows) if heading in ("Workstreams", "Key figures") else SHOWN
            cut.append((heading, (header, rows[:limit]), len(rows)))
    return cut


def title_of(status: Status) -> str:
    """Return the title."""
    return f"Status report as of {status.today.isoformat()}"


def opening_lines(status: Status) -> list[str]:
    """Return what stands before the tables: the colour and its reasons, in the words of the figures."""
    worst = [s for s in status.streams if s.rag == status.rag]
    figures = [kpi for kpi in status.kpis if kpi_state(kpi, status.limits) == status.rag]
    reasons = [f"{s.name}: {s.why}" for s in worst]
    reasons += [
        f"{k.kpi}: {k.value} {k.unit}".rstrip() + f", target {k.target} {k.unit}".rstrip()
        for k in figures
    ]
    lines = [
        f"Overall: {status.rag}. {'; '.join(reasons[:6]) if status.rag != GREEN else 'Nothing is late, blocked or off its target'}."
    ]
    return lines


def rule_line(status: Status) -> str:
    """Return how the colours are computed."""
    one = status.limits
    return (
        f"Colours are computed. Red: a task is more than {one.red_days} days late, or {one.red_share:.0%} of the open tasks are late; "
        f"amber: any is late or blocked; a key figure is amber within {one.kpi_amber:.0%} of its target. Due soon: within "
        f"{one.soon_days} days. Cancelled tasks do not count."
    )


def source_line(status: Status) -> str:
    """Return what it was made of."""
    return f"Sources: {', '.join(dict.fromkeys(status.names.values()))}."


def more_line(shown: int, there: int) -> str:
    """Return the line below a table that is cut."""
    return f"{there - shown} more stand in the source."


def write_page(target: Path, status: Status) -> None:
    """Write the one-pager."""
    blocks: list[dict[str, Any]] = [
        {"type": "paragraph", "text": _safe(line)} for line in opening_lines(status)
    ]
    for heading, (header, rows), there in tables_of(status):
        blocks.append({"type": "heading", "level": 2, "text": heading})
        blocks.append(
            {
                "type": "table",
                "header": list(header),
                "rows": [[_safe(c) for c in row] for row in rows],
            }
        )
        if there > len(rows):
            blocks.append({"type": "paragraph", "text": more_line(len(rows), there)})
    blocks += [{"type": "heading", "level": 2, "text": "How to read this"}]
    blocks += [
        {"type": "paragraph", "text": line} for line in (rule_line(status), source_line(status))
    ]
    build_docx({"title": title_of(status), "page_numbers": True, "blocks": blocks}, target)
    _dress(target)


def _safe(text: str) -> str:
    """Return a text without signs that would be taken as formatting."""
    return text.replace("*", "∗")


def _dress(target: Path) -> None:
    """Give the page its look: narrow margins, small tables, colours behind the states."""
    import docx  # noqa: PLC0415 - heavy
    from docx.shared import Cm, Pt  # noqa: PLC0415

    document = docx.Document(str(target))
    section = document.sections[0]
    section.page_width, section.page_height = Cm(21), Cm(29.7)
    section.left_margin = section.right_margin = Cm(1.8)
    section.top_margin = section.bottom_margin = Cm(1.5)
    for table in document.tables:
        _dress_table(table, _WIDTHS[table.rows[0].cells[0].text])
    for paragraph in document.paragraphs:
        paragraph.paragraph_format.space_after = Pt(4)
        style = paragraph.style.name
        if style.startswith("Heading"):
            paragraph.paragraph_format.space_before = Pt(8)
        for run in paragraph.runs if style in ("Title", "Normal") else ():
            run.font.size = Pt(20) if style == "Title" else Pt(10)
    document.save(str(target))


_WIDTHS = {
    STREAM_HEADER[0]: (3.2, 1.6, 1.5, 1.4, 1.2, 2.0, 1.4, 5.1),
    KPI_HEADER[0]: (4.0, 1.8, 2.3, 3.0, 2.3, 4.0),
    LATE_HEADER[0]: (4.9, 2.5, 2.5, 2.5, 1.4, 2.3, 1.3),
    NEXT_HEADER[0]: (7.0, 3.2, 2.4, 2.7, 2.1),
    GAP_HEADER[0]: (11.4, 6.0),
}
"""First heading of a table → widths of its columns in centimetres."""


def _dress_table(table: Any, sizes: Sequence[float]) -> None:
    from docx.shared import Cm  # noqa: PLC0415

    table.autofit = False
    for column, size in zip(table.columns, sizes, strict=True):
        column.width = Cm(size)
    for number, row in enumerate(table.rows):
        for cell, size in zip(row.cells, sizes, strict=True):
            cell.width = Cm(size)
            _dress_cell(cell, is_head=number == 0)


def _dress_cell(cell: Any, *, is_head: bool) -> None:
    from docx.oxml import OxmlElement  # noqa: PLC0415
    from docx.oxml.ns import qn  # noqa: PLC0415
    from docx.shared import Pt, RGBColor  # noqa: PLC0415

    fill = "1F3864" if is_head else COLOURS.get(cell.text, "")
    if fill:
        shade = OxmlElement("w:shd")
        for name, value in (("val", "clear"), ("color", "auto"), ("fill", fill)):
            shade.set(qn(f"w:{name}"), value)
        cell._tc.get_or_add_tcPr().append(shade)
    for paragraph in cell.paragraphs:
        paragraph.paragraph_format.space_after = Pt(0)
        for run in paragraph.runs:
            run.font.size = Pt(9)
            if is_head:
                run.font.color.rgb = RGBColor(255, 255, 255)


def write_deck(target: Path, status: Status) -> None:
    """Write the deck."""
    build([read_plan(slide) for slide in slides_of(status)], target)
    _colour(target)


def slides_of(status: Status) -> list[dict[str, Any]]:
    """Return the slides: the colour and its reasons, then a slide a table, workstreams with a native chart."""
    tables = tables_of(status)
    slides: list[dict[str, Any]] = [
        {"kind": "title", "title": title_of(status), "subtitle": opening_lines(status)[0][:220]}
    ]
    for heading, (header, rows), there in tables:
        path = (
            status.names["kpis"] if heading == "Key figures" else ", ".join(status.names.values())
        )
        source = path if there == len(rows) else f"{path}; {more_line(len(rows), there)}"
        slide: dict[str, Any] = {
            "title": headline(status, heading, there),
            "source": source,
            "notes": rule_line(status),
        }
        slides.append({**slide, "table": {"header": list(header), "rows": rows}})
        if heading == "Workstreams":
            slides.append(
                {**slide, "title": "How far each workstream is", "chart": stream_chart(status)}
            )
    return slides


def headline(status: Status, heading: str, there: int) -> str:
    """Return what a slide says, as its title."""
    red = [stream.name for stream in status.streams if stream.rag == RED]
    missed = sum(kpi_state(kpi, status.limits) in (RED, AMBER) for kpi in status.kpis)
    return {
        "Workstreams": f"{len(red)} of {len(status.streams)} workstreams are red"
        + (f": {', '.join(red)[:60]}" if red else ""),
        "Key figures": f"{missed} of {len(status.kpis)} key figures are off their target",
        "Late or blocked": f"{there} tasks are late or blocked",
        "Next steps": f"{there} next steps",
        "Open points": f"{there} open points in the lists",
    }[heading]


def stream_chart(status: Status) -> dict[str, Any]:
    """Return a stacked chart: done, open in time, late."""
    return {
        "type": "stacked",
        "categories": [stream.name for stream in status.streams],
        "number_format": "0;;",
        "series": [
            {"name": "Done", "values": [s.done for s in status.streams]},
            {
                "name": "Open, in time",
                "values": [s.tasks - s.done - s.overdue for s in status.streams],
            },
            {"name": "Late", "values": [s.overdue for s in status.streams]},
        ],
    }


def _colour(target: Path) -> None:
    """Colour the states in tables and the series of the chart."""
    import pptx  # noqa: PLC0415 - heavy
    from pptx.dml.color import RGBColor  # noqa: PLC0415

    deck = pptx.Presentation(str(target))
    for slide in deck.slides:
        for shape in slide.shapes:
            if shape.has_table:
                for cell in (cell for row in shape.table.rows for cell in row.cells):
                    if cell.text in COLOURS:
                        cell.fill.solid()
                        cell.fill.fore_color.rgb = RGBColor.from_string(COLOURS[cell.text])
            if shape.has_chart:
                for series, fill in zip(
                    shape.chart.plots[0].series, ("93C47D", "9DC3E6", "E06666"), strict=True
                ):
                    series.format.fill.solid()
                    series.format.fill.fore_color.rgb = RGBColor.from_string(fill)
    deck.save(str(target))
