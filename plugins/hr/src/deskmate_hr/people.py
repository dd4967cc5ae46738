"""Counts people by group from an employee table: headcount, leavers, shares, with small cells hidden."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal

from deskmate.plugin import ToolInputError
from deskmate_documents.tables import Row, Table, find_column, parse_times
from deskmate_hr.suppression import SMALLEST, suppressed

HIDDEN = "–"
NOT_STATED = "(not stated)"
TOTAL = "Total"
GROUPS_LIMIT = 60
LEFT = ("attrition", "left", "leaver", "terminated", "has left", "status", "employment status")
LEFT_DATES = (
    "termination date",
    "leave date",
    "leaving date",
    "exit date",
    "end date",
    "date left",
)
HIRED = ("hire date", "start date", "date hired", "joining date", "hired", "entry date")
YES = frozenset(
    ("yes", "y", "true", "1", "left", "leaver", "terminated", "resigned", "former", "inactive")
)
NO = frozenset(("no", "n", "false", "0", "", "active", "current", "employed", "stayed"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """What is counted. `names`: columns; `law`: their relation (see suppression); `rate`: attrition's parts.

    `counts`: row of the employee table → one 0 or 1 per column. `note`: how it is defined, for the reader.
    """

    names: tuple[str, ...]
    law: tuple[int, ...]
    counts: Callable[[int], tuple[int, ...]]
    note: str
    rate: Callable[[Sequence[int | None]], Decimal | None] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PeopleTable:
    """One table as published. `rows`: header first, totals last, all text; hidden cells are a dash."""

    by: str
    rows: tuple[tuple[str, ...], ...]
    hidden: int


def people_tables(
    table: Table, group_by: Sequence[str], settings: Mapping[str, str]
) -> tuple[list[PeopleTable], list[str]]:
    """Return the tables, one per grouping, and the notes on definitions.

    Args:
        table: the employees, one per row.
        group_by: column names.
        settings: `left`, `hired` (column names), `from`, `to` (ISO dates of the period).

    Raises:
        ToolInputError: unknown columns or settings, too many groups, values that cannot be read.
    """
    unknown = set(settings) - {"left", "hired", "from", "to"}
    if unknown:
        raise ToolInputError(f"Setting {min(unknown)!r} is unknown; use left, hired, from, to.")
    if not table.rows:
        raise ToolInputError(f"{table.name} has no employees.")
    measure = _measure(table, settings)
    tables = [_grouped(table, find_column(table, (), by) or by, measure) for by in group_by]
    notes = [
        measure.note,
        f"Counts from 1 to {SMALLEST - 1} are not published ({HIDDEN}), nor further counts from which they could be worked out.",
    ]
    return tables, notes


def _grouped(table: Table, by: str, measure: Measure) -> PeopleTable:
    groups: dict[str, list[int]] = {}
    for index, (_, text) in enumerate(table.values(by)):
        groups.setdefault(text or NOT_STATED, []).append(index)
    if len(groups) > GROUPS_LIMIT:
        raise ToolInputError(
            f"{by} has {len(groups)} different values, more than {GROUPS_LIMIT}; group by something coarser."
        )
    labels = sorted(groups)
    counts = [_summed(measure, groups[label]) for label in labels]
    counts.append([sum(column) for column in zip(*counts, strict=True)])
    grid = suppressed(counts, measure.law)
    header = [
        by,
        *measure.names,
        f"Share of {measure.names[-1 if measure.law == WALK else 0].lower()}",
    ]
    if measure.rate:
        header.append("Attrition")
    rows = [tuple(header)]
    for label, cells in zip([*labels, TOTAL], grid, strict=True):
        rows.append((label, *map(_shown, cells), *_figures(cells, grid[-1], measure)))
    return PeopleTable(
        by=by, rows=tuple(rows), hidden=sum(cell is None for row in grid for cell in row)
    )


def _summed(measure: Measure, members: Sequence[int]) -> list[int]:
    return [sum(column) for column in zip(*(measure.counts(m) for m in members), strict=True)]


def _shown(count: int | None) -> str:
    return HIDDEN if count is None else str(count)


def _figures(
    cells: Sequence[int | None], totals: Sequence[int | None], measure: Measure
) -> list[str]:
    place = -1 if measure.law == WALK else 0
    part, whole = cells[place], totals[place]
    share = None if part is None or not whole else Decimal(part) / whole
    figures = [share, measure.rate(cells)] if measure.rate else [share]
    return [percent(figure) for figure in figures]


def percent(figure: Decimal | None) -> str:
    """Return a share as text with one decimal, half to even."""
    if figure is None:
        return HIDDEN
    return f"{(figure * 100).quantize(Decimal('0.1'), ROUND_HALF_EVEN)} %"


FLAGS = (1, -1, -1)
WALK = (1, 1, -1, -1)


def _measure(table: Table, settings: Mapping[str, str]) -> Measure:
    dated = find_column(table, LEFT_DATES, "")
    left = (
        find_column(table, LEFT, settings.get("left", ""))
        if settings.get("left") or not dated
        else dated
    )
    if left is None:
        note = "Headcount: all rows of the table; it shows no leavers, so there is no attrition."
        return Measure(names=("Headcount",), law=(), counts=lambda _: (1,), note=note)
    values = [text.lower() for _, text in table.values(left)]
    if all(value in YES | NO for value in values) and any(values):
        return _flag_measure(left, values)
    hired = find_column(table, HIRED, settings.get("hired", ""))
    if hired is None or not (settings.get("from") and settings.get("to")):
        raise ToolInputError(
            f"{table.name}: {left} is not a plain yes or no. For dates, give the period as `from` and `to` and a hire date column."
        )
    return _walk_measure(table, left, hired, _period(settings))


def _flag_measure(left: str, values: Sequence[str]) -> Measure:
    def rate(cells: Sequence[int | None]) -> Decimal | None:
        headcount, gone, _ = cells
        return (
            None
            if headcount is None or gone is None or not headcount
            else Decimal(gone) / headcount
        )

    return Measure(
        names=("Headcount", "Left", "Stayed"),
        law=FLAGS,
        counts=lambda i: (1, 1, 0) if values[i] in YES else (1, 0, 1),
        note=f"Attrition: rows with {left} = yes, divided by all rows of the group (the table is one snapshot).",
        rate=rate,
    )


def _walk_measure(table: Table, left: str, hired: str, period: tuple[date, date]) -> Measure:
    start, end = period
    came = _days(table, hired)
    gone = _days(table, left)
    for row, one, other in zip(table.rows, came, gone, strict=True):
        _check_row(table, row, one, other)

    def counts(index: int) -> tuple[int, ...]:
        day, out = came[index] or date.min, gone[index] or date.max
        return (
            int(day < start <= out),
            int(start <= day <= end),
            int(start <= out <= end),
            int(day <= end < out),
        )

    def rate(cells: Sequence[int | None]) -> Decimal | None:
        opening, _, leavers, closing = cells
        if opening is None or leavers is None or closing is None or opening + closing == 0:
            return None
        return Decimal(leavers) / (Decimal(opening + closing) / 2)

    return Measure(
        names=("Opening", "Hires", "Leavers", "Closing"),
        law=WALK,
        counts=counts,
        note=f"Attrition {start} to {end}: leavers divided by the mean of opening and closing headcount, not annualised.",
        rate=rate,
    )


def _check_row(table: Table, row: Row, came: date | None, gone: date | None) -> None:
    if came is None:
        raise ToolInputError(f"{table.name}, row {row.number}: the hire date is missing.")
    if gone is not None and gone < came:
        raise ToolInputError(
            f"{table.name}, row {row.number}: left on {gone}, before the hire date {came}."
        )


def _days(table: Table, column: str) -> list[date | None]:
    moments = parse_times(table.values(column), f"{table.name}, {column}")
    return [moment.date() if moment else None for moment in moments]


def _period(settings: Mapping[str, str]) -> tuple[date, date]:
    try:
        start, end = date.fromisoformat(settings["from"]), date.fromisoformat(settings["to"])
    except ValueError as problem:
        raise ToolInputError("`from` and `to` are dates such as 2025-01-01.") from problem
    if start > end:
        raise ToolInputError(f"The period ends ({end}) before it begins ({start}).")
    return start, end
