"""Gathers what tests marked `attack` did into the table of results. See tests/attack/table.py."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import settings

# tests share modules as `tests.…`
sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.attack.rows import ROWS
from tests.attack.table import Attempts, Table, summary

TABLE = pytest.StashKey[Table]()
ATTEMPTS = pytest.StashKey[Attempts]()
SPENT = pytest.StashKey[float]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--attack-table", metavar="FOLDER", help="write the attacks' results there")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[TABLE] = Table()
    settings.register_profile("untimed", deadline=None)  # a busy machine takes its time
    settings.load_profile("untimed")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        config.stash[TABLE].tested.update(_rows(item))
        for row in _rows(item):
            if row not in ROWS:
                raise pytest.UsageError(f"{item.nodeid}: {row} is no row of tests/attack/rows.py")


def _rows(item: pytest.Item) -> list[str]:
    return [str(row) for mark in item.iter_markers("attack") for row in mark.args]


@pytest.fixture
def public_tmp_path(tmp_path: Path) -> Path:
    """A `tmp_path` that every user of the host may look into, through all the folders above it."""
    above = Path(tempfile.gettempdir())
    for folder in (tmp_path, *tmp_path.parents):
        if folder == above or not folder.is_relative_to(above):
            break
        folder.chmod(0o755)
    return tmp_path


@pytest.fixture
def attempt(request: pytest.FixtureRequest) -> Attempts:
    """Counts the tries of one attack test: `attempt("what was tried", blocked=…)`."""
    request.node.stash[ATTEMPTS] = made = Attempts()
    return made


@pytest.fixture(scope="session")
def attack_facts(request: pytest.FixtureRequest) -> dict[str, str]:
    """What the tests saw of the machine under test: goes into the table's head."""
    return request.config.stash[TABLE].facts


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    attempts = item.stash.get(ATTEMPTS, Attempts())
    if report.when == "call" and report.passed and attempts.open:
        report.outcome = "failed"
        report.longrepr = "got through: " + "; ".join(attempts.open[:20])
    if rows := _rows(item):
        _note(item, rows, report, attempts)
    return report


def _note(
    item: pytest.Item, rows: list[str], report: pytest.TestReport, attempts: Attempts
) -> None:
    table, spent = item.config.stash[TABLE], item.stash.get(SPENT, 0.0) + report.duration
    item.stash[SPENT] = spent
    for row in rows:
        if report.skipped:
            why = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
            table.skip(row, item.name, why.removeprefix("Skipped: "))
        elif report.when == "call" or report.failed:
            table.add(row, item.name, attempts, passed=report.passed, seconds=spent)


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, exitstatus: int, config: pytest.Config
) -> None:
    table = config.stash[TABLE]
    if not table.rows:
        return
    table.scope = f"selected by: {config.option.markexpr or config.option.keyword or 'all'}"
    if exitstatus == pytest.ExitCode.INTERRUPTED:
        table.scope += "; interrupted before the end"
    terminalreporter.section("attacks")
    for line in summary(table):
        terminalreporter.write_line(line)
    if folder := config.getoption("--attack-table"):
        table.write(Path(folder))
        terminalreporter.write_line(f"the table is in {folder}")
