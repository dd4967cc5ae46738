"""FIN-RECON-TIES: the workbook says what the bank statement and the ledger say, to the cent."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from deskmate.plugin import Deliverable, Finding, ToolInputError, ValidationContext
from deskmate_documents.tables import read_sheets
from deskmate_finance.matching import CLOSE, references
from deskmate_finance.reconciliation import (
    AGEING,
    MATCHED,
    OPEN,
    SUMMARY,
    balances_of,
    bucket,
    carried,
)
from deskmate_finance.reconciliation_book import CARRIED, UNEXPLAINED, WITHIN
from deskmate_finance.records import SideName, read_side, side_settings
from deskmate_finance.sides import Entry, Side

RULE = "FIN-RECON-TIES"
LIMIT = 20


def recon_ties(deliverable: Deliverable, context: ValidationContext) -> list[Finding]:
    """Re-derive the reconciliation from the original files and compare every row of the workbook.

    Balance − open items must be equal on both sides, or the difference stand in the summary; each row
    of the sources is matched once or open, with its own date and amount; each group's sums are equal.
    Source: house, after the identity in docs of the plugin (SOURCES.md).
    """
    problems = list(_problems(deliverable, context))
    shown = [_finding(level, message, where) for level, message, where in problems[:LIMIT]]
    if len(problems) > LIMIT:
        shown.append(
            _finding(
                "error", f"{len(problems) - LIMIT} more rows do not agree with the sources.", ""
            )
        )
    return shown


def _finding(level: Any, message: str, where: str) -> Finding:
    fix = "Run recon_match again; do not edit its figures." if level == "error" else ""
    return Finding(rule=RULE, level=level, message=message, location=where, fix=fix)


Problem = tuple[str, str, str]


def _problems(deliverable: Deliverable, context: ValidationContext) -> Iterator[Problem]:
    sides: dict[str, Side] = {}
    settings = _texts(deliverable.data.get("settings"))
    for name in ("bank", "ledger"):
        path = deliverable.sources.get(name, "")
        file = context.sources.file(path) if path else None
        if file is None:
            yield (
                "error",
                f"UNVERIFIED: the {name} file {path or '(none named)'} is not among the originals.",
                "",
            )
            return
        try:
            sides[name] = read_side(file, path, _side(name), side_settings(settings, _side(name)))
        except ToolInputError as problem:
            yield "error", f"The {name} cannot be read again: {problem.message}", ""
            return
    try:
        sheets = read_sheets(context.file, name=deliverable.path)
    except ToolInputError as problem:
        yield "error", problem.message, ""
        return
    missing = [name for name in (SUMMARY, MATCHED, OPEN, AGEING) if not sheets.get(name)]
    if missing:
        yield "error", f"The workbook lacks the sheets {', '.join(missing)}.", ""
        return
    as_of = str(deliverable.data.get("as_of", ""))
    if ["As of", as_of, as_of] not in [row[:3] for row in sheets[SUMMARY]]:
        yield "error", f"The summary must name {as_of} as the day of the ages.", f"sheet {SUMMARY}"
    used: dict[tuple[str, int], str] = {}
    tolerance = _figure(str(deliverable.data.get("tolerance", "0"))) or Decimal()
    within = yield from _check_matched(sheets[MATCHED][1:], sides, used, tolerance)
    yield from _check_open(sheets[OPEN][1:], sides, used, as_of)
    for name, side in sides.items():
        lost = [e.number for e in side.entries if (name, e.number) not in used]
        if lost:
            yield "error", f"Rows {_list(lost)} of the {name} are neither matched nor open.", ""
    given = _texts(deliverable.data.get("balances"))
    yield from _check_totals(sheets, sides, given, used, within)


def _side(name: str) -> SideName:
    return "bank" if name == "bank" else "ledger"


def _texts(value: Any) -> dict[str, str]:
    return {str(k): str(v) for k, v in value.items()} if isinstance(value, Mapping) else {}


def _list(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers[:10])) + (
        f" and {len(numbers) - 10} more" if len(numbers) > 10 else ""
    )


def _check_matched(
    rows: list[list[str]],
    sides: dict[str, Side],
    used: dict[tuple[str, int], str],
    tolerance: Decimal,
) -> Generator[Problem, None, Decimal]:
    """Yield what is wrong with the groups; return what they differ by, within the tolerance."""
    groups: dict[str, dict[str, list[Entry]]] = {}
    words: dict[str, str] = {}
    for place, row in enumerate(rows, start=2):
        where = f"sheet {MATCHED}, row {place}"
        entry = yield from _same_as_source(row, 1, sides, used, where)
        if entry is not None:
            groups.setdefault(row[0], {"bank": [], "ledger": []})[row[1]].append(entry)
            words[row[0]] = row[6] if len(row) > 6 else ""
    within = Decimal()
    for number, group in groups.items():
        bank, ledger = (sum((e.amount for e in group[s]), Decimal()) for s in ("bank", "ledger"))
        if bank == ledger:
            continue
        if words[number] == CLOSE and _is_close(group, tolerance):
            within += bank - ledger
            yield (
                "warning",
                f"Group {number} differs by {bank - ledger:f}, within the tolerance of {tolerance:f}.",
                f"sheet {MATCHED}",
            )
            continue
        yield (
            "error",
            f"Group {number} does not settle: bank {bank:f}, ledger {ledger:f}.",
            f"sheet {MATCHED}",
        )
    return within


def _is_close(group: Mapping[str, list[Entry]], tolerance: Decimal) -> bool:
    """Say whether a group is one row of each side with one reference, and amounts within the tolerance."""
    if len(group["bank"]) != 1 or len(group["ledger"]) != 1:
        return False
    one, other = group["bank"][0], group["ledger"][0]
    return bool(references(one) & references(other)) and abs(one.amount - other.amount) <= tolerance


def _check_open(
    rows: list[list[str]], sides: dict[str, Side], used: dict[tuple[str, int], str], as_of: str
) -> Iterator[Problem]:
    for place, row in enumerate(rows, start=2):
        where = f"sheet {OPEN}, row {place}"
        entry = yield from _same_as_source(row, 0, sides, used, where)
        if entry is None:
            continue
        age = max(0, (date.fromisoformat(as_of) - entry.day).days) if as_of else None
        if age is None or row[5] != str(age) or row[6] != bucket(age):
            yield "error", f"The age {row[5]} ({row[6]}) should be {age} days.", where


def _same_as_source(
    row: list[str], start: int, sides: dict[str, Side], used: dict[tuple[str, int], str], where: str
) -> Generator[Problem, None, Entry | None]:
    """Yield what is wrong with a listed row; return its source entry (or None)."""
    side, number, day, amount = row[start : start + 4]
    entries = {str(e.number): e for e in sides[side].entries} if side in sides else {}
    entry = entries.get(number)
    if entry is None:
        yield "error", f"The {side or '(no side)'} has no row {number}.", where
        return None
    if (side, entry.number) in used:
        yield (
            "error",
            f"Row {number} of the {side} is used twice (also in {used[(side, entry.number)]}).",
            where,
        )
    used[(side, entry.number)] = where
    if day != entry.day.isoformat() or _figure(amount) != entry.amount:
        yield (
            "error",
            f"{side} row {number} is {entry.day} {entry.amount:f} in the source, not {day} {amount}.",
            where,
        )
    return entry


def _figure(text: str) -> Decimal | None:
    try:
        return Decimal(text)
    except InvalidOperation:
        return None


def _check_totals(
    sheets: dict[str, list[list[str]]],
    sides: dict[str, Side],
    given: dict[str, str],
    used: dict[tuple[str, int], str],
    within: Decimal,
) -> Iterator[Problem]:
    balances, basis = balances_of(sides["bank"], sides["ledger"], given)
    open_sums = {
        name: sum(
            (
                e.amount
                for e in side.entries
                if used.get((name, e.number), "").startswith(f"sheet {OPEN}")
            ),
            Decimal(),
        )
        for name, side in sides.items()
    }
    rest = [balances[0] - open_sums["bank"], balances[1] - open_sums["ledger"]]
    before = carried(sides["bank"], sides["ledger"], balances)
    expected = {
        "Balance": balances,
        "Open items": (open_sums["bank"], open_sums["ledger"]),
        "Balance less open items": tuple(rest),
        "Difference": (rest[0] - rest[1],) * 2,
        CARRIED: (before,) * 2,
        WITHIN: (within,) * 2,
        UNEXPLAINED: (rest[0] - rest[1] - before - within,) * 2,
    }
    shown = {row[0]: row[1:3] for row in sheets[SUMMARY] if row}
    for line, figures in expected.items():
        cells = shown.get(line, ["", ""])
        if [_figure(cell) for cell in cells] != list(figures):
            right = " and ".join(f"{f:f}" for f in figures)
            yield (
                "error",
                f"{line} is {' and '.join(cells)}; the sources give {right}.",
                f"sheet {SUMMARY}",
            )
    if shown.get("Basis of the balances", [""])[0] != basis:
        yield "error", f"The basis of the balances is {basis}.", f"sheet {SUMMARY}"
    yield from _check_ageing(sheets[AGEING][1:], open_sums)
    unexplained = rest[0] - rest[1] - before - within
    if unexplained:
        yield "error", f"{unexplained:f} of the difference is not explained.", f"sheet {SUMMARY}"
    if before:
        yield (
            "warning",
            f"The balances differed by {before:f} before the first row; the cause lies in an earlier period.",
            f"sheet {SUMMARY}",
        )
    if "by hand" in basis:
        yield (
            "warning",
            f"The balances rest on figures outside the files: {basis}.",
            f"sheet {SUMMARY}",
        )


def _check_ageing(rows: list[list[str]], open_sums: Mapping[str, Decimal]) -> Iterator[Problem]:
    for name, total in open_sums.items():
        aged = sum(
            (_figure(row[3]) or Decimal() for row in rows if row[0] == name),
            Decimal(),
        )
        if aged != total:
            yield (
                "error",
                f"Ageing of the {name} adds up to {aged:f}, its open items to {total:f}.",
                f"sheet {AGEING}",
            )
