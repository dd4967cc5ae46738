"""The tool that tells from git what was done."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from deskmate.plugin import Deliverable, ToolAnswer, ToolContext, ToolInputError
from deskmate_engineering.repository import Repository
from deskmate_engineering.standups import Commit, as_markdown, commits_of, people_of, totals
from deskmate_engineering.tools.fix import opened
from deskmate_engineering.tools.review import beside, sources_of
from deskmate_engineering.windows import Window, window_of, zone_of


def standup_from_git(
    context: ToolContext,
    path: str = "",
    since: str = "",
    until: str = "",
    author: str = "",
    output: str = "",
    highlights: Sequence[dict[str, Any]] = (),
    request: str = "",
) -> ToolAnswer:
    """Write who did what in a window, from the commits of all local branches, by author and theme, each line with its commit.

    Reads only; hooks and programs that the repository names are not run. A commit counts by the time when it was written.

    Args:
        context: filled in by Deskmate.
        path: workspace folder of the repository. Empty: the one there.
        since: a date such as 2026-03-01, or yesterday, today, "2 days ago". Empty: what the request names, else 7 days.
        until: likewise. Empty: now.
        author: part of a name or address; empty for all.
        output: workspace path of the Markdown file, ending in .md. Empty: standup.md beside the repository.
        highlights: list of {text, commits}: your own lines on top, each with the ids of the commits it sums up.
        request: the user's words; a repository and a window named there are taken.

    Returns:
        `repository`, `window`, `commits`; `authors`: list of {name, commits, added, removed}, each commit with id, date,
        subject, body, theme, tickets and files; `summary`: the text.

    Raises:
        ToolInputError: no repository there, words that name no time, or a highlight without a commit of the window.
    """
    repository = opened(context, path, request)
    zone = zone_of(str(context.config.get("zone") or "UTC"))
    # a commit of this very second is of the past
    now = datetime.now(zone).replace(microsecond=0) + timedelta(seconds=1)
    window = window_of(since, until, request, now)
    commits, merges = commits_of(repository, window, author)
    cited = [_cited(one, commits) for one in highlights]
    text = as_markdown(repository.name, window, commits, merges, cited)
    target = context.target(output or beside(context, repository, "standup.md"))
    if target.suffix.lower() != ".md":
        raise ToolInputError(f"{output} must end in .md.")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")
    ends = {"since": window.since.isoformat(), "until": window.until.isoformat()}
    deliverable = Deliverable(
        path=context.name_of(target),
        title=f"Stand-up of {repository.name}",
        role="standup",
        sources=sources_of(context, repository),
        data={"name": repository.name, "author": author, **ends},
    )
    result = {
        "repository": repository.name,
        "output": deliverable.path,
        "window": window.title,
        **ends,
        "commits": len(commits),
        "totals": totals(commits, merges),
        "authors": _authors(commits),
        "summary": text.partition("\n\n")[2].strip(),
    }
    return ToolAnswer(result=result, deliverables=(deliverable,))


def _cited(one: dict[str, Any], commits: Sequence[Commit]) -> tuple[str, list[str]]:
    text, ids = one.get("text"), one.get("commits")
    if (
        not isinstance(text, str)
        or not text.strip()
        or not isinstance(ids, list | tuple)
        or not ids
    ):
        raise ToolInputError("A highlight needs text and commits.")
    whole = []
    for short in ids:
        found = [c.id for c in commits if len(str(short)) >= 7 and c.id.startswith(str(short))]
        if len(found) != 1:
            raise ToolInputError(
                f"{short} is no commit of this window; cite commits that the stand-up lists."
            )
        whole += found
    text = re.sub(r"\s+", " ", text).strip()
    if not is_about(text, [c for c in commits if c.id in whole]):
        raise ToolInputError(f"{text[:80]!r} has no word in common with the commits that it cites.")
    return text, whole


def is_about(text: str, commits: Sequence[Commit]) -> bool:
    """Say whether a line shares a word with what its commits say or touch."""
    told = " ".join(
        f"{c.subject} {c.body} {' '.join(f.path for f in c.files)}" for c in commits
    ).lower()
    words = re.findall(r"[^\W\d_]{4,}", text.lower())
    return any(word[:5] in told for word in words)


def _authors(commits: Sequence[Commit]) -> list[dict[str, Any]]:
    return [
        {
            "name": person.name,
            "added": sum(c.added for c in person.commits),
            "removed": sum(c.removed for c in person.commits),
            "commits": [
                {
                    "id": c.id,
                    "date": c.at.isoformat(),
                    "subject": c.title,
                    "body": c.body[:500],
                    "theme": c.theme,
                    "tickets": list(c.tickets),
                    "files": [
                        {"path": f.path, "added": f.added, "removed": f.removed} for f in c.files
                    ],
                }
                for c in person.commits
            ],
        }
        for person in people_of(commits)
    ]


def standup_window(repository: Repository, data: Any) -> Window:
    """Return the window that a stand-up says it is of."""
    since, until = (datetime.fromisoformat(str(data[name])) for name in ("since", "until"))
    if since.tzinfo is None or until.tzinfo is None:
        raise ToolInputError(f"The stand-up of {repository.name} has times without a zone.")
    return Window(since=since, until=until)
