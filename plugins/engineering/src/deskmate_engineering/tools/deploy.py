"""The tool that writes a deployment's checklist."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path, PurePosixPath
from typing import Any

from deskmate.plugin import Deliverable, ToolAnswer, ToolContext, ToolInputError
from deskmate_documents.tables import find_files
from deskmate_engineering.deploys import KINDS, TABLES, Box, Terms, as_markdown, boxes_of

_HINTS: Mapping[str, str] = {
    "checks": r"\b(?:ci|checks?|builds?|pipelines?|jobs?)\b",
    "migrations": r"\bmigrations?\b",
    "approvals": r"\bapprovals?\b",
}


def deploy_gate(
    context: ToolContext,
    commit: str = "",
    author: str = "",
    lists: dict[str, str] | None = None,
    output: str = "",
    as_of: str = "",
    request: str = "",
) -> ToolAnswer:
    """Write the checklist of a deployment: a box is ticked only by a record (run, tested rollback, approver); the verdict is computed.

    Args:
        context: filled in by Deskmate.
        commit: the version that is to go out, 7 signs at least. Empty: the one that the request names.
        author: who wrote the change; their own approval does not count.
        lists: workspace paths (CSV or XLSX) of `checks` (check, run id, commit, result, finished), `migrations` (migration,
            rollback, rollback tested, approver) and `approvals` (approver, date, role, commit). Left out: the ones there.
        output: workspace path of the checklist, ending in .md. Empty: `deploy checklist.md` beside the runs.
        as_of: the day, such as 2026-12-01. Empty: today.
        request: the user's words.

    Returns:
        `output`; `verdict`; `boxes`: list of {part, name, open}; `open`: their number; `list`: the open ones, one a line.

    Raises:
        ToolInputError: there is no commit or list, a column is missing, or a date is none.
    """
    commit = (commit or _commit(request)).strip().lower()
    if not re.fullmatch(r"[0-9a-f]{7,64}", commit):
        raise ToolInputError("Name the commit that is to go out in `commit`, 7 to 64 signs of it.")
    given = dict(lists or {})
    if not set(given) <= set(KINDS):
        raise ToolInputError(
            f"The lists are {', '.join(KINDS)}; not {', '.join(set(given) - set(KINDS))}."
        )
    sources = {kind: given.get(kind) or _found(context, kind) for kind in KINDS}
    sources = {kind: context.name_of(context.file(path)) for kind, path in sources.items() if path}
    if not sources:
        raise ToolInputError(
            "There is no list of checks, migrations or approvals in the workspace."
        )
    try:
        day = date.fromisoformat(as_of) if as_of else datetime.now(UTC).date()
    except ValueError as problem:
        raise ToolInputError(f"{as_of!r} is no day such as 2026-12-01.") from problem
    data = {"commit": commit, "author": author.strip(), "as_of": day.isoformat()}
    terms = terms_of(data, context.config, day)
    boxes = boxes_of({kind: (context.file(path), path) for kind, path in sources.items()}, terms)
    beside = PurePosixPath(next(iter(sources.values()))).parent
    target = context.target(output or (beside / "deploy checklist.md").as_posix())
    if target.suffix.lower() != ".md":
        raise ToolInputError(f"{output} must end in .md.")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(as_markdown(boxes, terms), "utf-8")
    deliverable = Deliverable(
        path=context.name_of(target),
        title=f"Deployment checklist of {commit}",
        role="deploy-checklist",
        sources=sources,
        data=data,
    )
    return ToolAnswer(
        result={"output": deliverable.path, **_told(boxes)}, deliverables=(deliverable,)
    )


def _told(boxes: tuple[Box, ...]) -> dict[str, Any]:
    left = [box for box in boxes if box.open]
    return {
        "verdict": "not ready" if left else "every box has its record",
        "boxes": [{"part": b.part, "name": b.name, "open": b.open} for b in boxes],
        "open": len(left),
        "list": "\n".join(f"- {b.part}, {b.name}: {b.open}" for b in left) or "Nothing is open.",
    }


def terms_of(data: Mapping[str, Any], config: Mapping[str, Any], day: date) -> Terms:
    """Return what the settings ask for.

    Raises:
        ToolInputError: a setting is none.
    """
    approvers, fresh = (
        int(config.get("deploy_approvers", 1)),
        int(config.get("deploy_rollback_days", 90)),
    )
    if approvers < 0 or fresh < 0:
        raise ToolInputError("deploy_approvers and deploy_rollback_days are 0 or more.")
    return Terms(
        commit=str(data["commit"]),
        author=str(data["author"]),
        today=day,
        required=tuple(str(one) for one in config.get("deploy_checks") or ()),
        approvers=approvers,
        fresh_days=fresh,
    )


def _commit(request: str) -> str:
    found = set(re.findall(r"\b(?=[0-9a-f]*\d)[0-9a-f]{7,40}\b", request))
    return found.pop() if len(found) == 1 else ""


def _found(context: ToolContext, kind: str) -> str:
    named = [
        each
        for each in find_files(context.workspace, TABLES)
        if re.search(_HINTS[kind], re.sub(r"[_-]+", " ", Path(each).stem.lower()))
    ]
    if len(named) > 1:
        raise ToolInputError(
            f"Several files may be the {kind}: {', '.join(named[:8])}. Name one in `lists`."
        )
    return named[0] if named else ""
