"""The tool that makes a risk register: a workbook with live scores, and its heat map as pictures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path, PurePosixPath
from typing import Any

from deskmate.plugin import ToolAnswer, ToolContext, ToolInputError
from deskmate_documents.delivery import TABLES, deliver_book, presented, target_of
from deskmate_documents.tables import pick_file, read_table
from deskmate_ops.risk_book import heat_scene, ranked, register_pages
from deskmate_ops.risks import Risk, gaps_of, read_risks
from deskmate_ops.scale import Scale

BOOK, MAP = "risk-register.xlsx", "risk-heat-map"
SHOWN = 100


def risk_register(
    context: ToolContext,
    path: str = "",
    output: str = "",
    as_of: str = "",
    settings: dict[str, str] | None = None,
    request: str = "",
) -> ToolAnswer:
    """Make a risk register from a table of risks: scores, bands, heat map, overdue reviews and everything left open.

    Nothing is filled in: a risk without owner, rating, treatment or review date is listed as an open point.

    Args:
        context: filled in by Deskmate.
        path: workspace path of the table (CSV or XLSX; risk, likelihood, impact, and id, owner, treatment, due,
            residual likelihood, residual impact, review date, status as far as known). Empty: the one there.
        output: workspace path of the workbook. Empty: risk-register.xlsx beside the table; the heat map stands beside it.
        as_of: the day from which reviews are overdue, such as 2026-12-01. Empty: today.
        settings: column names where they cannot be told, by the names above; sheet; order (dmy or mdy).
        request: the user's words; a file named there is taken if `path` is empty.

    Returns:
        `risks`: id, score, band, residual, owner, highest first; `bands`: band → number; `open_points`: what the table
        leaves open, in words; `overdue`: ids whose review is overdue; `files`.

    Raises:
        ToolInputError: a column is missing, an id occurs twice, a rating is off the scale, a date is none.
    """
    path = path or pick_file(
        context.workspace, TABLES, what="list of risks", made=BOOK, hints=("risk",), request=request
    )
    file = context.file(path)
    name = context.name_of(file)
    today = day_said(as_of) if as_of else datetime.now(UTC).date()
    data: dict[str, Any] = {"settings": dict(settings or {}), "as_of": today.isoformat()}
    scale = Scale.of(context.config)
    risks = risks_of(file, name, data["settings"], scale)
    target = target_of(context, file, output, BOOK, ".xlsx")
    pages = register_pages(risks, scale, today)
    about: dict[str, Any] = {"sources": {"source": name}, "data": data}
    results = [deliver_book(context, target, pages, role="risk_register", **about)]
    scene = heat_scene(risks, scale, today, PurePosixPath(name).name)
    for ending, content in ((".svg", scene.svg().encode()), (".png", scene.png())):
        beside = str(PurePosixPath(context.name_of(target)).with_name(MAP + ending))
        picture = target_of(context, file, beside, "", ending)
        picture.write_bytes(content)
        results.append(presented(context, picture, role="risk_map", **about))
    files = [item.path for item in results]
    result = {"source": name, "files": files, **_told(risks, scale, today)}
    return ToolAnswer(result=result, deliverables=tuple(results))


def risks_of(file: Path, name: str, settings: Mapping[str, str], scale: Scale) -> list[Risk]:
    """Return the risks of a file."""
    table = read_table(file, name=name, sheet=settings.get("sheet", ""))
    return read_risks(table, settings, scale)


def day_said(text: str) -> date:
    """Return the day that a call names. Raises ToolInputError."""
    try:
        return date.fromisoformat(text.strip())
    except ValueError as problem:
        raise ToolInputError(f"{text!r} is no day such as 2026-12-01.") from problem


def _told(risks: Sequence[Risk], scale: Scale, today: date) -> dict[str, Any]:
    bands = Counter(scale.band(risk.score) for risk in risks if risk.score is not None)
    lines = [f"{risk.id}: {gap}" for risk in ranked(risks) for gap in gaps_of(risk, scale, today)]
    late = [risk.id for risk in ranked(risks) if risk.is_late(today)]
    counted = ", ".join(f"{bands[name]} {name}" for name, _ in reversed(scale.bands) if bands[name])
    open_lines = "\n".join(f"- {line}" for line in lines[:20])
    more = f"\n- and {len(lines) - 20} more in the sheet Open points" if len(lines) > 20 else ""
    rated = sum(bands.values())
    summary = (
        f"{len(risks)} risks as of {today.isoformat()}, {rated} rated: {counted or 'no band'}. "
        f"Reviews overdue: {', '.join(late) or 'no review'}.\n"
        f"Open points: {len(lines)}{':' if lines else '.'}\n{open_lines}{more}"
    )
    return {
        "summary": summary.strip(),
        "bands": {name: bands[name] for name, _ in scale.bands},
        "overdue": late,
        "open_points": lines,
        "risks": [
            {
                "id": risk.id,
                "risk": risk.risk,
                "score": risk.score,
                "band": scale.band(risk.score) if risk.score else "",
                "residual": risk.residual,
                "owner": risk.owner,
            }
            for risk in ranked(risks)[:SHOWN]
        ],
    }
