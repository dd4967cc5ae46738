"""HR-SMALL-CELLS and HR-FIGURES-TIE: nobody is exposed, and the figures are those of the source."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from deskmate.plugin import Deliverable, Finding, ToolInputError, ValidationContext
from deskmate_documents.tables import Table, read_table
from deskmate_hr.grouping import TOTAL, groupings
from deskmate_hr.linked import Figures, Mask, leaks
from deskmate_hr.measures import amounts_of, measure_of
from deskmate_hr.people import HIDDEN, figures_of, people_tables
from deskmate_hr.publication import Published, headlines, read_report, summary_rows
from deskmate_hr.tools.report import TITLE, least_of, source_note
from deskmate_hr.validators.findings import Problem, findings, unheld
from deskmate_hr.validators.funnel_rules import funnel_exposed
from deskmate_hr.validators.recount import parsed_settings, roll_of, table_problems

SMALL, TIE = "HR-SMALL-CELLS", "HR-FIGURES-TIE"
FIX = "Run people_report again, with coarser groups if it asks for them; do not edit its tables."
_COUNTS = ("Headcount", "Left", "Stayed", "Opening", "Hires", "Leavers", "Closing")
_FIGURE = re.compile(r"\d+(?:[.,]\d+)*")

Rows = Sequence[Sequence[str]]


def small_cells(deliverable: Deliverable, context: ValidationContext) -> list[Finding]:
    """Refuse a report that shows a count from 1 to 4, or lets one be worked out within or across its tables.

    Source: threshold 5 and complementary suppression after statistical disclosure control; house (SOURCES.md).
    """
    if deliverable.role == "hiring_funnel":
        fix = "Run hiring_funnel again, with coarser groups if it asks for them; do not edit its sheets."
        return findings(SMALL, funnel_exposed(deliverable, context), fix)
    return findings(SMALL, _exposed(deliverable, context), FIX)


def _exposed(deliverable: Deliverable, context: ValidationContext) -> Iterator[Problem]:
    report = read_report(context.file, deliverable.path)
    least = least_of(context.config)
    for number, rows in enumerate(report.tables, start=1):
        yield from ((message, f"table {number}") for message in _seen(rows, least))
    for message, where in unheld(deliverable, context, "employees"):
        yield message, where
        return
    yield from _worked_out(report, *_source(deliverable, context), least)


def _source(
    deliverable: Deliverable, context: ValidationContext
) -> tuple[Table, list[str], dict[str, str]]:
    path = deliverable.sources["employees"]
    file = context.sources.file(path)
    assert file is not None
    groups, settings = parsed_settings(deliverable.data)
    try:
        return read_table(file, name=path), groups, settings
    except ToolInputError as problem:
        raise ToolInputError(f"It cannot be computed again: {problem.message}") from problem


def _seen(rows: Rows, least: int) -> Iterator[str]:
    """Yield what can be seen in a table without its source: small counts, figures that rest on hidden ones."""
    header = list(rows[0]) if rows else []
    known = [place for place, name in enumerate(header) if name in _COUNTS]
    for row in rows[1:]:
        counts = known or range(1, len(row))
        yield from (
            f"The count {row[place]} in row {row[0]!r} is small."
            for place in counts
            if place < len(row) and row[place].isdigit() and 0 < int(row[place]) < least
        )
        dark = {header[place] for place in known if place < len(row) and row[place] == HIDDEN}
        for place in range(1, min(len(row), len(header))):
            if dark & _needs(header[place], header) and row[place] != HIDDEN:
                yield f"The figure {row[place]} in row {row[0]!r} gives away a hidden count."
    if len(rows) < 2 or rows[-1][0] != TOTAL:
        yield "The table has no row of totals, so its protection cannot be checked."


def _needs(name: str, header: Sequence[str]) -> set[str]:
    """Return the counts that must not be hidden where this figure is shown."""
    base = "Headcount" if "Headcount" in header else "Closing"
    if name.startswith(("Share of ", "Mean ", "Median ")):
        return {base}
    if name == "Attrition":
        return {"Headcount", "Left"} if base == "Headcount" else {"Opening", "Leavers", "Closing"}
    return set()


def _worked_out(
    report: Published, table: Table, groups: Sequence[str], settings: Mapping[str, str], least: int
) -> Iterator[Problem]:
    """Yield small groups that follow from all figures shown together."""
    measure = measure_of(table, settings)
    sorted_by = groupings(table, groups, settings.get("bands", ""))
    people = range(len(table.rows))
    kinds = [measure.counts(index) for index in people]
    figures, masks = figures_of(sorted_by, kinds, least)
    shown = _shown_masks(report, masks, measure.names)
    yield from _leaking(figures, shown, "The shown counts give away a small group")
    for one in amounts_of(table, settings, measure):
        who = [(1,) if one.each[i] is not None and kinds[i][measure.base] else None for i in people]
        figures, masks = figures_of(sorted_by, who, least)
        shown = _shown_masks(report, masks, (f"Mean {one.name}",))
        yield from _leaking(
            figures, shown, f"The shown means of {one.name} give away a small group's"
        )
        shown = _shown_masks(report, masks, (f"Median {one.name}",))
        for mask in shown:
            if figures.is_small(mask):
                yield f"A median of {one.name} is shown for {figures.size(mask)} people.", ""


def _leaking(figures: Figures, shown: set[Mask], what: str) -> Iterator[Problem]:
    yield from ((f"{what}: {leak.why}.", "") for leak in leaks(figures, shown)[:5])


def _shown_masks(
    report: Published, masks: Sequence[Mapping[str, tuple[Mask, ...]]], names: Sequence[str]
) -> set[Mask]:
    shown: set[Mask] = set()
    for rows, own in zip(report.tables, masks, strict=False):
        header = list(rows[0]) if rows else []
        for row in rows[1:]:
            for place, name in enumerate(names):
                at = header.index(name) if name in header else len(row)
                known = own.get(row[0])
                if known and at < len(row) and row[at] != HIDDEN:
                    shown.add(known[place])
    return shown - {0}


def figures_tie(deliverable: Deliverable, context: ValidationContext) -> list[Finding]:
    """Count the original employee table again and compare each cell, each key figure and each figure of the text.

    Source: house (SOURCES.md).
    """
    return findings(TIE, _untied(deliverable, context), FIX)


def _untied(deliverable: Deliverable, context: ValidationContext) -> Iterator[Problem]:
    missing = unheld(deliverable, context, "employees")
    if missing:
        yield from missing
        return
    shown = read_report(context.file, deliverable.path)
    table, groups, settings = _source(deliverable, context)
    try:
        roll = roll_of(table, groups, settings)
        expected = people_tables(table, groups, settings, least_of(context.config))
    except ToolInputError as problem:
        yield f"It cannot be computed again: {problem.message}", ""
        return
    yield from table_problems(shown, roll)
    yield from _otherwise_hidden(shown, [table.texts for table in expected.tables])
    if deliverable.path.lower().endswith(".xlsx"):
        right = [("Key figure", "All people")]
        right += [(name, text) for name, text, _ in summary_rows(expected)]
        if [tuple(filter(None, row)) for row in shown.summary] != right:
            yield "The key figures are not the totals of the first table.", "sheet Summary"
    path = deliverable.sources["employees"]
    known = [TITLE, source_note(path), *expected.notes, *headlines(expected), *groups]
    yield from (
        (f"The definition is missing: {note[:80]!r}.", "text")
        for note in expected.notes
        if note not in shown.lines
    )
    yield from _stray_figures(shown, known)


def _otherwise_hidden(report: Published, expected: Sequence[Rows]) -> Iterator[Problem]:
    """Yield cells that are shown and should be hidden, or the other way round."""
    for number, (rows, right) in enumerate(zip(report.tables, expected, strict=False), start=1):
        truth = {row[0]: row for row in right}
        for line, row in enumerate(rows[1:], start=2):
            for name, cell, whole in zip(rows[0], row, truth.get(row[0], ()), strict=False):
                if (cell == HIDDEN) != (whole == HIDDEN):
                    state = "hidden" if cell == HIDDEN else "shown"
                    yield (
                        f"{name} of {row[0]} is {state}, other than the rules have it.",
                        f"table {number}, row {line}",
                    )


def _stray_figures(report: Published, known: Sequence[str]) -> Iterator[Problem]:
    cells = [cell for rows in report.tables for row in rows for cell in row]
    allowed = {figure for text in (*cells, *known) for figure in _FIGURE.findall(text)}
    for line in report.lines:
        for figure in _FIGURE.findall(line):
            if figure not in allowed:
                yield f"The figure {figure} is in no table: {line[:120]!r}.", "text"
