"""The tool that computes a workbook by two engines and writes back what they agree on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deskmate.plugin import Deliverable, ToolAnswer, ToolContext
from deskmate_documents.office.sheet_record import recall, remember, result_file, workbook_file

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deskmate_documents.xlsx.calculate import Calculation, Unsettled
    from deskmate_documents.xlsx.engines import Engine

SHOWN = 60
SECONDS_A_CALL = 105.0
"""For both engines, and for both once more over the workbook before the edits; a call ends within two minutes."""
LIBREOFFICE_SHARE = 0.8


def sheet_recalculate(path: str, context: ToolContext, target: str = "") -> ToolAnswer:
    """Compute an Excel workbook's formulas anew by two engines; results on which both agree are written into the file.

    Do this after edits, before you cite or show a result that they changed. Only results that an edit reaches or
    that are missing are written; everything else stays. A result on which the engines differ is never guessed: it is
    listed, stays marked `old` in sheet_read and is computed when the file is opened in Excel; say so to the user.

    Args:
        path: workspace path of the workbook.
        context: filled in by Deskmate.
        target: workspace path of the result; empty: the same file.

    Returns:
        `formulas`, `agreed`, `written`: counts; `changed`: list of {cell, was, now}, at most 60; `unsettled`: list of
        {cell, reason, formula, stored, answers: engine → result}, at most 60; `unsettled_count`. Reasons: engines
        differ, not computed, changes by itself (today's date, chance), fills several cells, result in doubt (both
        engines are known to read such a formula otherwise than Excel, or did not give what Excel stored before the
        edit), another program differs (nothing was edited there, and the stored result is not what both engines give).
    """
    from deskmate_documents.render import LIMIT_S, convert  # noqa: PLC0415
    from deskmate_documents.xlsx.engines import (  # noqa: PLC0415
        Deadline,
        Formualizer,
        LibreOffice,
    )

    deadline = Deadline(SECONDS_A_CALL)

    def in_sight(source: Path, computed: Path) -> object:
        context.on_progress("LibreOffice computes a copy")
        limit_s = min(deadline.share_s(LIBREOFFICE_SHARE, Path(path).name), LIMIT_S)
        return convert(source, computed, limit_s=limit_s, on_progress=context.on_progress)

    return recalculated(path, context, target, (Formualizer(deadline), LibreOffice(in_sight)))


def recalculated(
    path: str, context: ToolContext, target: str, engines: Sequence[Engine]
) -> ToolAnswer:
    """Do what `sheet_recalculate` says, by these engines."""
    from deskmate_documents.xlsx.book import Workbook  # noqa: PLC0415
    from deskmate_documents.xlsx.calculate import recalculate  # noqa: PLC0415
    from deskmate_documents.xlsx.declared import Declared  # noqa: PLC0415
    from deskmate_documents.xlsx.structure import replayed  # noqa: PLC0415

    source = workbook_file(path, context)
    result = result_file(source, target, context)
    known = recall(source, context)
    baseline = known.baseline if known.is_edited else None
    trusted = baseline is not None and not Workbook(baseline).is_stale
    changed = known.declared.changed() if trusted else None
    with replayed(baseline, known.declared.steps) as before_edits:
        done = recalculate(source, result, engines, changed=changed, baseline=before_edits)
    if changed is None:
        known = replace(known, declared=known.declared.merged(Declared(results=True)))
    old = [u for u in done.unsettled if u.reason != "another program differs"]
    data = remember(result, known, context, unsettled=[_label(u.spot) for u in old])
    name = context.name_of(result)
    deliverable = Deliverable(
        path=name,
        title=f"Recalculated workbook {result.name}",
        role="workbook",
        sources={"original": known.original},
        data=data,
    )
    return ToolAnswer(
        result={"path": name} | _report(done),
        deliverables=(deliverable,),
    )


def _label(spot: tuple[str, tuple[int, int]]) -> str:
    from deskmate_documents.xlsx.refs import name_of  # noqa: PLC0415

    return f"{spot[0]}!{name_of(spot[1])}"


def _report(done: Calculation) -> dict[str, Any]:
    return {
        "formulas": done.formulas,
        "agreed": done.agreed,
        "written": len(done.written),
        "changed": [
            {"cell": _label(spot), "was": done.was[spot], "now": done.now[spot]}
            for spot in done.written[:SHOWN]
        ],
        "unsettled": [_shown(each) for each in done.unsettled[:SHOWN]],
        "unsettled_count": len(done.unsettled),
    }


def _shown(each: Unsettled) -> dict[str, Any]:
    return {
        "cell": _label(each.spot),
        "reason": each.reason,
        "formula": f"={each.formula}"[:300],
        "stored": each.stored[:200],
        "answers": {name: text[:200] for name, text in each.answers.items()},
    }
