"""Runs a repository's tests in a folder of its own, made from a commit; the user's folder stays as it is."""

from __future__ import annotations

import contextlib
import ctypes
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

from deskmate.plugin import ToolError, ToolInputError
from deskmate_engineering.repository import Repository

RUN_LIMIT_S = 120
LOG_LIMIT_BYTES = 4 * 1024 * 1024
BAD = ("failed", "error")
_PR_GET_DUMPABLE, _PR_SET_DUMPABLE = 3, 4
_STARTERS = ("-B", "-s", "-P")  # -P: the folder of the runner is not looked in for modules


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One test. `outcome`: passed, failed, error or skipped. `frames`: (path, line, function) in the repository."""

    id: str
    outcome: str
    file: str
    line: int
    message: str
    frames: tuple[tuple[str, int, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TestRun:
    """A run. `late`: it was stopped at the limit. `said`: the end of what it printed. `runner`: pytest or unittest."""

    __test__ = False

    tests: dict[str, Outcome]
    late: bool
    said: str
    runner: str

    def count(self, *outcomes: str) -> int:
        """Return how many tests ended so."""
        return sum(test.outcome in outcomes for test in self.tests.values())

    def told(self) -> str:
        """Return the counts in words."""
        bad = self.count(*BAD)
        skipped = f", {n} skipped" if (n := self.count("skipped")) else ""
        return f"{len(self.tests)} ran ({bad} failed{skipped})"


@contextlib.contextmanager
def exported(repository: Repository, tree: str) -> Iterator[Path]:
    """Give a folder with the files of a tree, gone afterwards. No filter, hook or setting of the repository runs."""
    top = Path(mkdtemp(prefix="deskmate-tree-"))
    folder = top / "work"
    folder.mkdir()
    extra = {"GIT_WORK_TREE": str(folder), "GIT_INDEX_FILE": str(top / "index")}
    try:
        repository.run(["read-tree", tree], extra=extra, cwd=folder)
        repository.run(["checkout-index", "-a", "-f", "-q"], extra=extra, cwd=folder)
        yield folder
    finally:
        shutil.rmtree(top, ignore_errors=True)


def run_of_tree(
    repository: Repository, tree: str, wanted: Sequence[str] = (), limit_s: int = RUN_LIMIT_S
) -> TestRun:
    """Run the tests of a tree. `wanted`: files or ids of tests; empty: all.

    Raises:
        ToolInputError: it has no tests for Python.
        ToolError: the run said nothing.
    """
    for one in wanted:
        if one.startswith("-") or ".." in Path(one.partition("::")[0]).parts or one.startswith("/"):
            raise ToolInputError(f"{one!r} is no test of the repository.")
    with exported(repository, tree) as folder, unwatched():
        log = folder.parent / "tests.jsonl"
        said, late = _run(folder, log, wanted, limit_s)
        facts = _facts(log)
    tests = [fact for fact in facts if "id" in fact]
    if not tests and late:
        raise ToolError(f"The tests did not end within {limit_s} s; name the files that matter.")
    runner = next((str(fact["runner"]) for fact in facts if "runner" in fact), "")
    if not tests and not runner:
        raise ToolError(f"The tests could not be started: {said[-600:] or 'no word'}.")
    if not tests:
        raise ToolInputError(
            f"{repository.name} has no tests that can be run here (Python's unittest and pytest)."
        )
    found: dict[str, Outcome] = {}
    for fact in tests:
        outcome = _outcome(fact)
        # a test that fails and then fails to clean up has failed
        if outcome.id not in found or found[outcome.id].outcome == "passed":
            found[outcome.id] = outcome
    return TestRun(tests=found, late=late, said=said, runner=runner)


@contextlib.contextmanager
def unwatched() -> Iterator[None]:
    """Keep programs of the same user from reading or changing this process while they run."""
    prctl = ctypes.CDLL(None).prctl
    before = prctl(_PR_GET_DUMPABLE, 0, 0, 0, 0)
    prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    try:
        yield
    finally:
        prctl(_PR_SET_DUMPABLE, before, 0, 0, 0)


def _run(folder: Path, log: Path, wanted: Sequence[str], limit_s: int) -> tuple[str, bool]:
    home = folder.parent / "home"
    home.mkdir()
    program = Path(__file__).with_name("runner.py")
    command = [sys.executable, *_STARTERS, str(program), str(log), *wanted]
    with (folder.parent / "said").open("wb+") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=_environment(folder, home),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        late = False
        try:
            process.wait(limit_s)
        except subprocess.TimeoutExpired:
            late = True
        finally:
            with contextlib.suppress(OSError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        output.seek(max(0, output.seek(0, os.SEEK_END) - 20_000))
        return output.read().decode("utf-8", "replace").replace(str(folder), "."), late


def _environment(folder: Path, home: Path) -> dict[str, str]:
    places = [
        str(folder),
        *(str(place) for place in (folder / "src", folder / "lib") if place.is_dir()),
    ]
    if (found := importlib.util.find_spec("pytest")) and found.origin:
        places.append(str(Path(found.origin).parent.parent))
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": str(home),
        "TMPDIR": str(home),
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        "PYTHONPATH": os.pathsep.join(places),
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "CI": "1",
    }


def _facts(log: Path) -> list[dict[str, object]]:
    if log.is_symlink() or not log.is_file():
        return []
    found = []
    with log.open("rb") as stream:
        for line in stream.read(LOG_LIMIT_BYTES).split(b"\n"):
            with contextlib.suppress(ValueError):
                fact = json.loads(line)
                if isinstance(fact, dict):
                    found.append(fact)
    return found


def _outcome(fact: dict[str, object]) -> Outcome:
    outcome, frames = fact.get("outcome"), fact.get("frames")
    line = fact.get("line")
    kept = [
        (str(frame[0]), int(frame[1]), str(frame[2]))
        for frame in (frames if isinstance(frames, list) else ())
        if isinstance(frame, list) and len(frame) == 3 and isinstance(frame[1], int)
    ]
    return Outcome(
        id=str(fact.get("id")),
        outcome=str(outcome) if outcome in ("passed", "skipped", "failed") else "error",
        file=str(fact.get("file")),
        line=line if isinstance(line, int) else 1,
        message=str(fact.get("message", "")),
        frames=tuple(kept),
    )
