"""What is doubtful in a workbook: errors, literals in formulas, rows that break their pattern, hidden things."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from deskmate_documents.xlsx.book import Sheet, Workbook
from deskmate_documents.xlsx.cells import Value
from deskmate_documents.xlsx.formula import Token, bare, relative, tokens, unprefixed
from deskmate_documents.xlsx.refs import Place, name_of
from deskmate_documents.xlsx.units import Units, odd_units

ALLOWED = frozenset({"0", "1", "2", "12", "100", "365", "360", "1000"})
"""Literals that a formula may hold: months, days, percent, signs."""
UNITS_LIMIT = 200_000
"""So many cells of a sheet are looked at for their units, which needs them all at once."""
_LOOKS_NUMERIC = re.compile(r"[-+]?\d[\d,]*(?:\.\d+)?%?")
_COUNTING = frozenset(
    {"ROUND", "ROUNDUP", "ROUNDDOWN", "MROUND", "DATE", "INDEX", "VLOOKUP", "HLOOKUP", "OFFSET", "LEFT", "RIGHT",
     "MID", "CHOOSE", "LARGE", "SMALL", "SUBTOTAL", "AGGREGATE", "EDATE", "EOMONTH", "TEXT", "LOG"}
)  # fmt: skip
Level = Literal["error", "warning", "note"]

ASK_CELLS = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """One thing to look at. `rule`: error-value, dead-reference, prefix, literal, pattern, text-number, external, hidden, unit."""

    rule: str
    level: Level
    location: str
    message: str


def lint(
    book: Workbook,
    skip: frozenset[str] = frozenset(),
    goes_on: Callable[[str], bool] = lambda sheet: True,
) -> Iterator[Doubt]:
    """Yield what is doubtful, sheet by sheet.

    `skip`: parts of worksheets that are not looked into. `goes_on`: asked with a sheet's name before it and every
    thousand cells; false leaves the rest of the sheet out.
    """
    units = Units(book)
    for sheet in book.sheets:
        if sheet.state != "visible":
            yield Doubt(
                rule="hidden",
                level="note",
                location=sheet.name,
                message=f"The sheet is {sheet.state}.",
            )
        if sheet.kind == "worksheet" and sheet.part not in skip:
            kept: list[Value] | None = [] if units.any else None
            yield from _sheet(book, sheet, kept, goes_on)
            yield from _units(sheet, units, kept) if kept and goes_on(sheet.name) else ()
    for part in book.package.related(book.main, "externalLink"):
        for rel in book.package.relationships(part).values():
            yield Doubt(
                rule="external",
                level="warning",
                location="workbook",
                message=f"It reads another workbook: {rel.target[:160]}",
            )
    for name in book.names:
        if "#REF!" in name.refers_to:
            yield Doubt(
                rule="dead-reference",
                level="warning",
                location=name.name,
                message=f"The name {name.name} refers to #REF!.",
            )


def _sheet(
    book: Workbook, sheet: Sheet, kept: list[Value] | None, goes_on: Callable[[str], bool]
) -> Iterator[Doubt]:
    """Yield what is doubtful in a sheet; `kept`: gets the cells whose units count, to be read only once."""
    patterns: dict[Place, str] = {}
    if not goes_on(sheet.name):
        return
    for count, value in enumerate(book.values(sheet), 1):
        if count % ASK_CELLS == 0 and not goes_on(sheet.name):
            break
        if kept is not None and len(kept) < UNITS_LIMIT and _has_unit(value):
            kept.append(value)
        label = f"{sheet.name}!{name_of(value.place)}"
        if value.kind == "error":
            yield Doubt(
                rule="error-value",
                level="error",
                location=label,
                message=f"The cell shows {value.text}.",
            )
        if value.formula:
            patterns[value.place] = relative(value.formula, value.place)
            yield from _formula(value, label)
        elif value.kind == "text" and _LOOKS_NUMERIC.fullmatch(value.text.strip()):
            yield Doubt(
                rule="text-number",
                level="warning",
                location=label,
                message=f"The number {value.text[:30]} is stored as text.",
            )
    for place in broken_patterns(patterns):
        text = "The formula differs from its neighbours, which are copies of one another."
        yield Doubt(
            rule="pattern", level="warning", location=f"{sheet.name}!{name_of(place)}", message=text
        )


def _has_unit(value: Value) -> bool:
    return value.kind in ("number", "text") or bool(value.formula)


def _units(sheet: Sheet, units: Units, values: Sequence[Value]) -> Iterator[Doubt]:
    if len(values) < UNITS_LIMIT:
        units.take(sheet.name, values)
    found = [(place, text) for place, text in odd_units(units, sheet, values)]
    for value in values:
        mixed = units.mixed(value, sheet.name) if value.formula else ""
        if mixed:
            found.append((value.place, f"={value.formula[:80]} adds up {mixed}."))
    for place, text in found:
        label = f"{sheet.name}!{name_of(place)}"
        yield Doubt(rule="unit", level="warning", location=label, message=text)


def _formula(value: Value, label: str) -> Iterator[Doubt]:
    if "#REF!" in value.formula:
        yield Doubt(
            rule="dead-reference",
            level="error",
            location=label,
            message=f"={value.formula[:80]} refers to cells that are gone.",
        )
    missing = unprefixed(value.formula)
    if missing:
        text = f"{', '.join(missing)} is stored without _xlfn.; Excel shows #NAME?."
        yield Doubt(rule="prefix", level="error", location=label, message=text)
    literals = literals_of(value.formula)
    if literals:
        text = f"={value.formula[:80]} holds the literal {', '.join(literals[:4])}."
        yield Doubt(rule="literal", level="warning", location=label, message=text)


def literals_of(formula: str) -> tuple[str, ...]:
    """Return the figures written into a formula that belong into an input cell.

    Digits to round to, positions and the like, as arguments of functions that count, are none.
    """
    parts = [token for token in tokens(formula) if token.kind != "space"]
    if not any(token.kind == "number" and token.text not in ALLOWED for token in parts):
        return ()
    stack: list[str] = []
    found = []
    for number, token in enumerate(parts):
        if token.text == "(":
            before = parts[number - 1] if number else Token("mark", "")
            stack.append(bare(before.text) if before.kind == "function" else "")
        elif token.text == ")" and stack:
            stack.pop()
        elif token.kind == "number" and token.text not in ALLOWED:
            counting = bool(stack) and stack[-1] in _COUNTING
            if not counting or not _is_alone(parts, number):
                found.append(token.text)
    return tuple(found)


def _is_alone(parts: Sequence[Token], number: int) -> bool:
    """Say whether a figure, with its sign, is an argument of its own."""
    first = number - 1 if parts[number - 1].text in ("-", "+") else number
    following = parts[number + 1].text if number + 1 < len(parts) else ""
    return parts[first - 1].text in ("(", ",") and following in (",", ")")


def broken_patterns(patterns: dict[Place, str]) -> Iterator[Place]:
    """Yield the cells whose formula differs while those before and after, in row or column, are copies."""
    for place, text in sorted(patterns.items()):
        row, column = place
        for step in ((0, 1), (1, 0)):
            near = [patterns.get((row + k * step[0], column + k * step[1])) for k in (-2, -1, 1, 2)]
            before, after = near[1], near[2]
            alike = before is not None and before == after and before != text
            if alike and (near[0] == before or near[3] == after):
                yield place
                break
