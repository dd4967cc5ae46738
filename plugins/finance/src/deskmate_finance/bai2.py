"""Reads BAI2 balance reports: one account's movements of all days, held against the file's own control totals."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from deskmate.plugin import ToolInputError
from deskmate_finance.bank_account import Part, side_of
from deskmate_finance.sides import Entry, Side

_WHOLE = frozenset(("JPY", "KRW", "CLP", "ISK", "VND", "XAF", "XOF", "XPF", "PYG", "UGX"))
_MILLS = frozenset(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"))
OPENING, CLOSING = "010", "015"


@dataclass(slots=True)
class _Account:
    number: str
    currency: str
    day: date
    balances: dict[str, int] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)
    total: int = 0


def is_bai2(text: str) -> bool:
    """Say whether a text is one: it begins with the record of a file."""
    return bool(re.match(r"\s*01,[^,\n]*,[^,\n]*,\d{6},", text))


def read_bai2(text: str, name: str, account: str = "") -> Side:
    """Return one account's movements and its closing ledger balance.

    Raises:
        ToolInputError: a record cannot be read, the file is cut off, or a control total or balance does not fit.
    """
    return side_of([_part(one) for one in _accounts(text, name)], name, account)


def _records(text: str) -> Iterator[tuple[int, str]]:
    """Yield (line, record) with its continuations (88) put behind it."""
    number, record = 0, ""
    for line, raw in enumerate(text.replace("\r\n", "\n").split("\n"), 1):
        row = raw.strip()
        if row.startswith("88,"):
            # a stroke ends a field, an open text runs on
            joint = "," if record.endswith("/") else "" if record.endswith(",") else " "
            record = record.removesuffix("/") + joint + row[3:]
            continue
        if record:
            yield number, record
        number, record = line, row
    if record:
        yield number, record


def _accounts(text: str, name: str) -> list[_Account]:
    reader = _Reader()
    for line, record in _records(text):
        kind, *fields = record.removesuffix("/").split(",")
        take = _RECORDS.get(kind)
        if take is None:
            raise ToolInputError(f"{name}, line {line}: {record[:40]!r} is no record of BAI2.")
        take(reader, fields, f"{name}, line {line}")
    if reader.current is not None or not reader.ended:
        raise ToolInputError(f"{name} is cut off: its end (record 99) is missing.")
    return reader.accounts


@dataclass(slots=True)
class _Reader:
    """What was read so far."""

    accounts: list[_Account] = field(default_factory=list)
    current: _Account | None = None
    day: date | None = None
    currency: str = "USD"
    ended: bool = False

    def nothing(self, fields: list[str], where: str) -> None:
        """Take in the record of a file, or a group's end: accounts have control totals of their own."""

    def group(self, fields: list[str], where: str) -> None:
        """Take in the day and currency of a group."""
        self.day = _day(_at(fields, 3), where)
        self.currency = _at(fields, 5) or "USD"

    def account(self, fields: list[str], where: str) -> None:
        """Begin an account."""
        if self.day is None or self.current is not None:
            raise ToolInputError(f"{where}: an account begins where none may.")
        self.current = _Account(_at(fields, 0), _at(fields, 1) or self.currency, self.day)
        _summaries(self.current, fields[2:], where)

    def movement(self, fields: list[str], where: str) -> None:
        """Take in a movement."""
        if self.current is None:
            raise ToolInputError(f"{where}: a movement stands outside of an account.")
        _movement(self.current, fields, where)

    def account_end(self, fields: list[str], where: str) -> None:
        """End an account, whose amounts must be its control total."""
        total = self.current.total if self.current else 0
        if self.current is None or _whole(_at(fields, 0), where) != total:
            raise ToolInputError(
                f"{where}: the control total is {_at(fields, 0)}, the amounts are {total}."
            )
        self.accounts.append(self.current)
        self.current = None

    def file_end(self, fields: list[str], where: str) -> None:
        """Take in the end of the file."""
        self.ended = True


_RECORDS = {
    "01": _Reader.nothing, "02": _Reader.group, "03": _Reader.account, "16": _Reader.movement, "49": _Reader.account_end,
    "98": _Reader.nothing, "99": _Reader.file_end,
}  # fmt: skip


def _at(fields: list[str], place: int) -> str:
    return fields[place].strip() if place < len(fields) else ""


def _day(text: str, where: str) -> date:
    try:
        return date.fromisoformat(f"20{text[:2]}-{text[2:4]}-{text[4:6]}")
    except ValueError as problem:
        raise ToolInputError(f"{where}: {text!r} is no date.") from problem


def _whole(text: str, where: str) -> int:
    if not re.fullmatch(r"[+-]?\d{1,18}", text):
        raise ToolInputError(f"{where}: {text!r} is no amount in the smallest unit.")
    return int(text)


def _after_funds(fields: list[str], place: int, where: str) -> int:
    """Return where the fields of a funds type end, which begins at a place."""
    kind = _at(fields, place).upper()
    if kind not in ("", "0", "1", "2", "S", "V", "D", "Z"):
        raise ToolInputError(f"{where}: {kind!r} is no type of funds.")
    if kind == "D":
        return place + 2 + 2 * _whole(_at(fields, place + 1), where)
    return place + 1 + {"S": 3, "V": 2}.get(kind, 0)


def _summaries(account: _Account, fields: list[str], where: str) -> None:
    """Take in groups of type, amount, count and funds."""
    place = 0
    while place < len(fields):
        kind, amount = _at(fields, place), _at(fields, place + 1)
        if amount:
            account.balances[kind] = _whole(amount, where)
            account.total += account.balances[kind]
        place = _after_funds(fields, place + 3, where) if kind or amount else place + 1


def _movement(account: _Account, fields: list[str], where: str) -> None:
    code, amount = _at(fields, 0), _whole(_at(fields, 1), where)
    if not re.fullmatch(r"[1-6]\d\d", code):
        raise ToolInputError(f"{where}: whether type {code!r} is money in or out is not known.")
    account.total += amount
    sign = 1 if int(code) < 400 else -1
    rest = _after_funds(fields, 2, where)
    text = ",".join(fields[rest + 2 :])
    account.entries.append(
        Entry(
            number=len(account.entries) + 1,
            day=account.day,
            amount=sign * _money(amount, account.currency),
            text=" ".join(text.split()),
            reference=_at(fields, rest + 1) or _at(fields, rest),
        )
    )


def _money(units: int, currency: str) -> Decimal:
    places = 0 if currency in _WHOLE else 3 if currency in _MILLS else 2
    return Decimal(units).scaleb(-places)


def _part(account: _Account) -> Part:
    known = account.balances
    opening, closing = (
        _money(known[kind], account.currency) if kind in known else None
        for kind in (OPENING, CLOSING)
    )
    return Part(
        account=account.number,
        currency=account.currency,
        entries=tuple(account.entries),
        opening=opening,
        closing=closing,
    )
