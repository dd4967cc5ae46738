"""The workbook of a close plan: dates, slack and lateness as formulas of durations and predecessors, and a calendar."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

from deskmate_documents.xlsx.book import Workbook
from deskmate_documents.xlsx.cells import serial
from deskmate_finance.close import FIRST, STATUSES, Plan, Task
from deskmate_finance.looks import looks, styled
from deskmate_finance.made import Rows, heads, top, words
from deskmate_finance.workbook import cells_of, figure_at

PLAN, CALENDAR, OWNERS, MATTERS, FREE = "Plan", "Calendar", "Owners", "To look at", "Holidays"
HEAD = 6
INPUTS = {PLAN: frozenset((4, 6, 9)), FREE: frozenset((1,))}
TOP_CELLS = frozenset({f"{PLAN}!C4"})
_FIGURES = frozenset(
    ("Workdays", "Earliest", "Start", "End", "Due", "Workdays late", "Latest end", "Latest start", "Slack", "Tasks", "Critical", "Done")
)  # fmt: skip
MARK = "■"


def sheets(made: Plan, source: str) -> list[dict[str, Any]]:
    """Return the workbook's sheets, as `build_workbook` takes them."""
    style = looks() | {"mark": {"align": "center", "color": "1F3864"}, "day head": {"bold": True, "bottom": True, "number_format": "dd mmm", "align": "center"}}  # fmt: skip
    common = {"looks": style, "print": "landscape", "header": 0}
    days = made.calendar.between(made.first, made.last) + 1
    return [
        common | {"name": PLAN, "rows": _plan(made, source), "freeze": f"C{HEAD + 1}",
                  "widths": [8, 36, 14, 10, 14, 12, 12, 12, 12, 10, 12, 12, 8, 10, 12, 24]},
        common | {"name": CALENDAR, "rows": _calendar(made, days), "freeze": f"D{HEAD + 1}", "widths": [8, 36, 14, *[7] * days]},
        common | {"name": OWNERS, "rows": _owners(made), "freeze": f"A{HEAD + 1}", "widths": [20, 10, 12, 10, 10]},
        common | {"name": MATTERS, "rows": _matters(made), "widths": [10, 40, 60]},
        common | {"name": FREE, "rows": _free(made), "widths": [30]},
    ]  # fmt: skip


def _over(made: Plan) -> str:
    """Return the argument that names the holidays, with its comma; "" where there are none."""
    count = len(made.calendar.holidays)
    return f",{FREE}!$A${HEAD + 1}:$A${HEAD + count}" if count else ""


def _plan(made: Plan, source: str) -> Rows:
    rows = top(
        f"Close plan for the period to {made.end}",
        f"From {source}. T is the last workday of the period; blue and dated inputs are the file's.",
    )
    rows[3:] = [[words("Tasks without a start begin on", "note"), None, styled({"date": made.calendar.day_of(FIRST, made.end, "").isoformat()}, "day")], []]  # fmt: skip
    titles = (
        "Id", "Task", "Owner", "Workdays", "After", "Earliest", "Start", "End", "Due", "Workdays late", "Latest end",
        "Latest start", "Slack", "Critical", "Status", "Evidence",
    )  # fmt: skip
    rows.append(heads(titles, _FIGURES))
    at = {task.id: HEAD + 1 + place for place, task in enumerate(made.tasks)}
    rows += [_task(made, task, at) for task in made.tasks]
    return rows


def _task(made: Plan, task: Task, at: dict[str, int]) -> list[Any]:
    row, over = at[task.id], _over(made)
    last = HEAD + len(made.tasks)
    ends = ",".join(f"H{at[one]}" for one in task.after)
    begins = [f"WORKDAY(MAX({ends}),1{over})"] if ends else []
    if task.earliest is not None:
        begins.append(f"F{row}")
    elif not ends:
        begins.append("$C$4")
    later = ",".join(f"L{at[other.id]}" for other in made.successors(task))
    latest_end = f"WORKDAY(MIN({later}),-1{over})" if later else f"MAX($H${HEAD + 1}:$H${last})"
    late = f"=MAX(0,NETWORKDAYS(I{row},H{row}{over})-1)" if task.due else None
    return [
        words(task.id), words(task.title), words(task.owner), styled(task.days, "count"), words(", ".join(task.after)),
        _day(task.earliest), styled(f"=MAX({','.join(begins)})", "day"), styled(f"=WORKDAY(G{row},D{row}-1{over})", "day"),
        _day(task.due), styled(late, "count"), styled(f"={latest_end}", "day"),
        styled(f"=WORKDAY(K{row},1-D{row}{over})", "day"), styled(f"=NETWORKDAYS(G{row},L{row}{over})-1", "count"),
        styled(f'=IF(M{row}=0,"critical","")', "word"), words(task.status), words(task.evidence),
    ]  # fmt: skip


