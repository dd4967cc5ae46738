"""Whether a version may go out: its checks, its migrations and who approved it, each with the record that shows it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from deskmate.plugin import ToolInputError
from deskmate_documents.tables import Table, find_column, read_table

TABLES = (".csv", ".tsv", ".xlsx")
CHECKS, MIGRATIONS, APPROVALS = "checks", "migrations", "approvals"
KINDS = (CHECKS, MIGRATIONS, APPROVALS)
_PASSED = frozenset({"passed", "pass", "success", "successful", "succeeded", "ok", "green"})
_COLUMNS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    CHECKS: {
        "name": ("check", "job", "name", "workflow"), "run": ("run id", "run", "build", "build id"),
        "commit": ("commit", "sha", "revision"), "result": ("result", "status", "conclusion"),
        "day": ("finished", "date", "completed"),
    },
    MIGRATIONS: {
        "name": ("migration", "id", "name", "change"), "rollback": ("rollback", "reversal", "down"),
        "tested": ("rollback tested", "tested", "tested on"), "approver": ("approver", "approved by"),
    },
    APPROVALS: {
        "name": ("approver", "name", "approved by"), "role": ("role", "for", "area"), "day": ("date", "approved on", "approved"),
        "commit": ("commit", "sha", "revision"),
    },
}  # fmt: skip
_NEEDED = {CHECKS: ("name", "run", "result"), MIGRATIONS: ("name",), APPROVALS: ("name", "day")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a deployment needs. `required`: checks that must be there. `author`: who may not approve alone. `fresh_days`: of a tested rollback."""

    commit: str
    author: str
    today: date
    required: tuple[str, ...]
    approvers: int
    fresh_days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """One box. `open`: why it is not ticked, "" if it is. `shown`: the record that ticks it, with its row."""

    part: str
    name: str
    shown: str
    open: str


def boxes_of(files: Mapping[str, tuple[Path, str]], terms: Terms) -> tuple[Box, ...]:
    """Return all boxes. `files`: kind → (file, workspace path); a kind without a file is one open box.

    Raises:
        ToolInputError: a column is missing, or a date is none.
    """
    found: list[Box] = []
    for kind, boxes in ((CHECKS, _checks), (MIGRATIONS, _migrations), (APPROVALS, _approvals)):
        if kind not in files:
            found.append(Box(part=kind, name=kind, shown="", open=f"no list of {kind} was given"))
            continue
        file, name = files[kind]
        rows = list(_rows(read_table(file, name=name), kind, name))
        found += boxes(rows, terms)
    return tuple(found)


Row = Mapping[str, str]


def _rows(table: Table, kind: str, name: str) -> Iterator[Row]:
    columns = {key: find_column(table, names) for key, names in _COLUMNS[kind].items()}
    missing = [key for key in _NEEDED[kind] if columns[key] is None]
    if missing:
        raise ToolInputError(
            f"{name} needs a column {_COLUMNS[kind][missing[0]][0]}; it has {', '.join(table.columns)}."
        )
    places = {key: table.columns.index(column) for key, column in columns.items() if column}
    for row in table.rows:
        if any(cell.strip() for cell in row.cells):
            cells = {key: " ".join(row.cells[place].split()) for key, place in places.items()}
            yield {**dict.fromkeys(columns, ""), **cells, "where": f"{name}, row {row.number}"}


def _checks(rows: list[Row], terms: Terms) -> Iterator[Box]:
    latest: dict[str, Row] = {}
    for row in rows:  # of several runs of a check the last row counts
        if _same(row["commit"], terms.commit) or not row["commit"]:
            latest[row["name"].lower()] = row
    names = {row["name"].lower(): row["name"] for row in rows if row["name"]}
    names |= {one.lower(): one for one in terms.required}
    for key, name in names.items():
        run = latest.get(key)
        if run is None:
            why = (
                f"no run of it for {terms.commit}"
                if key in {r["name"].lower() for r in rows}
                else "it never ran"
            )
            yield Box(part=CHECKS, name=name, shown="", open=why)
            continue
        why = ""
        if not run["run"]:
            why = "its run has no id"
        elif not run["commit"]:
            why = "its run names no commit"
        elif run["result"].lower() not in _PASSED:
            why = f"run {run['run']} says {run['result'] or 'nothing'}"
        shown = f"run {run['run'] or '?'} on {run['day'] or 'a day not named'}: {run['result']} ({run['where']})"
        yield Box(part=CHECKS, name=name, shown=shown, open=why)


