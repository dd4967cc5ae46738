"""New decks from a plan: titles, bullets, tables and charts as native objects, notes, sources; by template or house style."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deskmate.errors import ToolInputError
from deskmate_documents.opc import Package
from deskmate_documents.pptx.measure import line_height, wrapped
from deskmate_documents.pptx.style import house_style

SLIDES_LIMIT = 200
ROWS_LIMIT, COLUMNS_LIMIT, POINTS_LIMIT = 25, 12, 200
SOURCE_SIZE = 10
_CHARTS = {
    "column": "COLUMN_CLUSTERED", "stacked": "COLUMN_STACKED", "bar": "BAR_CLUSTERED", "line": "LINE_MARKERS",
    "pie": "PIE", "doughnut": "DOUGHNUT", "area": "AREA",
}  # fmt: skip
_LAYOUTS = {
    "title": ("title",),
    "section": ("secHead", "title"),
    "content": ("obj", "tx"),
    "only": ("titleOnly", "obj", "tx"),
}
_KEYS = frozenset({"kind", "title", "subtitle", "bullets", "table", "chart", "notes", "source"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A slide to be made. `kind`: title, section or content. `bullets`: texts, or (text, level)."""

    title: str
    kind: str = "content"
    subtitle: str = ""
    bullets: Sequence[str | tuple[str, int]] = ()
    table: Mapping[str, Any] | None = None
    chart: Mapping[str, Any] | None = None
    notes: str = ""
    source: str = ""


@dataclass(slots=True)
class _Room:
    """The part of a slide that its content may use, in points."""

    left: float
    top: float
    right: float
    bottom: float
    width: float = 0.0
    height: float = 0.0
    notes: list[str] = field(default_factory=list)


def read_plan(item: Mapping[str, Any]) -> Plan:
    """Return the plan that a mapping describes.

    Raises:
        ToolInputError: an unknown key, or a table or chart that is none.
    """
    if unknown := set(item) - _KEYS:
        raise ToolInputError(
            f"A slide has no {sorted(unknown)[0]!r}; it has {', '.join(sorted(_KEYS))}."
        )
    kind = str(item.get("kind") or "content")
    if kind not in ("title", "section", "content"):
        raise ToolInputError(f"A slide is a title, section or content, not {kind!r}.")
    if not str(item.get("title", "")).strip():
        raise ToolInputError("Every slide needs a title.")
    bullets = tuple(
        (str(one["text"]), int(one.get("level", 1))) if isinstance(one, Mapping) else str(one)
        for one in item.get("bullets") or ()
    )
    plan = Plan(
        title=str(item["title"]), kind=kind, subtitle=str(item.get("subtitle", "")), bullets=bullets,
        table=item.get("table"), chart=item.get("chart"), notes=str(item.get("notes", "")),
        source=str(item.get("source", "")),
    )  # fmt: skip
    if plan.table is not None:
        _check_table(plan.table)
    if plan.chart is not None:
        _check_chart(plan.chart)
    return plan


def _check_table(table: Mapping[str, Any]) -> None:
    rows = table.get("rows")
    if not isinstance(rows, list) or not rows or not all(isinstance(row, list) for row in rows):
        raise ToolInputError("A table is {header: [...], rows: [[...], ...]}.")
    header = table.get("header") or []
    widths = {len(row) for row in rows} | ({len(header)} if header else set())
    if len(widths) != 1 or not 1 <= max(widths) <= COLUMNS_LIMIT or len(rows) > ROWS_LIMIT:
        raise ToolInputError(
            f"A table has rows of equal length, at most {ROWS_LIMIT} rows and {COLUMNS_LIMIT} columns."
        )


