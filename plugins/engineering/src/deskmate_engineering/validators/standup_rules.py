"""ENG-STANDUP-TRUE: each line of a stand-up is read back and held against the commit objects of the original repository."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from deskmate.plugin import Deliverable, Finding, ToolInputError, ValidationContext
from deskmate_documents.tables import decode
from deskmate_engineering.repository import Repository
from deskmate_engineering.secrets import masked
from deskmate_engineering.validators.originals import Problem, judged, original_repository

RULE = "ENG-STANDUP-TRUE"
BATCH = 2_000
"""Commit objects that are read at once."""
_AUTHOR = re.compile(rb"^author (.*) <([^>]*)> (-?\d+) [+-]\d{4}$", re.MULTILINE)
_BULLET = re.compile(r"^- (?P<text>.*) \(`(?P<id>[0-9a-f]{10})`, (?P<files>\d+) files?\)$")
_HIGHLIGHT = re.compile(r"^- (?P<text>.*) \((?P<ids>`[0-9a-f]{10}`(?:, `[0-9a-f]{10}`)*)\)$")
_PERSON = re.compile(
    r"^\*\*(?P<name>.*)\*\* \((?P<commits>\d+) commits?, \+(?P<added>\d+) −(?P<removed>\d+)\)$"
)
_TOTALS = re.compile(
    r"^(?:No commits\.|(?P<commits>\d+) commits? by (?P<people>\d+) (?:person|people), \+(?P<added>\d+) −(?P<removed>\d+) lines in (?P<files>\d+) files?\.)"
    r" Merges left out: (?P<merges>\d+)\.$"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Raw:
    """A commit as its object says."""

    name: str
    subject: str
    words: str
    files: Mapping[str, tuple[int, int]]
    seconds: int


def standup_true(deliverable: Deliverable, context: ValidationContext) -> list[Finding]:
    """Check that a stand-up has each commit of its window once, under its author, with its own words and counts, and nothing else.

    Source: house (SOURCES.md).
    """
    fix = "Write it again with standup_from_git; do not edit its lines."
    return judged(RULE, fix, deliverable, context, _problems)


def _problems(deliverable: Deliverable, context: ValidationContext) -> Iterator[Problem]:
    data = deliverable.data
    since, until = (datetime.fromisoformat(str(data[name])) for name in ("since", "until"))
    today = context.facts.get("date")
    if today and until.astimezone(UTC).date() > date.fromisoformat(str(today)) + timedelta(days=1):
        yield f"Its window ends {until.isoformat()}, after the day of the run.", ""
    repository = original_repository(deliverable, context)
    wanted, merges = _raw(repository, since, until, str(data.get("author", "")))
    text = decode(context.file.read_bytes(), deliverable.path)
    lines = text.split("\n")
    title = f"# Stand-up of {data['name']}, {_stamp(since)} to {_stamp(until)}"
    if lines[0] != title:
        yield f"Its title reads {lines[0][:120]!r}; it should be {title!r}.", "line 1"
    yield from _lines(lines[1:], wanted, merges)


def _stamp(moment: datetime) -> str:
    offset = moment.utcoffset() or timedelta()
    minutes = round(offset.total_seconds() / 60)
    sign = "-" if minutes < 0 else "+"
    return f"{moment:%Y-%m-%d %H:%M} {sign}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"


def _raw(
    repository: Repository, since: datetime, until: datetime, author: str
) -> tuple[dict[str, Raw], int]:
    """Read the commit objects themselves, one by one, where the tool asked git's log."""
    found: dict[str, Raw] = {}
    merges = 0
    if repository.empty:
        return found, merges
    for commit, data in _objects(repository):
        head, _, message = data.partition(b"\n\n")
        who = _AUTHOR.search(head)
        if who is None:
            raise ToolInputError(f"{commit[:10]} has no readable author.")
        seconds = int(who[3])
        name, email = (part.decode("utf-8", "replace") for part in (who[1], who[2]))
        inside = since.timestamp() <= seconds < until.timestamp()
        if not inside or author.lower() not in f"{name}|{email}".lower():
            continue
        if head.count(b"\nparent ") > 1:
            merges += 1
            continue
        words = message.decode("utf-8", "replace").strip()
        subject = " ".join(re.split(r"\n\s*\n", words)[0].split())
        found[commit] = Raw(
            name=name,
            subject=" ".join(masked(subject).split()) or "(no subject)",
            words=words,
            files=_files(repository, commit),
            seconds=seconds,
        )
    return found, merges


def _objects(repository: Repository) -> Iterator[tuple[str, bytes]]:
    """Yield each commit of the local branches with its object."""
    ids = repository.git("rev-list", *repository.tips()).split()
    for start in range(0, len(ids), BATCH):
        wanted = "".join(f"{commit}\n" for commit in ids[start : start + BATCH])
        data = repository.run(["cat-file", "--batch"], data=wanted.encode())
        while data:
            head, _, rest = data.partition(b"\n")
            commit, _, size = head.decode("ascii").split(" ")
            yield commit, rest[: int(size)]
            data = rest[int(size) + 1 :]


