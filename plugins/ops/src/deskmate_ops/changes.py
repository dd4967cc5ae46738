"""Change requests: whether each is complete, how risky it is, whether its window is free, and whether it can be rolled back."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from itertools import combinations
from typing import Any

from deskmate.plugin import ToolInputError
from deskmate_documents.tables import Table, find_column, parse_times
from deskmate_ops.risks import NOBODY

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "id": ("change id", "id", "change", "number", "ref", "change no"),
    "title": ("title", "summary", "description", "what", "short description"),
    "requester": ("requester", "requested by", "raised by", "owner", "author"),
    "approvers": ("approvers", "approver", "approved by", "approval"),
    "systems": (
        "systems",
        "system",
        "services",
        "service",
        "configuration item",
        "ci",
        "affected system",
        "affected systems",
    ),
    "impact": ("impact", "business impact"),
    "likelihood": ("likelihood", "probability", "likelihood of failure", "complexity"),
    "class": ("risk class", "risk", "class", "risk level"),
    "start": ("start", "planned start", "window start", "from", "scheduled start"),
    "end": ("end", "planned end", "window end", "to", "scheduled end"),
    "plan": ("plan", "implementation plan", "steps", "implementation"),
    "rollback": (
        "rollback",
        "roll back",
        "rollback plan",
        "backout plan",
        "back out",
        "backout",
        "roll back plan",
    ),
    "tested": ("rollback tested", "roll back tested", "backout tested", "rollback tested on"),
    "evidence": ("test evidence", "test", "tests", "testing", "test result", "evidence"),
    "told": ("communication", "communication plan", "users informed", "informed", "notify"),
    "kind": ("type", "change type", "kind", "category"),
}
NEEDED = ("id", "title")
FREEZES: Mapping[str, tuple[str, ...]] = {
    "name": ("name", "freeze", "title", "reason", "event"),
    "start": ("start", "from", "begin"),
    "end": ("end", "to", "until"),
    "systems": ("systems", "system", "scope", "services", "service"),
}
FIELDS = {
    "requester": "who requests it", "approvers": "who approves it", "systems": "which systems it touches", "impact": "its impact",
    "likelihood": "its likelihood of failure", "start": "when it starts", "end": "when it ends", "plan": "how it is done",
    "rollback": "how it is rolled back", "tested": "whether the roll-back was tested", "evidence": "what tests prove it",
    "told": "who is told",
}  # fmt: skip
LEVELS = {
    "low": 1,
    "minor": 1,
    "1": 1,
    "medium": 2,
    "moderate": 2,
    "2": 2,
    "high": 3,
    "major": 3,
    "significant": 3,
    "3": 3,
}
CLASSES = ("low", "medium", "high")
MATRIX = ((0, 0, 1), (0, 1, 2), (1, 2, 2))
"""Class by impact (row) and likelihood (column), each low, medium, high."""
APPROVERS = {"low": 1, "medium": 1, "high": 2}
NOTHING = re.compile(
    r"\W*|n/?a|none|no|tb[acd]|not applicable|not needed|unknown|not yet|open|later", re.IGNORECASE
)
EVERYTHING = frozenset(("all", "*", "everything", "all systems", ""))
READY, NOT_READY = "ready", "not ready"
LIMIT = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One request. `texts`: what its cells say, by field; empty where they say nothing."""

    row: int
    id: str
    title: str
    texts: Mapping[str, str]
    start: datetime | None
    end: datetime | None

    @property
    def systems(self) -> tuple[str, ...]:
        """The systems that it touches, lower case."""
        return _parts(self.texts.get("systems", ""))

    @property
    def approvers(self) -> tuple[str, ...]:
        """Who approved it."""
        names = re.split(r"[;,\n/&]|\band\b", self.texts.get("approvers", ""))
        return tuple(
            dict.fromkeys(" ".join(n.split()) for n in names if not NOBODY.fullmatch(n.strip()))
        )

    @property
    def risk(self) -> str:
        """The class of its risk; empty where impact or likelihood is not one of low, medium and high."""
        levels = [LEVELS.get(self.texts.get(what, "").lower()) for what in ("impact", "likelihood")]
        return (
            ""
            if levels[0] is None or levels[1] is None
            else CLASSES[MATRIX[levels[0] - 1][levels[1] - 1]]
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Freeze:
    """A time in which systems are not changed; without systems: none of them."""

    row: int
    name: str
    start: datetime
    end: datetime
    systems: tuple[str, ...]

    def holds(self, systems: Sequence[str]) -> bool:
        """Say whether it is about one of these systems; a change that names none is held to touch all."""
        return not self.systems or not systems or bool(set(systems) & set(self.systems))


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """House rules. `needed`: fields that must be filled; `approvers`: class → how many; `hours`: longest window, 0: any."""

    needed: tuple[str, ...] = tuple(FIELDS)
    approvers: Mapping[str, int] = field(default_factory=lambda: dict(APPROVERS))
    hours: int = 0

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Rules:
        """Return the rules of the settings. Raises ToolInputError."""
        needed = config.get("change_fields") or list(FIELDS)
        counts = {**APPROVERS, **(config.get("change_approvers") or {})}
        hours = config.get("change_longest_hours", 0)
        if not isinstance(needed, list | tuple) or set(needed) - set(FIELDS):
            raise ToolInputError(f"The setting change_fields lists some of {', '.join(FIELDS)}.")
        if set(counts) != set(CLASSES) or not all(
            isinstance(n, int) and 0 <= n <= 9 for n in counts.values()
        ):
            raise ToolInputError(
                "The setting change_approvers is low, medium, high = a number from 0 to 9."
            )
        if not isinstance(hours, int) or not 0 <= hours <= 8760:
            raise ToolInputError("The setting change_longest_hours is 0 to 8760.")
        return cls(needed=tuple(f for f in FIELDS if f in needed), approvers=counts, hours=hours)


def _parts(text: str) -> tuple[str, ...]:
    names = (" ".join(part.lower().split()) for part in re.split(r"[;,\n]", text))
    return tuple(dict.fromkeys(name for name in names if name not in EVERYTHING))


def _columns(
    table: Table, known: Mapping[str, tuple[str, ...]], needed: Sequence[str]
) -> dict[str, str]:
    plain = {
        " ".join(re.findall(r"\w+", c.replace("_", " ").lower())): c
        for c in reversed(table.columns)
    }
    found: dict[str, str] = {}
    for what, names in known.items():
        column = next(
            (plain[n] for n in names if n in plain and plain[n] not in found.values()), None
        )
        if column is None and what in needed:
            column = find_column(table, names)
            if column is None or column in found.values():
                raise ToolInputError(
                    f"{table.name} has no column for {what}; it has {', '.join(table.columns)}."
                )
        if column is not None:
            found[what] = column
    return found


def read_changes(table: Table, order: str = "") -> list[Change]:
    """Return the requests of a table.

    Raises:
        ToolInputError: a column is missing, an id is empty or stands twice, a time is none.
    """
    columns = _columns(table, COLUMNS, NEEDED)
    cells = {
        what: [" ".join(text.split()) for _, text in table.values(column)]
        for what, column in columns.items()
    }
    times = {what: _times(table, columns.get(what, ""), order) for what in ("start", "end")}
    found: list[Change] = []
    seen: dict[str, int] = {}
    for place, row in enumerate(table.rows):
        own = {what: texts[place] for what, texts in cells.items()}
        if not own["id"] or not own["title"]:
            raise ToolInputError(f"{table.name}, row {row.number}: id and title are needed.")
        if own["id"].lower() in seen:
            raise ToolInputError(
                f"{table.name}, row {row.number}: the id {own['id']} stands in row {seen[own['id'].lower()]} too."
            )
        seen[own["id"].lower()] = row.number
        end = times["end"][place]
        if end is not None and (end.hour, end.minute) == (0, 0) and ":" not in own.get("end", ""):
            end += timedelta(days=1)
        found.append(
            Change(
                row=row.number,
                id=own["id"],
                title=own["title"],
                texts=own,
                start=times["start"][place],
                end=end,
            )
        )
    if not 1 <= len(found) <= LIMIT:
        raise ToolInputError(f"{table.name} has {len(found)} changes; give 1 to {LIMIT}.")
    return found


def _times(table: Table, column: str, order: str) -> list[datetime | None]:
    if not column:
        return [None] * len(table.rows)
    values = [(n, "" if NOTHING.fullmatch(text) else text) for n, text in table.values(column)]
    return parse_times(values, f"{table.name}, {column}", order)


def read_freezes(table: Table, order: str = "") -> list[Freeze]:
    """Return the calendar of freezes; an end without a time is the whole day.

    Raises:
        ToolInputError: a column or time is missing, or one ends before it begins.
    """
    columns = _columns(table, FREEZES, ("name", "start", "end"))
    starts, ends = (_times(table, columns[what], order) for what in ("start", "end"))
    found = []
    for place, row in enumerate(table.rows):
        start, end = starts[place], ends[place]
        where = f"{table.name}, row {row.number}"
        if start is None or end is None:
            raise ToolInputError(f"{where}: start and end of a freeze are needed.")
        if end.time() == time(0) and ":" not in row.cells[table.columns.index(columns["end"])]:
            end += timedelta(days=1)
        if end <= start:
            raise ToolInputError(f"{where}: the freeze ends before it begins.")
        systems = row.cells[table.columns.index(columns["systems"])] if "systems" in columns else ""
        name = row.cells[table.columns.index(columns["name"])]
        found.append(
            Freeze(row=row.number, name=name, start=start, end=end, systems=_parts(systems))
        )
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """Something open. `check`: which check found it."""

    check: str
    id: str
    text: str


def points_of(
    changes: Sequence[Change], freezes: Sequence[Freeze], rules: Rules, today: datetime
) -> list[Point]:
    """Return what is open, change by change in the order of the table."""
    found: dict[str, list[Point]] = {change.id: [] for change in changes}
    for change in changes:
        own = found[change.id]
        own += [
            Point(check="complete", id=change.id, text=text) for text in missing_of(change, rules)
        ]
        own += [Point(check="risk", id=change.id, text=text) for text in risk_gaps(change)]
        own += [
            Point(check="approval", id=change.id, text=text) for text in _approval(change, rules)
        ]
        own += [Point(check="roll-back", id=change.id, text=text) for text in _rollback(change)]
        own += [
            Point(check="window", id=change.id, text=text)
            for text in _window(change, freezes, rules, today)
        ]
    for one, other in combinations(changes, 2):
        if clash(one, other):
            shared = ", ".join(sorted(set(one.systems) & set(other.systems)))
            for a, b in ((one, other), (other, one)):
                found[a.id].append(
                    Point(check="window", id=a.id, text=f"it overlaps {b.id} on {shared}")
                )
    return [point for own in found.values() for point in own]


def clash(one: Change, other: Change) -> bool:
    """Say whether two changes touch the same system at the same time."""
    if None in (one.start, one.end, other.start, other.end):
        return False
    if one.end <= one.start or other.end <= other.start:  # type: ignore[operator]
        return False
    overlaps = one.start < other.end and other.start < one.end  # type: ignore[operator]
    return overlaps and bool(set(one.systems) & set(other.systems))


def missing_of(change: Change, rules: Rules) -> list[str]:
    """Return which needed fields are empty, but for those with checks of their own."""
    held = ("rollback", "tested", "approvers")
    empty = [
        f for f in rules.needed if f not in held and NOTHING.fullmatch(change.texts.get(f, ""))
    ]
    return [f"it does not say {FIELDS[name]}" for name in empty]


def risk_gaps(change: Change) -> list[str]:
    """Return what is wrong with how its risk is rated."""
    found = []
    for what in ("impact", "likelihood"):
        text = change.texts.get(what, "")
        if text and not NOTHING.fullmatch(text) and text.lower() not in LEVELS:
            found.append(f"its {what} {text!r} is not low, medium or high")
    said = change.texts.get("class", "").lower()
    if said and change.risk and said != change.risk:
        found.append(f"it says that its risk is {said}; impact and likelihood give {change.risk}")
    return found


def _approval(change: Change, rules: Rules) -> list[str]:
    if "approvers" not in rules.needed:
        return []
    requester = change.texts.get("requester", "").lower()
    others = [name for name in change.approvers if name.lower() != requester]
    wanted = rules.approvers[change.risk or CLASSES[-1]]
    found = []
    if len(others) < len(change.approvers):
        found.append("its requester is among its approvers")
    if len(others) < wanted:
        level = f"a {change.risk} risk" if change.risk else "a risk that is not rated"
        found.append(f"{len(others)} of {wanted} approvers besides the requester, as {level} needs")
    return found


def _rollback(change: Change) -> list[str]:
    plan, tested = change.texts.get("rollback", ""), change.texts.get("tested", "")
    if NOTHING.fullmatch(plan):
        return [f"it cannot be rolled back: {plan or 'nothing is said'}"]
    if NOTHING.fullmatch(tested):
        return [f"its roll-back is not tested: {tested or 'nothing is said'}"]
    return []


def _window(change: Change, freezes: Sequence[Freeze], rules: Rules, today: datetime) -> list[str]:
    if change.start is None or change.end is None:
        return []
    if change.end <= change.start:
        return ["its window ends before it begins"]
    found = []
    if change.start < today:
        found.append(f"its window began on {change.start:%Y-%m-%d %H:%M}, which is past")
    hours = (change.end - change.start).total_seconds() / 3600
    if rules.hours and hours > rules.hours:
        found.append(f"its window is {hours:g} hours long, more than {rules.hours}")
    for freeze in freezes:
        if change.start < freeze.end and freeze.start < change.end and freeze.holds(change.systems):
            found.append(
                f"it lies in the freeze {freeze.name}, {freeze.start:%Y-%m-%d %H:%M} to {freeze.end:%Y-%m-%d %H:%M}"
            )
    return found


def day_start(day: Any) -> datetime:
    """Return the first moment of a day."""
    return datetime.combine(day, time(0), tzinfo=UTC)