def _check_chart(chart: Mapping[str, Any]) -> None:
    if chart.get("type") not in _CHARTS:
        raise ToolInputError(f"A chart's type is {', '.join(_CHARTS)}.")
    categories, series = chart.get("categories"), chart.get("series")
    if not isinstance(categories, list) or not isinstance(series, list) or not series:
        raise ToolInputError(
            "A chart is {type, categories: [...], series: [{name, values: [...]}]}."
        )
    for one in series:
        values = one.get("values") if isinstance(one, Mapping) else None
        if not isinstance(values, list) or len(values) != len(categories):
            raise ToolInputError("Each series has as many values as there are categories.")
        if not all(value is None or isinstance(value, int | float) for value in values):
            raise ToolInputError("Values of charts are numbers or null.")
    if not 1 <= len(categories) <= POINTS_LIMIT or (
        chart["type"] in ("pie", "doughnut") and len(series) != 1
    ):
        raise ToolInputError(f"A chart has 1 to {POINTS_LIMIT} categories; a pie has one series.")


def build(plans: list[Plan], target: Path, template: Path | None = None) -> None:
    """Write a new deck; a template gives master, layouts and size, its own slides are left out.

    Raises:
        ToolInputError: a template that cannot be opened or lacks layouts with a title.
    """
    if not 1 <= len(plans) <= SLIDES_LIMIT:
        raise ToolInputError(f"A deck has 1 to {SLIDES_LIMIT} slides.")
    deck = _from_template(template) if template is not None else house_style()
    for plan in plans:
        _add(deck, plan)
    about = deck.core_properties  # the library's own, or those of whoever made the template
    about.author = about.last_modified_by = about.comments = about.keywords = ""
    about.title = plans[0].title[:200]
    out = io.BytesIO()
    deck.save(out)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(out.getvalue())


def _from_template(template: Path) -> Any:
    import pptx  # noqa: PLC0415

    Package(template).main_part()  # refuses bombs, encrypted and damaged files with one line
    try:
        deck = pptx.Presentation(template)
    except (KeyError, ValueError, AttributeError) as error:
        raise ToolInputError(f"{template.name} cannot be used as a template ({error}).") from error
    listed = deck.slides._sldIdLst
    for node in list(listed):
        deck.part.drop_rel(node.rId)
        listed.remove(node)
    return deck


def _layout(deck: Any, kind: str) -> Any:
    wanted = _LAYOUTS[kind]
    layouts = [layout for master in deck.slide_masters for layout in master.slide_layouts]
    for type_ in wanted:
        for layout in layouts:
            if layout.element.get("type") == type_:
                return layout
    for layout in layouts:
        if any(
            shape.element.ph.get("type") in ("title", "ctrTitle") for shape in layout.placeholders
        ):
            return layout
    raise ToolInputError("The template has no layout with a title.")


def _add(deck: Any, plan: Plan) -> None:
    drawn = plan.table is not None or plan.chart is not None
    kind = (
        plan.kind if plan.kind != "content" else "content" if plan.bullets and not drawn else "only"
    )
    slide = deck.slides.add_slide(_layout(deck, kind))
    if slide.shapes.title is not None:
        slide.shapes.title.text = plan.title
    rest = [s for s in slide.placeholders if s.placeholder_format.idx != 0]
    room = _room(deck)
    if plan.kind in ("title", "section"):
        if rest and plan.subtitle:
            rest.pop(0).text = plan.subtitle
    elif not drawn and plan.bullets and rest:
        _bullets(rest.pop(0).text_frame, plan.bullets)
    else:
        _content(slide, plan, room)
    for shape in rest:
        shape.element.getparent().remove(shape.element)
    if plan.source:
        _source(slide, plan.source, room)
    if plan.notes:
        slide.notes_slide.notes_text_frame.text = plan.notes
    _number(slide)


def _room(deck: Any) -> _Room:
    """Return where the template puts content; below its title and above its footer."""
    width, height = deck.slide_width / 12_700, deck.slide_height / 12_700
    content = _layout(deck, "content")
    for shape in content.placeholders:
        kind = shape.element.ph.get("type", "obj")
        if kind in ("obj", "body") and shape.width and shape.height:
            left, top = shape.left / 12_700, shape.top / 12_700
            return _Room(
                left, top, left + shape.width / 12_700, top + shape.height / 12_700, width, height
            )
    return _Room(width * 0.06, height * 0.22, width * 0.94, height * 0.86, width, height)


