"""Tests of a journal for unusual entries. Each is exact and repeatable; a hit is a question, not an error."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from itertools import pairwise

from deskmate.plugin import ToolInputError
from deskmate_finance.chart_of_accounts import account_key
from deskmate_finance.postings import Posting, Postings

DEFAULTS: Mapping[str, str] = {
    "round_unit": "1000", "round_from": "10000", "holidays": "", "hours": "7-20", "duplicate_days": "7", "rare_pairs": "1",
    "rare_users": "4", "late_days": "10", "limit": "0", "near_limit": "5",
}  # fmt: skip
POPULATION = 50
"""Entries below which nothing is called rare."""
PAIRED = 12
"""Entries with more accounts (payroll, allocations) say nothing about pairs."""
BENFORD_LEAST = 300
"""Amounts below which the first digits say nothing (SOURCES.md)."""
CONFORMITY = ((0.006, "close"), (0.012, "acceptable"), (0.015, "marginal"))
"""Mean absolute deviation of first digits up to which they conform so (SOURCES.md)."""
GAP_LIMIT = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The thresholds of all tests."""

    round_unit: Decimal
    round_from: Decimal
    holidays: frozenset[date]
    hours: tuple[int, int]
    duplicate_days: int
    rare_pairs: int
    rare_users: int
    late_days: int
    limit: Decimal
    near_limit: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """An entry that a test names. `lines`: those that it is about; `why` in a few words."""

    test: str
    entry: str
    lines: tuple[Posting, ...]
    why: str

    @property
    def amount(self) -> Decimal:
        """The debits of its lines, or their credits where they have none."""
        debits = sum((line.debit for line in self.lines), Decimal())
        return debits or sum((line.credit for line in self.lines), Decimal())


@dataclass(frozen=True, slots=True, kw_only=True)
class Test:
    """One test. `looks_for` holds its thresholds; `left_out`: why it was not done, "" if it was."""

    name: str
    looks_for: str
    left_out: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Benford:
    """How often each first digit, 1 to 9, leads the debits of 10 and more."""

    counts: tuple[int, ...]

    @property
    def total(self) -> int:
        """How many amounts."""
        return sum(self.counts)

    @property
    def deviation(self) -> float:
        """The mean absolute deviation from Benford's law."""
        if not self.total:
            return 0.0
        return sum(
            abs(n / self.total - math.log10(1 + 1 / d)) for d, n in enumerate(self.counts, 1)
        ) / len(self.counts)

    @property
    def verdict(self) -> str:
        """What may be said, in words."""
        if self.total < BENFORD_LEAST:
            return f"no conclusion: {self.total} amounts, fewer than {BENFORD_LEAST}"
        found = next((name for most, name in CONFORMITY if self.deviation <= most), "no")
        return f"{found} conformity"


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """All hits in the order of tests, and what the tests are about."""

    postings: Postings
    limits: Limits
    tests: tuple[Test, ...]
    hits: tuple[Hit, ...]
    gaps: tuple[str, ...]
    benford: Benford
    pairs: tuple[tuple[str, str, int, Decimal], ...]
    users: tuple[tuple[str, int, Decimal, int], ...]

    def scores(self) -> list[tuple[str, int]]:
        """Return (entry, number of tests that name it), the most first."""
        counts = Counter(hit.entry for hit in self.hits)
        return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def limits_of(given: Mapping[str, str]) -> Limits:
    """Return the thresholds. Raises ToolInputError if one is unknown or no number."""
    unknown = sorted(set(given) - set(DEFAULTS))
    if unknown:
        raise ToolInputError(f"Setting {unknown[0]!r} is unknown; use {', '.join(DEFAULTS)}.")
    wanted = {**DEFAULTS, **given}
    hours = re.fullmatch(r"\s*(\d{1,2})\s*-\s*(\d{1,2})\s*", wanted["hours"])
    if hours is None or not 0 <= int(hours[1]) < int(hours[2]) <= 24:
        raise ToolInputError(f"hours is {wanted['hours']!r}; give them as 7-20.")
    try:
        holidays = frozenset(map(date.fromisoformat, re.findall(r"[^\s,;]+", wanted["holidays"])))
        figures = {
            key: Decimal(wanted[key]) for key in DEFAULTS if key not in ("holidays", "hours")
        }
    except (ValueError, InvalidOperation) as problem:
        raise ToolInputError(
            "A setting is no number, or a holiday no day such as 2025-12-25."
        ) from problem
    if any(not f.is_finite() or f < 0 for f in figures.values()) or figures["round_unit"] == 0:
        raise ToolInputError("A setting is negative, or the unit of round amounts is 0.")
    return Limits(
        holidays=holidays, hours=(int(hours[1]), int(hours[2])), round_unit=figures["round_unit"], round_from=figures["round_from"],
        duplicate_days=int(figures["duplicate_days"]), rare_pairs=int(figures["rare_pairs"]), rare_users=int(figures["rare_users"]),
        late_days=int(figures["late_days"]), limit=figures["limit"], near_limit=figures["near_limit"],
    )  # fmt: skip


