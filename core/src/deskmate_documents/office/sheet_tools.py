"""Tools for workbooks: a map, windows of cells with what they read, and edits that patch the file."""

from __future__ import annotations

import hashlib
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from deskmate.plugin import Deliverable, Evidence, ToolAnswer, ToolContext
from deskmate.types.ids import Digest
from deskmate_documents.office.sheet_record import (
    keep_original,
    recall,
    remember,
    result_file,
    workbook_file,
)

if TYPE_CHECKING:
    from deskmate_documents.xlsx.book import Sheet, Workbook
    from deskmate_documents.xlsx.cells import Value
    from deskmate_documents.xlsx.graph import Graph

CELLS_LIMIT = 600
TRACE_LIMIT = 60
DOUBTS_LIMIT = 80
LINT_SECONDS = 15.0
"""Of the whole call: a machine without hardware acceleration needs some seconds for the outline before it."""
LINT_LEAST_SECONDS = 4.0
STALE_SHOWN = 40
FEATURES_SHOWN = 20


def sheet_map(
    path: str, context: ToolContext, sheet: str = "", lint: bool = False
) -> dict[str, Any]:
    """Show how an Excel workbook is built, before you read or edit it: sheets, headers, names, tables, pivots.

    Without `sheet` the whole workbook, a line a sheet; with `sheet` that one in detail: columns with kinds and
    number formats, formulas grouped by pattern, conditional formats and validations with their numbers.

    Args:
        path: workspace path of the workbook.
        context: filled in by Deskmate.
        sheet: name of a sheet; empty for all.
        lint: also list what is doubtful: errors, literals in formulas, broken patterns, hidden sheets.

    Returns:
        Without empty fields. `sheets`: list of {name, state, used, cells, formulas, header_row, headers, …};
        `results_may_be_old`: stored results are from before an edit. With `sheet`: `columns`, `formulas`
        (list of {cells, formula}), `rules`, `validations`, `hidden_rows`, …. `doubts`: list of {rule, level,
        location, message}; `no_time_for`: sheets that were not looked through for them, ask again with `sheet`.
        `left_out` says what was cut.
    """
    from deskmate_documents.xlsx.book import Workbook  # noqa: PLC0415
    from deskmate_documents.xlsx.sheetmap import detail, overview  # noqa: PLC0415

    began = time.monotonic()
    real = workbook_file(path, context)
    book = Workbook(real)
    answer: dict[str, Any] = {"path": context.name_of(real)}
    answer |= detail(book, book.sheet(sheet)) if sheet else overview(book, context.on_progress)
    if lint:
        ends = max(began + LINT_SECONDS, time.monotonic() + LINT_LEAST_SECONDS)
        answer |= _doubts(book, sheet, context, ends)
    return answer


def _doubts(book: Workbook, sheet: str, context: ToolContext, ends: float) -> dict[str, Any]:
    """Return the doubts of the workbook or of one sheet, and the sheets for which there was no time."""
    from deskmate_documents.xlsx.lint import lint  # noqa: PLC0415

    looked: dict[str, bool] = {}

    def goes_on(name: str) -> bool:
        if name not in looked and len(looked) % 10 == 9:
            context.on_progress(f"{len(looked)} of {len(book.sheets)} sheets checked for doubts")
        looked[name] = looked.get(name, True) and time.monotonic() < ends
        return looked[name]

    only = book.sheet(sheet) if sheet else None
    others = frozenset(s.part for s in book.sheets if only is not None and s.part != only.part)
    found = [
        d
        for d in lint(book, others, goes_on)
        if only is None or d.location.split("!")[0] == only.name
    ]
    left = [name for name, whole in looked.items() if not whole]
    found.sort(key=lambda d: ("error", "warning", "note").index(d.level))
    shown = [
        {"rule": d.rule, "level": d.level, "location": d.location, "message": d.message}
        for d in found[:DOUBTS_LIMIT]
    ]
    answer = {"doubts": shown, "doubts_left_out": max(len(found) - DOUBTS_LIMIT, 0)}
    return answer | ({"no_time_for": left[:DOUBTS_LIMIT]} if left else {})