def _bullets(frame: Any, bullets: Sequence[str | tuple[str, int]]) -> None:
    for index, one in enumerate(bullets):
        text, level = one if isinstance(one, tuple) else (one, 1)
        paragraph = frame.paragraphs[0] if index == 0 else frame.add_paragraph()
        paragraph.text = text
        paragraph.level = min(max(level - 1, 0), 4)


def _content(slide: Any, plan: Plan, room: _Room) -> None:
    """Place bullets, table and chart beside or below each other."""
    bottom = room.bottom - (18 if plan.source else 0)
    left, top, right = room.left, room.top, room.right
    if plan.bullets:
        edge = left + (right - left) * 0.36
        _text(slide, plan.bullets, (left, top, edge - 12, bottom))
        left = edge
    if plan.table is not None and plan.chart is not None:
        middle = left + (right - left) * 0.5
        _table(slide, plan.table, (left, top, middle - 8, bottom))
        _chart(slide, plan.chart, (middle + 8, top, right, bottom))
    elif plan.table is not None:
        _table(slide, plan.table, (left, top, right, bottom))
    elif plan.chart is not None:
        _chart(slide, plan.chart, (left, top, right, bottom))


def _text(
    slide: Any, bullets: Sequence[str | tuple[str, int]], box: tuple[float, float, float, float]
) -> None:
    from pptx.util import Pt  # noqa: PLC0415

    shape = slide.shapes.add_textbox(
        Pt(box[0]), Pt(box[1]), Pt(box[2] - box[0]), Pt(box[3] - box[1])
    )
    shape.name = "Points"
    frame = shape.text_frame
    frame.word_wrap = True
    _bullets(frame, bullets)
    size = _fitting([b if isinstance(b, str) else b[0] for b in bullets], box, 18)
    for paragraph in frame.paragraphs:
        paragraph.space_after = Pt(6)
        for run in paragraph.runs:
            run.font.size = Pt(size)


def _fitting(texts: list[str], box: tuple[float, float, float, float], size: int) -> int:
    """Return the largest size, down to 11 pt, at which these paragraphs fit."""
    while size > 11:
        lines = sum(wrapped(text, size, box[2] - box[0] - 15) for text in texts)
        if lines * line_height(size) + 6 * len(texts) + 8 <= box[3] - box[1]:
            break
        size -= 1
    return size


def _table(slide: Any, table: Mapping[str, Any], box: tuple[float, float, float, float]) -> None:
    from pptx.enum.text import PP_ALIGN  # noqa: PLC0415
    from pptx.util import Pt  # noqa: PLC0415

    header = [str(cell) for cell in table.get("header") or ()]
    rows = [["" if cell is None else str(cell) for cell in row] for row in table["rows"]]
    lines = ([header] if header else []) + rows
    widths = _column_widths(lines, box[2] - box[0])
    size, heights = _table_size(lines, widths, box[3] - box[1])
    shape = slide.shapes.add_table(
        len(lines), len(widths), Pt(box[0]), Pt(box[1]), Pt(box[2] - box[0]), Pt(sum(heights))
    )
    shape.name = "Table"
    grid = shape.table
    grid.first_row = bool(header)
    for column, width in enumerate(widths):
        grid.columns[column].width = Pt(width)
    for index, line in enumerate(lines):
        grid.rows[index].height = Pt(heights[index])
        for column, text in enumerate(line):
            cell = grid.cell(index, column)
            cell.margin_top = cell.margin_bottom = Pt(3)
            cell.text = text
            numeric = _numeric(rows, column)
            for paragraph in cell.text_frame.paragraphs:
                paragraph.alignment = PP_ALIGN.RIGHT if numeric else PP_ALIGN.LEFT
                for run in paragraph.runs:
                    run.font.size = Pt(size)


def _numeric(rows: list[list[str]], column: int) -> bool:
    cells = [row[column] for row in rows if row[column].strip()]
    digits = [
        cell
        for cell in cells
        if sum(c.isdigit() for c in cell) * 2 >= len(cell.replace(" ", "")) - 3
        and any(c.isdigit() for c in cell)
    ]
    return bool(cells) and len(digits) * 3 >= len(cells) * 2


