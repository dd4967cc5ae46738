"""Compares the figures and laws of a contract with the playbook's ranges, by code."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from deskmate_legal.contract import Sentence
from deskmate_legal.figures import (
    Figure,
    amounts,
    convert,
    durations,
    percents,
    rewrite_duration,
    rewrite_percent,
    to_words,
)
from deskmate_legal.findings import Change, Deviation
from deskmate_legal.patterns import compiled, either
from deskmate_legal.playbook import Category, Measure

_READERS = {"duration": durations, "percent": percents, "money": amounts}
_PREFIX = re.compile(
    r"^(?:the\s+)?(?:(?:state|commonwealth|province|republic|kingdom|federal\s+republic)\s+of\s+)?(?:the\s+)?",
    re.IGNORECASE,
)
_NO_PLACE = re.compile(
    r"^(?:such|this|that|the|any|applicable|state|country|\w{1,2})\b\.?$"
    r"|\b(?:governing|member state|jurisdiction|territory|province|section|party|agreement)\b",
    re.IGNORECASE,
)
"""What stands where a law's name should, but is a defined term or a blank."""
_NEAR = 150


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What was read in one place. `outside`: why it is out of range, "" if it is not."""

    shown: str
    start: int
    end: int
    outside: str = ""
    replacement: str | None = None


def measured(category: Category, sentence: Sentence) -> tuple[list[str], list[Deviation]]:
    """Return the values read in a sentence and the deviations among them."""
    measure = category.measure
    if measure is None:
        return [], []
    readings = list(_readings(measure, sentence))
    deviations = [
        _deviation(category, measure, sentence, reading) for reading in readings if reading.outside
    ]
    return [reading.shown for reading in readings], deviations


def _readings(measure: Measure, sentence: Sentence) -> Iterator[Reading]:
    taken: list[tuple[int, int]] = []
    for pattern in measure.patterns:
        for match in compiled(pattern, measure.kind).finditer(sentence.text):
            span = match.span("n")
            if span[0] < 0 or any(span[0] < end and start < span[1] for start, end in taken):
                continue
            reading = _read(measure, match.group("n"), span[0])
            if reading is not None:
                taken.append(span)
                yield reading
    yield from _unlimited(measure, sentence)


def _read(measure: Measure, text: str, at: int) -> Reading | None:
    if measure.kind == "law":
        return _law(measure, text.rstrip(" ."), at)
    figures = _READERS[measure.kind](text)
    return _figure(measure, figures[0], at) if figures else None


def _figure(measure: Measure, figure: Figure, at: int) -> Reading:
    value = figure.value
    if measure.kind == "duration":
        value = convert(figure.value, figure.unit, measure.unit)
    low, high = _bound(measure.min), _bound(measure.max)
    outside, target = "", None
    if low is not None and value < low:
        outside, target = f"below the minimum of {amount(measure, low)}", low
    elif high is not None and value > high:
        outside, target = f"above the maximum of {amount(measure, high)}", high
    replacement = None
    if outside:
        wanted = _bound(measure.preferred) if measure.preferred is not None else target
        if wanted is not None and measure.kind != "money":
            replacement = _rewritten(measure, figure.text, wanted)
    return Reading(
        shown=" ".join(figure.text.split()),
        start=at + figure.start,
        end=at + figure.end,
        outside=outside,
        replacement=replacement,
    )


def _rewritten(measure: Measure, text: str, value: Decimal) -> str:
    if measure.kind == "percent":
        return rewrite_percent(text, value)
    return rewrite_duration(text, value, measure.unit)


def _law(measure: Measure, text: str, at: int) -> Reading | None:
    name = " ".join(_PREFIX.sub("", text, count=1).split())
    if not name or _NO_PLACE.search(name):
        return None
    allowed = any(
        re.search(rf"\b{re.escape(law)}\b", name, re.IGNORECASE) for law in measure.allowed
    )
    preferred = str(measure.preferred or "") or None
    if preferred and _PREFIX.match(text) and _PREFIX.match(text).group():  # type: ignore[union-attr]
        prefix = text[: len(text) - len(_PREFIX.sub("", text, count=1))]
        if not prefix.lower().startswith("the") and "of" in prefix:
            preferred = preferred.removeprefix("the ")  # "State of Texas", without the article
    return Reading(
        shown=name,
        start=at,
        end=at + len(text),
        outside="" if allowed else "not among the laws that we accept",
        replacement=None if allowed else preferred,
    )


def _unlimited(measure: Measure, sentence: Sentence) -> Iterator[Reading]:
    pattern, spare = either(measure.unlimited), either(measure.spare)
    if pattern is None or measure.max is None:
        return
    for match in pattern.finditer(sentence.text):
        around = sentence.text[max(match.start() - _NEAR, 0) : match.end() + _NEAR]
        if spare is not None and spare.search(around):
            continue
        yield Reading(
            shown=match.group(),
            start=match.start(),
            end=match.end(),
            outside=f"without end; our maximum is {amount(measure, Decimal(str(measure.max)))}",
        )


def _deviation(
    category: Category, measure: Measure, sentence: Sentence, reading: Reading
) -> Deviation:
    start, end = sentence.start + reading.start, sentence.start + reading.end
    changes: tuple[Change, ...] = ()
    if reading.replacement is not None:
        changes = (Change(block=sentence.block, start=start, end=end, text=reading.replacement),)
    return Deviation(
        category=category,
        rule="range",
        says=_says(reading),
        severity=category.severity,
        sentence=sentence,
        focus=(start, end),
        changes=changes,
        edit_spec=() if changes else measure.edits,
    )


def _says(reading: Reading) -> str:
    if reading.outside.startswith("without"):
        return f"The period is {reading.outside}."
    shown = reading.shown[:1].upper() + reading.shown[1:]
    return f"{shown} is {reading.outside}."


def amount(measure: Measure, value: Decimal) -> str:
    """Return a bound with its unit, such as "36 months" or "1%"."""
    shown = f"{value.normalize():f}"
    if measure.kind == "percent":
        return f"{shown}%"
    if measure.kind == "money":
        return shown
    return f"{shown} {measure.unit}{'' if value == 1 else 's'}"


def preferred_words(measure: Measure | None) -> str:
    """Return our preferred period as a contract writes it: "three (3) years"."""
    if measure is None or measure.preferred is None or measure.kind != "duration":
        return str(measure.preferred) if measure and measure.preferred else ""
    value, unit = Decimal(str(measure.preferred)), measure.unit
    if unit == "month" and value % 12 == 0:
        value, unit = value / 12, "year"
    if value != value.to_integral_value():
        return amount(measure, value)
    return f"{to_words(int(value))} ({value:f}) {unit}{'' if value == 1 else 's'}"


def _bound(value: float | str | None) -> Decimal | None:
    return None if value is None or isinstance(value, str) else Decimal(str(value))
