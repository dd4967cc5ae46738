"""What a benchmark says: pay of a role on the market, aged to one day, its range, and where the own pay stands in it."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from deskmate.plugin import ToolInputError
from deskmate_hr.linked import SMALLEST
from deskmate_hr.offers import band_of, words
from deskmate_hr.survey import USUAL, Employee, Line, Survey, read_employees, read_survey

SETTINGS = ("effective", "individuals")
TEN = Decimal("1e-15")


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How it is computed. `ageing`: yearly rate; `position`: midpoint as a share of the median; `spread`: maximum / minimum − 1."""

    as_of: date
    ageing: Decimal
    position: Decimal
    spread: Decimal
    least: int
    bands: Mapping[str, tuple[Decimal, Decimal]]

    def factor(self, effective: date) -> Decimal:
        """Return by how much pay of a day is aged."""
        return 1 + self.ageing * (self.as_of - effective).days / 365


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """A role that is published. `pay`: P50 → aged pay; `band`: own minimum and maximum, or None for one from the market."""

    label: str
    lines: tuple[Line, ...]
    count: int
    organisations: int | None
    pay: Mapping[str, Decimal]
    low: Decimal
    middle: Decimal
    high: Decimal
    is_own: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Benchmark:
    """All of it. `thin`: label → why it is not published. `people`: own employees of published roles."""

    survey: Survey
    terms: Terms
    roles: tuple[Role, ...]
    thin: Mapping[str, str]
    people: tuple[Employee, ...] | None
    individuals: bool
    currency: str

    @property
    def percentiles(self) -> tuple[str, ...]:
        """The percentiles that are shown."""
        return self.survey.percentiles or USUAL


def terms_of(config: Mapping[str, Any], as_of: date) -> Terms:
    """Return the terms that the settings have.

    Raises:
        ToolInputError: one is no figure, or out of range.
    """
    limits: dict[str, tuple[str, str, str]] = {
        "ageing_rate": ("0.03", "0", "0.5"),
        "market_position": ("1", "0.5", "2"),
        "range_spread": ("0.5", "0.05", "3"),
    }
    found = {}
    for name, (default, low, high) in limits.items():
        text = str(config.get(name, default))
        try:
            found[name] = Decimal(text)
        except ArithmeticError as problem:
            raise ToolInputError(
                f"The setting {name} is {text!r}; give a figure such as {default}."
            ) from problem
        if not Decimal(low) <= found[name] <= Decimal(high):
            raise ToolInputError(f"The setting {name} is {text}; give {low} to {high}.")
    least = int(config.get("benchmark_least", SMALLEST))
    if not SMALLEST <= least <= 1000:
        raise ToolInputError(f"The setting benchmark_least is {least}; give {SMALLEST} to 1000.")
    bands = {
        words(str(name)): band_of(band, str(name))
        for name, band in dict(config.get("pay_bands", {})).items()
    }
    return Terms(
        as_of=as_of,
        ageing=found["ageing_rate"],
        position=found["market_position"],
        spread=found["range_spread"],
        least=least,
        bands=bands,
    )


