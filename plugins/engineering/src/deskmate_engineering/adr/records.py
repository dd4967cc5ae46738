"""A decision record as a file: its number, title, status, options and links, in the usual forms (MADR, Nygard, bold words)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

STATUSES = ("proposed", "accepted", "rejected", "deprecated", "superseded")
FOLDERS = (
    "docs/decisions",
    "docs/adr",
    "docs/adrs",
    "doc/adr",
    "doc/decisions",
    "docs/architecture/decisions",
    "adr",
    "decisions",
)
_NAME = re.compile(r"^(?:adr[-_]?)?(?P<number>\d{1,6})[-_. ](?P<slug>.+)\.md$", re.IGNORECASE)
_TITLE = re.compile(
    r"^#\s+(?:(?:ADR[- ]?)?(?P<number>\d{1,6})[.:)\s-]+\s*)?(?P<title>.+?)\s*$", re.IGNORECASE
)
_STATUS = re.compile(
    r"^\s*(?:[-*]\s*)?(?:\*\*)?status(?:\*\*)?\s*:\s*(?:\*\*)?\s*[\"']?(?P<status>.+?)[\"']?\s*$",
    re.IGNORECASE,
)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_SUPERSEDES = re.compile(r"\bsupersedes\b", re.IGNORECASE)
_SUPERSEDED = re.compile(r"\bsuperseded\s+by\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A decision. `path`: workspace path. `said_number`: in its title, None if it has none there.

    `status`: first word of it, small letters, empty if none is said. `options`: titles of those that were considered.
    `supersedes`, `superseded_by`: numbers that its links of that kind lead to; 0 for a link that leads to no record.
    `sections`: headings of the second level, small letters.
    """

    path: str
    number: int
    title: str
    said_number: int | None
    status: str
    options: tuple[str, ...]
    supersedes: tuple[int, ...]
    superseded_by: tuple[int, ...]
    sections: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Slip:
    """Something wrong with a record. `level`: error or note."""

    file: str
    level: str
    what: str


def number_of(name: str) -> int | None:
    """Return the number in a record's file name; None if it is no record's."""
    match = _NAME.match(PurePosixPath(name).name)
    return int(match["number"]) if match else None


def read_record(path: str, text: str) -> Record:
    """Return a record. `path`: one of which `number_of` says a number."""
    lines = _without_code(text)
    title = next((m for line in lines if (m := _TITLE.match(line))), None)
    said = title["number"] if title else None
    links = list(_linked(lines))
    return Record(
        path=path,
        number=number_of(path) or 0,
        title=title["title"] if title else "",
        said_number=int(said) if said else None,
        status=_status(lines),
        options=tuple(_options(lines)),
        supersedes=tuple(number for kind, number in links if kind == "supersedes"),
        superseded_by=tuple(number for kind, number in links if kind == "superseded"),
        sections=tuple(line[3:].strip().lower() for line in lines if line.startswith("## ")),
    )


def _without_code(text: str) -> list[str]:
    kept, fenced = [], False
    for line in text.replace("\r\n", "\n").split("\n"):
        if line.lstrip().startswith(("```", "~~~")):
            fenced = not fenced
        elif not fenced:
            kept.append(line)
    return kept


def _status(lines: list[str]) -> str:
    for number, line in enumerate(lines):
        if match := _STATUS.match(line):
            return _word(match["status"])
        if re.fullmatch(r"##\s+status\s*", line, re.IGNORECASE):
            return _word(next((one for one in lines[number + 1 :] if one.strip()), ""))
    return ""


def _word(text: str) -> str:
    found = re.search(r"[A-Za-z]+", text)
    return found[0].lower() if found else ""


def _options(lines: list[str]) -> Iterator[str]:
    inside = False
    for line in lines:
        if line.startswith("## "):
            inside = (
                bool(re.search(r"considered options|options|alternatives", line, re.IGNORECASE))
                and "pros" not in line.lower()
            )
        elif inside and (match := re.match(r"^(?:[-*]|\d+\.)\s+(.+)$", line)):
            yield match[1].strip()


def _linked(lines: list[str]) -> Iterator[tuple[str, int]]:
    for line in lines:
        for kind, pattern in (("superseded", _SUPERSEDED), ("supersedes", _SUPERSEDES)):
            if found := pattern.search(line):
                for target in _LINK.findall(line[found.end() :]):
                    yield kind, number_of(target.split("#")[0]) or 0
                break


def check_records(records: Iterable[Record]) -> list[Slip]:
    """Return what is wrong with a folder's records, each and together, sorted."""
    rows = sorted(records, key=lambda one: (one.number, one.path))
    by_number: dict[int, list[Record]] = {}
    for row in rows:
        by_number.setdefault(row.number, []).append(row)
    slips = [
        Slip(file=row.path, level=level, what=what) for row in rows for level, what in _alone(row)
    ]
    slips += [
        Slip(file=row.path, level="error", what=what)
        for row in rows
        for what in _links(row, by_number)
    ]
    for number, same in by_number.items():
        for row in same[1:]:
            what = f"The number {number} is {PurePosixPath(same[0].path).name}'s, too."
            slips.append(Slip(file=row.path, level="error", what=what))
    if by_number:
        gaps = sorted(set(range(min(by_number), max(by_number))) - by_number.keys())
        if gaps:
            what = f"No record has the numbers {', '.join(map(str, gaps[:20]))}."
            slips.append(Slip(file=rows[-1].path, level="note", what=what))
    return sorted(slips)


def _alone(row: Record) -> Iterator[tuple[str, str]]:
    if not row.title:
        yield "error", "It has no title (a line that begins with #)."
    if row.said_number is not None and row.said_number != row.number:
        yield "error", f"Its title says {row.said_number}, its file {row.number}."
    if not row.status:
        yield "note", "It does not say its status."
    elif row.status not in STATUSES:
        yield "error", f"Its status {row.status!r} is none of {', '.join(STATUSES)}."
    if row.status == "superseded" and not row.superseded_by:
        yield "error", "It is superseded, and does not link to what it is superseded by."
    named = any(re.search(r"options|alternatives", one) for one in row.sections)
    if named and len(row.options) < 2:
        yield (
            "error",
            f"It considers {len(row.options)} option{'' if len(row.options) == 1 else 's'}; a decision is between two at least.",
        )


def _links(row: Record, by_number: Mapping[int, list[Record]]) -> Iterator[str]:
    pairs = (
        (row.supersedes, "supersedes", "superseded_by", "superseded by"),
        (row.superseded_by, "is superseded by", "supersedes", "supersedes"),
    )
    for numbers, words, back, back_words in pairs:
        for number in numbers:
            others = by_number.get(number)
            if not others:
                yield f"It {words} a record that is not there."
            elif number == row.number:
                yield f"It {words} itself."
            elif not any(row.number in getattr(other, back) for other in others):
                yield f"It {words} {number:04}, which does not say that it {'is ' if back_words.startswith('superseded') else ''}{back_words} {row.number:04}."
    if row.superseded_by and row.status not in ("superseded", ""):
        yield f"It names what it is superseded by, and its status is {row.status!r}."
