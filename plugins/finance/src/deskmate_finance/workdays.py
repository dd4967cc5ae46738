"""Days on which an entity works: Monday to Friday without its holidays, counted as spreadsheets count them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta

from deskmate.plugin import ToolInputError

_DAY = timedelta(days=1)
_STEP = re.compile(r"T\s*([+-])?\s*(\d{1,3})", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Workdays:
    """A calendar."""

    holidays: tuple[date, ...] = ()

    def works(self, day: date) -> bool:
        """Say whether a day is a workday."""
        return day.weekday() < 5 and day not in self.holidays

    def add(self, day: date, count: int) -> date:
        """Return the workday so many workdays after (or, negative, before) a day; 0 gives the day itself."""
        step = _DAY if count > 0 else -_DAY
        for _ in range(abs(count)):
            day += step
            while not self.works(day):
                day += step
        return day

    def between(self, one: date, other: date) -> int:
        """Return by how many workdays the other day is later; negative if it is earlier. Both are workdays."""
        if other < one:
            return -self.between(other, one)
        days = (other - one).days
        return sum(self.works(one + timedelta(days=n)) for n in range(1, days + 1))

    def day_of(self, text: str, end: date, where: str) -> date:
        """Return the workday that T+3, T-2, T or a date means; T is the last workday of the period.

        Raises:
            ToolInputError: it is neither, or no workday.
        """
        found = _STEP.fullmatch(text.strip()) or re.fullmatch(r"T()()", text.strip(), re.IGNORECASE)
        last = end if self.works(end) else self.add(end, -1)
        if found:
            return self.add(last, int(f"{found[1] or '+'}{found[2] or 0}"))
        try:
            day = date.fromisoformat(text.strip()[:10])
        except ValueError as problem:
            raise ToolInputError(f"{where}: {text!r} is neither T+3 nor a date.") from problem
        if not self.works(day):
            raise ToolInputError(f"{where}: {day} ({day:%A}) is no workday.")
        return day


def calendar_of(text: str) -> Workdays:
    """Return the calendar without the days that a text lists. Raises ToolInputError if one is no date."""
    try:
        days = sorted(map(date.fromisoformat, re.findall(r"[^\s,;]+", text)))
    except ValueError as problem:
        raise ToolInputError("A holiday is no day such as 2025-12-25.") from problem
    return Workdays(holidays=tuple(dict.fromkeys(days)))
