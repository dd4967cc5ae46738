"""What was seen of a page, as Markdown that people read and a gate can make again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from deskmate_engineering.browser.visits import SEVERITIES, Flaw, Seen, Visit
from deskmate_engineering.secrets import masked

TREE_LIMIT = 120
LOG_LIMIT = 60
_NONE = "Nothing that the checks know of is wrong with it."


def as_markdown(page: str, visit: Visit, seen: Seen) -> str:
    """Return the report of a check. `page`: its workspace path."""
    return "\n".join([*_head(page, visit, seen), *_flaws(seen), *_requests(seen), *_rest(seen), ""])


def summary(seen: Seen) -> str:
    """Return the counts in one line, and each flaw in one."""
    lines = [f"- {f.severity}: {f.where}: {f.what}" for f in _by_severity(seen)]
    return "\n".join([counts(seen), *lines[:40]])


def counts(seen: Seen) -> str:
    """Return how many flaws of each severity there are."""
    told = ", ".join(f"{seen.count(name)} {name}" for name in SEVERITIES)
    failed = sum(one.failed for one in seen.asked)
    return f"Findings: {told}. Requests: {len(seen.asked)}, failed: {failed}."


def _by_severity(seen: Seen) -> list[Flaw]:
    return sorted(seen.flaws, key=lambda flaw: (SEVERITIES.index(flaw.severity), flaw))


def _head(page: str, visit: Visit, seen: Seen) -> Iterator[str]:
    yield f"# Check of {page}"
    yield ""
    yield f"Title: {_cell(seen.title) or 'none'}. Window: {visit.width} × {visit.height}. Shown at the end: {_cell(seen.url)}."
    yield ""
    if visit.serve:
        yield f"Served from {_cell(visit.root) or 'the workspace'} at port {visit.port} by: `{_cell(visit.serve)}`"
        yield ""
    yield counts(seen)
    yield ""
    if seen.done:
        yield "## Steps"
        yield ""
        yield from (f"{number}. {_cell(line)}" for number, line in enumerate(seen.done, start=1))
        yield ""


def _flaws(seen: Seen) -> Iterator[str]:
    yield "## Findings"
    yield ""
    if not seen.flaws:
        yield _NONE
        yield ""
        return
    rows = [(f.severity, f.kind, f.where, f.what) for f in _by_severity(seen)]
    yield from _table(("severity", "kind", "where", "what"), rows)


def _requests(seen: Seen) -> Iterator[str]:
    yield "## Requests"
    yield ""
    rows = [(one.why or str(one.status), one.method, one.kind, one.url) for one in seen.asked]
    yield from _table(("answer", "method", "kind", "address"), rows[:LOG_LIMIT])
    if len(rows) > LOG_LIMIT:
        yield f"{len(rows) - LOG_LIMIT} more are left out."
        yield ""


def _rest(seen: Seen) -> Iterator[str]:
    if seen.said:
        yield "## Console"
        yield ""
        yield from _table(("kind", "text"), seen.said[:LOG_LIMIT])
    yield "## Accessibility tree"
    yield ""
    yield "```text"
    yield from (masked(line.replace("```", "'''")) for line in seen.accessible[:TREE_LIMIT])
    yield "```"
    if len(seen.accessible) > TREE_LIMIT or seen.cut:
        yield ""
        yield "It goes on; this is its beginning."


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(map(_cell, row))} |"
    yield ""


def _cell(text: str) -> str:
    """Return a text that stays in its cell; a secret in a console must not travel on."""
    return masked(" ".join(text.split())).replace("|", "\\|").replace("`", "'")
