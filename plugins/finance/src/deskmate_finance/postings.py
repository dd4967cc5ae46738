"""A journal or general ledger as exact postings, grouped into entries; nothing unreadable is skipped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

from deskmate.plugin import ToolInputError
from deskmate_documents.tables import Table, find_column, parse_times, read_table
from deskmate_finance.tools.trial_balance import is_total, pairs

NAMES: Mapping[str, Sequence[str]] = {
    "entry": ("entry", "entry number", "journal entry", "journal number", "journal id", "je", "document number", "voucher", "transaction id", "entry id"),
    "date": ("posting date", "effective date", "date", "booking date", "buchungsdatum"),
    "account": ("account", "account number", "account code", "konto"),
    "user": ("user", "posted by", "created by", "entered by", "preparer", "user id"),
    "text": ("description", "text", "memo", "narrative"),
    "reference": ("reference", "ref", "document", "invoice"),
    "created": ("created", "created at", "entered", "entry date", "entered at", "timestamp", "system date"),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Posting:
    """One line. `number`: its row in the file. `created`: when it was entered, None where the file does not say."""

    number: int
    entry: str
    day: date
    account: str
    debit: Decimal
    credit: Decimal
    user: str = ""
    text: str = ""
    reference: str = ""
    created: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Postings:
    """All lines of a file. `known`: which of user, text, created, reference it has. `timed`: it says hours of day."""

    name: str
    lines: tuple[Posting, ...]
    known: frozenset[str]
    timed: bool

    def entries(self) -> dict[str, list[Posting]]:
        """Return entry → its lines, in the order of the file."""
        found: dict[str, list[Posting]] = {}
        for line in self.lines:
            found.setdefault(line.entry, []).append(line)
        return found

    @property
    def debits(self) -> Decimal:
        """The sum of all debits."""
        return sum((line.debit for line in self.lines), Decimal())

    @property
    def credits(self) -> Decimal:
        """The sum of all credits."""
        return sum((line.credit for line in self.lines), Decimal())


def read_postings(file: Path, name: str, wanted: Mapping[str, str]) -> Postings:
    """Return the postings of a CSV or XLSX file; rows of totals are left out.

    Args:
        file: the real path.
        name: its workspace path, for messages.
        wanted: names of columns where they cannot be told (entry, date, account, debit, credit, balance for a signed
            amount, user, text, reference, created), `sheet`, and `order` of dates (dmy or mdy).

    Raises:
        ToolInputError: a column is missing, or a cell cannot be read.
    """
    unknown = sorted(set(wanted) - set(NAMES) - {"debit", "credit", "balance", "sheet", "order"})
    if unknown:
        raise ToolInputError(f"Column {unknown[0]!r} is unknown; use {', '.join(sorted(NAMES))}.")
    table = read_table(file, name=name, sheet=wanted.get("sheet", ""))
    columns = {key: find_column(table, known, wanted.get(key, "")) for key, known in NAMES.items()}
    if columns["created"] == columns["date"]:
        columns["created"] = None
    for key in ("entry", "date", "account"):
        if columns[key] is None:
            raise ToolInputError(
                f"{name} has no column for the {key}; it has {', '.join(table.columns)}."
            )
    order = wanted.get("order", "")
    days = _times(table, columns["date"], order)
    created = _times(table, columns["created"], order)
    sides = {key: wanted[key] for key in ("debit", "credit", "balance") if wanted.get(key)}
    lines: list[Posting] = []
    for index, (row, (debit, credit)) in enumerate(
        zip(table.rows, pairs(table, sides), strict=True)
    ):
        cells = {
            key: " ".join(row.cells[table.columns.index(column)].split()) if column else ""
            for key, column in columns.items()
        }
        if is_total(row.cells, cells["account"]) and not cells["entry"]:
            continue
        day = days[index]
        if day is None or not cells["entry"] or not cells["account"]:
            raise ToolInputError(
                f"{name}, row {row.number}: the entry, the date or the account is missing."
            )
        # a negative debit is a credit: reversals are booked so
        net = debit - credit
        lines.append(
            Posting(
                number=row.number, entry=cells["entry"], day=day.date(), account=cells["account"], debit=max(net, Decimal()),
                credit=max(-net, Decimal()), user=cells["user"], text=cells["text"], reference=cells["reference"],
                created=created[index],
            )
        )  # fmt: skip
    if not lines:
        raise ToolInputError(f"{name} has no postings.")
    return Postings(
        name=name,
        lines=tuple(lines),
        known=frozenset(key for key, column in columns.items() if column),
        timed=any(c is not None and (c.hour, c.minute) != (0, 0) for c in created),
    )


def _times(table: Table, column: str | None, order: str) -> list[datetime | None]:
    if column is None:
        return [None] * len(table.rows)
    return parse_times(table.values(column), f"{table.name}, {column}", order)
