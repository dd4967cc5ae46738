"""HR-WALK-TIES: a headcount walk is counted again by other means, ties to zero in each unit, and shows no small unit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import date

from deskmate.plugin import Deliverable, Finding, ValidationContext
from deskmate_documents.scenes import picture_problems
from deskmate_documents.shown import sheet_problems
from deskmate_documents.tables import Table, read_sheets, read_table
from deskmate_hr.grouping import NOT_STATED, TOTAL
from deskmate_hr.tools.report import least_of
from deskmate_hr.tools.walk import period_of, roll_from
from deskmate_hr.validators.findings import Problem, findings, unheld
from deskmate_hr.walk_book import (
    BRIDGE,
    BRIDGE_HEADER,
    HEADER,
    NOTES,
    UNITS,
    WALK,
    note_lines,
    walk_scene,
)
from deskmate_hr.walks import (
    OTHER,
    column_of,
    keys_of,
    read_people,
    small_units,
    unit_name,
    walk_of,
)
from deskmate_hr.walks import (
    UNITS as UNIT_NAMES,
)

RULE = "HR-WALK-TIES"
FIX = (
    "Run headcount_walk again; do not edit its figures. If the source is wrong, correct the source."
)
Counts = dict[str, list[int]]
"""Unit → opening, hires, moves in, leavers, moves out, closing."""


def walk_ties(deliverable: Deliverable, context: ValidationContext) -> list[Finding]:
    """Count the originals again: day by day, or by the sets of employee ids; compare each cell, and draw the picture again.

    Source: arithmetic; house (SOURCES.md).
    """
    return findings(RULE, _untied(deliverable, context), FIX)


def _untied(deliverable: Deliverable, context: ValidationContext) -> Iterator[Problem]:
    roles = [
        role for role in ("opening", "closing", "employees", "moves") if role in deliverable.sources
    ]
    missing = unheld(deliverable, context, *(roles or ("employees",)))
    if missing:
        yield from missing
        return
    names = {role: deliverable.sources[role] for role in roles}
    files = {role: file for role, path in names.items() if (file := context.sources.file(path))}
    given = deliverable.data.get("settings")
    options = {str(k): str(v) for k, v in given.items()} if isinstance(given, Mapping) else {}
    least = least_of(context.config)
    roll = roll_from(files, names, options)
    if deliverable.role == "headcount_picture":
        scene = walk_scene(roll, walk_of(roll, least)[0])
        is_svg = context.file.suffix.lower() == ".svg"
        yield from picture_problems(context.file, scene.svg().encode() if is_svg else scene.png())
        return
    tables = {role: read_table(file, name=names[role]) for role, file in files.items()}
    counts = _by_ids(tables, options) if "closing" in tables else _by_days(tables, options)
    merged = small_units({unit: (n[0], n[5]) for unit, n in counts.items()}, least)
    shown = read_sheets(context.file, name=deliverable.path)
    yield from _small(shown.get(WALK, ()), least)
    together = _together(counts, merged, tables, options)
    notes = [["Notes"], *([line] for line in note_lines(roll, merged, list(names.values())))]
    expected = {WALK: _walk(roll.by, together), **_bridges(together), NOTES: notes}
    yield from sheet_problems(shown, expected)


def _by_ids(tables: Mapping[str, Table], options: Mapping[str, str]) -> Counts:
    """Count two extracts by sets of ids, unit by unit."""
    sides = []
    for role in ("opening", "closing"):
        table = tables[role]
        units = table.values(column_of(table, UNIT_NAMES, options.get("unit", ""), "unit"))
        own: dict[str, set[str]] = {}
        for key, (_, text) in zip(keys_of(table, options), units, strict=True):
            own.setdefault(unit_name(text), set()).add(key)
        sides.append(own)
    before, after = sides
    everybody = [set().union(*side.values()) for side in sides]
    counts: Counts = {}
    for unit in {*before, *after}:
        old, new = before.get(unit, set()), after.get(unit, set())
        counts[unit] = [
            len(old),
            len(new - everybody[0]),
            len((new - old) & everybody[0]),
            len(old - everybody[1]),
            len((old - new) & everybody[1]),
            len(new),
        ]
    return counts


def _by_days(tables: Mapping[str, Table], options: Mapping[str, str]) -> Counts:
    """Play a register forward, event by event, from the first hire to the end of the period."""
    start, end = period_of(options)
    people, _ = read_people(tables["employees"], tables.get("moves"), options)
    events: list[tuple[date, int, str, str, str]] = []
    for person in people:
        first = person.moves[0].origin if person.moves else person.unit
        events.append((person.came, 0, person.key, "", first))
        events += [(m.day, 1, m.key, m.origin, m.to) for m in person.moves]
        if person.left is not None:
            events.append((person.left, 2, person.key, "", ""))
    there: dict[str, str] = {}
    counts: Counts = {}
    opened = False
    for day, kind, key, _, to in sorted(events):
        if day > end:
            break
        if day >= start and not opened:
            opened = True
            _add(counts, there, 0)
        unit = there.get(key, "")
        if kind == 2:
            del there[key]
        else:
            there[key] = to
        if day >= start:
            places = {0: ((to, 1),), 1: ((to, 2), (unit, 4)), 2: ((unit, 3),)}[kind]
            for name, place in places:
                counts.setdefault(name, [0] * 6)[place] += 1
    if not opened:
        _add(counts, there, 0)
    _add(counts, there, 5)
    return counts


def _add(counts: Counts, there: Mapping[str, str], place: int) -> None:
    for unit, number in Counter(there.values()).items():
        counts.setdefault(unit, [0] * 6)[place] += number


def _together(
    counts: Counts, merged: Sequence[str], tables: Mapping[str, Table], options: Mapping[str, str]
) -> Counts:
    """Return the counts with small units as one; moves among them are none."""
    found = {unit: list(row) for unit, row in counts.items() if unit not in merged}
    if merged:
        found[OTHER] = [sum(counts[unit][place] for unit in merged) for place in range(6)]
        inner = _inner_moves(set(merged), tables, options)
        found[OTHER][2] -= inner
        found[OTHER][4] -= inner
    order = sorted(found, key=lambda unit: (unit == OTHER, unit == NOT_STATED, unit.lower()))
    return {unit: found[unit] for unit in order}


def _inner_moves(merged: set[str], tables: Mapping[str, Table], options: Mapping[str, str]) -> int:
    if "closing" not in tables:
        start, end = period_of(options)
        people, _ = read_people(tables["employees"], tables.get("moves"), options)
        moves = [m for person in people for m in person.moves if start <= m.day <= end]
        return sum(m.origin in merged and m.to in merged for m in moves)
    units = []
    for role in ("opening", "closing"):
        table = tables[role]
        column = column_of(table, UNIT_NAMES, options.get("unit", ""), "unit")
        names = (unit_name(text) for _, text in table.values(column))
        units.append(dict(zip(keys_of(table, options), names, strict=True)))
    before, after = units
    return sum(
        before[key] in merged and after[key] in merged and before[key] != after[key]
        for key in before.keys() & after.keys()
    )


def _walk(by: str, counts: Counts) -> list[list[str]]:
    rows = [[*own[:5], own[5], own[5] - own[0], own[5], 0] for own in counts.values()]
    total = [sum(column) for column in zip(*rows, strict=True)]
    named = zip([*counts, TOTAL], [*rows, total], strict=True)
    return [[by, *HEADER], *([unit, *map(str, row)] for unit, row in named)]


def _bridges(counts: Counts) -> dict[str, list[list[str]]]:
    opening, hires, _, leavers, _, closing = (
        sum(row[p] for row in counts.values()) for p in range(6)
    )
    units = sorted(counts.items(), key=lambda item: item[1][0] - item[1][5])
    by_unit = [(unit, row[5] - row[0]) for unit, row in units]
    whole = [("Hires", hires), ("Leavers", -leavers)]
    return {
        BRIDGE: _bridge(opening, whole, closing),
        UNITS: _bridge(opening, by_unit, closing),
    }


def _bridge(opening: int, changes: Sequence[tuple[str, int]], closing: int) -> list[list[str]]:
    rows: list[list[object]] = [["Opening", opening, 0, opening, 0, opening]]
    at = opening
    for step, change in changes:
        to = at + change
        rows.append([step, change, at, to, min(at, to), "", max(change, 0), max(-change, 0)])
        at = to
    rows.append(["Closing", closing, 0, closing, 0, closing])
    return [list(BRIDGE_HEADER), *([str(cell) for cell in row] for row in rows)]


def _small(rows: Sequence[Sequence[str]], least: int) -> Iterator[Problem]:
    for number, row in enumerate(rows[1:], start=2):
        for place in (1, 6, 8):
            if place < len(row) and row[place].isdigit() and 0 < int(row[place]) < least:
                yield f"{row[0]} is shown with {row[place]} people.", f"{WALK}!row {number}"
