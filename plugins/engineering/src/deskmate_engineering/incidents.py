"""An incident: its events in order, where records are missing, its marks, figures and severity."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from itertools import pairwise
from typing import Any

from deskmate.plugin import ToolInputError
from deskmate_engineering.records import Record, Source

EVENTS_LIMIT = 400
MARKS = ("started", "detected", "acknowledged", "mitigated", "resolved")
SEVERITY: Mapping[str, Mapping[str, str]] = {
    "SEV1": {"failed_percent": "50", "minutes": "240"},
    "SEV2": {"failed_percent": "10", "minutes": "60"},
    "SEV3": {"failed_percent": "1", "minutes": "15"},
}
LOWEST = "SEV4"
ERROR = re.compile(
    r"\b(?:ERROR|CRITICAL|FATAL|EMERG(?:ENCY)?|PANIC|SEVERE|CRIT)\b|\blevel=(?:error|fatal|critical|panic)\b"
)
REQUEST = re.compile(
    r"\"(?:GET|POST|PUT|PATCH|DELETE|HEAD|OPTIONS) [^\"]*\"\s+(?P<status>[1-5]\d{2})\b|\bstatus[=:]\s?\"?(?P<other>[1-5]\d{2})\b"
)
_CHANGE = re.compile(r"\b(?:deploy\w*|roll(?:ed|ing)?[ -]?back|rollback|restart\w*|fail(?:ed|ing)?[ -]?over|failover|released?|migrat\w+|reverted?|scal(?:ed|ing) (?:up|down|out)|feature flag|config(?:uration)? (?:change|update)\w*|started|stopped|shut(?:ting)? down)\b", re.IGNORECASE)  # fmt: skip
_FIRING = re.compile(
    r"\b(?:firing|triggered|problem|critical|alerting|open(?:ed)?|page[ds]?|down|warning|high|error)\b",
    re.IGNORECASE,
)
_OVER = re.compile(
    r"\b(?:resolved?|recover(?:ed|y)|ok|closed?|all clear|back to normal|cleared|up again|healthy)\b",
    re.IGNORECASE,
)
_ACK = re.compile(
    r"\b(?:ack(?:nowledged?|ed|s)?|on it|looking(?: into)?|investigating|taking (?:this|it|a look)|i'll look|i am on|i'm on)\b",
    re.IGNORECASE,
)
_MENDED = re.compile(r"\b(?:mitigat\w+|rolled back|rollback (?:complete|done|finished)|roll-?back completed?|reverted|failover (?:complete|done)|failed over|disabled the (?:flag|feature)|hotfix (?:deployed|is out)|traffic (?:moved|shifted|drained)|workaround (?:is )?in place)\b", re.IGNORECASE)  # fmt: skip
_CHAT_END = re.compile(
    r"\b(?:resolved|all clear|back to normal|recovered|incident (?:is )?over|fully up)\b",
    re.IGNORECASE,
)
_CHAT_SEEN = re.compile(r"\b(?:alert|down|errors?|failing|broken|outage|500s?|5xx|timeouts?|page[ds]?|customers? (?:report|complain))\b", re.IGNORECASE)  # fmt: skip
_NOT = re.compile(
    r"\b(?:not|n't|no|never|if|when|before|until|should we|shall|can we|need to)\b[^.!?]{0,24}$",
    re.IGNORECASE,
)
_SHAPE = re.compile(r"0x[0-9a-f]+|[0-9a-f]{8}-[0-9a-f-]{27}|\b[0-9a-f]{12,}\b|\d+", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened. `last`, `count`: of like lines that follow one another in the same file."""

    first: Record
    kind: str
    last: Record
    count: int = 1

    @property
    def cite(self) -> str:
        """The lines that it rests on."""
        return self.first.cite if self.count == 1 else f"{self.first.cite} to {self.last.cite}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A figure of the impact and the lines that it is counted from."""

    name: str
    value: str
    cite: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """What the records say. `marks`: mark → record. `failed`: share of requests that failed, in percent."""

    events: tuple[Event, ...]
    marks: Mapping[str, Record]
    figures: tuple[Figure, ...]
    failed: Decimal | None
    severity: str
    gaps: tuple[str, ...]

    def minutes(self) -> Decimal | None:
        """Return how long it took from the start to the end."""
        if not {"started", "resolved"} <= set(self.marks):
            return None
        span = self.marks["resolved"].at - self.marks["started"].at
        return Decimal(round(span.total_seconds())) / 60


