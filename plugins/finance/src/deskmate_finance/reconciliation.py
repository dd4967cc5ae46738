"""What a reconciliation says: balances, open items, ageing, and the workbook that shows them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from deskmate_documents.tables import parse_amounts
from deskmate_finance.matching import Matching
from deskmate_finance.sides import Entry, Side

BUCKETS = ((30, "0–30"), (60, "31–60"), (90, "61–90"))
OLDER = "over 90"
SUMMARY, MATCHED, OPEN, AGEING = "Summary", "Matched", "Open items", "Ageing"


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenItem:
    """A row without a counterpart. `age_days`: from its date to the day of the reconciliation, ≥ 0."""

    side: str
    entry: Entry
    age_days: int
    note: str = ""

    @property
    def bucket(self) -> str:
        """Its class of age."""
        return bucket(self.age_days)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciliation:
    """Two sides with what settles each other. `balances`: bank and ledger, on the named basis."""

    bank: Side
    ledger: Side
    matching: Matching
    as_of: date
    balances: tuple[Decimal, Decimal]
    basis: str

    def open_items(self) -> list[OpenItem]:
        """Return the rows in no group, bank first, oldest first."""
        items: list[OpenItem] = []
        for name, side, doubtful in (
            ("bank", self.bank, self.matching.ambiguous_bank),
            ("ledger", self.ledger, self.matching.ambiguous_ledger),
        ):
            used = {
                n for g in self.matching.groups for n in (g.bank if name == "bank" else g.ledger)
            }
            rows = [e for e in side.entries if e.number not in used]
            for entry in sorted(rows, key=lambda e: (e.day, e.number)):
                note = "several groups add up to it" if entry.number in doubtful else ""
                age = max(0, (self.as_of - entry.day).days)
                items.append(OpenItem(side=name, entry=entry, age_days=age, note=note))
        return items

    def open_total(self, side: str) -> Decimal:
        """Return the sum of one side's open items."""
        return sum((i.entry.amount for i in self.open_items() if i.side == side), Decimal())

    @property
    def difference(self) -> Decimal:
        """(Bank balance − its open items) − (ledger balance − its open items)."""
        bank, ledger = self.balances
        return (bank - self.open_total("bank")) - (ledger - self.open_total("ledger"))

    @property
    def carried_in(self) -> Decimal:
        """By how much the two balances differed before the first row."""
        return carried(self.bank, self.ledger, self.balances)

    @property
    def within_groups(self) -> Decimal:
        """What matched groups differ by, within the tolerance."""
        return self.difference - self.carried_in


def bucket(age_days: int) -> str:
    """Return the class of an age in days."""
    return next((name for limit, name in BUCKETS if age_days <= limit), OLDER)


def balances_of(
    bank: Side, ledger: Side, given: Mapping[str, str]
) -> tuple[tuple[Decimal, Decimal], str]:
    """Return both balances and their basis: closing balances if both are known, else the movements."""
    pair = [_given(given, "bank", bank.closing), _given(given, "ledger", ledger.closing)]
    if pair[0] is not None and pair[1] is not None:
        by_hand = " and ".join(name for name in ("bank", "ledger") if given.get(name))
        note = f" ({by_hand} given by hand)" if by_hand else ""
        return (pair[0], pair[1]), f"closing balances{note}"
    return (bank.total, ledger.total), "sum of the movements in the files"


def _given(given: Mapping[str, str], side: str, shown: Decimal | None) -> Decimal | None:
    if not given.get(side):
        return shown
    return parse_amounts([(1, given[side])], f"the {side} balance")[0]


def carried(bank: Side, ledger: Side, balances: tuple[Decimal, Decimal]) -> Decimal:
    """Return (bank balance − its movements) − (ledger balance − its movements)."""
    return (balances[0] - bank.total) - (balances[1] - ledger.total)


def ageing(items: list[OpenItem]) -> list[tuple[str, str, int, Decimal]]:
    """Return (side, class of age, count, sum) for each class that occurs."""
    rows = []
    for side in ("bank", "ledger"):
        for name in (*(n for _, n in BUCKETS), OLDER):
            fitting = [item for item in items if item.side == side and item.bucket == name]
            if fitting:
                total = sum((item.entry.amount for item in fitting), Decimal())
                rows.append((side, name, len(fitting), total))
    return rows
