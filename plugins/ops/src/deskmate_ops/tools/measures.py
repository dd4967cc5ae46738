"""The tools that measure a process: its figures as a workbook, its flow as pictures and BPMN."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from pathlib import Path, PurePosixPath
from typing import Any

from deskmate.plugin import ToolAnswer, ToolContext, ToolInputError
from deskmate_documents.delivery import TABLES, deliver_book, presented, target_of
from deskmate_documents.scenes import Scene
from deskmate_documents.tables import pick_file
from deskmate_ops.bpmn import bpmn_of
from deskmate_ops.clock import Clock
from deskmate_ops.events import Log, read_log
from deskmate_ops.flows import END, START, Flow, flow_of
from deskmate_ops.metrics import (
    Metrics,
    hours,
    mean,
    measure,
    median,
    ninetieth,
    percent,
    shown,
    stamp,
)
from deskmate_ops.metrics_book import metrics_pages
from deskmate_ops.process_map import draw_map
from deskmate_ops.xes import ENDINGS

BOOK = "process-metrics.xlsx"
MAPS = (".svg", ".png", ".bpmn")
SHOWN = 50


def process_metrics(
    context: ToolContext,
    path: str = "",
    output: str = "",
    settings: dict[str, str] | None = None,
    request: str = "",
) -> ToolAnswer:
    """Measure a process from its event log: cases, variants, durations, waiting, rework, bottlenecks, weeks.

    Args:
        context: filled in by Deskmate.
        path: workspace path of the log (CSV, XLSX or XES; case, activity, timestamp). Empty: the one there.
        output: workspace path of the workbook. Empty: process-metrics.xlsx beside the log.
        settings: names where they cannot be told: case, activity, timestamp, start, lifecycle, sheet, order (dmy or
            mdy); hours: which hours count, such as mon-fri 09:00-17:00 on the log's clock, or all hours. Empty: the
            plugin's setting `business_hours`.
        request: the user's words; a file named there is taken if `path` is empty.

    Returns:
        `summary`: line → value; `variants`, `activities`, `handovers`: lists, most cases or hours first, at most 50;
        `bottleneck`: the handover with the most hours in all cases. Durations are hours as decimal strings.

    Raises:
        ToolInputError: a column or setting is missing, or a row lacks its case, activity or time.
    """
    path = path or _picked(context, request)
    given = dict(settings or {})
    file = context.file(path)
    log, clock = read_log(file, path, given), clock_of(given, context.config)
    target = target_of(context, file, output, BOOK, ".xlsx")
    deliverable = deliver_book(
        context,
        target,
        metrics_pages(log, clock),
        role="process_metrics",
        sources={"source": context.name_of(file)},
        data={"settings": given},
    )
    found = measure(log, clock)
    result = {"source": path, "output": deliverable.path, **_told(found, log, clock)}
    return ToolAnswer(result=result, deliverables=(deliverable,))


def process_map(
    context: ToolContext,
    path: str = "",
    output: str = "",
    coverage: str = "",
    settings: dict[str, str] | None = None,
    request: str = "",
) -> ToolAnswer:
    """Draw the flow of a process from its event log: an SVG and a PNG picture, and BPMN 2.0 for modelling tools.

    Shows the most frequent moves until they cover the share asked for, and what is needed to reach every activity.

    Args:
        context: filled in by Deskmate.
        path: workspace path of the log (CSV, XLSX or XES). Empty: the one there.
        output: workspace path of the pictures without its ending. Empty: process-map beside the log.
        coverage: share of all moves to show, above 0 and at most 1, such as 0.8. Empty: the plugin's setting `map_coverage`.
        settings: as in process_metrics.
        request: the user's words; a file named there is taken if `path` is empty.

    Returns:
        `files`: what was written; `activities`, `moves`, `share_percent`: what is shown; `left_out`: moves that are not.

    Raises:
        ToolInputError: as in process_metrics; more than 100 activities.
    """
    path = path or _picked(context, request)
    file = context.file(path)
    name = context.name_of(file)
    data = {
        "settings": dict(settings or {}),
        "coverage": coverage or str(context.config.get("map_coverage", "0.9")),
    }
    scene, bpmn, flow = maps_of(file, name, data, context.config)
    texts = {".svg": scene.svg().encode(), ".png": scene.png(), ".bpmn": bpmn}
    stem = output or str(PurePosixPath(name).parent / "process-map")
    deliverables = []
    for ending in MAPS:
        target = target_of(context, file, stem.removesuffix(ending) + ending, "", ending)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(texts[ending])
        deliverables.append(
            presented(context, target, role="process_map", sources={"source": name}, data=data)
        )
    left = flow.all_moves - sum(flow.moves.values())
    result = {
        "source": name,
        "files": [item.path for item in deliverables],
        "activities": len(flow.activities),
        "moves": len(flow.moves),
        "share_percent": str(flow.share),
        "left_out": left,
        "most_frequent": [_move_line(flow, place) for place in range(min(10, len(flow.moves)))],
    }
    return ToolAnswer(result=result, deliverables=tuple(deliverables))


def maps_of(
    file: Path, name: str, data: Mapping[str, Any], config: Mapping[str, Any]
) -> tuple[Scene, bytes, Flow]:
    """Return the picture, the BPMN and the flow of a log. `data`: settings and coverage."""
    try:
        share = Decimal(str(data["coverage"]))
    except InvalidOperation as problem:
        raise ToolInputError(
            f"The coverage {data['coverage']!r} is no figure such as 0.9."
        ) from problem
    log, clock = read_log(file, name, data["settings"]), clock_of(data["settings"], config)
    flow = flow_of(log, share)
    title = f"Process of {PurePosixPath(name).name}"
    return draw_map(flow, log, clock, title), bpmn_of(flow, title), flow


def clock_of(settings: Mapping[str, str], config: Mapping[str, Any]) -> Clock:
    """Return which hours count: those asked for, else those of the plugin's settings.

    Raises:
        ToolInputError: they cannot be read.
    """
    hours_text = settings.get("hours", "") or str(config.get("business_hours", "") or "")
    free = config.get("holidays", ()) or ()
    return Clock.of(hours_text, [str(day) for day in free])


def _picked(context: ToolContext, request: str) -> str:
    return pick_file(
        context.workspace,
        (*TABLES, *ENDINGS),
        what="event log",
        made=BOOK,
        hints=("event", "log", "process", *ENDINGS),
        request=request,
    )


def _told(found: Metrics, log: Log, clock: Clock) -> dict[str, Any]:
    spans = [case.span for case in found.cases]
    rework = sum(case.repeats > 0 for case in found.cases)
    moves = sum(sum(item.spans) for item in found.handovers)
    summary = {
        "Events": str(found.events),
        "Cases": str(len(spans)),
        "Variants": str(len(found.variants)),
        "Cases with a repeated activity": str(rework),
        "First event": stamp(found.first),
        "Last event": stamp(found.last),
        "Median hours per case": shown(hours(median(spans))),
        "Mean hours per case": shown(hours(mean(spans))),
        "90 % of cases took at most hours": shown(hours(ninetieth(spans))),
        "Longest hours of a case": shown(hours(max(spans))),
        "Hours counted": clock.name,
        "Started, not completed": str(found.open_events),
    }
    summary |= {f"Left out, {name}": str(count) for name, count in log.left_out.items()}
    handovers = [
        {
            "from": item.source,
            "to": item.target,
            "times": len(item.spans),
            "median_hours": shown(hours(median(item.spans))),
            "total_hours": shown(hours(sum(item.spans))),
            "share_percent": str(percent(sum(item.spans), moves)),
            **({"waiting_hours": shown(hours(sum(item.waits)))} if item.waits else {}),
        }
        for item in found.handovers[:SHOWN]
    ]
    return {
        "summary": summary,
        "bottleneck": _bottleneck(handovers),
        "variants": [
            {
                "cases": len(item.spans),
                "share_percent": str(percent(len(item.spans), len(spans))),
                "median_hours": shown(hours(median(item.spans))),
                "path": " → ".join(item.path),
            }
            for item in found.variants[:SHOWN]
        ],
        "activities": [
            {
                "activity": item.name,
                "events": item.events,
                "cases": item.cases,
                "repeats": item.events - item.cases,
            }
            for item in found.activities[:SHOWN]
        ],
        "handovers": handovers,
    }


def _bottleneck(handovers: list[dict[str, Any]]) -> str:
    if not handovers:
        return "No case has more than one event, so nothing waits."
    top = handovers[0]
    return (
        f"{top['from']} → {top['to']}: {top['total_hours']} hours in all cases ({top['share_percent']} %), "
        f"{top['times']} times, median {top['median_hours']} hours."
    )


def _move_line(flow: Flow, place: int) -> str:
    (one, other), times = list(flow.moves.items())[place]
    names = {START: "(begin)", END: "(end)"}
    a, b = (names[node] if isinstance(node, int) else node for node in (one, other))
    return f"{a} → {b}: {times}"
