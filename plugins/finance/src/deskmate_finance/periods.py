"""Accounting periods as months: which day is in which, which follows, and which are open."""

from __future__ import annotations

import calendar
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from deskmate.plugin import ToolInputError
from deskmate_documents.tables import find_column, read_table

_MONTH = re.compile(r"\b((?:19|20)\d{2})-(0[1-9]|1[0-2])\b")
_OPEN = frozenset(("open", "offen", "yes", "current"))
_SHUT = frozenset(("closed", "locked", "geschlossen", "no", "future", "never opened"))


@dataclass(frozen=True, slots=True, order=True)
class Month:
    """A calendar month."""

    year: int
    month: int

    def __str__(self) -> str:
        """Return it as 2025-03."""
        return f"{self.year:04}-{self.month:02}"

    @property
    def first(self) -> date:
        """Its first day."""
        return date(self.year, self.month, 1)

    @property
    def last(self) -> date:
        """Its last day."""
        return date(self.year, self.month, calendar.monthrange(self.year, self.month)[1])

    @property
    def number(self) -> int:
        """Its number, so that months can be counted."""
        return self.year * 12 + self.month - 1

    def later(self, months: int) -> Month:
        """Return the month so many later."""
        year, place = divmod(self.number + months, 12)
        return Month(year, place + 1)


def month_of(day: date) -> Month:
    """Return the month of a day."""
    return Month(day.year, day.month)


def find_month(text: str) -> Month | None:
    """Return the one month that a text names as 2025-03; None if it names none, or several."""
    found = {Month(int(year), int(month)) for year, month in _MONTH.findall(text)}
    return found.pop() if len(found) == 1 else None


def read_periods(file: Path, name: str) -> Mapping[Month, bool]:
    """Return month → whether it is open, from a table with the columns period (2025-03) and status.

    Raises:
        ToolInputError: a column is missing, or a cell cannot be read.
    """
    table = read_table(file, name=name)
    period = find_column(table, ("period", "month", "monat"))
    status = find_column(table, ("status", "state", "open"))
    if period is None or status is None:
        raise ToolInputError(
            f"{name} needs the columns period and status; it has {', '.join(table.columns)}."
        )
    found: dict[Month, bool] = {}
    for (number, text), (_, state) in zip(table.values(period), table.values(status), strict=True):
        if not text and not state:
            continue
        month, plain = find_month(text), state.strip().lower()
        if month is None or plain not in _OPEN | _SHUT:
            raise ToolInputError(
                f"{name}, row {number}: give a period such as 2025-03 and the status open or closed."
            )
        if found.setdefault(month, plain in _OPEN) != (plain in _OPEN):
            raise ToolInputError(f"{name}, row {number}: {month} is both open and closed.")
    return found
