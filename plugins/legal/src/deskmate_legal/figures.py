"""Numbers as contracts write them: "five (5) years", "1.5% per month", "thirty-day", "$1,000,000".

Reading gives exact decimals; writing keeps the style of what is replaced.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

_ONES = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_SCALES = {"hundred": 100, "thousand": 1_000, "million": 1_000_000, "billion": 1_000_000_000}
_VALUES = {word: number for number, word in enumerate(_ONES)} | {
    word: 20 + 10 * place for place, word in enumerate(_TENS)
}
_WORD = "|".join(sorted([*_VALUES, *_SCALES], key=len, reverse=True))
WORDS = rf"(?:{_WORD})(?:(?:\s*-\s*|\s+and\s+|\s+)(?:{_WORD}))*"
"""Regex of a number in words."""
DIGITS = r"[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?|[0-9]+(?:\.[0-9]+)?"
"""Regex of a number in digits."""

UNIT_DAYS = {"day": 1, "week": 7, "month": 30, "quarter": 91, "year": 365}
"""Days of a unit, for comparing across units only; months and years compare exactly."""
_UNIT = r"(?P<unit>days?|weeks?|months?|quarters?|years?)"
DURATION = re.compile(
    rf"\b(?:(?P<words>{WORDS})\s*\(\s*(?P<both>{DIGITS})\s*\)|(?P<only>{WORDS})|(?P<digits>{DIGITS})"
    rf"(?:\s*\(\s*(?P<trail>{WORDS})\s*\))?)"
    rf"(?P<gap>[\s-]+)(?P<kind>(?:business|calendar|working|consecutive|full|additional)\s+)?{_UNIT}"
    r"\b(?P<note>\s*\(\s*[0-9]+\s*\))?",
    re.IGNORECASE,
)
PERCENT = re.compile(
    rf"\b(?:(?P<words>{WORDS})\s+(?:and\s+)?(?:(?P<half>one-half|1/2)\s+)?percent\s*\(\s*(?P<both>{DIGITS})\s*%\s*\)"
    rf"|(?P<digits>{DIGITS})\s*(?:%|percent\b)|(?P<only>{WORDS})\s+percent\b)",
    re.IGNORECASE,
)
MONEY = re.compile(
    rf"(?P<mark>US\$|USD|\$|€|EUR|£|GBP)\s?(?P<digits>{DIGITS})(?:\s+(?P<scale>thousand|million|billion))?",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A number read from a text.

    `value`: in `unit`. `start`, `end`: where it stands. `unit`: day, week, month, quarter, year,
    percent or a currency mark. `conflict`: the words and the digits differ, as in "thirty (45)".
    """

    value: Decimal
    unit: str
    start: int
    end: int
    text: str
    conflict: bool = False

    def in_unit(self, unit: str) -> Decimal:
        """Return the value in another unit of time (12 months = 1 year, 30 days = 1 month)."""
        return convert(self.value, self.unit, unit)


def convert(value: Decimal, unit: str, to: str) -> Decimal:
    """Convert between units of time; months, quarters and years exactly, others by days."""
    months = {"month": 1, "quarter": 3, "year": 12}
    if unit == to:
        return value
    if unit in months and to in months:
        return value * months[unit] / Decimal(months[to])
    return value * UNIT_DAYS[unit] / Decimal(UNIT_DAYS[to])


def from_words(text: str) -> Decimal | None:
    """Return the number that English words say, or None. "two hundred and five" is 205."""
    total, current, seen = 0, 0, False
    for word in re.findall(r"[a-z]+", text.lower()):
        if word == "and":
            continue
        if word in _VALUES:
            current, seen = current + _VALUES[word], True
        elif word == "hundred":
            current, seen = max(current, 1) * 100, True
        elif word in _SCALES:
            total, current, seen = total + max(current, 1) * _SCALES[word], 0, True
        else:
            return None
    return Decimal(total + current) if seen else None


