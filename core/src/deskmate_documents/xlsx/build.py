"""New workbooks: sheets of values and formulas, tables, charts; everything else comes by the edits of any workbook."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from deskmate.errors import ToolInputError
from deskmate_documents.xlsx.cells import serial
from deskmate_documents.xlsx.edit import Outcome, edit_workbook
from deskmate_documents.xlsx.formula import stored
from deskmate_documents.xlsx.refs import Place, column_name, parse_area, quote_sheet, words

SHEETS_LIMIT = 60
CELLS_LIMIT = 200_000
CHARTS = words("column bar line area pie doughnut scatter")
DATE_FORMAT = "yyyy-mm-dd"
_TITLE = re.compile(r"[^\[\]:*?/\\]{1,31}")


def build_workbook(
    target: Path, sheets: Sequence[Mapping[str, Any]], edits: Sequence[Mapping[str, Any]] = ()
) -> Outcome | None:
    """Write a new workbook.

    Args:
        target: an .xlsx file that is not there yet.
        sheets: list of {name, rows, widths, formats, header, freeze, table, charts}.
        edits: as `edit_workbook` takes them, made afterwards.

    Raises:
        ToolInputError: what is wrong with which sheet; nothing is written then.
    """
    import xlsxwriter  # noqa: PLC0415

    names = [str(sheet.get("name", "")) for sheet in sheets]
    if not 1 <= len(sheets) <= SHEETS_LIMIT or len({n.lower() for n in names}) < len(names):
        raise ToolInputError(f"Give 1 to {SHEETS_LIMIT} sheets, each with a name of its own.")
    for name in names:
        if not _TITLE.fullmatch(name) or name.startswith("'") or name.endswith("'"):
            raise ToolInputError(
                f"{name[:60]!r} cannot name a sheet: 1 to 31 characters without []:*?/\\."
            )
    with tempfile.TemporaryDirectory(prefix="deskmate-build-") as folder:
        part = Path(folder) / target.name
        book = xlsxwriter.Workbook(str(part), {"strings_to_numbers": False})
        writers = [_Writer(book, book.add_worksheet(name), name) for name in names]
        for writer, sheet in zip(writers, sheets, strict=True):
            try:
                writer.write(sheet)
            except (TypeError, ValueError, AttributeError, KeyError) as error:
                raise ToolInputError(
                    f"The sheet {writer.name} has a field of the wrong kind ({error})."
                ) from error
        book.close()
        outcome = edit_workbook(part, part, edits) if edits else None
        target.write_bytes(part.read_bytes())
        return outcome


class _Writer:
    """Writes one sheet of a new workbook."""

    def __init__(self, book: Any, sheet: Any, name: str) -> None:
        self._book = book
        self._sheet = sheet
        self.name = name

    def write(self, wanted: Mapping[str, Any]) -> None:
        """Write all that a sheet shall have."""
        rows = wanted.get("rows") or []
        header = int(wanted.get("header", 1))
        if sum(len(row) for row in rows) > CELLS_LIMIT:
            raise ToolInputError(f"The sheet {self.name} has more than {CELLS_LIMIT} cells.")
        codes = [str(code) if code else "" for code in wanted.get("formats") or ()]
        bold = self._book.add_format({"bold": True, "text_wrap": True, "valign": "top"})
        formats = [self._book.add_format({"num_format": code}) if code else None for code in codes]
        dates = self._book.add_format({"num_format": DATE_FORMAT})
        for number, row in enumerate(rows):
            for column, value in enumerate(row):
                own = formats[column] if column < len(formats) else None
                look = bold if number < header else own
                self._put((number, column), value, look, dates)
        for column, width in enumerate(wanted.get("widths") or ()):
            self._sheet.set_column(column, column, float(width))
        if wanted.get("freeze"):
            area = parse_area(str(wanted["freeze"]))
            self._sheet.freeze_panes(area.top - 1, area.left - 1)
        if wanted.get("table"):
            self._table(str(wanted["table"]), rows, header)
        for chart in wanted.get("charts") or ():
            self._chart(chart, rows, codes)

    def _put(self, at: Place, value: Any, look: Any, dates: Any) -> None:
        if value is None:
            return
        if isinstance(value, bool):
            self._sheet.write_boolean(*at, value, look)
        elif isinstance(value, int | float):
            self._sheet.write_number(*at, value, look)
        elif isinstance(value, dict) and set(value) == {"date"}:
            number = serial(str(value["date"]), date1904=False)
            self._sheet.write_number(*at, number, look or dates)
        elif isinstance(value, str) and value.startswith("="):
            # No result: whoever reads the file sees that it was not computed yet, not a wrong zero.
            self._sheet.write_formula(*at, f"={stored(value)}", look, "")
        elif isinstance(value, str):
            self._sheet.write_string(*at, value, look)
        else:
            raise ToolInputError(f"{str(value)[:80]!r} is no value of a cell.")

    def _table(self, name: str, rows: Sequence[Sequence[Any]], header: int) -> None:
        if header != 1 or len(rows) < 2 or not all(isinstance(cell, str) for cell in rows[0]):
            raise ToolInputError(
                f"The table {name} needs one header row of texts and a row below it."
            )
        columns = [{"header": str(cell)} for cell in rows[0]]
        last = (len(rows) - 1, len(rows[0]) - 1)
        if self._sheet.add_table(0, 0, *last, {"name": name, "columns": columns}) != 0:
            raise ToolInputError(
                f"{name!r} cannot name a table, or its headers are not all different."
            )

    def _chart(
        self, wanted: Mapping[str, Any], rows: Sequence[Sequence[Any]], codes: Sequence[str]
    ) -> None:
        kind = str(wanted.get("type", "column"))
        if kind not in CHARTS or not wanted.get("series"):
            raise ToolInputError(f"A chart has a type ({', '.join(sorted(CHARTS))}) and series.")
        chart = self._book.add_chart({"type": kind})
        for series in wanted["series"]:
            given = {"values": self._range(series["values"])}
            if series.get("categories"):
                given["categories"] = self._range(series["categories"])
            if series.get("name"):
                given["name"] = str(series["name"])
            chart.add_series(given)
        if wanted.get("title"):
            chart.set_title({"name": str(wanted["title"])})
        across = _date_axis(wanted["series"][0].get("categories"), rows, codes)
        for axis, setter, look in (
            ("x_title", chart.set_x_axis, across),
            ("y_title", chart.set_y_axis, {}),
        ):
            if wanted.get(axis) or look:
                setter(look | ({"name": str(wanted[axis])} if wanted.get(axis) else {}))
        at = parse_area(str(wanted.get("at", "H2")))
        self._sheet.insert_chart(at.top - 1, at.left - 1, chart)

    def _range(self, text: Any) -> str:
        """Return a range as charts name it: with its sheet, absolute."""
        sheet, _, area = str(text).rpartition("!")
        found = parse_area(area)
        name = sheet.strip("'").replace("''", "'") or self.name
        first = f"${column_name(found.left)}${found.top}"
        last = f"${column_name(found.right)}${found.bottom}"
        return f"={quote_sheet(name)}!{first}:{last}"


def _date_axis(
    categories: Any, rows: Sequence[Sequence[Any]], codes: Sequence[str]
) -> dict[str, Any]:
    """Return what makes an axis show dates, if the categories are dates of the chart's own sheet."""
    if not categories or "!" in str(categories):
        return {}
    area = parse_area(str(categories))
    row = rows[area.top - 1] if area.top <= len(rows) else ()
    first = row[area.left - 1] if area.left <= len(row) else None
    if not isinstance(first, dict):
        return {}
    code = codes[area.left - 1] if area.left <= len(codes) else ""
    # As texts, so that each bar stands where its row is, also if the days are not evenly spaced.
    return {"text_axis": True, "num_format": code or DATE_FORMAT}
