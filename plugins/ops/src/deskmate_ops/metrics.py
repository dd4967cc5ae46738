"""Measures a process: cases, variants, durations, waiting, rework and throughput of an event log.

All spans are whole microseconds until they are shown, so that sums tie. What stands in a workbook is in `metrics_book`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from itertools import pairwise

from deskmate.plugin import ToolInputError
from deskmate_ops.clock import Clock
from deskmate_ops.events import Event, Log

HOUR_US = 3_600_000_000
PLACES = Decimal("0.000001")
TWO = Decimal("0.01")
YEARS_LIMIT = timedelta(days=36_525)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One case. `span`: from its first start or completion to its last completion. `lead`: until its first completion."""

    name: str
    path: tuple[str, ...]
    begin: datetime
    end: datetime
    span: int
    lead: int
    repeats: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """Cases that went the same way."""

    path: tuple[str, ...]
    spans: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """An activity. `works`: how long each event took, of those whose start is known."""

    name: str
    events: int
    cases: int
    first: int
    last: int
    works: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Handover:
    """One activity after another. `spans`: from completion to completion. `waits`: to the start of the next, if known."""

    source: str
    target: str
    spans: tuple[int, ...]
    waits: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Week:
    """One week, from a Monday. `open`: cases begun and not ended when it is over."""

    monday: date
    begun: int
    ended: int
    open: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """All that is measured; each list in the order in which it is shown."""

    events: int
    open_events: int
    first: datetime
    last: datetime
    cases: tuple[Case, ...]
    variants: tuple[Variant, ...]
    activities: tuple[Activity, ...]
    handovers: tuple[Handover, ...]
    weeks: tuple[Week, ...]


def measure(log: Log, clock: Clock) -> Metrics:
    """Measure a log by a clock."""
    traces: dict[str, list[Event]] = {}
    for event in log.events:
        traces.setdefault(event.case, []).append(event)
    cases = tuple(_case(trace, clock) for trace in traces.values())
    variants: dict[tuple[str, ...], list[int]] = {}
    for case in cases:
        variants.setdefault(case.path, []).append(case.span)
    ranked = sorted(variants.items(), key=lambda item: (-len(item[1]), item[0]))
    return Metrics(
        events=len(log.events),
        open_events=sum(event.open for event in log.events),
        first=min(case.begin for case in cases),
        last=max(case.end for case in cases),
        cases=tuple(sorted(cases, key=lambda case: (-case.span, case.name))),
        variants=tuple(Variant(path=path, spans=tuple(spans)) for path, spans in ranked),
        activities=_activities(traces.values(), clock),
        handovers=_handovers(traces.values(), clock),
        weeks=_weeks(cases),
    )


def _case(trace: Sequence[Event], clock: Clock) -> Case:
    begin = min(event.start or event.at for event in trace)
    path = tuple(event.activity for event in trace)
    return Case(
        name=trace[0].case,
        path=path,
        begin=begin,
        end=trace[-1].at,
        span=clock.span(begin, trace[-1].at),
        lead=clock.span(begin, trace[0].at),
        repeats=len(path) - len(set(path)),
    )


def _activities(traces: Iterable[Sequence[Event]], clock: Clock) -> tuple[Activity, ...]:
    count: Counter[str] = Counter()
    within: Counter[str] = Counter()
    first: Counter[str] = Counter()
    last: Counter[str] = Counter()
    works: dict[str, list[int]] = {}
    for trace in traces:
        count.update(event.activity for event in trace)
        within.update({event.activity for event in trace})
        first[trace[0].activity] += 1
        last[trace[-1].activity] += 1
        for event in trace:
            if event.start is not None:
                works.setdefault(event.activity, []).append(clock.span(event.start, event.at))
    return tuple(
        Activity(
            name=name,
            events=number,
            cases=within[name],
            first=first[name],
            last=last[name],
            works=tuple(works.get(name, ())),
        )
        for name, number in sorted(count.items(), key=lambda item: (-item[1], item[0]))
    )


def _handovers(traces: Iterable[Sequence[Event]], clock: Clock) -> tuple[Handover, ...]:
    spans: dict[tuple[str, str], list[int]] = {}
    waits: dict[tuple[str, str], list[int]] = {}
    for trace in traces:
        for one, other in pairwise(trace):
            key = (one.activity, other.activity)
            spans.setdefault(key, []).append(clock.span(one.at, other.at))
            if other.start is not None:
                waits.setdefault(key, []).append(max(0, clock.span(one.at, other.start)))
    ranked = sorted(spans.items(), key=lambda item: (-sum(item[1]), item[0]))
    return tuple(
        Handover(source=a, target=b, spans=tuple(found), waits=tuple(waits.get((a, b), ())))
        for (a, b), found in ranked
    )


def _weeks(cases: Sequence[Case]) -> tuple[Week, ...]:
    begun = Counter(_monday(case.begin) for case in cases)
    ended = Counter(_monday(case.end) for case in cases)
    weeks, at, running = [], min(begun), 0
    if max(ended) - at > YEARS_LIMIT:
        raise ToolInputError("The log's times span more than a hundred years; correct them.")
    while at <= max(ended):
        running += begun[at] - ended[at]
        weeks.append(Week(monday=at, begun=begun[at], ended=ended[at], open=running))
        at += timedelta(days=7)
    return tuple(weeks)


def _monday(moment: datetime) -> date:
    return moment.date() - timedelta(days=moment.weekday())


def median(spans: Iterable[int]) -> Decimal:
    """Return the middle span, or the mean of the two in the middle; microseconds."""
    ordered = sorted(spans)
    middle = len(ordered) // 2
    if len(ordered) % 2:
        return Decimal(ordered[middle])
    return Decimal(ordered[middle - 1] + ordered[middle]) / 2


def mean(spans: Sequence[int]) -> Decimal:
    """Return the mean span; microseconds."""
    return Decimal(sum(spans)) / len(spans)


def ninetieth(spans: Iterable[int]) -> Decimal:
    """Return the smallest span that nine of ten do not exceed (nearest rank); microseconds."""
    ordered = sorted(spans)
    return Decimal(ordered[-(-9 * len(ordered) // 10) - 1])


def hours(microseconds: Decimal | int) -> Decimal:
    """Return a span in hours, six decimals, half to even: rounding is left to how a cell is shown."""
    return (Decimal(microseconds) / HOUR_US).quantize(PLACES, ROUND_HALF_EVEN)


def shown(figure: Decimal) -> str:
    """Return hours as text, two decimals."""
    return f"{figure.quantize(TWO, ROUND_HALF_EVEN):f}"


def percent(part: int, whole: int) -> Decimal:
    """Return a share in percent, two decimals."""
    if whole == 0:
        return Decimal("0.00")
    return (Decimal(100 * part) / whole).quantize(TWO, ROUND_HALF_EVEN)


def stamp(moment: datetime) -> str:
    """Return a time as people read it, with its zone only where that is not UTC."""
    plain = moment if moment.utcoffset() else moment.replace(tzinfo=None)
    return plain.isoformat(sep=" ")
