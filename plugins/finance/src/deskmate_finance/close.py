"""A close plan: tasks with owners and what they wait for, put on workdays, with slack and critical path."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from deskmate.plugin import ToolInputError
from deskmate_documents.tables import Table, find_column, read_table
from deskmate_finance.workdays import Workdays

NAMES: Mapping[str, Sequence[str]] = {
    "id": ("id", "no", "number", "task id", "step"),
    "task": ("task", "description", "activity", "title", "name"),
    "owner": ("owner", "responsible", "assignee"),
    "days": ("workdays", "days", "duration"),
    "after": ("after", "depends on", "predecessors", "waits for", "dependencies"),
    "earliest": ("earliest", "earliest start", "start", "not before"),
    "due": ("due", "deadline", "due date"),
    "status": ("status", "state"),
    "evidence": ("evidence", "link", "workpaper"),
}  # fmt: skip
STATUSES = ("open", "in progress", "blocked", "done")
_ALSO = {"": "open", "not started": "open", "todo": "open", "started": "in progress", "complete": "done", "completed": "done", "closed": "done"}  # fmt: skip
TASKS_LIMIT = 300
DAYS_LIMIT = 60
FIRST = "T+1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One task as the file has it. `after`: ids. `days`: workdays it takes, at least 1."""

    number: int
    id: str
    title: str
    owner: str
    days: int
    after: tuple[str, ...]
    earliest: date | None
    due: date | None
    status: str
    evidence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """When a task is done: first and last day, and the last day that holds up nothing. `slack`: workdays between."""

    start: date
    end: date
    latest_end: date
    latest_start: date
    slack: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All tasks in the order of the file with their slots."""

    tasks: tuple[Task, ...]
    slots: Mapping[str, Slot]
    end: date
    calendar: Workdays

    @property
    def first(self) -> date:
        """The first day on which somebody works."""
        return min(slot.start for slot in self.slots.values())

    @property
    def last(self) -> date:
        """The day on which all is done."""
        return max(slot.end for slot in self.slots.values())

    def successors(self, task: Task) -> list[Task]:
        """Return the tasks that wait for one."""
        return [other for other in self.tasks if task.id in other.after]

    def critical(self) -> list[Task]:
        """Return the tasks without slack, by their start."""
        found = [task for task in self.tasks if self.slots[task.id].slack == 0]
        return sorted(found, key=lambda task: (self.slots[task.id].start, task.number))

    def late(self, task: Task) -> int:
        """Return by how many workdays a task ends after it is due, 0 if it does not."""
        if task.due is None:
            return 0
        return max(0, self.calendar.between(task.due, self.slots[task.id].end))

    def matters(self) -> Iterator[tuple[str, str]]:
        """Yield (task id, what to look at)."""
        by_id = {task.id: task for task in self.tasks}
        for task in self.tasks:
            late = self.late(task)
            if late:
                yield task.id, f"ends {late} workday{'s' if late > 1 else ''} after it is due"
            if task.status == "done" and not task.evidence:
                yield task.id, "is done without evidence"
            waits = [one for one in task.after if by_id[one].status != "done"]
            if task.status == "done" and waits:
                yield task.id, f"is done before {', '.join(waits)}"


def read_tasks(
    file: Path, name: str, wanted: Mapping[str, str], end: date, calendar: Workdays
) -> tuple[Task, ...]:
    """Return the tasks of a CSV or XLSX file.

    Args:
        file: the real path.
        name: its workspace path, for messages.
        wanted: names of columns where they cannot be told, and `sheet`.
        end: the last day of the period that is closed; T is its last workday.
        calendar: which days are workdays.

    Raises:
        ToolInputError: a column is missing, a cell cannot be read, a task has no owner, or an id stands twice.
    """
    table = read_table(file, name=name, sheet=wanted.get("sheet", ""))
    columns = {key: find_column(table, known, wanted.get(key, "")) for key, known in NAMES.items()}
    for key in ("id", "task", "owner"):
        if columns[key] is None:
            raise ToolInputError(
                f"{name} has no column for the {key}; it has {', '.join(table.columns)}."
            )
    tasks = [
        _task(_cells(table, columns, index), row.number, (end, calendar), f"{name}, row {row.number}")
        for index, row in enumerate(table.rows)
    ]  # fmt: skip
    if not 1 <= len(tasks) <= TASKS_LIMIT:
        raise ToolInputError(f"{name} has {len(tasks)} tasks; give 1 to {TASKS_LIMIT}.")
    known: dict[str, int] = {}
    for task in tasks:
        if known.setdefault(task.id, task.number) != task.number:
            raise ToolInputError(f"{name}, rows {known[task.id]} and {task.number}: the id {task.id} stands twice.")  # fmt: skip
    for task in tasks:
        unknown = [one for one in task.after if one not in known]
        if unknown:
            raise ToolInputError(
                f"{name}, row {task.number}: {task.id} waits for {unknown[0]}, which is no task."
            )
    return tuple(tasks)


def _cells(table: Table, columns: Mapping[str, str | None], index: int) -> dict[str, str]:
    cells = table.rows[index].cells
    return {
        key: " ".join(cells[table.columns.index(column)].split()) if column else ""
        for key, column in columns.items()
    }


def _task(cells: Mapping[str, str], number: int, when: tuple[date, Workdays], where: str) -> Task:
    end, calendar = when
    if not cells["id"] or not cells["task"] or not cells["owner"]:
        raise ToolInputError(f"{where}: a task needs an id, a title and an owner.")
    if not re.fullmatch(r"[1-9]\d{0,1}|", cells["days"]):
        raise ToolInputError(f"{where}: {cells['days']!r} is no number of workdays from 1 to 99.")
    status = _ALSO.get(cells["status"].lower(), cells["status"].lower())
    if status not in STATUSES:
        raise ToolInputError(
            f"{where}: the status is {', '.join(STATUSES)}, not {cells['status']}."
        )
    days = {
        key: calendar.day_of(cells[key], end, where) if cells[key] else None
        for key in ("earliest", "due")
    }
    return Task(
        number=number, id=cells["id"], title=cells["task"], owner=cells["owner"], days=int(cells["days"] or 1),
        after=tuple(dict.fromkeys(re.findall(r"[^\s,;]+", cells["after"]))), earliest=days["earliest"], due=days["due"],
        status=status, evidence=cells["evidence"],
    )  # fmt: skip


def plan(tasks: Sequence[Task], end: date, calendar: Workdays) -> Plan:
    """Return the plan: each task as early as what it waits for allows, the rest as late as nothing is held up.

    Raises:
        ToolInputError: tasks wait for each other in a circle, or the plan is longer than 60 workdays.
    """
    order = _order(tasks)
    first = calendar.day_of(FIRST, end, "the plan")
    spans: dict[str, tuple[date, date]] = {}
    for task in order:
        ends = [spans[one][1] for one in task.after]
        begins = [calendar.add(max(ends), 1)] if ends else []
        if task.earliest is not None or not ends:
            begins.append(task.earliest or first)
        start = max(begins)
        spans[task.id] = (start, calendar.add(start, task.days - 1))
    last = max(span[1] for span in spans.values())
    if calendar.between(min(span[0] for span in spans.values()), last) >= DAYS_LIMIT:
        raise ToolInputError(f"The plan is longer than {DAYS_LIMIT} workdays; look at its dates.")
    slots: dict[str, Slot] = {}
    for task in reversed(order):
        waiting = [slots[other.id].latest_start for other in tasks if task.id in other.after]
        latest_end = calendar.add(min(waiting), -1) if waiting else last
        latest_start = calendar.add(latest_end, 1 - task.days)
        start, finish = spans[task.id]
        slots[task.id] = Slot(
            start=start, end=finish, latest_end=latest_end, latest_start=latest_start,
            slack=calendar.between(start, latest_start),
        )  # fmt: skip
    return Plan(tasks=tuple(tasks), slots=slots, end=end, calendar=calendar)


def _order(tasks: Sequence[Task]) -> list[Task]:
    """Return the tasks so that each stands behind what it waits for. Raises ToolInputError with the circle."""
    left = {task.id: task for task in tasks}
    order: list[Task] = []
    while left:
        free = [task for task in left.values() if not any(one in left for one in task.after)]
        if not free:
            raise ToolInputError(f"Tasks wait for each other: {' → '.join(_circle(left))}.")
        for task in free:
            order.append(left.pop(task.id))
    return order


def _circle(left: Mapping[str, Task]) -> list[str]:
    path: list[str] = [next(iter(left))]
    while True:
        following = next(one for one in left[path[-1]].after if one in left)
        if following in path:
            return [*path[path.index(following) :], following]
        path.append(following)