def _column_widths(lines: list[list[str]], room: float) -> list[float]:
    from deskmate_documents.pptx.measure import text_width  # noqa: PLC0415

    wishes = [
        min(max(max(text_width(line[column], 14) for line in lines) + 24, 48), room * 0.5)
        for column in range(len(lines[0]))
    ]
    return [wish * room / sum(wishes) for wish in wishes]


def _table_size(
    lines: list[list[str]], widths: list[float], room: float
) -> tuple[int, list[float]]:
    """Return the largest size, down to 10 pt, at which the rows fit, and their heights."""
    heights: list[float] = []
    for size in range(16, 9, -1):
        heights = [
            max(wrapped(text, size, width - 15, bold=index == 0) for text, width in zip(line, widths, strict=True))
            * line_height(size) + 7
            for index, line in enumerate(lines)
        ]  # fmt: skip
        if sum(heights) <= room:
            return size, heights
    return 10, heights


def _chart(slide: Any, chart: Mapping[str, Any], box: tuple[float, float, float, float]) -> None:
    from pptx.chart.data import CategoryChartData  # noqa: PLC0415
    from pptx.enum.chart import XL_CHART_TYPE, XL_LEGEND_POSITION  # noqa: PLC0415
    from pptx.util import Pt  # noqa: PLC0415

    data = CategoryChartData(number_format=str(chart.get("number_format") or "General"))
    data.categories = [str(category) for category in chart["categories"]]
    for one in chart["series"]:
        data.add_series(str(one.get("name", "")), one["values"])
    kind = getattr(XL_CHART_TYPE, _CHARTS[chart["type"]])
    place = (Pt(box[0]), Pt(box[1]), Pt(box[2] - box[0]), Pt(box[3] - box[1]))
    shape = slide.shapes.add_chart(kind, *place, data)
    shape.name = "Chart"
    drawn = shape.chart
    round_one = chart["type"] in ("pie", "doughnut")
    drawn.font.size = Pt(12)
    drawn.has_title = bool(chart.get("title"))
    if drawn.has_title:
        drawn.chart_title.text_frame.text = str(chart["title"])
    drawn.has_legend = len(chart["series"]) > 1 or round_one
    if drawn.has_legend:
        drawn.legend.position = XL_LEGEND_POSITION.BOTTOM
        drawn.legend.include_in_layout = False
    if len(chart["categories"]) * len(chart["series"]) <= 12:
        plot = drawn.plots[0]
        plot.has_data_labels = True
        plot.data_labels.number_format = str(chart.get("number_format") or "General")
        plot.data_labels.number_format_is_linked = False
    if not round_one:
        drawn.value_axis.has_major_gridlines = False
        if chart.get("number_format"):
            drawn.value_axis.tick_labels.number_format = str(chart["number_format"])
            drawn.value_axis.tick_labels.number_format_is_linked = False


def _source(slide: Any, source: str, room: _Room) -> None:
    from pptx.util import Pt  # noqa: PLC0415

    top = room.bottom - 14
    shape = slide.shapes.add_textbox(Pt(room.left), Pt(top), Pt(room.right - room.left), Pt(20))
    shape.name = "Source"
    frame = shape.text_frame
    frame.word_wrap = True
    frame.text = source if source.startswith("Source") else f"Source: {source}"
    for run in frame.paragraphs[0].runs:
        run.font.size = Pt(SOURCE_SIZE)


def _number(slide: Any) -> None:
    """Give the slide the number that its layout has; a new slide does not take it over by itself."""
    import copy  # noqa: PLC0415

    for shape in slide.slide_layout.placeholders:
        if shape.element.ph.get("type") == "sldNum":
            node = copy.deepcopy(shape.element)
            slide.shapes._spTree.append(node)
            ids = {
                int(n.get("id"))
                for n in slide.shapes._spTree.iter()
                if str(n.tag).endswith("}cNvPr") and n is not node
            }
            next(n for n in node.iter() if str(n.tag).endswith("}cNvPr")).set(
                "id", str(max(ids) + 1)
            )
            return
