"""Samples for tests of controls: a population frozen by its digest, a size with its source, a selection anybody can draw again."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path

from deskmate.plugin import ToolInputError
from deskmate_documents.tables import Table, find_column, parse_amounts, parse_times, read_table

SIZES: Mapping[str, tuple[int, int]] = {
    "annual": (1, 1), "quarterly": (2, 2), "monthly": (2, 5), "weekly": (5, 15), "daily": (20, 40), "many times a day": (25, 60),
}  # fmt: skip
"""Frequency of a control → items at lower and at higher risk (SOURCES.md)."""
ATTRIBUTE = "attribute"
RISKS = ("lower", "higher")
OPTIONS = frozenset(
    ("control", "risk", "size", "amount", "id", "sheet", "expected_count", "expected_total", "confidence", "tolerable", "accepted")
)  # fmt: skip
DEFAULTS: Mapping[str, str] = {
    "risk": "higher",
    "confidence": "95",
    "tolerable": "5",
    "accepted": "0",
}
ITEMS = (
    "id",
    "document",
    "document number",
    "voucher",
    "number",
    "reference",
    "invoice",
    "ticket",
    "entry",
    "item",
)
AMOUNTS = ("amount", "total", "value", "debit", "betrag")
ANSWERS = ("yes", "no", "n/a")
SAMPLE_LIMIT = 500
FIELDS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One row of the population. `fields`: its first cells, for people."""

    number: int
    name: str
    amount: Decimal | None
    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Population:
    """All rows of a file. `digest`: SHA-256 of its bytes, in hex. `columns`: names of the items' fields."""

    name: str
    digest: str
    items: tuple[Item, ...]
    columns: tuple[str, ...]
    amount: str

    @property
    def total(self) -> Decimal:
        """The sum of its amounts."""
        return sum((item.amount or Decimal() for item in self.items), Decimal())


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What was found for one item. `answers`: one for each attribute."""

    answers: tuple[str, ...]
    tester: str
    day: date
    evidence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What was drawn, by which rule, and what the tests found so far (item's name → outcome)."""

    population: Population
    items: tuple[Item, ...]
    rule: str
    control: str
    seed: str
    attributes: tuple[str, ...]
    outcomes: Mapping[str, Outcome]

    @property
    def exceptions(self) -> list[str]:
        """The items with a no."""
        return [name for name, outcome in self.outcomes.items() if "no" in outcome.answers]


def read_population(file: Path, name: str, options: Mapping[str, str]) -> Population:
    """Return the population of a CSV or XLSX file.

    Raises:
        ToolInputError: an option or column is unknown, an item stands twice, or count or total are not the expected.
    """
    unknown = sorted(set(options) - OPTIONS)
    if unknown:
        raise ToolInputError(f"Option {unknown[0]!r} is unknown; use {', '.join(sorted(OPTIONS))}.")
    table = read_table(file, name=name, sheet=options.get("sheet", ""))
    column = find_column(table, ITEMS, options.get("id", ""))
    amount = find_column(table, AMOUNTS, options.get("amount", ""))
    figures: Sequence[Decimal | None] = [None] * len(table.rows)
    if amount:
        figures = parse_amounts(table.values(amount), f"{name}, {amount}")
    items = tuple(
        Item(
            number=row.number,
            name=row.cells[table.columns.index(column)] if column else f"row {row.number}",
            amount=figures[index],
            fields=row.cells[:FIELDS],
        )
        for index, row in enumerate(table.rows)
    )
    known: dict[str, int] = {}
    for item in items:
        if not item.name or known.setdefault(item.name, item.number) != item.number:
            raise ToolInputError(
                f"{name}, row {item.number}: the item {item.name or '(no name)'} stands twice or has no name; "
                "name a column whose values are all different in `id`."
            )
    found = Population(
        name=name, digest=hashlib.sha256(file.read_bytes()).hexdigest(), items=items, columns=table.columns[:FIELDS],
        amount=amount or "",
    )  # fmt: skip
    _ties(found, options)
    return found


def _ties(found: Population, options: Mapping[str, str]) -> None:
    if not found.items:
        raise ToolInputError(f"{found.name} has no rows.")
    for key, figure in (("expected_count", Decimal(len(found.items))), ("expected_total", found.total)):  # fmt: skip
        if options.get(key) and _number(options, key) != figure:
            raise ToolInputError(
                f"{found.name} has {figure:f} where {options[key]} is expected ({key}); the population is not complete."
            )


def _number(options: Mapping[str, str], key: str) -> Decimal:
    try:
        figure = Decimal({**DEFAULTS, **options}[key].replace(",", ""))
    except (InvalidOperation, KeyError) as problem:
        raise ToolInputError(f"{key} is {options.get(key)!r}; give a number.") from problem
    if not figure.is_finite():
        raise ToolInputError(f"{key} is {options.get(key)!r}; give a number.")
    return figure


