"""Native charts: described by their series, written by XlsxWriter with the figures they show, put into a workbook."""

from __future__ import annotations

import re
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lxml import etree

from deskmate.errors import ToolInputError
from deskmate_documents.opc import OFFICE_RELS, parse_xml
from deskmate_documents.xlsx.book import Sheet, Workbook
from deskmate_documents.xlsx.drawings import Drawing, frame, free_part, room
from deskmate_documents.xlsx.refs import (
    Area,
    column_name,
    parse_area,
    quote_sheet,
    split_sheet,
    words,
)
from deskmate_documents.xlsx.shiftparts import CHART
from deskmate_documents.xlsx.styles import is_date

if TYPE_CHECKING:
    from deskmate_documents.xlsx.edit import Editor

KINDS = words("column bar line area pie doughnut scatter")
CELLS_LIMIT = 50_000
SERIES_LIMIT = 60
_WIDTH, _HEIGHT = 8, 16
_COLOR = re.compile(r"[0-9A-Fa-f]{6}")
_TYPE = "application/vnd.openxmlformats-officedocument.drawingml.chart+xml"


def described(
    book: Any, wanted: Mapping[str, Any], sheet: str, across: Mapping[str, Any] | None = None
) -> Any:
    """Return XlsxWriter's chart for a description.

    Args:
        book: XlsxWriter's workbook.
        wanted: {type, stacked, title, x_title, y_title, y_format (of its figures), y_min, legend (false: none), gap (between
            columns, percent of their width), series: [{name, categories, values, secondary, fill ("none" or six hex digits)}]}.
        sheet: the sheet that areas without one mean.
        across: what else to say of the axis of the categories.

    Raises:
        ToolInputError: an unknown type, no series, or too many.
    """
    kind = str(wanted.get("type", "column"))
    series = list(wanted.get("series") or ())
    if kind not in KINDS or not 1 <= len(series) <= SERIES_LIMIT:
        raise ToolInputError(f"A chart has a type ({', '.join(sorted(KINDS))}) and series.")
    given: dict[str, Any] = {"type": kind}
    if wanted.get("stacked"):
        if kind not in ("column", "bar", "area", "line"):
            raise ToolInputError(f"A chart of type {kind} cannot be stacked.")
        given["subtype"] = "percent_stacked" if wanted["stacked"] == "percent" else "stacked"
    chart = book.add_chart(given)
    for each in series:
        gap = {"gap": int(wanted["gap"])} if "gap" in wanted and kind in ("column", "bar") else {}
        chart.add_series(_series(each, sheet) | gap)
    if wanted.get("title"):
        chart.set_title({"name": str(wanted["title"])})
    if wanted.get("legend") is False:
        chart.set_legend({"none": True})
    look = dict(across or {})
    for axis, setter, known in (
        ("x_title", chart.set_x_axis, look),
        ("y_title", chart.set_y_axis, _upright(wanted)),
    ):
        if wanted.get(axis) or known:
            setter(known | ({"name": str(wanted[axis])} if wanted.get(axis) else {}))
    return chart


