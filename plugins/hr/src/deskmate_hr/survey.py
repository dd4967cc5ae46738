"""Pay surveys: published percentiles with their counts, or single observations; what of them is too thin to use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path

from deskmate.plugin import ToolInputError
from deskmate_documents.tables import Table, find_column, parse_amounts, parse_times, read_table
from deskmate_hr.measures import CURRENCY, PAY
from deskmate_hr.offers import words

ROLE = (
    "job role",
    "role",
    "benchmark job",
    "survey job",
    "job title",
    "position title",
    "position",
    "job",
    "title",
)
LEVEL = ("job level", "level", "grade")
PLACE = ("location", "region", "geography", "country", "state")
COUNT = (
    "n",
    "incumbents",
    "observations",
    "sample size",
    "sample",
    "number of incumbents",
    "respondents",
    "count",
)
ORGANISATIONS = ("organisations", "organizations", "companies", "employers", "firms", "orgs")
EFFECTIVE = ("effective date", "effective", "data date", "survey date", "as of", "date")
SOURCE = ("source", "survey name", "provider")
PERCENTILES: Mapping[str, tuple[str, ...]] = {
    f"P{p}": (
        f"p{p}",
        f"{p}th percentile",
        f"{p}th",
        f"percentile {p}",
        *(("median",) if p == 50 else ()),
    )
    for p in (10, 25, 50, 75, 90)
}
USUAL = ("P25", "P50", "P75")
DIMENSIONS = (ROLE, LEVEL, PLACE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A row of a survey. `label`: role, with level and place if the survey goes by them; `values`: P50 → pay, or Pay → pay."""

    label: str
    source: str
    effective: date
    count: int
    organisations: int | None
    values: Mapping[str, Decimal]
    place: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """All lines in one currency. `percentiles`: of published ones; empty for single observations.

    `by`: the columns that it goes by, each with what such a column may be called.
    """

    lines: tuple[Line, ...]
    percentiles: tuple[str, ...]
    currency: str
    by: tuple[tuple[str, tuple[str, ...]], ...]

    @property
    def is_observed(self) -> bool:
        """Say whether each line is one observation."""
        return not self.percentiles

    def groups(self) -> dict[str, list[Line]]:
        """Return label → its lines; labels are the same if they differ in case and marks only."""
        found: dict[str, list[Line]] = {}
        for line in self.lines:
            found.setdefault(words(line.label), []).append(line)
        return {found[key][0].label: found[key] for key in sorted(found)}


def read_survey(file: Path, name: str, effective: str = "") -> Survey:
    """Return a survey.

    Args:
        file: a CSV or XLSX table.
        name: what to call it.
        effective: ISO date of all its data, where it has no column for that.

    Raises:
        ToolInputError: no role, pay or date, several currencies, percentiles that fall.
    """
    table = read_table(file, name=name)
    by: dict[str, tuple[str, ...]] = {}
    for known in DIMENSIONS:
        column = find_column(table, known)
        if column is not None:
            by.setdefault(column, known)
    dimensions = list(by)
    if find_column(table, ROLE) is None:
        raise ToolInputError(
            f"{name} has no column for the role; it has {', '.join(table.columns)}."
        )
    columns, counted = _columns(table, name)
    published = () if list(columns) == ["Pay"] else tuple(columns)
    amounts = {p: parse_amounts(table.values(c), f"{name}, {c}") for p, c in columns.items()}
    days = _days(table, name, effective)
    counts = _counts(table, counted, 1)
    organisations = _counts(table, find_column(table, ORGANISATIONS), None)
    sources = _texts(
        table, find_column(table, SOURCE) or ("Survey" if "Survey" in table.columns else None)
    )
    lines = []
    for place, row in enumerate(table.rows):
        where = f"{name}, row {row.number}"
        values = {p: _paid(amounts[p][place], p, where) for p in columns}
        if list(values.values()) != sorted(values.values()):
            raise ToolInputError(
                f"{where}: its percentiles fall; each is at least the one before it."
            )
        lines.append(
            Line(
                label=_label(table, dimensions, place, where),
                source=sources[place] or name,
                effective=days[place],
                count=counts[place] or 0,
                organisations=organisations[place],
                values=values,
                place=where,
            )
        )
    return Survey(
        lines=tuple(lines),
        percentiles=published,
        currency=one_currency(table, name),
        by=tuple(by.items()),
    )


