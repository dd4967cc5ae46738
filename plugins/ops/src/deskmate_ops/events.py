"""Measures a process from its event log: cases, variants, durations, waiting per activity."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from itertools import pairwise

from deskmate.plugin import ToolInputError
from deskmate_documents.tables import Cell, Table, find_column, parse_times

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
    "time",
    "completed",
    "complete timestamp",
    "date",
    "start",
)
SETTINGS = frozenset(("case", "activity", "timestamp", "order", "sheet"))
VARIANTS_SHOWN = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event. `row`: in the file."""

    case: str
    activity: str
    at: datetime
    row: int


def read_events(table: Table, settings: Mapping[str, str]) -> list[Event]:
    """Return the events, ordered by case and time; events of one moment keep the file's order.

    Raises:
        ToolInputError: a column is missing, or a row lacks a case, an activity or a time.
    """
    unknown = set(settings) - SETTINGS
    if unknown:
        raise ToolInputError(
            f"Setting {min(unknown)!r} is unknown; use {', '.join(sorted(SETTINGS))}."
        )
    columns: dict[str, str] = {}
    for what, known in (("case", CASES), ("activity", ACTIVITIES), ("timestamp", TIMES)):
        column = find_column(table, known, settings.get(what, ""))
        if column is None or column in columns.values():
            raise ToolInputError(
                f"{table.name} has no {what} column; it has {', '.join(table.columns)}."
            )
        columns[what] = column
    where = f"{table.name}, {columns['timestamp']}"
    times = parse_times(table.values(columns["timestamp"]), where, settings.get("order", ""))
    cases, activities = table.values(columns["case"]), table.values(columns["activity"])
    events = []
    for (row, case), (_, activity), at in zip(cases, activities, times, strict=True):
        if not case or not activity or at is None:
            raise ToolInputError(f"{table.name}, row {row}: case, activity or time is missing.")
        events.append(Event(case=case, activity=activity, at=at, row=row))
    if not events:
        raise ToolInputError(f"{table.name} has no events.")
    return sorted(events, key=lambda event: (event.case, event.at, event.row))


def metrics(events: Sequence[Event]) -> dict[str, list[list[Cell]]]:
    """Return the sheets Summary, Variants, Activities and Handovers; durations are hours, two decimals."""
    cases: dict[str, list[Event]] = {}
    for event in events:
        cases.setdefault(event.case, []).append(event)
    variants: dict[tuple[str, ...], list[timedelta]] = {}
    for trace in cases.values():
        variants.setdefault(tuple(e.activity for e in trace), []).append(trace[-1].at - trace[0].at)
    return {
        "Summary": _summary(events, cases, variants),
        "Variants": _variants(variants, len(cases)),
        "Activities": _activities(cases),
        "Handovers": _handovers(cases),
    }


def _summary(
    events: Sequence[Event],
    cases: Mapping[str, list[Event]],
    variants: Mapping[tuple[str, ...], list[timedelta]],
) -> list[list[Cell]]:
    spans = [trace[-1].at - trace[0].at for trace in cases.values()]
    rework = sum(len({e.activity for e in trace}) < len(trace) for trace in cases.values())
    return [
        ["Line", "Value"],
        ["Events", len(events)],
        ["Cases", len(cases)],
        ["Variants", len(variants)],
        ["Cases with a repeated activity", rework],
        ["First event", stamp(min(e.at for e in events))],
        ["Last event", stamp(max(e.at for e in events))],
        ["Median hours per case", hours(_median(spans))],
        ["Mean hours per case", hours(sum(spans, timedelta()) / len(spans))],
        ["Longest hours of a case", hours(max(spans))],
    ]


def _variants(variants: Mapping[tuple[str, ...], list[timedelta]], cases: int) -> list[list[Cell]]:
    rows: list[list[Cell]] = [
        ["Variant", "Cases", "Share in %", "Median hours", "Activities in order"]
    ]
    ranked = sorted(variants.items(), key=lambda item: (-len(item[1]), item[0]))
    for number, (path, spans) in enumerate(ranked, start=1):
        share = (Decimal(100 * len(spans)) / cases).quantize(Decimal("0.01"), ROUND_HALF_EVEN)
        rows.append([number, len(spans), share, hours(_median(spans)), " → ".join(path)])
    return rows


def _activities(cases: Mapping[str, list[Event]]) -> list[list[Cell]]:
    count: Counter[str] = Counter()
    within: Counter[str] = Counter()
    for trace in cases.values():
        count.update(event.activity for event in trace)
        within.update({event.activity for event in trace})
    rows: list[list[Cell]] = [["Activity", "Events", "Cases", "Repeats"]]
    rows += [
        [name, n, within[name], n - within[name]]
        for name, n in sorted(count.items(), key=lambda i: (-i[1], i[0]))
    ]
    return rows


def _handovers(cases: Mapping[str, list[Event]]) -> list[list[Cell]]:
    waits: dict[tuple[str, str], list[timedelta]] = {}
    for trace in cases.values():
        for one, other in pairwise(trace):
            waits.setdefault((one.activity, other.activity), []).append(other.at - one.at)
    ranked = sorted(waits.items(), key=lambda item: (-sum(item[1], timedelta()), item[0]))
    rows: list[list[Cell]] = [["From", "To", "Times", "Median hours", "Total hours"]]
    rows += [[a, b, len(w), hours(_median(w)), hours(sum(w, timedelta()))] for (a, b), w in ranked]
    return rows


def _median(spans: Sequence[timedelta]) -> timedelta:
    ordered = sorted(spans)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def hours(span: timedelta) -> Decimal:
    """Return a span in hours with two decimals, half to even."""
    microseconds = span // timedelta(microseconds=1)
    return (Decimal(microseconds) / 3_600_000_000).quantize(Decimal("0.01"), ROUND_HALF_EVEN)


def stamp(moment: datetime) -> str:
    """Return a time as people read it, with its zone only where that is not UTC."""
    shown = moment if moment.utcoffset() else moment.replace(tzinfo=None)
    return shown.isoformat(sep=" ")
