"""HR-BENCHMARK-TIES and HR-THIN-DATA: a benchmark computed once more in exact fractions, and nothing thin in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from fractions import Fraction

from deskmate.plugin import Deliverable, Finding, ToolInputError, ValidationContext
from deskmate_documents.days import day_of
from deskmate_documents.tables import read_sheets
from deskmate_hr.benchmark import Terms, terms_of
from deskmate_hr.benchmark_book import (
    MARKET,
    NOTES,
    OUT,
    PEOPLE,
    RANGE,
    RATIOS,
    ROLES,
    SINGLE,
    SURVEY,
    TERMS,
)
from deskmate_hr.offers import words
from deskmate_hr.people import HIDDEN
from deskmate_hr.survey import USUAL, Employee, Line, Survey, read_employees, read_survey
from deskmate_hr.validators.findings import Problem, findings, unheld

TIES, THIN = "HR-BENCHMARK-TIES", "HR-THIN-DATA"
FIX = "Run comp_benchmark again; do not edit its figures."
Sheets = Mapping[str, Sequence[Sequence[str]]]
Cells = dict[str, str]


class Originals:
    """The survey and the own people as the host holds them, and the terms of the settings."""

    def __init__(self, deliverable: Deliverable, context: ValidationContext) -> None:
        """Read them. Raises ToolInputError if one cannot be read."""
        settings = deliverable.data.get("settings")
        if not isinstance(settings, Mapping):
            raise ToolInputError("The benchmark does not say how it was computed (settings).")
        self.individuals = str(settings.get("individuals", "")) == "ids"
        self.terms: Terms = terms_of(context.config, day_of(deliverable.data, context.facts))
        path = deliverable.sources["survey"]
        file = context.sources.file(path)
        assert file is not None
        self.survey: Survey = read_survey(file, path, str(settings.get("effective", "")))
        self.groups: dict[str, list[Line]] = {}
        for line in self.survey.lines:
            self.groups.setdefault(words(line.label), []).append(line)
        self.people: tuple[Employee, ...] | None = None
        own = deliverable.sources.get("employees", "")
        held = context.sources.file(own) if own else None
        if held is not None:
            self.people, _ = read_employees(held, own, self.survey)

    def count(self, key: str) -> int:
        """Return how many people a role has in the survey."""
        return sum(line.count for line in self.groups.get(key, ()))

    def is_thin(self, key: str) -> bool:
        """Say whether a role may not be published."""
        known = [
            line.organisations
            for line in self.groups.get(key, ())
            if line.organisations is not None
        ]
        return self.count(key) < self.terms.least or (bool(known) and sum(known) < self.terms.least)

    def pay(self, key: str) -> dict[str, Fraction]:
        """Return percentile → aged pay of a role."""
        lines = self.groups[key]
        aged = [
            {
                name: Fraction(value) * self._factor(line.effective)
                for name, value in line.values.items()
            }
            for line in lines
        ]
        if not self.survey.percentiles:
            paid = sorted(each["Pay"] for each in aged)
            return {f"P{p}": _percentile(paid, Fraction(p, 100)) for p in (25, 50, 75)}
        return {
            name: sum(
                (line.count * each[name] for line, each in zip(lines, aged, strict=True)),
                Fraction(),
            )
            / self.count(key)
            for name in self.survey.percentiles
        }

    def _factor(self, effective: date) -> Fraction:
        return 1 + Fraction(self.terms.ageing) * Fraction((self.terms.as_of - effective).days, 365)

    def range_of(self, key: str) -> tuple[Fraction, Fraction, Fraction, str]:
        """Return minimum, midpoint, maximum of a role, and what they rest on."""
        title = words(self.groups[key][0].label.split(" · ")[0])
        own = self.terms.bands.get(key) or self.terms.bands.get(title)
        if own:
            low, high = map(Fraction, own)
            return low, (low + high) / 2, high, "own band"
        middle = self.pay(key)["P50"] * Fraction(self.terms.position)
        low = middle / (1 + Fraction(self.terms.spread) / 2)
        return low, middle, low * (1 + Fraction(self.terms.spread)), "market"

    def paid(self, key: str) -> list[Fraction]:
        """Return the own pay of a role, sorted."""
        return sorted(Fraction(p.pay) for p in self.people or () if words(p.label) == key)


def _percentile(values: Sequence[Fraction], part: Fraction) -> Fraction:
    at = part * (len(values) - 1)
    below = at.numerator // at.denominator
    rest = at - below
    return values[below] if not rest else values[below] * (1 - rest) + values[below + 1] * rest


def benchmark_ties(deliverable: Deliverable, context: ValidationContext) -> list[Finding]:
    """Compute the benchmark again from survey and own people, and compare every figure and source.

    Source: house (SOURCES.md).
    """
    return findings(TIES, _untied(deliverable, context), FIX)


def _untied(deliverable: Deliverable, context: ValidationContext) -> Iterator[Problem]:
    missing = unheld(deliverable, context, "survey", *deliverable.sources)
    if missing:
        yield from missing
        return
    truth = Originals(deliverable, context)
    shown = read_sheets(context.file, name=deliverable.path)
    wanted = {MARKET, SURVEY, TERMS} | ({ROLES} if truth.people is not None else set())
    wanted |= {PEOPLE} if truth.people is not None and truth.individuals else set()
    if set(shown) - {OUT} != wanted:
        yield (
            f"It has the sheets {', '.join(shown)}; it should have {', '.join(sorted(wanted))}.",
            "",
        )
        return
    strange = list(_headers(shown, truth))
    if strange:
        yield from strange
        return
    yield from _market(shown, truth)
    yield from _lines(shown, truth)
    yield from _terms(shown, truth)
    if truth.people is not None:
        yield from _roles(shown, truth)
        yield from _people(shown, truth)


def _headers(shown: Sheets, truth: Originals) -> Iterator[Problem]:
    """Yield sheets that have other columns than a benchmark has: what stands there, nobody vouches for."""
    names = list(truth.survey.percentiles or USUAL)
    head = ["Role", "Source", "Effective", "Organisations", "n", "Place"]
    aged = [*names, *(f"{n}, aged" for n in names), *(f"n × {n}, aged" for n in names)]
    right = {
        MARKET: ["Role", "Survey lines", "n", "Organisations", *names, *RANGE, "Basis"],
        SURVEY: [*head, *(aged if truth.survey.percentiles else ("Pay", "Pay, aged"))],
        ROLES: ["Role", "People", "Median pay", *RANGE, *RATIOS, "Below minimum", "Above maximum"],
        PEOPLE: ["Employee id", "Role", "Pay", *RATIOS[:2], "Place in range"],
        OUT: ["Role", "Why"],
        TERMS: ["Term", "Value"],
    }
    for sheet, rows in shown.items():
        if not rows or list(rows[0]) != right[sheet]:
            yield (
                f"Its columns are {', '.join(rows[0] if rows else ())}; they are {', '.join(right[sheet])}.",
                f"sheet {sheet}",
            )


def _rows(shown: Sheets, sheet: str) -> list[tuple[str, Cells]]:
    rows = shown.get(sheet, ())
    header = list(rows[0]) if rows else []
    return [
        (
            f"sheet {sheet}, row {number}",
            dict(zip(header, [*row, *[""] * len(header)], strict=False)),
        )
        for number, row in enumerate(rows[1:], start=2)
    ]


def _near(cell: str, value: Fraction) -> bool:
    try:
        return abs(float(cell) - float(value)) <= 1e-7 + 1e-9 * abs(float(value))
    except ValueError:
        return False


def _unlike(cells: Cells, right: Mapping[str, Fraction], who: str, where: str) -> Iterator[Problem]:
    for name, value in right.items():
        if not _near(cells.get(name, ""), value):
            yield (
                f"{name} of {who} is {cells.get(name, '')!r}; the originals give {float(value):.6g}.",
                where,
            )


def _market(shown: Sheets, truth: Originals) -> Iterator[Problem]:
    rows = _rows(shown, MARKET)
    keys = [words(cells.get("Role", "")) for _, cells in rows]
    if sorted(keys) != sorted(key for key in truth.groups if not truth.is_thin(key)):
        yield (
            "Its roles are not those of the survey that are large enough, each once.",
            f"sheet {MARKET}",
        )
        return
    for key, (where, cells) in zip(keys, rows, strict=True):
        low, middle, high, basis = truth.range_of(key)
        right = {
            "Survey lines": Fraction(len(truth.groups[key])),
            "n": Fraction(truth.count(key)),
            **truth.pay(key),
        }
        right |= {"Minimum": low, "Midpoint": middle, "Maximum": high}
        yield from _unlike(cells, right, cells["Role"], where)
        if cells.get("Basis") != basis:
            yield (
                f"The range of {cells['Role']} rests on {basis}, not on {cells.get('Basis')!r}.",
                where,
            )
        if not low < middle < high:
            yield f"The range of {cells['Role']} does not rise.", where
        known = [n for line in truth.groups[key] if (n := line.organisations) is not None]
        if cells.get("Organisations") != (str(sum(known)) if known else "not stated"):
            yield (
                f"The organisations of {cells['Role']} are not {cells.get('Organisations')!r}.",
                where,
            )
    yield from _named_thin(shown, truth)


def _named_thin(shown: Sheets, truth: Originals) -> Iterator[Problem]:
    least = truth.terms.least
    right: dict[str, str] = {}
    for key in truth.groups:
        if truth.is_thin(key):
            what = "people" if truth.count(key) < least else "organisations"
            right[key] = f"fewer than {least} {what} in the survey"
    for person in truth.people or ():
        if words(person.label) not in truth.groups:
            right[words(person.label)] = "the survey has no such role"
    named = {words(cells["Role"]): cells["Why"] for _, cells in _rows(shown, OUT)}
    for key in sorted({*right, *named}):
        if right.get(key) != named.get(key):
            yield (
                f"{key} is not published because {right.get(key, '(it is)')}; it says {named.get(key, 'nothing')!r}.",
                f"sheet {OUT}",
            )


def _lines(shown: Sheets, truth: Originals) -> Iterator[Problem]:
    lines = {
        line.place: line
        for key, own in truth.groups.items()
        if not truth.is_thin(key)
        for line in own
    }
    rows = _rows(shown, SURVEY)
    if sorted(cells.get("Place", "") for _, cells in rows) != sorted(lines):
        yield (
            "Its lines are not those of the survey's published roles, each once with its place.",
            f"sheet {SURVEY}",
        )
        return
    for where, cells in rows:
        line = lines[cells["Place"]]
        known = "not stated" if line.organisations is None else str(line.organisations)
        said = [cells.get(name, "") for name in ("Source", "Effective", "Organisations")]
        if words(cells["Role"]) != words(line.label) or said != [
            line.source,
            line.effective.isoformat(),
            known,
        ]:
            yield f"{' '.join(said)} is not what {line.place} says.", where
        right = {
            "n": Fraction(line.count),
            **{name: Fraction(value) for name, value in line.values.items()},
        }
        yield from _unlike(cells, right, line.place, where)


def _terms(shown: Sheets, truth: Originals) -> Iterator[Problem]:
    rows = [list(row) for row in shown[TERMS]]
    terms = truth.terms
    right = [
        str(terms.ageing),
        terms.as_of.isoformat(),
        str(terms.position),
        str(terms.spread),
        str(terms.least),
    ]
    for row, value in zip(rows[1:6], right, strict=False):
        cell = row[1] if len(row) > 1 else ""
        if cell != value and not (
            value[:1].isdigit() and "-" not in value and _near(cell, Fraction(value))
        ):
            yield f"{row[0]} is {cell!r}; the settings say {value}.", f"sheet {TERMS}"
    if (truth.survey.currency or rows[6][1]) != rows[6][1]:
        yield (
            f"The currency is {rows[6][1]!r}; the survey says {truth.survey.currency}.",
            f"sheet {TERMS}",
        )
    strange = {row[0] for row in rows[7:]} - {*NOTES, SINGLE}
    yield from (
        (f"These words are not the benchmark's own: {w[:80]!r}.", f"sheet {TERMS}")
        for w in strange
        if w
    )
    words_there = {row[0] for row in rows}
    yield from (
        (f"A definition is missing: {note[:80]!r}.", f"sheet {TERMS}")
        for note in NOTES
        if note not in words_there
    )


def _roles(shown: Sheets, truth: Originals) -> Iterator[Problem]:
    own = {words(person.label) for person in truth.people or ()}
    wanted = sorted(key for key in truth.groups if not truth.is_thin(key) and key in own)
    rows = _rows(shown, ROLES)
    if sorted(words(cells.get("Role", "")) for _, cells in rows) != wanted:
        yield (
            "Its roles are not those of the own people that the survey has, each once.",
            f"sheet {ROLES}",
        )
        return
    for where, cells in rows:
        key = words(cells["Role"])
        paid = truth.paid(key)
        low, middle, high, _ = truth.range_of(key)
        right = {"Minimum": low, "Midpoint": middle, "Maximum": high}
        if len(paid) >= truth.terms.least:
            half = len(paid) // 2
            median = paid[half] if len(paid) % 2 else (paid[half - 1] + paid[half]) / 2
            right |= {
                "People": Fraction(len(paid)),
                "Median pay": median,
                "Compa-ratio": median / middle,
                "Range penetration": (median - low) / (high - low),
                "Pay to P50": median / truth.pay(key)["P50"],
            }
            for name, part in (
                ("Below minimum", sum(p < low for p in paid)),
                ("Above maximum", sum(p > high for p in paid)),
            ):
                if cells.get(name) != HIDDEN:
                    right[name] = Fraction(part)
        yield from _unlike(cells, right, cells["Role"], where)


def _people(shown: Sheets, truth: Originals) -> Iterator[Problem]:
    rows = _rows(shown, PEOPLE)
    if not truth.individuals:
        return
    known = {
        p.id: p
        for p in truth.people or ()
        if words(p.label) in truth.groups and not truth.is_thin(words(p.label))
    }
    if sorted(cells.get("Employee id", "") for _, cells in rows) != sorted(known):
        yield (
            "Its people are not the own people of published roles, each once by id.",
            f"sheet {PEOPLE}",
        )
        return
    for where, cells in rows:
        person = known[cells["Employee id"]]
        low, middle, high, _ = truth.range_of(words(person.label))
        pay = Fraction(person.pay)
        right = {
            "Pay": pay,
            "Compa-ratio": pay / middle,
            "Range penetration": (pay - low) / (high - low),
        }
        yield from _unlike(cells, right, f"id {person.id}", where)
        place = "below" if pay < low else "above" if pay > high else "inside"
        if cells.get("Place in range") != place:
            yield (
                f"Id {person.id} is {place} the range, not {cells.get('Place in range')!r}.",
                where,
            )


def thin_data(deliverable: Deliverable, context: ValidationContext) -> list[Finding]:
    """Refuse a benchmark that shows a role of too few people or organisations, own pay of too few, or single pay unasked.

    Source: at least five, after the safety zone of the US agencies' former statements on exchanges of pay data; house (SOURCES.md).
    """
    return findings(THIN, _thin(deliverable, context), FIX)


def _thin(deliverable: Deliverable, context: ValidationContext) -> Iterator[Problem]:
    missing = unheld(deliverable, context, "survey", *deliverable.sources)
    if missing:
        yield from missing
        return
    truth = Originals(deliverable, context)
    shown = read_sheets(context.file, name=deliverable.path)
    for sheet in (MARKET, SURVEY):
        for where, cells in _rows(shown, sheet):
            if truth.is_thin(words(cells.get("Role", ""))):
                yield (
                    f"{cells.get('Role')} has too few people or organisations in the survey and is shown.",
                    where,
                )
    for where, cells in _rows(shown, ROLES):
        paid = truth.paid(words(cells.get("Role", "")))
        hidden = (
            "People",
            "Median pay",
            "Compa-ratio",
            "Range penetration",
            "Pay to P50",
            "Below minimum",
            "Above maximum",
        )
        if len(paid) < truth.terms.least and any(cells.get(name) != HIDDEN for name in hidden):
            yield f"Pay of {len(paid)} own people of {cells.get('Role')} is shown.", where
        parts = [cells.get(name, "") for name in ("Below minimum", "Above maximum")]
        known = [int(float(part)) for part in parts if part != HIDDEN and part]
        inside = len(paid) - sum(known) if len(known) == 2 else 0
        if any(0 < count < truth.terms.least for count in (*known, inside)):
            yield f"A count of few people of {cells.get('Role')} is shown.", where
    if PEOPLE in shown and not truth.individuals:
        yield "Single pay is shown and was not asked for.", f"sheet {PEOPLE}"
