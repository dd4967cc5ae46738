"""Capacity and demand by team and period, and how they stand against each other, as planned and under what-ifs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

from deskmate.plugin import ToolInputError
from deskmate_documents.tables import Table, find_column, parse_amounts

TEAMS = ("team", "skill", "role", "department", "unit", "group", "resource", "work centre", "line")
PERIODS = ("period", "week", "month", "sprint", "quarter", "day", "date", "year")
AMOUNTS = (
    "hours",
    "days",
    "fte",
    "points",
    "capacity",
    "available",
    "supply",
    "demand",
    "effort",
    "load",
    "amount",
)
WHATS = (
    "person",
    "name",
    "employee",
    "work",
    "project",
    "task",
    "item",
    "order",
    "description",
    "customer",
)
NOTES = ("note", "notes", "comment", "comments", "total", "sum")
SETTINGS = frozenset(
    ("team", "period", "capacity", "demand", "sheet", "capacity sheet", "demand sheet", "unit")
)
TOTAL = "Total"
TEAMS_LIMIT, PERIODS_LIMIT, SCENARIOS_LIMIT = 60, 60, 12
_SORTED = re.compile(r"\d{4}-(?:\d\d(?:-\d\d)?|W\d\d|Q\d)", re.IGNORECASE)
BASE = "As planned"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One figure of a source. `what`: who can do it, or what is to be done."""

    team: str
    what: str
    period: str
    amount: Decimal
    row: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Shares of capacity. From above `full` on a team is overloaded, from `tight` on it has no slack."""

    tight: Decimal = Decimal("0.85")
    full: Decimal = Decimal(1)

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Limits:
        """Return the limits of the settings `capacity_tight` and `capacity_full`. Raises ToolInputError."""
        try:
            tight = Decimal(str(config.get("capacity_tight", "0.85")))
            full = Decimal(str(config.get("capacity_full", "1")))
        except InvalidOperation as problem:
            raise ToolInputError(
                "The settings capacity_tight and capacity_full are shares such as 0.85."
            ) from problem
        if not (tight.is_finite() and full.is_finite() and 0 < tight <= full <= 2):
            raise ToolInputError("capacity_tight and capacity_full are above 0, rising, at most 2.")
        return cls(tight=tight, full=full)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """What is otherwise than planned. `team`: empty for all; `factor`: of demand; `added`: capacity a period."""

    name: str
    team: str = ""
    factor: Decimal = Decimal(1)
    added: Decimal = Decimal()

    def holds(self, team: str) -> bool:
        """Say whether it changes a team."""
        return not self.team or self.team == team


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """All figures. `capacity`, `demand`: the entries of each source."""

    teams: tuple[str, ...]
    periods: tuple[str, ...]
    capacity: tuple[Entry, ...]
    demand: tuple[Entry, ...]
    unit: str
    _sums: dict[str, dict[tuple[str, str], Decimal]] = field(default_factory=dict)

    def sum(self, kind: str, team: str = "", period: str = "") -> Decimal:
        """Return capacity or demand (`kind`) of a team and period; empty: of all."""
        if kind not in self._sums:
            sums: dict[tuple[str, str], Decimal] = {}
            for one in self.capacity if kind == "capacity" else self.demand:
                for key in ((one.team, one.period), (one.team, ""), ("", one.period), ("", "")):
                    sums[key] = sums.get(key, Decimal()) + one.amount
            self._sums[kind] = sums
        return self._sums[kind].get((team, period), Decimal())

    def utilisation(
        self, team: str = "", period: str = "", change: Scenario | None = None
    ) -> Decimal | None:
        """Return demand by capacity; None where there is no capacity."""
        demand, capacity = self.sum("demand", team, period), self.sum("capacity", team, period)
        if change is not None and change.holds(team):
            demand, capacity = demand * change.factor, max(capacity + change.added, Decimal())
        return demand / capacity if capacity else None


def read_entries(table: Table, settings: Mapping[str, str], kind: str) -> tuple[list[Entry], str]:
    """Return the figures of a table, and the name of what they count.

    A table is long (team, period, amount) or wide (team, and a column a period).

    Raises:
        ToolInputError: no team, no figures, a negative one, a row without team or period.
    """
    team = find_column(table, TEAMS, settings.get("team", ""))
    if team is None:
        raise ToolInputError(
            f"{table.name} has no column for teams; it has {', '.join(table.columns)}."
        )
    what = next((c for c in [find_column(table, WHATS)] if c and c != team), None)
    period = _period_column(table, settings, team)
    if period is not None:
        return _long(table, settings, kind, (team, what, period))
    columns = [c for c in table.columns if c not in (team, what) and c.lower() not in NOTES]
    wide = [column for column in columns if _is_amounts(table, column)]
    if not wide:
        raise ToolInputError(
            f"{table.name} has neither a column of periods nor a column of figures a period."
        )
    found = []
    for column in wide:
        amounts = parse_amounts(table.values(column), f"{table.name}, {column}")
        for place, (row, amount) in enumerate(zip(table.rows, amounts, strict=True)):
            if amount is not None and not _is_total(table.values(team)[place][1]):
                found.append(
                    _entry(table, place, (team, what), " ".join(column.split()), amount, row.number)
                )
    return found, settings.get("unit", "") or "hours"


def _period_column(table: Table, settings: Mapping[str, str], team: str) -> str | None:
    if settings.get("period"):
        return find_column(table, (), settings["period"])
    plain = {" ".join(c.lower().split()): c for c in table.columns if c != team}
    return next((plain[name] for name in PERIODS if name in plain), None)


def _long(
    table: Table, settings: Mapping[str, str], kind: str, columns: tuple[str, str | None, str]
) -> tuple[list[Entry], str]:
    team, what, period = columns
    amount = find_column(table, AMOUNTS, settings.get(kind, ""))
    if amount is None or amount in columns:
        raise ToolInputError(
            f"{table.name} has no column of {kind}; it has {', '.join(table.columns)}."
        )
    amounts = parse_amounts(table.values(amount), f"{table.name}, {amount}")
    periods = table.values(period)
    found = []
    for place, (row, figure) in enumerate(zip(table.rows, amounts, strict=True)):
        if figure is None or _is_total(table.values(team)[place][1]):
            continue
        name = " ".join(periods[place][1].split())
        if not name:
            raise ToolInputError(f"{table.name}, row {row.number}: the period is missing.")
        found.append(_entry(table, place, (team, what), name, figure, row.number))
    unit = " ".join(amount.lower().replace("_", " ").split())
    return found, settings.get("unit", "") or (unit if unit in AMOUNTS[:4] else "hours")


def _entry(
    table: Table,
    place: int,
    columns: tuple[str, str | None],
    period: str,
    amount: Decimal,
    row: int,
) -> Entry:
    team, what = columns
    name = " ".join(table.values(team)[place][1].split())
    if not name:
        raise ToolInputError(f"{table.name}, row {row}: the team is missing.")
    if amount < 0:
        raise ToolInputError(f"{table.name}, row {row}: {amount} is below 0.")
    about = table.values(what)[place][1] if what else ""
    return Entry(team=name, what=about, period=period, amount=amount, row=row)


def _is_total(text: str) -> bool:
    return text.strip().lower() in ("total", "totals", "sum", "all")


def _is_amounts(table: Table, column: str) -> bool:
    values = table.values(column)
    try:
        return any(figure is not None for figure in parse_amounts(values, column))
    except ToolInputError:
        return False


def load_of(
    capacity: tuple[list[Entry], str], demand: tuple[list[Entry], str], names: Sequence[str]
) -> Load:
    """Return capacity and demand together.

    Raises:
        ToolInputError: a source has no figures, they share no period, they count different things, or there are too many.
    """
    for (entries, _), name in zip((capacity, demand), names, strict=True):
        if not entries:
            raise ToolInputError(f"{name} has no figures.")
    if capacity[1] != demand[1]:
        raise ToolInputError(
            f"Capacity counts {capacity[1]}, demand {demand[1]}; give both in one unit."
        )
    every = [*capacity[0], *demand[0]]
    if not {e.period for e in capacity[0]} & {e.period for e in demand[0]}:
        raise ToolInputError(
            f"Capacity and demand share no period: {capacity[0][0].period!r} and {demand[0][0].period!r}."
        )
    periods = list(dict.fromkeys(e.period for e in every))
    if all(_SORTED.fullmatch(period) for period in periods):
        periods.sort()
    teams = sorted({e.team for e in every}, key=lambda team: (team.lower(), team))
    if len(teams) > TEAMS_LIMIT or len(periods) > PERIODS_LIMIT:
        raise ToolInputError(
            f"There are {len(teams)} teams and {len(periods)} periods; {TEAMS_LIMIT} and {PERIODS_LIMIT} are the most."
        )
    return Load(
        teams=tuple(teams),
        periods=tuple(periods),
        capacity=tuple(capacity[0]),
        demand=tuple(demand[0]),
        unit=capacity[1],
    )


def bottleneck(load: Load) -> str:
    """Return the team with the highest utilisation over all periods; one without any capacity comes first."""

    def weight(team: str) -> Decimal:
        share = load.utilisation(team)
        if share is None:
            return Decimal("Infinity") if load.sum("demand", team) else Decimal(-1)
        return share

    return max(load.teams, key=lambda team: (weight(team), load.sum("demand", team)))


def shortage(load: Load, team: str) -> Decimal:
    """Return how much capacity a team lacks in its worst period, 0 where it lacks none."""
    gaps = (load.sum("demand", team, p) - load.sum("capacity", team, p) for p in load.periods)
    return max(Decimal(), *gaps)


def usual_scenarios(load: Load, stress: Decimal) -> list[Scenario]:
    """Return the plan, the plan with more demand, and the plan with the bottleneck relieved in its worst period."""
    found = [Scenario(name=BASE)]
    if stress:
        found.append(Scenario(name=f"Demand {(stress * 100).normalize():+f} %", factor=1 + stress))
    team = bottleneck(load)
    lacking = shortage(load, team)
    if lacking:
        found.append(Scenario(name=f"{team} relieved", team=team, added=lacking))
    return found


def read_scenarios(given: Sequence[Mapping[str, str]], load: Load) -> list[Scenario]:
    """Return the scenarios of a call, the plan first.

    Raises:
        ToolInputError: a team that there is not, a figure that is none, too many, or a name twice.
    """
    found = [Scenario(name=BASE)]
    for one in given:
        unknown = set(one) - {"name", "team", "demand", "capacity"}
        if unknown:
            raise ToolInputError(
                f"A scenario has name, team, demand and capacity, not {min(unknown)!r}."
            )
        team = str(one.get("team", ""))
        if team and team not in load.teams:
            raise ToolInputError(f"There is no team {team!r}; there are {', '.join(load.teams)}.")
        try:
            factor = Decimal(str(one.get("demand", "") or "1"))
            added = Decimal(str(one.get("capacity", "") or "0"))
        except InvalidOperation as problem:
            raise ToolInputError(
                "A scenario's demand is a factor such as 1.1, its capacity a figure."
            ) from problem
        if not (factor.is_finite() and added.is_finite() and 0 <= factor <= 100):
            raise ToolInputError("A scenario's demand is a factor from 0 to 100.")
        name = " ".join(str(one.get("name", "")).split()) or f"Scenario {len(found)}"
        if any(name == other.name for other in found):
            raise ToolInputError(f"There are two scenarios called {name!r}.")
        found.append(Scenario(name=name, team=team, factor=factor, added=added))
    if len(found) > SCENARIOS_LIMIT:
        raise ToolInputError(f"There are {len(found)} scenarios; {SCENARIOS_LIMIT} are the most.")
    return found
