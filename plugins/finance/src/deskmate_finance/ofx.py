"""Reads bank statements in OFX 1 (SGML) and OFX 2 (XML), strictly: nothing unreadable is skipped."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from html import unescape
from pathlib import Path

from deskmate.plugin import ToolInputError
from deskmate_documents.tables import LIMIT_BYTES, decode
from deskmate_finance.sides import Entry, Side

_TAG = re.compile(r"<(/?)([A-Za-z0-9._]+)>\s*(?:<!\[CDATA\[(.*?)\]\]>|([^<]*))", re.DOTALL)
_AMOUNT = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)")
_STATEMENTS = ("STMTRS", "CCSTMTRS", "INVSTMTRS")


@dataclass(slots=True)
class _Statement:
    account: str = ""
    currency: str = ""
    closing: str = ""
    rows: list[dict[str, str]] = field(default_factory=list)


def read_ofx(file: Path, name: str, account: str = "") -> Side:
    """Return one account's booked movements and its ledger balance.

    Args:
        file: the real path.
        name: what to call it in messages.
        account: the account's number; needed if the file holds several.

    Raises:
        ToolInputError: not OFX, cut off, an error answer of the bank, no movements, or one unreadable.
    """
    if file.stat().st_size > LIMIT_BYTES:
        raise ToolInputError(f"{name} is larger than {LIMIT_BYTES // 2**20} MiB.")
    text = decode(file.read_bytes(), name)
    if "<OFX>" not in text.upper():
        raise ToolInputError(f"{name} is not an OFX statement.")
    if "</OFX>" not in text.upper():
        raise ToolInputError(f"{name} is cut off: its closing </OFX> is missing.")
    statements, refusal = _scan(text, name)
    if not statements:
        raise ToolInputError(
            f"{name} holds no statement{f'; the bank answered: {refusal}' if refusal else ''}."
        )
    statement = _chosen(statements, name, account)
    if not statement.rows:
        raise ToolInputError(f"{name} holds no cash movements of account {statement.account}.")
    entries = tuple(_entry(row, n, name) for n, row in enumerate(statement.rows, start=1))
    currencies = sorted({row.get("CURSYM") or statement.currency for row in statement.rows})
    if len(currencies) > 1:
        raise ToolInputError(
            f"{name} has rows in {', '.join(currencies)}; reconcile one currency at a time."
        )
    closing = _figure(statement.closing, f"{name}, ledger balance") if statement.closing else None
    return Side(name=name, entries=entries, closing=closing, currency=currencies[0])


def _scan(text: str, name: str) -> tuple[list[_Statement], str]:
    """Return the statements and the bank's words if it refused."""
    statements: list[_Statement] = []
    row: dict[str, str] | None = None
    within = ""
    for closes, raw, quoted, plain in _TAG.findall(text):
        tag, value = raw.upper(), unescape(quoted or plain).strip()
        if tag in _STATEMENTS and not closes:
            statements.append(_Statement())
        elif tag == "STMTTRN":
            row = _begun(statements, row, name) if not closes else None
        elif tag in ("LEDGERBAL", "AVAILBAL", "ORIGCURRENCY"):
            within = "" if closes else tag
        elif value and row is not None:
            # ORIGCURRENCY names the currency before conversion; the amount is not in it.
            row.setdefault(tag if within != "ORIGCURRENCY" else f"ORIG.{tag}", value)
        elif value and statements:
            _note(statements[-1], tag, value, within)
    refusal = re.search(r"<SEVERITY>\s*ERROR.*?<MESSAGE>([^<]*)", text, re.DOTALL)
    return statements, refusal[1].strip() if refusal else ""


def _begun(statements: list[_Statement], row: dict[str, str] | None, name: str) -> dict[str, str]:
    if row is not None or not statements:
        raise ToolInputError(f"{name} is damaged: a movement begins where none may.")
    statements[-1].rows.append({})
    return statements[-1].rows[-1]


def _note(statement: _Statement, tag: str, value: str, within: str) -> None:
    if tag == "ACCTID":
        statement.account = statement.account or value
    elif tag == "CURDEF":
        statement.currency = value
    elif tag == "BALAMT" and within == "LEDGERBAL":
        statement.closing = value


def _chosen(statements: list[_Statement], name: str, account: str) -> _Statement:
    fitting = [s for s in statements if not account or s.account == account]
    if len(fitting) == 1:
        return fitting[0]
    accounts = ", ".join(statement.account for statement in statements)
    raise ToolInputError(
        f"{name} holds the accounts {accounts}; name one in `settings` as bank.account."
    )


def _entry(row: dict[str, str], number: int, name: str) -> Entry:
    where = f"{name}, movement {number} ({row.get('NAME') or row.get('FITID') or 'without a name'})"
    posted = row.get("DTPOSTED", "")
    try:
        day = date.fromisoformat(f"{posted[:4]}-{posted[4:6]}-{posted[6:8]}")
    except ValueError as problem:
        raise ToolInputError(f"{where}: {posted!r} is not a date.") from problem
    reference = row.get("CHECKNUM", "").lstrip("0") or row.get("REFNUM", "")
    words = dict.fromkeys(filter(None, (row.get("NAME", ""), row.get("MEMO", ""))))
    return Entry(
        number=number,
        day=day,
        amount=_figure(row.get("TRNAMT", ""), where),
        text=" · ".join(words),
        reference=reference,
    )


def _figure(text: str, where: str) -> Decimal:
    if not _AMOUNT.fullmatch(text):
        raise ToolInputError(f"{where}: {text!r} is not an amount.")
    figure = Decimal(text.replace(",", "."))
    # Statements pad amounts with zeros (115.8331, 1500.0000): keep every digit that counts, at least cents.
    trimmed = figure.normalize()
    return trimmed.quantize(Decimal("0.01")) if trimmed == round(trimmed, 2) else trimmed
