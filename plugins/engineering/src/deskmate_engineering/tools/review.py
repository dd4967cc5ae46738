"""The tools that take a diff apart and deliver a review of it."""

from __future__ import annotations

from typing import Any

from deskmate.plugin import Deliverable, ToolAnswer, ToolContext, ToolInputError
from deskmate_documents.tables import decode
from deskmate_engineering.diffs import as_json, parse_diff
from deskmate_engineering.repository import commit_of, git, top_of

LINES_LIMIT = 2_000
SEVERITIES = ("blocker", "major", "minor", "note")


def diff_text(context: ToolContext, path: str, base: str, head: str) -> str:
    """Return the diff of a patch file, or of two revisions of a repository (from where they parted)."""
    real = context.target(path)
    if real.is_file():
        return decode(real.read_bytes(), path)
    repository = top_of(real, path)
    one, other = commit_of(repository, base or "HEAD~1"), commit_of(repository, head or "HEAD")
    return git(
        repository,
        "diff",
        "--no-ext-diff",
        "--no-textconv",
        "--no-color",
        "-M",
        f"{one}...{other}",
        "--",
    )


def review_diff(context: ToolContext, path: str, base: str = "", head: str = "") -> dict[str, Any]:
    """Return a diff as files, hunks and numbered lines, to review it line by line.

    Args:
        context: filled in by Deskmate.
        path: workspace path of a patch file, or of a repository's folder.
        base: revision to compare with; empty: the commit before `head`.
        head: revision that is reviewed; empty: HEAD.

    Returns:
        `files`: list of {path, old_path, status, binary, added, removed, hunks}; hunks hold lines with
        kind, text and their numbers `old` and `new`. `truncated`: lines beyond 2,000 were left out.

    Raises:
        ToolInputError: no such path or revision, or not a unified diff.
    """
    text = diff_text(context, path, base, head)
    files = parse_diff(text, path) if text.strip() else []
    shown, cut = as_json(files, LINES_LIMIT)
    totals = {kind: sum(file[kind] for file in shown) for kind in ("added", "removed")}
    return {"path": path, "file_count": len(files), **totals, "truncated": cut, "files": shown}


def review_report(
    context: ToolContext,
    path: str,
    findings: list[dict[str, Any]],
    output: str,
    base: str = "",
    head: str = "",
) -> ToolAnswer:
    """Write a review as Markdown; each finding must point to a line of the diff and quote it.

    Args:
        context: filled in by Deskmate.
        path: workspace path of the patch file, or of the repository's folder.
        findings: list of {file, line, text, severity, message}. `line`: number in the new version, from
            1; `text`: that line word for word; `severity`: blocker, major, minor or note.
        output: workspace path of the review, ending in .md.
        base: as in `review_diff`. For a repository the diff is written beside the review as .diff.
        head: as in `review_diff`.

    Returns:
        `output`, `diff` and the number of findings by severity.

    Raises:
        ToolInputError: a finding does not fit the diff, or a path or revision cannot be used.
    """
    if not output.lower().endswith(".md"):
        raise ToolInputError(f"{output} must end in .md.")
    text = diff_text(context, path, base, head)
    lines = new_lines(text, path)
    for number, finding in enumerate(findings, start=1):
        problem = misplaced(finding, lines)
        if problem:
            raise ToolInputError(f"Finding {number}: {problem}")
    target = context.target(output)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(as_markdown(path, findings), encoding="utf-8")
    is_patch = context.target(path).is_file()
    sources = (
        {"diff": context.name_of(context.target(path))}
        if is_patch
        else _file_sources(context, path, findings)
    )
    deliverable = Deliverable(
        path=context.name_of(target),
        title=f"Review of {path}",
        role="review",
        sources=sources,
        data={"findings": findings},
    )
    counts = {severity: sum(f["severity"] == severity for f in findings) for severity in SEVERITIES}
    return ToolAnswer(result={"output": deliverable.path, **counts}, deliverables=(deliverable,))


def _file_sources(
    context: ToolContext, path: str, findings: list[dict[str, Any]]
) -> dict[str, str]:
    top = top_of(context.target(path), path)
    return {f"file:{f['file']}": context.name_of(top / str(f["file"])) for f in findings}


def new_lines(text: str, name: str) -> dict[tuple[str, int], str]:
    """Return (file, line number) → text of all lines that the diff shows of the new version."""
    files = parse_diff(text, name) if text.strip() else []
    return {
        (f.path, n.new): n.text
        for f in files
        for h in f.hunks
        for n in h.lines
        if n.new is not None
    }


def misplaced(finding: Any, lines: dict[tuple[str, int], str]) -> str:
    """Return what is wrong with a finding's place, or an empty text."""
    wanted = {"file": str, "line": int, "text": str, "severity": str, "message": str}
    if not isinstance(finding, dict) or any(
        not isinstance(finding.get(k), t) for k, t in wanted.items()
    ):
        return f"it needs {', '.join(wanted)}."
    if finding["severity"] not in SEVERITIES:
        return f"severity is {finding['severity']!r}; use {', '.join(SEVERITIES)}."
    there = lines.get((finding["file"], finding["line"]))
    if there is None:
        return f"{finding['file']}:{finding['line']} is not a line of the new version in the diff."
    if there.strip() != finding["text"].strip():
        return f"{finding['file']}:{finding['line']} reads {there.strip()[:120]!r}, not {finding['text'].strip()[:120]!r}."
    return ""


def as_markdown(path: str, findings: list[dict[str, Any]]) -> str:
    """Return the review, gravest findings first."""
    parts = [f"# Review of {path}", "" if findings else "No findings."]
    for finding in sorted(findings, key=lambda f: SEVERITIES.index(f["severity"])):
        parts += [
            f"## {finding['severity']}: {finding['file']}:{finding['line']}",
            "",
            f"    {finding['text'].strip()}",
            "",
            finding["message"],
            "",
        ]
    return "\n".join(parts)
