"""The tools that measure a process and score vendors, each into a workbook."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from deskmate.plugin import Deliverable, ToolAnswer, ToolContext, ToolInputError
from deskmate_documents.tables import Cell, cell_text, pick_file, read_table, write_tables
from deskmate_ops.events import VARIANTS_SHOWN, metrics, read_events
from deskmate_ops.vendors import DATABASES, read_figures, scorecard, weights_of

TABLES = (".csv", ".tsv", ".xlsx", ".xlsm")
Sheets = dict[str, list[list[Cell]]]


def process_metrics(
    context: ToolContext,
    path: str = "",
    output: str = "",
    settings: dict[str, str] | None = None,
    request: str = "",
) -> ToolAnswer:
    """Measure a process from its event log: cases, variants, durations, repeats and handovers.

    Args:
        context: filled in by Deskmate.
        path: workspace path of the log (CSV or XLSX; case, activity, timestamp). Empty: the one there.
        output: workspace path of the workbook. Empty: process-metrics.xlsx beside the log.
        settings: names where they cannot be told: case, activity, timestamp, sheet, order (dmy or mdy).
        request: the user's words; a file named there is taken if `path` is empty.

    Returns:
        `summary`: line → value; `variants`, `activities`, `handovers`: rows, header first, at most 50.
        Durations are hours as decimal strings.

    Raises:
        ToolInputError: a column or setting is missing, or a row lacks its case, activity or time.
    """
    path = path or pick_file(
        context.workspace,
        TABLES,
        what="event log",
        made="process-metrics.xlsx",
        hints=("event", "log", "process"),
        request=request,
    )
    given = dict(settings or {})
    sheets = process_sheets(context.file(path), path, given)
    data = {"settings": given}
    deliverable = _deliver(
        context, path, output or "process-metrics.xlsx", not output, sheets, "process_metrics", data
    )
    shown = {title.lower(): _texts(rows[: VARIANTS_SHOWN + 1]) for title, rows in sheets.items()}
    summary = {row[0]: row[1] for row in shown.pop("summary")[1:]}
    return ToolAnswer(
        result={"source": path, "output": deliverable.path, "summary": summary, **shown},
        deliverables=(deliverable,),
    )


def vendor_scorecard(
    context: ToolContext,
    path: str = "",
    output: str = "",
    weights: dict[str, str] | None = None,
    lower_is_better: list[str] | None = None,
    request: str = "",
) -> ToolAnswer:
    """Score vendors on weighted criteria, from a table of vendors or from a database of orders (SQLite).

    Each criterion is scaled between its worst (0) and best (100) vendor. For a database: products,
    discontinued ones, stock value, products below reorder level, units sold and sales per supplier.

    Args:
        context: filled in by Deskmate.
        path: workspace path of the CSV, XLSX or SQLite file. Empty: the one there.
        output: workspace path of the workbook. Empty: vendor-scorecard.xlsx beside the source.
        weights: criterion → decimal weight, adding up to 1, such as {"Price": "0.6", "Quality": "0.4"}.
            Empty: all criteria weigh the same; say so to the reader.
        lower_is_better: criteria where less is better, such as price or defects.
        request: the user's words; a file named there is taken if `path` is empty.

    Returns:
        `scores`, `figures`, `weights`: rows, header first; `equal_weights`: none were given.

    Raises:
        ToolInputError: no vendors or figures, or weights or criteria that do not fit.
    """
    path = path or pick_file(
        context.workspace,
        (*TABLES, *DATABASES),
        what="vendor data",
        made="vendor-scorecard.xlsx",
        hints=("vendor", "supplier", *DATABASES),
        request=request,
    )
    data = {"weights": dict(weights or {}), "lower_is_better": list(lower_is_better or [])}
    sheets = vendor_sheets(context.file(path), path, data)
    deliverable = _deliver(
        context,
        path,
        output or "vendor-scorecard.xlsx",
        not output,
        sheets,
        "vendor_scorecard",
        data,
    )
    shown = {title.lower(): _texts(rows[:101]) for title, rows in sheets.items()}
    ranking = "\n".join(f"{row[0]}. {row[1]}: {row[2]}" for row in shown["scores"][1:11])
    result = {
        "source": path,
        "output": deliverable.path,
        "equal_weights": not weights,
        "ranking": ranking,
        **shown,
    }
    return ToolAnswer(result=result, deliverables=(deliverable,))


def process_sheets(file: Path, name: str, settings: Mapping[str, str]) -> Sheets:
    """Return the workbook of a log."""
    table = read_table(file, name=name, sheet=settings.get("sheet", ""))
    return metrics(read_events(table, settings))


def vendor_sheets(file: Path, name: str, data: Mapping[str, Any]) -> Sheets:
    """Return the workbook of vendor data. `data`: weights and lower_is_better."""
    figures = read_figures(file, name)
    return scorecard(figures, weights_of(figures, data["weights"]), data["lower_is_better"])


def _deliver(
    context: ToolContext,
    path: str,
    output: str,
    beside: bool,
    sheets: Sheets,
    role: str,
    data: Mapping[str, Any],
) -> Deliverable:
    source = context.name_of(context.file(path))
    name = str(PurePosixPath(source).parent / output) if beside else output
    if not name.lower().endswith(".xlsx") or name == source:
        raise ToolInputError(f"{name} cannot be the workbook; give a new name that ends in .xlsx.")
    target = context.target(name)
    write_tables(target, sheets)
    title = role.replace("_", " ").capitalize()
    return Deliverable(
        path=context.name_of(target), title=title, role=role, sources={"source": source}, data=data
    )


def _texts(rows: Sequence[Sequence[Cell]]) -> list[list[str]]:
    return [[cell_text(cell) for cell in row] for row in rows]
