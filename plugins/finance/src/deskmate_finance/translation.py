"""Trial balances of several entities in one currency: rates by kind of account, the difference of translation, and what rounding leaves.

Source: IAS 21.39 to 41 and ASC 830-30-45-3 (SOURCES.md): assets and liabilities at the closing rate, income and expenses at the
average rate, equity at the rates of its days; the difference is equity of its own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

from deskmate.plugin import ToolInputError
from deskmate_documents.tables import Table, find_column, parse_amounts, read_table
from deskmate_finance.chart_of_accounts import Chart, account_key
from deskmate_finance.lines import BY_TITLE
from deskmate_finance.tools.trial_balance import ACCOUNTS, is_total, pairs

CLOSING, AVERAGE, HISTORICAL, OWN = "closing", "average", "historical", "own currency"
DIFFERENCE, ROUNDING = "Translation difference", "Rounding of the translation"
RESERVES = "Other reserves"
CENT = Decimal("0.01")
ENTITIES_LIMIT, ROWS_LIMIT = 60, 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """Rates to the group's currency: one unit of the other currency is so much. `single`: (currency, account) → historical."""

    name: str
    general: Mapping[tuple[str, str], Decimal]
    single: Mapping[tuple[str, str], Decimal]


@dataclass(frozen=True, slots=True, kw_only=True)
class Posting:
    """An account of an entity. `row`: in the file. `local`, `translated`: debits less credits; `kind`: of the rate."""

    row: int
    entity: str
    currency: str
    code: str
    name: str
    line: str
    local: Decimal
    kind: str
    rate: Decimal

    @property
    def exact(self) -> Decimal:
        """In the group's currency, not rounded."""
        return self.local * self.rate

    @property
    def translated(self) -> Decimal:
        """In the group's currency, to the cent."""
        return cents(self.exact)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entity:
    """An entity. `difference`, `rounding`: what its balances lack to nil, as equity, debits less credits."""

    name: str
    currency: str
    local: Decimal
    exact: Decimal
    translated: Decimal

    @property
    def difference(self) -> Decimal:
        """The difference of translation, to the cent."""
        return cents(-self.exact)

    @property
    def rounding(self) -> Decimal:
        """What rounding each account and the difference to cents leaves."""
        return -self.translated - self.difference


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """All entities in one currency."""

    currency: str
    postings: tuple[Posting, ...]
    entities: tuple[Entity, ...]
    rates: Rates
    chart: str

    def accounts(self) -> dict[str, tuple[str, str, str, Decimal]]:
        """Return key → (code, name, line, debits less credits) of all entities together, in order of the accounts."""
        found: dict[str, tuple[str, str, str, Decimal]] = {}
        for one in sorted(self.postings, key=lambda p: (account_key(p.code), p.row)):
            key = account_key(one.code)
            code, name, line, sum_ = found.get(key, (one.code, one.name, one.line, Decimal()))
            found[key] = (code, name, line, sum_ + one.translated)
        return found


def cents(figure: Decimal) -> Decimal:
    """Return a figure to the cent, halves away from nil, as a spreadsheet's ROUND does."""
    return figure.quantize(CENT, rounding=ROUND_HALF_UP)


def read_rates(file: Path, name: str) -> Rates:
    """Return the rates of a CSV or XLSX file: columns currency, closing, average, historical; a row with an account gives its rate.

    Raises:
        ToolInputError: a column is missing, a rate is none or not above nil, or one stands twice.
    """
    table = read_table(file, name=name)
    currency = find_column(table, ("currency", "ccy", "from"))
    kinds = {
        kind: column
        for kind, names in (
            (CLOSING, ("closing", "closing rate", "spot", "year-end rate")),
            (AVERAGE, ("average", "average rate")),
            (HISTORICAL, ("historical", "historical rate", "historic")),
        )
        if (column := find_column(table, names))
    }
    if currency is None or not {CLOSING, AVERAGE} <= set(kinds):
        raise ToolInputError(
            f"{name} needs the columns currency, closing and average, and historical for equity; it has {', '.join(table.columns)}."
        )
    account = find_column(table, ("account", "account number", "code"))
    general: dict[tuple[str, str], Decimal] = {}
    single: dict[tuple[str, str], Decimal] = {}
    for kind, column in kinds.items():
        figures = parse_amounts(table.values(column), f"{name}, {column}")
        for row, figure in zip(table.rows, figures, strict=True):
            if figure is None:
                continue
            code = row.cells[table.columns.index(currency)].strip().upper()
            own = row.cells[table.columns.index(account)] if account else ""
            if figure <= 0 or not code:
                raise ToolInputError(
                    f"{name}, row {row.number}: a rate is above nil and has a currency."
                )
            if own and kind != HISTORICAL:
                raise ToolInputError(
                    f"{name}, row {row.number}: an account has a historical rate only."
                )
            place = (single, (code, account_key(own))) if own else (general, (code, kind))
            if place[0].setdefault(place[1], figure) != figure:
                raise ToolInputError(f"{name}, row {row.number}: {code} has two {kind} rates.")
    return Rates(name=name, general=general, single=single)


