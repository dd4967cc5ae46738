"""The tools that run a repository's tests and propose a patch that mends what fails."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from deskmate.plugin import Deliverable, ToolAnswer, ToolContext, ToolError, ToolInputError
from deskmate_engineering.fixes import (
    NAMED,
    WHOLE,
    Fix,
    change_of,
    failures,
    fix_of_edits,
    patch_text,
)
from deskmate_engineering.repository import Repository, open_repository, pick_repository
from deskmate_engineering.testing import BAD, RUN_LIMIT_S, Outcome, TestRun, run_of_tree
from deskmate_engineering.tools.review import beside, sources_of
from deskmate_engineering.weakening import weaker_tests

SHOWN = 50


def run_tests(
    context: ToolContext,
    path: str = "",
    revision: str = "",
    tests: Sequence[str] = (),
    request: str = "",
) -> dict[str, Any]:
    """Run a repository's Python tests (pytest, unittest) in a folder of its own and say what fails and where.

    Runs a commit, not the files as they lie in the folder; nothing there changes.

    Args:
        context: filled in by Deskmate.
        path: workspace path of the repository's folder. Empty: the one there.
        revision: what to run. Empty: HEAD.
        tests: files or ids such as tests/test_a.py::test_b. Empty: all.
        request: the user's words; a repository named there is taken if `path` is empty.

    Returns:
        `ran`, `passed`, `failed`, `skipped`; `failures`: list of {id, outcome, file, line, message, where}, at most 50, where
        `where` names the innermost line of the repository that it came to, and `frames` the way there; `late`: stopped at
        the limit.

    Raises:
        ToolInputError: no such revision, or no tests that can be run here.
        ToolError: the tests could not be started, or did not end.
    """
    repository = opened(context, path, request)
    commit = repository.commit(revision or "HEAD")
    run = run_of_tree(repository, commit, tests, limit_of(context))
    bad = [test for test in run.tests.values() if test.outcome in BAD]
    return {
        "repository": repository.name,
        "commit": commit,
        "runner": run.runner,
        "ran": len(run.tests),
        "passed": run.count("passed"),
        "failed": len(bad),
        "skipped": run.count("skipped"),
        "late": run.late,
        "failures": [_failure(test) for test in bad[:SHOWN]],
        "summary": "\n".join(_line(test) for test in bad[:SHOWN]) or "No test fails.",
        "next": _next(bad, run),
    }


def _next(bad: Sequence[Outcome], run: TestRun) -> str:
    late = (
        " The run was stopped at the time limit; what came later is not known." if run.late else ""
    )
    if not bad:
        return f"There is nothing to mend.{late}"
    return (
        "Rules can say what fails and where; a mend has to be invented, which takes a language model or you. "
        f"Nothing was changed.{late}"
    )


def _failure(test: Outcome) -> dict[str, Any]:
    return {
        "id": test.id,
        "outcome": test.outcome,
        "file": test.file,
        "line": test.line,
        "message": test.message[-2_000:],
        "where": where_of(test),
        "frames": [f"{path}:{line} {name}" for path, line, name in test.frames[-8:]],
    }


def where_of(test: Outcome) -> str:
    """Return the innermost line of the repository that a failure came to."""
    if test.frames:
        path, line, name = test.frames[-1]
        return f"{path}:{line} ({name})"
    return f"{test.file}:{test.line}"


def _line(test: Outcome) -> str:
    said = [line for line in test.message.strip().splitlines() if line.strip()] or [test.outcome]
    return f"- {test.id}: {said[0][:200]} At {where_of(test)}."


def opened(context: ToolContext, path: str, request: str) -> Repository:
    """Return the repository that is meant.

    Raises:
        ToolInputError: there is none, or several.
    """
    real = context.target(path) if path else pick_repository(context.workspace, request)
    return open_repository(real, context.workspace, path)


def limit_of(context: ToolContext) -> int:
    """Return how long one run of the tests may take, in seconds."""
    value = context.config.get("test_limit_s", RUN_LIMIT_S)
    return value if isinstance(value, int) and 1 <= value <= RUN_LIMIT_S else RUN_LIMIT_S


def fix_propose(
    context: ToolContext,
    edits: Sequence[dict[str, Any]],
    tests: Sequence[str],
    why: str,
    path: str = "",
    base: str = "",
    output: str = "",
) -> ToolAnswer:
    """Make edits in a worktree of their own, run the tests before and after, and write a patch if they mend the named tests.

    Nothing in the user's folder changes but the new patch file. Tests that are there stay word for word: new ones may be
    added, none changed, moved, skipped or deleted, nor how they are set up or run. If a test itself is wrong, tell the user.

    Args:
        context: filled in by Deskmate.
        edits: list of {file, find, replace}: `find` occurs once in the file, as the commit has it; or {file, content} for a
            new file or a whole one. Paths are those in the repository.
        tests: ids of the tests that fail now and pass afterwards, as `run_tests` names them.
        why: what was wrong and why this mends it, in a few sentences.
        path: workspace path of the repository's folder. Empty: the one there.
        base: commit that the edits are made on. Empty: HEAD.
        output: workspace path of the patch, ending in .patch. Empty: fix.patch beside the repository.

    Returns:
        `output`, `files`, `before` and `after`: counts of tests.

    Raises:
        ToolInputError: an edit does not fit, a test is weakened, or the named tests do not fail before.
        ToolError: the named tests do not pass afterwards, or others fail; the message says which and how.
    """
    if not tests or len(why.split()) < 3:
        raise ToolInputError("Name the tests that are fixed, and say in a sentence why.")
    repository = opened(context, path, "")
    commit = repository.commit(base or "HEAD")
    fix = fix_of_edits(repository, commit, edits)
    if weak := list(weaker_tests(change_of(repository, fix))):
        said = " ".join(f"{where}: {message}" for message, where in weak[:5])
        raise ToolInputError(f"A fix leaves the tests as they are. {said}")
    scope, before, after = both_runs(repository, commit, fix.tree, tests, limit_of(context))
    if problems := failures(before, after, tests):
        raise ToolError("Not fixed. " + " ".join(problems[:8]))
    target = context.target(output or beside(context, repository, "fix.patch"))
    if target.suffix != ".patch":
        raise ToolInputError(f"{output} must end in .patch.")
    counts = (before.told(), after.told())
    target.parent.mkdir(parents=True, exist_ok=True)
    text = patch_text(fix, name=repository.name, named=tests, why=why, counts=counts, scope=scope)
    target.write_bytes(text.encode())
    return _answer(context, repository, fix, target, tests=tests, counts=counts, scope=scope)


def _answer(
    context: ToolContext,
    repository: Repository,
    fix: Fix,
    target: Path,
    *,
    tests: Sequence[str],
    counts: tuple[str, str],
    scope: str,
) -> ToolAnswer:
    deliverable = Deliverable(
        path=context.name_of(target),
        title=f"Fix for {repository.name}",
        role="patch",
        sources=sources_of(context, repository),
        data={
            "name": repository.name,
            "base": fix.base,
            "tests": list(tests),
            "files": list(fix.paths),
            "scope": scope,
        },
    )
    result = {
        "output": deliverable.path,
        "files": list(fix.paths),
        "before": counts[0],
        "after": counts[1],
        "scope": scope,
        "apply": f"git apply {target.name}",
    }
    return ToolAnswer(result=result, deliverables=(deliverable,))


def both_runs(
    repository: Repository,
    base: str,
    tree: str,
    tests: Sequence[str],
    limit_s: int,
    scope: str = "",
) -> tuple[str, TestRun, TestRun]:
    """Return which tests were run, and both runs: all of them, or where that takes too long the files of the named ones."""
    named = sorted({one.partition("::")[0] for one in tests})
    if scope != NAMED:
        try:
            before = run_of_tree(repository, base, (), limit_s)
            if not before.late:
                return WHOLE, before, run_of_tree(repository, tree, (), limit_s)
        except ToolInputError:
            raise
        except ToolError:
            if scope == WHOLE:
                raise
        if scope == WHOLE:
            raise ToolError(f"All tests together take longer than {limit_s} s here.")
    return (
        NAMED,
        run_of_tree(repository, base, named, limit_s),
        run_of_tree(repository, tree, named, limit_s),
    )
