"""Compares two versions of a contract."""

from __future__ import annotations

import datetime
from typing import Any

from deskmate.plugin import Deliverable, ToolAnswer, ToolContext, ToolInputError

_SHOWN = 200


def contract_compare(before: str, after: str, context: ToolContext, target: str = "") -> ToolAnswer:
    """Compare two versions of a Word document: a DOCX with tracked changes and a list of changes by clause.

    Args:
        before: workspace path of the older DOCX.
        after: workspace path of the newer DOCX.
        context: filled in by Deskmate.
        target: workspace path of the result; empty: "<name of after> - comparison.docx" beside it.

    Returns:
        `path` of the comparison, `revisions`: their number, `changes`: list of {kind, number, before, after,
        paragraph, paragraph_after}, at most 200, `more`: how many were left out, `summary`.
    """
    from deskmate_documents.docx.compare import compare  # noqa: PLC0415
    from deskmate_legal.workspace import beside  # noqa: PLC0415

    older, newer = context.file(before), context.file(after)
    if older == newer:
        raise ToolInputError("Both versions are the same file.")
    result = beside(context, context.name_of(newer), "comparison", target)
    if context.target(result) == older:
        raise ToolInputError(f"{result} is one of the versions; give the result another name.")
    author = str(context.config.get("author") or "Deskmate")
    now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    done = compare(older, newer, context.target(result), author=author, date=now)
    changes: list[dict[str, Any]] = [
        {
            "kind": change.kind,
            "number": change.number,
            "before": change.before[:400],
            "after": change.after[:400],
            "paragraph": change.paragraph,
            "paragraph_after": change.paragraph_after,
        }
        for change in done.changes
    ]
    plural = "" if done.revisions == 1 else "s"
    return ToolAnswer(
        result={
            "path": result,
            "revisions": done.revisions,
            "changes": changes[:_SHOWN],
            "more": max(len(changes) - _SHOWN, 0),
            "summary": f"{done.revisions} change{plural} from {before} to {after}, shown in {result}.",
        },
        deliverables=(
            Deliverable(
                path=result,
                title=f"Comparison of {before.rpartition('/')[2]} and {after.rpartition('/')[2]}",
                role="comparison",
                sources={"before": context.name_of(older), "after": context.name_of(newer)},
                data={"author": author},
            ),
        ),
    )
