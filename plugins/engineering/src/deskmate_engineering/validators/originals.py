"""What the rules of this profession share: the originals that the host holds, opened anew, and findings of one shape."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PurePosixPath

from deskmate.plugin import Deliverable, Finding, ToolError, ToolInputError, ValidationContext
from deskmate_engineering.repository import Repository, open_repository

LIMIT = 20
Problem = tuple[str, str]
"""A message, and where."""
Rule = Callable[[Deliverable, ValidationContext], Iterable[Problem]]


class Missing(ToolInputError):
    """An original is not there, so nothing can be said of the result."""


def judged(
    rule: str, fix: str, deliverable: Deliverable, context: ValidationContext, problems: Rule
) -> list[Finding]:
    """Return the findings of a rule; what it cannot read again is an error too."""
    try:
        found = list(problems(deliverable, context))
    except Missing as problem:
        found = [(f"UNVERIFIED: {problem.message}", "")]
    except ToolError as problem:
        found = [(f"It cannot be checked against the original: {problem.message}", "")]
    except (KeyError, TypeError, ValueError, AttributeError) as problem:
        found = [
            (
                f"What the result says of itself is not whole ({type(problem).__name__}: {problem}).",
                "",
            )
        ]
    return [
        Finding(rule=rule, level="error", message=message, location=where, fix=fix)
        for message, where in found
    ][:LIMIT]


def original_file(deliverable: Deliverable, context: ValidationContext, role: str) -> Path:
    """Return the file that a source names.

    Raises:
        Missing: the host does not hold it.
    """
    path = deliverable.sources.get(role, "")
    file = context.sources.file(path) if path else None
    if file is None:
        raise Missing(f"the {role} {path or '(none named)'} is not among the originals.")
    return file


def original_repository(deliverable: Deliverable, context: ValidationContext) -> Repository:
    """Return the repository as the host holds it; what the run did to it is not in there.

    Raises:
        Missing: the host does not hold it.
    """
    head = original_file(deliverable, context, "repository")
    path = PurePosixPath(deliverable.sources["repository"])
    name = str(deliverable.data.get("name") or path.parent.name)
    return open_repository(head.parent, head.parents[len(path.parts) - 1], name, name)


def line_problems(said: list[str], true: list[str], *, ordered: bool = True) -> Iterator[Problem]:
    """Yield how a text differs from what it must be, line by line. `ordered`: whether their order counts."""
    for number, line in enumerate(said, start=1):
        if line not in true:
            yield f"The originals do not give this: {line[:160]!r}.", f"line {number}"
    for line in true:
        if line not in said:
            yield f"It leaves out: {line[:160]!r}.", ""
    same = said == true if ordered else sorted(said) == sorted(true)
    if not same and set(said) == set(true):
        yield "Its lines stand in another order, or not as often as they should.", ""
