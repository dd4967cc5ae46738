"""Reads the records of an incident - logs, alerts, chats - as lines with their moment in time."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from pathlib import PurePosixPath

from deskmate.plugin import ToolInputError
from deskmate_engineering.moments import (
    AMBIGUOUS,
    day_head,
    fixed_zone,
    instant,
    written_in,
    zone_said,
)

LINES_LIMIT = 400_000
_TIME_KEYS = ("timestamp", "@timestamp", "time", "ts", "datetime", "date", "at", "created_at", "createdat", "triggered_at", "startsat", "started_at", "occurred_at", "when", "event_time")  # fmt: skip
_TEXT_KEYS = ("status", "state", "severity", "level", "user", "author", "service", "name", "title", "alert", "summary", "description", "message", "msg", "text", "event")  # fmt: skip
_DATED = re.compile(r"\b(?:19|20)\d{2}-\d{2}-\d{2}\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A line with a time. `file`: workspace path. `line`: from 1. `at`: aware. `text`: what follows the time."""

    file: str
    line: int
    at: datetime
    text: str

    @property
    def cite(self) -> str:
        """How the line is cited."""
        return f"{PurePosixPath(self.file).name}:{self.line}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A file. `kind`: alert, chat or log. `doubts`: what had to be assumed, in words, each once."""

    file: str
    kind: str
    records: tuple[Record, ...]
    doubts: tuple[str, ...]

    @property
    def name(self) -> str:
        """The file's name."""
        return PurePosixPath(self.file).name


def read_source(text: str, file: str, zones: Mapping[str, str], usual: tzinfo) -> Source:
    """Return the records of a file.

    Args:
        text: its text.
        file: workspace path.
        zones: file name → zone that the user gave for times without one.
        usual: zone for what neither a line, nor the file, nor the user says; named as a doubt.

    Raises:
        ToolInputError: too many lines, or a zone that there is not.
    """
    name = PurePosixPath(file).name
    given = zones.get(name) or zones.get(file) or ""
    zone = fixed_zone(given) if given else None
    if given and zone is None:
        raise ToolInputError(
            f"{given!r} is no time zone of {name}; use +01:00, CET or Europe/Berlin."
        )
    reader = _Reader(file, zone, usual)
    lines = text.replace("\r\n", "\n").split("\n")
    if len(lines) > LINES_LIMIT:
        raise ToolInputError(
            f"{name} has more than {LINES_LIMIT} lines; give the part that matters."
        )
    rows = _rows(text, name)
    for number, line in rows if rows is not None else enumerate(lines, start=1):
        reader.take(number, line)
    return Source(
        file=file,
        kind=_kind(name, reader.records),
        records=tuple(reader.records),
        doubts=tuple(dict.fromkeys(reader.doubts)),
    )


class _Reader:
    """Goes through a file's lines and remembers its day, year and zone."""

    def __init__(self, file: str, zone: tzinfo | None, usual: tzinfo) -> None:
        self._file, self._given, self._usual = file, zone, usual
        self._name = PurePosixPath(file).name
        self._said: tzinfo | None = None
        self._day = None
        self._year: int | None = None
        self.records: list[Record] = []
        self.doubts: list[str] = []

    def take(self, number: int, line: str) -> None:
        """Read one line."""
        if (day := day_head(line)) is not None:
            self._day, self._year = day, day.year  # type: ignore[assignment]
            return
        if not self._year and (dated := _DATED.search(line)):
            self._year = int(dated[0][:4])
        found = written_in(line, self._day, self._year)
        if said := zone_said(line):
            self._said = fixed_zone(said)
            if found is None:
                return
        if found is None:
            if re.match(r"^\W{0,3}\d{1,2}:\d{2}", line) or re.match(
                r"^[A-Z][a-z]{2}\s+\d{1,2}\s\d{2}:", line
            ):
                self.doubts.append(
                    f"{self._name} has times without a day or year (first in line {number}); they are left out."
                )
                self.doubts = (
                    self.doubts[:1]
                    if len(self.doubts) > 1 and self.doubts[0] == self.doubts[-1]
                    else self.doubts
                )
            return
        at, doubt = instant(found.local, self._zone_of(found.zone, number))
        if doubt:
            self.doubts.append(
                f"{self._name}:{number}: the time {found.local:%H:%M} {doubt}; the clocks changed."
            )
        text = " ".join(line[found.end :].lstrip(" \t]|,-–:)").split())
        text = text or " ".join(line.split())
        self.records.append(Record(file=self._file, line=number, at=at, text=text))

    def _zone_of(self, written: str, number: int) -> tzinfo:
        if written in AMBIGUOUS:
            self.doubts.append(
                f"{self._name}: {written} is more than one time zone (first in line {number}); say which."
            )
            written = ""
        zone = fixed_zone(written) if written else (self._given or self._said)
        if zone is None:
            self.doubts.append(
                f"{self._name} states no time zone; its times are read as {self._usual}."
            )
            zone = self._usual
        return zone


