"""The nouns of a reconciliation: one entry, and one side with all its entries."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One movement. `number`: row in the file, or place in an OFX statement, from 1. Money in is positive."""

    number: int
    day: date
    amount: Decimal
    text: str = ""
    reference: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """A bank statement or a ledger. `closing`: its closing balance where the file shows one."""

    name: str
    entries: tuple[Entry, ...]
    closing: Decimal | None = None
    currency: str = ""

    @property
    def total(self) -> Decimal:
        """The sum of all movements."""
        return sum((entry.amount for entry in self.entries), Decimal())
