"""Pairs the movements of two sides: the same input always gives the same pairs, each row is used once."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from difflib import SequenceMatcher
from itertools import combinations

from deskmate_finance.sides import Entry

CLOSE = "reference, amounts differ"
CANDIDATES = 16
PAIRS_LIMIT = 2_500
_NUMBERED = re.compile(r"[a-z]*[-/.]?\d[a-z0-9\-/.]*[a-z0-9]")
_DATE = re.compile(r"(?:19|20)\d{2}|(?:19|20)\d{6}|\d{1,4}([-/.])\d{1,2}(?:\1\d{1,4})?|\d+\.\d{2}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Rows that settle each other: their sums are equal. `bank`, `ledger`: row numbers."""

    bank: tuple[int, ...]
    ledger: tuple[int, ...]
    how: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Matching:
    """The groups in the order they were found, and row numbers with more than one possible sum."""

    groups: tuple[Group, ...]
    ambiguous_bank: tuple[int, ...] = ()
    ambiguous_ledger: tuple[int, ...] = ()


def match(
    bank: Sequence[Entry],
    ledger: Sequence[Entry],
    *,
    days: int,
    group_size: int,
    tolerance: Decimal = Decimal(),
) -> Matching:
    """Return the pairs and groups.

    In this order: same amount and reference; same amount and a reference that both texts name; same amount and
    day; same amount within `days`, nearest day first, then most alike text; one reference with amounts that
    differ by at most `tolerance`; one row against all rows of one day within `days`; one row against 2 to
    `group_size` rows of the same sign within `days`. Sums only where exactly one (smallest) group adds up.
    """
    left, right = {e.number: e for e in bank}, {e.number: e for e in ledger}
    groups: list[Group] = []

    def take(how: str, found: Iterable[tuple[Entry, Entry]]) -> None:
        for one, other in found:
            groups.append(Group(bank=(one.number,), ledger=(other.number,), how=how))
            del left[one.number], right[other.number]

    take("amount and reference", _pairs(left.values(), right.values(), 10_000, True))
    take("amount and reference in the text", _by_text(left.values(), right.values()))
    take("amount and date", _pairs(left.values(), right.values(), 0, False))
    take(f"amount within {days} days", _pairs(left.values(), right.values(), days, False))
    if tolerance:
        take(CLOSE, _close(left.values(), right.values(), tolerance))
    for singles, pool, bank_first in ((left, right, True), (right, left, False)):
        for one, many in _days(singles, pool, days):
            sides = ((one,), many) if bank_first else (many, (one,))
            groups.append(Group(bank=sides[0], ledger=sides[1], how=f"sum of a day, {len(many)}"))
    found, ambiguous_bank = _sums(left, right, days, group_size)
    groups += [Group(bank=(one,), ledger=many, how=f"sum of {len(many)}") for one, many in found]
    found, ambiguous_ledger = _sums(right, left, days, group_size)
    groups += [Group(bank=many, ledger=(one,), how=f"sum of {len(many)}") for one, many in found]
    return Matching(
        groups=tuple(groups),
        ambiguous_bank=tuple(n for n in ambiguous_bank if n in left),
        ambiguous_ledger=tuple(n for n in ambiguous_ledger if n in right),
    )


def references(entry: Entry) -> frozenset[str]:
    """Return what names a document in a row: its reference, and numbers such as INV-1001 in its text; no dates, no years."""
    found = {re.sub(r"[^a-z0-9]", "", entry.reference.lower())} - {""}
    for word in _NUMBERED.findall(entry.text.lower()):
        bare = re.sub(r"[^a-z0-9]", "", word)
        digits = sum(c.isdigit() for c in bare)
        if digits >= 3 and len(bare) >= 4 and not _DATE.fullmatch(word):
            found.add(bare)
    return frozenset(found)


def _by_text(left: Iterable[Entry], right: Iterable[Entry]) -> list[tuple[Entry, Entry]]:
    """Return pairs of equal amount that share a reference, where each has no other partner."""
    return _alone(left, right, lambda one, other: one.amount == other.amount)


def _close(
    left: Iterable[Entry], right: Iterable[Entry], tolerance: Decimal
) -> list[tuple[Entry, Entry]]:
    """Return pairs that share a reference and differ by no more than the tolerance, where each has no other partner."""
    return _alone(
        left,
        right,
        lambda one, other: (
            one.amount * other.amount > 0 and abs(one.amount - other.amount) <= tolerance
        ),
    )


def _alone(
    left: Iterable[Entry], right: Iterable[Entry], fits: Callable[[Entry, Entry], bool]
) -> list[tuple[Entry, Entry]]:
    named: dict[str, list[Entry]] = defaultdict(list)
    for other in right:
        for reference in references(other):
            named[reference].append(other)
    partners: dict[int, dict[int, tuple[Entry, Entry]]] = defaultdict(dict)
    wanted: dict[int, set[int]] = defaultdict(set)
    for one in left:
        for reference in references(one):
            for other in named.get(reference, ()):
                if fits(one, other):
                    partners[one.number][other.number] = (one, other)
                    wanted[other.number].add(one.number)
    return [
        pair
        for found in partners.values()
        if len(found) == 1
        for number, pair in found.items()
        if len(wanted[number]) == 1
    ]


