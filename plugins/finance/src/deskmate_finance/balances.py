"""A trial balance as exact records: one row an account, debits positive, with the opening balance where there is one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from deskmate.plugin import ToolInputError
from deskmate_documents.tables import Table, find_column, parse_amounts, read_table
from deskmate_finance.chart_of_accounts import Chart, account_key, of_column
from deskmate_finance.tools.trial_balance import ACCOUNTS, is_total, pairs

OPENINGS = (
    "opening balance",
    "opening",
    "prior year",
    "prior balance",
    "last year",
    "comparative",
)
SETTINGS = frozenset(
    ("account", "debit", "credit", "balance", "name", "opening", "line", "sheet", "entity")
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One account. `number`: its row in the file. `opening`: debit positive, None where none is given."""

    number: int
    code: str
    name: str
    debit: Decimal
    credit: Decimal
    opening: Decimal | None = None

    @property
    def key(self) -> str:
        """What it is known by in charts and other trial balances."""
        return account_key(self.code)

    @property
    def net(self) -> Decimal:
        """Debits less credits."""
        return self.debit - self.credit


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialBalance:
    """All accounts of one entity in one currency. `chart`: from its own column of lines, if it has one."""

    name: str
    currency: str
    accounts: tuple[Account, ...]
    chart: Chart | None

    @property
    def difference(self) -> Decimal:
        """Debits less credits."""
        return sum((account.net for account in self.accounts), Decimal())

    @property
    def has_opening(self) -> bool:
        """Say whether it has opening balances."""
        return any(account.opening is not None for account in self.accounts)


def read_trial_balance(file: Path, name: str, wanted: Mapping[str, str]) -> TrialBalance:
    """Return the trial balance in a CSV or XLSX file; rows of totals are left out.

    Args:
        file: the real path.
        name: its workspace path, for messages.
        wanted: names of columns where they cannot be told (account, debit, credit, balance, name, opening,
            line), `sheet`, and `entity`: the one to take where there are several.

    Raises:
        ToolInputError: a column is missing, a figure cannot be read, an account stands twice, or there are
            several entities or currencies.
    """
    unknown = sorted(set(wanted) - SETTINGS)
    if unknown:
        raise ToolInputError(
            f"Setting {unknown[0]!r} is unknown; use {', '.join(sorted(SETTINGS))}."
        )
    table = read_table(file, name=name, sheet=wanted.get("sheet", ""))
    column = find_column(table, ACCOUNTS, wanted.get("account", ""))
    if column is None:
        raise ToolInputError(f"{name} has no account column; it has {', '.join(table.columns)}.")
    title = find_column(
        table, ("account name", "name", "description", "text"), wanted.get("name", "")
    )
    opening = find_column(table, OPENINGS, wanted.get("opening", ""))
    columns = {key: wanted[key] for key in ("debit", "credit", "balance") if wanted.get(key)}
    before = parse_amounts(table.values(opening), f"{name}, {opening}") if opening else ()
    found: list[Account] = []
    taken: list[int] = []
    for index, (row, (debit, credit)) in enumerate(
        zip(table.rows, pairs(table, columns), strict=True)
    ):
        code = row.cells[table.columns.index(column)]
        if is_total(row.cells, code) or not _is_meant(table, index, wanted.get("entity", "")):
            continue
        if not code:
            raise ToolInputError(f"{name}, row {row.number}: the row has no account.")
        own = title if title != column else None
        found.append(
            Account(
                number=row.number,
                code=code,
                name=row.cells[table.columns.index(own)] if own else "",
                debit=debit,
                credit=credit,
                opening=(before[index] or Decimal()) if opening else None,
            )
        )
        taken.append(index)
    _check(name, found)
    return TrialBalance(
        name=name,
        currency=_one(table, taken, ("currency", "ccy"), name),
        accounts=tuple(found),
        chart=_own_chart(table, taken, column, wanted.get("line", "")),
    )


def _is_meant(table: Table, index: int, entity: str) -> bool:
    column = find_column(table, ("entity", "company"))
    if not entity or column is None:
        return True
    return table.rows[index].cells[table.columns.index(column)] == entity


def _check(name: str, accounts: list[Account]) -> None:
    if not accounts:
        raise ToolInputError(f"{name} has no account rows.")
    seen: dict[str, int] = {}
    for account in accounts:
        first = seen.setdefault(account.key, account.number)
        if first != account.number:
            raise ToolInputError(
                f"{name}, rows {first} and {account.number}: account {account.code} stands twice; "
                "give one entity, one currency and one row an account."
            )


def _one(table: Table, taken: list[int], known: tuple[str, ...], name: str) -> str:
    for names in (("entity", "company"), known):
        column = find_column(table, names)
        place = table.columns.index(column) if column else 0
        found = sorted({table.rows[i].cells[place] for i in taken} - {""}) if column else []
        if len(found) > 1:
            raise ToolInputError(
                f"{name} has rows of {', '.join(found)}; build one entity and currency at a time."
            )
    return found[0] if found else ""


def _own_chart(table: Table, taken: list[int], account: str, wanted: str) -> Chart | None:
    column = find_column(table, ("line", "statement line", "fs line", "caption"), wanted)
    if column is None:
        return None
    at, to = table.columns.index(account), table.columns.index(column)
    rows = [table.rows[index].cells for index in taken]
    chart = of_column(((row[at], row[to]) for row in rows), table.name)
    if chart is None and wanted:
        raise ToolInputError(
            f"{table.name}: the column {wanted} does not name lines of the statements."
        )
    return chart
