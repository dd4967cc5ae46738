"""The tool that reports the status of work."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from deskmate.plugin import ToolAnswer, ToolContext, ToolInputError
from deskmate_documents.delivery import TABLES, presented, target_of
from deskmate_documents.tables import find_files, read_table
from deskmate_ops.status import TASK_COLUMNS, Limits, kpi_state, read_kpis, read_tasks, streams_of
from deskmate_ops.status_pages import (
    Status,
    gap_table,
    late_table,
    opening_lines,
    write_deck,
    write_page,
)
from deskmate_ops.tools.picking import picked
from deskmate_ops.tools.risks import day_said

PAGE = "status-report.docx"
SETTINGS = frozenset((*TASK_COLUMNS, "order", "sheet"))
KPI_WORDS = ("kpi", "metric", "key figure", "scorecard")


def status_report(
    context: ToolContext,
    tasks: str = "",
    kpis: str = "",
    output: str = "",
    as_of: str = "",
    settings: dict[str, str] | None = None,
    request: str = "",
) -> ToolAnswer:
    """Report the status of work from its task list and key figures: a one-page DOCX and a deck with a native chart.

    Red, amber and green follow from figures (days late, share late, blocked, distance to the target), never from opinion.
    Each row names the row of the list that it comes from; what the lists leave open is listed, not filled in.

    Args:
        context: filled in by Deskmate.
        tasks: workspace path of the task list or register (CSV or XLSX; task, status, and workstream, owner, due date,
            id as far as known). Empty: the one there.
        kpis: workspace path of the key figures (KPI, value, target, better: higher or lower, date, source, unit). Empty:
            one that is called so, else there are none.
        output: workspace path of the report, a .docx; the deck stands beside it. Empty: status-report.docx beside the list.
        as_of: the day of the report, such as 2026-12-01. Empty: today.
        settings: column names of the task list where they cannot be told: `task`, `stream`, `owner`, `due`, `status`;
            `order` (dmy or mdy); `sheet`.
        request: the user's words; files named there are taken if the others are empty.

    Returns:
        `rag`: the overall colour; `workstreams`: list of {name, state, tasks, done, late, blocked, why}; `key_figures`;
        `late`: lines; `open_points`: lines; `files`.

    Raises:
        ToolInputError: a column, date or figure cannot be used.
    """
    options = dict(settings or {})
    unknown = set(options) - SETTINGS
    if unknown:
        raise ToolInputError(
            f"Setting {min(unknown)!r} is unknown; use {', '.join(sorted(SETTINGS))}."
        )
    sources = _sources(context, tasks, kpis, request)
    today = day_said(as_of) if as_of else datetime.now(UTC).date()
    files = {role: context.file(path) for role, path in sources.items()}
    status = status_from(files, sources, {**options, "as_of": today.isoformat()}, context.config)
    target = target_of(context, files["tasks"], output, PAGE, ".docx")
    deck = target.with_suffix(".pptx")
    if {target, deck} & {file.resolve() for file in files.values()}:
        raise ToolInputError(f"{target.name} is a source; give the result a name of its own.")
    target.parent.mkdir(parents=True, exist_ok=True)
    write_page(target, status)
    write_deck(deck, status)
    about: dict[str, Any] = {
        "sources": sources,
        "data": {"settings": options, "as_of": today.isoformat()},
    }
    results = (
        presented(context, target, role="status_report", **about),
        presented(context, deck, role="status_deck", **about),
    )
    result = {
        "source": ", ".join(sources.values()),
        "files": [one.path for one in results],
        **_told(status),
    }
    return ToolAnswer(result=result, deliverables=results)


def status_from(
    files: Mapping[str, Path],
    names: Mapping[str, str],
    options: Mapping[str, str],
    config: Mapping[str, Any],
) -> Status:
    """Return the status that the lists give. Raises ToolInputError."""
    limits, today = Limits.of(config), date.fromisoformat(options["as_of"])
    table = read_table(files["tasks"], name=names["tasks"], sheet=options.get("sheet", ""))
    tasks = read_tasks(table, options)
    kpis = (
        read_kpis(read_table(files["kpis"], name=names["kpis"]), options) if "kpis" in files else []
    )
    return Status(
        tasks=tasks,
        kpis=kpis,
        streams=streams_of(tasks, today, limits),
        today=today,
        limits=limits,
        names={role: names[role] for role in ("tasks", "kpis") if role in files},
    )


def _sources(context: ToolContext, tasks: str, kpis: str, request: str) -> dict[str, str]:
    there = find_files(context.workspace, TABLES, request)
    figures = [name for name in there if any(word in Path(name).stem.lower() for word in KPI_WORDS)]
    if not kpis and len(figures) == 1:
        kpis = figures[0]
    rest = [name for name in there if name != kpis]
    if not tasks:
        tasks = (
            rest[0]
            if len(rest) == 1
            else picked(
                context,
                what="task list",
                hints=("task", "action", "tracker", "plan", "backlog", "milestone", "register"),
                request=request,
            )
        )
    found = {"tasks": context.name_of(context.file(tasks))}
    if kpis and kpis != tasks:
        found["kpis"] = context.name_of(context.file(kpis))
    return found


def _told(status: Status) -> dict[str, Any]:
    streams = [
        {
            "name": s.name,
            "state": s.rag,
            "tasks": s.tasks,
            "done": s.done,
            "late": s.overdue,
            "blocked": s.blocked,
            "why": s.why,
        }
        for s in status.streams
    ]
    figures = [
        f"{k.kpi}: {kpi_state(k, status.limits)}, {k.value} against {k.target or 'no target'}"
        for k in status.kpis
    ]
    late = [
        f"{row[0]} ({row[1]}, {row[2]}): {row[4]} days late, row {row[6]}"
        for row in late_table(status)[1][:12]
    ]
    gaps = [f"{text} ({where})" for text, where in gap_table(status)[1]]
    lines = [f"- {s.name}: {s.rag}, {s.done} of {s.tasks} done, {s.why}" for s in status.streams]
    parts = [opening_lines(status)[0], *lines, *(f"- {line}" for line in figures)]
    parts += [f"Late or blocked:\n{chr(10).join(f'- {line}' for line in late)}"] if late else []
    parts += [f"Open points: {len(gaps)}."] if gaps else []
    return {
        "rag": status.rag,
        "workstreams": streams,
        "key_figures": figures,
        "late": late,
        "open_points": gaps[:40],
        "summary": "\n".join(parts),
    }