def sheet_read(path: str, cells: str, context: ToolContext, trace: bool = False) -> ToolAnswer:
    """Read a window of cells of an Excel workbook: values, formulas, formats; each value is recorded as evidence.

    Args:
        path: workspace path of the workbook.
        cells: what to read, such as `Model!A1:H40` or `'P&L 2025'!C7`.
        context: filled in by Deskmate.
        trace: also say which cells each formula reads (`reads`) and which formulas read each cell (`read_by`).

    Returns:
        `cells`: list of {cell, value, kind, formula, date, format, unit, old}, empty cells left out, at most 600;
        numbers are decimal texts as stored, `date` is the ISO date that a number shows, `old`: the stored result
        may be from before an edit. `next`: the area to go on with, missing at the end.
    """
    from deskmate_documents.xlsx.book import Workbook, parse_target  # noqa: PLC0415
    from deskmate_documents.xlsx.graph import Graph  # noqa: PLC0415
    from deskmate_documents.xlsx.refs import Area, quote_sheet  # noqa: PLC0415

    real = workbook_file(path, context)
    book = Workbook(real)
    sheet, area = parse_target(book, cells)
    limit = TRACE_LIMIT if trace else CELLS_LIMIT
    unsettled = recall(real, context).unsettled if book.is_stale else frozenset()
    graph = Graph(book) if trace else None
    digest = Digest(hashlib.sha256(real.read_bytes()).hexdigest())
    shown: list[dict[str, Any]] = []
    evidence: list[Evidence] = []
    following = ""
    for value in book.values(sheet, area):
        if value.kind == "empty" and not value.formula:
            continue
        if len(shown) == limit:
            rest = Area(value.place[0], area.left, area.bottom, area.right)
            following = f"{quote_sheet(sheet.name)}!{rest}"
            shown, evidence = _whole_rows(shown, evidence, value.place[0])
            break
        entry = _entry(book, value)
        if value.formula and (value.kind == "empty" or _is_old(sheet, entry, unsettled)):
            entry["old"] = True
        shown.append(entry | (_trace(graph, sheet, value) if graph is not None else {}))
        if value.kind in ("number", "text") and not entry.get("old") and value.text:
            evidence.append(_evidence(digest, context.name_of(real), sheet, value, entry))
    answer = {"path": context.name_of(real), "sheet": sheet.name, "cells": shown}
    if following:
        answer["next"] = following
    return ToolAnswer(result=answer, evidence=tuple(evidence))


def _whole_rows(
    shown: list[dict[str, Any]], evidence: list[Evidence], row: int
) -> tuple[list[dict[str, Any]], list[Evidence]]:
    """Return both without the row that did not fit, unless it is the only one."""
    digits = str(row)
    kept = [
        entry for entry in shown if entry["cell"].lstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ") != digits
    ]
    names = {entry["cell"] for entry in kept}
    return (
        (kept, [e for e in evidence if e.locator["cell"] in names]) if kept else (shown, evidence)
    )


def _entry(book: Workbook, value: Value) -> dict[str, Any]:
    from deskmate_documents.xlsx.cells import as_date  # noqa: PLC0415
    from deskmate_documents.xlsx.refs import name_of  # noqa: PLC0415
    from deskmate_documents.xlsx.styles import is_date, unit_of  # noqa: PLC0415

    code = book.styles.code(value.style)
    number = value.kind == "number"
    entry = {
        "cell": name_of(value.place),
        "value": value.text[:4_000],
        "kind": value.kind,
        "formula": f"={value.formula}" if value.formula else "",
        "fills": value.array,
        "date": as_date(value.text, date1904=book.date1904) if number and is_date(code) else "",
        "format": code if number and code != "General" else "",
        "unit": unit_of(code) if number else "",
    }
    return {name: content for name, content in entry.items() if content not in ("", False)}


def _is_old(sheet: Sheet, entry: dict[str, Any], unsettled: frozenset[str] | None) -> bool:
    """Say whether a formula's stored result is old; `unsettled` None: nothing was computed since an edit."""
    return unsettled is None or f"{sheet.name}!{entry['cell']}" in unsettled


def _trace(graph: Graph, sheet: Sheet, value: Value) -> dict[str, Any]:
    from deskmate_documents.xlsx.refs import name_of, quote_sheet  # noqa: PLC0415

    found: dict[str, Any] = {}
    if value.formula:
        reads = graph.precedents(value.formula, sheet.name, value.place)
        found["reads"] = [f"{quote_sheet(where)}!{area}" for where, area in reads[:40]]
    readers = sorted(set(graph.readers(sheet.name, value.place)))
    if readers:
        found["read_by"] = [
            f"{quote_sheet(where)}!{name_of(place)}" for where, place in readers[:20]
        ]
        if len(readers) > 20:
            found["read_by_more"] = len(readers) - 20
    return found


