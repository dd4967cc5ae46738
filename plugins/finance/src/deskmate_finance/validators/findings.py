"""Findings of this profession's gates: so many are shown, the rest is counted; what cannot be read is an error."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from deskmate.plugin import Finding, ToolError

LIMIT = 20
Problem = tuple[str, str]
"""(place, message)."""


def errors(rule: str, problems: Iterable[Problem], fix: str) -> Iterator[Finding]:
    """Yield error findings; a file that cannot be read becomes one."""
    count = 0
    try:
        for place, message in problems:
            count += 1
            if count <= LIMIT:
                yield Finding(rule=rule, level="error", message=message, location=place, fix=fix)
    except ToolError as error:
        yield Finding(
            rule=rule, level="error", message=f"UNVERIFIED: {error.message}", location="", fix=fix
        )
    if count > LIMIT:
        yield Finding(
            rule=rule, level="error", message=f"{count - LIMIT} more places are wrong.", fix=fix
        )
