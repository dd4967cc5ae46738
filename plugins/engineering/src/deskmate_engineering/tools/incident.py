"""The tools that put an incident's records in order and write its post-mortem."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from deskmate.plugin import Deliverable, ToolAnswer, ToolContext, ToolInputError
from deskmate_documents.tables import decode, find_files
from deskmate_engineering.blame import blaming
from deskmate_engineering.incidents import Incident, incident_of
from deskmate_engineering.moments import fixed_zone
from deskmate_engineering.postmortems import (
    Action,
    actions_in,
    as_markdown,
    event_text,
    measures,
    open_actions,
    people_in,
    shown,
)
from deskmate_engineering.records import Source, read_source
from deskmate_engineering.repository import find_repositories
from deskmate_engineering.windows import zone_of

ENDINGS = (".log", ".txt", ".csv", ".tsv", ".json", ".jsonl", ".ndjson")
FILES_LIMIT = 30
LIMIT_BYTES = 32 * 1024 * 1024
GAP_MINUTES = 30
SHOWN = 200


def incident_timeline(
    context: ToolContext,
    paths: Sequence[str] = (),
    zones: Mapping[str, str] | None = None,
    marks: Mapping[str, str] | None = None,
    request: str = "",
) -> dict[str, Any]:
    """Put the records of an incident - logs, alerts, chats - in order of time, with marks, figures and what is missing.

    Args:
        context: filled in by Deskmate.
        paths: workspace paths of the records (.log, .txt, .csv, .json, .jsonl). Empty: all of the workspace
            that are not in a git repository.
        zones: file name → time zone of times that state none, such as {"chat.txt": "Europe/Berlin"}.
        marks: started, detected, acknowledged, mitigated, resolved → the line that says so, such as app.log:12, where the
            rules' choice is wrong.
        request: the user's words.

    Returns:
        `events`: list of {time, from, text, lines}, at most 200; `measures`, `impact`: lists of {name, value, lines};
        `severity`; `actions`: list of {text, owner, due, status, lines}; `open`: gaps, doubts and what is not told.

    Raises:
        ToolInputError: no records, no line with a time, marks out of order, or an unknown zone.
    """
    files = _files(context, paths, request)
    data = {"zones": dict(zones or {}), "marks": dict(marks or {})}
    sources = read_sources({name: context.file(name) for name in files}, data, context.config)
    incident, zone = judged_incident(sources, data, context.config)
    people = people_in(sources)
    whole, gaps = open_actions(actions_in(sources), _today())
    return {
        "files": files,
        "zone": str(zone),
        "severity": incident.severity,
        "measures": [{"name": n, "value": v, "lines": c} for n, v, c in measures(incident, zone)],
        "impact": [{"name": f.name, "value": f.value, "lines": f.cite} for f in incident.figures],
        "event_count": len(incident.events),
        "events": [
            {
                "time": shown(e.first.at, zone),
                "from": e.kind,
                "text": event_text(e, people),
                "lines": e.cite,
            }
            for e in incident.events[:SHOWN]
        ],
        "actions": [_as_json(action) for action in whole],
        "open": [*incident.gaps, *gaps],
    }


def _today() -> date:
    return datetime.now(UTC).date()


def _as_json(action: Action) -> dict[str, str]:
    return {
        "text": action.text,
        "owner": action.owner,
        "due": action.due,
        "status": action.status,
        "lines": action.cite,
    }


def _files(context: ToolContext, paths: Sequence[str], request: str) -> list[str]:
    if paths:
        return [context.name_of(context.file(path)) for path in paths]
    code = [f"{context.name_of(top)}/" for top in find_repositories(context.workspace)]
    found = [
        path for path in find_files(context.workspace, ENDINGS) if not path.startswith(tuple(code))
    ]
    named = [path for path in found if path.rpartition("/")[2] in request]
    found = named if len(named) > 1 else found
    if not found:
        raise ToolInputError(f"There are no records ({', '.join(ENDINGS)}) in the workspace.")
    if len(found) > FILES_LIMIT:
        raise ToolInputError(
            f"There are {len(found)} files that may be records; name those that matter (at most {FILES_LIMIT})."
        )
    return found


def read_sources(
    files: Mapping[str, Path], data: Mapping[str, Any], config: Mapping[str, Any]
) -> list[Source]:
    """Return the records of files. `data`: zones that the user gave.

    Raises:
        ToolInputError: a file is too large or no text, two have one name, or a zone is unknown.
    """
    usual = fixed_zone(str(config.get("zone") or "UTC")) or zone_of(str(config.get("zone")))
    names = [path.rpartition("/")[2] for path in files]
    if len(set(names)) < len(names):
        raise ToolInputError(
            "Two of the files have the same name; their lines could not be told apart."
        )
    found = []
    for path, file in files.items():
        if file.stat().st_size > LIMIT_BYTES:
            raise ToolInputError(f"{path} is larger than 32 MiB; give the part that matters.")
        found.append(read_source(decode(file.read_bytes(), path), path, data["zones"], usual))
    return found


def judged_incident(
    sources: Sequence[Source], data: Mapping[str, Any], config: Mapping[str, Any]
) -> tuple[Incident, Any]:
    """Return the incident, and the zone in which it is told."""
    minutes = config.get("gap_minutes", GAP_MINUTES)
    matrix = config.get("severity_matrix") or {}
    if not isinstance(matrix, Mapping) or not isinstance(minutes, int) or minutes < 1:
        raise ToolInputError("severity_matrix must be a table and gap_minutes a number of minutes.")
    zone = zone_of(str(config.get("zone") or "UTC"))
    return incident_of(sources, data["marks"], matrix, minutes), zone


def postmortem_write(
    context: ToolContext,
    paths: Sequence[str] = (),
    title: str = "",
    analysis: Sequence[dict[str, Any]] = (),
    output: str = "",
    zones: Mapping[str, str] | None = None,
    marks: Mapping[str, str] | None = None,
    request: str = "",
) -> ToolAnswer:
    """Write a blameless post-mortem from the records of an incident: measures, impact, timeline, actions, and what is open.

    Args:
        context: filled in by Deskmate.
        paths: as in `incident_timeline`.
        title: what it is called; empty: the day of the incident.
        analysis: list of {text, cites}: your own lines on causes, what helped and what was learned; `cites`: the lines
            that each rests on, such as ["app.log:12"]. Figures in them must stand in those lines or in the measures.
        output: workspace path, ending in .md. Empty: postmortem.md beside the first record.
        zones: as in `incident_timeline`.
        marks: as in `incident_timeline`.
        request: the user's words.

    Returns:
        `output`, `severity`, and in words `measures`, `impact`, `actions`, `open`; `events`: how many.

    Raises:
        ToolInputError: as in `incident_timeline`; a line of the analysis cites nothing, or blames.
    """
    files = _files(context, paths, request)
    data: dict[str, Any] = {"zones": dict(zones or {}), "marks": dict(marks or {}), "files": files}
    sources = read_sources({name: context.file(name) for name in files}, data, context.config)
    incident, zone = judged_incident(sources, data, context.config)
    people = people_in(sources)
    lines = [_line(one, sources, people) for one in analysis]
    actions, gaps = open_actions(actions_in(sources), _today())
    first = incident.marks.get("started") or incident.events[0].first
    title = " ".join(title.split()) or f"incident of {first.at.astimezone(zone).date().isoformat()}"
    if words := list(blaming(title, people)):
        raise ToolInputError(f"The title blames ({words[0]}).")
    everything = [*incident.gaps, *gaps]
    text = as_markdown(title, incident, people, zone, lines, actions, everything)
    target = context.target(output or f"{files[0].rpartition('/')[0]}/postmortem.md".lstrip("/"))
    if target.suffix.lower() != ".md":
        raise ToolInputError(f"{output} must end in .md.")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")
    deliverable = Deliverable(
        path=context.name_of(target),
        title=f"Post-mortem: {title}",
        role="postmortem",
        sources={f"record {number}": name for number, name in enumerate(files, start=1)},
        data={**data, "title": title, "analysis": lines},
    )
    result = {
        "output": deliverable.path,
        "severity": incident.severity,
        "events": len(incident.events),
        "measures": [f"{n}: {v} ({c})" for n, v, c in measures(incident, zone)],
        "impact": [f"{f.name}: {f.value} ({f.cite})" for f in incident.figures]
        or ["No figures in the records."],
        "actions": [f"{a.text}: {a.owner}, {a.due}, {a.status} ({a.cite})" for a in actions]
        or ["No action binds anybody yet."],
        "open": everything or ["Nothing."],
    }
    return ToolAnswer(result=result, deliverables=(deliverable,))


def _line(one: dict[str, Any], sources: Sequence[Source], people: frozenset[str]) -> dict[str, Any]:
    text, cites = one.get("text"), one.get("cites")
    if (
        not isinstance(text, str)
        or not text.strip()
        or not isinstance(cites, list | tuple)
        or not cites
    ):
        raise ToolInputError("A line of the analysis needs text and cites.")
    known = {source.name for source in sources}
    for cite in cites:
        name, _, number = str(cite).rpartition(":")
        if name not in known or not number.isdigit():
            raise ToolInputError(
                f"{cite!r} names no line of the records; write such as {sorted(known)[0]}:12."
            )
    if words := list(blaming(text, people)):
        raise ToolInputError(
            f"“{text[:80]}” blames ({words[0]}). Say what the system allowed, not who did it."
        )
    return {"text": " ".join(text.split()), "cites": [str(cite) for cite in cites]}
