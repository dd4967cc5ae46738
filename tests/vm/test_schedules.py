"""A schedule in a real machine: tried, agreed to, and then run with nobody there."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.vm.desk import Desk, tree
from tests.vm.test_professions import EVENTS, rows_of

pytestmark = [pytest.mark.vm, pytest.mark.timeout(600)]


def test_a_schedule_that_was_tried_delivers_by_itself(desk: Desk, tmp_path: Path) -> None:
    folder = tmp_path / "process"
    folder.mkdir()
    (folder / "event log.csv").write_text(EVENTS)
    before = tree(folder)
    desk.call("plugin", "enable", "ops", "--yes")
    made = desk.json(
        "schedule", "add", "Metrics", "Measure the process from event log.csv.",
        "--cron", "0 7 * * mon", "--zone", "Europe/Berlin", "--folder", f"{folder}:rw",
        "--plugin", "ops", "--model", "offline", "--expect", "process-metrics.xlsx", "--apply", "new",
    )  # fmt: skip
    name = made["schedule"]["id"]
    tried = desk.json("schedule", "run", name, "--dry-run", "--agree")
    assert (tried["due"]["state"], tried["state"], tried["asked"]) == ("succeeded", "active", [])
    assert tree(folder) == before, "a dry run writes nothing"

    ran = desk.json("schedule", "run", name)
    assert (ran["state"], ran["why"]) == (
        "succeeded",
        "there and checked: process/process-metrics.xlsx",
    )
    summary = {row[0]: row[1] for row in rows_of(folder / "process-metrics.xlsx", "Summary")}
    assert (summary["Events"], summary["Cases"]) == (9, 3)
    assert desk.json("thread", "verify", ran["thread"])["problems"] == []