def _files(repository: Repository, commit: str) -> dict[str, tuple[int, int]]:
    options = (
        "-r",
        "--root",
        "--numstat",
        "-z",
        "--no-commit-id",
        "--no-renames",
        "--no-ext-diff",
        "--no-textconv",
    )
    rows = repository.git("diff-tree", *options, commit).split("\0")
    parts = [row.split("\t", 2) for row in rows if row.count("\t") >= 2]
    return {path: tuple(0 if n == "-" else int(n) for n in (a, b)) for a, b, path in parts}  # type: ignore[misc]


class _Reading:
    """Goes through the lines of a stand-up. `wanted`: the commits that it should have."""

    def __init__(self, wanted: Mapping[str, Raw], merges: int) -> None:
        self._wanted, self._merges = wanted, merges
        self._short = {commit[:10]: commit for commit in wanted}
        self._newest: dict[str, Raw] = {}
        for raw in wanted.values():
            key = raw.name.casefold()
            if key not in self._newest or raw.seconds > self._newest[key].seconds:
                self._newest[key] = raw
        self._person = ""
        self.seen: set[str] = set()
        self.totals = 0

    def line(self, line: str) -> Iterator[str]:
        """Yield what is wrong with a line."""
        if match := _TOTALS.match(line):
            self.totals += 1
            yield from _totals(match, self._wanted, self._merges, len(self._newest))
        elif match := _PERSON.match(line):
            self._person = match["name"]
            yield from _person(match, self._wanted, self._newest)
        elif match := _BULLET.match(line):
            yield from self._bullet(match)
        elif match := _HIGHLIGHT.match(line):
            yield from _highlight(match, self._short, self._wanted)
        elif line and line != "## Highlights" and not re.fullmatch(r"\*[^*]+\*", line):
            yield f"{line[:100]!r} rests on no commit."

    def _bullet(self, match: re.Match[str]) -> Iterator[str]:
        commit = self._short.get(match["id"], "")
        if not commit or commit in self.seen:
            what = "named twice" if commit else "no commit of this window and author"
            yield f"{match['id']} is {what}."
            return
        self.seen.add(commit)
        raw = self._wanted[commit]
        if self._newest[raw.name.casefold()].name != self._person:
            yield f"{match['id']} is {raw.name}'s and stands under {self._person or 'nobody'}."
        if match["text"] != raw.subject or int(match["files"]) != len(raw.files):
            yield (
                f"{match['id']} says {raw.subject[:100]!r} and touches {len(raw.files)} files; "
                "the line says otherwise."
            )


def _lines(lines: list[str], wanted: Mapping[str, Raw], merges: int) -> Iterator[Problem]:
    reading = _Reading(wanted, merges)
    for number, line in enumerate(lines, start=2):
        yield from ((message, f"line {number}") for message in reading.line(line))
    if reading.totals != 1:
        yield "It has no line of totals.", ""
    for commit in wanted:
        if commit not in reading.seen:
            yield f"The commit {commit[:10]} ({wanted[commit].subject[:80]}) is left out.", ""


def _totals(
    match: re.Match[str], wanted: Mapping[str, Raw], merges: int, people: int
) -> Iterator[str]:
    counts = [
        sum(n[side] for raw in wanted.values() for n in raw.files.values()) for side in (0, 1)
    ]
    paths = {path for raw in wanted.values() for path in raw.files}
    truth = {
        "commits": len(wanted),
        "people": people,
        "added": counts[0],
        "removed": counts[1],
        "files": len(paths),
    }
    for name, value in truth.items():
        if int(match[name] or 0) != (value if match["commits"] else 0) or (
            wanted and not match["commits"]
        ):
            yield f"The totals say {match[name] or 0} for {name}; the commits give {value}."
    if int(match["merges"]) != merges:
        yield f"It says {match['merges']} merges; there are {merges}."


def _person(
    match: re.Match[str], wanted: Mapping[str, Raw], newest: Mapping[str, Raw]
) -> Iterator[str]:
    keys = [key for key, raw in newest.items() if raw.name == match["name"]]
    sums = []
    for key in keys:
        own = [raw for raw in wanted.values() if raw.name.casefold() == key]
        sums.append(
            (
                len(own),
                *(sum(n[side] for raw in own for n in raw.files.values()) for side in (0, 1)),
            )
        )
    said = (int(match["commits"]), int(match["added"]), int(match["removed"]))
    if said not in sums:
        yield f"{match['name']} has {sums[0] if sums else 'no commit'} (commits, added, removed), not {said}."


def _highlight(
    match: re.Match[str], short: Mapping[str, str], wanted: Mapping[str, Raw]
) -> Iterator[str]:
    ids = re.findall(r"[0-9a-f]{10}", match["ids"])
    if lost := [one for one in ids if one not in short]:
        yield f"{', '.join(lost)} is no commit of this window and author."
        return
    told = " ".join(
        f"{wanted[short[one]].words} {' '.join(wanted[short[one]].files)}" for one in ids
    ).lower()
    words = re.findall(r"[^\W\d_]{4,}", match["text"].lower())
    if not any(word[:5] in told for word in words):
        yield f"{match['text'][:80]!r} has no word in common with the commits that it cites."