def _migrations(rows: list[Row], terms: Terms) -> Iterator[Box]:
    for row in rows:
        shown = f"rollback: {row['rollback'] or 'none'}, tested {row['tested'] or 'never'}, approved by {row['approver'] or 'nobody'} ({row['where']})"
        yield Box(
            part=MIGRATIONS,
            name=row["name"] or row["where"],
            shown=shown,
            open="; ".join(_lacks(row, terms)),
        )


def _lacks(row: Row, terms: Terms) -> Iterator[str]:
    if not row["rollback"]:
        yield "no rollback is described"
    if not row["approver"]:
        yield "nobody approved it"
    elif row["approver"].lower() == terms.author.lower():
        yield f"{row['approver']} wrote the change and approved it"
    if not row["tested"]:
        yield "its rollback was never tested"
        return
    day = _day(row["tested"], row["where"])
    if day > terms.today:
        yield f"its rollback is tested on {day}, which has not come yet"
    elif (terms.today - day).days > terms.fresh_days:
        yield f"its rollback was tested on {day}, more than {terms.fresh_days} days ago"


def _approvals(rows: list[Row], terms: Terms) -> Iterator[Box]:
    counted: dict[str, Row] = {}
    for row in rows:
        fits = _same(row["commit"], terms.commit) or not row["commit"]
        past = _day(row["day"], row["where"]) <= terms.today if row["day"] else False
        own = row["name"].lower() == terms.author.lower()
        if row["name"] and fits and past and not own:
            counted.setdefault(row["name"].lower(), row)
    for row in counted.values():
        role = f" for {row['role']}" if row["role"] else ""
        yield Box(
            part=APPROVALS,
            name=row["name"],
            shown=f"on {row['day']}{role} ({row['where']})",
            open="",
        )
    lacking = terms.approvers - len(counted)
    if lacking > 0:
        why = (
            f"{len(counted)} of {terms.approvers} people besides the author approved {terms.commit}"
        )
        yield Box(part=APPROVALS, name="approvals", shown="", open=why)


def _same(one: str, other: str) -> bool:
    """Say whether two names of a commit are the same, one of them perhaps short."""
    one, other = one.lower(), other.lower()
    short, long = sorted((one, other), key=len)
    return (len(short) >= 7 and long.startswith(short)) or (bool(one) and one == other)


def _day(text: str, where: str) -> date:
    try:
        return date.fromisoformat(text[:10])
    except ValueError as problem:
        raise ToolInputError(f"{where}: {text!r} is no day such as 2026-03-02.") from problem


def as_markdown(boxes: tuple[Box, ...], terms: Terms) -> str:
    """Return the checklist: verdict, terms, a box a line, ticked only with its record."""
    left = sum(bool(box.open) for box in boxes)
    verdict = "not ready" if left else "every box has its record"
    lines = [
        f"# Deployment of {terms.commit}",
        "",
        f"**{verdict[0].upper()}{verdict[1:]}**: {len(boxes) - left} of {len(boxes)} boxes are ticked, as of {terms.today}.",
        f"Author: {terms.author or 'not named'}. Approvers needed besides: {terms.approvers}. A tested rollback counts for {terms.fresh_days} days.",
    ]
    for part in KINDS:
        lines += ["", f"## {part.capitalize()}", ""]
        for box in boxes:
            if box.part == part:
                name = re.sub(r"([\\`*_\[\]<>])", r"\\\1", box.name)
                lines.append(f"- [{' ' if box.open else 'x'}] {name}: " + "; ".join(filter(None, (box.open, box.shown))))  # fmt: skip
    lines += [
        "",
        "Computed from the lists; it approves nothing. Draft for professional review.",
        "",
    ]
    return "\n".join(lines)
