"""Finds the commit with which a test began to fail: halves the line of commits, running the test as it is today on each."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from deskmate.plugin import ToolError, ToolInputError
from deskmate_engineering.repository import Repository
from deskmate_engineering.secrets import masked
from deskmate_engineering.testing import run_of_tree

COMMITS_LIMIT = 4_000
TIMES = 3
"""How often the first bad commit must fail and its parent pass; a test that does either now and then finds nothing."""
Verdict = Literal["passes", "fails", "cannot tell"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A commit that was tried. `said`: the first line of the failure, empty where there is none."""

    commit: str
    verdict: Verdict
    said: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bisect:
    """What came of it. `good`, `bad`: the ends. `first`: the first bad commit. `trials`: in the order in which they were made."""

    good: str
    bad: str
    first: str
    between: int
    trials: tuple[Trial, ...]


class Bench:
    """Runs the named tests on commits, each once; the tests' files are those of the bad end, where they say what should be."""

    def __init__(
        self, repository: Repository, tests: Sequence[str], bad: str, limits: tuple[int, float]
    ) -> None:
        """`limits`: seconds that one run may take, and all of them together."""
        self._repository, self._tests, self._limit_s = repository, list(tests), limits[0]
        self._until = time.monotonic() + limits[1]
        self._files: dict[str, bytes] = {}
        for path in sorted({one.partition("::")[0] for one in tests}):
            data = repository.content(bad, path)
            if data is None:
                raise ToolInputError(f"{path} is not in {bad[:10]}; name tests as run_tests does.")
            self._files[path] = data
        self._known: dict[str, Trial] = {}

    def try_out(self, commit: str, *, anew: bool = False) -> Trial:
        """Return how the tests end on a commit.

        Raises:
            ToolError: the time for all runs is up.
        """
        if commit in self._known and not anew:
            return self._known[commit]
        if time.monotonic() > self._until:
            raise ToolError(
                "It takes too long here; name fewer or faster tests, or ends that lie closer."
            )
        tree = overlaid(self._repository, commit, self._files)
        try:
            run = run_of_tree(self._repository, tree, self._tests, self._limit_s)
        except ToolError as problem:
            self._known[commit] = Trial(
                commit=commit, verdict="cannot tell", said=_line(problem.message)
            )
            return self._known[commit]
        found = [run.tests[name] for name in self._tests if name in run.tests]
        bad = [one for one in found if one.outcome == "failed"]
        if bad:
            trial = Trial(commit=commit, verdict="fails", said=_line(bad[0].message))
        elif len(found) == len(self._tests) and all(one.outcome == "passed" for one in found):
            trial = Trial(commit=commit, verdict="passes")
        else:
            odd = next((one.message for one in run.tests.values() if one.outcome == "error"), "")
            trial = Trial(commit=commit, verdict="cannot tell", said=_line(odd or "it did not run"))
        self._known[commit] = trial
        return trial


def _line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return masked(lines[0])[:160] if lines else ""


def overlaid(repository: Repository, commit: str, files: Mapping[str, bytes]) -> str:
    """Return a tree of a commit with these files in it, made in our own git folder."""
    with TemporaryDirectory(prefix="deskmate-index-") as folder:
        extra = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
        repository.run(["read-tree", commit], extra=extra)
        for path, data in files.items():
            made = repository.run(["hash-object", "-w", "--no-filters", "--stdin"], data=data)
            blob = made.decode().strip()
            repository.run(
                ["update-index", "--add", "--cacheinfo", f"100644,{blob},{path}"], extra=extra
            )
        return repository.run(["write-tree"], extra=extra).decode().strip()


