"""Reads SWIFT MT940 customer statements, strictly: nothing unreadable is skipped, and balances must fit the movements."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from deskmate.plugin import ToolInputError
from deskmate_finance.bank_account import Part, side_of
from deskmate_finance.sides import Entry, Side

_FIELD = re.compile(r"^:(\d{2}[A-Z]?):(.*)$")
_BALANCE = re.compile(r"([CD])(\d{6})([A-Z]{3})([\d,]+)")
_LINE = re.compile(
    r"(?P<value>\d{6})(?P<entry>\d{4})?(?P<sign>R?[CD])(?P<funds>[A-Z])?(?P<amount>\d[\d,]*)"
    r"(?P<kind>[A-Z][A-Z0-9]{3})(?P<reference>[^\n/]*(?:/[^\n/]+)*/?)(?://(?P<bank>[^\n]*))?(?:\n(?P<more>.*))?",
    re.DOTALL,
)
_AMOUNT = re.compile(r"\d{1,15}(,\d{0,4})?")
_SUBFIELD = re.compile(r"\?(\d{2})")
_PURPOSE = frozenset(str(n) for n in (*range(20, 30), *range(60, 64)))


@dataclass(slots=True)
class _Open:
    account: str = ""
    fields: list[tuple[str, str]] = field(default_factory=list)


def is_mt940(text: str) -> bool:
    """Say whether a text is one: it has the fields of an opening balance and of an account."""
    return bool(re.search(r"^:60[FM]:", text, re.MULTILINE)) and ":25" in text


def read_mt940(text: str, name: str, account: str = "") -> Side:
    """Return one account's booked movements and its closing balance.

    Raises:
        ToolInputError: a field is missing or cannot be read, the file is cut off, or its balances do not fit.
    """
    parts = [
        _part(one, f"{name}, statement {n}") for n, one in enumerate(_statements(text, name), 1)
    ]
    return side_of(parts, name, account)


def _statements(text: str, name: str) -> list[_Open]:
    found: list[_Open] = []
    for tag, value in _fields(text):
        if tag == "20":
            found.append(_Open())
        elif not found:
            raise ToolInputError(f"{name} is damaged: field {tag} stands before the first :20:.")
        elif tag in ("25", "25P"):
            found[-1].account = value.split("\n")[0].strip()
        else:
            found[-1].fields.append((tag, value))
    if not found:
        raise ToolInputError(f"{name} holds no statement.")
    return found


def _fields(text: str) -> Iterator[tuple[str, str]]:
    """Yield (tag, value with its further lines) of each field; envelopes of messages are left out."""
    tag = ""
    lines: list[str] = []
    for raw in text.replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        line = re.sub(r"^\{1:.*\{4:", "", raw)
        if line.startswith("-}") or line.strip() == "-":
            if tag:
                yield tag, "\n".join(lines).rstrip()
            tag = ""
            continue
        found = _FIELD.match(line)
        if found:
            if tag:
                yield tag, "\n".join(lines).rstrip()
            tag, lines = found[1], [found[2]]
        elif tag and line.strip():
            lines.append(line)
    if tag:
        yield tag, "\n".join(lines).rstrip()


def _part(statement: _Open, where: str) -> Part:
    if not statement.account:
        raise ToolInputError(f"{where} has no account (field :25:).")
    opening = closing = None
    currency = ""
    entries: list[Entry] = []
    for tag, value in statement.fields:
        if tag in ("60F", "60M"):
            opening, currency = _balance(value, f"{where}, opening balance")
        elif tag in ("62F", "62M"):
            closing, other = _balance(value, f"{where}, closing balance")
            if currency and other != currency:
                raise ToolInputError(f"{where} opens in {currency} and closes in {other}.")
        elif tag == "61":
            entries.append(_entry(value, len(entries) + 1, where))
        elif tag == "86" and entries and closing is None:
            last = entries.pop()
            text = " · ".join(filter(None, (_purpose(value), last.text)))
            entries.append(
                Entry(
                    number=last.number, day=last.day, amount=last.amount, text=text,
                    reference=last.reference,
                )
            )  # fmt: skip
    if opening is None or closing is None:
        missing = "opening (:60F:)" if opening is None else "closing (:62F:)"
        raise ToolInputError(f"{where} is cut off: its {missing} balance is missing.")
    return Part(
        account=statement.account,
        currency=currency,
        entries=tuple(entries),
        opening=opening,
        closing=closing,
    )


def _balance(value: str, where: str) -> tuple[Decimal, str]:
    found = _BALANCE.fullmatch(value.strip())
    if found is None:
        raise ToolInputError(f"{where}: {value[:40]!r} is no balance such as C250331EUR1234,56.")
    amount = _amount(found[4], where)
    return (amount if found[1] == "C" else -amount), found[3]


def _entry(value: str, number: int, where: str) -> Entry:
    place = f"{where}, movement {number}"
    found = _LINE.fullmatch(value)
    if found is None:
        raise ToolInputError(f"{place}: {value[:60]!r} is no statement line.")
    sign = 1 if found["sign"] in ("C", "RD") else -1
    day = _day(found["value"], place)
    if found["entry"]:
        day = _booked(found["entry"], day, place)
    references = [r.strip() for r in (found["reference"], found["bank"] or "")]
    reference = next((r for r in references if r and r.upper() != "NONREF"), "")
    return Entry(
        number=number,
        day=day,
        amount=sign * _amount(found["amount"], place),
        text=" ".join((found["more"] or "").split()),
        reference=reference,
    )


def _day(text: str, where: str) -> date:
    try:
        return date.fromisoformat(f"20{text[:2]}-{text[2:4]}-{text[4:6]}")
    except ValueError as problem:
        raise ToolInputError(f"{where}: {text!r} is no date.") from problem


def _booked(text: str, value: date, where: str) -> date:
    """Return the booking day, whose year is the one that brings it nearest to the value date."""
    days = []
    for year in (value.year - 1, value.year, value.year + 1):
        try:
            days.append(date.fromisoformat(f"{year}-{text[:2]}-{text[2:]}"))
        except ValueError:
            continue
    if not days:
        raise ToolInputError(f"{where}: {text!r} is no day of a year.")
    return min(days, key=lambda day: abs((day - value).days))


def _amount(text: str, where: str) -> Decimal:
    if not _AMOUNT.fullmatch(text):
        raise ToolInputError(f"{where}: {text!r} is no amount with a decimal comma.")
    figure = Decimal(text.replace(",", ".") if text[-1] != "," else text[:-1])
    return figure.quantize(Decimal("0.01")) if figure == round(figure, 2) else figure


def _purpose(value: str) -> str:
    """Return what field 86 says: purpose and name of its numbered subfields, else all of it."""
    text = value.replace("\n", "")
    if not re.match(r"\d{3}\?\d{2}", text):
        return " ".join(value.split())
    pieces = _SUBFIELD.split(text)[1:]
    pairs = list(zip(pieces[::2], pieces[1::2], strict=True))
    purpose = "".join(words for tag, words in pairs if tag in _PURPOSE)
    who = "".join(words for tag, words in pairs if tag in ("32", "33"))
    return " · ".join(filter(None, (" ".join(who.split()), " ".join(purpose.split()))))
