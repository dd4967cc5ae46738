"""Days on which nobody works: weekends and holidays of a calendar that comes with the plugin or is a setting of yours."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import Any

from deskmate.plugin import ToolInputError

_DAY = timedelta(days=1)
_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_KEYS = frozenset({"extends", "weekend", "holidays", "worked"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """A calendar. `weekend`: weekdays that are free, Monday is 0. `base`: holidays of a year by rule.

    `holidays`: further free days. `worked`: days that are worked although the rest says that they are free.
    """

    name: str
    weekend: frozenset[int] = frozenset({5, 6})
    base: Callable[[int], frozenset[date]] | None = None
    holidays: frozenset[date] = frozenset()
    worked: frozenset[date] = frozenset()

    def works(self, day: date) -> bool:
        """Say whether a day is a business day."""
        if day in self.worked:
            return True
        if day.weekday() in self.weekend or day in self.holidays:
            return False
        return self.base is None or day not in self.base(day.year)

    @property
    def knows_holidays(self) -> bool:
        """Say whether it has any day that is free beside the weekends."""
        return self.base is not None or bool(self.holidays)

    def next(self, day: date, step: int) -> date:
        """Return the day itself if it is a business day, else the next one that is; `step` 1 looks ahead, -1 back."""
        while not self.works(day):
            day += step * _DAY
        return day

    def why_free(self, day: date) -> str:
        """Say in a word why a day is no business day."""
        return f"{day:%A}" if day.weekday() in self.weekend else "a holiday"


@lru_cache(maxsize=256)
def us_federal(year: int) -> frozenset[date]:
    """Return the legal public holidays of the United States that fall, as observed, into a year.

    Source: 5 U.S.C. 6103(a); days on Saturday and Sunday are observed on the Friday before and the Monday after
    (6103(b), Executive Order 11582); from knowledge, compared with pandas by a test.
    """
    found: set[date] = set()
    for of in (year, year + 1):
        fixed = [(1, 1), (7, 4), (11, 11), (12, 25)] + ([(6, 19)] if of >= 2021 else [])
        for month, day in fixed:
            found.add(_observed(date(of, month, day)))
    found |= {
        _nth(year, 1, 0, 3), _nth(year, 2, 0, 3), _last(year, 5, 0), _nth(year, 9, 0, 1),
        _nth(year, 10, 0, 2), _nth(year, 11, 3, 4),
    }  # fmt: skip
    return frozenset(day for day in found if day.year == year)


@lru_cache(maxsize=256)
def target(year: int) -> frozenset[date]:
    """Return the closing days of the euro payment system TARGET besides weekends.

    Source: decision of the ECB's Governing Council of 14 December 2000, in force since 2002; from knowledge.
    """
    easter = _easter(year)
    return frozenset({
        date(year, 1, 1), easter - 2 * _DAY, easter + _DAY, date(year, 5, 1), date(year, 12, 25),
        date(year, 12, 26),
    })  # fmt: skip


BUILT_IN: Mapping[str, Calendar] = {
    "weekdays": Calendar(name="weekdays"),
    "us-federal": Calendar(name="us-federal", base=us_federal),
    "target": Calendar(name="target", base=target),
}
TITLES = {
    "weekdays": "Monday to Friday, no holidays",
    "us-federal": "Monday to Friday without the legal public holidays of the United States (5 U.S.C. 6103)",
    "target": "Monday to Friday without the closing days of TARGET",
}


def calendar_named(name: str, config: Mapping[str, Any]) -> Calendar:
    """Return a calendar by name: one of the setting `calendars`, else one that comes with the plugin.

    Raises:
        ToolInputError: there is none of that name, or its setting cannot be read.
    """
    own = config.get("calendars") or {}
    if name in own:
        return _own(name, own[name])
    if name in BUILT_IN:
        return BUILT_IN[name]
    known = ", ".join(sorted({*BUILT_IN, *own}))
    raise ToolInputError(f"There is no calendar {name!r}; known are {known}.")


def title_of(calendar: Calendar) -> str:
    """Return what a calendar is, as the table of deadlines says it."""
    if calendar.name in TITLES and calendar == BUILT_IN[calendar.name]:
        return TITLES[calendar.name]
    return f"“{calendar.name}” of your settings"


def _own(name: str, about: Any) -> Calendar:
    if not isinstance(about, Mapping) or not set(about) <= _KEYS:
        raise ToolInputError(f"The calendar {name!r} is a table of {', '.join(sorted(_KEYS))}.")
    based = BUILT_IN.get(str(about.get("extends", "weekdays")))
    if based is None:
        raise ToolInputError(
            f"The calendar {name!r} extends {about['extends']!r}; known are {', '.join(BUILT_IN)}."
        )
    weekend = based.weekend
    if "weekend" in about:
        days = [str(day).strip().lower()[:3] for day in _list(about["weekend"], name)]
        if not set(days) <= set(_WEEKDAYS) or len(set(days)) == len(_WEEKDAYS):
            raise ToolInputError(f"The calendar {name!r}: weekend is a list such as sat, sun.")
        weekend = frozenset(_WEEKDAYS.index(day) for day in days)
    return Calendar(
        name=name,
        weekend=weekend,
        base=based.base,
        holidays=_days(about.get("holidays", ()), name),
        worked=_days(about.get("worked", ()), name),
    )


def _days(listed: Any, name: str) -> frozenset[date]:
    try:
        return frozenset(date.fromisoformat(str(day).strip()) for day in _list(listed, name))
    except ValueError as problem:
        raise ToolInputError(
            f"The calendar {name!r} lists a day that is none such as 2026-12-24."
        ) from problem


def _list(value: Any, name: str) -> list[Any] | tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise ToolInputError(f"The calendar {name!r}: {value!r} is no list.")
    return value


def _observed(day: date) -> date:
    return day + {5: -_DAY, 6: _DAY}.get(day.weekday(), timedelta())


def _nth(year: int, month: int, weekday: int, count: int) -> date:
    first = date(year, month, 1)
    return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (count - 1))


def _last(year: int, month: int, weekday: int) -> date:
    last = date(year + month // 12, month % 12 + 1, 1) - _DAY
    return last - timedelta(days=(last.weekday() - weekday) % 7)


def _easter(year: int) -> date:
    """Return Easter Sunday of the Gregorian calendar (the anonymous algorithm, Meeus, Astronomical Algorithms, ch. 8)."""
    a, (b, c) = year % 19, divmod(year, 100)
    d, e = divmod(b, 4)
    g = (8 * b + 13) // 25
    h = (19 * a + b - d - g + 15) % 30
    i, k = divmod(c, 4)
    el = (32 + 2 * e + 2 * i - h - k) % 7
    m = (a + 11 * h + 22 * el) // 451
    month, day = divmod(h + el - 7 * m + 114, 31)
    return date(year, month, day + 1)
