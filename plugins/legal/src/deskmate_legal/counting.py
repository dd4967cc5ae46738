"""Counts periods of time from a day: which day is the last one, by which rule.

Counted twice, in two ways: `due` by arithmetic, for the tools; `walked` day by day, for the gate.
"""

from __future__ import annotations

import calendar as months
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import MAXYEAR, date, timedelta

from deskmate.plugin import ToolInputError
from deskmate_legal.calendars import Calendar

_DAY = timedelta(days=1)
LONGEST = {
    "day": 40_000,
    "business day": 20_000,
    "week": 5_000,
    "month": 1_200,
    "quarter": 400,
    "year": 100,
}
UNITS = tuple(LONGEST)
_IN_MONTHS = {"month": 1, "quarter": 3, "year": 12}
_NAMES = {
    "contract": "the day of the event is not counted; every day counts; the last day is not moved",
    "contract, moved": "the day of the event is not counted; every day counts; a last day that is no business day is moved to the next one, as the contract says",
    "frcp-6": "Fed. R. Civ. P. 6(a)(1) and (5): the day of the event is not counted; every day counts; a last day that is a Saturday, Sunday or legal holiday is moved on in the direction of counting",
    "eu-1182-71": "Regulation (EEC, Euratom) No 1182/71, Art. 3: the day of the event is not counted; a period ahead that ends on a day that is no working day ends with the next working day; one of two days or more has at least two working days",
}
CONVENTIONS = tuple(name for name in _NAMES if name != "contract, moved")


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """A period. `count`: 0 or more of `unit`, one of `UNITS`. `before`: counted back from the event."""

    count: int
    unit: str
    before: bool = False

    @property
    def words(self) -> str:
        """The period as people read it, with its direction."""
        plural = "" if self.count == 1 else "s"
        return f"{self.count} {self.unit}{plural} {'before' if self.before else 'after'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """The last day. `counted`: before it was moved. `moved`: why it was moved, "" if it was not."""

    day: date
    counted: date
    moved: str = ""


def named(convention: str) -> str:
    """Return a convention in words."""
    return _NAMES[convention]


def checked(period: Period) -> Period:
    """Return the period. Raises ToolInputError if it is negative, too long or of an unknown unit."""
    if period.unit not in LONGEST:
        raise ToolInputError(f"A period is counted in {', '.join(UNITS)}; not in {period.unit!r}.")
    if not 0 <= period.count <= LONGEST[period.unit]:
        raise ToolInputError(
            f"A period has 0 to {LONGEST[period.unit]} {period.unit}s; not {period.count}."
        )
    return period


def due(event: date, period: Period, calendar: Calendar, convention: str) -> Due:
    """Return the last day of a period.

    Raises:
        ToolInputError: the period or convention is none, or the day lies outside the years 1900 to 2199.
    """
    if convention not in _NAMES:
        raise ToolInputError(f"The rule is one of {', '.join(CONVENTIONS)}; not {convention!r}.")
    checked(period)
    counted = _within(_counted(event, period, calendar))
    day, why = _moved(counted, period, calendar, convention)
    if convention == "eu-1182-71" and not period.before and period.count >= 2:
        day, why = _two_working_days(event, day, period, calendar, why)
    return Due(day=_within(day), counted=counted, moved=why)


def _counted(event: date, period: Period, calendar: Calendar) -> date:
    sign = -1 if period.before else 1
    if period.unit == "business day":
        day = event
        for _ in range(period.count):
            day = calendar.next(day + sign * _DAY, sign)
        return day
    if period.unit in _IN_MONTHS:
        return _month_on(event, sign * period.count * _IN_MONTHS[period.unit])
    days = period.count * (7 if period.unit == "week" else 1)
    return event + timedelta(days=sign * days)


def _month_on(day: date, count: int) -> date:
    """Return the day with the same number so many months later, or the month's last day where it has none such."""
    year, month = divmod(day.year * 12 + day.month - 1 + count, 12)
    if not 1 <= year <= MAXYEAR:
        raise ToolInputError("The deadline lies outside the years 1900 to 2199.")
    return date(year, month + 1, min(day.day, months.monthrange(year, month + 1)[1]))


def _moved(day: date, period: Period, calendar: Calendar, convention: str) -> tuple[date, str]:
    if calendar.works(day) or convention == "contract":
        return day, ""
    if convention == "eu-1182-71" and period.before:
        return day, ""  # Art. 3(4) is not for periods counted back
    back = convention == "frcp-6" and period.before
    moved = calendar.next(day, -1 if back else 1)
    return moved, f"{day} is {calendar.why_free(day)}, so it is {moved}"


def _two_working_days(
    event: date, day: date, period: Period, calendar: Calendar, why: str
) -> tuple[date, str]:
    """Art. 3(5): a period of two days or more has at least two working days."""
    if period.unit != "day":
        return day, why
    at, worked = event, 0
    while worked < 2:
        at += _DAY
        worked += calendar.works(at)
    if at <= day:
        return day, why
    return at, f"it has at least two working days, so it is {at}"


def _within(day: date) -> date:
    if not 1900 <= day.year <= 2199:
        raise ToolInputError("The deadline lies outside the years 1900 to 2199.")
    return day


def walked(event: date, period: Period, calendar: Calendar, convention: str) -> date:
    """Return the last day as `due` does, by going from day to day; nothing is added to a date but one day."""
    step = -_DAY if period.before else _DAY
    days = list(_walk(event, period, calendar, step))
    day = days[-1] if days else event
    free = not calendar.works(day)
    ahead = convention in ("contract, moved", "frcp-6", "eu-1182-71")
    if convention == "eu-1182-71" and period.before:
        ahead = False
    on = -_DAY if convention == "frcp-6" and period.before else _DAY
    while free and ahead:
        day += on
        free = not calendar.works(day)
    if convention == "eu-1182-71" and period.unit == "day" and period.count >= 2 and step == _DAY:
        while sum(map(calendar.works, _span(event, day))) < 2:
            day += _DAY
    return day


def _span(start: date, end: date) -> Iterator[date]:
    while start < end:
        start += _DAY
        yield start


def _walk(event: date, period: Period, calendar: Calendar, step: timedelta) -> Iterator[date]:
    """Yield the days of a period, the last one last."""
    day, left = event, period.count
    if period.unit in _IN_MONTHS:
        left *= _IN_MONTHS[period.unit]
        firsts = 0
        while firsts < left:  # to the month in which it ends
            previous, day = day, day + step
            firsts += day.month != previous.month
            yield day
        if left:
            yield _same_number(day, event.day)
        return
    if period.unit == "week":
        left *= 7
    while left:
        day += step
        left -= period.unit != "business day" or calendar.works(day)
        yield day


def _same_number(day: date, number: int) -> date:
    """Return the day of a month with this number, or the month's last one."""
    at = day
    while (at - _DAY).month == day.month:
        at -= _DAY
    while at.day < number and (at + _DAY).month == at.month:
        at += _DAY
    return at
