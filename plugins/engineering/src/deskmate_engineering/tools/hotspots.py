"""The tool that shows where change and complexity meet."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timedelta

from deskmate.plugin import Deliverable, ToolAnswer, ToolContext, ToolInputError
from deskmate_engineering.hotspots import SHOWN, as_markdown, map_of
from deskmate_engineering.tools.fix import opened
from deskmate_engineering.tools.review import beside, sources_of
from deskmate_engineering.windows import window_of, zone_of

USUAL_DAYS = 365


def hotspots(
    context: ToolContext,
    path: str = "",
    since: str = "",
    until: str = "",
    revision: str = "",
    output: str = "",
    request: str = "",
) -> ToolAnswer:
    """Rank a repository's files by how often they change times how complex they are, and write the table.

    Args:
        context: filled in by Deskmate.
        path: workspace folder of the repository. Empty: the one there.
        since: a date such as 2026-03-01, or "30 days ago". Empty: a year before the last commit.
        until: likewise. Empty: up to the last commit.
        revision: what is looked at. Empty: HEAD.
        output: workspace path of the report, ending in .md. Empty: hotspots.md beside the repository.
        request: the user's words; a repository named there is taken if `path` is empty.

    Returns:
        `output`, `repository`, `commits`, `files`; `spots`: list of {path, commits, authors, lines, ways, length, score}, hottest first, at
        most 25; `summary`: the first ten, one a line.

    Raises:
        ToolInputError: no repository there, no commit in the window, or words that name no time.
    """
    repository = opened(context, path, request)
    zone = zone_of(str(context.config.get("zone") or "UTC"))
    head = repository.commit(revision or "HEAD")
    last = datetime.fromtimestamp(
        int(repository.git("show", "-s", "--format=%at", head).split()[0]), zone
    )
    end = last + timedelta(seconds=1)
    window = window_of(since or f"{last - timedelta(days=USUAL_DAYS):%Y-%m-%d}", until, "", end)
    found = map_of(repository, window, head)
    target = context.target(output or beside(context, repository, "hotspots.md"))
    if target.suffix.lower() != ".md":
        raise ToolInputError(f"{output} must end in .md.")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(as_markdown(repository.name, window.title, found), "utf-8")
    data = {
        "name": repository.name, "head": head, "since": window.since.isoformat(), "until": window.until.isoformat(),
    }  # fmt: skip
    deliverable = Deliverable(
        path=context.name_of(target),
        title=f"Hotspots of {repository.name}",
        role="hotspots",
        sources=sources_of(context, repository),
        data=data,
    )
    lines = [f"- {s.path}: {s.commits} commits × {s.ways} = {s.score}" for s in found.spots[:10]]
    result = {
        "output": deliverable.path,
        "repository": repository.name,
        "commits": found.commits,
        "files": len(found.spots),
        "spots": [{**asdict(spot), "score": spot.score} for spot in found.spots[:SHOWN]],
        "summary": "\n".join(lines) or "No file of code was changed.",
    }
    return ToolAnswer(result=result, deliverables=(deliverable,))
