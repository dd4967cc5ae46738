"""A table over documents as a terminal shows it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from deskmate.cli.output import one_line, say
from deskmate.types.tables import Cell, Row, TableSummary

_MARKS = {
    "checked": "",
    "quoted": "",
    "not_found": "–",
    "disputed": "! ",
    "failed": "✗",
    "open": "…",
}
_STYLES = {
    "quoted": "cyan",
    "not_found": "dim",
    "disputed": "yellow",
    "failed": "red",
    "open": "dim",
}
_ORDER = ("checked", "quoted", "not_found", "disputed", "failed", "open")
_NAME_WIDTH, _LEAST_WIDTH = 28, 10


def counts_line(summary: TableSummary) -> str:
    """Return how many cells stand how."""
    parts = [f"{summary.cells[s]} {s.replace('_', ' ')}" for s in _ORDER if summary.cells.get(s)]
    return ", ".join(parts) or "no cells"


def money_line(summary: TableSummary) -> str:
    """Return what the table has cost, empty if nothing was asked of a model."""
    spent = summary.spent
    if not spent.calls and not spent.unanswered_calls:
        return ""
    line = f"{spent.calls} model call(s), ${spent.answered_usd:.4f}"
    if spent.unanswered_calls:
        line += f"; {spent.unanswered_calls} call(s) whose answer was lost, counted as ${spent.unanswered_usd:.4f}"
    return line if spent.known else f"{line}; some calls had no known price"


def show_rows(summary: TableSummary, rows: Sequence[tuple[Row, Sequence[Cell]]]) -> None:
    """Write rows as a table as wide as the terminal; where columns are too many, one below the other."""
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    from deskmate.cli.display import terminal  # noqa: PLC0415

    console = terminal(sys.stdout)
    columns = summary.about.columns
    say(f"{summary.about.id}  {one_line(summary.about.question)}  ({counts_line(summary)})")
    if console.width < _NAME_WIDTH + (len(columns) + 1) * _LEAST_WIDTH and console.is_terminal:
        for row, cells in rows:
            show_row(row, cells, quotes=False)
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("#", justify="right", no_wrap=True)
    table.add_column("Document", overflow="fold", max_width=_NAME_WIDTH)
    for column in columns:
        table.add_column(Text(one_line(column.name)), overflow="fold")
    for row, cells in rows:
        shown = [Text(_short(cell), _STYLES.get(cell.status, "")) for cell in cells]
        table.add_row(str(row.number), Text(one_line(Path(row.path).name)), *shown)
    console.print(table, soft_wrap=False)
    if summary.rows > len(rows):
        say(f"{len(rows)} of {summary.rows} rows; more with --limit")
    say("! disputed   ✗ failed   – not found   … open; one row with its evidence: --row N")


def show_row(row: Row, cells: Sequence[Cell], *, quotes: bool = True) -> None:
    """Write one row, a few lines a cell."""
    say(f"{row.number}  {one_line(row.path)}")
    for cell in cells:
        value = f"{cell.value} {cell.unit}".strip()
        place = ", ".join(
            part
            for part in (
                cell.status.replace("_", " "),
                f"page {cell.page}" if cell.page else "",
                one_line(cell.place) or (f"paragraph {cell.paragraph}" if cell.paragraph else ""),
                f"by {cell.by}" if cell.by else "",
            )
            if part
        )
        say(f"  {one_line(cell.column)}: {one_line(value) or '–'}  [{place}]")
        if quotes and cell.quote:
            say(f"    “{one_line(cell.quote)}”")
        if cell.why:
            say(f"    {one_line(cell.why)}")


def _short(cell: Cell) -> str:
    value = one_line(f"{cell.value} {cell.unit}".strip(), 60)
    return (
        f"{_MARKS[cell.status]}{value}"
        if cell.status in ("checked", "quoted", "disputed")
        else _MARKS[cell.status]
    )
