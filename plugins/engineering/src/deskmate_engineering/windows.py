"""Windows of time that people name: yesterday, the last seven days, since a date."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from deskmate.plugin import ToolInputError

_DAY = r"\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2})?(?:Z|[+-]\d{2}:?\d{2})?)?"
_AGO = re.compile(r"\b(?:last|past|previous)?\s*(?P<n>\d+|one|two|three)?\s*(?P<unit>hour|day|week|month)s?(?:\s+ago)?\b")  # fmt: skip
_WORDS = {"one": 1, "two": 2, "three": 3}
_DAYS = {"hour": 1 / 24, "day": 1, "week": 7, "month": 30}
USUAL_DAYS = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """From `since` on, before `until`; both are aware."""

    since: datetime
    until: datetime

    def holds(self, moment: datetime) -> bool:
        """Say whether a moment is in it."""
        return self.since <= moment < self.until

    @property
    def title(self) -> str:
        """Both ends with their offsets."""
        return f"{stamp(self.since)} to {stamp(self.until)}"


def stamp(moment: datetime) -> str:
    """Return a moment to the minute with its offset, such as 2026-03-02 09:00 +01:00."""
    text = moment.strftime("%Y-%m-%d %H:%M %z")
    return f"{text[:-2]}:{text[-2:]}"


def zone_of(name: str) -> ZoneInfo:
    """Return a time zone by its IANA name.

    Raises:
        ToolInputError: there is none of that name.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as problem:
        raise ToolInputError(
            f"{name!r} is no time zone; use a name such as Europe/Berlin or UTC."
        ) from problem


def window_of(since: str, until: str, request: str, now: datetime) -> Window:
    """Return the window that is meant; days begin at midnight of `now`'s zone. Nothing named: the last seven days.

    Raises:
        ToolInputError: a word names no time, or the window is empty.
    """
    end = _moment(until, now) if until else now
    begin = _moment(since, now) if since else None
    if begin is None:
        begin, said_end = _said(request.lower(), now)
        end = end if until else (said_end or now)
    if begin >= end:
        raise ToolInputError(f"The window {stamp(begin)} to {stamp(end)} is empty.")
    return Window(since=begin, until=end)


def _midnight(moment: datetime) -> datetime:
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)


def _days_back(now: datetime, days: float) -> datetime:
    # on the wall clock: a day with a change of the clock is a day too
    return now - timedelta(days=days)


def _moment(text: str, now: datetime) -> datetime:
    plain = text.strip().lower()
    if re.fullmatch(_DAY, plain, re.IGNORECASE):
        moment = datetime.fromisoformat(plain.upper())
        return moment if moment.tzinfo else moment.replace(tzinfo=now.tzinfo)
    if plain in ("now", "today", "yesterday") or _AGO.fullmatch(plain):
        return now if plain == "now" else _said(plain, now)[0]
    raise ToolInputError(
        f"{text!r} names no time; give a date such as 2026-03-02, or words such as 3 days ago."
    )


def _said(words: str, now: datetime) -> tuple[datetime, datetime | None]:
    """Return the window that a request names; its end is None where it is now."""
    days = re.findall(_DAY, words, re.IGNORECASE)
    if len(days) > 1:
        return _moment(days[0], now), _midnight_after(days[1], now)
    if days:
        only_that_day = re.search(rf"\bon\s+{days[0]}", words) is not None
        return _moment(days[0], now), _midnight_after(days[0], now) if only_that_day else None
    if "yesterday" in words:
        # on a Monday, yesterday's work is Friday's
        back = {0: 3, 6: 2}.get(now.weekday(), 1)
        return _midnight(_days_back(now, back)), None
    if "today" in words:
        return _midnight(now), None
    if "this week" in words:
        return _midnight(_days_back(now, now.weekday())), None
    if match := re.search(r"\b(?:last|past|previous)\s+week\b", words):
        return _days_back(now, USUAL_DAYS), None
    match = next(
        (m for m in _AGO.finditer(words) if m["n"] or "last" in m[0] or "past" in m[0]), None
    )
    if match:
        count = _WORDS.get(match["n"] or "one", 0) or int(match["n"])
        return _days_back(now, count * _DAYS[match["unit"]]), None
    return _days_back(now, USUAL_DAYS), None


def _midnight_after(day: str, now: datetime) -> datetime:
    moment = _moment(day, now)
    return moment if len(day) > 10 else moment + timedelta(days=1)