def _kind(name: str, records: list[Record]) -> str:
    stem = name.lower()
    if re.search(r"alert|pag(?:er|ing)|alarm|monitor|incident|opsgenie|prometheus", stem):
        return "alert"
    if re.search(r"chat|slack|teams|channel|war.?room|irc|conversation|messages", stem):
        return "chat"
    said = sum(
        re.match(r"^[@<]?[A-Z][\w.-]*(?: [A-Z][\w.-]*)?>?\s*:\s\S", r.text) is not None
        for r in records
    )
    return "chat" if records and said * 2 > len(records) else "log"


def _rows(text: str, name: str) -> Iterator[tuple[int, str]] | None:
    """Return (line, time and text) of a table or of JSON; None for plain lines."""
    ending = PurePosixPath(name).suffix.lower()
    if ending in (".csv", ".tsv"):
        return _table(text, "\t" if ending == ".tsv" else ",")
    if ending in (".jsonl", ".ndjson") or (
        ending in (".json", ".log", ".txt") and text.lstrip()[:1] in ("{", "[")
    ):
        found = list(_objects(text))
        return iter(found) if found else None
    return None


def _table(text: str, mark: str) -> Iterator[tuple[int, str]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=mark)
    header: list[str] = []
    line = 1
    for cells in reader:
        if not header:
            header = [cell.strip().lower() for cell in cells]
        else:
            row = dict(zip(header, cells, strict=False))
            yield line, _line_of(row)
        line = reader.line_num + 1


def _objects(text: str) -> Iterator[tuple[int, str]]:
    """Yield the objects of a list, of lines, or of a list inside an object, each with the line that it begins in."""
    decoder = json.JSONDecoder()
    start = text.find("[") if text.lstrip()[:1] == "[" else -1
    if text.lstrip()[:1] == "{" and not re.match(r"\s*\{.*\}\s*(?:\n\s*\{|$)", text):
        # one object: its first list of objects is what it is about
        inner = re.search(r"\[\s*\{", text)
        start = inner.start() if inner else -1
    place = start + 1
    while (place := text.find("{", place)) >= 0:
        try:
            value, end = decoder.raw_decode(text, place)
        except ValueError:
            place += 1
            continue
        if isinstance(value, dict):
            yield text.count("\n", 0, place) + 1, _line_of(value)
        place = end


def _line_of(row: Mapping[str, object]) -> str:
    """Return a row as a line: its time, then what it says."""
    plain = {
        str(key).strip().lower(): value
        for key, value in row.items()
        if isinstance(value, str | int | float)
    }
    when = next((str(plain[key]) for key in _TIME_KEYS if plain.get(key) not in (None, "")), "")
    zone = str(plain.get("timezone") or plain.get("tz") or "")
    said = [str(plain[key]) for key in _TEXT_KEYS if plain.get(key) not in (None, "")]
    return f"{when}{' ' + zone if zone else ''} {' '.join(said)}"
