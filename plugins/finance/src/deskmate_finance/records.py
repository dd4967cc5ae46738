"""The two sides of a reconciliation as exact records, whatever file they came from."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Literal

from deskmate.plugin import ToolInputError
from deskmate_documents.tables import Table, find_column, parse_amounts, parse_times, read_table
from deskmate_finance.bank_formats import read_bank_format
from deskmate_finance.sides import Entry, Side

SideName = Literal["bank", "ledger"]

DATES = (
    "date",
    "posting date",
    "booking date",
    "transaction date",
    "value date",
    "buchungstag",
    "datum",
)
AMOUNTS = ("amount", "net amount", "transaction amount", "betrag", "value")
INS = ("paid in", "money in", "deposit", "deposits", "receipts", "received")
OUTS = ("paid out", "money out", "withdrawal", "withdrawals", "payments", "spent")
TEXTS = ("description", "memo", "text", "details", "narrative", "payee", "name", "verwendungszweck")
REFERENCES = (
    "reference",
    "ref",
    "check number",
    "cheque number",
    "check no",
    "document",
    "voucher",
    "id",
)
BALANCES = ("balance", "running balance", "closing balance", "saldo")
SETTINGS = frozenset(
    (
        "date",
        "amount",
        "in",
        "out",
        "text",
        "reference",
        "balance",
        "sheet",
        "account",
        "order",
        "flip",
        "currency",
    )
)


def side_settings(settings: Mapping[str, str], side: SideName) -> dict[str, str]:
    """Return one side's settings without its prefix, `bank.` or `ledger.`.

    Raises:
        ToolInputError: a key that does not exist.
    """
    for key in settings:
        prefix, _, name = key.partition(".")
        if prefix not in ("bank", "ledger") or name not in SETTINGS:
            known = ", ".join(sorted(SETTINGS))
            raise ToolInputError(
                f"Setting {key!r} is unknown; use bank. or ledger. and one of {known}."
            )
    return {k.partition(".")[2]: v for k, v in settings.items() if k.startswith(side + ".")}


def read_side(file: Path, name: str, side: SideName, settings: Mapping[str, str]) -> Side:
    """Return the records of a bank statement (OFX, MT940, CAMT.053, BAI2, CSV, XLSX) or ledger (CSV, XLSX).

    Args:
        file: the real path.
        name: its workspace path, for messages.
        side: which one; it says which of debit and credit is money in.
        settings: of this side: column names (`date`, `amount` or `in` and `out`, `text`, `reference`,
            `balance`), `sheet`, `account` (of a bank's own format), `order` (dmy or mdy), `flip` (yes: signs are reversed).

    Raises:
        ToolInputError: the file is not readable as one.
    """
    booked = read_bank_format(file, name, settings.get("account", ""))
    if booked is not None:
        return booked
    table = read_table(file, name=name, sheet=settings.get("sheet", ""))
    days = _days(table, settings)
    amounts = _amounts(table, side, settings)
    text = find_column(table, TEXTS, settings.get("text", ""))
    reference = find_column(table, REFERENCES, settings.get("reference", ""))
    entries: list[Entry] = []
    for index, row in enumerate(table.rows):
        day, amount = days[index], amounts[index]
        if day is None and amount is None:
            continue
        if day is None or amount is None:
            if _is_total(row.cells) and day is None:
                continue
            raise ToolInputError(
                f"{name}, row {row.number}: the {'date' if day is None else 'amount'} is missing."
            )
        entries.append(
            Entry(
                number=row.number,
                day=day,
                amount=amount,
                text=row.cells[table.columns.index(text)] if text else "",
                reference=row.cells[table.columns.index(reference)] if reference else "",
            )
        )
    if not entries:
        raise ToolInputError(f"{name} has no rows with a date and an amount.")
    closing = _closing(table, entries, settings)
    return Side(
        name=name, entries=tuple(entries), closing=closing, currency=_currency(table, settings)
    )


def _is_total(cells: tuple[str, ...]) -> bool:
    words = " ".join(cells).lower()
    return any(word in words for word in ("total", "balance", "summe", "saldo", "brought forward"))


def _days(table: Table, settings: Mapping[str, str]) -> list[date | None]:
    column = find_column(table, DATES, settings.get("date", ""))
    if column is None:
        raise ToolInputError(f"{table.name} has no date column; it has {', '.join(table.columns)}.")
    order = settings.get("order", "")
    if order not in ("", "dmy", "mdy"):
        raise ToolInputError(f"The order of a date is dmy or mdy, not {order!r}.")
    moments = parse_times(
        [
            (number, text if any(c.isdigit() for c in text) else "")
            for number, text in table.values(column)
        ],
        f"{table.name}, {column}",
        order,
    )
    return [moment.date() if moment else None for moment in moments]


def _amounts(table: Table, side: SideName, settings: Mapping[str, str]) -> list[Decimal | None]:
    sign = -1 if settings.get("flip", "").lower() in ("yes", "true", "1") else 1
    one = find_column(table, AMOUNTS, settings.get("amount", ""))
    if settings.get("amount") or (one and not settings.get("in")):
        return [None if a is None else sign * a for a in _figures(table, one or "")]
    # A bank credits what it receives; a ledger debits the cash account for the same money.
    credit_in = side == "bank"
    debit, credit = ("debit", "debits", "dr", "soll"), ("credit", "credits", "cr", "haben")
    money_in = find_column(table, (*INS, *(credit if credit_in else debit)), settings.get("in", ""))
    money_out = find_column(
        table, (*OUTS, *(debit if credit_in else credit)), settings.get("out", "")
    )
    if money_in is None or money_out is None:
        raise ToolInputError(
            f"{table.name} has no amount column; it has {', '.join(table.columns)}. Name it in `settings`."
        )
    pairs = zip(_figures(table, money_in), _figures(table, money_out), strict=True)
    return [
        None
        if come is None and gone is None
        else sign * ((come or Decimal()) - abs(gone or Decimal()))
        for come, gone in pairs
    ]


def _figures(table: Table, column: str) -> list[Decimal | None]:
    return parse_amounts(table.values(column), f"{table.name}, {column}")


def _closing(table: Table, entries: list[Entry], settings: Mapping[str, str]) -> Decimal | None:
    """Return the closing balance that a running balance column shows, if it runs without a gap."""
    column = find_column(table, BALANCES, settings.get("balance", ""))
    if column is None:
        return None
    figures = dict(zip((row.number for row in table.rows), _figures(table, column), strict=True))
    balances = [figures[entry.number] for entry in entries]
    rows = list(zip(balances, entries, strict=True))
    for ordered in (rows, rows[::-1]):
        steps = pairwise(ordered)
        if all(
            a is not None and b is not None and a + entry.amount == b
            for (a, _), (b, entry) in steps
        ):
            return ordered[-1][0]
    return None


def _currency(table: Table, settings: Mapping[str, str]) -> str:
    column = find_column(table, ("currency", "währung", "ccy"), settings.get("currency", ""))
    found = sorted({text for _, text in table.values(column) if text}) if column else []
    if len(found) > 1:
        raise ToolInputError(
            f"{table.name} has rows in {', '.join(found)}; reconcile one currency at a time."
        )
    return found[0] if found else ""
