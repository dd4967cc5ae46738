"""HR-SMALL-CELLS and HR-FIGURES-TIE: nobody is exposed, and the figures are those of the source."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from deskmate.plugin import Deliverable, Finding, ToolInputError, ValidationContext
from deskmate_documents.tables import read_table
from deskmate_hr.people import FLAGS, HIDDEN, TOTAL, WALK, people_tables
from deskmate_hr.publication import Published, read_report
from deskmate_hr.suppression import SMALLEST, exposures
from deskmate_hr.tools.report import source_note

SMALL, TIE = "HR-SMALL-CELLS", "HR-FIGURES-TIE"
LAWS = {
    ("Headcount",): (),
    ("Headcount", "Left", "Stayed"): FLAGS,
    ("Opening", "Hires", "Leavers", "Closing"): WALK,
}
LIMIT = 20

Rows = Sequence[Sequence[str]]


def small_cells(deliverable: Deliverable, context: ValidationContext) -> list[Finding]:
    """Refuse a report that shows a count from 1 to 4, or lets one be worked out within a table.

    Source: threshold 5 and complementary suppression after statistical disclosure control; house (SOURCES.md).
    """
    try:
        report = read_report(context.file, deliverable.path)
    except ToolInputError as problem:
        return [_finding(SMALL, problem.message, "")]
    found: list[Finding] = []
    for number, rows in enumerate(report.tables, start=1):
        found += [_finding(SMALL, message, f"table {number}") for message in _table_problems(rows)]
    return found[:LIMIT]


def _finding(rule: str, message: str, where: str) -> Finding:
    fix = (
        "Run people_report again, with coarser groups if it asks for them; do not edit its tables."
    )
    return Finding(rule=rule, level="error", message=message, location=where, fix=fix)


def _table_problems(rows: Rows) -> Iterator[str]:
    names = next(
        (n for n in LAWS if rows and tuple(rows[0][1 : len(n) + 1]) == n and _fits(rows[0], n)),
        None,
    )
    if names is None:
        for row in rows:
            yield from (
                f"The count {cell} in row {row[0]!r} is small." for cell in row if _is_small(cell)
            )
        return
    grid = [
        [int(cell) if cell.isdigit() else None for cell in row[1 : len(names) + 1]]
        for row in rows[1:]
    ]
    for row, counts in zip(rows[1:], grid, strict=True):
        yield from (
            f"The count {count} in row {row[0]!r} is small."
            for count in counts
            if count and count < SMALLEST
        )
        for place, rate in enumerate(row[len(names) + 1 :]):
            needed = counts if place else [counts[-1 if LAWS[names] == WALK else 0]]
            if rate != HIDDEN and None in needed:
                yield f"The percentage {rate} in row {row[0]!r} gives away a hidden count."
    if not rows[1:] or rows[-1][0] != TOTAL:
        yield "The table has no row of totals, so its protection cannot be checked."
        return
    for cells, why in exposures(grid, LAWS[names]):
        places = " and ".join(f"{rows[r + 1][0]!r} {names[c]}" for r, c in cells)
        yield f"Hidden counts can be worked out: {places}; {why}."


def _fits(header: Sequence[str], names: Sequence[str]) -> bool:
    return len(header) == len(names) + 1 or header[len(names) + 1].startswith("Share")


def _is_small(cell: str) -> bool:
    return cell.isdigit() and 0 < int(cell) < SMALLEST


def figures_tie(deliverable: Deliverable, context: ValidationContext) -> list[Finding]:
    """Compute the tables again from the original employee table and compare each cell and each figure.

    Source: house (SOURCES.md).
    """
    path = deliverable.sources.get("employees", "")
    source = context.sources.file(path) if path else None
    if source is None:
        return [
            _finding(
                TIE,
                f"UNVERIFIED: the table {path or '(none named)'} is not among the originals.",
                "",
            )
        ]
    groups, settings = deliverable.data.get("group_by"), deliverable.data.get("settings")
    if (
        not isinstance(groups, Sequence)
        or isinstance(groups, str)
        or not isinstance(settings, Mapping)
    ):
        return [
            _finding(
                TIE, "The deliverable does not say how it was computed (group_by, settings).", ""
            )
        ]
    try:
        report = read_report(context.file, deliverable.path)
        table = read_table(source, name=path)
        expected, notes = people_tables(
            table, [str(g) for g in groups], {str(k): str(v) for k, v in settings.items()}
        )
    except ToolInputError as problem:
        return [_finding(TIE, f"It cannot be computed again: {problem.message}", "")]
    known = [source_note(path), *notes, *(str(g) for g in groups)]
    found = list(_differences(report, [t.rows for t in expected]))
    found += list(_stray_figures(report, [t.rows for t in expected], known))
    return [_finding(TIE, message, where) for message, where in found[:LIMIT]]


def _differences(report: Published, expected: Sequence[Rows]) -> Iterator[tuple[str, str]]:
    if len(report.tables) != len(expected):
        yield f"The report shows {len(report.tables)} tables; the source gives {len(expected)}.", ""
        return
    for number, (shown, right) in enumerate(zip(report.tables, expected, strict=True), start=1):
        where = f"table {number}"
        if len(shown) != len(right):
            yield f"It has {len(shown)} rows; the source gives {len(right)}.", where
            continue
        for line, (cells, truth) in enumerate(zip(shown, right, strict=True), start=1):
            if tuple(cells) != tuple(truth):
                yield (
                    f"It says {' | '.join(cells)}; the source gives {' | '.join(truth)}.",
                    f"{where}, row {line}",
                )


def _stray_figures(
    report: Published, expected: Sequence[Rows], known: Sequence[str]
) -> Iterator[tuple[str, str]]:
    cells = [cell for rows in expected for row in rows for cell in row]
    allowed = {figure for text in (*cells, *known) for figure in _FIGURE.findall(text)}
    for line in report.lines:
        for figure in _FIGURE.findall(line):
            if figure not in allowed:
                yield f"The figure {figure} is in no table: {line[:120]!r}.", "text"


_FIGURE = re.compile(r"\d+(?:[.,]\d+)*")
