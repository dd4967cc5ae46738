"""The tool that tells from git what was done."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from deskmate.plugin import Deliverable, ToolAnswer, ToolContext, ToolInputError
from deskmate_engineering.repository import git, pick_repository, top_of

COMMITS_LIMIT = 500
_FORMAT = "%x1e%H%x1f%an%x1f%aI%x1f%s%x1f%P"


def standup_from_git(
    context: ToolContext,
    path: str = "",
    since: str = "7 days ago",
    author: str = "",
    output: str = "",
    request: str = "",
) -> ToolAnswer:
    """List commits by author with their files and line counts, from all local branches.

    Reads only; hooks and programs that the repository names are not run.

    Args:
        context: filled in by Deskmate.
        path: workspace folder of the repository. Empty: the one there.
        since: a date such as 2025-03-01, or words that git knows such as "2 days ago".
        author: part of a name or address; empty for all.
        output: workspace path of a Markdown file to write as well, ending in .md; empty for none.
        request: the user's words; a repository named there is taken if `path` is empty.

    Returns:
        `authors`: list of {name, commits, added, removed}; each commit has id, date, subject, files
        (path, added, removed; None for binary). `summary`: the same as Markdown.

    Raises:
        ToolInputError: not a repository, or a date or name that git refuses.
    """
    if since.startswith("-") or author.startswith("-"):
        raise ToolInputError("A date or an author does not begin with a dash.")
    if output and not output.lower().endswith(".md"):
        raise ToolInputError(f"{output} must end in .md.")
    repository = (
        top_of(context.target(path), path) if path else pick_repository(context.workspace, request)
    )
    authors = grouped(_log(repository, since, author))
    summary = as_markdown(authors, since)
    name = context.name_of(repository)
    result = {
        "repository": name,
        "since": since,
        "commits": sum(len(a["commits"]) for a in authors),
        "authors": authors,
        "summary": summary,
    }
    if not output:
        return ToolAnswer(result=result)
    target = context.target(output)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(f"# Stand-up: {repository.name}\n\n{summary}\n", encoding="utf-8")
    deliverable = Deliverable(
        path=context.name_of(target), title=f"Stand-up of {repository.name}", role="standup"
    )
    return ToolAnswer(result={**result, "output": deliverable.path}, deliverables=(deliverable,))


def _log(repository: Path, since: str, author: str) -> str:
    """Return git's log of the local branches; nothing that the repository names is run."""
    arguments = [
        "log",
        "--branches",
        f"--since={since}",
        f"--max-count={COMMITS_LIMIT}",
        "--date-order",
        "--no-merges",
    ]
    if author:
        arguments += ["--fixed-strings", "--regexp-ignore-case", f"--author={author}"]
    arguments += ["--numstat", "--no-ext-diff", "--no-textconv", "--no-renames"]
    return git(repository, *arguments, f"--format={_FORMAT}")


def grouped(text: str) -> list[dict[str, Any]]:
    """Return git's answer by author, most commits first; commits as git orders them."""
    authors: dict[str, list[dict[str, Any]]] = {}
    for record in text.split("\x1e")[1:]:
        head, _, numbers = record.partition("\n")
        commit, name, day, subject, _ = head.split("\x1f")
        files = [
            _file(line) for line in numbers.splitlines() if re.match(r"^[\d-]+\t[\d-]+\t", line)
        ]
        authors.setdefault(name, []).append(
            {"id": commit, "date": day, "subject": subject, "files": files}
        )
    people = [
        {
            "name": name,
            "commits": commits,
            "added": sum(f["added"] or 0 for c in commits for f in c["files"]),
            "removed": sum(f["removed"] or 0 for c in commits for f in c["files"]),
        }
        for name, commits in authors.items()
    ]
    return sorted(people, key=lambda a: (-len(a["commits"]), a["name"]))


def _file(line: str) -> dict[str, Any]:
    added, removed, path = line.split("\t", 2)
    return {
        "path": path,
        "added": int(added) if added != "-" else None,
        "removed": int(removed) if removed != "-" else None,
    }


def as_markdown(authors: list[dict[str, Any]], since: str) -> str:
    """Return the stand-up: one bullet per commit with its short id."""
    if not authors:
        return f"No commits since {since}."
    parts = []
    for person in authors:
        count = len(person["commits"])
        commits = f"{count} commit{'' if count == 1 else 's'}"
        lines = [f"**{person['name']}** ({commits}, +{person['added']} −{person['removed']})"]
        for commit in person["commits"]:
            files = len(commit["files"])
            lines.append(
                f"- {commit['subject']} (`{commit['id'][:10]}`, {files} file{'s' if files != 1 else ''})"
            )
        parts.append("\n".join(lines))
    return "\n\n".join(parts)
