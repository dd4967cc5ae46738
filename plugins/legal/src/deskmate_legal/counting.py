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
from deskmate_legal.counting_rules import Rule

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


def checked(period: Period) -> Period:
    """Return the period. Raises ToolInputError if it is negative, too long or of an unknown unit."""
    if period.unit not in LONGEST:
        raise ToolInputError(f"A period is counted in {', '.join(UNITS)}; not in {period.unit!r}.")
    if not 0 <= period.count <= LONGEST[period.unit]:
        raise ToolInputError(
            f"A period has 0 to {LONGEST[period.unit]} {period.unit}s; not {period.count}."
        )
    return period


def due(event: date, period: Period, calendar: Calendar, rule: Rule) -> Due:
    """Return the last day of a period.

    Raises:
        ToolInputError: the period is none, or the day lies outside the years 1900 to 2199.
    """
    checked(period)
    counted = _within(_counted(event, period, calendar, rule))
    day, why = _moved(counted, period, calendar, rule)
    if rule.least_working and period.unit == "day" and not period.before:
        day, why = _working_days(event, day, period, calendar, rule, why)
    return Due(day=_within(day), counted=counted, moved=why)


def _counted(event: date, period: Period, calendar: Calendar, rule: Rule) -> date:
    sign = -1 if period.before else 1
    if period.unit in _IN_MONTHS:
        return _month_on(event, sign * period.count * _IN_MONTHS[period.unit])
    day = event
    if period.unit == "business day" or _is_short(period, rule):
        for _ in range(period.count):
            day = calendar.next(day + sign * _DAY, sign)
    else:
        day += timedelta(days=sign * period.count * (7 if period.unit == "week" else 1))
    return day - _DAY if _is_clear(period, rule) else day


def _is_short(period: Period, rule: Rule) -> bool:
    """Say whether free days do not count in a period of so few days."""
    return period.unit == "day" and period.count <= rule.short_days


def _is_clear(period: Period, rule: Rule) -> bool:
    """Say whether the period's days lie between event and last day."""
    return rule.clear_before and period.before and period.unit == "day" and period.count > 0


def _month_on(day: date, count: int) -> date:
    """Return the day with the same number so many months later, or the month's last day where it has none such."""
    year, month = divmod(day.year * 12 + day.month - 1 + count, 12)
    if not 1 <= year <= MAXYEAR:
        raise ToolInputError("The deadline lies outside the years 1900 to 2199.")
    return date(year, month + 1, min(day.day, months.monthrange(year, month + 1)[1]))


def _moved(day: date, period: Period, calendar: Calendar, rule: Rule) -> tuple[date, str]:
    where = rule.back if period.before else rule.ahead
    if calendar.works(day) or where == "stays":
        return day, ""
    moved = calendar.next(day, -1 if where == "previous" else 1)
    return moved, f"{day} is {calendar.why_free(day)}, so it is {moved}"


def _working_days(
    event: date, day: date, period: Period, calendar: Calendar, rule: Rule, why: str
) -> tuple[date, str]:
    """Return a day that leaves the period as many working days as its rule wants; shorter periods are not meant."""
    if period.count < rule.least_working:
        return day, why
    at, worked = event, 0
    while worked < rule.least_working:
        at += _DAY
        worked += calendar.works(at)
    if at <= day:
        return day, why
    return at, f"it has at least {rule.least_working} working days, so it is {at}"


def _within(day: date) -> date:
    if not 1900 <= day.year <= 2199:
        raise ToolInputError("The deadline lies outside the years 1900 to 2199.")
    return day


def walked(event: date, period: Period, calendar: Calendar, rule: Rule) -> date:
    """Return the last day as `due` does, by going from day to day; nothing is added to a date but one day."""
    step = -_DAY if period.before else _DAY
    days = list(_walk(event, period, calendar, rule))
    day = days[-1] if days else event
    where = rule.back if period.before else rule.ahead
    on = -_DAY if where == "previous" else _DAY
    while where != "stays" and not calendar.works(day):
        day += on
    least = rule.least_working
    if least and period.unit == "day" and period.count >= least and step == _DAY:
        while sum(map(calendar.works, _span(event, day))) < least:
            day += _DAY
    return day


def _span(start: date, end: date) -> Iterator[date]:
    while start < end:
        start += _DAY
        yield start


def _walk(event: date, period: Period, calendar: Calendar, rule: Rule) -> Iterator[date]:
    """Yield the days of a period, the last one last."""
    step = -_DAY if period.before else _DAY
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
    worked_only = period.unit == "business day" or (
        period.unit == "day" and period.count <= rule.short_days
    )
    while left:
        day += step
        left -= not worked_only or calendar.works(day)
        yield day
    if rule.clear_before and period.before and period.unit == "day" and period.count:
        yield day + step


def _same_number(day: date, number: int) -> date:
    """Return the day of a month with this number, or the month's last one."""
    at = day
    while (at - _DAY).month == day.month:
        at -= _DAY
    while at.day < number and (at + _DAY).month == at.month:
        at += _DAY
    return at
