"""Two years of schedules in three time zones under a simulated clock: asleep, killed, refused, asked and failed.

What was due is computed here by itself, minute by minute on the wall clock; each such time must be run once or
be skipped with its reason.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import anyio
import pytest
from tests.unit.host.scheduling.desk import DONE, Hand, Script, cron

from deskmate.errors import DeskmateError
from deskmate.host.scheduling.outcome import Verdict
from deskmate.host.scheduling.runner import Runner
from deskmate.host.scheduling.times import next_dues, to_moment
from deskmate.store.schedules import Schedules
from deskmate.types.schedules import OPEN, Due, Schedule

pytestmark = pytest.mark.anyio
BEGIN, END = datetime(2026, 1, 1, tzinfo=UTC), datetime(2028, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A schedule, and what it means on the wall: minutes of the day and which days."""

    schedule: Schedule
    minutes: tuple[int, ...]
    weekdays: tuple[int, ...] = tuple(range(7))
    days: tuple[int, ...] = tuple(range(1, 32))

    def expected(self) -> list[datetime]:
        """Return when it is due, by the clock on the wall: a skipped time right after the skip, a doubled one once."""
        zone = ZoneInfo(self.schedule.when.zone)
        found: set[datetime] = set()
        day = date(2025, 12, 30)
        while day < date(2028, 1, 20):
            if day.weekday() in self.weekdays and day.day in self.days:
                found |= {_on_the_wall(day, minute, zone) for minute in self.minutes}
            day += timedelta(days=1)
        return sorted(moment for moment in found if moment > BEGIN)


