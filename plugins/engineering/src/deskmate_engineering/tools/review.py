"""The tools that take a change apart, check it, and deliver a review of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from deskmate.plugin import Deliverable, ToolAnswer, ToolContext, ToolInputError
from deskmate_documents.tables import decode
from deskmate_engineering.diffs import as_json
from deskmate_engineering.inspections.classes import SEVERITIES
from deskmate_engineering.ranges import Span, span_of
from deskmate_engineering.repository import Repository, open_repository, pick_repository
from deskmate_engineering.reviews import (
    Subject,
    as_markdown,
    key_of,
    merged,
    misplaced,
    subject_between,
    subject_of_patch,
)

LINES_LIMIT = 2_000
PATCHES = (".patch", ".diff")


def review_diff(
    context: ToolContext, path: str = "", base: str = "", head: str = "", request: str = ""
) -> dict[str, Any]:
    """Return a change as files, hunks and numbered lines with what the checks find in it, to review it line by line.

    Args:
        context: filled in by Deskmate.
        path: workspace path of a patch file, or of a repository's folder. Empty: the one there.
        base: revision to compare with. Empty: the main branch, or on it the commit before `head`.
        head: revision that is reviewed. Empty: HEAD.
        request: the user's words; revisions named there are taken where both are empty.

    Returns:
        `files`: list of {path, old_path, status, binary, added, removed, hunks}; hunks hold lines with
        kind, text and their numbers `old` and `new`; secrets are masked. `truncated`: lines beyond 2,000 were
        left out. `checks`: findings of the checks, as in `review_report`.

    Raises:
        ToolInputError: no such path or revision, or not a unified diff.
    """
    subject, data, _ = _subject(context, path, base, head, request)
    shown, cut = as_json(list(subject.files), LINES_LIMIT)
    totals = {kind: sum(file[kind] for file in shown) for kind in ("added", "removed")}
    return {
        "title": subject.title,
        **{name: data[name] for name in ("base", "head") if name in data},
        "file_count": len(subject.files),
        **totals,
        "truncated": cut,
        "files": shown,
        "checks": list(subject.checked),
        "not_read": dict(subject.change.unread),
    }


def review_report(
    context: ToolContext,
    path: str = "",
    findings: Sequence[dict[str, Any]] = (),
    dismissed: Sequence[dict[str, Any]] = (),
    output: str = "",
    base: str = "",
    head: str = "",
    request: str = "",
) -> ToolAnswer:
    """Write a review as Markdown: what the checks find, and the findings given; each points to a line of the diff.

    Args:
        context: filled in by Deskmate.
        path: as in `review_diff`.
        findings: list of {file, line, text, severity, message} beside those of the checks. `line`: number in the
            new version, from 1 (`side`: "old" for a line that goes); `text`: that line word for word; `severity`:
            blocker, major, minor or note. With the `class` of a check's finding at that place it takes its place.
        dismissed: list of {file, line, class, reason}: findings of the checks that are none, and why.
        output: workspace path of the review, ending in .md. Empty: review.md beside the repository or patch.
        base: as in `review_diff`.
        head: as in `review_diff`.
        request: as in `review_diff`.

    Returns:
        `output`, `title`, the number of findings by severity, and a `summary` of all findings.

    Raises:
        ToolInputError: a finding does not fit the diff, a dismissed one is none, or a path or revision cannot be used.
    """
    subject, data, sources = _subject(context, path, base, head, request)
    _check(subject, findings, dismissed)
    all_found = merged(subject, findings, dismissed)
    target = context.target(output or data.pop("beside"))
    if target.suffix.lower() != ".md":
        raise ToolInputError(f"{output} must end in .md.")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(as_markdown(subject, all_found, dismissed), encoding="utf-8")
    data.pop("beside", None)
    deliverable = Deliverable(
        path=context.name_of(target),
        title=f"Review of {subject.title}",
        role="review",
        sources=sources,
        data={**data, "findings": all_found, "dismissed": [dict(one) for one in dismissed]},
    )
    counts = {level: sum(f["severity"] == level for f in all_found) for level in SEVERITIES}
    lines = [f"- {f['severity']}: {f['file']}:{f['line']} {f['message']}" for f in all_found] or [
        "No findings."
    ]
    result = {
        "output": deliverable.path,
        "title": subject.title,
        **counts,
        "summary": "\n".join(lines),
    }
    return ToolAnswer(result=result, deliverables=(deliverable,))


def _check(
    subject: Subject, findings: Sequence[dict[str, Any]], dismissed: Sequence[dict[str, Any]]
) -> None:
    lines = subject.lines()
    for number, finding in enumerate(findings, start=1):
        if problem := misplaced(finding, lines):
            raise ToolInputError(f"Finding {number}: {problem}")
    known = {key_of(one) for one in subject.checked}
    for number, one in enumerate(dismissed, start=1):
        if not isinstance(one, dict) or key_of(one) not in known:
            raise ToolInputError(
                f"Dismissed {number} is no finding of the checks; give its file, line and class."
            )
        if len(str(one.get("reason", "")).split()) < 3:
            raise ToolInputError(f"Dismissed {number}: say in a sentence why it is none.")


def _subject(
    context: ToolContext, path: str, base: str, head: str, request: str
) -> tuple[Subject, dict[str, Any], dict[str, str]]:
    """Return what is reviewed, what its gates need, and its sources."""
    real = context.target(path) if path else _picked(context, request)
    name = context.name_of(real)
    if real.is_file():
        text = decode(real.read_bytes(), name)
        place = f"{name.rpartition('.')[0] or name}-review.md"
        return subject_of_patch(text, name, context.config), {"beside": place}, {"diff": name}
    repository = open_repository(real, context.workspace, name)
    span = span_of(repository, base, head, request)
    subject = subject_between(repository, span, context.config)
    data = {**span_data(repository, span), "beside": beside(context, repository, "review.md")}
    return subject, data, sources_of(context, repository)


def span_data(repository: Repository, span: Span) -> dict[str, str]:
    """Return what a gate needs to find the same change again."""
    names = {"base_name": span.base_name, "head_name": span.head_name}
    return {"name": repository.name, "base": span.base, "head": span.head, **names}


def sources_of(context: ToolContext, repository: Repository) -> dict[str, str]:
    """Return the source that stands for a repository: its HEAD, beside which the gate finds the rest."""
    return {"repository": context.name_of(repository.git_folder / "HEAD")}


def beside(context: ToolContext, repository: Repository, name: str) -> str:
    """Return the workspace path of a result beside the repository's folder; in it, where it is the granted folder itself."""
    place = repository.folder.resolve().parent
    top = context.workspace.resolve()
    if place == top or not place.is_relative_to(top):
        place = repository.folder
    return context.name_of(place / name)


def _picked(context: ToolContext, request: str) -> Any:
    """Return the patch that is named or alone, else the repository that is meant."""
    patches = sorted(
        p
        for p in context.workspace.rglob("*")
        if p.suffix in PATCHES and p.is_file() and ".git" not in p.parts
    )
    named = [patch for patch in patches if patch.name in request]
    if len(named) == 1:
        return named[0]
    try:
        return pick_repository(context.workspace, request)
    except ToolInputError:
        if len(patches) == 1:
            return patches[0]
        raise