def attribute_size(confidence: float, tolerable: float, accepted: int) -> int:
    """Return the least n for which so many deviations are improbable at the tolerable rate (binomial).

    Args:
        confidence: such as 0.95.
        tolerable: the rate of deviation, such as 0.05.
        accepted: how many deviations are accepted.
    """
    n = accepted + 1
    while True:
        chance = sum(
            math.comb(n, k) * tolerable**k * (1 - tolerable) ** (n - k) for k in range(accepted + 1)
        )
        if chance <= 1 - confidence + 1e-12:
            return n
        n += 1


def size_of(frequency: str, options: Mapping[str, str], population: int) -> tuple[int, str]:
    """Return how many items are drawn, and by which rule, in words.

    Raises:
        ToolInputError: the frequency, the risk or a figure is none, or the size is below the table's.
    """
    plain = " ".join(frequency.lower().replace("-", " ").split())
    risk = {**DEFAULTS, **options}["risk"].lower()
    if plain == ATTRIBUTE:
        confidence, tolerable, accepted = (
            _number(options, k) for k in ("confidence", "tolerable", "accepted")
        )
        if not (50 <= confidence < 100 and 1 <= tolerable <= 50 and 0 <= accepted <= 20):
            raise ToolInputError(
                "confidence is 50 to below 100, tolerable 1 to 50 (percent), accepted 0 to 20."
            )
        least = attribute_size(float(confidence) / 100, float(tolerable) / 100, int(accepted))
        rule = f"attribute sampling: {confidence:f} % confidence, {tolerable:f} % tolerable, {int(accepted)} accepted deviations"
    elif plain in SIZES and risk in RISKS:
        least = SIZES[plain][RISKS.index(risk)]
        rule = f"table: {plain} control, {risk} risk"
    else:
        raise ToolInputError(
            f"The frequency is {', '.join(SIZES)} or {ATTRIBUTE}, the risk lower or higher; not {frequency!r}, {risk!r}."
        )
    wanted = int(_number(options, "size")) if options.get("size") else least
    if wanted < min(least, population):
        raise ToolInputError(f"A size of {wanted} is below the {least} that {rule} wants.")
    drawn = min(wanted, population)
    if drawn > SAMPLE_LIMIT:
        raise ToolInputError(f"A sample has at most {SAMPLE_LIMIT} items, not {drawn}.")
    if drawn < least:
        return drawn, f"{rule}: {least} items; the population has {population}, so all are drawn"
    return drawn, f"{rule}: {least} items" + (
        f"; {wanted} were asked for" if wanted != least else ""
    )


def draw(population: Population, count: int, seed: str) -> tuple[Item, ...]:
    """Return the items whose SHA-256 of "seed|digest of the population|row" is lowest, in the file's order."""
    if not seed.strip():
        raise ToolInputError("The seed is empty; give any word or number.")

    def rank(item: Item) -> str:
        return hashlib.sha256(f"{seed}|{population.digest}|{item.number}".encode()).hexdigest()

    return tuple(sorted(sorted(population.items, key=rank)[:count], key=lambda item: item.number))


def read_outcomes(
    file: Path, name: str, items: Sequence[Item], attributes: Sequence[str]
) -> dict[str, Outcome]:
    """Return item → outcome from a table with a column for the item, each attribute, tester, date, evidence.

    Raises:
        ToolInputError: an item is not in the sample or stands twice, an answer is none, or tester, day or evidence is
            missing.
    """
    table = read_table(file, name=name)
    column = _column(table, ITEMS)
    asked = [_column(table, (attribute.lower(),), attribute) for attribute in attributes]
    tester, day, evidence = (
        _column(table, known)
        for known in (("tester", "tested by"), ("date", "tested on"), ("evidence", "workpaper"))
    )
    days = parse_times(table.values(day), f"{name}, {day}")
    drawn = {item.name for item in items}
    found: dict[str, Outcome] = {}
    for index, row in enumerate(table.rows):
        cells = dict(zip(table.columns, row.cells, strict=True))
        item, answers = cells[column], tuple(cells[one].strip().lower() for one in asked)
        where = f"{name}, row {row.number}"
        if item not in drawn or item in found:
            raise ToolInputError(f"{where}: {item!r} is not in the sample, or stands twice.")
        if any(answer not in ANSWERS for answer in answers):
            raise ToolInputError(f"{where}: an answer is yes, no or n/a.")
        when = days[index]
        if not cells[tester] or not cells[evidence] or when is None:
            raise ToolInputError(f"{where}: a test has a tester, a date and evidence.")
        found[item] = Outcome(
            answers=answers, tester=cells[tester], day=when.date(), evidence=cells[evidence]
        )
    return found


def _column(table: Table, known: Sequence[str], name: str = "") -> str:
    found = find_column(table, known, name)
    if found is None:
        raise ToolInputError(
            f"{table.name} has no column for the {known[0]}; it has {', '.join(table.columns)}."
        )
    return found
