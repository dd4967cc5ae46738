"""Personal data in text: numbers with a check digit, addresses of people, and names from a roster."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]+@(?P<host>[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+)")
_PHONE = re.compile(
    r"(?<![\w+.,/-])(?:\+\d{1,3}[\s.-]?(?:\(0\)[\s.-]?)?(?:\(?\d{1,5}\)?[\s./-]?){2,5}\d{2,4}|\(\d{3}\)\s?\d{3}[\s.-]\d{4}|\d{3}[.-]\d{3}[.-]\d{4})(?![\w-]|\.\d)"
)
_SSN = re.compile(r"(?<![\w-])(?!000|666|9\d\d)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\w-])")
_CARD = re.compile(r"(?<![\w.,-])(?:\d[ -]?){12,18}\d(?![\w-]|[.,]\d)")
_IBAN = re.compile(r"(?<!\w)[A-Z]{2}\d{2}(?: ?[A-Z0-9]){11,30}(?!\w)")
_RESERVED = re.compile(
    r"(?:^|\.)(?:example|test|invalid|localhost|local)$|(?:^|\.)example\.(?:com|org|net)$",
    re.IGNORECASE,
)
_FICTION = re.compile(r"\b555[\s.-]?01\d\d\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Personal:
    """One find. `kind`: such as `e-mail address`. `key`: equal for the same thing written in another way.

    `strong`: an identity or account number, which is never made up by chance.
    """

    kind: str
    text: str
    key: str
    strong: bool


def find_personal(text: str) -> Iterator[Personal]:
    """Yield the personal data in a text. Reserved domains and fictional telephone numbers are none."""
    for match in _EMAIL.finditer(text):
        if not _RESERVED.search(match["host"]):
            yield _find("e-mail address", match.group().rstrip("."), strong=False)
    for match in _SSN.finditer(text):
        yield _find("social security number", match.group(), strong=True)
    taken: list[tuple[int, int]] = []
    for match in _IBAN.finditer(text):
        if is_iban(match.group()):
            taken.append(match.span())
            yield _find("bank account (IBAN)", match.group(), strong=True)
    for match in _CARD.finditer(text):
        inside = any(start <= match.start() < end for start, end in taken)
        if not inside and is_card(match.group()):
            taken.append(match.span())
            yield _find("payment card", match.group(), strong=True)
    for match in _PHONE.finditer(text):
        inside = any(start <= match.start() < end for start, end in taken)
        if not inside and not _FICTION.search(match.group()):
            yield _find("telephone number", match.group(), strong=False)


def _find(kind: str, text: str, *, strong: bool) -> Personal:
    key = text.lower() if "@" in text else re.sub(r"[^0-9a-z]", "", text.lower())
    return Personal(kind=kind, text=text.strip(), key=key, strong=strong)


def is_card(text: str) -> bool:
    """Say whether this is a payment card's number: its issuer, its length and its check digit."""
    digits = re.sub(r"\D", "", text)
    if not re.match(
        r"4\d{12}(?:\d{3}){0,2}$|5[1-5]\d{14}$|2[2-7]\d{14}$|3[47]\d{13}$|6(?:011|5\d\d)\d{12}$",
        digits,
    ):
        return False
    doubled = (int(d) * (2 if place % 2 else 1) for place, d in enumerate(reversed(digits)))
    return sum(d - 9 if d > 9 else d for d in doubled) % 10 == 0


def is_iban(text: str) -> bool:
    """Say whether this is an account number with right check digits."""
    bare = text.replace(" ", "")
    if not 15 <= len(bare) <= 34:
        return False
    turned = "".join(str(int(c, 36)) for c in bare[4:] + bare[:4])
    return int(turned) % 97 == 1


_FIRST = re.compile(r"^(?:first|given|fore)[\s_-]?name$|^vorname$", re.IGNORECASE)
_LAST = re.compile(r"^(?:last|family|sur)[\s_-]?name$|^nachname$", re.IGNORECASE)
_FULL = re.compile(
    r"^(?:full[\s_-]?|employee[\s_-]?|person(?:'s)?[\s_-]?|staff[\s_-]?|candidate[\s_-]?)?name$|^employee$|^candidate$",
    re.IGNORECASE,
)


def roster(rows: Iterable[tuple[str, ...]]) -> frozenset[str]:
    """Return the people's names of a table whose header names a column of names; none of other tables."""
    names: set[str] = set()
    columns: tuple[int, ...] = ()
    for number, row in enumerate(rows):
        if not columns:
            if number > 10:
                break
            columns = _columns(row)
            continue
        parts = [row[column].strip() for column in columns if column < len(row)]
        name = " ".join(" ".join(parts).split())
        if len(name) > 3 and any(c.isalpha() for c in name) and len(name.split()) > 1:
            names.add(name)
    return frozenset(names)


def _columns(row: tuple[str, ...]) -> tuple[int, ...]:
    whole = [place for place, cell in enumerate(row) if _FULL.match(cell.strip())]
    first = [place for place, cell in enumerate(row) if _FIRST.match(cell.strip())]
    last = [place for place, cell in enumerate(row) if _LAST.match(cell.strip())]
    if whole:
        return (whole[0],)
    return (first[0], last[0]) if first and last else ()
