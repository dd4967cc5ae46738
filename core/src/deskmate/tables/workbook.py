"""A table as a workbook: typed values, each with its evidence a click away. The only module that imports `xlsxwriter`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

from deskmate.errors import UserError
from deskmate.tables.record import TableRecord
from deskmate.types.tables import Cell, Column, Row

LINKS_LIMIT = 60_000
"""A sheet takes 65,530 links."""
NOTES_LIMIT = 3_000
"""Notes are held in memory until the end, and a sheet with more of them is slow to open."""
EXACT_DIGITS = 15
_TABLE, _EVIDENCE, _ABOUT = "Table", "Evidence", "About"
_FILLS = {"disputed": "#FFE699", "failed": "#F8CBAD", "quoted": "#DDEBF7"}
_SHOWN = {"not_found": "not found", "failed": "could not be read", "open": ""}
_MEANS = {
    "checked": "the quote is in the document, the value is in the quote and of its type",
    "quoted": "the quote is in the document; that it means this value is a reading, so look at it",
    "not_found": "looked for, nothing found; nothing is invented",
    "disputed": "an answer that failed a check; the evidence sheet says which",
    "failed": "the document could not be read or answered; the evidence sheet says why",
    "open": "not answered yet",
}
_NAME_WIDTH, _WRAPPED = 36, 8
_LINE_POINTS, _LINES_LIMIT = 14.5, 14
_WIDTHS = {"text": 34, "number": 12, "money": 18, "date": 12, "yes_no": 14, "choice": 20}


def write_workbook(record: TableRecord, target: Path) -> None:
    """Write the table, its evidence and what it is about; a few rows in memory at a time.

    Raises UserError where the package for it is not installed.
    """
    try:
        import xlsxwriter  # noqa: PLC0415 - heavy, and an extra
    except ImportError as error:
        raise UserError(
            "Workbooks need the package xlsxwriter, which is not installed.",
            hint='pip install "deskmate[scale]", or export to .csv or .json',
        ) from error
    with xlsxwriter.Workbook(str(target), {"constant_memory": True, "in_memory": False}) as book:
        _Sheets(book, record).write()


class _Sheets:
    """The three sheets, written beside each other."""

    def __init__(self, book: Any, record: TableRecord) -> None:
        self._book, self._record = book, record
        self._columns = record.about.columns
        self._table, self._evidence, self._about = map(
            book.add_worksheet, (_TABLE, _EVIDENCE, _ABOUT)
        )
        self._formats: dict[tuple[str, str], Any] = {}
        self._head = book.add_format(
            {"bold": True, "bottom": 1, "text_wrap": True, "valign": "top", "bg_color": "#F2F2F2"}
        )
        self._wrap = book.add_format({"text_wrap": True, "valign": "top"})
        self._top = book.add_format({"valign": "top"})
        self._line = 0
        self._cells = 0

    def write(self) -> None:
        """Write everything."""
        for sheet in (self._table, self._evidence, self._about):
            sheet.set_landscape()
            sheet.set_paper(9)
            sheet.fit_to_pages(1, 0)
        self._heads()
        for at, row in enumerate(self._record.rows(), start=1):
            self._row(at, row)
        last = max(self._record.summary().rows, 1)
        self._table.autofilter(0, 0, last, len(self._columns) + 1)
        self._evidence.autofilter(0, 0, max(self._line, 1), len(_EVIDENCE_HEADS) - 1)
        self._write_about()

    def _heads(self) -> None:
        names = [(column.name, _WIDTHS[column.kind]) for column in self._columns]
        self._table.set_row(0, _height(names))
        self._table.freeze_panes(1, 2)
        self._table.set_column(0, 0, 6)
        self._table.set_column(1, 1, _NAME_WIDTH)
        for place, name in enumerate(("#", "Document")):
            self._table.write_string(0, place, name, self._head)
        for place, column in enumerate(self._columns, start=2):
            self._table.set_column(place, place, _WIDTHS[column.kind])
            self._table.write_string(0, place, column.name, self._head)
        self._table.repeat_rows(0)
        self._evidence.freeze_panes(1, 0)
        self._evidence.repeat_rows(0)
        for place, (name, width) in enumerate(_EVIDENCE_HEADS):
            self._evidence.set_column(place, place, width)
            self._evidence.write_string(0, place, name, self._head)

    def _row(self, at: int, row: Row) -> None:
        name, cells = Path(row.path).name, self._record.cells(row.number)
        wide = [
            (cell.value, _WIDTHS[column.kind])
            for column, cell in zip(self._columns, cells, strict=True)
        ]
        # rows are written as they come, and not every program measures wrapped text when it opens a book
        self._table.set_row(at, _height([(name, _NAME_WIDTH), *wide]))
        self._table.write_number(at, 0, row.number, self._top)
        self._table.write_string(at, 1, name, self._wrap)
        for place, cell in enumerate(cells):
            column = self._columns[place]
            if cell.status != "open":
                self._line += 1
                self._prove(row, cell)
            self._cell(at, place + 2, column, cell)

    def _cell(self, at: int, place: int, column: Column, cell: Cell) -> None:
        self._cells += 1
        linked = cell.status != "open" and self._cells <= LINKS_LIMIT
        if linked:
            self._table.write_url(
                at,
                place,
                f"internal:'{_EVIDENCE}'!A{self._line + 1}",
                tip=_place(cell) or "evidence",
            )
        self._value(at, place, column, cell)
        if linked and self._cells <= NOTES_LIMIT and (cell.quote or cell.why):
            self._table.write_comment(at, place, _note(cell), {"x_scale": 2.6, "y_scale": 1.6})

    def _value(self, at: int, place: int, column: Column, cell: Cell) -> None:
        form = self._format(cell, column)
        if cell.status in _SHOWN and not cell.value:
            self._table.write_string(at, place, _SHOWN[cell.status], form)
            return
        number = _number(cell.value) if column.kind in ("number", "money") else None
        if number is not None:
            self._table.write_number(at, place, number, form)
        elif column.kind == "date" and (day := _day(cell.value)) is not None:
            self._table.write_datetime(at, place, day, form)
        else:
            self._table.write_string(at, place, cell.value or "?", form)

    def _format(self, cell: Cell, column: Column) -> Any:
        key = (cell.status, f"{column.kind} {cell.unit}")
        if key not in self._formats:
            looks: dict[str, Any] = {
                "valign": "top",
                "text_wrap": column.kind in ("text", "choice"),
            }
            if cell.status in _FILLS:
                looks["bg_color"] = _FILLS[cell.status]
            if cell.status in ("not_found", "open"):
                looks |= {"font_color": "#808080", "italic": True}
            if column.kind == "date":
                looks["num_format"] = "yyyy-mm-dd"
            if column.kind == "money":
                unit = cell.unit.replace('"', "")
                looks["num_format"] = f'#,##0.00 "{unit}"' if unit else "#,##0.00"
            self._formats[key] = self._book.add_format(looks)
        return self._formats[key]

    def _prove(self, row: Row, cell: Cell) -> None:
        texts = (
            Path(row.path).name, cell.column, f"{cell.value} {cell.unit}".strip(), cell.status.replace("_", " "),
            _place(cell), cell.quote, cell.why, cell.by, row.path, row.sha256 or "",
        )  # fmt: skip
        widths = [width for _, width in _EVIDENCE_HEADS[:_WRAPPED]]
        self._evidence.set_row(self._line, _height(list(zip(texts, widths, strict=False))))
        for place, text in enumerate(texts):
            self._evidence.write_string(
                self._line, place, text, self._wrap if place < _WRAPPED else self._top
            )

    def _write_about(self) -> None:
        summary = self._record.summary()
        about, spent = summary.about, summary.spent
        self._about.set_column(0, 0, 18)
        self._about.set_column(1, 1, 100)
        lines = [
            ("Question", about.question),
            ("Documents", f"{summary.rows}, of which answered: {summary.rows_done}"),
            (
                "Answered by",
                "rules only, no language model" if about.model == "offline" else about.model,
            ),
            ("Table", f"{about.id}, made {about.made}"),
            ("Cost", _cost(spent.answered_usd, spent.unanswered_usd, known=spent.known)),
            *(
                (status.replace("_", " "), f"{summary.cells.get(status, 0)} cells: {means}")
                for status, means in _MEANS.items()
            ),
            *((column.name, column.question) for column in self._columns),
        ]
        for at, (name, text) in enumerate(lines):
            self._about.write_string(at, 0, name, self._head)
            self._about.write_string(at, 1, text, self._wrap)


_EVIDENCE_HEADS: Sequence[tuple[str, int]] = (
    ("Document", 30), ("Column", 22), ("Value", 24), ("Status", 11), ("Place", 20), ("Quote", 70), ("Why", 40),
    ("By", 14), ("File", 40), ("SHA-256", 20),
)  # fmt: skip


def _height(cells: Sequence[tuple[str, int]]) -> float:
    """Return the height of a row in points: `cells`: text and the width of its column in characters."""
    lines = max((-(-len(text) // max(width - 6, 1)) for text, width in cells), default=1)
    return _LINE_POINTS * min(max(lines, 1), _LINES_LIMIT) + 1


def _note(cell: Cell) -> str:
    parts = [cell.status.replace("_", " ") + (f", {_place(cell)}" if _place(cell) else "")]
    parts += [f"“{cell.quote}”"] if cell.quote else []
    return "\n".join([*parts, *([cell.why] if cell.why else [])])[:1_000]


def _place(cell: Cell) -> str:
    if cell.place:
        return cell.place
    page = f"page {cell.page}, " if cell.page else ""
    return f"{page}paragraph {cell.paragraph}" if cell.paragraph else page.rstrip(", ")


def _cost(answered: float, unanswered: float, *, known: bool) -> str:
    text = f"{answered:.4f} USD"
    if unanswered:
        text += f", and up to {unanswered:.4f} USD for calls whose answer was lost"
    return text if known else f"{text}; some calls had no known price"


def _number(text: str) -> float | None:
    """Return a figure that a spreadsheet holds exactly; longer ones stay text."""
    if not text.replace("-", "", 1).replace(".", "", 1).isdigit():
        return None
    digits = text.replace("-", "").replace(".", "").lstrip("0")
    return float(text) if len(digits) <= EXACT_DIGITS else None


def _day(text: str) -> date | None:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if day.year >= 1900 else None
