"""Walks from opening to closing headcount: who came, left and moved, by unit; from two extracts, or from dates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

from deskmate.plugin import ToolInputError
from deskmate_documents.tables import Table, find_column, parse_times
from deskmate_hr.grouping import NOT_STATED, TOTAL
from deskmate_hr.measures import HIRED, LEFT_DATES

IDS = ("employee id", "employee number", "personnel number", "staff id", "emp id", "id", "number")
UNITS = ("department", "unit", "business unit", "team", "division", "cost centre", "location")
MOVED = ("effective date", "move date", "transfer date", "moved on", "date")
FROM = (
    "from department",
    "from unit",
    "from team",
    "from",
    "old department",
    "previous department",
)
TO = ("to department", "to unit", "to team", "to", "new department")
SETTINGS = ("id", "unit", "hired", "left", "from", "to")
OTHER = "Other units"
UNITS_LIMIT = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One change of one person: `came` into `to`, `left` from `origin`, or `moved` between both."""

    kind: str
    origin: str = ""
    to: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A move as its table has it."""

    row: int
    key: str
    day: date
    origin: str
    to: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Roll:
    """What the source says. `opening`, `closing`: unit of each person there; `steps`: all changes between."""

    opening: tuple[str, ...]
    closing: tuple[str, ...]
    steps: tuple[Step, ...]
    by: str
    period: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One unit's walk; closing as it was counted, not as it follows."""

    unit: str
    opening: int
    hires: int
    moves_in: int
    leavers: int
    moves_out: int
    closing: int

    @property
    def follows(self) -> int:
        """The closing headcount that follows from the rest."""
        return self.opening + self.hires + self.moves_in - self.leavers - self.moves_out


def read_extracts(opening: Table, closing: Table, settings: Mapping[str, str]) -> Roll:
    """Return the roll of two extracts, one of each end of the period.

    Raises:
        ToolInputError: a column is missing, an id is empty or stands twice.
    """
    check_settings(settings)
    before, by = _units(opening, settings)
    after, _ = _units(closing, settings)
    steps = [Step(kind="came", to=unit) for key, unit in after.items() if key not in before]
    for key, unit in before.items():
        if key not in after:
            steps.append(Step(kind="left", origin=unit))
        elif after[key] != unit:
            steps.append(Step(kind="moved", origin=unit, to=after[key]))
    return Roll(
        opening=tuple(before.values()),
        closing=tuple(after.values()),
        steps=tuple(steps),
        by=by,
        period=f"{opening.name} to {closing.name}",
    )


def check_settings(settings: Mapping[str, str]) -> None:
    """Raise ToolInputError for a setting that there is not."""
    unknown = set(settings) - set(SETTINGS)
    if unknown:
        raise ToolInputError(f"Setting {min(unknown)!r} is unknown; use {', '.join(SETTINGS)}.")


def column_of(table: Table, known: Sequence[str], wanted: str, what: str) -> str:
    """Return a column that must be there. Raises ToolInputError."""
    found = find_column(table, known, wanted)
    if found is None:
        raise ToolInputError(
            f"{table.name} has no column for the {what}; it has {', '.join(table.columns)}. Name it in `settings`."
        )
    return found


def unit_name(text: str) -> str:
    """Return a unit's name as it is counted."""
    plain = " ".join(text.split()) or NOT_STATED
    return f"{plain} (unit)" if plain.lower() in (TOTAL.lower(), OTHER.lower()) else plain


def keys_of(table: Table, settings: Mapping[str, str]) -> list[str]:
    """Return each row's employee id.

    Raises:
        ToolInputError: there is no such column, or an id is empty or stands twice.
    """
    seen: dict[str, int] = {}
    for number, key in table.values(column_of(table, IDS, settings.get("id", ""), "employee id")):
        if not key:
            raise ToolInputError(f"{table.name}, row {number}: the employee id is missing.")
        if key in seen:
            raise ToolInputError(
                f"{table.name}: the id {key} stands in rows {seen[key]} and {number}; a person is counted once."
            )
        seen[key] = number
    return list(seen)


