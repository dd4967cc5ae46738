"""New workbooks: sheets of values and formulas, tables, charts; everything else comes by the edits of any workbook."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

from deskmate.errors import ToolInputError
from deskmate_documents.xlsx.cells import serial
from deskmate_documents.xlsx.chartadd import described
from deskmate_documents.xlsx.edit import Outcome, edit_workbook
from deskmate_documents.xlsx.formula import stored
from deskmate_documents.xlsx.newsheet import check_title
from deskmate_documents.xlsx.refs import Place, parse_area

SHEETS_LIMIT = 60
CELLS_LIMIT = 200_000
DATE_FORMAT = "yyyy-mm-dd"
_LOOKS = {
    "bold": "bold", "italic": "italic", "color": "font_color", "fill": "bg_color", "align": "align", "wrap": "text_wrap",
    "indent": "indent", "number_format": "num_format", "top": "top", "bottom": "bottom",
}  # fmt: skip
_LINES = {True: 1, "double": 6}


@dataclass(frozen=True, slots=True)
class Computed:
    """A formula with the result that its writer computed by other means, so that every reader shows a figure.

    For code that builds a workbook only: a value that came as JSON cannot be one. Whoever delivers it has a
    gate that computes the formula once more.
    """

    formula: str
    result: str | int | Decimal


def build_workbook(
    target: Path, sheets: Sequence[Mapping[str, Any]], edits: Sequence[Mapping[str, Any]] = ()
) -> Outcome | None:
    """Write a new workbook.

    Args:
        target: an .xlsx file that is not there yet.
        sheets: list of {name, rows, widths, formats, heights (row from 1 → points), header, freeze, table, charts, looks, print}. `looks`: name →
            {bold, italic, color, fill, align, wrap, indent, number_format, top, bottom (true or "double")}, for cells
            written as {"value", "look"}. `print`: "landscape" or "portrait", one page wide. A value of a row is a figure, a
            text (one that begins with = is a formula), {"date": …}, {"text": …} for a text as it stands, or `Computed`.
        edits: as `edit_workbook` takes them, made afterwards.

    Raises:
        ToolInputError: what is wrong with which sheet; nothing is written then.
    """
    import xlsxwriter  # noqa: PLC0415

    names = [str(sheet.get("name", "")) for sheet in sheets]
    if not 1 <= len(sheets) <= SHEETS_LIMIT or len({n.lower() for n in names}) < len(names):
        raise ToolInputError(f"Give 1 to {SHEETS_LIMIT} sheets, each with a name of its own.")
    for name in names:
        check_title(name)
    with tempfile.TemporaryDirectory(prefix="deskmate-build-") as folder:
        part = Path(folder) / target.name
        book = xlsxwriter.Workbook(str(part), {"strings_to_numbers": False})
        # to the day: the same sheets give the same bytes, whoever makes them again
        book.set_properties({"created": datetime.combine(datetime.now(UTC).date(), time())})
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
        self._looks: dict[str, Any] = {}
        self.name = name

    def write(self, wanted: Mapping[str, Any]) -> None:
        """Write all that a sheet shall have."""
        rows = wanted.get("rows") or []
        header = int(wanted.get("header", 1))
        if sum(len(row) for row in rows) > CELLS_LIMIT:
            raise ToolInputError(f"The sheet {self.name} has more than {CELLS_LIMIT} cells.")
        self._looks = {name: self._look(look) for name, look in (wanted.get("looks") or {}).items()}
        codes = [str(code) if code else "" for code in wanted.get("formats") or ()]
        bold = self._book.add_format({"bold": True, "text_wrap": True, "valign": "top"})
        formats = [self._book.add_format({"num_format": code}) if code else None for code in codes]
        dates = self._book.add_format({"num_format": DATE_FORMAT})
        for number, row in enumerate(rows):
            for column, value in enumerate(row):
                own = formats[column] if column < len(formats) else None
                look = bold if number < header else own
                self._put((number, column), value, look, dates)
        self._page(wanted, header)
        if wanted.get("table"):
            self._table(str(wanted["table"]), rows, header)
        for chart in wanted.get("charts") or ():
            self._chart(chart, rows, codes)

    def _page(self, wanted: Mapping[str, Any], header: int) -> None:
        for column, width in enumerate(wanted.get("widths") or ()):
            self._sheet.set_column(column, column, float(width))
        for row, height in (wanted.get("heights") or {}).items():
            self._sheet.set_row(int(row) - 1, float(height))
        if wanted.get("freeze"):
            area = parse_area(str(wanted["freeze"]))
            self._sheet.freeze_panes(area.top - 1, area.left - 1)
        if wanted.get("print"):
            if wanted["print"] == "landscape":
                self._sheet.set_landscape()
            self._sheet.set_paper(9)
            self._sheet.fit_to_pages(1, 0)
            if header:
                self._sheet.repeat_rows(0, header - 1)

    def _look(self, wanted: Mapping[str, Any]) -> Any:
        unknown = sorted(set(wanted) - set(_LOOKS))
        if unknown:
            raise ToolInputError(f"A look has {', '.join(_LOOKS)}; not {', '.join(unknown)}.")
        given = {_LOOKS[key]: value for key, value in wanted.items()}
        for side in ("top", "bottom"):
            if side in given:
                given[side] = _LINES[given[side]]
        return self._book.add_format(given)

    def _put(self, at: Place, value: Any, look: Any, dates: Any) -> None:
        if isinstance(value, dict) and set(value) == {"value", "look"}:
            value, look = value["value"], self._looks[value["look"]]
            if value is None:
                self._sheet.write_blank(*at, None, look)
        if isinstance(value, dict) and set(value) == {"text"}:
            self._sheet.write_string(*at, str(value["text"]), look)
        elif value is not None:
            self._write(at, value, look, dates)

    def _write(self, at: Place, value: Any, look: Any, dates: Any) -> None:
        if isinstance(value, bool):
            self._sheet.write_boolean(*at, value, look)
        elif isinstance(value, int | float | Decimal):
            self._sheet.write_number(*at, value, look)
        elif isinstance(value, Computed):
            result = float(value.result) if isinstance(value.result, Decimal) else value.result
            self._sheet.write_formula(*at, f"={stored(value.formula)}", look, result)
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
        across = _date_axis((wanted.get("series") or [{}])[0].get("categories"), rows, codes)
        floor = {"y_min": 0} if "y_min" not in wanted and _bars_of_amounts(wanted, rows) else {}
        chart = described(self._book, {**wanted, **floor}, self.name, across)
        if wanted.get("size"):
            width, height = wanted["size"]
            chart.set_size({"width": int(width), "height": int(height)})
        at = parse_area(str(wanted.get("at", "H2")))
        self._sheet.insert_chart(at.top - 1, at.left - 1, chart)


def _bars_of_amounts(wanted: Mapping[str, Any], rows: Sequence[Sequence[Any]]) -> bool:
    """Return whether all that the bars show is known and not below zero: a bar that begins elsewhere tells a wrong ratio."""
    if wanted.get("type", "column") not in ("column", "bar"):
        return False
    for series in wanted.get("series") or ():
        values = str(series["values"])
        if "!" in values or series.get("secondary"):
            return False
        area = parse_area(values)
        for row in rows[area.top - 1 : area.bottom]:
            for value in row[area.left - 1 : area.right]:
                amount = value.result if isinstance(value, Computed) else value
                if not isinstance(amount, int | float | Decimal) or amount < 0:
                    return False
    return True


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
