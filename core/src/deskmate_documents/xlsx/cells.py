"""What a cell holds: stored XML to values and back."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, Literal

from lxml import etree

from deskmate.errors import ToolInputError
from deskmate_documents.opc import Element
from deskmate_documents.xlsx.refs import Place, words
from deskmate_documents.xlsx.sheetpart import q

TEXT_LIMIT = 32_767
_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")
_MUST_ESCAPE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]|_(?=x[0-9A-Fa-f]{4}_)|\r")
_SPACE = "{http://www.w3.org/XML/1998/namespace}space"
_V, _IS = q("v"), q("is")
_ERRORS = words(
    "#NULL! #DIV/0! #VALUE! #REF! #NAME? #NUM! #N/A #SPILL! #CALC! #GETTING_DATA #FIELD!"
)

Kind = Literal["number", "text", "bool", "error", "empty"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """A cell. `text`: its value as stored, numbers as in the file. `formula`: without `=`, "" for none.

    `array`: the area that an array formula fills. `style`: number of its style. `meta`: what marks it as a
    dynamic array or a rich value.
    """

    place: Place
    kind: Kind
    text: str
    formula: str = ""
    array: str = ""
    style: int = 0
    meta: str = ""


def read_value(
    place: Place, node: Element, strings: Sequence[str], formula: str = "", array: str = ""
) -> Value:
    """Return what a cell element holds; a shared string that is not there reads as an error."""
    kind, text = _content(node, strings)
    style = node.get("s", "0")
    return Value(
        place=place,
        kind=kind,
        text=text,
        formula=formula,
        array=array,
        style=int(style) if style.isascii() and style.isdigit() else 0,
        meta=" ".join(filter(None, (node.get("cm"), node.get("vm")))),
    )


def _content(node: Element, strings: Sequence[str]) -> tuple[Kind, str]:
    kind = node.get("t", "n")
    if kind == "inlineStr":
        inline = next(node.iterchildren(_IS), None)
        return "text", "" if inline is None else rich_text(inline)
    stored = next(node.iterchildren(_V), None)
    if stored is None or stored.text is None:
        return ("text", "") if kind == "str" else ("empty", "")
    text = str(stored.text)
    if kind == "s":
        index = int(text) if text.strip().isdigit() else -1
        return ("text", strings[index]) if 0 <= index < len(strings) else ("error", "#REF!")
    if kind == "b":
        return "bool", "TRUE" if text.strip() in ("1", "true") else "FALSE"
    if kind == "e":
        return "error", text
    if kind in ("str", "d"):
        return "text", unescape(text)
    return "number", text.strip()


def rich_text(node: Element) -> str:
    """Return the text of a string item, without phonetic hints."""
    parts = []
    for child in node:
        if child.tag == q("t"):
            parts.append(child.text or "")
        elif child.tag == q("r"):
            parts.extend(t.text or "" for t in child.iterfind(q("t")))
    return unescape("".join(parts))


def unescape(text: str) -> str:
    """Return text with `_x000D_` and the like as characters."""
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text) if "_x" in text else text


def escape(text: str) -> str:
    """Return text as files store it; what XML cannot hold becomes `_xHHHH_`."""
    return _MUST_ESCAPE.sub(lambda found: f"_x{ord(found[0]):04X}_", text)


def clear(node: Element) -> None:
    """Take a cell's value and formula out; its style stays."""
    for child in list(node):
        if child.tag in (q("f"), q("v"), q("is")):
            node.remove(child)
    for name in ("t", "cm", "vm"):
        node.attrib.pop(name, None)


def put(node: Element, value: Any, *, known: dict[str, int], date1904: bool) -> None:
    """Give a cell a value: number, text, true/false, an error such as #N/A, an ISO date as {"date": …}, or None.

    `known`: text → number of an unformatted shared string; other texts are stored in the cell.

    Raises:
        ToolInputError: it is none of these, not finite, or too long.
    """
    clear(node)
    if value is None:
        return
    if isinstance(value, bool):
        _stored(node, "b", "1" if value else "0")
    elif isinstance(value, int | float | Decimal):
        _stored(node, "", number_text(value))
    elif isinstance(value, dict) and set(value) == {"date"}:
        _stored(node, "", number_text(serial(str(value["date"]), date1904=date1904)))
    elif isinstance(value, str) and value in _ERRORS:
        _stored(node, "e", value)
    elif isinstance(value, str):
        _put_text(node, value, known)
    else:
        raise ToolInputError(
            f"{str(value)[:80]!r} is no value: give a number, text, true, false or null."
        )


def _put_text(node: Element, value: str, known: dict[str, int]) -> None:
    if len(value) > TEXT_LIMIT:
        raise ToolInputError(
            f"A cell holds at most {TEXT_LIMIT} characters; this text has {len(value)}."
        )
    if value in known:
        _stored(node, "s", str(known[value]))
        return
    node.set("t", "inlineStr")
    text = etree.SubElement(etree.SubElement(node, q("is")), q("t"))
    text.text = escape(value)
    if value != value.strip() or "\n" in value:
        text.set(_SPACE, "preserve")
    _first(node, node.find(q("is")))


def _stored(node: Element, kind: str, text: str) -> None:
    if kind:
        node.set("t", kind)
    value = etree.SubElement(node, q("v"))
    value.text = text
    _first(node, value)


def _first(node: Element, child: Element) -> None:
    """Move a child before extensions, which come last."""
    node.insert(0, child)


def number_text(value: int | float | Decimal) -> str:
    """Return a number as files store it.

    Raises:
        ToolInputError: it is not finite or beyond 1e308.
    """
    if isinstance(value, float) and not math.isfinite(value):
        raise ToolInputError(f"{value} is not a number that a cell can hold.")
    try:
        if abs(Decimal(value)) > Decimal("9.9e307"):
            raise ToolInputError(f"{str(value)[:40]} is larger than a cell can hold.")
    except InvalidOperation as error:
        raise ToolInputError(f"{str(value)[:40]} is not a number that a cell can hold.") from error
    return repr(value) if isinstance(value, float) else str(value)


def serial(text: str, *, date1904: bool) -> float | int:
    """Return the number that stands for an ISO date or time of day and date.

    Raises:
        ToolInputError: it is no ISO date, or before the calendar of workbooks begins.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ToolInputError(f"{text!r} is not an ISO date such as 2026-03-31.") from error
    base = datetime(1904, 1, 1, tzinfo=UTC) if date1904 else datetime(1899, 12, 30, tzinfo=UTC)
    passed = moment.replace(tzinfo=UTC) - base
    days = passed.days + (passed.seconds + passed.microseconds / 1e6) / 86_400
    if not date1904 and days < 61:
        days -= 1  # the calendar of workbooks has a 29 February 1900
    if days < 0:
        raise ToolInputError(f"{text} is before the first date of a workbook.")
    return int(days) if days == int(days) else days


def as_date(number: str, *, date1904: bool) -> str:
    """Return the ISO date (with a time unless midnight) that a stored number stands for; "" if none."""
    try:
        days = float(number)
    except ValueError:
        return ""
    if not 0 <= days < 2_958_466:
        return ""
    if not date1904 and days < 60:
        days += 1
    base = date(1904, 1, 1) if date1904 else date(1899, 12, 30)
    whole = int(days)
    seconds = round((days - whole) * 86_400)
    moment = datetime(base.year, base.month, base.day, tzinfo=UTC) + timedelta(
        days=whole, seconds=seconds
    )
    if seconds == 0:
        return moment.date().isoformat()
    clock = moment.strftime("%H:%M:%S")
    return clock if whole == 0 else f"{moment.date().isoformat()} {clock}"