def translated(
    file: Path, name: str, sheet: str, rates: Rates, currency: str, chart: Chart
) -> Group:
    """Return the balances of all entities in one currency.

    Raises:
        ToolInputError: there is no entity, an entity does not balance in its own currency or has several, an account stands
            twice or has no line, or a rate is missing.
    """
    table = read_table(file, name=name, sheet=sheet)
    postings: list[Posting] = []
    missing: list[str] = []
    for row, entity, money, code, title, local in _rows(table, name, currency):
        line = chart.line_of(code)
        if not line:
            raise ToolInputError(f"{name}, row {row}: account {code} has no line in {chart.name}.")
        kind = _kind(line, money, currency)
        rate = _rate(rates, money, code, kind)
        if rate is None:
            missing.append(
                f"{kind} {money} for {code}" if kind == HISTORICAL else f"{kind} {money}"
            )
            continue
        postings.append(
            Posting(row=row, entity=entity, currency=money, code=code, name=title, line=line, local=local, kind=kind, rate=rate)
        )  # fmt: skip
    if missing:
        lacking = ", ".join(list(dict.fromkeys(missing))[:12])
        raise ToolInputError(f"{rates.name} lacks rates: {lacking}. Nothing was translated.")
    order = {
        name: place for place, name in enumerate(dict.fromkeys(one.entity for one in postings))
    }
    postings.sort(key=lambda one: order[one.entity])
    return Group(
        currency=currency,
        postings=tuple(postings),
        entities=tuple(_entities(postings, name)),
        rates=rates,
        chart=chart.name,
    )


def _kind(line: str, money: str, currency: str) -> str:
    if money == currency:
        return OWN
    about = BY_TITLE[line]
    if about.statement == "income":
        return AVERAGE
    return HISTORICAL if about.block == "Total equity" else CLOSING


def _rate(rates: Rates, money: str, code: str, kind: str) -> Decimal | None:
    if kind == OWN:
        return Decimal(1)
    own = rates.single.get((money, account_key(code))) if kind == HISTORICAL else None
    return own if own is not None else rates.general.get((money, kind))


def _rows(table: Table, name: str, currency: str) -> list[tuple[int, str, str, str, str, Decimal]]:
    columns = {
        "account": find_column(table, ACCOUNTS),
        "entity": find_column(table, ("entity", "company")),
        "currency": find_column(table, ("currency", "ccy")),
        "name": find_column(table, ("account name", "name", "description", "text")),
    }
    for wanted in ("account", "entity", "currency"):
        if columns[wanted] is None:
            raise ToolInputError(
                f"{name} needs a column {wanted}; it has {', '.join(table.columns)}."
            )
    at = {key: table.columns.index(column) for key, column in columns.items() if column}
    found: list[tuple[int, str, str, str, str, Decimal]] = []
    seen: dict[tuple[str, str], int] = {}
    for row, (debit, credit) in zip(table.rows, pairs(table, {}), strict=True):
        code, entity = row.cells[at["account"]].strip(), row.cells[at["entity"]].strip()
        if is_total(row.cells, code):
            continue
        money = row.cells[at["currency"]].strip().upper()
        if not code or not entity or not money:
            raise ToolInputError(
                f"{name}, row {row.number}: it needs an entity, a currency and an account."
            )
        first = seen.setdefault((entity, account_key(code)), row.number)
        if first != row.number:
            raise ToolInputError(
                f"{name}, rows {first} and {row.number}: account {code} of {entity} stands twice."
            )
        title = row.cells[at["name"]] if "name" in at and at["name"] != at["account"] else ""
        found.append((row.number, entity, money, code, title, debit - credit))
    if not found or len(found) > ROWS_LIMIT:
        raise ToolInputError(
            f"{name} has {len(found)} account rows; 1 to {ROWS_LIMIT} are translated."
        )
    return found


def _entities(postings: list[Posting], name: str) -> list[Entity]:
    grouped: dict[str, list[Posting]] = defaultdict(list)
    for one in postings:
        grouped[one.entity].append(one)
    if len(grouped) > ENTITIES_LIMIT:
        raise ToolInputError(f"{name} has {len(grouped)} entities; {ENTITIES_LIMIT} are the most.")
    made = []
    for entity, ones in grouped.items():
        money = {one.currency for one in ones}
        if len(money) > 1:
            raise ToolInputError(
                f"{name}: {entity} has rows in {', '.join(sorted(money))}; each entity has one currency."
            )
        local = sum((one.local for one in ones), Decimal())
        if local:
            raise ToolInputError(
                f"{name}: {entity} does not balance: debits less credits are {local:f} {money.pop()}. Nothing was translated."
            )
        made.append(
            Entity(
                name=entity,
                currency=money.pop(),
                local=local,
                exact=sum((one.exact for one in ones), Decimal()),
                translated=sum((one.translated for one in ones), Decimal()),
            )
        )
    return made