def _units(table: Table, settings: Mapping[str, str]) -> tuple[dict[str, str], str]:
    keys = keys_of(table, settings)
    by = column_of(table, UNITS, settings.get("unit", ""), "unit")
    return dict(zip(keys, (unit_name(text) for _, text in table.values(by)), strict=True)), by


def read_moves(table: Table | None, settings: Mapping[str, str]) -> list[Move]:
    """Return the moves of a table with id, day, from and to, by person and day.

    Raises:
        ToolInputError: a column, day or unit is missing.
    """
    if table is None:
        return []
    key = column_of(table, IDS, settings.get("id", ""), "employee id")
    when = column_of(table, MOVED, "", "day of the move")
    one, other = column_of(table, FROM, "", "old unit"), column_of(table, TO, "", "new unit")
    days = parse_times(table.values(when), f"{table.name}, {when}")
    found = []
    for row, day, who, origin, to in zip(
        table.rows, days, *(table.values(name) for name in (key, one, other)), strict=True
    ):
        if day is None or not who[1] or not origin[1] or not to[1]:
            raise ToolInputError(
                f"{table.name}, row {row.number}: id, day, old and new unit are all needed."
            )
        found.append(
            Move(
                row=row.number,
                key=who[1],
                day=day.date(),
                origin=unit_name(origin[1]),
                to=unit_name(to[1]),
            )
        )
    return sorted(found, key=lambda move: (move.key, move.day, move.row))


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A row of a register of dates. `unit`: today's."""

    row: int
    key: str
    unit: str
    came: date
    left: date | None
    moves: tuple[Move, ...]

    def unit_on(self, day: date) -> str:
        """Return the unit at the end of a day: where the next move after it came from."""
        return next((move.origin for move in self.moves if move.day > day), self.unit)


def read_people(
    table: Table, moves: Table | None, settings: Mapping[str, str]
) -> tuple[list[Person], str]:
    """Return everybody of a register with hire and leaving dates, and the name of the column of units.

    Raises:
        ToolInputError: a column or date is missing, somebody left before they came, or moves do not fit together.
    """
    check_settings(settings)
    keys = keys_of(table, settings)
    by = column_of(table, UNITS, settings.get("unit", ""), "unit")
    hired = column_of(table, HIRED, settings.get("hired", ""), "hire date")
    gone = column_of(table, LEFT_DATES, settings.get("left", ""), "leaving date")
    came, left = (
        parse_times(table.values(name), f"{table.name}, {name}") for name in (hired, gone)
    )
    known: dict[str, list[Move]] = {}
    for move in read_moves(moves, settings):
        known.setdefault(move.key, []).append(move)
    units = [unit_name(text) for _, text in table.values(by)]
    people = []
    for row, key, unit, start, end in zip(table.rows, keys, units, came, left, strict=True):
        where = f"{table.name}, row {row.number}"
        if start is None:
            raise ToolInputError(f"{where}: the hire date is missing.")
        if end is not None and end < start:
            raise ToolInputError(f"{where}: left on {end:%Y-%m-%d}, before the hire date.")
        people.append(
            Person(
                row=row.number,
                key=key,
                unit=unit,
                came=start.date(),
                left=end.date() if end else None,
                moves=tuple(known.pop(key, ())),
            )
        )
    name = moves.name if moves else ""
    for who, rest in known.items():
        raise ToolInputError(f"{name}, row {rest[0].row}: {who} is not in {table.name}.")
    for person in people:
        _check_moves(person, name)
    return people, by


def _check_moves(person: Person, name: str) -> None:
    following = [*(later.origin for later in person.moves[1:]), person.unit]
    for move, unit in zip(person.moves, following, strict=False):
        where = f"{name}, row {move.row}"
        if move.origin == move.to:
            raise ToolInputError(f"{where}: it goes from {move.origin} to the same unit.")
        if move.to != unit:
            raise ToolInputError(
                f"{where}: {person.key} goes to {move.to}, but what follows begins in {unit}."
            )
        if move.day <= person.came or (person.left is not None and move.day > person.left):
            raise ToolInputError(f"{where}: {person.key} is not employed on {move.day}.")
    for one, other in pairwise(person.moves):
        if one.day == other.day:
            raise ToolInputError(f"{name}, row {other.row}: {person.key} moves twice that day.")


