"""Hiring funnels: how far candidates came and how long each stage took, by group; small groups stay secret."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from itertools import pairwise

from deskmate.plugin import ToolInputError
from deskmate_documents.tables import Table, find_column, parse_times
from deskmate_hr.grouping import Grouping, groupings
from deskmate_hr.linked import protect
from deskmate_hr.people import figures_of

CANDIDATES = (
    "application id",
    "candidate id",
    "applicant id",
    "candidate",
    "applicant",
    "application",
    "id",
)
STAGES = ("stage", "status", "step", "event")
DAYS = ("date", "entered on", "entered", "stage date", "changed on", "timestamp", "time")
USUAL = (
    "applied", "screen", "screening", "phone screen", "assessment", "interview", "first interview", "onsite", "final interview",
    "reference check", "offer", "offer accepted", "hired",
)  # fmt: skip
ENDINGS = frozenset(
    ("rejected", "withdrawn", "withdrew", "declined", "closed", "disqualified", "on hold")
)
SETTINGS = ("candidate", "stage", "date", "stages", "from", "to", "order", "sheet")
ALL = "All candidates"
STAGES_LIMIT = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One candidate. `days`: stage (from 0) → the first day there. `row`: of the candidate's first line."""

    row: int
    days: Mapping[int, date]

    @property
    def furthest(self) -> int:
        """The last stage that was reached."""
        return max(self.days)

    @property
    def began(self) -> date:
        """The first day of all."""
        return min(self.days.values())

    def spent(self, stage: int) -> int | None:
        """Return the days from entering a stage to entering the next one; None where that is not known."""
        later = [day for place, day in self.days.items() if place > stage]
        return (min(later) - self.days[stage]).days if stage in self.days and later else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cohort:
    """Who is counted. `rows`: index of each candidate's row in the table, for groups. `period`: in words."""

    stages: tuple[str, ...]
    candidates: tuple[Candidate, ...]
    sorted_by: tuple[Grouping, ...]
    period: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """One stage of one group as published; None is hidden or not known."""

    stage: str
    reached: int | None
    stopped: int | None
    median: Decimal | None
    most: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Funnel:
    """A grouping's funnels. `groups`: name → its rungs."""

    by: str
    groups: Mapping[str, tuple[Rung, ...]]


def read_cohort(table: Table, group_by: Sequence[str], settings: Mapping[str, str]) -> Cohort:
    """Return the candidates of a table: a row a candidate with a column a stage, or a row a candidate and stage.

    Raises:
        ToolInputError: no stages or candidates, a stage that is not known, days that go backwards, an empty cohort.
    """
    unknown = set(settings) - set(SETTINGS)
    if unknown:
        raise ToolInputError(f"Setting {min(unknown)!r} is unknown; use {', '.join(SETTINGS)}.")
    key = find_column(table, CANDIDATES, settings.get("candidate", ""))
    if key is None:
        raise ToolInputError(
            f"{table.name} has no column for candidates; it has {', '.join(table.columns)}."
        )
    stage = find_column(table, STAGES, settings.get("stage", ""))
    day = find_column(table, DAYS, settings.get("date", ""))
    is_long = (
        stage is not None
        and day is not None
        and len(set(table.values(key))) > 0
        and _repeats(table, key)
    )
    if is_long and stage and day:
        stages, candidates, first_rows = _long(table, (key, stage, day), settings)
    else:
        stages, candidates, first_rows = _wide(table, key, settings)
    for one in candidates:
        _check(table, one, stages)
    return _chosen(table, (stages, candidates, first_rows), group_by, settings)


def _repeats(table: Table, key: str) -> bool:
    texts = [text for _, text in table.values(key)]
    return len(set(texts)) < len(texts)


def asked_stages(settings: Mapping[str, str]) -> list[str]:
    """Return the stages that the settings name, in their order."""
    return [
        " ".join(part.split()) for part in settings.get("stages", "").split(",") if part.strip()
    ]