def _day(day: date | None) -> Any:
    return styled({"date": day.isoformat()}, "day") if day else None


def _calendar(made: Plan, days: int) -> Rows:
    rows = top("Calendar", "Workdays from the first start to the last end.")
    rows.append([])
    first, last = HEAD + 1, HEAD + len(made.tasks)
    over = _over(made)
    line: list[Any] = heads(("Id", "Task", "Owner"))
    for place in range(days):
        before = _letter(3 + place - 1)
        formula = (
            f"=WORKDAY({before}{HEAD},1{over})" if place else f"=MIN({PLAN}!$G${first}:$G${last})"
        )
        line.append(styled(formula, "day head"))
    rows.append(line)
    for row in range(first, last + 1):
        task = made.tasks[row - first]
        marks = [
            styled(f'=IF(AND({c}${HEAD}>={PLAN}!$G{row},{c}${HEAD}<={PLAN}!$H{row}),"{MARK}","")', "mark")
            for c in (_letter(3 + place) for place in range(days))
        ]  # fmt: skip
        rows.append([words(task.id), words(task.title), words(task.owner), *marks])
    return rows


def _letter(place: int) -> str:
    """Return the letters of a column, counted from 0."""
    return (chr(64 + place // 26) if place >= 26 else "") + chr(65 + place % 26)


def _owners(made: Plan) -> Rows:
    rows = top("Owners", "Who does how much.")
    rows += [[], heads(("Owner", "Tasks", "Workdays", "Critical", "Done"), _FIGURES)]
    first, last = HEAD + 1, HEAD + len(made.tasks)

    def area(letter: str) -> str:
        return f"{PLAN}!${letter}${first}:${letter}${last}"

    for owner in dict.fromkeys(task.owner for task in made.tasks):
        own = f"{area('C')},$A{len(rows) + 1}"
        figures = (
            f"=COUNTIFS({own})", f"=SUMIFS({area('D')},{own})", f'=COUNTIFS({own},{area("N")},"critical")',
            f'=COUNTIFS({own},{area("O")},"{STATUSES[-1]}")',
        )  # fmt: skip
        rows.append([words(owner), *(styled(figure, "count") for figure in figures)])
    sums = [styled(f"=SUM({c}{HEAD + 1}:{c}{len(rows)})", "total count") for c in "BCDE"]
    rows.append([words("Total", "total title"), *sums])
    return rows


def _matters(made: Plan) -> Rows:
    rows = top("To look at")
    rows.append(heads(("Task", "Title", "What")))
    titles = {task.id: task.title for task in made.tasks}
    found = [[words(one), words(titles[one]), words(what)] for one, what in made.matters()]
    return rows + (found or [[words("Nothing.")]])


def _free(made: Plan) -> Rows:
    rows = top("Holidays", "Days left out besides Saturdays and Sundays.")
    rows += [[], heads(("Day",))]
    return rows + ([[_day(day)] for day in made.calendar.holidays] or [[words("none")]])


def other_dates(file: Path, made: Plan) -> Iterator[tuple[str, str]]:
    """Yield (place, message) of each date or slack in a workbook that is not the one computed without it."""
    cells = cells_of(Workbook(file), PLAN)
    for row, task in enumerate(made.tasks, HEAD + 1):
        slot = made.slots[task.id]
        wanted = {
            "G": serial(slot.start.isoformat(), date1904=False),
            "H": serial(slot.end.isoformat(), date1904=False),
            "K": serial(slot.latest_end.isoformat(), date1904=False),
            "L": serial(slot.latest_start.isoformat(), date1904=False),
            "M": slot.slack,
        }
        for letter, figure in wanted.items():
            found = figure_at(cells, row, ord(letter) - 64)
            if found != figure:
                yield (
                    f"{PLAN}!{letter}{row}",
                    f"{task.id} has {found} here; the plan gives {figure} ({slot.start} to {slot.end}, slack {slot.slack}).",
                )
