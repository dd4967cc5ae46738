"""The tool that turns runbook notes into a procedure."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

from deskmate.plugin import Deliverable, ToolAnswer, ToolContext, ToolInputError
from deskmate_documents.tables import LIMIT_BYTES, decode, pick_file
from deskmate_ops.procedures import numbered, open_points, write_procedure
from deskmate_ops.runbooks import Runbook, read_runbook


def sop_build(
    context: ToolContext, path: str = "", output: str = "", request: str = ""
) -> ToolAnswer:
    """Turn runbook notes in Markdown into a numbered procedure (DOCX), every step kept, in order, with owners and RACI.

    Takes from the notes: owner, version, review dates; of each step its owner, input, check, roll-back, whom to consult
    and inform, from lines below it such as `Check: …` or a bracket `(owner: …)`. What they do not say is named as open.

    Args:
        context: filled in by Deskmate.
        path: workspace path of the notes (.md or .txt). Empty: the ones there.
        output: workspace path of the procedure, ending in .docx. Empty: beside the notes, same name.
        request: the user's words; a file named there is taken if `path` is empty.

    Returns:
        `steps`: number, text, role, line of the notes and details of each; `missing`: facts that the notes do not name;
        `open_points`: all that they leave open, in words.

    Raises:
        ToolInputError: no such file, too large, or no list items in it.
    """
    path = path or pick_file(
        context.workspace,
        (".md", ".txt"),
        what="runbook notes",
        hints=("runbook", "sop", "procedure", "notes"),
        request=request,
    )
    file = context.file(path)
    if file.stat().st_size > LIMIT_BYTES // 16:
        raise ToolInputError(f"{path} is too large for notes (over 4 MiB).")
    book = read_runbook(decode(file.read_bytes(), path), path)
    output = output or str(PurePosixPath(context.name_of(file)).with_suffix(".docx"))
    if not output.lower().endswith(".docx"):
        raise ToolInputError(f"{output} must end in .docx.")
    target = context.target(output)
    write_procedure(target, book, context.name_of(file))
    deliverable = Deliverable(
        path=context.name_of(target),
        title=book.title,
        role="sop",
        sources={"notes": context.name_of(file)},
    )
    result = {"output": deliverable.path, **_result(book, deliverable.path)}
    return ToolAnswer(result=result, deliverables=(deliverable,))


def _result(book: Runbook, path: str) -> dict[str, Any]:
    steps = [
        {
            "number": number,
            "text": step.text,
            "role": section.role,
            "line": step.line,
            **({"details": dict(step.details)} if step.details else {}),
        }
        for section, lines in numbered(book)
        for number, step in lines
    ]
    missing = [key for key in ("owner", "version", "next review") if key not in book.facts]
    roles = list(dict.fromkeys(section.role for section in book.sections if section.role))
    return {
        "summary": _summary(book.title, len(steps), path, roles, open_points(book)),
        "title": book.title,
        "facts": book.facts,
        "roles": roles,
        "step_count": len(steps),
        "steps": steps[:200],
        "missing": missing,
        "open_points": open_points(book),
    }


def _summary(title: str, steps: int, path: str, roles: list[str], gaps: list[str]) -> str:
    lines = [f"{title}: {steps} step{'' if steps == 1 else 's'}, written to {path}."]
    lines += [f"Roles: {', '.join(roles)}."] if roles else []
    lines += ["Open points:", *(f"- {gap}" for gap in gaps)] if gaps else []
    return "\n".join(lines)
