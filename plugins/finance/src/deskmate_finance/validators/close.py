"""FIN-CLOSE-PLAN: the plan has no circle, and every date, slack and lateness is computed again from the task list."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date

from deskmate.plugin import Deliverable, Finding, ToolInputError, ValidationContext
from deskmate_finance.close import plan, read_tasks
from deskmate_finance.close_book import other_dates, sheets
from deskmate_finance.made import other_cells
from deskmate_finance.validators.findings import Problem, errors
from deskmate_finance.validators.journal import texts
from deskmate_finance.validators.statements import original
from deskmate_finance.workdays import calendar_of

FIX = "Run close_plan again; change the task list, not the plan."


def close_plans(deliverable: Deliverable, context: ValidationContext) -> Iterable[Finding]:
    """No circle, every task with an owner, its dates by the calendar of workdays, as the task list gives them.

    Source: the critical path method; house for T and workdays (SOURCES.md).
    """
    return errors("FIN-CLOSE-PLAN", _problems(deliverable, context), FIX)


def _problems(deliverable: Deliverable, context: ValidationContext) -> Iterator[Problem]:
    path = deliverable.sources.get("tasks", "")
    try:
        end = date.fromisoformat(str(deliverable.data.get("period_end", "")))
    except ValueError as problem:
        raise ToolInputError("the plan names no end of its period") from problem
    calendar = calendar_of(str(deliverable.data.get("holidays", "")))
    columns = texts(deliverable.data.get("columns"))
    tasks = read_tasks(original(context, path, "task list"), path, columns, end, calendar)
    made = plan(tasks, end, calendar)
    yield from other_cells(context.file, sheets(made, path))
    yield from other_dates(context.file, made)
