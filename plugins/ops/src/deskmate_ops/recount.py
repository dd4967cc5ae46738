"""Counts a log a second time, in another way than `metrics` does: event by event in the order of time, day by day.

Gates compare with this. It shares with the first computation only how a file is read into events.
"""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from deskmate_ops.clock import Clock
from deskmate_ops.events import Log


@dataclass(slots=True)
class Passage:
    """What is known of one case so far. `hours`: from its beginning to its latest completion."""

    begin: datetime
    first: datetime
    at: datetime
    path: list[str]
    repeats: int = 0


@dataclass(slots=True)
class Recount:
    """The second computation. All durations are hours, as floats."""

    events: int = 0
    cases: dict[str, Passage] = field(default_factory=dict)
    activities: dict[str, list[int]] = field(
        default_factory=lambda: defaultdict(lambda: [0, 0, 0, 0])
    )
    works: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    moves: dict[tuple[str, str], list[float]] = field(default_factory=lambda: defaultdict(list))
    waits: dict[tuple[str, str], list[float]] = field(default_factory=lambda: defaultdict(list))
    spans: dict[str, float] = field(default_factory=dict)

    @property
    def variants(self) -> dict[tuple[str, ...], list[float]]:
        """Variant → hours of its cases."""
        found: dict[tuple[str, ...], list[float]] = defaultdict(list)
        for name, case in self.cases.items():
            found[tuple(case.path)].append(self.spans[name])
        return dict(found)


class _Days:
    """Working hours from the first day of a log to any of its moments, day by day."""

    def __init__(self, clock: Clock, first: datetime, last: datetime) -> None:
        self._clock = clock
        self._first = first.date() - timedelta(days=1)
        self._before = [0.0]
        day = self._first
        worked = (clock.closes - clock.opens) / 3.6e9
        while clock.days and day <= last.date() + timedelta(days=1):
            counts = day.weekday() in clock.days and day not in set(clock.holidays)
            self._before.append(self._before[-1] + (worked if counts else 0.0))
            day += timedelta(days=1)

    def between(self, start: datetime, end: datetime) -> float:
        """Return the hours that count between two moments."""
        if not self._clock.days:
            return (end - start).total_seconds() / 3600
        return self._at(end) - self._at(start)

    def _at(self, moment: datetime) -> float:
        place = (moment.date() - self._first).days
        full = self._before[place + 1] - self._before[place]
        now = (
            moment.hour * 3600 + moment.minute * 60 + moment.second + moment.microsecond / 1e6
        ) / 3600
        opened = now - self._clock.opens / 3.6e9
        return self._before[place] + min(max(opened, 0.0), full)


def recount(log: Log, clock: Clock) -> Recount:
    """Count a log again."""
    moments = [moment for e in log.events for moment in (e.start or e.at, e.at)]
    days = _Days(clock, min(moments), max(moments))
    found = Recount()
    seen: set[tuple[str, str]] = set()
    for event in sorted(log.events, key=lambda e: (e.at, e.row)):
        found.events += 1
        counts = found.activities[event.activity]
        counts[0] += 1
        began = event.start or event.at
        if event.start is not None:
            found.works[event.activity].append(days.between(event.start, event.at))
        case = found.cases.get(event.case)
        if case is None:
            found.cases[event.case] = Passage(began, event.at, event.at, [event.activity])
            counts[2] += 1
        else:
            key = (case.path[-1], event.activity)
            found.moves[key].append(days.between(case.at, event.at))
            if event.start is not None:
                found.waits[key].append(max(0.0, days.between(case.at, event.start)))
            case.begin, case.at = min(case.begin, began), event.at
            case.path.append(event.activity)
            case.repeats += (event.case, event.activity) in seen
        counts[1] += (event.case, event.activity) not in seen
        seen.add((event.case, event.activity))
    for name, case in found.cases.items():
        found.activities[case.path[-1]][3] += 1
        found.spans[name] = days.between(case.begin, case.at)
    return found


def middle(hours: Iterable[float]) -> float:
    """Return the median."""
    return statistics.median(hours)


def nine_of_ten(hours: Iterable[float]) -> float:
    """Return the smallest of the values that at least nine of ten do not exceed."""
    values = sorted(hours)
    return next(v for n, v in enumerate(values, start=1) if 10 * n >= 9 * len(values))