def _days(
    singles: dict[int, Entry], pool: dict[int, Entry], days: int
) -> list[tuple[int, tuple[int, ...]]]:
    """Take out of both a row and all rows of one sign of one day that add up to it, where one day fits."""
    found: list[tuple[int, tuple[int, ...]]] = []
    for single in sorted(singles.values(), key=lambda e: (e.day, e.number)):
        by_day: dict[date, list[Entry]] = defaultdict(list)
        for entry in pool.values():
            if abs((entry.day - single.day).days) <= days and entry.amount * single.amount > 0:
                by_day[entry.day].append(entry)
        fitting = [
            rows
            for rows in by_day.values()
            if len(rows) > 1 and sum((e.amount for e in rows), Decimal()) == single.amount
        ]
        if len(fitting) == 1:
            numbers = tuple(sorted(e.number for e in fitting[0]))
            found.append((single.number, numbers))
            del singles[single.number]
            for number in numbers:
                del pool[number]
    return found


def _pairs(
    left: Iterable[Entry], right: Iterable[Entry], window: int, by_reference: bool
) -> list[tuple[Entry, Entry]]:
    """Return disjoint pairs of equal amount, best first within each amount."""
    ours, theirs = _grouped(left, by_reference), _grouped(right, by_reference)
    pairs: list[tuple[Entry, Entry]] = []
    for key, entries in ours.items():
        others = theirs.get(key, [])
        if len(entries) * len(others) > PAIRS_LIMIT:
            pairs += _swept(entries, others, window)
        else:
            pairs += _best(entries, others, window)
    return pairs


def _grouped(entries: Iterable[Entry], by_reference: bool) -> dict[object, list[Entry]]:
    groups: dict[object, list[Entry]] = defaultdict(list)
    for entry in entries:
        if not by_reference:
            groups[entry.amount].append(entry)
        elif entry.reference:
            groups[(entry.amount, entry.reference.lower())].append(entry)
    return groups


def _best(entries: list[Entry], others: list[Entry], window: int) -> list[tuple[Entry, Entry]]:
    ranked: list[tuple[int, float, int, int]] = []
    for i, entry in enumerate(entries):
        for j, other in enumerate(others):
            gap = abs((other.day - entry.day).days)
            if gap <= window:
                ranked.append((gap, -_likeness(entry, other), i, j))
    ranked.sort()
    used_left: set[int] = set()
    used_right: set[int] = set()
    pairs = []
    for _, _, i, j in ranked:
        if i not in used_left and j not in used_right:
            used_left.add(i)
            used_right.add(j)
            pairs.append((entries[i], others[j]))
    return pairs


def _swept(entries: list[Entry], others: list[Entry], window: int) -> list[tuple[Entry, Entry]]:
    """Pair many rows of one amount in the order of their days; texts are not compared."""
    ours = sorted(entries, key=lambda e: (e.day, e.number))
    theirs = sorted(others, key=lambda e: (e.day, e.number))
    pairs, i, j = [], 0, 0
    while i < len(ours) and j < len(theirs):
        gap = (ours[i].day - theirs[j].day).days
        if abs(gap) <= window:
            pairs.append((ours[i], theirs[j]))
            i, j = i + 1, j + 1
        elif gap < 0:
            i += 1
        else:
            j += 1
    return pairs


def _likeness(one: Entry, other: Entry) -> float:
    return SequenceMatcher(None, one.text.lower()[:80], other.text.lower()[:80]).ratio()


def _sums(
    singles: dict[int, Entry], pool: dict[int, Entry], days: int, group_size: int
) -> tuple[list[tuple[int, tuple[int, ...]]], list[int]]:
    """Take out of both the rows that add up; return them, and the singles with several answers."""
    found: list[tuple[int, tuple[int, ...]]] = []
    ambiguous: list[int] = []
    for single in sorted(singles.values(), key=lambda e: (e.day, e.number)):
        answers = _subsets(single, pool.values(), days, group_size)
        if len(answers) == 1:
            found.append((single.number, answers[0]))
            del singles[single.number]
            for number in answers[0]:
                del pool[number]
        elif answers:
            ambiguous.append(single.number)
    return found, ambiguous


def _subsets(
    single: Entry, pool: Iterable[Entry], days: int, group_size: int
) -> list[tuple[int, ...]]:
    """Return up to two smallest groups of the pool that add up to the single row."""
    near = [
        e
        for e in pool
        if abs((e.day - single.day).days) <= days
        and e.amount * single.amount > 0
        and abs(e.amount) < abs(single.amount)
    ]
    near.sort(key=lambda e: (abs((e.day - single.day).days), e.number))
    for size in range(2, group_size + 1):
        answers: list[tuple[int, ...]] = []
        for group in combinations(near[:CANDIDATES], size):
            if sum(e.amount for e in group) == single.amount:
                answers.append(tuple(sorted(e.number for e in group)))
                if len(answers) == 2:
                    break
        if answers:
            return answers
    return []
