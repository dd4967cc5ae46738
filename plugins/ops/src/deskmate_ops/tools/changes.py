"""The tool that checks change requests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path, PurePosixPath
from typing import Any

from deskmate.plugin import ToolAnswer, ToolContext, ToolInputError
from deskmate_documents.delivery import TABLES, deliver_book, deliver_picture, target_of
from deskmate_documents.tables import find_files, read_table
from deskmate_ops.change_book import Checked, change_pages, change_scene
from deskmate_ops.changes import READY, Rules, day_start, read_changes, read_freezes
from deskmate_ops.tools.picking import picked
from deskmate_ops.tools.risks import day_said

BOOK = "change-check.xlsx"
SETTINGS = frozenset(("order", "sheet"))
FREEZE_WORDS = ("freeze", "blackout", "calendar")


def change_check(
    context: ToolContext,
    path: str = "",
    calendar: str = "",
    output: str = "",
    as_of: str = "",
    settings: dict[str, str] | None = None,
    request: str = "",
) -> ToolAnswer:
    """Check change requests: complete, risk class, approvers, roll-back there and tested, window free of freezes and overlaps.

    Each open point names its change; a change without open points is ready for whoever approves. Nothing is filled in.
    Writes a workbook and the schedule as pictures.

    Args:
        context: filled in by Deskmate.
        path: workspace path of the requests (CSV or XLSX, a row a change: id, title, requester, approvers, systems,
            impact and likelihood as low, medium or high, risk class, start, end, plan, rollback, rollback tested, test
            evidence, communication). Empty: the one there.
        calendar: workspace path of the freezes (name, start, end, systems; without systems: all). Empty: one that is
            called freeze, blackout or calendar, else there are none.
        output: workspace path of the workbook. Empty: change-check.xlsx beside the requests.
        as_of: the day from which a window is past, such as 2026-12-01. Empty: today.
        settings: `order` (dmy or mdy), `sheet`.
        request: the user's words; files named there are taken if the others are empty.

    Returns:
        `changes`: list of {id, title, risk, verdict, open_points}; `points`: lines; `files`.

    Raises:
        ToolInputError: a column, id or time cannot be used, or a setting is wrong.
    """
    options = dict(settings or {})
    unknown = set(options) - SETTINGS
    if unknown:
        raise ToolInputError(
            f"Setting {min(unknown)!r} is unknown; use {', '.join(sorted(SETTINGS))}."
        )
    sources = _sources(context, path, calendar, request)
    today = day_said(as_of) if as_of else datetime.now(UTC).date()
    files = {role: context.file(name) for role, name in sources.items()}
    checked = checked_from(files, sources, {**options, "as_of": today.isoformat()}, context.config)
    target = target_of(context, files["changes"], output, BOOK, ".xlsx")
    if target in {file.resolve() for file in files.values()}:
        raise ToolInputError(f"{target.name} is a source; give the result a name of its own.")
    data = {"settings": options, "as_of": today.isoformat()}
    about: dict[str, Any] = {"sources": sources, "data": data}
    scene = change_scene(checked, PurePosixPath(sources["changes"]).name)
    pages = change_pages(checked, list(sources.values()))
    results = (
        deliver_book(context, target, pages, role="change_check", **about),
        *deliver_picture(
            context, target.with_name(target.stem), scene, role="change_picture", **about
        ),
    )
    result = {
        "source": ", ".join(sources.values()),
        "files": [one.path for one in results],
        **_told(checked),
    }
    return ToolAnswer(result=result, deliverables=results)


def checked_from(
    files: Mapping[str, Path],
    names: Mapping[str, str],
    options: Mapping[str, str],
    config: Mapping[str, Any],
) -> Checked:
    """Return the checked changes of `changes` and perhaps a `calendar`. Raises ToolInputError."""
    order = options.get("order", "")
    table = read_table(files["changes"], name=names["changes"], sheet=options.get("sheet", ""))
    freezes = []
    if "calendar" in files:
        freezes = read_freezes(read_table(files["calendar"], name=names["calendar"]), order)
    return Checked(
        changes=read_changes(table, order),
        freezes=freezes,
        rules=Rules.of(config),
        today=day_start(date.fromisoformat(options["as_of"])),
    )


def _sources(context: ToolContext, path: str, calendar: str, request: str) -> dict[str, str]:
    there = [
        name for name in find_files(context.workspace, TABLES, request) if Path(name).name != BOOK
    ]
    called = [
        name for name in there if any(word in Path(name).stem.lower() for word in FREEZE_WORDS)
    ]
    if not calendar and len(called) == 1 and called[0] != path:
        calendar = called[0]
    rest = [name for name in there if name != calendar]
    if not path:
        path = (
            rest[0]
            if len(rest) == 1
            else picked(context, what="list of changes", hints=("change", "rfc"), request=request)
        )
    found = {"changes": context.name_of(context.file(path))}
    if calendar and calendar != path:
        found["calendar"] = context.name_of(context.file(calendar))
    return found


def _told(checked: Checked) -> dict[str, Any]:
    points = checked.points
    counts = Counter(point.id for point in points)
    changes = [
        {
            "id": change.id,
            "title": change.title,
            "risk": change.risk or "not rated",
            "verdict": checked.verdict(change),
            "open_points": counts[change.id],
        }
        for change in checked.changes
    ]
    lines = [f"{point.id}: {point.text}" for point in points]
    ready = [str(change["id"]) for change in changes if change["verdict"] == READY]
    more = f"\nand {len(lines) - 25} more in the workbook" if len(lines) > 25 else ""
    summary = (
        f"{len(changes)} changes as of {checked.today:%Y-%m-%d}, {len(ready)} ready{': ' + ', '.join(ready[:20]) if ready else ''}.\n"
        f"Open points: {len(lines)}{':' if lines else '.'}\n"
        + "\n".join(f"- {line}" for line in lines[:25])
        + more
    )
    return {"summary": summary.strip(), "changes": changes[:200], "points": lines[:200]}
