"""The tool that checks a trial balance."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from deskmate.plugin import ToolContext, ToolInputError
from deskmate_documents.tables import Table, find_column, parse_amounts, pick_file, read_table

ACCOUNTS = (
    "account",
    "account number",
    "account no",
    "account code",
    "code",
    "konto",
    "account name",
    "name",
)
BALANCES = ("balance", "closing balance", "amount", "net", "saldo")
GROUPS = ("entity", "company", "currency", "ccy")


def trial_balance_check(
    context: ToolContext,
    path: str = "",
    sheet: str = "",
    columns: dict[str, str] | None = None,
    request: str = "",
) -> dict[str, Any]:
    """Check that a trial balance balances, per entity and currency, and name what looks wrong in it.

    Adds debits and credits exactly, leaves total rows out, and lists accounts that occur twice, rows
    with both a debit and a credit, negative debits or credits, and rows without an account.

    Args:
        context: filled in by Deskmate.
        path: workspace path of the CSV or XLSX file. Empty: the one in the workspace.
        sheet: of a workbook; empty takes its first sheet with a table.
        columns: names where they cannot be told: account, debit, credit, balance, entity, currency.
        request: the user's words; a file named there is taken if `path` is empty.

    Returns:
        `balances`: bool. `totals`: per group debit, credit, difference as decimal strings. `findings`:
        list of {row, account, problem}. `total_rows`: rows left out as totals.

    Raises:
        ToolInputError: no such file or column, or a figure that cannot be read.
    """
    path = path or pick_file(
        context.workspace,
        (".csv", ".tsv", ".xlsx", ".xlsm"),
        what="trial balance",
        hints=("trial", "tb", "balance"),
        request=request,
    )
    table = read_table(context.file(path), name=path, sheet=sheet)
    wanted = columns or {}
    account = find_column(table, ACCOUNTS, wanted.get("account", ""))
    if account is None:
        raise ToolInputError(f"{path} has no account column; it has {', '.join(table.columns)}.")
    both = pairs(table, wanted)
    groups = [c for name in GROUPS if (c := find_column(table, (name,), wanted.get(name, "")))]
    sums = _Sums()
    for (number, name), amounts, row in zip(table.values(account), both, table.rows, strict=True):
        if is_total(row.cells, name):
            sums.total_rows.append(number)
            continue
        group = " · ".join(
            row.cells[table.columns.index(column)] for column in dict.fromkeys(groups)
        )
        sums.add(group, number, name, amounts)
    if not sums.totals:
        raise ToolInputError(f"{path} has no account rows.")
    return {"path": path, **sums.report()}


@dataclass(slots=True, kw_only=True)
class _Sums:
    """What the rows read so far add up to, by group, and what looks wrong in them."""

    totals: dict[str, list[Decimal]] = field(default_factory=dict)
    findings: list[dict[str, Any]] = field(default_factory=list)
    seen: Counter[tuple[str, str]] = field(default_factory=Counter)
    total_rows: list[int] = field(default_factory=list)

    def add(self, group: str, number: int, name: str, amounts: tuple[Decimal, Decimal]) -> None:
        """Take in one account's row."""
        debit, credit = amounts
        sums = self.totals.setdefault(group, [Decimal(), Decimal()])
        sums[0] += debit
        sums[1] += credit
        self.seen[(group, name)] += 1
        problems = list(_problems(name, debit, credit))
        if name and self.seen[(group, name)] == 2:
            problems.append("the account occurs more than once")
        self.findings += [{"row": number, "account": name, "problem": p} for p in problems]

    def report(self) -> dict[str, Any]:
        """Return the tool's result without the path."""
        return {
            "balances": all(debit == credit for debit, credit in self.totals.values()),
            "accounts": sum(self.seen.values()),
            "totals": [
                {"group": g, "debit": f"{d:f}", "credit": f"{c:f}", "difference": f"{d - c:f}"}
                for g, (d, c) in self.totals.items()
            ],
            "difference": f"{sum((d - c for d, c in self.totals.values()), Decimal()):f}",
            "findings": self.findings[:200],
            "finding_count": len(self.findings),
            "total_rows": self.total_rows,
        }


def pairs(table: Table, wanted: Mapping[str, str]) -> list[tuple[Decimal, Decimal]]:
    """Return (debit, credit) of each row, from two columns or from a signed balance.

    Raises:
        ToolInputError: there is neither, or a figure cannot be read.
    """
    debit = find_column(table, ("debit", "debits", "dr", "soll"), wanted.get("debit", ""))
    credit = find_column(table, ("credit", "credits", "cr", "haben"), wanted.get("credit", ""))
    if debit and credit:
        columns = zip(_figures(table, debit), _figures(table, credit), strict=True)
        return [(one or Decimal(), other or Decimal()) for one, other in columns]
    balance = find_column(table, BALANCES, wanted.get("balance", ""))
    if balance is None:
        raise ToolInputError(
            f"{table.name} has neither debit and credit nor a balance; it has {', '.join(table.columns)}."
        )
    signed = [figure or Decimal() for figure in _figures(table, balance)]
    return [(max(f, Decimal()), max(-f, Decimal())) for f in signed]


def _figures(table: Table, column: str) -> list[Decimal | None]:
    return parse_amounts(table.values(column), f"{table.name}, {column}")


def is_total(cells: tuple[str, ...], account: str) -> bool:
    """Say whether a row is a total, not an account."""
    words = account.lower() or " ".join(cells).lower()
    return words.startswith(("total", "subtotal", "sum", "grand total", "summe")) or (
        not account and "total" in words
    )


def _problems(account: str, debit: Decimal, credit: Decimal) -> list[str]:
    problems = []
    if not account:
        problems.append("the row has no account")
    if debit and credit:
        problems.append("the row has both a debit and a credit")
    if debit < 0 or credit < 0:
        problems.append("a debit or credit is negative")
    return problems