def benchmark_of(
    files: Mapping[str, Path], names: Mapping[str, str], settings: Mapping[str, str], terms: Terms
) -> Benchmark:
    """Return a benchmark.

    Args:
        files: `survey` and, if there are own people, `employees`.
        names: what to call them.
        settings: `effective` (day of the survey's data), `individuals` (`ids` for a line each, without names).
        terms: how it is computed.

    Raises:
        ToolInputError: unreadable or thin throughout, data of a later day, several currencies.
    """
    unknown = set(settings) - set(SETTINGS)
    if unknown:
        raise ToolInputError(f"Setting {min(unknown)!r} is unknown; use {', '.join(SETTINGS)}.")
    if settings.get("individuals", "") not in ("", "ids"):
        raise ToolInputError("The setting individuals is `ids` or nothing; names are never shown.")
    survey = read_survey(files["survey"], names["survey"], settings.get("effective", ""))
    late = next((line for line in survey.lines if line.effective > terms.as_of), None)
    if late is not None:
        raise ToolInputError(
            f"{late.place}: its data are of {late.effective}, after {terms.as_of}."
        )
    groups = survey.groups()
    thin = {label: why for label, lines in groups.items() if (why := thinness(lines, terms.least))}
    if len(thin) == len(groups):
        raise ToolInputError(
            f"{names['survey']} is too thin for a benchmark: no role has {terms.least} people "
            "(and as many organisations, where they are counted)."
        )
    roles = tuple(
        role_of(label, lines, survey, terms) for label, lines in groups.items() if label not in thin
    )
    people: tuple[Employee, ...] | None = None
    currency = survey.currency
    if "employees" in files:
        every, own = read_employees(files["employees"], names["employees"], survey)
        if own and currency and own != currency:
            raise ToolInputError(
                f"The survey is in {currency} and the employees' pay in {own}; convert one of them first."
            )
        currency = currency or own
        known = {words(role.label): role.label for role in roles}
        people = tuple(person for person in every if words(person.label) in known)
        for person in every:
            if words(person.label) not in known:
                thin.setdefault(person.label, "the survey has no such role")
        _check_ids(people, settings)
    return Benchmark(
        survey=survey,
        terms=terms,
        roles=roles,
        thin=dict(sorted(thin.items())),
        people=people,
        individuals=settings.get("individuals") == "ids",
        currency=currency,
    )


def _check_ids(people: Sequence[Employee], settings: Mapping[str, str]) -> None:
    if settings.get("individuals") == "ids":
        ids = [person.id for person in people]
        if not all(ids) or len(set(ids)) < len(ids):
            raise ToolInputError(
                "A line for each person needs a column of employee ids, each once; names are never shown."
            )


def thinness(lines: Sequence[Line], least: int) -> str:
    """Return why a role is not published, empty if it may be."""
    if sum(line.count for line in lines) < least:
        return f"fewer than {least} people in the survey"
    known = [line.organisations for line in lines if line.organisations is not None]
    if known and sum(known) < least:
        return f"fewer than {least} organisations in the survey"
    return ""


def role_of(label: str, lines: Sequence[Line], survey: Survey, terms: Terms) -> Role:
    """Return a role's pay on the market, aged, and its range."""
    count = sum(line.count for line in lines)
    if survey.is_observed:
        paid = sorted(line.values["Pay"] * terms.factor(line.effective) for line in lines)
        pay = {name: percentile(paid, Decimal(name[1:]) / 100) for name in USUAL}
    else:
        pay = {
            name: sum(
                (one.count * one.values[name] * terms.factor(one.effective) for one in lines),
                Decimal(),
            )
            / count
            for name in survey.percentiles
        }
    own = terms.bands.get(words(label)) or terms.bands.get(words(label.split(" · ")[0]))
    known = [line.organisations for line in lines if line.organisations is not None]
    if own:
        low, high = own
        middle = (low + high) / 2
    else:
        middle = pay["P50"] * terms.position
        low = middle * 2 / (2 + terms.spread)
        high = low * (1 + terms.spread)
    return Role(
        label=label,
        lines=tuple(lines),
        count=count,
        organisations=sum(known) if known else None,
        pay=pay,
        low=low,
        middle=middle,
        high=high,
        is_own=own is not None,
    )


def percentile(values: Sequence[Decimal], part: Decimal) -> Decimal:
    """Return a percentile of sorted values by linear interpolation, as spreadsheets do (PERCENTILE, inclusive)."""
    at = part * (len(values) - 1)
    whole = int(at)
    above = values[min(whole + 1, len(values) - 1)]
    return values[whole] + (above - values[whole]) * (at - whole)


def standing(role: Role, people: Sequence[Employee], least: int) -> dict[str, Decimal | int | None]:
    """Return where the own pay of a role stands; None is hidden, because too few people would be shown."""
    own = [person.pay for person in people if words(person.label) == words(role.label)]
    below, above = sum(pay < role.low for pay in own), sum(pay > role.high for pay in own)
    if len(own) < least:
        return {"People": None, "Median pay": None, "Below minimum": None, "Above maximum": None}
    inside = len(own) - below - above
    dark = any(0 < part < least for part in (below, above, inside))
    return {
        "People": len(own),
        "Median pay": statistics.median(own),
        "Below minimum": None if dark else below,
        "Above maximum": None if dark else above,
    }
