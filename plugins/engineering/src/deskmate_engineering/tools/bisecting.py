"""The tool that finds the commit with which a test began to fail."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from deskmate.plugin import Deliverable, ToolAnswer, ToolContext, ToolInputError
from deskmate_engineering.bisects import as_markdown, bisect
from deskmate_engineering.tools.fix import limit_of, opened
from deskmate_engineering.tools.review import beside, sources_of

TESTS_LIMIT = 20
WHOLE_S = 420.0
"""For all runs of the tool; the gate, which makes the same ones, has more."""


def bisect_run(
    context: ToolContext,
    tests: Sequence[str],
    good: str,
    bad: str = "",
    path: str = "",
    output: str = "",
    request: str = "",
) -> ToolAnswer:
    """Find the first commit with which tests fail, by halving the commits between a good and a bad one, and write the report.

    The tests' files are taken from the bad commit, so a test that was written today is run on yesterday's code. Commits on which they
    cannot run are gone around. The first bad commit must fail, and its parent pass, three times of three.

    Args:
        context: filled in by Deskmate.
        tests: ids of tests that fail on `bad`, as `run_tests` names them.
        good: a commit, branch or tag on the way to `bad` where they pass.
        bad: where they fail. Empty: HEAD.
        path: workspace path of the repository's folder. Empty: the one there.
        output: workspace path of the report, ending in .md. Empty: bisect.md beside the repository.
        request: the user's words; a repository named there is taken if `path` is empty.

    Returns:
        `output`, `first`: id of the commit, `tried`: how many commits were run, `between`: how many there are, `report`: the text.

    Raises:
        ToolInputError: no such revision or test, the ends are no line, or one of them is not what it is said to be.
        ToolError: no one commit can be named, the test does not end the same each time, or the time was up.
    """
    if not 1 <= len(tests) <= TESTS_LIMIT:
        raise ToolInputError(f"Name 1 to {TESTS_LIMIT} tests.")
    repository = opened(context, path, request)
    ends = (repository.commit(good), repository.commit(bad or "HEAD"))
    context.on_progress("running the tests on commits between")
    found = bisect(repository, tests, ends, (limit_of(context), WHOLE_S))
    target = context.target(output or beside(context, repository, "bisect.md"))
    if target.suffix.lower() != ".md":
        raise ToolInputError(f"{output} must end in .md.")
    text = as_markdown(repository, found, tests)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, "utf-8")
    data: dict[str, Any] = {
        "name": repository.name, "good": ends[0], "bad": ends[1], "tests": list(tests), "first": found.first,
    }  # fmt: skip
    deliverable = Deliverable(
        path=context.name_of(target),
        title=f"First bad commit in {repository.name}",
        role="bisect",
        sources=sources_of(context, repository),
        data=data,
    )
    result = {
        "output": deliverable.path,
        "first": found.first,
        "tried": len(found.trials),
        "between": found.between,
        "report": text,
    }
    return ToolAnswer(result=result, deliverables=(deliverable,))
