"""A table's process is killed at any moment: every cell once, none lost, no cost counted twice."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from deskmate.host.tables import Tables
from deskmate.tables.record import TableRecord
from deskmate.types.places import Places

ROOT = Path(__file__).parents[3]
COST, HELD, SLOTS = 0.01, 0.02, 3
PROGRAM = """
import sys, anyio
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from tests.unit.tables.table_rooms import COLUMNS, AnsweringModel, DocumentBox, WallClock, reads_well, write_contracts
from deskmate.host.tables import TableOrder, Tables
from deskmate.types.places import Places
top, rows = Path(sys.argv[2]), int(sys.argv[3])
places = Places(data=top / "data", cache=top / "cache", config=top / "config")
model = AnsweringModel(reads_well, cost=0.01, ledger=top / "ledger")
tables = Tables(places, environ={}, sandbox=DocumentBox(dies=0.1), clock=WallClock(), model=model)
async def main():
    if not (top / "docs").is_dir():
        (top / "columns.toml").write_text(COLUMNS)
        write_contracts(top / "docs", rows)
        order = TableOrder(question="t", over=(str(top / "docs/*"),), columns=top / "columns.toml", budget_usd=1000.0)
        tables.make(await tables.plan(order, lambda line: None))
    print("begins", flush=True)
    await tables.work(tables.newest(), lambda line: None, slots=3)
anyio.run(main)
"""


def begin(top: Path, rows: int) -> subprocess.Popen[str]:
    arguments = [sys.executable, "-c", PROGRAM, str(ROOT), str(top), str(rows)]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, cwd=ROOT)


def kill_in_the_middle(top: Path, rows: int, after_rows: int) -> None:
    """Kill the table's process after so many rows of this process were closed."""
    process = begin(top, rows)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "begins\n"
        file = next((top / "data/tables").glob("tb-*/table.db"))
        record = TableRecord(file)
        target = record.summary().rows_done + after_rows
        deadline = time.monotonic() + 60
        while record.summary().rows_done < target and process.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.005)
        record.close()
        os.kill(process.pid, signal.SIGKILL)
    finally:
        process.kill()
        process.wait(timeout=30)
        if process.stdout is not None:
            process.stdout.close()


def run_with_kills(tmp_path: Path, rows: int, kills: int) -> None:
    rng = random.Random(rows)
    for _ in range(kills):
        kill_in_the_middle(tmp_path, rows, rng.randint(1, max(rows // (kills + 1), 1)))
    process = begin(tmp_path, rows)
    process.communicate(timeout=1200)
    assert process.returncode == 0
    places = Places(data=tmp_path / "data", cache=tmp_path / "c", config=tmp_path / "f")
    (summary,) = Tables(places, environ={}).summaries()
    assert summary.cells == {"checked": rows * 3}, "every cell once, and right"
    ledger = Counter((tmp_path / "ledger").read_text().splitlines())
    answered = sum(count for line, count in ledger.items() if line.startswith("answered"))
    asked = sum(count for line, count in ledger.items() if line.startswith("asked"))
    assert len([line for line in ledger if line.startswith("asked")]) == rows
    assert asked <= rows + kills * SLOTS, "only what was under way at a kill is asked again"
    spent = summary.spent
    assert spent.calls == rows, "one answer a row is stored and paid for"
    assert spent.answered_usd == pytest.approx(rows * COST)
    assert rows + spent.unanswered_calls >= asked >= answered, (
        "what may have been charged is counted"
    )
    assert spent.unanswered_calls <= kills * SLOTS
    assert spent.unanswered_usd == pytest.approx(spent.unanswered_calls * HELD)


@pytest.mark.timeout(120)
def test_a_killed_table_has_every_cell_once_and_every_cost_once(tmp_path: Path) -> None:
    run_with_kills(tmp_path, rows=24, kills=2)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_same_over_three_hundred_documents_and_many_kills(tmp_path: Path) -> None:
    run_with_kills(tmp_path, rows=300, kills=12)
