"""Reads event logs: CSV, workbooks and XES, as events of cases in the order in which they were completed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from deskmate.plugin import ToolInputError
from deskmate_documents.tables import Table, find_column, parse_times, read_table
from deskmate_ops.xes import ENDINGS, read_xes

CASES = (
    "case",
    "case id",
    "caseid",
    "case:concept:name",
    "case concept name",
    "ticket",
    "order id",
    "incident",
    "id",
)
ACTIVITIES = (
    "activity",
    "concept:name",
    "concept name",
    "event",
    "step",
    "task",
    "status",
    "action",
)
TIMES = (
    "timestamp",
    "time:timestamp",
    "time timestamp",
    "complete timestamp",
    "end timestamp",
    "completed",
    "end time",
    "end",
    "finish",
    "time",
    "date",
    "start",
)
STARTS = ("start timestamp", "start time", "started", "start", "begin")
TRANSITIONS = ("lifecycle:transition", "lifecycle transition", "lifecycle")
COLUMNS = {
    "case": CASES,
    "activity": ACTIVITIES,
    "timestamp": TIMES,
    "start": STARTS,
    "lifecycle": TRANSITIONS,
}
NEEDED = ("case", "activity", "timestamp")
SETTINGS = frozenset((*COLUMNS, "order", "sheet", "hours"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event. `at`: when it was completed. `start`: when work on it began, if the log says so. `row`: in the file.

    `open`: it was started and never completed; `at` is its start then.
    """

    case: str
    activity: str
    at: datetime
    row: int
    start: datetime | None = None
    open: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """The events by case and time. `left_out`: transition → how many rows of the log are no event of their own."""

    events: tuple[Event, ...]
    left_out: Mapping[str, int]

    @property
    def has_starts(self) -> bool:
        """Say whether working time is known."""
        return any(event.start is not None for event in self.events)


def read_log(file: Path, name: str, settings: Mapping[str, str]) -> Log:
    """Return the events of a log file.

    Raises:
        ToolInputError: it cannot be read, a column is missing, or a row lacks a case, an activity or a time.
    """
    unknown = set(settings) - SETTINGS
    if unknown:
        raise ToolInputError(
            f"Setting {min(unknown)!r} is unknown; use {', '.join(sorted(SETTINGS))}."
        )
    if name.lower().endswith(ENDINGS):
        return read_events(read_xes(file, name), settings)
    return read_events(read_table(file, name=name, sheet=settings.get("sheet", "")), settings)


def read_events(table: Table, settings: Mapping[str, str]) -> Log:
    """Return the events, ordered by case and time; events of one moment keep the file's order.

    Raises:
        ToolInputError: a column is missing, or a row lacks a case, an activity or a time.
    """
    columns = _columns(table, settings)
    moments = _times(table, columns["timestamp"], settings)
    starts = _times(table, columns["start"], settings) if "start" in columns else None
    cases, activities = table.values(columns["case"]), table.values(columns["activity"])
    kinds = table.values(columns["lifecycle"]) if "lifecycle" in columns else None
    events: list[Event] = []
    steps: list[str] = []
    for place, ((row, case), (_, activity), at) in enumerate(
        zip(cases, activities, moments, strict=True)
    ):
        if not case or not activity or at is None:
            raise ToolInputError(f"{table.name}, row {row}: case, activity or time is missing.")
        start = starts[place] if starts else None
        if start is not None and start > at:
            raise ToolInputError(f"{table.name}, row {row}: it starts after it ends.")
        events.append(Event(case=case, activity=activity, at=at, row=row, start=start))
        steps.append(kinds[place][1].lower() if kinds else "")
    if not events:
        raise ToolInputError(f"{table.name} has no events.")
    found, left_out = _paired(events, steps)
    if not found:
        raise ToolInputError(f"{table.name} has no event that was started or completed.")
    ordered = sorted(found, key=lambda event: (event.case, event.at, event.row))
    return Log(events=tuple(ordered), left_out=left_out)


def _columns(table: Table, settings: Mapping[str, str]) -> dict[str, str]:
    columns: dict[str, str] = {}
    for what, known in COLUMNS.items():
        exact = {" ".join(column.lower().replace("_", " ").split()) for column in table.columns}
        named = settings.get(what, "")
        if what not in NEEDED and not named and not exact & set(known):
            continue
        column = find_column(table, known, named)
        if column is None or column in columns.values():
            if what in NEEDED:
                raise ToolInputError(
                    f"{table.name} has no {what} column; it has {', '.join(table.columns)}."
                )
            continue
        columns[what] = column
    return columns


def _times(table: Table, column: str, settings: Mapping[str, str]) -> list[datetime | None]:
    where = f"{table.name}, {column}"
    return parse_times(table.values(column), where, settings.get("order", ""))


def _paired(events: Sequence[Event], steps: Sequence[str]) -> tuple[list[Event], Mapping[str, int]]:
    """Join each completion with its start, the earliest first; other transitions are left out and counted."""
    waiting: dict[tuple[str, str], list[Event]] = {}
    found: list[Event] = []
    left_out: Counter[str] = Counter()
    order = sorted(zip(events, steps, strict=True), key=lambda pair: (pair[0].at, pair[0].row))
    for event, step in order:
        if step == "start":
            waiting.setdefault((event.case, event.activity), []).append(event)
        elif step in ("", "complete"):
            begun = waiting.get((event.case, event.activity))
            found.append(replace(event, start=begun.pop(0).at) if begun else event)
        else:
            left_out[step] += 1
    for begun in waiting.values():
        found += [replace(event, open=True) for event in begun]
    return found, dict(sorted(left_out.items()))
