"""Reads what vendors cost by year, and discounts it: total cost of ownership as a present value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path

from deskmate.plugin import ToolInputError
from deskmate_documents.tables import Table, find_column, parse_amounts, read_sheets, read_table
from deskmate_ops.vendors import VENDORS

YEARS = ("year", "period", "contract year")
AMOUNTS = ("amount", "cost", "price", "total", "fee")
ITEMS = ("item", "cost item", "position", "category", "description", "type")
CURRENCIES = ("currency",)
YEARS_LIMIT = 30
CALENDAR = 1900
TCO = "TCO"
"""The criterion that a table of costs gives."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """One line of a quote. `year`: from 0, the year of the decision, whose money is not discounted."""

    vendor: str
    item: str
    year: int
    amount: Decimal
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """All lines. `first`: the calendar year that is year 0, 0 if the table counts years itself. `currency`: may be empty."""

    lines: tuple[Cost, ...]
    first: int
    currency: str

    @property
    def years(self) -> range:
        """The years, from 0."""
        return range(max(line.year for line in self.lines) + 1)

    def by_year(self, vendor: str) -> list[Decimal]:
        """Return what a vendor costs in each year."""
        return [
            sum((c.amount for c in self.lines if c.vendor == vendor and c.year == year), Decimal())
            for year in self.years
        ]


def read_costs(file: Path, name: str, vendors: Sequence[str]) -> Costs:
    """Return the costs of a table, or of a workbook's sheet whose name begins with cost, quote or tco.

    Raises:
        ToolInputError: a column is missing, a year or amount is none, currencies differ, or a vendor is unknown or has no costs.
    """
    table = read_table(file, name=name, sheet=cost_sheet(file, name))
    columns = {
        what: find_column(table, known)
        for what, known in (("vendor", VENDORS), ("year", YEARS), ("amount", AMOUNTS))
    }
    missing = [what for what, column in columns.items() if column is None]
    if missing:
        raise ToolInputError(
            f"{name} has no {missing[0]} column for costs; it has {', '.join(table.columns)}."
        )
    who, when, what = (table.values(str(column)) for column in columns.values())
    amounts = parse_amounts(what, f"{name}, {columns['amount']}")
    years = [_year(text, f"{name}, row {row}") for row, text in when]
    if not years:
        raise ToolInputError(f"{name} has no costs.")
    first = min(years) if min(years) >= CALENDAR else 0
    if max(years) - first > YEARS_LIMIT:
        raise ToolInputError(f"{name}: costs of more than {YEARS_LIMIT} years cannot be compared.")
    item = find_column(table, ITEMS)
    items = table.values(item) if item else [(row, "") for row, _ in who]
    lines = []
    for (row, vendor), year, amount, (_, label) in zip(who, years, amounts, items, strict=True):
        if vendor not in vendors or amount is None:
            problem = (
                "has no amount" if vendor in vendors else "is not among the vendors that are scored"
            )
            raise ToolInputError(
                f"{name}, row {row}: {vendor or 'a line without a vendor'} {problem}."
            )
        lines.append(
            Cost(
                vendor=vendor,
                item=label,
                year=year - first,
                amount=amount,
                source=f"{name}, row {row}",
            )
        )
    silent = sorted(set(vendors) - {line.vendor for line in lines})
    if silent:
        raise ToolInputError(f"{name} has no costs of {', '.join(silent)}.")
    return Costs(lines=tuple(lines), first=first, currency=_currency(table, name))


def has_costs(file: Path, name: str) -> bool:
    """Say whether a file is a table by years. Whether it has all else, reading it says."""
    try:
        table = read_table(file, name=name, sheet=cost_sheet(file, name))
    except ToolInputError:
        return False
    return find_column(table, YEARS) is not None


def cost_sheet(file: Path, name: str) -> str:
    """Return the sheet of costs of a workbook, empty if there is none or it is no workbook."""
    if file.suffix.lower() not in (".xlsx", ".xlsm"):
        return ""
    return next(
        (t for t in read_sheets(file, name=name) if t.lower().startswith(("cost", "quote", "tco"))),
        "",
    )


def _year(text: str, where: str) -> int:
    digits = text.lower().removeprefix("year").removeprefix("y").strip()
    if not digits.isascii() or not digits.isdigit() or len(digits) > 4:
        raise ToolInputError(f"{where}: {text!r} is no year such as 0, 1 or 2027.")
    return int(digits)


def _currency(table: Table, name: str) -> str:
    column = find_column(table, CURRENCIES)
    found = sorted({text for _, text in table.values(column) if text}) if column else []
    if len(found) > 1:
        raise ToolInputError(f"{name} mixes {' and '.join(found)}; convert to one currency first.")
    return found[0] if found else ""


def rate_of(text: str, what: str) -> Decimal:
    """Return a rate from 0 to 1.

    Raises:
        ToolInputError: it is none.
    """
    try:
        rate = Decimal(text)
    except InvalidOperation as problem:
        raise ToolInputError(f"The {what} {text!r} is no figure such as 0.08.") from problem
    if not 0 <= rate < 1:
        raise ToolInputError(f"The {what} {text} must be at least 0 and below 1, such as 0.08.")
    return rate


def present_value(amounts: Sequence[Decimal], rate: Decimal) -> Decimal:
    """Return what amounts of the years 0, 1, 2 … are worth in year 0."""
    return sum((amount / (1 + rate) ** year for year, amount in enumerate(amounts)), Decimal())


def settings_of(given: Mapping[str, str], config: Mapping[str, object]) -> tuple[Decimal, Decimal]:
    """Return the discount rate and the step of the sensitivity: asked for, else the plugin's settings."""
    rate = given.get("discount_rate") or str(config.get("discount_rate") or "0.08")
    step = given.get("sensitivity") or str(config.get("sensitivity") or "0.2")
    return rate_of(rate, "discount rate"), rate_of(step, "sensitivity")
