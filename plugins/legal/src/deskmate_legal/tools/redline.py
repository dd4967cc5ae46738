"""Writes a redline: tracked changes with comments."""

from __future__ import annotations

import datetime
from typing import Any, NotRequired, TypedDict

from deskmate.plugin import Deliverable, ToolAnswer, ToolContext, ToolInputError


class ContractEdit(TypedDict):
    """One change: `find` occurs once in the paragraph; empty to insert `replace` as a new one after it."""

    paragraph: int
    find: str
    replace: str
    reason: str
    reference: NotRequired[str]


def contract_redline(
    path: str, edits: list[ContractEdit], context: ToolContext, target: str = ""
) -> ToolAnswer:
    """Write a redline of a DOCX: word-level tracked changes with a comment for each.

    The original is not touched. Rejecting all changes gives the original again, formatting included.

    Args:
        path: workspace path of the original DOCX.
        context: filled in by Deskmate.
        edits: list of {paragraph: int ≥ 1 as in contract_parse, find: words that occur exactly once in
            that paragraph (empty: insert a new paragraph after it), replace: the new words, reason: why,
            shown as a comment, reference: playbook category}. Change as few words as possible.
        target: workspace path of the result; empty: "<name> - redline.docx" beside the original.

    Returns:
        `path` of the redline, `edits`: their number, `insertions`, `deletions`, `comments`.
    """
    from deskmate_documents.docx.redline import Edit, redline  # noqa: PLC0415
    from deskmate_legal.workspace import beside  # noqa: PLC0415

    source = context.file(path)
    if not edits:
        raise ToolInputError("There are no edits; a redline without changes is not written.")
    name = context.name_of(source)
    result = beside(context, name, "redline", target)
    author = str(context.config.get("author") or "Deskmate")
    listed: list[dict[str, Any]] = [{"reference": "", **edit} for edit in edits]
    done = redline(
        source,
        context.target(result),
        [Edit(**edit) for edit in listed],
        author=author,
        date=datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    )
    shown = f"{done.applied} tracked change{'' if done.applied == 1 else 's'}"
    return ToolAnswer(
        result={
            "path": result,
            "original": name,
            "edits": done.applied,
            "insertions": done.insertions,
            "deletions": done.deletions,
            "comments": done.comments,
            "summary": f"{result}: {shown}.",
        },
        deliverables=(_deliverable(result, name, listed, author),),
    )


def _deliverable(result: str, name: str, edits: list[dict[str, Any]], author: str) -> Deliverable:
    return Deliverable(
        path=result,
        title=f"Redline of {name.rpartition('/')[2]}",
        role="redline",
        sources={"original": name},
        data={"edits": edits, "author": author},
    )
