"""The tool that reports on people."""

from __future__ import annotations

from pathlib import PurePosixPath

from deskmate.plugin import Deliverable, ToolAnswer, ToolContext, ToolInputError
from deskmate_documents.tables import Table, find_column, pick_file, read_table
from deskmate_hr.people import LEFT, LEFT_DATES, TOTAL, people_tables
from deskmate_hr.publication import write_report

USUAL = ("department", "team", "division", "location", "gender", "level")


def people_report(
    context: ToolContext,
    path: str = "",
    group_by: list[str] | None = None,
    output: str = "",
    settings: dict[str, str] | None = None,
    request: str = "",
) -> ToolAnswer:
    """Report headcount, leavers, attrition and shares by group, without exposing small groups.

    Counts from 1 to 4 are hidden, and as many further counts as it takes that no one can work them out
    by subtraction within a table. Writes a DOCX or XLSX report and returns the published tables.

    Args:
        context: filled in by Deskmate.
        path: workspace path of the employee table (CSV or XLSX, one person per row). Empty: the one there.
        group_by: columns to count by, one table each. Empty: the column that holds the department or team.
        output: workspace path of the report, .docx or .xlsx. Empty: people-report.docx beside the table.
        settings: where it cannot be told: `left` (column with yes/no or the leaving date), `hired` (column
            with the hire date), `from` and `to` (ISO dates of the period, for dates).
        request: the user's words; a file or columns named there are taken if the others are empty.

    Returns:
        `tables`: list of {by, rows, hidden}; rows are text, header first, totals last, – is hidden.

    Raises:
        ToolInputError: the table, a column or a setting cannot be used, or small groups cannot be protected.
    """
    path = path or pick_file(
        context.workspace,
        (".csv", ".tsv", ".xlsx", ".xlsm"),
        what="employee table",
        made="people-report.xlsx",
        hints=("emp", "people", "staff", "hris", "headcount", "roster", "attrition"),
        request=request,
    )
    table = read_table(context.file(path), name=path)
    groups = list(group_by or _asked(table, request))
    options = dict(settings or {})
    tables, notes = people_tables(table, groups, options)
    output = output or str(
        PurePosixPath(context.name_of(context.file(path))).parent / "people-report.docx"
    )
    if not output.lower().endswith((".docx", ".xlsx")) or output == path:
        raise ToolInputError(
            f"{output} cannot be the report; give a new name that ends in .docx or .xlsx."
        )
    target = context.target(output)
    write_report(target, TITLE, tables, [source_note(path), *notes])
    deliverable = Deliverable(
        path=context.name_of(target),
        title=TITLE,
        role="people_report",
        sources={"employees": context.name_of(context.file(path))},
        data={"group_by": groups, "settings": options},
    )
    result = {
        "output": deliverable.path,
        "source": path,
        "notes": notes,
        "tables": [
            {"by": t.by, "rows": [list(r) for r in t.rows], "hidden": t.hidden} for t in tables
        ],
        "summary": "\n\n".join("\n".join(" | ".join(row) for row in t.rows) for t in tables),
    }
    return ToolAnswer(result=result, deliverables=(deliverable,))


TITLE = "People report"


def source_note(path: str) -> str:
    """Return the line that names the source."""
    return f"Source: {path}. {TOTAL} rows are exact sums of the source."


def _asked(table: Table, request: str) -> list[str]:
    said = " ".join(request.lower().replace("_", " ").split())
    taken = {find_column(table, LEFT), find_column(table, LEFT_DATES)}
    named = [c for c in table.columns if len(c) > 3 and c.lower() in said and c not in taken]
    if named:
        return named
    usual = find_column(table, USUAL)
    if usual is None:
        raise ToolInputError(
            f"{table.name}: say by which column to group; it has {', '.join(table.columns)}."
        )
    return [usual]
