"""ENG-TIMELINE-TRUE, ENG-IMPACT-TIES, ENG-CITED, ENG-BLAMELESS: a post-mortem is read back and held against its records."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import Any

from deskmate.plugin import Deliverable, Finding, ValidationContext
from deskmate_documents.tables import decode
from deskmate_engineering.blame import blaming
from deskmate_engineering.incidents import Incident
from deskmate_engineering.postmortems import (
    SPANS,
    actions_in,
    as_markdown,
    measures,
    open_actions,
    people_in,
    points_of,
    rows_of,
)
from deskmate_engineering.records import Source
from deskmate_engineering.tools.incident import judged_incident, read_sources
from deskmate_engineering.validators.originals import Missing, Problem, judged

TIMELINE, IMPACT, CITED, BLAMELESS = (
    "ENG-TIMELINE-TRUE",
    "ENG-IMPACT-TIES",
    "ENG-CITED",
    "ENG-BLAMELESS",
)
_CITE = re.compile(r"(?P<file>[^\s,|()]+):(?P<line>\d+)")
_MOMENT = re.compile(r"(\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}) ([+-]\d{2}):(\d{2})")
_CLOCK = re.compile(r"(?<!\d)(\d{1,2}):(\d{2})(?::(\d{2}))?")
_EPOCH = re.compile(r"\b1\d{9}(?:\d{3})?\b")
_WHOLE = re.compile(
    r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2}(?:[.,]\d+)? ?(?:Z|UTC|[+-]\d{2}:?\d{2})"
)
_NUMBER = re.compile(r"(?<![\w.:-])\d+(?:[.,]\d+)*(?![\w:-])")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What a post-mortem is judged by. `lines`: file name → its lines, as the host holds them."""

    text: str
    sources: tuple[Source, ...]
    lines: Mapping[str, list[str]]
    incident: Incident
    zone: Any

    def cited(self, cell: str) -> list[str] | None:
        """Return the lines that a cell names; None where it names none, or one that is not there."""
        found = []
        for match in _CITE.finditer(cell):
            lines, number = self.lines.get(match["file"]), int(match["line"])
            if lines is None or not 1 <= number <= len(lines):
                return None
            found.append(lines[number - 1])
        return found or None


def timeline_true(deliverable: Deliverable, context: ValidationContext) -> list[Finding]:
    """Check that each row of the timeline has the moment and words of the line that it names, in order, and none is left out.

    Source: house (SOURCES.md).
    """
    fix = "Write it again with postmortem_write; do not edit its rows."
    return judged(TIMELINE, fix, deliverable, context, _timeline)


def impact_ties(deliverable: Deliverable, context: ValidationContext) -> list[Finding]:
    """Compute marks, spans, counts and severity again from the records, and the spans from the report's own marks.

    Source: house (SOURCES.md).
    """
    fix = "Write it again with postmortem_write; do not edit its figures."
    return judged(IMPACT, fix, deliverable, context, _impact)


def cited(deliverable: Deliverable, context: ValidationContext) -> list[Finding]:
    """Check that each line cites lines that are there, that figures in the analysis stand in them, and that nothing was added.

    Source: house (SOURCES.md).
    """
    return judged(CITED, "Cite the lines that it rests on.", deliverable, context, _cited)


def blameless(deliverable: Deliverable, context: ValidationContext) -> list[Finding]:
    """Refuse wording that blames people or explains by hindsight.

    Source: house (SOURCES.md), after the practice of blameless post-mortems.
    """
    fix = "Say what the system allowed, not who did it."
    return judged(BLAMELESS, fix, deliverable, context, _blameless)


def _case(deliverable: Deliverable, context: ValidationContext) -> Case:
    data = deliverable.data
    files: dict[str, Path] = {}
    for name in map(str, data["files"]):
        file = context.sources.file(name)
        if file is None:
            raise Missing(f"the record {name} is not among the originals.")
        files[name] = file
    if sorted(files) != sorted(deliverable.sources.values()):
        raise Missing("its sources are not the records that it was made from.")
    sources = read_sources(files, data, context.config)
    incident, zone = judged_incident(sources, data, context.config)
    texts = {
        PurePosixPath(name).name: decode(file.read_bytes(), name) for name, file in files.items()
    }
    return Case(
        text=decode(context.file.read_bytes(), deliverable.path),
        sources=tuple(sources),
        lines={name: text.replace("\r\n", "\n").split("\n") for name, text in texts.items()},
        incident=incident,
        zone=zone,
    )


def _moment(text: str) -> datetime | None:
    match = _MOMENT.fullmatch(text)
    return datetime.fromisoformat(f"{match[1]}{match[2]}:{match[3]}") if match else None


def _timeline(deliverable: Deliverable, context: ValidationContext) -> Iterator[Problem]:
    case = _case(deliverable, context)
    before: datetime | None = None
    seen: list[str] = []
    for number, row in enumerate(rows_of(case.text, "Timeline"), start=1):
        where = f"timeline, row {number}"
        moment = _moment(row[0]) if len(row) == 4 else None
        lines = case.cited(row[3]) if len(row) == 4 else None
        if moment is None or lines is None:
            yield (
                f"It has no moment, or names no line of the records: {' | '.join(row)[:120]}",
                where,
            )
            continue
        if before is not None and moment < before:
            yield (
                f"{row[0]} comes after {before.isoformat(sep=' ')}; a timeline runs forward.",
                where,
            )
        before = moment
        seen.append(row[3])
        if not _says_time(lines[0], moment):
            yield f"{row[0]} is not the time of {row[3]}.", where
    wanted = [event.cite for event in case.incident.events]
    for cite in wanted:
        if cite not in seen:
            yield f"The event in {cite} is left out.", "timeline"
    yield from _same(deliverable, case, context, ("Timeline",))


