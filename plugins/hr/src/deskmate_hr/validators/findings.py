"""How the rules of the profession say what they found."""

from __future__ import annotations

from collections.abc import Iterable

from deskmate.plugin import Deliverable, Finding, ToolInputError, ValidationContext

LIMIT = 20
Problem = tuple[str, str]


def findings(rule: str, problems: Iterable[Problem], fix: str) -> list[Finding]:
    """Return (message, place) as findings, an unreadable file or source as one as well."""
    found: list[Problem] = []
    try:
        for problem in problems:
            found.append(problem)
            if len(found) >= LIMIT:
                break
    except ToolInputError as problem:
        found.append((problem.message, ""))
    return [
        Finding(rule=rule, level="error", message=message, location=where, fix=fix)
        for message, where in found
    ]


def unheld(deliverable: Deliverable, context: ValidationContext, *roles: str) -> list[Problem]:
    """Return what is missing of the originals that a result rests on."""
    found = []
    for role in roles:
        path = deliverable.sources.get(role, "")
        if not path or context.sources.file(path) is None:
            name = path or f"the {role}, which is not named,"
            found.append((f"UNVERIFIED: {name} is not among the originals.", ""))
    return found
