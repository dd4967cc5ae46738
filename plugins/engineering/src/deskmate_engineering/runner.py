"""Runs a repository's tests in its folder and writes one line of JSON for each; started as a program of its own.

It imports nothing of Deskmate: what it runs may be hostile, and what it says is taken as that program's word.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import traceback
import types
import unittest
from pathlib import Path
from typing import Any, TextIO

MESSAGE_LIMIT = 4_000


def main() -> int:
    """Run `runner.py OUTPUT [TEST ...]` in the folder of the repository."""
    output, *wanted = sys.argv[1:]
    with Path(output).open("w", encoding="utf-8") as stream:
        try:
            import pytest  # noqa: PLC0415
        except ImportError:
            return run_unittest(stream, wanted)
        return run_pytest(pytest, stream, wanted)


def tell(stream: TextIO, **fact: Any) -> None:
    """Write one line."""
    stream.write(json.dumps(fact) + "\n")
    stream.flush()


def frames_of(trace: Any) -> list[list[Any]]:
    """Return [path, line, function] of each frame in the repository, outermost first."""
    here = str(Path.cwd()) + os.sep
    frames = traceback.extract_tb(trace)
    return [
        [frame.filename.removeprefix(here), frame.lineno, frame.name]
        for frame in frames
        if frame.filename.startswith(here)
    ]


class Reporter:
    """Writes down what pytest reports."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._frames: dict[str, list[list[Any]]] = {}

    def pytest_runtest_makereport(self, item: Any, call: Any) -> None:
        """Remember where it failed, before pytest makes its report."""
        if call.excinfo is not None:
            self._frames[item.nodeid] = frames_of(call.excinfo.tb)

    def pytest_collectreport(self, report: Any) -> None:
        """Write down what could not be collected."""
        if report.failed:
            self._write(report, "error")

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Write down the outcome of a test: of its call, or of set-up and tear-down where they fail."""
        expected = hasattr(report, "wasxfail")
        if report.when == "call" or report.outcome != "passed":
            outcome = "skipped" if expected or report.skipped else report.outcome
            if report.failed and report.when != "call":
                outcome = "error"
            self._write(report, outcome)

    def _write(self, report: Any, outcome: str) -> None:
        bad = outcome in ("failed", "error")
        crash = getattr(report.longrepr, "reprcrash", None)
        said = getattr(crash, "message", "") or (report.longreprtext if bad else "")
        location = getattr(report, "location", None) or (report.nodeid, None, "")
        tell(
            self._stream,
            id=report.nodeid,
            outcome=outcome,
            file=location[0],
            line=(location[1] or 0) + 1,
            message=said[-MESSAGE_LIMIT:] if bad else "",
            frames=self._frames.get(report.nodeid, []) if bad else [],
        )


def run_pytest(pytest: Any, stream: TextIO, wanted: list[str]) -> int:
    """Run the tests with pytest; where the repository's options do not fit here, without them."""
    common = [
        "-q",
        "-p",
        "no:cacheprovider",
        "--continue-on-collection-errors",
        "--no-header",
        "--rootdir=.",
    ]
    for options in ([], ["-o", "addopts="]):
        code = int(pytest.main([*common, *options, *wanted], plugins=[Reporter(stream)]))
        if code != 4:  # a wrong use, such as an option of a plugin that is not here
            break
    tell(stream, runner="pytest", code=code)
    return code


class Result(unittest.TestResult):
    """Writes down what unittest reports."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._out = stream

    def _tell(self, test: Any, outcome: str, error: Any = None) -> None:
        frames = frames_of(error[2]) if error else []
        said = "".join(traceback.format_exception_only(error[0], error[1])).strip() if error else ""
        name = type(test).__module__.replace(".", "/") + ".py"
        method = getattr(test, "_testMethodName", "")
        function = getattr(type(test), method, None)
        line = getattr(getattr(function, "__code__", None), "co_firstlineno", 1)
        ident = f"{name}::{type(test).__name__}::{method}" if method else str(test.id())
        said = said[-MESSAGE_LIMIT:]
        tell(
            self._out, id=ident, outcome=outcome, file=name, line=line, message=said, frames=frames
        )

    def addSuccess(self, test: Any) -> None:
        """Write it down."""
        self._tell(test, "passed")

    def addFailure(self, test: Any, err: Any) -> None:
        """Write it down."""
        self._tell(test, "failed", err)

    def addError(self, test: Any, err: Any) -> None:
        """Write it down."""
        self._tell(test, "error", err)

    def addSkip(self, test: Any, reason: str) -> None:
        """Write it down."""
        self._tell(test, "skipped")

    def addExpectedFailure(self, test: Any, err: Any) -> None:
        """Write it down."""
        self._tell(test, "skipped")

    def addUnexpectedSuccess(self, test: Any) -> None:
        """Write it down."""
        self._tell(test, "failed")


def run_unittest(stream: TextIO, wanted: list[str]) -> int:
    """Run the tests with what Python itself has. Plain functions that need pytest are not run, and are named."""
    sys.path.insert(0, str(Path.cwd()))
    suite = unittest.TestSuite()
    files = {one.partition("::")[0] for one in wanted}
    for path in sorted(Path().rglob("*.py")):
        name = path.as_posix()
        if not path.name.startswith("test") and not path.stem.endswith("_test"):
            continue
        if files and name not in files:
            continue
        claim_folders(path)
        try:
            module = importlib.import_module(".".join(path.with_suffix("").parts))
        except BaseException as error:  # noqa: BLE001 - a test file may raise anything
            said = f"{type(error).__name__}: {error}"[-MESSAGE_LIMIT:]
            frames = frames_of(error.__traceback__)
            tell(stream, id=name, outcome="error", file=name, line=1, message=said, frames=frames)
            continue
        loaded = unittest.defaultTestLoader.loadTestsFromModule(module)
        suite.addTest(loaded)
        if not loaded.countTestCases() and "def test" in path.read_text("utf-8", "replace"):
            said = "It needs pytest, which is not here."
            tell(stream, id=name, outcome="error", file=name, line=1, message=said, frames=[])
    suite.run(Result(stream))
    tell(stream, runner="unittest", code=0)
    return 0


def claim_folders(path: Path) -> None:
    """Let a folder without `__init__.py` be the repository's own, also if something installed has its name, such as `tests`."""
    for folder in [*path.parents][-2::-1]:
        name = ".".join(folder.parts)
        if name not in sys.modules and not (folder / "__init__.py").exists():
            module = types.ModuleType(name)
            module.__path__ = [str(folder.absolute())]
            sys.modules[name] = module


if __name__ == "__main__":
    sys.exit(main())
