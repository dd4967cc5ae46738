"""The tool that writes a new workbook."""

from __future__ import annotations

from typing import Any

from deskmate.plugin import Deliverable, ToolAnswer, ToolContext, ToolInputError


def sheet_build(
    path: str,
    sheets: list[dict[str, Any]],
    context: ToolContext,
    edits: list[dict[str, Any]] | None = None,
) -> ToolAnswer:
    """Write a new Excel workbook with formulas, number formats, tables and native charts.

    Put assumptions into cells of their own and refer to them by formulas. Run sheet_recalculate afterwards, so that
    the file shows figures everywhere, then sheet_map with `lint`.

    Args:
        path: workspace path of the new file, ending in .xlsx; an existing file is never replaced.
        sheets: in order, each {name, rows (lists of values; text that begins with = is a formula, a date is
            {"date": "2026-03-31"}, a text as it stands {"text": "=…"}), header (how many rows are headers, 1), formats
            (number format of each column), widths (of each column, in characters), print (landscape or portrait: on A4, one
            page wide, the header on each page), freeze (first cell that scrolls, such as A2), table (a name:
            the rows become a table), charts: [{type: column, bar, line, area, pie, doughnut, scatter; stacked (true or
            percent), title, x_title, y_title, at: H2, series: [{name, categories: A2:A9, values: B2:B9, secondary}]}]}.
        context: filled in by Deskmate.
        edits: made afterwards, as in sheet_edit: pivot, rule, validation, name, style and so on.

    Returns:
        `path`; `sheets`: their names; `notes`: what to tell the user.
    """
    from deskmate_documents.xlsx.build import build_workbook  # noqa: PLC0415

    target = context.target(path)
    if target.suffix.lower() != ".xlsx":
        raise ToolInputError(f"{path} must end in .xlsx.")
    if target.exists():
        raise ToolInputError(f"{path} is there already; give another name, or use sheet_edit.")
    target.parent.mkdir(parents=True, exist_ok=True)
    outcome = build_workbook(target, sheets, edits or ())
    name = context.name_of(target)
    answer = {
        "path": name,
        "sheets": [str(sheet["name"]) for sheet in sheets],
        "notes": list(outcome.notes) if outcome else [],
    }
    deliverable = Deliverable(path=name, title=f"Workbook {target.name}", role="workbook")
    return ToolAnswer(result=answer, deliverables=(deliverable,))