def to_words(number: int) -> str:
    """Return a whole number from 0 to 999,999 in English words."""
    if number < 20:
        return _ONES[number]
    if number < 100:
        tens = _TENS[number // 10 - 2]
        return tens if number % 10 == 0 else f"{tens}-{_ONES[number % 10]}"
    if number < 1000:
        head = f"{_ONES[number // 100]} hundred"
        return head if number % 100 == 0 else f"{head} {to_words(number % 100)}"
    head = f"{to_words(number // 1000)} thousand"
    return head if number % 1000 == 0 else f"{head} {to_words(number % 1000)}"


def _decimal(text: str) -> Decimal:
    return Decimal(re.sub(r"[^0-9.]", "", text))


def _value(match: re.Match[str]) -> tuple[Decimal | None, bool]:
    parts = match.groupdict()
    said = next((parts[n] for n in ("words", "only", "trail") if parts.get(n)), None)
    digits = next((parts[n] for n in ("both", "digits", "note") if parts.get(n)), None)
    spoken = from_words(said) if said else None
    written = _decimal(digits) if digits else None
    value = written if written is not None else spoken
    conflict = spoken is not None and written is not None and spoken != written
    return value, conflict


def durations(text: str) -> list[Figure]:
    """Return the periods of time in a text, in order."""
    found = []
    for match in DURATION.finditer(text):
        value, conflict = _value(match)
        if value is None:
            continue
        unit = match["unit"].lower().rstrip("s")
        found.append(_figure(match, value, unit, conflict=conflict))
    return found


def percents(text: str) -> list[Figure]:
    """Return the percentages in a text, in order."""
    found = []
    for match in PERCENT.finditer(text):
        value, conflict = _value(match)
        if value is not None:
            found.append(_figure(match, value, "percent", conflict=conflict and not match["half"]))
    return found


def amounts(text: str) -> list[Figure]:
    """Return the amounts of money in a text, in order; the unit is the currency mark."""
    found = []
    for match in MONEY.finditer(text):
        value = _decimal(match["digits"]) * _SCALES.get((match["scale"] or "").lower(), 1)
        found.append(_figure(match, value, match["mark"].upper(), conflict=False))
    return found


def _figure(match: re.Match[str], value: Decimal, unit: str, *, conflict: bool) -> Figure:
    return Figure(
        value=value,
        unit=unit,
        start=match.start(),
        end=match.end(),
        text=match.group(),
        conflict=conflict,
    )


def rewrite_duration(original: str, value: Decimal, unit: str) -> str:
    """Return a period in the manner of another: "five (5) years" and 36 months gives "three (3) years".

    Args:
        original: the period as it stands in the contract, as `durations` found it.
        value: the new length, in `unit`.
        unit: day, week, month, quarter or year; the original's unit is kept where it comes out whole.
    """
    match = DURATION.fullmatch(original)
    if match is None:
        return f"{_count(value)} {_plural(unit, value)}"
    theirs = match["unit"].lower().rstrip("s")
    days = {"day", "week"}
    if (theirs in days) == (unit in days):
        converted = convert(value, unit, theirs)
        if converted == converted.to_integral_value():
            value, unit = converted, theirs
    number = _like(match, value)
    kind = "" if match["kind"] is None or unit not in days else match["kind"]
    theirs = match["unit"].lower().rstrip("s")  # "five-year period", "30 day notice": singular
    adjective = "-" in match["gap"] or (match["unit"].lower() == theirs and _value(match)[0] != 1)
    noun = unit if adjective else _plural(unit, value)
    noun = noun.upper() if match["unit"].isupper() else noun
    note = f" ({_count(value)})" if match["note"] else ""
    return f"{number}{match['gap']}{kind}{noun}{note}"


def rewrite_percent(original: str, value: Decimal) -> str:
    """Return a percentage in the manner of another: "two percent (2%)" and 1 gives "one percent (1%)"."""
    match = PERCENT.fullmatch(original)
    digits = f"{value.normalize():f}"
    if match is None or match["digits"] or value != value.to_integral_value():
        return f"{digits} percent" if match and "percent" in original.lower() else f"{digits}%"
    words = _case(match["words"] or match["only"] or "", to_words(int(value)))
    return f"{words} percent ({digits}%)" if match["both"] else f"{words} percent"


def _like(match: re.Match[str], value: Decimal) -> str:
    digits = _count(value)
    whole = value == value.to_integral_value()
    said = match["words"] or match["only"] or match["trail"]
    words = _case(said or "", to_words(int(value))) if said and whole else digits
    if match["both"] is not None:
        return f"{words} ({digits})"
    if match["trail"] is not None:
        return f"{digits} ({words})"
    return words if match["only"] else digits


def _count(value: Decimal) -> str:
    return f"{value.normalize():f}"


def _plural(unit: str, value: Decimal) -> str:
    return unit if value == 1 else unit + "s"


def _case(model: str, words: str) -> str:
    if model.isupper():
        return words.upper()
    if model[:1].isupper():
        return words.capitalize()
    return words