Read = tuple[list[str], list[Candidate], list[int]]


def _wide(table: Table, key: str, settings: Mapping[str, str]) -> Read:
    named = asked_stages(settings)
    columns = [find_column(table, (), name) or name for name in named] or [
        column for column in table.columns if column != key and _is_stage(table, column)
    ]
    if not 2 <= len(columns) <= STAGES_LIMIT:
        raise ToolInputError(
            f"{table.name} has {len(columns)} columns of stages with days; a funnel has 2 to {STAGES_LIMIT}. Name them as `stages`."
        )
    texts = [text for _, text in table.values(key)]
    twice = (
        next((text for text in texts if texts.count(text) > 1), None)
        if _repeats(table, key)
        else None
    )
    if twice is not None:
        raise ToolInputError(f"{table.name}: the candidate {twice} stands in several rows.")
    days = [_days(table, column, settings) for column in columns]
    candidates, rows = [], []
    for place, row in enumerate(table.rows):
        own = {n: each[place] for n, each in enumerate(days)}
        known = {n: day.date() for n, day in own.items() if day is not None}
        if known:
            candidates.append(Candidate(row=row.number, days=known))
            rows.append(place)
    return (
        [re.sub(r"\s+(?:date|on|day)$", "", column, flags=re.IGNORECASE) for column in columns],
        candidates,
        rows,
    )


def _is_stage(table: Table, column: str) -> bool:
    plain = re.sub(r"\s+(?:date|on|day)$", "", " ".join(column.lower().replace("_", " ").split()))
    values = [text for _, text in table.values(column) if text]
    if not values and plain in USUAL:
        return True
    if plain in ENDINGS or not values or re.search(r"birth|graduat", plain):
        return False
    try:
        return all(re.search(r"\d", text) for text in values) and any(
            parse_times([(1, values[0])], column, "dmy")
        )
    except ToolInputError:
        return False


def _days(table: Table, column: str, settings: Mapping[str, str]) -> list[datetime | None]:
    return parse_times(table.values(column), f"{table.name}, {column}", settings.get("order", ""))


def _long(table: Table, columns: tuple[str, str, str], settings: Mapping[str, str]) -> Read:
    key, stage, day = columns
    moments = _days(table, day, settings)
    named = asked_stages(settings)
    there = list(dict.fromkeys(" ".join(text.lower().split()) for _, text in table.values(stage)))
    usual = [name for name in USUAL if name in there]
    order = [name.lower() for name in named] or usual
    strange = [name for name in there if name not in order and name not in ENDINGS]
    if strange or not 2 <= len(order) <= STAGES_LIMIT:
        raise ToolInputError(
            f"{table.name}: the order of the stages is not known ({', '.join(strange[:6]) or 'too few'}); give them as `stages`, first to last."
        )
    days: dict[str, dict[int, date]] = {}
    firsts: dict[str, int] = {}
    for place, ((number, who), (_, text), moment) in enumerate(
        zip(table.values(key), table.values(stage), moments, strict=True)
    ):
        name = " ".join(text.lower().split())
        if not who or not name or moment is None:
            raise ToolInputError(
                f"{table.name}, row {number}: candidate, stage and day are all needed."
            )
        if name in ENDINGS:
            continue
        own = days.setdefault(who, {})
        firsts.setdefault(who, place)
        at = order.index(name)
        own[at] = min(own.get(at, date.max), moment.date())
    candidates = [
        Candidate(row=table.rows[firsts[who]].number, days=own) for who, own in days.items()
    ]
    titles = {name: name.capitalize() for name in order} | {name.lower(): name for name in named}
    return [titles[name] for name in order], candidates, [firsts[who] for who in days]