def analyse(postings: Postings, limits: Limits) -> Analysis:
    """Return what all tests find; the same file and thresholds always give the same."""
    entries = postings.entries()
    pairs = _pairs(entries)
    gaps, doubled = _numbers(entries)
    hits: list[Hit] = []
    tests: list[Test] = []
    for test, find in _tests(postings, entries, limits, pairs):
        tests.append(test)
        if not test.left_out:
            hits += find()
    tests.append(Test(name="Number used twice", looks_for="one number on several days"))
    hits += doubled
    return Analysis(
        postings=postings, limits=limits, tests=tuple(tests), hits=tuple(hits), gaps=gaps, benford=_benford(postings),
        pairs=tuple(sorted(((d, c, n, a) for (d, c), (n, a) in pairs.items()), key=lambda p: (p[2], p[0], p[1]))),
        users=_users(entries, postings),
    )  # fmt: skip


Entries = Mapping[str, Sequence[Posting]]
Pairs = Mapping[tuple[str, str], tuple[int, Decimal]]
Found = Callable[[], Iterator[Hit]]


def _tests(
    postings: Postings, entries: Entries, limits: Limits, pairs: Pairs
) -> Iterator[tuple[Test, Found]]:
    few = f"fewer than {POPULATION} entries" if len(entries) < POPULATION else ""

    def lines(name: str, wanted: Callable[[Posting], str]) -> Found:
        return lambda: _by_line(name, entries, wanted)

    def missing(column: str) -> str:
        return "" if column in postings.known else f"the file has no column for the {column}"

    unit, least = limits.round_unit, limits.round_from
    yield (
        Test(name="Round amount", looks_for=f"multiples of {unit:,f} from {least:,f} on"),
        lines("Round amount", lambda p: "round" if _is_round(p, unit, least) else ""),
    )
    yield (
        Test(name="Weekend", looks_for="posting dates on a Saturday or Sunday"),
        lines("Weekend", lambda p: f"{p.day:%A}" if p.day.weekday() > 4 else ""),
    )
    yield (
        Test(name="Holiday", looks_for=f"posting dates on {len(limits.holidays)} given days",
             left_out="" if limits.holidays else "no holidays were given"),
        lines("Holiday", lambda p: "holiday" if p.day in limits.holidays else ""),
    )  # fmt: skip
    first, last = limits.hours
    yield (
        Test(name="Odd hour", looks_for=f"entered before {first}:00 or from {last}:00 on",
             left_out="" if postings.timed else "the file has no times of entry"),
        lines("Odd hour", lambda p: f"entered at {p.created:%H:%M}" if p.created and not first <= p.created.hour < last else ""),
    )  # fmt: skip
    yield (
        Test(name="Entered late", looks_for=f"entered more than {limits.late_days} days after the posting date",
             left_out=missing("created")),
        lines("Entered late", lambda p: _late(p, limits.late_days)),
    )  # fmt: skip
    yield (
        Test(name="No description", looks_for="lines without a text", left_out=missing("text")),
        lines("No description", lambda p: "" if p.text else "no text"),
    )
    yield Test(name="Does not balance", looks_for="debits that are not credits"), lambda: _unbalanced(entries)  # fmt: skip
    yield (
        Test(name="Duplicate", looks_for=f"the same accounts and amounts within {limits.duplicate_days} days"),
        lambda: _duplicates(entries, limits.duplicate_days),
    )  # fmt: skip
    yield (
        Test(name="Unusual pair", looks_for=f"debit and credit accounts that meet in at most {limits.rare_pairs} entries",
             left_out=few),
        lambda: _rare_pairs(entries, pairs, limits.rare_pairs),
    )  # fmt: skip
    yield (
        Test(name="Seldom user", looks_for=f"users with at most {limits.rare_users} entries",
             left_out=missing("user") or few),
        lambda: _rare_users(entries, limits.rare_users),
    )  # fmt: skip
    yield (
        Test(name="Just below the limit", looks_for=f"debits less than {limits.near_limit:f} % below {limits.limit:,f}",
             left_out="" if limits.limit else "no limit of approval was given"),
        lambda: _near(entries, limits),
    )  # fmt: skip


def _by_line(name: str, entries: Entries, wanted: Callable[[Posting], str]) -> Iterator[Hit]:
    for entry, lines in entries.items():
        found = [(line, why) for line in lines if (why := wanted(line))]
        if found:
            yield Hit(test=name, entry=entry, lines=tuple(p for p, _ in found), why=found[0][1])


def _is_round(line: Posting, unit: Decimal, least: Decimal) -> bool:
    amount = line.debit or line.credit
    return amount >= max(least, unit) and amount % unit == 0


def _late(line: Posting, days: int) -> str:
    late = (line.created.date() - line.day).days if line.created else 0
    return f"entered {late} days later" if late > days else ""


def _unbalanced(entries: Entries) -> Iterator[Hit]:
    for entry, lines in entries.items():
        gap = sum((line.debit - line.credit for line in lines), Decimal())
        if gap:
            why = f"debits less credits are {gap:f}"
            yield Hit(test="Does not balance", entry=entry, lines=tuple(lines), why=why)


