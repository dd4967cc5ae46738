"""The tool that reports on people."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path, PurePosixPath
from typing import Any

from deskmate.plugin import Deliverable, ToolAnswer, ToolContext, ToolInputError
from deskmate_documents.tables import Table, find_column, pick_file, read_table
from deskmate_hr.grouping import TOTAL
from deskmate_hr.linked import SMALLEST
from deskmate_hr.measures import LEFT, LEFT_DATES, PAY, TENURE
from deskmate_hr.people import Report, people_tables
from deskmate_hr.publication import headlines, write_report

USUAL = ("department", "team", "division", "location", "gender", "level")
TITLE = "People report"
PAY_WORDS = ("pay", "salary", "salaries", "income", "compensation", "wage")
TENURE_WORDS = ("tenure", "seniority", "length of service")


def people_report(
    context: ToolContext,
    path: str = "",
    group_by: list[str] | None = None,
    output: str = "",
    settings: dict[str, str] | None = None,
    request: str = "",
) -> ToolAnswer:
    """Report headcount, leavers, attrition, tenure and pay by group, without exposing small groups.

    Counts from 1 to 4 are hidden, and as many further figures as it takes that no one can work them out, within a table or
    across the tables of the report. Ask for all groupings in one call: two reports can be compared by whoever has both.
    Writes a DOCX memo, and an XLSX workbook with live shares and charts, and returns the published tables.

    Args:
        context: filled in by Deskmate.
        path: workspace path of the employee table (CSV or XLSX, one person per row). Empty: the one there.
        group_by: columns to count by, one table each; `Department × Gender` crosses two. Empty: department or team.
        output: workspace path of the report, .docx or .xlsx. Empty: people-report.docx and .xlsx beside the table.
        settings: where it cannot be told: `left` (column with yes/no or the leaving date), `hired` (column
            with the hire date), `from` and `to` (ISO dates of the period, for dates), `measures` ("tenure, pay" for
            their mean and median), `tenure` and `pay` (their columns), `bands` ("Age: 30, 40, 50").
        request: the user's words; a file, columns or measures named there are taken if the others are empty.

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
    given = settings or {}
    options = {**asked_period(request), **_asked_measures(request, given), **given}
    groups = list(group_by or _asked(table, request))
    report = people_tables(table, groups, options, least_of(context.config))
    deliverables = []
    for target in _targets(context, path, output):
        write_report(target, TITLE, report, [source_note(path), *report.notes])
        deliverables.append(
            Deliverable(
                path=context.name_of(target),
                title=TITLE,
                role="people_report",
                sources={"employees": context.name_of(context.file(path))},
                data={"group_by": groups, "settings": options},
            )
        )
    return ToolAnswer(
        result={
            "output": " and ".join(item.path for item in deliverables),
            "source": path,
            **_told(report),
        },
        deliverables=tuple(deliverables),
    )


def _told(report: Report) -> dict[str, Any]:
    return {
        "notes": list(report.notes),
        "headlines": headlines(report),
        "tables": [
            {"by": t.by, "rows": [list(r) for r in t.texts], "hidden": t.hidden}
            for t in report.tables
        ],
        "summary": "\n\n".join(
            "\n".join(" | ".join(row) for row in t.texts) for t in report.tables
        ),
    }


def _targets(context: ToolContext, path: str, output: str) -> list[Path]:
    beside = PurePosixPath(context.name_of(context.file(path))).parent
    wanted = [output] if output else [str(beside / f"people-report{e}") for e in (".docx", ".xlsx")]
    found = []
    for name in wanted:
        if not name.lower().endswith((".docx", ".xlsx")) or name == path:
            raise ToolInputError(
                f"{name} cannot be the report; give a new name that ends in .docx or .xlsx."
            )
        target = context.target(name)
        if target == context.file(path).resolve():
            raise ToolInputError(f"{name} is the table itself; give the report another name.")
        found.append(target)
    return found


def least_of(config: Mapping[str, Any]) -> int:
    """Return the smallest count that is shown, a setting that can only be raised.

    Raises:
        ToolInputError: it is below 5 or above 100.
    """
    least = int(config.get("smallest_cell", SMALLEST))
    if not SMALLEST <= least <= 100:
        raise ToolInputError(f"The setting smallest_cell is {least}; give {SMALLEST} to 100.")
    return least


def source_note(path: str) -> str:
    """Return the line that names the source."""
    return f"Source: {path}. {TOTAL} rows are exact sums of the source."


def _asked_measures(request: str, settings: Mapping[str, str]) -> dict[str, str]:
    """Return the measures that the request names; pay only where it is asked for."""
    said = request.lower()
    known = (("tenure", TENURE_WORDS), ("pay", PAY_WORDS))
    asked = [name for name, words in known if any(f" {word}" in f" {said}" for word in words)]
    return {"measures": ", ".join(asked)} if asked and "measures" not in settings else {}


def asked_period(request: str) -> dict[str, str]:
    """Return the period that the request names: two ISO dates, a quarter, a half or a whole year."""
    days = re.findall(r"(?<![\d-])\d{4}-\d{2}-\d{2}(?![\d-])", request)
    if len(days) == 2:
        return {"from": min(days), "to": max(days)}
    found = re.search(
        r"\b(?:([QH])([1-4])[ /-]*)?(20\d\d)(?:[ /-]*([QH])([1-4]))?\b", request, re.IGNORECASE
    )
    if found is None or days:
        return {}
    year, kind = int(found[3]), (found[1] or found[4] or "").upper()
    months = {"Q": 3, "H": 6}.get(kind, 12)
    last = int(found[2] or found[5] or 1) * months
    if last > 12:
        return {}
    first = date(year, last - months + 1, 1)
    after = date(year + last // 12, last % 12 + 1, 1)
    return {"from": first.isoformat(), "to": (after - timedelta(days=1)).isoformat()}


def _asked(table: Table, request: str) -> list[str]:
    said = " ".join(request.lower().replace("_", " ").split())
    taken = {find_column(table, known) for known in (LEFT, LEFT_DATES, TENURE, PAY)}
    named = [c for c in table.columns if c not in taken and names_column(said, c)]
    if named:
        return named
    usual = find_column(table, USUAL)
    if usual is None:
        raise ToolInputError(
            f"{table.name}: say by which column to group; it has {', '.join(table.columns)}."
        )
    return [usual]


def names_column(said: str, column: str) -> bool:
    """Say whether a request names a column, also a name such as JobRole in two words."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", column.replace("_", " ")).lower()
    names = {words, words.replace(" ", "")}
    return any(re.search(rf"(?<!\w){re.escape(name)}s?(?!\w)", said) for name in names)