def roll_of(people: Iterable[Person], by: str, start: date, end: date) -> Roll:
    """Return the roll of a register. Somebody is counted through the day of leaving."""
    opening, closing, steps = [], [], []
    for person in people:
        out = person.left or date.max
        if person.came < start <= out:
            first = next((move.origin for move in person.moves if move.day >= start), person.unit)
            opening.append(first)
        if start <= person.came <= end:
            steps.append(Step(kind="came", to=person.unit_on(person.came)))
        steps += [
            Step(kind="moved", origin=move.origin, to=move.to)
            for move in person.moves
            if start <= move.day <= end
        ]
        if start <= out <= end:
            steps.append(Step(kind="left", origin=person.unit_on(out)))
        elif person.came <= end < out:
            closing.append(person.unit_on(end))
    return Roll(
        opening=tuple(opening),
        closing=tuple(closing),
        steps=tuple(steps),
        by=by,
        period=f"{start} to {end}",
    )


def walk_of(roll: Roll, least: int) -> tuple[list[Line], tuple[str, ...]]:
    """Return the walk by unit, and the units that stand together as one because they are small.

    Raises:
        ToolInputError: there is nobody, there are too few people, or too many units.
    """
    lines = _lines(roll, {})
    if not lines:
        raise ToolInputError("Nobody is employed in the period.")
    ends = {line.unit: (line.opening, line.closing) for line in lines}
    merged = small_units(ends, least)
    if len(lines) - len(merged) > UNITS_LIMIT:
        raise ToolInputError(
            f"There are {len(lines)} units, more than {UNITS_LIMIT}; name a coarser column as `unit`."
        )
    return _lines(roll, dict.fromkeys(merged, OTHER)), merged


def small_units(ends: Mapping[str, tuple[int, int]], least: int) -> tuple[str, ...]:
    """Return the units that must be shown as one, so that no headcount from 1 to `least` - 1 is shown or follows.

    Args:
        ends: unit → opening and closing headcount.
        least: the smallest headcount that is shown.

    Raises:
        ToolInputError: all units together are still too few people.
    """

    def is_small(pair: Sequence[int]) -> bool:
        return any(0 < count < least for count in pair)

    merged = sorted(unit for unit, pair in ends.items() if is_small(pair))
    rest = sorted(set(ends) - set(merged), key=lambda unit: (sum(ends[unit]), unit))
    while merged and is_small([sum(ends[unit][end] for unit in merged) for end in (0, 1)]):
        if not rest:
            raise ToolInputError(
                f"All units together have fewer than {least} people at one end; such a walk would show single people."
            )
        merged.append(rest.pop(0))
    return tuple(sorted(merged))


def _lines(roll: Roll, names: Mapping[str, str]) -> list[Line]:
    def named(unit: str) -> str:
        return names.get(unit, unit)

    counts: dict[str, list[int]] = {}

    def add(unit: str, place: int) -> None:
        counts.setdefault(named(unit), [0] * 6)[place] += 1

    for unit in roll.opening:
        add(unit, 0)
    for unit in roll.closing:
        add(unit, 5)
    for step in roll.steps:
        if step.kind == "came":
            add(step.to, 1)
        elif step.kind == "left":
            add(step.origin, 3)
        elif named(step.origin) != named(step.to):
            add(step.to, 2)
            add(step.origin, 4)
    order = sorted(counts, key=lambda unit: (unit == OTHER, unit == NOT_STATED, unit.lower()))
    return [
        Line(
            unit=unit,
            opening=counts[unit][0],
            hires=counts[unit][1],
            moves_in=counts[unit][2],
            leavers=counts[unit][3],
            moves_out=counts[unit][4],
            closing=counts[unit][5],
        )
        for unit in order
    ]