def incident_of(
    sources: Sequence[Source],
    given: Mapping[str, str],
    matrix: Mapping[str, Any],
    gap_minutes: int,
) -> Incident:
    """Return the incident that records tell of. `given`: mark → cited line, where the user says which.

    Raises:
        ToolInputError: no record has a time, a mark is not in the records or out of order, or the matrix is not one.
    """
    records = [record for source in sources for record in source.records]
    if not records:
        raise ToolInputError("No line of these files begins with a time that can be placed.")
    marks = _given_marks(given, records)
    marks = {**_found_marks(sources, marks), **marks}
    marks = {name: marks[name] for name in MARKS if name in marks}
    _check_order(marks, given)
    events = _events(sources, marks)
    figures, failed = _figures(sources, marks)
    found = Incident(
        events=tuple(events),
        marks=marks,
        figures=tuple(figures),
        failed=failed,
        severity="",
        gaps=(),
    )
    severity = severity_of(found.minutes(), failed, matrix)
    gaps = tuple(_gaps(sources, events, marks, failed, gap_minutes))
    return replace(found, severity=severity, gaps=gaps)


def _given_marks(given: Mapping[str, str], records: Sequence[Record]) -> dict[str, Record]:
    by_cite = {record.cite: record for record in records}
    for name, cite in given.items():
        if name not in MARKS:
            raise ToolInputError(f"{name!r} is no mark; use {', '.join(MARKS)}.")
        if cite not in by_cite:
            raise ToolInputError(f"The mark {name} names {cite}, which is no line with a time.")
    return {name: by_cite[cite] for name, cite in given.items()}


def _first(
    records: Sequence[Record], form: re.Pattern[str], after: datetime | None = None
) -> Record | None:
    for record in records:
        match = form.search(record.text)
        if (
            match
            and (after is None or record.at >= after)
            and not _NOT.search(record.text[: match.start()])
        ):
            return record
    return None


def _found_marks(sources: Sequence[Source], given: Mapping[str, Record]) -> dict[str, Record]:
    """Return the marks that rules find; those that the user gave bound them."""
    found: dict[str, Record] = {}
    of = {
        kind: sorted((r for s in sources if s.kind == kind for r in s.records), key=lambda r: r.at)
        for kind in ("alert", "chat", "log")
    }

    def put(name: str, *choices: Record | None) -> datetime | None:
        chosen = given.get(name) or min((c for c in choices if c), key=lambda r: r.at, default=None)
        if chosen:
            found[name] = chosen
        return chosen.at if chosen else None

    firing = [r for r in of["alert"] if not _OVER.search(r.text)]
    seen = put(
        "detected",
        _first(firing, _FIRING) or next(iter(firing), None),
        None if firing else _first(of["chat"], _CHAT_SEEN),
    )
    before = [
        r
        for r in of["log"]
        if (ERROR.search(r.text) or failed(r)) and (seen is None or r.at <= seen)
    ]
    close = _unbroken(before) if seen else next(iter(before), None)
    if begun := put("started", close, found.get("detected") if close is None else None):
        seen = seen or begun
    people = sorted([*of["alert"], *of["chat"]], key=lambda r: r.at)
    put("acknowledged", _first(people, _ACK, seen))
    mended = put(
        "mitigated", _first(sorted([*of["chat"], *of["log"]], key=lambda r: r.at), _MENDED, seen)
    )
    over = [r for r in of["alert"] if _OVER.search(r.text) and (seen is None or r.at >= seen)]
    last = over[-1] if over else None
    put("resolved", last or _first(of["chat"], _CHAT_END, mended or seen))
    return found


def _unbroken(errors: Sequence[Record]) -> Record | None:
    """Return the first error of the run of errors that led to the detection: none is half an hour after the one before."""
    chosen: Record | None = None
    for record in reversed(errors):
        if chosen is not None and chosen.at - record.at > timedelta(minutes=30):
            break
        chosen = record
    return chosen


def failed(record: Record) -> bool:
    """Say whether a line is a request that the server failed to answer."""
    match = REQUEST.search(record.text)
    return bool(match) and (match["status"] or match["other"])[0] == "5"  # type: ignore[index]


def _check_order(marks: Mapping[str, Record], given: Mapping[str, str]) -> None:
    before = None
    for name in ("started", "detected", "resolved"):
        if name in marks and before is not None and marks[name].at < marks[before].at:
            raise ToolInputError(
                f"{name} ({marks[name].cite}) is before {before} ({marks[before].cite}); give the marks that are right."
            )
        before = name if name in marks else before


def _events(sources: Sequence[Source], marks: Mapping[str, Record]) -> list[Event]:
    marked = {record.cite for record in marks.values()}
    events: list[Event] = []
    for source in sources:
        own: list[Event] = []
        for record in source.records:
            if source.kind == "log" and not _matters(record) and record.cite not in marked:
                continue
            last = own[-1] if own else None
            alike = (
                last
                and source.kind == "log"
                and _shape(last.first) == _shape(record)
                and not {record.cite, last.last.cite} & marked - {last.first.cite}
            )
            if last and alike:
                own[-1] = replace(last, last=record, count=last.count + 1)
            else:
                own.append(Event(first=record, last=record, kind=source.kind))
        events += own
    if len(events) > EVENTS_LIMIT:
        raise ToolInputError(
            f"There are {len(events)} events; at most {EVENTS_LIMIT} make a timeline. Give shorter files."
        )
    return sorted(events, key=lambda e: (e.first.at, e.first.file, e.first.line))