def _evidence(
    digest: Digest, path: str, sheet: Sheet, value: Value, entry: dict[str, Any]
) -> Evidence:
    number = value.kind == "number"
    label = f"{sheet.name}!{entry['cell']}"
    return Evidence(
        id=f"cell-{digest[:8]}-{hashlib.sha256(label.encode()).hexdigest()[:10]}",
        source=digest,
        path=path,
        locator={"sheet": sheet.name, "cell": entry["cell"]},
        quote="" if number else value.text[:2_000],
        value=value.text if number else "",
        unit=str(entry.get("unit", "")),
    )


def sheet_edit(
    path: str,
    edits: list[dict[str, Any]],
    context: ToolContext,
    target: str = "",
    allow_protected: bool = False,
) -> ToolAnswer:
    """Edit an Excel workbook in place or into a new file; pivots, charts, rules and all else stay as they are.

    Args:
        path: workspace path of the workbook.
        edits: all are made or none; such as [{"op": "set", "cells": "Model!C7", "value": 0.035}]. By `op`:
            set {cells, value | values (rows) | formula (moved along over the cells), number_format, bold, italic,
            color, fill, align, wrap}, a date is {"date": "2026-03-31"}; clear {cells}; style {cells, number_format, …};
            insert {cells: whole rows or columns, such as Model!5:7 or Model!C:D, which are new and empty then}; delete
            {cells: the same}; all that names cells moves along, later edits name cells as they are then;
            sheet {name, before, widths}; sheet_rename {sheet, name}; sheet_move {sheet, before}; sheet_delete {sheet}, refused
            where something names it; chart_change {sheet, chart (its number in sheet_map), title, series: [{number, name,
            categories, values, fill}], type, stacked, look: {legend, x_title, y_title, y_format, y_min, y_max, gap, labels}};
            chart {cells (its first cell, or all that it covers), chart: as in sheet_build};
            slicer {cells, table or pivot, field, caption};
            name {name, refers_to (null deletes), sheet}; append {table, rows: lists or objects by column};
            rule {cells, rule: {type, operator, formulas, text, colors, points, icons, rank, format: {fill, color,
            bold}}}, types as Excel stores them: cellIs, expression, colorScale, dataBar, iconSet, top10, …;
            rule_change {sheet, number, rule: {cells, formulas, operator, colors, format, and what only its type has, such
            as rank, text, period, icons, points}}; rule_remove {sheet, number}, numbers as in sheet_map; validation {cells, validation: {type, operator, formulas, prompt,
            error}}; validation_remove {cells};
            pivot {cells (where it begins), source (table, name or range with headers), rows, columns, filters:
            [field or {field, item}], values: [{field, function: sum, count, average, max, …, name, number_format}],
            name, layout: tabular, outline or compact, subtotals: true or fields} makes a native pivot table; pivot_change {pivot, sheet, and what is new of these}; pivot_refresh
            {pivot, sheet, source} computes it anew, do this after its source changed.
        context: filled in by Deskmate.
        target: workspace path of the result; empty: the same file.
        allow_protected: edit locked cells of protected sheets; only if the user agrees.

    Returns:
        `path` of the result; `changed`: sheet → cells; `stale`: cells whose stored result is old until the file is
        opened and calculated, `stale_more`: whether there are more; `notes`: what else to tell the user.
    """
    from deskmate_documents.xlsx.edit import edit_workbook  # noqa: PLC0415

    source = workbook_file(path, context)
    result = result_file(source, target, context)
    known = recall(source, context)
    keep_original(source, known)
    outcome = edit_workbook(
        source, result, edits, allow_protected=allow_protected, unsettled=known.unsettled
    )
    declared = known.declared.merged(outcome.declared)
    data = remember(result, replace(known, declared=declared), context)
    name = context.name_of(result)
    answer = {
        "path": name,
        "changed": {s: [str(a) for a in areas[:50]] for s, areas in outcome.declared.cells.items()},
        "stale": list(outcome.stale[:STALE_SHOWN]),
        "stale_more": outcome.more_stale or len(outcome.stale) > STALE_SHOWN,
        "notes": list(outcome.notes),
    }
    deliverable = Deliverable(
        path=name,
        title=f"Edited workbook {result.name}",
        role="workbook",
        sources={"original": known.original},
        data=data,
    )
    return ToolAnswer(result=answer, deliverables=(deliverable,))
