"""The tool that reconciles a bank statement with a ledger and writes the workbook."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from pathlib import PurePosixPath
from typing import Any

from deskmate.plugin import Deliverable, ToolAnswer, ToolContext, ToolInputError
from deskmate_documents.tables import parse_amounts, pick_file
from deskmate_finance.bank_formats import BANK_SUFFIXES
from deskmate_finance.matching import match
from deskmate_finance.reconciliation import OpenItem, Reconciliation, ageing, balances_of
from deskmate_finance.reconciliation_book import write
from deskmate_finance.records import SideName, read_side, side_settings
from deskmate_finance.sides import Side

TABLES = (".csv", ".tsv", ".xlsx", ".xlsm")
GROUP_SIZE = 4
SHOWN = 50


def recon_match(
    context: ToolContext,
    bank: str = "",
    ledger: str = "",
    output: str = "",
    days: int = 5,
    settings: dict[str, str] | None = None,
    balances: dict[str, str] | None = None,
    request: str = "",
) -> ToolAnswer:
    """Reconcile a bank statement with a ledger, to the cent, and write a workbook with the open items.

    Pairs rows by reference (also one that stands in the text), by amount and date, by amount within some days, by
    all rows of a day, and by sums of up to four rows where only one sum fits. Each row is used once; whatever is doubtful stays an open item. Rows
    that cannot be read stop the run with their number; nothing is skipped.

    Args:
        context: filled in by Deskmate.
        bank: workspace path of the statement (OFX, QFX, MT940, CAMT.053, BAI2, CSV, XLSX). Empty: the one in the workspace.
        ledger: workspace path of the ledger of that account (CSV, XLSX). Empty: the one in the workspace.
        output: workspace path of the workbook. Empty: reconciliation.xlsx beside the statement.
        days: how many days apart two rows may be, 0 to 60.
        settings: how to read the files where it cannot be told, such as {"bank.amount": "Betrag",
            "ledger.date": "Posted", "ledger.order": "dmy", "bank.account": "123", "ledger.flip": "yes"}.
            Keys after `bank.` or `ledger.`: date, amount, in, out, text, reference, balance, sheet,
            account, order (dmy or mdy), flip (yes: signs reversed), currency. `as_of`: ISO date for ages. `tolerance`:
            by how much amounts with one reference may differ, such as "0.05"; the difference is shown.
        balances: closing balances by hand, such as {"ledger": "1250.00"}, where the files show none.
        request: the user's words; files named there are taken if `bank` or `ledger` is empty.

    Returns:
        Balances, difference, counts, ageing and the first 50 open items; all amounts are decimal strings.

    Raises:
        ToolInputError: a file, row, column, setting or the number of days cannot be used.
    """
    if not 0 <= days <= 60:
        raise ToolInputError(f"days is {days}; give 0 to 60.")
    given = dict(settings or {})
    as_of = given.pop("as_of", "")
    tolerance = tolerance_of(given.pop("tolerance", ""))
    bank, ledger = _both(context, bank, ledger, request)
    beside = PurePosixPath(context.name_of(context.file(bank))).parent
    output = output or str(beside / "reconciliation.xlsx")
    if not output.lower().endswith(".xlsx") or output in (bank, ledger):
        raise ToolInputError(
            f"{output} cannot be the workbook; give a new name that ends in .xlsx."
        )
    sides = _sides(context, bank, ledger, given)
    rec = reconcile(*sides, days=days, as_of=as_of, balances=balances or {}, tolerance=tolerance)
    target = context.target(output)
    write(target, rec)
    deliverable = Deliverable(
        path=context.name_of(target),
        title=f"Reconciliation of {PurePosixPath(bank).name} with {PurePosixPath(ledger).name}",
        role="reconciliation",
        sources={
            side: context.name_of(context.file(path))
            for side, path in (("bank", bank), ("ledger", ledger))
        },
        data={
            "settings": given,
            "balances": dict(balances or {}),
            "as_of": rec.as_of.isoformat(),
            "tolerance": f"{tolerance:f}",
        },
    )
    return ToolAnswer(result=report(rec, deliverable.path), deliverables=(deliverable,))


def tolerance_of(text: str) -> Decimal:
    """Return the tolerance. Raises ToolInputError if it is no amount, or negative."""
    found = parse_amounts([(1, text)], "the tolerance")[0] or Decimal()
    if found < 0:
        raise ToolInputError(f"The tolerance is {text}; give 0 or more.")
    return found


def _both(context: ToolContext, bank: str, ledger: str, request: str) -> tuple[str, str]:
    """Return the statement and the ledger, picking what is not named. Raises ToolInputError."""
    words = ("bank", "statement", *BANK_SUFFIXES)
    bank = bank or _pick(context, "bank statement", (*BANK_SUFFIXES, *TABLES), words, request)
    books = ("ledger", "gl", "cashbook", "journal", "book")
    ledger = ledger or _pick(context, "ledger", TABLES, books, request)
    if context.file(bank) == context.file(ledger):
        raise ToolInputError(
            f"{bank} cannot be both the bank statement and the ledger; name two files."
        )
    return bank, ledger


def _pick(
    context: ToolContext, what: str, endings: tuple[str, ...], hints: tuple[str, ...], request: str
) -> str:
    return pick_file(
        context.workspace,
        endings,
        what=what,
        made="reconciliation.xlsx",
        hints=hints,
        request=request,
    )


def _sides(
    context: ToolContext, bank: str, ledger: str, given: Mapping[str, str]
) -> tuple[Side, Side]:
    def side(path: str, name: SideName) -> Side:
        return read_side(context.file(path), path, name, side_settings(given, name))

    return side(bank, "bank"), side(ledger, "ledger")


def reconcile(
    bank: Side,
    ledger: Side,
    *,
    days: int,
    as_of: str = "",
    balances: Mapping[str, str],
    tolerance: Decimal = Decimal(),
) -> Reconciliation:
    """Return the reconciliation of two sides; `as_of` empty means the statement's last day.

    Raises:
        ToolInputError: two currencies, or `as_of` is no ISO date.
    """
    if bank.currency and ledger.currency and bank.currency != ledger.currency:
        raise ToolInputError(
            f"{bank.name} is in {bank.currency}, {ledger.name} in {ledger.currency}."
        )
    try:
        day = date.fromisoformat(as_of) if as_of else max(entry.day for entry in bank.entries)
    except ValueError as problem:
        raise ToolInputError(f"as_of is {as_of!r}; give a date such as 2025-03-31.") from problem
    pair, basis = balances_of(bank, ledger, balances)
    matching = match(
        bank.entries, ledger.entries, days=days, group_size=GROUP_SIZE, tolerance=tolerance
    )
    return Reconciliation(
        bank=bank, ledger=ledger, matching=matching, as_of=day, balances=pair, basis=basis
    )


def report(rec: Reconciliation, output: str) -> dict[str, Any]:
    """Return what the model is told."""
    items = rec.open_items()
    by_how: dict[str, int] = {}
    for group in rec.matching.groups:
        by_how[group.how] = by_how.get(group.how, 0) + 1
    return {
        "output": output,
        "ties": rec.difference == 0,
        "difference": f"{rec.difference:f}",
        "carried_in": f"{rec.carried_in:f}",
        "within_groups": f"{rec.within_groups:f}",
        "explanation": explanation(rec),
        "basis": rec.basis,
        "as_of": rec.as_of.isoformat(),
        "currency": rec.bank.currency or rec.ledger.currency,
        "bank": _side_report(rec, 0, rec.bank),
        "ledger": _side_report(rec, 1, rec.ledger),
        "groups": len(rec.matching.groups),
        "groups_by_rule": by_how,
        "open_count": len(items),
        "open_items": [
            {
                "side": item.side,
                "row": item.entry.number,
                "date": item.entry.day.isoformat(),
                "amount": f"{item.entry.amount:f}",
                "text": item.entry.text[:120],
                "age_days": item.age_days,
                "note": item.note,
            }
            for item in items[:SHOWN]
        ],
        "open_list": "\n".join(map(open_line, items[:SHOWN])),
        "ageing": [
            {"side": side, "class": name, "count": count, "sum": f"{total:f}"}
            for side, name, count, total in ageing(items)
        ],
    }


def explanation(rec: Reconciliation) -> str:
    """Return where the difference comes from, in words."""
    parts = []
    if rec.carried_in:
        parts.append(f"{rec.carried_in:f} was there before the first row of the period")
    if rec.within_groups:
        parts.append(f"{rec.within_groups:f} lies within matched groups, within the tolerance")
    return "; ".join(parts) or "balances less open items are equal"


def open_line(item: OpenItem) -> str:
    """Return an open item as one line for people."""
    entry = item.entry
    what = " ".join(entry.text.split())[:120] or "no text"
    days = f"{item.age_days} day{'' if item.age_days == 1 else 's'} old"
    note = f" ({item.note})" if item.note else ""
    return f"{item.side} row {entry.number}, {entry.day}: {entry.amount:f}, {what}, {days}{note}"


def _side_report(rec: Reconciliation, place: int, side: Side) -> dict[str, Any]:
    name = ("bank", "ledger")[place]
    return {
        "path": side.name,
        "rows": len(side.entries),
        "balance": f"{rec.balances[place]:f}",
        "open": f"{rec.open_total(name):f}",
        "balance_less_open": f"{rec.balances[place] - rec.open_total(name):f}",
    }
