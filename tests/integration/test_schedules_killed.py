"""kill -9 of the process that carries schedules out: each time is one run or one reason, and no run is a second one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
long = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.mark.parametrize("kills", [5, pytest.param(150, marks=long)])
def test_a_runner_killed_at_random_moments_runs_each_time_once(kills: int, tmp_path: Path) -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "tests.integration.schedule_trials",
            str(tmp_path),
            str(kills),
            "20261129",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=800,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["problems"] == []
    assert found["cut"] >= kills, "so many kills hit a run"
    assert found["resumed"] >= kills
