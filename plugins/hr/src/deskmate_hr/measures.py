"""What a people report measures: headcount with leavers from a yes or no or from dates, tenure, pay."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from deskmate.plugin import ToolInputError
from deskmate_documents.tables import Row, Table, find_column, parse_amounts, parse_times

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
TENURE = ("tenure", "years at company", "years of service", "length of service", "seniority")
PAY = (
    "base salary", "annual salary", "salary", "base pay", "monthly income", "annual pay", "monthly salary", "pay",
    "compensation", "income",
)  # fmt: skip
CURRENCY = ("currency", "pay currency", "salary currency")
YES = frozenset(
    ("yes", "y", "true", "1", "left", "leaver", "terminated", "resigned", "former", "inactive")
)
NO = frozenset(("no", "n", "false", "0", "", "active", "current", "employed", "stayed"))
FLAGS = (1, -1, -1)
WALK = (1, 1, -1, -1)
MEASURES = ("tenure", "pay")
_YEAR_DAYS = Decimal("365.25")


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """What is counted. `names`: columns; `law`: factors whose weighted sum is 0 in each row; `base`: the headcount.

    `counts`: row of the employee table → one 0 or 1 per column. `note`: how it is defined, for the reader.
    `rate`: attrition of a row's counts. `end`: last day of the period, where there is one.
    """

    names: tuple[str, ...]
    law: tuple[int, ...]
    base: int
    counts: Callable[[int], tuple[int, ...]]
    note: str
    rate: Callable[[Sequence[int | None]], Decimal | None] | None = None
    end: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Amounts:
    """A figure of each person, such as pay; None: not stated. `kind`: `money` or `years`."""

    name: str
    kind: str
    each: tuple[Decimal | None, ...]
    note: str


def measure_of(table: Table, settings: Mapping[str, str]) -> Measure:
    """Return what is counted: plain headcount, a snapshot with leavers, or the walk through a period."""
    dated = find_column(table, LEFT_DATES, "")
    plain = find_column(table, LEFT, settings.get("left", ""))
    period = settings.get("from") and settings.get("to")
    left = plain if settings.get("left") or not dated else dated
    if left == dated != plain and not period and plain and _is_flag(table, plain):
        left = plain  # dates without a period: the table's own yes or no is a snapshot
    if left is None:
        note = "Headcount: all rows of the table; it shows no leavers, so there is no attrition."
        return Measure(names=("Headcount",), law=(), base=0, counts=lambda _: (1,), note=note)
    if _is_flag(table, left):
        return _flag_measure(left, [text.lower() for _, text in table.values(left)])
    hired = find_column(table, HIRED, settings.get("hired", ""))
    if hired is None or not period:
        raise ToolInputError(
            f"{table.name}: {left} is not a plain yes or no. For dates, give the period as `from` and `to` and a hire date column."
        )
    return _walk_measure(table, left, hired, _period(settings))


def _is_flag(table: Table, column: str) -> bool:
    values = [text.lower() for _, text in table.values(column)]
    return all(value in YES | NO for value in values) and any(values)


def _flag_measure(left: str, values: Sequence[str]) -> Measure:
    def rate(cells: Sequence[int | None]) -> Decimal | None:
        headcount, gone, _ = cells
        if headcount is None or gone is None or not headcount:
            return None
        return Decimal(gone) / headcount

    return Measure(
        names=("Headcount", "Left", "Stayed"),
        law=FLAGS,
        base=0,
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
        base=3,
        counts=counts,
        note=f"Attrition {start} to {end}: leavers divided by the mean of opening and closing headcount, not annualised.",
        rate=rate,
        end=end,
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


def amounts_of(table: Table, settings: Mapping[str, str], measure: Measure) -> list[Amounts]:
    """Return tenure and pay of each person, as far as they are asked for.

    Raises:
        ToolInputError: an unknown measure, no such column, several currencies.
    """
    wanted = [part.strip().lower() for part in settings.get("measures", "").split(",")]
    asked = [name for name in MEASURES if name in wanted or settings.get(name)]
    unknown = sorted(set(filter(None, wanted)) - set(MEASURES))
    if unknown:
        raise ToolInputError(f"There is no measure {unknown[0]!r}; there are tenure and pay.")
    makers = {"tenure": _tenure, "pay": _pay}
    return [makers[name](table, settings, measure) for name in asked]


def _tenure(table: Table, settings: Mapping[str, str], measure: Measure) -> Amounts:
    column = find_column(table, TENURE, settings.get("tenure", ""))
    if column is not None:
        each = parse_amounts(table.values(column), f"{table.name}, {column}")
        how = f"Tenure: {column}, in years"
    else:
        hired = find_column(table, HIRED, settings.get("hired", ""))
        end = measure.end or _day(settings.get("to", ""))
        if hired is None or end is None:
            raise ToolInputError(
                f"{table.name} has no column for tenure; give one, or a hire date column and `to`, the day to count to."
            )
        each = [
            None if day is None else Decimal((end - day).days) / _YEAR_DAYS
            for day in _days(table, hired)
        ]
        how = f"Tenure: years from {hired} to {end}, a year being 365.25 days"
    return Amounts(
        name="tenure", kind="years", each=tuple(each), note=_stated(how, each, table, measure)
    )


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError as problem:
        raise ToolInputError("`to` is a date such as 2025-12-31.") from problem


def _pay(table: Table, settings: Mapping[str, str], measure: Measure) -> Amounts:
    column = find_column(table, PAY, settings.get("pay", ""))
    if column is None:
        raise ToolInputError(
            f"{table.name} has no column for pay; name one of {', '.join(table.columns)}."
        )
    unit = find_column(table, CURRENCY)
    units = sorted({text for _, text in table.values(unit) if text}) if unit else []
    signs = {
        m[0] for _, text in table.values(column) for m in re.finditer(r"[$€£¥]|[A-Z]{3}", text)
    }
    if len(units) > 1 or len(signs) > 1:
        names = ", ".join(units or sorted(signs))
        raise ToolInputError(
            f"{table.name}: pay is in several currencies ({names}); report one at a time."
        )
    each = parse_amounts(table.values(column), f"{table.name}, {column}")
    known = (
        f" in {units[0]}" if units else f" in {min(signs)}" if signs else ", unit as in the source"
    )
    how = f"Pay: {column}{known}, as stated, not adjusted for hours, level or location"
    return Amounts(
        name="pay", kind="money", each=tuple(each), note=_stated(how, each, table, measure)
    )


def _stated(how: str, each: Sequence[Decimal | None], table: Table, measure: Measure) -> str:
    """Say what a figure is of, and for whom it is missing where that is no small group itself."""
    over = [each[i] for i in range(len(table.rows)) if measure.counts(i)[measure.base]]
    missing = sum(value is None for value in over)
    note = f"{how}; mean and median over the {measure.names[measure.base].lower()} of the group"
    return f"{note}, people without the figure left out." if missing else f"{note}."