def _duplicates(entries: Entries, days: int) -> Iterator[Hit]:
    """Yield entries whose accounts and amounts another one had before, not more than some days ago."""
    known: dict[tuple[object, ...], list[tuple[date, str]]] = defaultdict(list)
    for entry, lines in sorted(entries.items(), key=lambda e: (e[1][0].day, e[1][0].number)):
        key = tuple(sorted((account_key(p.account), p.debit, p.credit) for p in lines))
        day = lines[0].day
        before = [name for when, name in known[key] if (day - when).days <= days]
        if before:
            why = f"as entry {before[-1]}"
            yield Hit(test="Duplicate", entry=entry, lines=tuple(lines), why=why)
        known[key].append((day, entry))


def _sides(lines: Sequence[Posting]) -> Iterator[tuple[str, str]]:
    debits = {account_key(p.account) for p in lines if p.debit}
    credits_ = {account_key(p.account) for p in lines if p.credit}
    if len(debits | credits_) <= PAIRED:
        yield from sorted((d, c) for d in debits for c in credits_)


def _pairs(entries: Entries) -> dict[tuple[str, str], tuple[int, Decimal]]:
    found: dict[tuple[str, str], tuple[int, Decimal]] = {}
    for lines in entries.values():
        total = sum((line.debit for line in lines), Decimal())
        for pair in _sides(lines):
            count, amount = found.get(pair, (0, Decimal()))
            found[pair] = (count + 1, amount + total)
    return found


def _rare_pairs(entries: Entries, pairs: Pairs, most: int) -> Iterator[Hit]:
    for entry, lines in entries.items():
        rare = [pair for pair in _sides(lines) if pairs[pair][0] <= most]
        if rare:
            why = "; ".join(f"{debit} against {credit}" for debit, credit in rare[:3])
            yield Hit(test="Unusual pair", entry=entry, lines=tuple(lines), why=why)


def _rare_users(entries: Entries, most: int) -> Iterator[Hit]:
    counts = Counter(user for lines in entries.values() for user in {p.user for p in lines})
    for entry, lines in entries.items():
        rare = sorted({p.user for p in lines if counts[p.user] <= most})
        if rare:
            who = ", ".join(f"{user or 'no user'} ({counts[user]})" for user in rare)
            yield Hit(test="Seldom user", entry=entry, lines=tuple(lines), why=who)


def _near(entries: Entries, limits: Limits) -> Iterator[Hit]:
    least = limits.limit * (1 - limits.near_limit / 100)
    for entry, lines in entries.items():
        total = sum((line.debit for line in lines), Decimal())
        if least <= total < limits.limit:
            yield Hit(
                test="Just below the limit", entry=entry, lines=tuple(lines), why=f"{total:,f}"
            )


_NUMBER = re.compile(r"^(.*?)(\d{1,15})$")


def _numbers(entries: Entries) -> tuple[tuple[str, ...], list[Hit]]:
    """Return the gaps in each series of numbers, and entries whose number has several days."""
    series: dict[str, dict[int, str]] = defaultdict(dict)
    for entry in entries:
        found = _NUMBER.match(entry)
        if found:
            series[found[1]][int(found[2])] = found[2]
    gaps: list[str] = []
    for prefix, numbers in sorted(series.items()):
        known = sorted(numbers)
        for one, other in pairwise(known):
            if other - one > 1:
                width = len(numbers[one])
                first, last = f"{prefix}{one + 1:0{width}}", f"{prefix}{other - 1:0{width}}"
                gaps.append(first if first == last else f"{first} to {last}")
    doubled = [
        Hit(test="Number used twice", entry=entry, lines=tuple(lines),
            why=", ".join(sorted({p.day.isoformat() for p in lines})[:4]))
        for entry, lines in entries.items()
        if len({p.day for p in lines}) > 1
    ]  # fmt: skip
    return tuple(gaps), doubled


def _benford(postings: Postings) -> Benford:
    counts = Counter(str(int(p.debit))[0] for p in postings.lines if p.debit >= 10)
    return Benford(counts=tuple(counts[str(digit)] for digit in range(1, 10)))


def _users(entries: Entries, postings: Postings) -> tuple[tuple[str, int, Decimal, int], ...]:
    """Return (user, entries, debits, entries on a weekend) of each user, the most entries first."""
    if "user" not in postings.known:
        return ()
    found: dict[str, tuple[int, Decimal, int]] = {}
    for lines in entries.values():
        weekend = any(p.day.weekday() > 4 for p in lines)
        for user in sorted({p.user for p in lines}):
            count, amount, odd = found.get(user, (0, Decimal(), 0))
            own = sum((p.debit for p in lines if p.user == user), Decimal())
            found[user] = (count + 1, amount + own, odd + weekend)
    rows = ((user, *figures) for user, figures in found.items())
    return tuple(sorted(rows, key=lambda r: (-r[1], r[0])))
