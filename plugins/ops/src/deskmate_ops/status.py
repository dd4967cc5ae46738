"""The status of work from its lists: tasks by workstream, key figures against targets, red, amber or green by figures alone."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from deskmate.plugin import ToolInputError
from deskmate_documents.tables import Table, find_column, parse_amounts, parse_times
from deskmate_ops.risks import NOBODY

RED, AMBER, GREEN, OPEN = "Red", "Amber", "Green", "No target"
TASK_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "task": (
        "task",
        "action",
        "deliverable",
        "milestone",
        "title",
        "item",
        "description",
        "name",
        "summary",
    ),
    "stream": ("workstream", "stream", "project", "area", "epic", "team", "category"),
    "owner": ("owner", "assignee", "responsible", "assigned to", "lead"),
    "due": ("due", "due date", "deadline", "target date", "finish", "end date"),
    "status": ("status", "state", "progress"),
    "id": ("id", "task id", "key", "ref", "no"),
}
KPI_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "kpi": ("kpi", "metric", "measure", "indicator", "key figure", "name"),
    "value": ("value", "actual", "current", "result"),
    "target": ("target", "goal", "plan", "threshold"),
    "better": ("better", "direction", "good is", "polarity"),
    "date": ("date", "as of", "measured on", "period end"),
    "source": ("source", "system", "taken from", "data source"),
    "unit": ("unit", "units"),
}
DONE = frozenset(
    ("done", "closed", "complete", "completed", "finished", "resolved", "shipped", "delivered")
)
DROPPED = frozenset(("cancelled", "canceled", "dropped", "rejected", "won't do", "obsolete"))
BLOCKED = frozenset(("blocked", "on hold", "waiting", "stuck"))
WAITING = frozenset(
    ("open", "new", "to do", "todo", "not started", "planned", "backlog", "pending")
)
ACTIVE = frozenset(
    (
        "in progress",
        "started",
        "ongoing",
        "doing",
        "in review",
        "review",
        "on track",
        "at risk",
        "active",
        "testing",
    )
)
LOWER = frozenset(("lower", "low", "down", "less", "smaller", "min", "decrease"))
HIGHER = frozenset(("higher", "high", "up", "more", "larger", "max", "increase", ""))
UNSORTED = "(no workstream)"
NOT_NAMED = "not named"
ROWS_LIMIT, STREAMS_LIMIT, KPIS_LIMIT = 5_000, 20, 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """From where on a workstream is red, and what counts as soon; how far from its target a figure is amber."""

    red_share: Decimal = Decimal("0.2")
    red_days: int = 14
    soon_days: int = 7
    kpi_amber: Decimal = Decimal("0.1")
    stale_days: int = 45

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Limits:
        """Return the limits of the settings. Raises ToolInputError."""
        try:
            made = cls(
                red_share=Decimal(str(config.get("status_red_share", "0.2"))),
                red_days=int(config.get("status_red_days", 14)),
                soon_days=int(config.get("status_soon_days", 7)),
                kpi_amber=Decimal(str(config.get("status_kpi_amber", "0.1"))),
                stale_days=int(config.get("status_stale_days", 45)),
            )
        except (InvalidOperation, ValueError, TypeError) as problem:
            raise ToolInputError(
                "The settings status_… are figures, shares such as 0.2 or days."
            ) from problem
        shares = (made.red_share, made.kpi_amber)
        days = (made.red_days, made.soon_days, made.stale_days)
        if not all(s.is_finite() and 0 < s <= 1 for s in shares) or not all(
            1 <= d <= 366 for d in days
        ):
            raise ToolInputError(
                "The settings status_… are shares from above 0 to 1, or 1 to 366 days."
            )
        return made


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One row. `state`: done, dropped, blocked, waiting, active, or empty where the words say nothing known."""

    row: int
    id: str
    task: str
    stream: str
    owner: str
    due: date | None
    status: str
    state: str

    @property
    def is_open(self) -> bool:
        """Say whether there is still something to do."""
        return self.state not in ("done", "dropped")

    def late(self, today: date) -> int:
        """Return the days by which it is overdue, 0 if it is not."""
        return max((today - self.due).days, 0) if self.is_open and self.due is not None else 0

    def is_soon(self, today: date, limits: Limits) -> bool:
        """Say whether it is due within the next days."""
        return (
            self.is_open
            and self.due is not None
            and 0 <= (self.due - today).days <= limits.soon_days
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """One workstream in figures."""

    name: str
    tasks: int
    done: int
    overdue: int
    blocked: int
    soon: int
    latest: int
    rag: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Kpi:
    """One key figure. `value`, `target`: as the source writes them; `figures`: read."""

    row: int
    kpi: str
    value: str
    target: str
    unit: str
    lower: bool
    day: date | None
    source: str
    figures: tuple[Decimal, Decimal | None]


def read_tasks(table: Table, settings: Mapping[str, str]) -> list[Task]:
    """Return the tasks of a list.

    Raises:
        ToolInputError: no column of tasks or of states, a date that is none, too many rows or workstreams.
    """
    columns = _columns(table, TASK_COLUMNS, settings, ("task", "status"))
    if not 1 <= len(table.rows) <= ROWS_LIMIT:
        raise ToolInputError(f"{table.name} has {len(table.rows)} tasks; give 1 to {ROWS_LIMIT}.")
    cells = {what: [text for _, text in table.values(column)] for what, column in columns.items()}
    dates = (
        parse_times(
            table.values(columns["due"]),
            f"{table.name}, {columns['due']}",
            settings.get("order", ""),
        )
        if "due" in columns
        else [None] * len(table.rows)
    )
    tasks = []
    for place, (row, due) in enumerate(zip(table.rows, dates, strict=True)):
        own = {what: " ".join(texts[place].split()) for what, texts in cells.items()}
        if not own["task"]:
            raise ToolInputError(f"{table.name}, row {row.number}: there is no task.")
        owner = own.get("owner", "")
        tasks.append(
            Task(
                row=row.number,
                id=own.get("id", ""),
                task=own["task"],
                stream=own.get("stream", "") or UNSORTED,
                owner="" if NOBODY.fullmatch(owner) else owner,
                due=due.date() if due else None,
                status=own["status"],
                state=state_of(own["status"]),
            )
        )
    if len({task.stream for task in tasks}) > STREAMS_LIMIT:
        raise ToolInputError(
            f"{table.name} has more than {STREAMS_LIMIT} workstreams; name a coarser column as `stream`."
        )
    return tasks


def state_of(status: str) -> str:
    """Return what a status means; empty: it is not known."""
    plain = " ".join(status.lower().replace("_", " ").split())
    kinds = (
        ("done", DONE),
        ("dropped", DROPPED),
        ("blocked", BLOCKED),
        ("waiting", WAITING),
        ("active", ACTIVE),
    )
    found = next((name for name, words in kinds if plain in words), "")
    return "done" if not found and re.fullmatch(r"100 ?%", plain) else found


def _columns(
    table: Table,
    known: Mapping[str, tuple[str, ...]],
    settings: Mapping[str, str],
    needed: Sequence[str],
) -> dict[str, str]:
    found: dict[str, str] = {}
    plain = {
        " ".join(re.findall(r"\w+", c.replace("_", " ").lower())): c
        for c in reversed(table.columns)
    }
    for what, names in known.items():
        column = (
            find_column(table, names, settings[what])
            if settings.get(what)
            else next(
                (plain[n] for n in names if n in plain and plain[n] not in found.values()), None
            )
        )
        if column is not None:
            found[what] = column
        elif what in needed:
            raise ToolInputError(
                f"{table.name} has no column for {what}; it has {', '.join(table.columns)}."
            )
    return found


def read_kpis(table: Table, settings: Mapping[str, str]) -> list[Kpi]:
    """Return the key figures of a table.

    Raises:
        ToolInputError: no column of names or values, a figure or date that is none, a direction that is not known.
    """
    columns = _columns(table, KPI_COLUMNS, {}, ("kpi", "value"))
    if not 1 <= len(table.rows) <= KPIS_LIMIT:
        raise ToolInputError(
            f"{table.name} has {len(table.rows)} key figures; give 1 to {KPIS_LIMIT}."
        )
    cells = {what: table.values(column) for what, column in columns.items()}
    values = _figures(cells["value"], f"{table.name}, {columns['value']}")
    empty = [(number, "") for number, _ in cells["value"]]
    targets = _figures(cells.get("target", empty), f"{table.name}, target")
    days = parse_times(cells.get("date", empty), f"{table.name}, date", settings.get("order", ""))
    found = []
    for place, row in enumerate(table.rows):
        own = {what: " ".join(texts[place][1].split()) for what, texts in cells.items()}
        value, better = values[place], own.get("better", "").lower().partition(" ")[0]
        where = f"{table.name}, row {row.number}"
        if value is None or not own["kpi"]:
            raise ToolInputError(f"{where}: name and value of a key figure are needed.")
        if better not in LOWER | HIGHER:
            raise ToolInputError(
                f"{where}: {own['better']!r} is no direction; say higher or lower."
            )
        day = days[place]
        found.append(
            Kpi(
                row=row.number,
                kpi=own["kpi"],
                value=own["value"],
                target=own.get("target", ""),
                unit=own.get("unit", ""),
                lower=better in LOWER,
                day=day.date() if day else None,
                source=own.get("source", ""),
                figures=(value, targets[place]),
            )
        )
    return found


def _figures(values: Sequence[tuple[int, str]], where: str) -> list[Decimal | None]:
    """Return figures; a percentage counts as its number, so that both sides of a comparison must be one."""
    return parse_amounts([(number, text.replace("%", "")) for number, text in values], where)


def streams_of(tasks: Sequence[Task], today: date, limits: Limits) -> list[Stream]:
    """Return the workstreams in figures, the worst first."""
    found = []
    for name in dict.fromkeys(task.stream for task in tasks):
        own = [task for task in tasks if task.stream == name and task.state != "dropped"]
        open_ = [task for task in own if task.is_open]
        late = [task.late(today) for task in open_ if task.late(today)]
        blocked = sum(task.state == "blocked" for task in open_)
        rag, why = rag_of((len(open_), len(late), max(late, default=0), blocked), limits)
        found.append(
            Stream(
                name=name,
                tasks=len(own),
                done=len(own) - len(open_),
                overdue=len(late),
                blocked=blocked,
                soon=sum(task.is_soon(today, limits) for task in open_),
                latest=max(late, default=0),
                rag=rag,
                why=why,
            )
        )
    order = [RED, AMBER, GREEN]
    return sorted(found, key=lambda stream: (order.index(stream.rag), stream.name.lower()))


def rag_of(figures: tuple[int, int, int, int], limits: Limits) -> tuple[str, str]:
    """Return the colour of a workstream and why.

    Args:
        figures: open tasks, overdue ones, days by which the latest is overdue, blocked ones.
        limits: from where on it is red.
    """
    open_, late, days, blocked = figures
    if late and days > limits.red_days:
        return RED, f"a task is {days} days late, more than {limits.red_days}"
    if late and Decimal(late) / open_ >= limits.red_share:
        return (
            RED,
            f"{late} of {open_} open tasks are late, from {limits.red_share:.0%} on it is red",
        )
    if late:
        return AMBER, f"{late} of {open_} open tasks are late"
    if blocked:
        return AMBER, f"{blocked} of {open_} open tasks are blocked"
    return GREEN, "nothing is late or blocked" if open_ else "everything is done"


def kpi_state(kpi: Kpi, limits: Limits) -> str:
    """Return the colour of a key figure: at its target, within so much of it, or worse."""
    value, target = kpi.figures
    if target is None:
        return OPEN
    gap = value - target if kpi.lower else target - value
    if gap <= 0:
        return GREEN
    return AMBER if gap <= abs(target) * limits.kpi_amber else RED


def gaps_of(
    tasks: Sequence[Task], kpis: Sequence[Kpi], today: date, limits: Limits
) -> list[tuple[str, int, str]]:
    """Return (list, row, what is missing) of what the lists leave open."""
    found = []
    for task in tasks:
        if not task.is_open:
            continue
        if not task.owner:
            found.append(("tasks", task.row, f"{task.task[:60]}: no owner"))
        if task.due is None:
            found.append(("tasks", task.row, f"{task.task[:60]}: no due date"))
        if not task.state:
            found.append(
                (
                    "tasks",
                    task.row,
                    f"{task.task[:60]}: status {task.status or 'empty'} is not known, taken as open",
                )
            )
    for kpi in kpis:
        for missing, what in (
            (not kpi.target, "no target"),
            (kpi.day is None, "no date"),
            (not kpi.source, "no source"),
        ):
            if missing:
                found.append(("kpis", kpi.row, f"{kpi.kpi}: {what}"))
        if kpi.day is not None and (today - kpi.day).days > limits.stale_days:
            found.append(("kpis", kpi.row, f"{kpi.kpi}: {(today - kpi.day).days} days old"))
    return found