def _says_time(line: str, moment: datetime) -> bool:
    """Say whether a line tells this moment: by itself where it has day and offset, else by its minutes and seconds."""
    if match := _WHOLE.search(line):
        text = match[0].replace(",", ".").replace(" UTC", "Z").replace(" Z", "Z")
        head, tail = text[:19], re.sub(r"^[.\d]*\s*", "", text[19:])
        told = datetime.fromisoformat(head + (tail.replace("Z", "+00:00") or "+00:00"))
        return told == moment
    utc = moment.astimezone(UTC)
    if any(int(epoch[:10]) == int(utc.timestamp()) for epoch in _EPOCH.findall(line)):
        return True
    # zones are whole quarters of an hour away from one another
    return any(
        (utc.minute - int(minute)) % 15 == 0 and int(second or 0) == utc.second
        for _, minute, second in _CLOCK.findall(line)
    )


def _impact(deliverable: Deliverable, context: ValidationContext) -> Iterator[Problem]:
    case = _case(deliverable, context)
    rows = {row[0]: row for row in rows_of(case.text, "Measures") if len(row) == 3}
    wanted = measures(case.incident, case.zone)
    for name, value, cite in wanted:
        row = rows.pop(name, None)
        if row is None or row[1:] != [value, cite]:
            yield (
                f"{name} is {value} ({cite}); the report says {' '.join(row[1:]) if row else 'nothing'}.",
                "measures",
            )
    for name in rows:
        yield f"The records give no {name}.", "measures"
    moments = {
        row[0].lower(): _moment(row[1]) for row in rows_of(case.text, "Measures") if len(row) == 3
    }
    told = {row[0]: row[1] for row in rows_of(case.text, "Measures") if len(row) == 3}
    for name, begin, end in SPANS:
        one, other = moments.get(begin), moments.get(end)
        if (
            one
            and other
            and name in told
            and abs((other - one) - _span(told[name])) > timedelta(seconds=1)
        ):
            yield f"{name} is {told[name]}; its two marks are {other - one} apart.", "measures"
    yield from _same(deliverable, case, context, ("Impact",))


def _span(text: str) -> timedelta:
    units = {"h": 3600, "min": 60, "s": 1}
    seconds = sum(
        int(count) * units[unit] for count, unit in re.findall(r"(\d+) (h|min|s)\b", text)
    )
    return timedelta(seconds=-seconds if text.startswith("-") else seconds)


def _cited(deliverable: Deliverable, context: ValidationContext) -> Iterator[Problem]:
    case = _case(deliverable, context)
    figures = " ".join(
        cell for name in ("Measures", "Impact") for row in rows_of(case.text, name) for cell in row
    )
    points = points_of(case.text, "Analysis")
    if len(points) != len(deliverable.data.get("analysis", ())):
        yield "The analysis has other lines than it was presented with.", "analysis"
    for point in points:
        lines = case.cited(point.rpartition(" (")[2])
        if lines is None:
            yield f"It names no line of the records: {point[:100]}", "analysis"
            continue
        told = f"{' '.join(lines)} {figures}"
        plain = point.rpartition(" (")[0]
        for number in _NUMBER.findall(plain):
            if not re.search(rf"(?<!\d){re.escape(number)}(?!\d)", told):
                yield f"{number} stands in none of the lines cited: {point[:100]}", "analysis"
        said = " ".join(lines).lower()
        if not any(word[:5] in said for word in re.findall(r"[^\W\d_]{4,}", plain.lower())):
            yield (
                f"It has no word in common with the lines that it cites: {point[:100]}",
                "analysis",
            )
    for row in rows_of(case.text, "Action items"):
        if len(row) != 5 or case.cited(row[4]) is None:
            yield f"An action names no line of the records: {' '.join(row)[:100]}", "action items"
    yield from _same(deliverable, case, context, ())


def _same(
    deliverable: Deliverable, case: Case, context: ValidationContext, headings: tuple[str, ...]
) -> Iterator[Problem]:
    """Write the report again from the originals, and compare the parts under `headings`; without any, the whole."""
    today = context.facts.get("date")
    day = date.fromisoformat(str(today)) if today else datetime.now(UTC).date()
    actions, gaps = open_actions(actions_in(case.sources), day)
    data = deliverable.data
    everything = [*case.incident.gaps, *gaps]
    people = people_in(case.sources)
    wanted = as_markdown(
        str(data["title"]),
        case.incident,
        people,
        case.zone,
        data.get("analysis", ()),
        actions,
        everything,
    )
    for heading in headings:
        for there, should in zip(
            rows_of(case.text, heading), rows_of(wanted, heading), strict=False
        ):
            if there != should:
                yield (
                    f"It reads {' | '.join(there)[:120]!r}; the records give {' | '.join(should)[:120]!r}.",
                    heading.lower(),
                )
        if len(rows_of(case.text, heading)) != len(rows_of(wanted, heading)):
            yield "It has other rows than the records give.", heading.lower()
    if not headings:
        for number, (there_line, line) in enumerate(
            zip(case.text.split("\n"), wanted.split("\n"), strict=False), start=1
        ):
            if there_line != line:
                yield (
                    f"Line {number} reads {there_line[:120]!r}; the records give {line[:120]!r}.",
                    f"line {number}",
                )
                return
        if case.text.count("\n") != wanted.count("\n"):
            yield "It has other lines than the records give.", ""


def _blameless(deliverable: Deliverable, context: ValidationContext) -> Iterator[Problem]:
    case = _case(deliverable, context)
    people = people_in(case.sources)
    for number, line in enumerate(case.text.split("\n"), start=1):
        for words in blaming(line, people):
            yield f"“{words}” blames.", f"line {number}"
