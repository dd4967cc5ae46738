"""The text of a post-mortem: measures, impact, timeline, gaps, analysis and actions; each line cites its source."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, tzinfo

from deskmate_engineering.blame import HIDDEN, blaming
from deskmate_engineering.incidents import Event, Incident, duration
from deskmate_engineering.records import Record, Source
from deskmate_engineering.secrets import masked

TEXT_LIMIT = 220
SPANS = (
    ("Time to detect", "started", "detected"),
    ("Time to acknowledge", "detected", "acknowledged"),
    ("Time to mitigate", "detected", "mitigated"),
    ("Time to resolve", "started", "resolved"),
)
_ACTION = re.compile(r"\b(?:ACTION(?:\s+ITEM)?|TODO|FOLLOW[- ]?UP|AI)\s*[:\-]\s*(?P<text>.+)$")
_OWNER = re.compile(
    r"\bowner\s*[:=]\s*(?P<a>[^;,)|]+)|@(?P<b>[A-Za-z][\w.-]+)|^(?P<c>[A-Z][\w-]+(?: [A-Z][\w-]+)?) (?:to|will)\b"
)
_DUE = re.compile(r"\b(?:due|by|until|deadline)?\s*[:=]?\s*(?P<day>\d{4}-\d{2}-\d{2})\b")
_DONE = re.compile(r"\b(?:status\s*[:=]\s*)?(?:done|completed|closed)\b", re.IGNORECASE)
_SPEAKER = re.compile(r"^[@<]?(?P<name>[A-Z][\w.-]*(?: [A-Z][\w.-]*)?)>?\s*:\s")


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """An action. `cite`: the line that asks for it."""

    text: str
    owner: str
    due: str
    status: str
    cite: str

    @property
    def lacks(self) -> tuple[str, ...]:
        """What it has not."""
        return tuple(
            name for name, value in (("owner", self.owner), ("day", self.due)) if not value
        )


def actions_in(sources: Sequence[Source]) -> list[Action]:
    """Return the actions that the records ask for, in their order."""
    found = []
    for record in (r for s in sources for r in s.records):
        if match := _ACTION.search(record.text):
            found.append(_action(match["text"], record))
    return found


def _action(text: str, record: Record) -> Action:
    owner, due = _OWNER.search(text), _DUE.search(text)
    plain = _DUE.sub("", re.sub(r"\bowner\s*[:=]\s*[^;,)|]+", "", text))
    plain = re.sub(r"\(\s*[;,\s]*\)|\b(?:status)\s*[:=]\s*\w+", "", plain)
    return Action(
        text=" ".join(masked(plain).split()).strip(" ;,.()-|"),
        owner=next((part.strip() for part in owner.groups() if part), "") if owner else "",
        due=due["day"] if due else "",
        status="done" if _DONE.search(text) else "open",
        cite=record.cite,
    )


def people_in(sources: Sequence[Source]) -> frozenset[str]:
    """Return the names of those who speak in the records, whole and first names."""
    names = {
        m["name"]
        for s in sources
        if s.kind == "chat"
        for r in s.records
        if (m := _SPEAKER.match(r.text))
    }
    return frozenset(names | {name.split()[0] for name in names})


def shown(moment: datetime, zone: tzinfo) -> str:
    """Return a moment to the second in the zone of the report, with its offset."""
    text = moment.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S %z")
    return f"{text[:-2]}:{text[-2:]}"


def event_text(event: Event, people: Collection[str]) -> str:
    """Return an event's words: masked, on one line, and without wording that blames."""
    text = masked(event.first.text)
    text = HIDDEN if next(blaming(text, people), "") else _cell(text)
    return f"{text} (×{event.count})" if event.count > 1 else text


def _cell(text: str) -> str:
    plain = " ".join(text.replace("|", "/").split())
    return plain if len(plain) <= TEXT_LIMIT else plain[: TEXT_LIMIT - 1] + "…"


