"""ENG-BISECT-TRUE: the search is made again on the original repository, and ends at the same commit."""

from __future__ import annotations

from collections.abc import Iterator

from deskmate.plugin import Deliverable, Finding, ToolInputError, ValidationContext
from deskmate_documents.tables import decode
from deskmate_engineering.bisects import as_markdown, bisect
from deskmate_engineering.testing import RUN_LIMIT_S
from deskmate_engineering.validators.originals import (
    Missing,
    Problem,
    judged,
    line_problems,
    original_repository,
)

RULE = "ENG-BISECT-TRUE"
WHOLE_S = 840.0


def bisect_true(deliverable: Deliverable, context: ValidationContext) -> list[Finding]:
    """Search again: the same commit fails, and its parent passes, three times of three.

    Source: git-bisect(1); house (SOURCES.md).
    """
    return judged(
        RULE, "Make it again with bisect_run; do not edit it.", deliverable, context, _problems
    )


def _problems(deliverable: Deliverable, context: ValidationContext) -> Iterator[Problem]:
    data = deliverable.data
    tests = [str(one) for one in data["tests"]]
    repository = original_repository(deliverable, context)
    ends = (str(data["good"]), str(data["bad"]))
    for one in ends:
        try:
            repository.commit(one)
        except ToolInputError as problem:
            raise Missing(f"the commit {one} is not in the original repository.") from problem
    limit = context.config.get("test_limit_s", RUN_LIMIT_S)
    limit = limit if isinstance(limit, int) and 1 <= limit <= RUN_LIMIT_S else RUN_LIMIT_S
    found = bisect(repository, tests, ends, (limit, WHOLE_S))
    if found.first != data["first"]:
        yield f"It says {str(data['first'])[:10]}; the first bad commit is {found.first[:10]}.", ""
    said = decode(context.file.read_bytes(), deliverable.path).split("\n")
    yield from line_problems(said, as_markdown(repository, found, tests).split("\n"))
