"""OPS-CAPACITY-TIES: a capacity plan is added up again from its sources, in exact fractions, cell by cell."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction

from deskmate_documents.shown import sheet_problems
from deskmate_ops.capacity import TOTAL, Limits, Load, Scenario
from deskmate_ops.capacity_book import (
    CAPACITY,
    DEMAND,
    GAP,
    NONE,
    SOURCE_HEADER,
    SOURCES,
    STATES,
    SUMMARY,
    SUMMARY_HEADER,
    TERMS,
    USE,
    WHAT_IF,
    term_lines,
)

Sums = Mapping[tuple[str, str], Fraction]
Rows = list[list[str]]


def capacity_problems(
    shown: Mapping[str, Sequence[Sequence[str]]],
    load: Load,
    scenarios: Sequence[Scenario],
    limits: Limits,
    sources: Sequence[str],
) -> Iterator[tuple[str, str]]:
    """Yield each cell that is not what the sources give."""
    sums = {name: _added(load, name) for name in (CAPACITY, DEMAND)}
    columns = [*load.periods, ""]
    expected: dict[str, Rows] = {SUMMARY: _summary(load, sums, limits)}
    expected[USE] = [["Team", *load.periods, "All periods"]]
    expected[WHAT_IF] = _what_if(load, sums, scenarios, limits)
    for name in (CAPACITY, DEMAND, GAP):
        expected[name] = [["Team", *load.periods, "All periods"]]
    for team in [*load.teams, ""]:
        title = team or TOTAL
        pairs = [(sums[CAPACITY][team, p], sums[DEMAND][team, p]) for p in columns]
        expected[USE].append([title, *(_share(d, c) for c, d in pairs)])
        expected[CAPACITY].append([title, *(_text(c) for c, _ in pairs)])
        expected[DEMAND].append([title, *(_text(d) for _, d in pairs)])
        expected[GAP].append([title, *(_text(c - d) for c, d in pairs)])
    for name, entries in ((CAPACITY, load.capacity), (DEMAND, load.demand)):
        lines = [[e.team, e.what, e.period, f"{e.amount:f}", str(e.row)] for e in entries]
        expected[SOURCES[name]] = [list(SOURCE_HEADER), *lines]
    terms = [[name, text] for name, text in term_lines(load, limits, sources)]
    expected[TERMS] = [["Term", "Value"], *terms]
    yield from sheet_problems(shown, expected)


def _added(load: Load, name: str) -> Sums:
    sums: dict[tuple[str, str], Fraction] = defaultdict(Fraction)
    for entry in load.capacity if name == CAPACITY else load.demand:
        amount = Fraction(entry.amount)
        sums[entry.team, entry.period] += amount
        sums[entry.team, ""] += amount
        sums["", entry.period] += amount
        sums["", ""] += amount
    return sums


def _text(figure: Fraction) -> str:
    return f"{Decimal(figure.numerator) / Decimal(figure.denominator):f}"


def _share(demand: Fraction, capacity: Fraction) -> str:
    if not capacity:
        return NONE if demand else ""
    return _text(demand / capacity)


def _summary(load: Load, sums: Mapping[str, Sums], limits: Limits) -> Rows:
    rows = [list(SUMMARY_HEADER)]
    full, tight = Fraction(limits.full), Fraction(limits.tight)
    for team in [*load.teams, ""]:
        pairs = [(sums[CAPACITY][team, p], sums[DEMAND][team, p]) for p in load.periods]
        shares = [d / c for c, d in pairs if c]
        over = sum(share > full for share in shares) + sum(not c and d > 0 for c, d in pairs)
        capacity, demand = sums[CAPACITY][team, ""], sums[DEMAND][team, ""]
        state = _share(demand, capacity)
        if capacity:
            whole = demand / capacity
            state = STATES[0] if whole > full else STATES[1] if whole >= tight else STATES[2]
        lacking = max([Fraction(), *(d - c for c, d in pairs)])
        rows.append(
            [
                team or TOTAL,
                _text(capacity),
                _text(demand),
                _share(demand, capacity),
                _text(max(shares)) if shares else "",
                str(over),
                _text(lacking),
                state,
            ]
        )
    return rows


def _what_if(
    load: Load, sums: Mapping[str, Sums], scenarios: Sequence[Scenario], limits: Limits
) -> Rows:
    rows = [
        [
            "Scenario",
            "Team",
            "Demand ×",
            "Capacity + a period",
            *load.periods,
            "Highest",
            "Periods over",
        ]
    ]
    for change in scenarios:
        for team in load.teams:
            touched = change.team in ("", team)
            factor = Fraction(change.factor) if touched else Fraction(1)
            added = Fraction(change.added) if touched else Fraction()
            pairs = [
                (max(sums[CAPACITY][team, p] + added, Fraction()), sums[DEMAND][team, p] * factor)
                for p in load.periods
            ]
            shares = [d / c for c, d in pairs if c]
            over = sum(share > Fraction(limits.full) for share in shares)
            over += sum(not c and d > 0 for c, d in pairs)
            highest = _text(max(shares)) if shares else ""
            cells = [_share(d, c) for c, d in pairs]
            rows.append(
                [change.name, team, _text(factor), _text(added), *cells, highest, str(over)]
            )
    return rows
