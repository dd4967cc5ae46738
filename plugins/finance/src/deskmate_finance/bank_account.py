"""One account's statement as read from a bank's own format, checked against its balances, as a side of a reconciliation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise

from deskmate.plugin import ToolInputError
from deskmate_finance.sides import Entry, Side


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One statement, or one page of it. `entries` are numbered within it."""

    account: str
    currency: str
    entries: tuple[Entry, ...]
    opening: Decimal | None = None
    closing: Decimal | None = None


def side_of(parts: Sequence[Part], name: str, account: str) -> Side:
    """Return one account's movements from all its statements in a file.

    Args:
        parts: the statements in the order of the file.
        name: what to call the file in messages.
        account: the account's number; needed if there are several.

    Raises:
        ToolInputError: the account is not there or not told, there are several currencies, balances and movements
            do not fit, a statement between two others is missing, or there are no movements.
    """
    accounts = list(dict.fromkeys(part.account for part in parts))
    wanted = _plain(account)
    fitting = [one for one in accounts if not wanted or _plain(one) == wanted]
    if len(fitting) != 1:
        raise ToolInputError(
            f"{name} holds the accounts {', '.join(accounts)}; name one in `settings` as bank.account."
        )
    own = [part for part in parts if part.account == fitting[0]]
    currencies = sorted({part.currency for part in own} - {""})
    if len(currencies) > 1:
        raise ToolInputError(
            f"{name} has statements in {', '.join(currencies)}; reconcile one currency at a time."
        )
    for number, part in enumerate(own, 1):
        _check(part, f"{name}, statement {number} of account {part.account}")
    for number, (one, other) in enumerate(pairwise(own), 2):
        if None not in (one.closing, other.opening) and one.closing != other.opening:
            raise ToolInputError(
                f"{name}: statement {number} of account {other.account} begins with {other.opening}, the one before "
                f"ended with {one.closing}; a statement is missing between them."
            )
    rows = [entry for part in own for entry in part.entries]
    if not rows:
        raise ToolInputError(f"{name} holds no booked movements of account {fitting[0]}.")
    entries = tuple(
        Entry(number=n, day=e.day, amount=e.amount, text=e.text, reference=e.reference)
        for n, e in enumerate(rows, 1)
    )
    return Side(
        name=name,
        entries=entries,
        closing=own[-1].closing,
        currency=currencies[0] if currencies else "",
    )


def _check(part: Part, where: str) -> None:
    if part.opening is None or part.closing is None:
        return
    moved = sum((entry.amount for entry in part.entries), Decimal())
    if part.opening + moved != part.closing:
        raise ToolInputError(
            f"{where}: {part.opening:f} and movements of {moved:f} are not {part.closing:f}; the file is not whole."
        )


def _plain(account: str) -> str:
    return "".join(account.split()).upper()
