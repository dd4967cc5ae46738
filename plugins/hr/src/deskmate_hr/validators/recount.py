"""Counts the people of a table a second time, row by row and without the tool's code, to compare a report with."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from deskmate.plugin import ToolInputError
from deskmate_documents.tables import Table
from deskmate_hr.grouping import TOTAL, groupings
from deskmate_hr.measures import Amounts, amounts_of, measure_of
from deskmate_hr.people import HIDDEN
from deskmate_hr.publication import Published
from deskmate_hr.validators.findings import Problem

_DIGITS = re.compile(r"-?\d[\d,]*(?:\.\d+)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """What a row of the source says. `flags`: opening or headcount, hires, …; `values`: tenure, pay."""

    groups: tuple[str, ...]
    flags: Mapping[str, bool]
    values: Mapping[str, Fraction | None]
    counted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Roll:
    """All people, and how the columns of the report are called."""

    people: tuple[Person, ...]
    names: tuple[str, ...]
    base: str
    values: tuple[Amounts, ...]
    by: tuple[str, ...]


def roll_of(table: Table, group_by: Sequence[str], settings: Mapping[str, str]) -> Roll:
    """Return the people of the source as the report's own settings read it."""
    measure = measure_of(table, settings)
    values = amounts_of(table, settings, measure)
    sorted_by = groupings(table, group_by, settings.get("bands", ""))
    people = []
    for place in range(len(table.rows)):
        flags = dict(zip(measure.names, map(bool, measure.counts(place)), strict=True))
        people.append(
            Person(
                groups=tuple(grouping.labels[place] for grouping in sorted_by),
                flags=flags,
                values={one.name: _fraction(one, place) for one in values},
                counted=flags[measure.names[measure.base]],
            )
        )
    return Roll(
        people=tuple(people),
        names=measure.names,
        base=measure.names[measure.base],
        values=tuple(values),
        by=tuple(grouping.by for grouping in sorted_by),
    )


def _fraction(amounts: Amounts, place: int) -> Fraction | None:
    value = amounts.each[place]
    return None if value is None else Fraction(value)


def table_problems(report: Published, roll: Roll) -> Iterator[Problem]:
    """Yield each cell that counting does not give, groups that are missing or too many, columns that are others."""
    if len(report.tables) != len(roll.by):
        yield f"The report shows {len(report.tables)} tables; {len(roll.by)} were asked for.", ""
        return
    for number, rows in enumerate(report.tables):
        where = f"table {number + 1}"
        header = header_of(roll, number)
        if not rows or list(rows[0]) != header:
            yield (
                f"Its columns are {', '.join(rows[0] if rows else ())}; they are {', '.join(header)}.",
                where,
            )
            continue
        wanted = {person.groups[number] for person in roll.people}
        labels = [row[0] for row in rows[1:]]
        if sorted(labels) != sorted([*wanted, TOTAL]) or labels[-1] != TOTAL:
            yield "Its groups are not those of the source, each once, and the total last.", where
            continue
        for line, row in enumerate(rows[1:], start=2):
            members = [p for p in roll.people if row[0] in (TOTAL, p.groups[number])]
            for name, cell in zip(header[1:], row[1:], strict=True):
                wrong = _wrong(cell, name, members, roll)
                if wrong:
                    yield f"{name} of {row[0]} is {cell}; {wrong}.", f"{where}, row {line}"


def header_of(roll: Roll, number: int) -> list[str]:
    """Return the header that a table has."""
    rate = ["Attrition"] if len(roll.names) > 1 else []
    middle = [f"{kind} {one.name}" for one in roll.values for kind in ("Mean", "Median")]
    return [roll.by[number], *roll.names, f"Share of {roll.base.lower()}", *rate, *middle]


def _wrong(cell: str, name: str, members: Sequence[Person], roll: Roll) -> str:
    """Return what is wrong with a cell, nothing if counting gives it or it is hidden."""
    if cell == HIDDEN:
        return ""
    truth, scale = _truth(name, members, roll)
    if truth is None:
        return "the source gives nothing there"
    figure = _DIGITS.fullmatch(cell.removesuffix(" %"))
    if figure is None or cell.endswith("%") != (scale == 100):
        return "that is no such figure"
    shown = Fraction(figure[0].replace(",", ""))
    last = Fraction(1, 10 ** len(figure[0].partition(".")[2]))
    exact = scale == 0
    gap = abs(shown - truth * (scale or 1))
    return (
        ""
        if gap == 0 or (not exact and gap <= last / 2)
        else f"the source gives {float(truth * (scale or 1)):.6g}"
    )


def _truth(name: str, members: Sequence[Person], roll: Roll) -> tuple[Fraction | None, int]:
    """Return the true figure and its scale: 0 for counts, 100 for percentages, 1 for others."""
    if name in roll.names:
        return Fraction(sum(person.flags[name] for person in members)), 0
    counts = {each: sum(p.flags[each] for p in members) for each in roll.names}
    if name.startswith("Share of "):
        whole = sum(person.flags[roll.base] for person in roll.people)
        return (Fraction(counts[roll.base], whole) if whole else None), 100
    if name == "Attrition":
        if "Left" in counts:
            return Fraction(counts["Left"], counts["Headcount"]), 100
        both = counts["Opening"] + counts["Closing"]
        return (Fraction(2 * counts["Leavers"], both) if both else None), 100
    kind, _, of = name.partition(" ")
    known = sorted(v for p in members if p.counted and (v := p.values[of]) is not None)
    if not known:
        return None, 1
    if kind == "Mean":
        return sum(known, Fraction()) / len(known), 1
    half = len(known) // 2
    return (known[half] if len(known) % 2 else (known[half - 1] + known[half]) / 2), 1


def parsed_settings(data: Mapping[str, object]) -> tuple[list[str], dict[str, str]]:
    """Return the groupings and settings that a deliverable declares.

    Raises:
        ToolInputError: it declares none.
    """
    groups, settings = data.get("group_by"), data.get("settings")
    if (
        not isinstance(groups, Sequence)
        or isinstance(groups, str)
        or not isinstance(settings, Mapping)
    ):
        raise ToolInputError(
            "The deliverable does not say how it was computed (group_by, settings)."
        )
    return [str(group) for group in groups], {str(k): str(v) for k, v in settings.items()}
