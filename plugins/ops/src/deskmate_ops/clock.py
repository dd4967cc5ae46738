"""Counts time between two moments: every hour, or the hours that a team works.

`mon-fri 09:00-17:00` is read on the log's own clock: what its times show, whatever their zone.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta

from deskmate.plugin import ToolInputError

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
ALL_HOURS = "all hours"
_HOURS = re.compile(
    r"(?P<days>[a-z]{3}(?:\s*[-,]\s*[a-z]{3})*)\s+(?P<open>\d{1,2}:\d{2})\s*[-–]\s*(?P<close>\d{1,2}:\d{2})"
)
_MICROSECOND = timedelta(microseconds=1)
_DAY_US = 86_400_000_000


@dataclass(frozen=True, slots=True)
class Clock:
    """A calendar. `days`: weekdays worked, Monday is 0; empty: all hours count. `opens`, `closes`: microseconds of the day."""

    days: frozenset[int] = frozenset()
    opens: int = 0
    closes: int = _DAY_US
    holidays: tuple[date, ...] = ()
    _closed: tuple[int, ...] = field(default=(), repr=False)

    @classmethod
    def of(cls, hours: str, holidays: Iterable[str] = ()) -> Clock:
        """Return the calendar that a text names; empty or `all hours` counts every hour.

        Raises:
            ToolInputError: the text or a holiday cannot be read.
        """
        text = hours.strip().lower()
        if text in ("", ALL_HOURS):
            return cls()
        found = _HOURS.fullmatch(text)
        if found is None:
            raise ToolInputError(
                f"{hours!r} are no business hours; write them as mon-fri 09:00-17:00."
            )
        days = _weekdays(found["days"], hours)
        opens, closes = _of_day(found["open"], hours), _of_day(found["close"], hours)
        if opens >= closes:
            raise ToolInputError(f"{hours!r}: a working day must end after it begins.")
        free = tuple(sorted({_day(text) for text in holidays}))
        closed = tuple(day.toordinal() for day in free if day.weekday() in days)
        return cls(days=days, opens=opens, closes=closes, holidays=free, _closed=closed)

    @property
    def name(self) -> str:
        """What the calendar is, as people read it."""
        if not self.days:
            return "all hours of the calendar"
        days = ", ".join(DAYS[day] for day in sorted(self.days))
        free = f", {len(self.holidays)} holidays left out" if self.holidays else ""
        return f"{days} {_clock_text(self.opens)}-{_clock_text(self.closes)}{free}"

    def span(self, start: datetime, end: datetime) -> int:
        """Return the microseconds that count from `start` to `end`."""
        if not self.days:
            return (end - start) // _MICROSECOND
        return self._until(end) - self._until(start)

    def _until(self, moment: datetime) -> int:
        """Return the working microseconds from the first day of all calendars to a moment."""
        ordinal = moment.toordinal()
        weeks, rest = divmod(ordinal - 1, 7)  # the day 1 was a Monday
        days = weeks * len(self.days) + sum(1 for day in self.days if day < rest)
        days -= bisect_left(self._closed, ordinal)
        worked = days * (self.closes - self.opens)
        if moment.weekday() not in self.days or moment.date() in self.holidays:
            return worked
        midnight = datetime.combine(moment.date(), time(), moment.tzinfo)
        at = (moment - midnight) // _MICROSECOND
        return worked + min(max(at - self.opens, 0), self.closes - self.opens)


def _weekdays(text: str, whole: str) -> frozenset[int]:
    found: set[int] = set()
    for part in re.split(r"\s*,\s*", text):
        ends = re.split(r"\s*-\s*", part)
        if len(ends) > 2 or any(end not in DAYS for end in ends):
            raise ToolInputError(
                f"{whole!r}: weekdays are {', '.join(DAYS)}, or two of them as mon-fri."
            )
        first, last = DAYS.index(ends[0]), DAYS.index(ends[-1])
        found |= {(first + step) % 7 for step in range((last - first) % 7 + 1)}
    return frozenset(found)


def _of_day(text: str, whole: str) -> int:
    hour, minute = (int(part) for part in text.split(":"))
    if hour > 24 or minute > 59 or (hour == 24 and minute):
        raise ToolInputError(f"{whole!r}: {text} is no time of day.")
    return (hour * 60 + minute) * 60_000_000


def _clock_text(microseconds: int) -> str:
    hour, minute = divmod(microseconds // 60_000_000, 60)
    return f"{hour:02}:{minute:02}"


def _day(text: str) -> date:
    try:
        return date.fromisoformat(str(text).strip())
    except ValueError as problem:
        raise ToolInputError(f"The holiday {text!r} is no day such as 2026-12-25.") from problem
