"""The tool that puts the tasks of a close on workdays."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

from deskmate.plugin import Deliverable, ToolAnswer, ToolContext, ToolError, ToolInputError
from deskmate_documents.tables import pick_file
from deskmate_finance.close import Plan, plan, read_tasks
from deskmate_finance.close_book import other_dates, sheets
from deskmate_finance.made import book_path, write_made
from deskmate_finance.periods import find_month
from deskmate_finance.tools.statements import TABLES
from deskmate_finance.workdays import calendar_of

OUTPUT = "close plan.xlsx"
SHOWN = 40


def close_plan(
    context: ToolContext,
    path: str = "",
    period_end: str = "",
    holidays: str = "",
    output: str = "",
    columns: dict[str, str] | None = None,
    request: str = "",
) -> ToolAnswer:
    """Plan a month-end close: put tasks on workdays by what they wait for, with slack, critical path and owners' load.

    Refused: tasks that wait for each other in a circle, without an owner, or for something that is no task. Named:
    what ends after it is due, is done without evidence, or before what it waits for.

    Args:
        context: filled in by Deskmate.
        path: workspace path of the task list (CSV or XLSX) with the columns id, task, owner, and where known workdays
            (1), after (ids), earliest and due (T+3, T-2 or a date), status (open, in progress, blocked, done),
            evidence. Empty: the one in the workspace.
        period_end: last day of the period, such as 2025-03-31, or its month, 2025-03. Empty: what the request names.
        holidays: days that are no workdays, such as "2025-04-18, 2025-04-21". Empty: the setting.
        output: workspace path of the workbook. Empty: close plan.xlsx beside the list.
        columns: names of columns where they cannot be told; sheet.
        request: the user's words.

    Returns:
        `path`; `first`, `last`: ISO dates; `workdays`; `critical`: list of {id, task, owner, start, end};
        `matters`: what to look at; `by_status`: status → count.

    Raises:
        ToolInputError: a file, column, row or date cannot be used, or there is a circle.
    """
    path = path or pick_file(
        context.workspace,
        TABLES,
        what="list of close tasks",
        hints=("close", "tasks", "checklist"),
        request=request,
        made=OUTPUT,
    )
    end = period_of(period_end or request)
    free = holidays or str(context.config.get("holidays") or "")
    given = dict(columns or {})
    calendar = calendar_of(free)
    made = plan(read_tasks(context.file(path), path, given, end, calendar), end, calendar)
    target = context.target(book_path(output, path, OUTPUT, path))
    write_made(target, sheets(made, path))
    wrong = next(other_dates(target, made), None)
    if wrong:
        target.unlink()
        raise ToolError(f"The workbook does not compute as it must: {wrong[1]}")
    deliverable = Deliverable(
        path=context.name_of(target),
        title=f"Close plan for the period to {end}",
        role="close_plan",
        sources={"tasks": path},
        data={"columns": given, "period_end": end.isoformat(), "holidays": free},
    )
    return ToolAnswer(result=_report(made, deliverable.path), deliverables=(deliverable,))


def period_of(text: str) -> date:
    """Return the one day that a text names, or the last day of its one month.

    Raises:
        ToolInputError: it names none, or several.
    """
    days = set(re.findall(r"\b(?:19|20)\d{2}-\d{2}-\d{2}\b", text))
    month = find_month(text)
    try:
        if len(days) == 1:
            return date.fromisoformat(days.pop())
    except ValueError as problem:
        raise ToolInputError(f"{text[:80]!r} names no day of the calendar.") from problem
    if days or month is None:
        raise ToolInputError("Name the end of the period in `period_end`, such as 2025-03-31.")
    return month.last


def _report(made: Plan, path: str) -> dict[str, Any]:
    statuses: dict[str, int] = {}
    for task in made.tasks:
        statuses[task.status] = statuses.get(task.status, 0) + 1
    critical = [
        {
            "id": task.id, "task": task.title, "owner": task.owner,
            "start": made.slots[task.id].start.isoformat(), "end": made.slots[task.id].end.isoformat(),
        }
        for task in made.critical()
    ]  # fmt: skip
    matters = [f"{one} {what}" for one, what in made.matters()]
    return {
        "path": path,
        "tasks": len(made.tasks),
        "period_end": made.end.isoformat(),
        "first": made.first.isoformat(),
        "last": made.last.isoformat(),
        "workdays": made.calendar.between(made.first, made.last) + 1,
        "holidays": len(made.calendar.holidays),
        "critical": critical[:SHOWN],
        "critical_list": "\n".join(
            f"{c['id']}, {c['start']} to {c['end']}: {c['task']} ({c['owner']})"
            for c in critical[:SHOWN]
        ),
        "matter_count": len(matters),
        "matters": "\n".join(matters[:SHOWN]) or "Nothing.",
        "by_status": statuses,
        "status_list": ", ".join(f"{count} {name}" for name, count in sorted(statuses.items())),
    }