def _upright(wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Return how the axis of the figures looks: the format of its figures, and where it begins."""
    found: dict[str, Any] = {}
    if wanted.get("y_format"):
        found["num_format"] = str(wanted["y_format"])
    if "y_min" in wanted:
        found["min"] = float(wanted["y_min"])
    return found


def _series(wanted: Mapping[str, Any], sheet: str) -> dict[str, Any]:
    given: dict[str, Any] = {"values": absolute(wanted["values"], sheet)}
    if wanted.get("categories"):
        given["categories"] = absolute(wanted["categories"], sheet)
    name = str(wanted.get("name") or "")
    if name.startswith("="):
        given["name"] = absolute(name, sheet)
    elif name:
        given["name"] = name
    if wanted.get("secondary"):
        given["y2_axis"] = True
    fill = str(wanted.get("fill") or "")
    if fill == "none":
        given |= {"fill": {"none": True}, "border": {"none": True}}
    elif fill:
        if not _COLOR.fullmatch(fill):
            raise ToolInputError(f"A fill is none or six hex digits, not {fill[:20]!r}.")
        given |= {"fill": {"color": f"#{fill}"}}
    return given


def absolute(text: Any, sheet: str) -> str:
    """Return an area as charts name it: with its sheet, absolute.

    Raises:
        ToolInputError: it is none.
    """
    where, area = split_sheet(str(text))
    found = parse_area(area)
    first = f"${column_name(found.left)}${found.top}"
    last = f"${column_name(found.right)}${found.bottom}"
    cells = first if found.size == 1 else f"{first}:{last}"
    return f"={quote_sheet(where or sheet)}!{cells}"


def add_chart(editor: Editor, edit: Mapping[str, Any]) -> None:
    """Put a native chart over cells: `cells` (its first cell, or all that it covers), `chart` as in `described`.

    Raises:
        ToolInputError: something of the description does not fit.
    """
    sheet, area = editor.target(edit, limit=1 << 40)
    wanted = dict(edit.get("chart") or {})
    editor.flush()
    xml = _written(editor.book, wanted, sheet)
    _note_old(editor, wanted, sheet)
    package = editor.book.package
    drawing = Drawing(editor, sheet)
    part = free_part(editor, "xl/charts/chart")
    package.write(part, xml)
    package.set_content_type(part, _TYPE)
    inner = etree.Element(f"{{{CHART}}}chart", nsmap={"c": CHART, "r": OFFICE_RELS})
    inner.set(f"{{{OFFICE_RELS}}}id", package.add_relationship(drawing.part, "chart", part))
    number = drawing.number()
    name = str(edit.get("name") or f"Chart {number}")
    drawing.put(room(area, width=_WIDTH, height=_HEIGHT), frame(number, name, CHART, inner))
    editor.declared.parts.append(part)
    editor.flush()


def _note_old(editor: Editor, wanted: Mapping[str, Any], sheet: Sheet) -> None:
    """Say so if the figures that the chart keeps are from before an edit."""
    spots = (
        (where.name, value.place)
        for where, area in _read(editor.book, wanted, sheet)
        for value in editor.book.values(where, area)
        if value.formula
    )
    if label := editor.first_old(spots):
        editor.notes.append(
            f"The chart on {sheet.name} keeps old results, such as {label}, until Excel draws it anew; recalculate "
            "before adding it."
        )


def _written(book: Workbook, wanted: Mapping[str, Any], sheet: Sheet) -> bytes:
    """Return the chart's part, with the figures that its series read."""
    import xlsxwriter  # noqa: PLC0415

    read = list(_read(book, wanted, sheet))
    if sum(area.size for _, area in read) > CELLS_LIMIT:
        raise ToolInputError(f"The chart reads more than {CELLS_LIMIT} cells.")
    with tempfile.TemporaryDirectory(prefix="deskmate-chart-") as folder:
        made = Path(folder) / "chart.xlsx"
        writer = xlsxwriter.Workbook(str(made), {"strings_to_numbers": False})
        names = dict.fromkeys([sheet.name, *(where.name for where, _ in read)])
        pages = {name: writer.add_worksheet(name) for name in names}
        for where, area in read:
            for value in book.values(where, area):
                _copy(pages[where.name], value.place, value.kind, value.text)
        chart = described(writer, wanted, sheet.name, _dates(book, wanted, sheet))
        pages[sheet.name].insert_chart(0, 0, chart)
        writer.close()
        with zipfile.ZipFile(made) as archive:
            data = archive.read("xl/charts/chart1.xml")
    parse_xml(data, "The chart")
    return data


def _read(book: Workbook, wanted: Mapping[str, Any], sheet: Sheet) -> Iterator[tuple[Sheet, Area]]:
    for each in wanted.get("series") or ():
        if not isinstance(each, Mapping) or not each.get("values"):
            raise ToolInputError("Each series of a chart needs values, such as B2:B9.")
        texts = [each["values"], each.get("categories")]
        texts.append(each["name"] if str(each.get("name") or "").startswith("=") else None)
        for text in filter(None, texts):
            where, area = split_sheet(str(text))
            yield (book.sheet(where) if where else sheet), parse_area(area)


def _copy(page: Any, place: tuple[int, int], kind: str, text: str) -> None:
    at = (place[0] - 1, place[1] - 1)
    if kind == "number":
        page.write_number(*at, float(text))
    elif kind != "empty":
        page.write_string(*at, text)


def _dates(book: Workbook, wanted: Mapping[str, Any], sheet: Sheet) -> dict[str, Any]:
    """Return what makes an axis show dates, if the first category is formatted as one."""
    series: Sequence[Mapping[str, Any]] = wanted.get("series") or ()
    categories = series[0].get("categories") if series else None
    if not categories:
        return {}
    where, text = split_sheet(str(categories))
    area = parse_area(text)
    first = Area(area.top, area.left, area.top, area.left)
    for value in book.values(book.sheet(where) if where else sheet, first):
        code = book.styles.code(value.style)
        if value.kind == "number" and is_date(code):
            # As texts, so that each bar stands where its row is, also if the days are not evenly spaced.
            return {"text_axis": True, "num_format": code}
    return {}