def _on_the_wall(day: date, minute: int, zone: ZoneInfo) -> datetime:
    wall = datetime.combine(day, time(minute // 60, minute % 60))
    while True:
        moment = wall.replace(tzinfo=zone).astimezone(UTC)
        if moment.astimezone(zone).replace(tzinfo=None) == wall:
            return moment
        wall += timedelta(minutes=1)


def _plan(name: str, text: str, zone: str, minutes: Sequence[int], **days: tuple[int, ...]) -> Plan:
    made = replace(cron(text, zone, name=name), id=name)
    return Plan(schedule=made, minutes=tuple(minutes), **days)


FEW = (
    _plan("berlin", "30 2 * * *", "Europe/Berlin", [150]),
    _plan("york", "0 7 * * mon", "America/New_York", [420], weekdays=(0,)),
    _plan("howe", "45 1 1,15 * *", "Australia/Lord_Howe", [105], days=(1, 15)),
)
MANY = (
    *FEW,
    _plan("often", "10,40 2,3,14 * * *", "Europe/Berlin", [130, 160, 190, 220, 850, 880]),
    _plan("york-night", "30 1 * * *", "America/New_York", [90]),
    _plan("howe-night", "15 2 * * *", "Australia/Lord_Howe", [135]),
)


class Killed(BaseException):
    """The process is gone."""


@dataclass
class Ledger:
    """What really happened outside: which runs did their work, and how each ended."""

    worked: Counter[str] = field(default_factory=Counter)
    ends: dict[str, Verdict] = field(default_factory=dict)


class World(Script):
    """Work that fails, asks, and is killed by chance. What a run has done, it has done: it is resumed, not repeated."""

    def __init__(self, ledger: Ledger, chance: random.Random, clock: Hand) -> None:
        super().__init__()
        self.ledger, self.chance, self.clock = ledger, chance, clock

    async def carry_out(self, schedule: Schedule, due: Due, *, closing: bool) -> None:
        """Do the work of a thread once, and end it in one of the ways there are."""
        self.clock.moment += timedelta(seconds=self.chance.uniform(1, 900))
        if self.chance.random() < 0.05:
            raise Killed
        known = self.ledger.ends.get(due.thread)
        if known is None or (closing and known.state == "waiting"):
            self.ledger.worked[due.thread] += known is None
            end = self._end(closing)
            self.ledger.ends[due.thread] = end
        if self.chance.random() < 0.05:
            raise Killed
        if self.chance.random() < 0.03:
            raise DeskmateError("The disk is full.")

    def _end(self, closing: bool) -> Verdict:
        roll = self.chance.random()
        if closing:
            return DONE if roll < 0.5 else Verdict(state="waiting", why="a question in words")
        if roll < 0.1:
            return Verdict(state="failed", why="it ended without its deliverable *.md")
        if roll < 0.2:
            return Verdict(state="waiting", why="mail__send waits")
        return DONE

    async def verdict(self, schedule: Schedule, due: Due) -> Verdict:
        """Return how the thread ended; sometimes the user answered meanwhile."""
        end = self.ledger.ends[due.thread]
        if end.state == "waiting" and due.state == "waiting" and self.chance.random() < 0.3:
            end = self.ledger.ends[due.thread] = DONE
        return end


async def _life(store: Schedules, world: World, clock: Hand, chance: random.Random) -> None:
    """Let one process live until it is killed, the machine goes to sleep, or the time is over."""
    try:
        async with anyio.create_task_group() as tasks:
            runner = Runner(store, world, clock, tasks)
            while True:
                await runner.tick()
                await runner.idle()
                if clock.moment >= END or chance.random() < 0.02:
                    break
                _to_next(store, clock)
    except BaseExceptionGroup as group:
        if group.subgroup(lambda error: not isinstance(error, Killed | BaseExceptionGroup)):
            raise


def _to_next(store: Schedules, clock: Hand) -> None:
    """Move to the next moment at which something may be to do."""
    moments = [m for one in store.all() for m in next_dues(one.schedule.when, clock.moment, 1)]
    moments += [to_moment(due.deadline) for due in store.open_dues() if due.deadline]
    ahead = [moment for moment in moments if moment > clock.moment]
    clock.moment = min([*ahead, clock.moment + timedelta(days=2)])


async def _simulate(plans: Sequence[Plan], folder: Path, seed: int) -> tuple[Schedules, Ledger]:
    chance, clock, ledger = random.Random(seed), Hand(BEGIN), Ledger()
    store = Schedules(folder)
    for plan in plans:
        store.add(plan.schedule)
        store.agree(plan.schedule.id, "d" * 64, clock.now())
    while clock.moment < END:
        await _life(store, World(ledger, chance, clock), clock, chance)
        asleep = chance.choice([0, 0, 1, 3, 20, 200]) * chance.uniform(0, 3600)
        if chance.random() < 0.02:
            asleep += chance.uniform(1, 12) * 86_400
        clock.moment = min(clock.moment + timedelta(seconds=asleep), max(END, clock.moment))
    clock.moment = max(END, clock.moment)
    for _ in range(20):  # whoever is killed at the very end has a successor
        await _life(store, World(ledger, chance, clock), clock, chance)
    for plan in plans:  # what was due by the end is settled; nothing new comes
        store.set_state(plan.schedule.id, "over")
    for _ in range(100):
        if all(due.state == "waiting" for due in store.open_dues()):
            break
        with suppress(BaseExceptionGroup):
            async with anyio.create_task_group() as tasks:
                runner = Runner(store, World(ledger, chance, clock), clock, tasks)
                await runner.tick()
                await runner.idle()
    return store, ledger


def _problems(plans: Sequence[Plan], store: Schedules, ledger: Ledger) -> list[str]:
    found: list[str] = []
    for plan in plans:
        rows = store.history(plan.schedule.id, 100_000)
        accounted: Counter[datetime] = Counter()
        last = max(END, to_moment(store.get(plan.schedule.id).looked))
        expected = [moment for moment in plan.expected() if moment <= last]
        for row in rows:
            first, last = to_moment(row.due), to_moment(row.until)
            inside = [moment for moment in expected if first <= moment <= last]
            accounted.update(inside)
            if len(inside) != row.count:
                found.append(f"{row.due}: stands for {row.count}, there were {len(inside)}")
            found += _row_problems(row, ledger)
        found += [
            f"{plan.schedule.id} {moment}: {accounted[moment]} times"
            for moment in expected
            if accounted[moment] != 1
        ]
    found += [f"{thread} did its work {n} times" for thread, n in ledger.worked.items() if n != 1]
    return found


def _row_problems(row: Due, ledger: Ledger) -> list[str]:
    end = ledger.ends.get(row.thread)
    if row.state == "succeeded" and (end is None or end.state != "succeeded"):
        return [f"{row.due}: said to have succeeded, and ended as {end}"]
    if row.state in ("failed", "skipped") and not row.why:
        return [f"{row.due}: {row.state} without a reason"]
    if row.state in OPEN and row.state != "waiting":
        return [f"{row.due}: still {row.state} in the end"]
    return []


async def test_every_due_time_of_two_years_is_run_once_or_skipped_with_its_reason(
    tmp_path: Path,
) -> None:
    store, ledger = await _simulate(FEW, tmp_path, 7)
    assert _problems(FEW, store, ledger) == []
    states = Counter(row.state for plan in FEW for row in store.history(plan.schedule.id, 9999))
    assert states["succeeded"] > 300
    assert states["failed"] > 20
    assert states["skipped"] > 5


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
async def test_many_schedules_for_two_years(tmp_path: Path, seed: int) -> None:
    store, ledger = await _simulate(MANY, tmp_path, seed)
    assert _problems(MANY, store, ledger) == []
