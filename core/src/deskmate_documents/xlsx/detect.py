"""Rows and columns that came or went between two versions of a workbook, found by what their cells hold."""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from deskmate.errors import ToolInputError
from deskmate_documents.xlsx.book import Sheet, Workbook
from deskmate_documents.xlsx.cells import Value
from deskmate_documents.xlsx.formula import tokens
from deskmate_documents.xlsx.shift import Axis, Shift
from deskmate_documents.xlsx.structure import apply_shift

LINES_LIMIT = 20_000
SHIFTS_LIMIT = 20


def found_shifts(before: Workbook, after: Workbook) -> tuple[Workbook, tuple[Shift, ...]]:
    """Return the older workbook with the shifts made in memory that make it like `after`; and these, in order.

    `before` is not to be used any more. Lines are matched by their figures, texts and formulas without references. Sheets with more than 20,000 rows are
    not looked at, and what cannot be shifted is none.
    """
    found: list[Shift] = []
    new = {sheet.name: sheet for sheet in after.sheets}
    for sheet in before.sheets:
        other = new.get(sheet.name)
        if other is None or {sheet.kind, other.kind} != {"worksheet"}:
            continue
        if before.package.read(sheet.part) == after.package.read(other.part):
            continue
        for shift in _of_sheet(before, sheet, after, other):
            try:
                apply_shift(before, shift)
            except ToolInputError:
                return _again(before, found), tuple(found)
            found.append(shift)
    return before, tuple(found)


def _again(before: Workbook, shifts: Sequence[Shift]) -> Workbook:
    """Return a workbook anew with those shifts made; the one that failed left it half done."""
    book = Workbook(before.package.path)
    for shift in shifts:
        apply_shift(book, shift)
    return book


def _of_sheet(before: Workbook, sheet: Sheet, after: Workbook, other: Sheet) -> Sequence[Shift]:
    pairs = [list(book.values(s)) for book, s in ((before, sheet), (after, other))]
    axes: tuple[Axis, Axis] = ("rows", "columns")
    for axis in axes:
        old, new = (_lines(values, axis) for values in pairs)
        if max(len(old), len(new)) > LINES_LIMIT:
            continue
        shifts = tuple(_shifts(old, new, sheet.name, axis))
        if 0 < len(shifts) <= SHIFTS_LIMIT:
            return shifts
    return ()


def _lines(values: Sequence[Value], axis: Axis) -> list[str]:
    """Return a digest of each line, "" of an empty one."""
    held: dict[int, list[str]] = defaultdict(list)
    for value in values:
        row, column = value.place
        line, across = (row, column) if axis == "rows" else (column, row)
        if value.formula:
            kept = "".join(t.text for t in tokens(value.formula) if t.kind != "ref")
            held[line].append(f"{across}={kept}")
        elif value.kind != "empty":
            held[line].append(f"{across}:{value.kind}:{value.text}")
    return [
        hashlib.sha256("\n".join(held[number]).encode()).hexdigest() if number in held else ""
        for number in range(1, max(held, default=0) + 1)
    ]


def _shifts(old: list[str], new: list[str], sheet: str, axis: Axis) -> Iterator[Shift]:
    """Yield what makes the lines of `old` stand where they stand in `new`; what follows the last match is none."""
    last, start = -1, -1
    for here, there in _anchors(old, new):
        more = (there - start) - (here - last)
        if more:
            gone, come = old[last + 1 : here], new[start + 1 : there]
            alike = _alike(gone, come)
            rest = min(len(gone), len(come)) - alike
            behind = min(_alike(gone[::-1], come[::-1]), rest)
            at = start + 1 + alike + (rest - behind) + 1
            yield Shift(sheet=sheet, axis=axis, at=at, count=abs(more), gone=more < 0)
        last, start = here, there


def _alike(one: Sequence[str], other: Sequence[str]) -> int:
    """Return how many lines at the beginning are equal."""
    return next(
        (n for n, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1]),
        min(len(one), len(other)),
    )


def _anchors(old: list[str], new: list[str]) -> list[tuple[int, int]]:
    """Return (line, line) of those that occur once in both, as many as are in the same order.

    Only these are matched: what a matcher of all lines would take hours for, a file could be made to ask for.
    """
    counts = Counter(old), Counter(new)
    where = {line: number for number, line in enumerate(new) if line and counts[1][line] == 1}
    pairs = [
        (n, where[line]) for n, line in enumerate(old) if line in where and counts[0][line] == 1
    ]
    ends: list[int] = []
    tops: list[int] = []
    before = [-1] * len(pairs)
    for number, (_, there) in enumerate(pairs):
        at = bisect_left(ends, there)
        before[number] = tops[at - 1] if at else -1
        if at == len(ends):
            ends.append(there)
            tops.append(number)
        else:
            ends[at], tops[at] = there, number
    found: list[tuple[int, int]] = []
    number = tops[-1] if tops else -1
    while number >= 0:
        found.append(pairs[number])
        number = before[number]
    return found[::-1]