def _check(table: Table, one: Candidate, stages: Sequence[str]) -> None:
    known = sorted(one.days)
    for before, after in pairwise(known):
        if one.days[after] < one.days[before]:
            raise ToolInputError(
                f"{table.name}, row {one.row}: {stages[after]} on {one.days[after]} is before {stages[before]} on "
                f"{one.days[before]}; correct the source, or name the stages in their order as `stages`."
            )


def _chosen(
    table: Table, read: Read, group_by: Sequence[str], settings: Mapping[str, str]
) -> Cohort:
    stages, candidates, rows = read
    first, last = settings.get("from", ""), settings.get("to", "")
    try:
        start = date.fromisoformat(first) if first else date.min
        end = date.fromisoformat(last) if last else date.max
    except ValueError as problem:
        raise ToolInputError("`from` and `to` are dates such as 2026-01-01.") from problem
    kept = [
        (one, place)
        for one, place in zip(candidates, rows, strict=True)
        if start <= one.began <= end
    ]
    if not kept:
        raise ToolInputError(
            f"{table.name}: nobody began from {first or 'the start'} to {last or 'the end'}."
        )
    everybody = Grouping(by=ALL, labels=(ALL,) * len(kept), order=(ALL,))
    found = [everybody]
    for grouping in groupings(table, group_by, "") if group_by else ():
        labels = tuple(grouping.labels[place] for _, place in kept)
        order = tuple(label for label in grouping.order if label in set(labels))
        found.append(Grouping(by=grouping.by, labels=labels, order=order))
    began = [one.began for one, _ in kept]
    latest = max(day for one, _ in kept for day in one.days.values())
    return Cohort(
        stages=tuple(stages),
        candidates=tuple(one for one, _ in kept),
        sorted_by=tuple(found),
        period=f"first seen {first or min(began)} to {last or max(began)}, followed up to {latest}",
    )


def kind_of(one: Candidate, stages: int) -> tuple[int, ...]:
    """Return what a candidate counts in: each stage reached, then each stage stopped at."""
    reached = [int(one.furthest >= place) for place in range(stages)]
    return (*reached, *(int(one.furthest == place) for place in range(stages)))


def funnels_of(cohort: Cohort, least: int) -> list[Funnel]:
    """Return the funnels as they may be published.

    Raises:
        ToolInputError: small groups cannot be protected.
    """
    count = len(cohort.stages)
    kinds = [kind_of(one, count) for one in cohort.candidates]
    figures, masks = figures_of(cohort.sorted_by, kinds, least)
    secret = protect(figures)
    found = []
    for grouping, own in zip(cohort.sorted_by, masks, strict=True):
        groups = {}
        for label in grouping.order:
            members = [
                one
                for one, name in zip(cohort.candidates, grouping.labels, strict=True)
                if name == label
            ]
            hidden = [mask in secret for mask in own[label]]
            groups[label] = tuple(
                _rung(cohort, members, place, hidden, least) for place in range(count)
            )
        found.append(Funnel(by=grouping.by, groups=groups))
    return found


def _rung(
    cohort: Cohort, members: Sequence[Candidate], place: int, hidden: Sequence[bool], least: int
) -> Rung:
    count = len(cohort.stages)
    reached = sum(one.furthest >= place for one in members)
    stopped = sum(one.furthest == place for one in members)
    is_last = place == count - 1
    spans = sorted(days for one in members if (days := one.spent(place)) is not None)
    open_ = not hidden[place] and not is_last and not hidden[place + 1] and len(spans) >= least
    return Rung(
        stage=cohort.stages[place],
        reached=None if hidden[place] else reached,
        stopped=None if hidden[count + place] or hidden[place] or is_last else stopped,
        median=middle(spans) if open_ else None,
        most=spans[-(-9 * len(spans) // 10) - 1] if open_ else None,
    )


def middle(spans: Sequence[int]) -> Decimal:
    """Return the median of sorted figures."""
    half = len(spans) // 2
    return Decimal(spans[half]) if len(spans) % 2 else Decimal(spans[half - 1] + spans[half]) / 2
