"""The workbook of a measured process: Summary, Variants, Activities, Handovers, Weeks and Cases, with sums that tie."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from deskmate_documents.xlsx.build import Computed
from deskmate_ops.books import Page, Value, total_of
from deskmate_ops.clock import Clock
from deskmate_ops.events import Log
from deskmate_ops.metrics import (
    Metrics,
    hours,
    mean,
    measure,
    median,
    ninetieth,
    percent,
    stamp,
)

VARIANTS_LIMIT = 500
CASES_LIMIT = 20_000
CHARTED = 10
HOURS = "#,##0.00"
ARROW = " → "
Rows = list[list[Value]]


def metrics_pages(log: Log, clock: Clock) -> list[Page]:
    """Return the sheets of a log."""
    found = measure(log, clock)
    variants, activities = _variants(found), _activities(found, log.has_starts)
    handovers, cases = _handovers(found, log.has_starts), _cases(found)
    return [
        _summary(found, log, clock, len(variants.rows), len(handovers.rows)),
        variants,
        activities,
        handovers,
        _weeks(found),
        cases,
    ]


def _summary(found: Metrics, log: Log, clock: Clock, variants: int, handovers: int) -> Page:
    spans = [case.span for case in found.cases]
    moves = sum(sum(item.spans) for item in found.handovers)
    lead = sum(case.lead for case in found.cases)
    rework = sum(case.repeats > 0 for case in found.cases)
    repeats = sum(case.repeats for case in found.cases)
    last = len(found.activities) + 2
    rows: Rows = [
        ["Line", "Value", "The same from another sheet"],
        ["Events", found.events, Computed(f"=Activities!B{last}", found.events)],
        ["Cases", len(found.cases), Computed(f"=Variants!B{variants}", len(found.cases))],
        ["Variants", len(found.variants), None],
        ["Cases with a repeated activity", rework, None],
        ["Share of cases with a repeated activity in %", percent(rework, len(found.cases)), None],
        ["Repeats in all cases", repeats, Computed(f"=Activities!D{last}", repeats)],
        ["First event", stamp(found.first), None],
        ["Last event", stamp(found.last), None],
        ["Median hours per case", hours(median(spans)), None],
        ["Mean hours per case", hours(mean(spans)), None],
        ["90 % of cases took at most hours", hours(ninetieth(spans)), None],
        ["Longest hours of a case", hours(max(spans)), None],
        ["Hours of all cases", hours(sum(spans)), None],
        [
            "of which between completions",
            hours(moves),
            Computed(
                f"=Handovers!E{handovers}",
                sum((hours(sum(item.spans)) for item in found.handovers), Decimal()),
            ),
        ],
        ["of which before the first completion", hours(lead), None],
        ["Hours counted", clock.name, None],
        ["Started, not completed", found.open_events, None],
        ["Rows left out", _left_out(log), None],
    ]
    whole = {"op": "style", "number_format": "#,##0"}
    spent = {"op": "style", "number_format": HOURS}
    return Page(
        name="Summary",
        rows=rows,
        widths=(44, 30, 26),
        edits=(
            {**whole, "cells": "B2:C5"},
            {**whole, "cells": "B7:C7"},
            {**spent, "cells": "B6:C6"},
            {**spent, "cells": "B10:C16"},
            {"op": "style", "cells": "B2:B19", "align": "right"},
        ),
    )


def _left_out(log: Log) -> str:
    return ", ".join(f"{name}: {count}" for name, count in log.left_out.items()) or "0"


def _variants(found: Metrics) -> Page:
    rows: Rows = []
    cases, covered = len(found.cases), 0
    for number, variant in enumerate(found.variants[:VARIANTS_LIMIT], start=1):
        covered += len(variant.spans)
        rows.append(
            [
                number,
                len(variant.spans),
                percent(len(variant.spans), cases),
                percent(covered, cases),
                hours(median(variant.spans)),
                hours(mean(variant.spans)),
                ARROW.join(variant.path),
            ]
        )
    rest = [span for variant in found.variants[VARIANTS_LIMIT:] for span in variant.spans]
    if rest:
        name = f"{len(found.variants) - VARIANTS_LIMIT} further variants"
        share = percent(len(rest), cases)
        rows.append(
            [
                None,
                len(rest),
                share,
                percent(cases, cases),
                hours(median(rest)),
                hours(mean(rest)),
                name,
            ]
        )
    header: list[Value] = [
        "Variant",
        "Cases",
        "Share in %",
        "Cumulative share in %",
        "Median hours",
        "Mean hours",
        "Activities in order",
    ]
    total: list[Value] = ["Total", total_of(rows, 1), None, None, None, None, None]
    return Page(
        name="Variants",
        rows=[header, *rows, total],
        widths=(10, 10, 12, 22, 14, 14, 110),
        formats=("0", "#,##0", "0.00", "0.00", HOURS, HOURS),
        totals=(len(rows) + 2,),
    )


def _activities(found: Metrics, starts: bool) -> Page:
    header: list[Value] = ["Activity", "Events", "Cases", "Repeats", "Begins a case", "Ends a case"]
    if starts:
        header += ["Events with a start", "Median working hours", "Working hours"]
    rows: Rows = []
    for item in found.activities:
        row: list[Value] = [
            item.name,
            item.events,
            item.cases,
            item.events - item.cases,
            item.first,
            item.last,
        ]
        if starts:
            middle = hours(median(item.works)) if item.works else None
            row += [len(item.works), middle, hours(sum(item.works))]
        rows.append(row)
    total: list[Value] = ["Total", total_of(rows, 1), None, *(total_of(rows, n) for n in (3, 4, 5))]
    if starts:
        total += [total_of(rows, 6), None, total_of(rows, 8)]
    return Page(
        name="Activities",
        rows=[header, *rows, total],
        widths=(40, 12, 12, 12, 15, 15, 19, 22, 16),
        formats=("", *("#,##0",) * 6, HOURS, HOURS),
        totals=(len(rows) + 2,),
    )


def _handovers(found: Metrics, starts: bool) -> Page:
    header: list[Value] = [
        "From",
        "To",
        "Times",
        "Median hours",
        "Total hours",
        "Share in %",
        "90 % took at most hours",
    ]
    header += ["Times with a start", "Median waiting hours", "Waiting hours"] if starts else []
    whole = sum(sum(item.spans) for item in found.handovers)
    rows: Rows = []
    for item in found.handovers:
        row: list[Value] = [
            item.source,
            item.target,
            len(item.spans),
            hours(median(item.spans)),
            hours(sum(item.spans)),
            percent(sum(item.spans), whole),
            hours(ninetieth(item.spans)),
        ]
        if starts:
            middle = hours(median(item.waits)) if item.waits else None
            row += [len(item.waits), middle, hours(sum(item.waits))]
        rows.append(row)
    total: list[Value] = ["Total", None, 0, None, Decimal(), None, None]
    if rows:
        total = ["Total", None, total_of(rows, 2), None, total_of(rows, 4), None, None]
    total += [total_of(rows, 7), None, total_of(rows, 9)] if starts and rows else []
    return Page(
        name="Handovers",
        rows=[header, *rows, total],
        widths=(32, 32, 10, 14, 14, 12, 25, 19, 22, 16),
        formats=("", "", "#,##0", HOURS, HOURS, "0.00", HOURS, "#,##0", HOURS, HOURS),
        totals=(len(rows) + 2,),
        charts=_bottleneck_chart(len(rows), 12 if starts else 9),
        edits=_bars(len(rows)),
    )


def _bars(rows: int) -> Sequence[dict[str, Any]]:
    if not rows:
        return ()
    rule = {"type": "dataBar", "colors": ["F4B183"]}
    return ({"op": "rule", "cells": f"E2:E{rows + 1}", "rule": rule},)


def _bottleneck_chart(rows: int, place: int) -> Sequence[dict[str, Any]]:
    if not rows:
        return ()
    last = min(rows, CHARTED) + 1
    series = {"name": "Total hours", "categories": f"A2:B{last}", "values": f"E2:E{last}"}
    chart = {
        "type": "bar",
        "title": f"Where the hours go: the {last - 1} longest handovers",
        "y_title": "Hours in all cases",
        "at": f"{chr(64 + place)}2",
        "series": [series],
    }
    return (chart,)


def _weeks(found: Metrics) -> Page:
    rows: Rows = [
        [{"date": week.monday.isoformat()}, week.begun, week.ended, week.open]
        for week in found.weeks
    ]
    header: list[Value] = ["Week from", "Cases begun", "Cases ended", "Open at its end"]
    total: list[Value] = ["Total", total_of(rows, 1), total_of(rows, 2), None]
    last = len(rows) + 1
    names = (("Cases begun", "B"), ("Cases ended", "C"), ("Open at its end", "D"))
    chart = {
        "type": "line",
        "title": "Cases by week",
        "at": "F2",
        "series": [
            {"name": name, "categories": f"A2:A{last}", "values": f"{letter}2:{letter}{last}"}
            for name, letter in names
        ],
    }
    return Page(
        name="Weeks",
        rows=[header, *rows, total],
        widths=(14, 14, 14, 16),
        formats=("yyyy-mm-dd", "#,##0", "#,##0", "#,##0"),
        totals=(len(rows) + 2,),
        charts=(chart,),
    )


def _cases(found: Metrics) -> Page:
    numbers = {variant.path: place for place, variant in enumerate(found.variants, start=1)}
    rows: Rows = [
        [
            case.name,
            len(case.path),
            stamp(case.begin),
            stamp(case.end),
            hours(case.span),
            case.repeats,
            numbers[case.path],
        ]
        for case in found.cases[:CASES_LIMIT]
    ]
    header: list[Value] = ["Case", "Events", "Begin", "End", "Hours", "Repeats", "Variant"]
    if len(found.cases) > CASES_LIMIT:
        rows.append([f"{len(found.cases) - CASES_LIMIT} shorter cases are not listed", *[None] * 6])
    return Page(
        name="Cases",
        rows=[header, *rows],
        widths=(24, 10, 28, 28, 14, 10, 10),
        formats=("", "#,##0", "", "", HOURS, "#,##0", "0"),
    )