def _matters(record: Record) -> bool:
    return bool(ERROR.search(record.text) or _CHANGE.search(record.text)) or failed(record)


def _shape(record: Record) -> str:
    return "failed request" if failed(record) else _SHAPE.sub("#", record.text)[:120]


def _figures(
    sources: Sequence[Source], marks: Mapping[str, Record]
) -> tuple[list[Figure], Decimal | None]:
    begin, end = marks.get("started"), marks.get("resolved")
    figures: list[Figure] = []
    requests = lost = 0
    for source in sources:
        inside = [
            r
            for r in source.records
            if (begin is None or r.at >= begin.at) and (end is None or r.at <= end.at)
        ]
        if source.kind != "log" or not inside:
            continue
        errors = [r for r in inside if ERROR.search(r.text)]
        if errors:
            figures.append(
                Figure(
                    name=f"Error lines in {source.name}",
                    value=str(len(errors)),
                    cite=f"{errors[0].cite} to {errors[-1].cite}",
                )
            )
        asked = [r for r in inside if REQUEST.search(r.text)]
        if asked:
            bad = sum(failed(r) for r in asked)
            requests, lost = requests + len(asked), lost + bad
            share = percent(bad, len(asked))
            figures.append(
                Figure(
                    name=f"Failed requests in {source.name}",
                    value=f"{bad} of {len(asked)} ({share} %)",
                    cite=f"{asked[0].cite} to {asked[-1].cite}",
                )
            )
    return figures, percent(lost, requests) if requests else None


def percent(part: int, whole: int) -> Decimal:
    """Return a share in percent to one decimal, half to even."""
    return (Decimal(100 * part) / whole).quantize(Decimal("0.1"), ROUND_HALF_EVEN)


def severity_of(
    minutes: Decimal | None, failed_share: Decimal | None, matrix: Mapping[str, Any]
) -> str:
    """Return the first level of the matrix one of whose thresholds is reached; the lowest where none is.

    Raises:
        ToolInputError: the matrix has other keys or no figures.
    """
    for level, limits in (matrix or SEVERITY).items():
        if not isinstance(limits, Mapping) or not set(limits) <= {"failed_percent", "minutes"}:
            raise ToolInputError(f"severity_matrix: {level} needs failed_percent, minutes or both.")
        try:
            for name, value in (("failed_percent", failed_share), ("minutes", minutes)):
                if name in limits and value is not None and value >= Decimal(str(limits[name])):
                    return str(level)
        except InvalidOperation as problem:
            raise ToolInputError(
                f"severity_matrix: {level} has a limit that is no figure."
            ) from problem
    return LOWEST


def _gaps(
    sources: Sequence[Source],
    events: Sequence[Event],
    marks: Mapping[str, Record],
    failed_share: Decimal | None,
    gap_minutes: int,
) -> Iterator[str]:
    for source in sources:
        yield from source.doubts
        if not source.records:
            yield f"{source.name} has no line with a time that can be placed; nothing of it is in the timeline."
    for name in MARKS:
        if name not in marks:
            yield f"No record says when it was {name}."
    if failed_share is None:
        yield "No record has requests with their answers, so the share that failed is not known."
    begin, end = marks.get("started"), marks.get("resolved")
    everything = sorted((r for s in sources for r in s.records), key=lambda r: r.at)
    inside = [
        r
        for r in everything
        if (begin is None or r.at >= begin.at) and (end is None or r.at <= end.at)
    ]
    for one, other in pairwise(inside):
        if other.at - one.at >= timedelta(minutes=gap_minutes):
            yield f"No record between {one.cite} and {other.cite}: {duration(other.at - one.at)}."


def duration(span: timedelta) -> str:
    """Return a span in hours, minutes and seconds, to the second, half to even."""
    seconds = int(
        Decimal(span // timedelta(microseconds=1)).scaleb(-6).quantize(Decimal(1), ROUND_HALF_EVEN)
    )
    sign = "-" if seconds < 0 else ""
    hours, rest = divmod(abs(seconds), 3600)
    minutes, left = divmod(rest, 60)
    parts = (
        [f"{hours} h"] * bool(hours)
        + [f"{minutes} min"] * bool(minutes)
        + [f"{left} s"] * bool(left or not (hours or minutes))
    )
    return sign + " ".join(parts)
