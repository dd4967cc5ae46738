"""Dates as documents write them: "March 11, 1999", "11th day of March, 1999", "11 March 1999", "1999-03-11", "9/21/98" if it can be one day only."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

_MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october",
    "november", "december",
)  # fmt: skip
_NUMBERS = {name[:3]: number for number, name in enumerate(_MONTHS, 1)}
_MONTH = r"(?:Jan(?:uary|\.)?|Feb(?:ruary|\.)?|Mar(?:ch|\.)?|Apr(?:il|\.)?|May|June?\.?|July?\.?|Aug(?:ust|\.)?|Sep(?:t(?:ember|\.)?|\.)?|Oct(?:ober|\.)?|Nov(?:ember|\.)?|Dec(?:ember|\.)?)"
_TH = r"(?:st|nd|rd|th)?"
_DATE = re.compile(
    rf"(?<![\w/-])(?:(?P<m1>{_MONTH})\s+(?P<d1>\d{{1,2}}){_TH}\s*,?\s+(?P<y1>\d{{4}})"
    rf"|(?P<d2>\d{{1,2}}){_TH}\s+(?:day\s+of\s+)?(?P<m2>{_MONTH})\s*,?\s+(?P<y2>\d{{4}})"
    r"|(?P<y3>\d{4})-(?P<m3>\d{2})-(?P<d3>\d{2})"
    r"|(?P<n1>\d{1,2})/(?P<n2>\d{1,2})/(?P<y4>\d{4}|\d{2}))(?![\w/-])",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dated:
    """A date with its place in a text."""

    day: date
    start: int
    end: int


def dates_in(text: str) -> Iterator[Dated]:
    """Yield the dates of a text in order; what is no date, or may be two, is left out."""
    for match in _DATE.finditer(text):
        day = _day(match)
        if day is not None:
            yield Dated(day=day, start=match.start(), end=match.end())


def _day(match: re.Match[str]) -> date | None:
    if match["y4"]:
        year, first, second = int(match["y4"]), int(match["n1"]), int(match["n2"])
        if year < 100:
            year += 1900 if year >= 50 else 2000
        if min(first, second) <= 12 < max(first, second) or first == second:
            month, day = (first, second) if first <= 12 else (second, first)
            return _date(year, month, day)
        return None
    if match["y3"]:
        return _date(int(match["y3"]), int(match["m3"]), int(match["d3"]))
    name = (match["m1"] or match["m2"]).lower()[:3]
    day = int(match["d1"] or match["d2"])
    return _date(int(match["y1"] or match["y2"]), _NUMBERS[name], day)


def _date(year: int, month: int, day: int) -> date | None:
    try:
        made = date(year, month, day)
    except ValueError:
        return None
    return made if 1900 <= year <= 2199 else None
