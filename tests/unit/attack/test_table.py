"""The table tells what ran, and never counts what did not."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from tests.attack.canary import Canary, packed
from tests.attack.rows import ROWS
from tests.attack.table import Attempts, Table


def test_a_row_is_blocked_only_if_something_ran_and_all_of_it_was() -> None:
    table = Table()
    table.add("G1", "one", Attempts(run=5), passed=True, seconds=1)
    table.add("G2", "two", Attempts(run=5, open=["a way"]), passed=False, seconds=1)
    table.add("G3", "three", Attempts(), passed=False, seconds=1)
    table.skip("G4", "four", "no such wall")
    rows = {row["id"]: row for row in table.to_json()["rows"]}
    assert [rows[row]["state"] for row in ("G1", "G2", "G3", "G4", "G5")] == [
        "blocked",
        "OPEN",
        "OPEN",
        "not run",
        "not run",
    ]
    assert rows["G4"]["note"] == "not run: four: no such wall"
    assert "a way" in rows["G2"]["note"]
    assert rows["G5"]["note"] == "there is no test"
    table.tested.add("G5")
    assert "not reached" in {row["id"]: row for row in table.to_json()["rows"]}["G5"]["note"]


def test_the_head_counts_only_what_ran() -> None:
    table = Table()
    table.add("G1", "one", Attempts(run=5), passed=True, seconds=1)
    table.add("G1", "again", Attempts(run=5, open=["x"]), passed=False, seconds=1)
    table.skip("G4", "four", "no such wall")
    head = table.to_json()["head"]
    assert (head["rows_run"], head["rows_blocked"]) == (1, 0)
    assert (head["attempts_run"], head["attempts_blocked"]) == (10, 9)
    assert len(head["rows_not_run"]) == len(ROWS) - 1


def test_a_test_whose_set_up_failed_is_open_not_blocked() -> None:
    table = Table()
    table.add("G1", "one", Attempts(run=3), passed=False, seconds=1)
    assert table.rows["G1"].state == "OPEN"


def test_the_files_have_every_row(tmp_path: Path) -> None:
    table = Table()
    table.add("G1", "one", Attempts(), passed=True, seconds=1)
    table.write(tmp_path)
    page = (tmp_path / "security-results.md").read_text()
    assert all(f"| {row} |" in page for row in ROWS)
    assert "1 attacks run, 1 blocked" in page


@pytest.mark.parametrize("seed", range(3))
def test_a_canary_is_found_however_it_is_wrapped(seed: int) -> None:
    canary, rng = Canary(), random.Random(seed)
    noise = rng.randbytes(50)
    wrapped = [noise + form + noise for form in canary.forms()]
    wrapped += [noise + piece for piece in packed(b"text " + canary.text.encode())[:2]]
    wrapped += packed(noise + canary.text.encode())
    assert all(canary.found(data) for data in wrapped)
    text = canary.text.encode()
    assert canary.in_any([text[:9], text[9:40], text[40:]])
    assert not canary.found(rng.randbytes(100_000))
    assert not canary.in_any([text[:9], noise, text[9:]])