def measures(incident: Incident, zone: tzinfo) -> list[tuple[str, str, str]]:
    """Return (measure, value, lines): the marks, then the spans between them, then the severity."""
    rows = [(name.capitalize(), shown(r.at, zone), r.cite) for name, r in incident.marks.items()]
    for name, begin, end in SPANS:
        if begin in incident.marks and end in incident.marks:
            one, other = incident.marks[begin], incident.marks[end]
            rows.append((name, duration(other.at - one.at), f"{one.cite}, {other.cite}"))
    rested = [
        incident.marks[name].cite for name in ("started", "resolved") if name in incident.marks
    ]
    rested += [figure.cite for figure in incident.figures if figure.name.startswith("Failed")]
    return [*rows, ("Severity", incident.severity, ", ".join(rested) or "none")]


def open_actions(actions: Sequence[Action], today: date) -> tuple[list[Action], list[str]]:
    """Return the actions that bind somebody, and what is open of the others."""
    whole: list[Action] = []
    gaps: list[str] = []
    for action in actions:
        past = bool(action.due) and action.status != "done" and _past(action.due, today)
        if action.lacks:
            gaps.append(
                f"The action in {action.cite} has no {' and no '.join(action.lacks)}: {action.text}."
            )
        elif past:
            gaps.append(
                f"The action in {action.cite} was due {action.due} and is not done: {action.text}."
            )
        else:
            whole.append(action)
    return whole, gaps or ([] if whole else ["The records ask for no action."])


def _past(day: str, today: date) -> bool:
    try:
        return date.fromisoformat(day) < today
    except ValueError:
        return True


def as_markdown(
    title: str,
    incident: Incident,
    people: Collection[str],
    zone: tzinfo,
    analysis: Sequence[Mapping[str, object]],
    actions: Sequence[Action],
    gaps: Sequence[str],
) -> str:
    """Return the post-mortem."""
    parts = [
        f"# Post-mortem: {title}",
        "",
        f"Times are shown in {zone}. Each line names the lines of the records that it rests on.",
        "",
    ]
    parts += [
        "## Measures",
        "",
        *_table(("Measure", "Value", "Lines"), measures(incident, zone)),
        "",
    ]
    rows = [(figure.name, figure.value, figure.cite) for figure in incident.figures]
    parts += [
        "## Impact",
        "",
        *(_table(("Figure", "Value", "Lines"), rows) if rows else ["The records have no figures."]),
        "",
    ]
    timeline = [
        (shown(e.first.at, zone), e.kind, event_text(e, people), e.cite) for e in incident.events
    ]
    parts += ["## Timeline", "", *_table(("Time", "From", "Event", "Lines"), timeline), ""]
    if analysis:
        parts += ["## Analysis", ""]
        parts += [f"- {one['text']} ({', '.join(map(str, one['cites']))})" for one in analysis]  # type: ignore[call-overload]
        parts += [""]
    if asked := [(a.text, a.owner, a.due, a.status, a.cite) for a in actions]:
        header = ("Action", "Owner", "Due", "Status", "Lines")
        parts += ["## Action items", "", *_table(header, asked), ""]
    parts += ["## What is open", "", *([f"- {gap}" for gap in gaps] or ["Nothing."]), ""]
    return "\n".join(parts)


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(header)} |"
    yield f"|{' --- |' * len(header)}"
    for row in rows:
        yield f"| {' | '.join(' '.join(cell.replace('|', '/').split()) for cell in row)} |"


def rows_of(text: str, heading: str) -> list[list[str]]:
    """Return the rows of the table below a heading, without its header."""
    _, _, rest = text.partition(f"\n## {heading}\n")
    part = rest.partition("\n## ")[0]
    lines = [line for line in part.split("\n") if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in lines[2:]]


def points_of(text: str, heading: str) -> list[str]:
    """Return the bullets below a heading."""
    _, _, rest = text.partition(f"\n## {heading}\n")
    return [line[2:] for line in rest.partition("\n## ")[0].split("\n") if line.startswith("- ")]
