"""Reads ISO 20022 CAMT.053 statements of any version. Hostile XML (DTD, entities) is refused before it is parsed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any
from xml.etree.ElementTree import ParseError

from deskmate.plugin import ToolInputError
from deskmate_finance.bank_account import Part, side_of
from deskmate_finance.sides import Entry, Side

_AMOUNT = re.compile(r"\+?\d{1,18}(\.\d{1,5})?")
_OTHERS = {"BkToCstmrAcctRpt": "camt.052 report of the day", "BkToCstmrDbtCdtNtfctn": "camt.054 notification"}  # fmt: skip


def parse_xml(data: bytes, name: str, *, dtd: bool = False) -> Any:
    """Return the root element of an XML file; `dtd`: a document type without entities may stand there.

    Raises:
        ToolInputError: it is not well-formed, or has a document type or entities.
    """
    from defusedxml import DefusedXmlException, ElementTree  # noqa: PLC0415 - only for XML

    try:
        return ElementTree.fromstring(data, forbid_dtd=not dtd)
    except DefusedXmlException as problem:
        raise ToolInputError(
            f"{name} has a document type or entities; it is not read."
        ) from problem
    except (ParseError, ValueError, LookupError, RecursionError) as problem:
        raise ToolInputError(f"{name} is no well-formed XML: {problem}.") from problem


def local(node: Any) -> str:
    """Return an element's name without its namespace."""
    return str(node.tag).rpartition("}")[2]


def read_camt(data: bytes, name: str, account: str = "") -> Side:
    """Return one account's booked movements and its closing balance.

    Raises:
        ToolInputError: it is no CAMT.053, an element is missing or cannot be read, or its balances do not fit.
    """
    root = parse_xml(data, name)
    for node in root:
        if local(node) in _OTHERS:
            raise ToolInputError(
                f"{name} is a {_OTHERS[local(node)]}; give the camt.053 statement."
            )
    statements = [node for body in _all(root, "BkToCstmrStmt") for node in _all(body, "Stmt")]
    if local(root) != "Document" or not statements:
        raise ToolInputError(f"{name} is no CAMT.053 statement.")
    parts = [_part(node, f"{name}, statement {n}") for n, node in enumerate(statements, 1)]
    return side_of(parts, name, account)


def _all(node: Any, *path: str) -> list[Any]:
    """Return the descendants at a path of local names."""
    found = [node]
    for name in path:
        found = [child for one in found for child in one if local(child) == name]
    return found


def _text(node: Any, *path: str) -> str:
    """Return the text of the first element at a path, "" if there is none."""
    found = _all(node, *path)
    return " ".join((found[0].text or "").split()) if found else ""


def _part(statement: Any, where: str) -> Part:
    account = _text(statement, "Acct", "Id", "IBAN") or _text(statement, "Acct", "Id", "Othr", "Id")
    if not account:
        raise ToolInputError(f"{where} names no account.")
    opening, closing, currency = _balances(statement, where)
    currency = currency or _text(statement, "Acct", "Ccy")
    entries: list[Entry] = []
    for number, node in enumerate(_all(statement, "Ntry"), 1):
        place = f"{where}, movement {number}"
        status = _text(node, "Sts", "Cd") or _text(node, "Sts")
        if status and status != "BOOK":
            continue  # pending and informational ones are in no balance
        amount, ccy = _money(node, place)
        currency = currency or ccy
        if ccy != currency:
            raise ToolInputError(f"{place} is in {ccy}, the account in {currency}.")
        entries.append(
            Entry(
                number=number,
                day=_day(node, place),
                amount=amount,
                text=" · ".join(dict.fromkeys(filter(None, _words(node)))),
                reference=_reference(node),
            )
        )
    return Part(
        account=account, currency=currency, entries=tuple(entries), opening=opening, closing=closing
    )


def _balances(statement: Any, where: str) -> tuple[Decimal | None, Decimal | None, str]:
    found: dict[str, Decimal] = {}
    currency = ""
    for node in _all(statement, "Bal"):
        kind = _text(node, "Tp", "CdOrPrtry", "Cd")
        if kind in ("OPBD", "PRCD", "CLBD"):
            found[kind], currency = _money(node, f"{where}, balance {kind}")
    opening = found.get("OPBD", found.get("PRCD"))
    return opening, found.get("CLBD"), currency


def _money(node: Any, where: str) -> tuple[Decimal, str]:
    amount, sign = _text(node, "Amt"), _text(node, "CdtDbtInd")
    if not _AMOUNT.fullmatch(amount) or sign not in ("CRDT", "DBIT"):
        raise ToolInputError(f"{where}: {amount!r} {sign!r} is no amount with its direction.")
    figure = Decimal(amount)
    figure = figure.quantize(Decimal("0.01")) if figure == round(figure, 2) else figure
    currency = str(_all(node, "Amt")[0].get("Ccy", ""))
    return (figure if sign == "CRDT" else -figure), currency


def _day(node: Any, where: str) -> date:
    for kind in ("BookgDt", "ValDt"):
        text = _text(node, kind, "Dt") or _text(node, kind, "DtTm")
        if text:
            try:
                return date.fromisoformat(text[:10])
            except ValueError as problem:
                raise ToolInputError(f"{where}: {text!r} is no date.") from problem
    raise ToolInputError(f"{where} has no date.")


def _words(node: Any) -> Iterator[str]:
    for detail in _all(node, "NtryDtls", "TxDtls"):
        other = "Cdtr" if _text(node, "CdtDbtInd") == "DBIT" else "Dbtr"
        yield _text(detail, "RltdPties", other, "Nm") or _text(detail, "RltdPties", other, "Pty", "Nm")  # fmt: skip
        yield from (" ".join((n.text or "").split()) for n in _all(detail, "RmtInf", "Ustrd"))
        yield _text(detail, "RmtInf", "Strd", "CdtrRefInf", "Ref")
    yield _text(node, "AddtlNtryInf")


def _reference(node: Any) -> str:
    """Return what names the movement: the payer's own reference of a single payment, else the bank's."""
    details = _all(node, "NtryDtls", "TxDtls")
    own = [_text(d, "Refs", "EndToEndId") for d in details] if len(details) == 1 else []
    known = (*own, _text(node, "NtryRef"), _text(node, "AcctSvcrRef"))
    return next((r for r in known if r and r.upper() not in ("NOTPROVIDED", "NONREF")), "")
