"""Reading what journal entries are made from: the records, and journals that were posted earlier."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path

from deskmate.plugin import ToolInputError
from deskmate_documents.tables import Table, find_column, parse_amounts, parse_times, read_table
from deskmate_finance.journal import WHOLE, Earlier, Parts, Record
from deskmate_finance.periods import Month, month_of
from deskmate_finance.tools.trial_balance import is_total, pairs

NAMES: Mapping[str, Sequence[str]] = {
    "entry": ("entry", "entry number", "journal", "journal number", "je"),
    "type": ("type", "kind", "category"),
    "text": ("description", "text", "memo", "narrative"),
    "debit_account": ("debit account", "dr account", "account debit", "expense account"),
    "credit_account": ("credit account", "cr account", "account credit"),
    "amount": ("amount", "cost", "total", "betrag"),
    "residual": ("residual", "residual value", "salvage value"),
    "months": ("months", "life in months", "useful life", "life"),
    "start": ("start", "from", "in service", "start date"),
    "end": ("end", "to", "until", "end date"),
    "date": ("date", "posting date"),
    "reference": ("reference", "support", "document", "invoice", "voucher", "ref"),
    "entity": ("entity", "company"),
    "currency": ("currency", "ccy"),
    "preparer": ("preparer", "prepared by"),
    "approver": ("approver", "approved by"),
    "reverse": ("reverse", "reverses", "auto reverse", "reversal"),
    "spread": ("spread", "basis of spreading"),
    "account": ("account", "account number", "account code", "konto"),
}  # fmt: skip
_YES, _NO = frozenset(("yes", "y", "true", "1", "x", "ja")), frozenset(("no", "n", "false", "0", "nein"))  # fmt: skip


class _Rows:
    """A table's cells by what they mean."""

    def __init__(self, table: Table, wanted: Mapping[str, str]) -> None:
        unknown = sorted(set(wanted) - set(NAMES) - {"sheet", "debit", "credit"})
        if unknown:
            raise ToolInputError(
                f"Column {unknown[0]!r} is unknown; use {', '.join(sorted(NAMES))}."
            )
        self.table = table
        self.columns = {
            key: find_column(table, known, wanted.get(key, "")) for key, known in NAMES.items()
        }

    def has(self, key: str) -> bool:
        return self.columns[key] is not None

    def text(self, key: str, index: int) -> str:
        column = self.columns[key]
        place = self.table.columns.index(column) if column else -1
        return " ".join(self.table.rows[index].cells[place].split()) if column else ""

    def amounts(self, key: str) -> list[Decimal | None]:
        column = self.columns[key]
        if column is None:
            return [None] * len(self.table.rows)
        return parse_amounts(self.table.values(column), f"{self.table.name}, {column}")

    def days(self, key: str) -> list[date | None]:
        column = self.columns[key]
        if column is None:
            return [None] * len(self.table.rows)
        found = parse_times(self.table.values(column), f"{self.table.name}, {column}")
        return [moment.date() if moment else None for moment in found]


def read_records(
    file: Path, name: str, period: Month, wanted: Mapping[str, str]
) -> tuple[Record, ...]:
    """Return the records of a CSV or XLSX file.

    Args:
        file: the real path.
        name: its workspace path, for messages.
        period: the month that entries are for; a row without a date is posted on its last day.
        wanted: names of columns where they cannot be told, and `sheet`.

    Raises:
        ToolInputError: a column is missing, or a cell cannot be read; nothing is skipped.
    """
    rows, by_pair = _opened(file, name, wanted)
    table = rows.table
    figures = rows.amounts("amount") if by_pair else []
    both = [] if by_pair else pairs(table, wanted)
    days, starts, ends = rows.days("date"), rows.days("start"), rows.days("end")
    lives, residuals = rows.amounts("months"), rows.amounts("residual")
    found: list[Record] = []
    for index, row in enumerate(table.rows):
        where = f"{name}, row {row.number}"
        if is_total(row.cells, rows.text("debit_account" if by_pair else "account", index)):
            continue
        if by_pair:
            accounts = (rows.text("debit_account", index), rows.text("credit_account", index))
            basis = figures[index]
        else:
            accounts, basis = _one_line(rows.text("account", index), both[index], where)
        if basis is None or not any(accounts) or (by_pair and not all(accounts)):
            raise ToolInputError(f"{where}: an account or the amount is missing.")
        kind = rows.text("type", index).lower() or "entry"
        spread = rows.text("spread", index).lower()
        life = lives[index]
        found.append(
            Record(
                number=row.number,
                entry=rows.text("entry", index) or f"JE-{period}-{len(found) + 1:03}",
                kind=kind,
                text=rows.text("text", index),
                accounts=accounts,
                basis=basis,
                residual=residuals[index] or Decimal(),
                parts=_parts((starts[index], ends[index]), life, spread, period, where),
                day=days[index] or period.last,
                reference=rows.text("reference", index),
                entity=rows.text("entity", index),
                currency=rows.text("currency", index),
                preparer=rows.text("preparer", index),
                approver=rows.text("approver", index),
                reverses=_is_yes(rows.text("reverse", index), kind.startswith("accru"), where),
            )
        )
    if not found:
        raise ToolInputError(f"{name} has no records.")
    return tuple(found)


