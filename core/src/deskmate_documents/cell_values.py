"""Values of a table's cells: words read as a number, money, a day, a yes or no, or one of the choices."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from deskmate.types.tables import VALUE_LIMIT, Column
from deskmate_documents.numbers import all_values, figures
from deskmate_documents.quotes import normalise

_SIGNS = {"$": "USD", "US$": "USD", "€": "EUR", "£": "GBP", "¥": "JPY"}
_CODES = "USD|EUR|GBP|CHF|JPY|CAD|AUD|SEK|NOK|DKK|PLN|CZK|HUF|INR|CNY|HKD|SGD"
_WORDS = {
    "dollar": "USD", "dollars": "USD", "euro": "EUR", "euros": "EUR", "pounds sterling": "GBP", "swiss francs": "CHF",
}  # fmt: skip
_UNIT = re.compile(
    rf"US\$|[$€£¥]|\b(?:{_CODES})\b|\b(?:{'|'.join(sorted(_WORDS, key=len, reverse=True))})\b",
    re.IGNORECASE,
)
_YES = {"yes", "y", "true", "ja", "oui"}
_NO = {"no", "n", "false", "nein", "non"}
_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "january jan januar jänner", "february feb februar", "march mar märz", "april apr",
            "may mai", "june jun juni", "july jul juli", "august aug", "september sep sept",
            "october oct oktober okt", "november nov", "december dec dezember dez",
        ),
        start=1,
    )
    for name in names.split()
}  # fmt: skip
_MONTH = "|".join(sorted(_MONTHS, key=len, reverse=True))
_DAYS = re.compile(
    r"(?<!\d)(?:"
    r"(?P<iy>\d{4})-(?P<im>\d{2})-(?P<id>\d{2})"
    rf"|(?P<m1>{_MONTH})\.?\s+(?P<d1>\d{{1,2}})(?:st|nd|rd|th)?\s*,?\s+(?P<y1>\d{{4}})"
    rf"|(?P<d2>\d{{1,2}})(?:st|nd|rd|th)?\.?\s*(?:day\s+of\s+|of\s+)?(?P<m2>{_MONTH})\.?\s*,?\s+(?P<y2>\d{{4}})"
    r"|(?P<d3>\d{1,2})\.\s?(?P<m3>\d{1,2})\.\s?(?P<y3>\d{4})"
    r"|(?P<a4>\d{1,2})/(?P<b4>\d{1,2})/(?P<y4>\d{4})"
    r")(?!\d)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """A value as it is kept. `text`: its one way to be written. `unit`: of money. `words`: as it was read."""

    text: str
    unit: str = ""
    words: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """What makes two values the same."""
        return (self.text.casefold(), self.unit)

    def shown(self) -> str:
        """Return it so that it reads as the same value again."""
        return f"{self.text} {self.unit}".strip()


def read_value(column: Column, words: str) -> Value | str:
    """Return the value that these words mean in a column, or why they mean none."""
    words = " ".join(words.split())[:VALUE_LIMIT]
    if not words:
        return "the answer has no value"
    match column.kind:
        case "number":
            return _number(words)
        case "money":
            return _money(words)
        case "date":
            return _day(words)
        case "yes_no":
            word = words.casefold().strip(" .")
            if word in _YES | _NO:
                return Value(text="yes" if word in _YES else "no", words=words)
            return f"{words[:60]!r} is neither yes nor no"
        case "choice":
            return _choice(column, words)
        case _:
            return Value(text=words, words=words)


def values_in(column: Column, quote: str, value: Value) -> Iterator[Value]:
    """Yield the values of a column's type that stand in a quote; of text the value itself, if it does."""
    match column.kind:
        case "number":
            for number in all_values(f" {quote} "):
                yield Value(text=_plain(number))
        case "money":
            unit = value.unit
            units = {_code(match.group()) for match in _UNIT.finditer(quote)}
            if unit in units:
                for number in all_values(f" {quote} "):
                    yield Value(text=_plain(number), unit=unit)
        case "date":
            for days in _days_in(quote):
                yield from (Value(text=day.isoformat()) for day in days)
        case _:
            if _stands_in(value.text, quote):
                yield value


def _stands_in(words: str, quote: str) -> bool:
    wanted, text = normalise(words).casefold(), normalise(quote).casefold()
    return bool(wanted) and bool(re.search(rf"(?<!\w){re.escape(wanted)}(?!\w)", text))


def _number(words: str) -> Value | str:
    found = [figure.value for figure in figures(f" {words} ")] or list(all_values(f" {words} "))[:1]
    if not found:
        return f"{words[:60]!r} is no number"
    if len(set(found)) > 1:
        return f"{words[:60]!r} holds more than one number"
    return Value(text=_plain(found[0]), words=words)


def _money(words: str) -> Value | str:
    number = _number(words)
    if isinstance(number, str):
        return number.replace("number", "amount")
    units = {_code(match.group()) for match in _UNIT.finditer(words)}
    if len(units) != 1:
        many = "more than one currency stands" if units else "no currency stands"
        return f"{many} with {words[:60]!r}"
    return Value(text=number.text, unit=units.pop(), words=words)


def _code(words: str) -> str:
    return _SIGNS.get(words.upper()) or _WORDS.get(words.casefold()) or words.upper()


def _day(words: str) -> Value | str:
    found = list(_days_in(words))
    if not found:
        return f"{words[:60]!r} is no day of a calendar"
    if len(found) > 1 and len(set(found)) > 1:
        return f"{words[:60]!r} holds more than one day"
    if len(found[0]) > 1:
        return f"{words[:60]!r} can be read as {' or '.join(d.isoformat() for d in found[0])}"
    return Value(text=found[0][0].isoformat(), words=words)


def _days_in(text: str) -> Iterator[tuple[date, ...]]:
    """Yield the days of a text, each with all ways to read it."""
    for match in _DAYS.finditer(text):
        part = match.groupdict()
        if part["iy"]:
            tried = [(part["iy"], part["im"], part["id"])]
        elif part["y1"]:
            tried = [(part["y1"], _MONTHS[part["m1"].casefold()], part["d1"])]
        elif part["y2"]:
            tried = [(part["y2"], _MONTHS[part["m2"].casefold()], part["d2"])]
        elif part["y3"]:
            tried = [(part["y3"], part["m3"], part["d3"])]
        else:
            tried = [(part["y4"], part["a4"], part["b4"]), (part["y4"], part["b4"], part["a4"])]
        days = dict.fromkeys(day for parts in tried if (day := _date(*map(int, parts))))
        if days:
            yield tuple(days)


def _date(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _choice(column: Column, words: str) -> Value | str:
    exact = [choice for choice in column.choices if choice.casefold() == words.casefold()]
    inside = [choice for choice in column.choices if _stands_in(choice, words)]
    # of "New York" and "York" in the same words the longer one is meant
    longest = [c for c in inside if not any(c != o and _stands_in(c, o) for o in inside)]
    for found in (exact, longest):
        if len(found) == 1:
            return Value(text=found[0], words=words)
    return (
        f"{words[:60]!r} is none of the choices"
        if not inside
        else f"{words[:60]!r} is several of the choices"
    )


def _plain(value: Decimal) -> str:
    """Return a figure in its one way to be written: no exponent, no zeros that say nothing."""
    text = f"{value.normalize():f}"
    return "0" if text == "-0" else text