def _columns(table: Table, name: str) -> tuple[dict[str, str], str | None]:
    """Return percentile (or Pay, of single observations) → column, and the column of counts."""
    published = {
        p: column for p, known in PERCENTILES.items() if (column := find_column(table, known))
    }
    counted = find_column(table, COUNT)
    if published and ("P50" not in published or counted is None):
        raise ToolInputError(
            f"{name} has percentiles; it needs the median (P50) and the number of people (n) too."
        )
    if published:
        return published, counted
    pay = find_column(table, PAY)
    if pay is None:
        raise ToolInputError(f"{name} has neither percentiles (P25, P50, P75) nor a column of pay.")
    return {"Pay": pay}, None


def _paid(amount: Decimal | None, what: str, where: str) -> Decimal:
    if amount is None or amount <= 0:
        raise ToolInputError(f"{where}: {what} is missing or not above 0.")
    return amount


def _label(table: Table, dimensions: Sequence[str], place: int, where: str) -> str:
    parts = [table.rows[place].cells[table.columns.index(column)].strip() for column in dimensions]
    if not parts[0]:
        raise ToolInputError(f"{where}: the role is missing.")
    return " · ".join(filter(None, parts))


def _texts(table: Table, column: str | None) -> list[str]:
    return [text for _, text in table.values(column)] if column else [""] * len(table.rows)


def _counts(table: Table, column: str | None, default: int | None) -> list[int | None]:
    if column is None:
        return [default] * len(table.rows)
    found: list[int | None] = []
    for (row, text), amount in zip(
        table.values(column),
        parse_amounts(table.values(column), f"{table.name}, {column}"),
        strict=True,
    ):
        if amount is None or amount < 0 or amount != int(amount):
            raise ToolInputError(
                f"{table.name}, row {row}: {column} is {text or 'missing'}; give a whole number."
            )
        found.append(int(amount))
    return found


def _days(table: Table, name: str, effective: str) -> list[date]:
    column = find_column(table, EFFECTIVE)
    if column is None and not effective:
        raise ToolInputError(
            f"{name} has no column for the date of its data, and none was given (setting effective)."
        )
    if column is None:
        return [_iso(effective)] * len(table.rows)
    moments = parse_times(table.values(column), f"{name}, {column}")
    found = []
    for (row, _), moment in zip(table.values(column), moments, strict=True):
        if moment is None and not effective:
            raise ToolInputError(f"{name}, row {row}: the date of the data is missing.")
        found.append(moment.date() if moment else _iso(effective))
    return found


def _iso(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as problem:
        raise ToolInputError(f"{text} is no date such as 2026-03-01.") from problem


def one_currency(table: Table, name: str) -> str:
    """Return the currency of a table, empty if it names none.

    Raises:
        ToolInputError: it has several.
    """
    column = find_column(table, CURRENCY)
    found = sorted({text.upper() for _, text in table.values(column) if text}) if column else []
    if len(found) > 1:
        raise ToolInputError(
            f"{name} has several currencies ({', '.join(found)}); benchmark one at a time."
        )
    return found[0] if found else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Employee:
    """One of the own people. `id`: never a name."""

    id: str
    label: str
    pay: Decimal
    place: str


IDENTITIES = ("employee id", "employee number", "staff id", "personnel number", "person id", "id")


def read_employees(file: Path, name: str, survey: Survey) -> tuple[tuple[Employee, ...], str]:
    """Return the own people, labelled as the survey labels roles, and their currency.

    Raises:
        ToolInputError: a column that the survey goes by is missing, or there is no pay.
    """
    table = read_table(file, name=name)
    dimensions = []
    for column, known in survey.by:
        own = find_column(table, (words(column), *known))
        if own is None:
            raise ToolInputError(f"{name} has no column for {column}, by which the survey goes.")
        dimensions.append(own)
    pay = find_column(table, PAY)
    if pay is None:
        raise ToolInputError(f"{name} has no column of pay; it has {', '.join(table.columns)}.")
    identity = _texts(table, find_column(table, IDENTITIES))
    amounts = parse_amounts(table.values(pay), f"{name}, {pay}")
    people = []
    for place, row in enumerate(table.rows):
        where = f"{name}, row {row.number}"
        people.append(
            Employee(
                id=identity[place],
                label=_label(table, dimensions, place, where),
                pay=_paid(amounts[place], pay, where),
                place=where,
            )
        )
    return tuple(people), one_currency(table, name)