def bisect(
    repository: Repository, tests: Sequence[str], ends: tuple[str, str], limits: tuple[int, float]
) -> Bisect:
    """Return the first commit of a line with which the tests fail.

    Args:
        repository: where they are.
        tests: ids, as `run_tests` names them.
        ends: full ids of the good and the bad commit.
        limits: seconds that one run may take, and all of them together.

    Raises:
        ToolInputError: the ends are no line of commits, or one of them is not what it is said to be.
        ToolError: no one commit can be named, or the time was up.
    """
    good, bad = ends
    said = repository.git("rev-list", "--first-parent", "--reverse", bad).split()
    if good not in said:
        raise ToolInputError(f"{good[:10]} does not lie on the way to {bad[:10]} (first parents).")
    line = said[said.index(good) :]
    if not 2 <= len(line) <= COMMITS_LIMIT:
        raise ToolInputError(
            f"There are {len(line) - 1} commits between; 1 to {COMMITS_LIMIT} are searched."
        )
    bench = Bench(repository, tests, bad, limits)
    trials = [bench.try_out(bad), bench.try_out(good)]
    for trial, wanted in zip(trials, ("fails", "passes"), strict=True):
        if trial.verdict != wanted:
            name = trial.commit[:10]
            raise ToolInputError(
                f"On {name} the test {trial.verdict}; it must {wanted[:-1] if wanted == 'fails' else 'pass'} there. {trial.said}".strip()
            )
    first = _first(bench, line, trials)
    _sure(bench, line, first)
    return Bisect(
        good=good, bad=bad, first=line[first], between=len(line) - 1, trials=tuple(trials)
    )


def _first(bench: Bench, line: Sequence[str], trials: list[Trial]) -> int:
    """Return the place of the first bad commit; those that cannot tell are gone around."""
    low, high = 0, len(line) - 1
    mute: set[int] = set()
    while True:
        open_ = [place for place in range(low + 1, high) if place not in mute]
        if not open_:
            break
        place = min(open_, key=lambda one: (abs(2 * one - low - high), one))
        trial = bench.try_out(line[place])
        trials.append(trial)
        if trial.verdict == "cannot tell":
            mute.add(place)
        elif trial.verdict == "fails":
            high = place
        else:
            low = place
    if high - low > 1:
        names = ", ".join(one[:10] for one in line[low + 1 : high + 1])
        raise ToolError(
            f"It began with one of {names}; the tests cannot run on those before the last."
        )
    return high


def _sure(bench: Bench, line: Sequence[str], first: int) -> None:
    """Run both sides again. Raises ToolError where they do not end the same each time."""
    for place, wanted in ((first, "fails"), (first - 1, "passes")):
        for _ in range(TIMES - 1):
            if bench.try_out(line[place], anew=True).verdict != wanted:
                raise ToolError(
                    f"On {line[place][:10]} the test does not end the same each time; mend that first."
                )


def as_markdown(repository: Repository, found: Bisect, tests: Sequence[str]) -> str:
    """Return the report."""
    form = "%an%x00%ad%x00%s"
    words = repository.git("show", "-s", f"--format={form}", "--date=format:%Y-%m-%d", found.first)
    author, day, subject = words.strip("\n").split("\0")
    files = repository.git(
        "diff-tree",
        "--no-commit-id",
        "--name-status",
        "--no-renames",
        "-r",
        "--root",
        "-m",
        "--first-parent",
        found.first,
    )
    lines = [
        f"# First bad commit in {repository.name}", "",
        f"`{found.first[:10]}` {masked(subject)} ({author}, {day}).", "",
        f"Tests: {', '.join(f'`{one}`' for one in tests)}, as they are in `{found.bad[:10]}`.",
        f"They pass on its parent and fail on it, {TIMES} times of {TIMES}. Commits between `{found.good[:10]}` and `{found.bad[:10]}`: {found.between}.", "",
        "## What it changes", "",
        *(f"- {row.replace(chr(9), ' ')}" for row in files.splitlines()[:50]), "",
        "## Commits tried", "", "| commit | the tests | |", "|---|---|---|",
    ]  # fmt: skip
    for trial in found.trials:
        said = trial.said.replace("|", "\\|")
        lines.append(f"| {trial.commit[:10]} | {trial.verdict} | {said} |")
    lines += [
        "",
        "The commit with which a test began to fail shows the cause or only brings it to light; read it.",
        "",
    ]
    return "\n".join(lines)
