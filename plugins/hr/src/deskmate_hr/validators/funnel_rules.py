"""HR-FUNNEL-TIES, and small groups of a funnel: each figure is counted again, and none gives a small group away."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from itertools import pairwise

from deskmate.plugin import Deliverable, Finding, ValidationContext
from deskmate_documents.scenes import picture_problems
from deskmate_documents.shown import sheet_problems
from deskmate_documents.tables import read_sheets, read_table
from deskmate_hr.funnel_book import HEADER, NOTES, funnel_scene, note_lines, sheet_name
from deskmate_hr.funnels import ALL, Candidate, Cohort, Funnel, funnels_of, kind_of, read_cohort
from deskmate_hr.linked import Mask, leaks
from deskmate_hr.people import HIDDEN, figures_of
from deskmate_hr.tools.report import least_of
from deskmate_hr.validators.findings import Problem, findings, unheld
from deskmate_hr.validators.recount import parsed_settings

RULE = "HR-FUNNEL-TIES"
FIX = "Run hiring_funnel again; do not edit its figures."
Rows = Sequence[Sequence[str]]


def funnel_ties(deliverable: Deliverable, context: ValidationContext) -> list[Finding]:
    """Count the original again, candidate by candidate; compare each cell and what is hidden, and draw the picture again.

    Source: house (SOURCES.md).
    """
    return findings(RULE, _untied(deliverable, context), FIX)


def _cohort(deliverable: Deliverable, context: ValidationContext) -> Cohort:
    path = deliverable.sources["candidates"]
    file = context.sources.file(path)
    assert file is not None
    groups, settings = parsed_settings(deliverable.data)
    return read_cohort(
        read_table(file, name=path, sheet=settings.get("sheet", "")), groups, settings
    )


def _untied(deliverable: Deliverable, context: ValidationContext) -> Iterator[Problem]:
    missing = unheld(deliverable, context, "candidates")
    if missing:
        yield from missing
        return
    cohort, least = _cohort(deliverable, context), least_of(context.config)
    path = deliverable.sources["candidates"]
    funnels = funnels_of(cohort, least)
    if deliverable.role == "funnel_picture":
        scene = funnel_scene(funnels, cohort, path)
        is_svg = context.file.suffix.lower() == ".svg"
        yield from picture_problems(context.file, scene.svg().encode() if is_svg else scene.png())
        return
    expected: dict[str, Rows] = {}
    for number, funnel in enumerate(funnels):
        expected[sheet_name(funnel, number)] = _recounted(cohort, funnel, number)
    expected[NOTES] = [["Notes"], *([line] for line in note_lines(cohort, least, path))]
    yield from sheet_problems(read_sheets(context.file, name=deliverable.path), expected)


def _recounted(cohort: Cohort, funnel: Funnel, number: int) -> list[list[str]]:
    """Return a sheet's cells, counted from the days alone; what is hidden is hidden as the rules have it."""
    grouped = funnel.by != ALL
    rows = [[funnel.by, *HEADER] if grouped else list(HEADER)]
    labels = cohort.sorted_by[number].labels
    last = len(cohort.stages) - 1
    for label, rungs in funnel.groups.items():
        members = [c for c, own in zip(cohort.candidates, labels, strict=True) if own == label]
        counts = [_reached(members, place) for place in range(last + 1)]
        for place, rung in enumerate(rungs):
            known = rung.reached is not None
            row = [str(counts[place]) if known else HIDDEN]
            row.append(_unless(rung.stopped is None, counts[place] - counts[min(place + 1, last)]))
            row.append(_ratio(counts, place, 0, known and rungs[0].reached is not None))
            onward = place < last and known and rungs[place + 1].reached is not None
            row.append(_ratio(counts, min(place + 1, last), place, onward))
            spans = _spans(members, place)
            row.append(
                _unless(rung.median is None, Decimal(str(statistics.median(spans))) if spans else 0)
            )
            row.append(_unless(rung.most is None, _ninetieth(spans)))
            if place == last:
                row[1], row[3:] = "", ["", "", ""]
            rows.append([label, rung.stage, *row] if grouped else [rung.stage, *row])
    return rows


def _unless(hidden: bool, figure: object) -> str:
    return HIDDEN if hidden else str(figure)


def _ratio(counts: Sequence[int], part: int, whole: int, shown: bool) -> str:
    return str(Decimal(counts[part]) / counts[whole]) if shown and counts[whole] else HIDDEN


def _reached(members: Sequence[Candidate], place: int) -> int:
    return sum(any(stage >= place for stage in one.days) for one in members)


def _spans(members: Sequence[Candidate], place: int) -> list[int]:
    found = []
    for one in members:
        ordered: list[tuple[int, date]] = sorted(one.days.items())
        for (stage, day), (_, following) in pairwise(ordered):
            if stage == place:
                found.append(following.toordinal() - day.toordinal())
    return sorted(found)


def _ninetieth(spans: Sequence[int]) -> int:
    """Return the smallest figure that nine in ten do not exceed."""
    return next((s for s in spans if 10 * sum(other <= s for other in spans) >= 9 * len(spans)), 0)


def funnel_exposed(deliverable: Deliverable, context: ValidationContext) -> Iterator[Problem]:
    """Yield counts that are small, or let a small one be worked out, from what the workbook really shows."""
    least = least_of(context.config)
    shown = read_sheets(context.file, name=deliverable.path)
    for name, rows in shown.items():
        for number, row in enumerate(rows[1:], start=2) if name != NOTES else ():
            for title, cell in zip(rows[0], row, strict=False):
                if title in HEADER[1:3] and cell.isdigit() and 0 < int(cell) < least:
                    yield f"The count {cell} is small.", f"sheet {name}, row {number}"
    missing = unheld(deliverable, context, "candidates")
    if missing:
        yield from missing
        return
    cohort = _cohort(deliverable, context)
    kinds = [kind_of(one, len(cohort.stages)) for one in cohort.candidates]
    figures, masks = figures_of(cohort.sorted_by, kinds, least)
    seen: set[Mask] = set()
    for number, (grouping, own) in enumerate(zip(cohort.sorted_by, masks, strict=True)):
        name = sheet_name(Funnel(by=grouping.by, groups={}), number)
        seen |= _seen(shown.get(name, ()), own, cohort.stages, grouped=grouping.by != ALL)
    for leak in leaks(figures, seen - {0})[:5]:
        yield f"The shown counts give away a small group: {leak.why}.", ""


def _seen(
    rows: Rows, own: Mapping[str, tuple[Mask, ...]], stages: Sequence[str], *, grouped: bool
) -> set[Mask]:
    """Return the masks of the counts that a sheet shows, or that its shares give away."""
    found: set[Mask] = set()
    for row in rows[1:]:
        label = row[0] if grouped else ALL
        cells = list(row[1:] if grouped else row)
        if label not in own or not cells or cells[0] not in stages:
            continue
        place = stages.index(cells[0])
        cells += [""] * (len(HEADER) - len(cells))
        marks, dark = own[label], ("", HIDDEN)
        if cells[1] not in dark or cells[3] not in dark:
            found.add(marks[place])
        if cells[2] not in dark:
            found.add(marks[len(stages) + place])
        if cells[4] not in dark and place + 1 < len(stages):
            found |= {marks[place], marks[place + 1]}
    return found