def _opened(file: Path, name: str, wanted: Mapping[str, str]) -> tuple[_Rows, bool]:
    """Return the rows, and whether each names both accounts. Raises ToolInputError if a column is missing."""
    table = read_table(file, name=name, sheet=wanted.get("sheet", ""))
    rows = _Rows(table, wanted)
    by_pair = rows.has("debit_account") and rows.has("credit_account")
    if not by_pair and not (rows.has("account") and rows.has("entry")):
        raise ToolInputError(
            f"{name} needs debit account, credit account and amount; or entry, account, debit and credit. "
            f"It has {', '.join(table.columns)}."
        )
    if by_pair and not rows.has("amount"):
        raise ToolInputError(f"{name} has no amount column; it has {', '.join(table.columns)}.")
    return rows, by_pair


def _one_line(
    account: str, both: tuple[Decimal, Decimal], where: str
) -> tuple[tuple[str, str], Decimal]:
    debit, credit = both
    if (debit and credit) or not (debit or credit):
        raise ToolInputError(f"{where}: give either a debit or a credit.")
    return ((account, ""), debit) if debit else (("", account), credit)


def _is_yes(text: str, default: bool, where: str) -> bool:
    if text.lower() not in _YES | _NO | {""}:
        raise ToolInputError(f"{where}: whether it reverses is yes or no, not {text!r}.")
    return text.lower() in _YES if text else default


def _parts(
    span: tuple[date | None, date | None],
    life: Decimal | None,
    spread: str,
    period: Month,
    where: str,
) -> Parts:
    """Return how a row's amount is spread: whole without a start and an end or a number of months."""
    start, end = span
    if life is None and end is None:
        return WHOLE
    if start is None:
        raise ToolInputError(f"{where}: an amount that is spread needs a start.")
    if spread not in ("", "months", "days"):
        raise ToolInputError(f"{where}: an amount is spread by months or days, not by {spread!r}.")
    if life is not None and (life < 1 or life != int(life)):
        raise ToolInputError(f"{where}: {life:f} is no number of months.")
    last = end or month_of(start).later(int(life or 1) - 1).last
    if (
        end is not None
        and life is not None
        and month_of(end) != month_of(start).later(int(life) - 1)
    ):
        raise ToolInputError(f"{where}: {life:f} months from {start} do not end on {end}.")
    if last < start:
        raise ToolInputError(f"{where}: it ends on {last}, before it starts on {start}.")
    if spread == "days":
        every = (last - start).days + 1
        after, before = (period.last - start).days + 1, (period.first - start).days
    else:
        first = month_of(start).number
        every = month_of(last).number - first + 1
        after, before = period.number - first + 1, period.number - first
    return Parts(
        all=every,
        after=min(max(after, 0), every),
        before=min(max(before, 0), every),
        unit=spread or "months",
    )


def read_earlier(file: Path, name: str, wanted: Mapping[str, str]) -> tuple[Earlier, ...]:
    """Return the lines of a journal that was posted earlier.

    Raises:
        ToolInputError: it has no account, date, reference or amounts, or a cell cannot be read.
    """
    table = read_table(file, name=name, sheet=wanted.get("sheet", ""))
    rows = _Rows(table, {})
    for key in ("account", "date", "reference"):
        if not rows.has(key):
            raise ToolInputError(
                f"{name} has no column for the {key}; it has {', '.join(table.columns)}."
            )
    found: list[Earlier] = []
    for index, ((debit, credit), day) in enumerate(
        zip(pairs(table, {}), rows.days("date"), strict=True)
    ):
        account = rows.text("account", index)
        if is_total(table.rows[index].cells, account):
            continue
        if day is None:
            raise ToolInputError(f"{name}, row {table.rows[index].number}: the date is missing.")
        found.append(
            Earlier(
                number=table.rows[index].number,
                day=day,
                account=account,
                amount=debit or credit,
                reference=rows.text("reference", index),
            )
        )
    return tuple(found)
