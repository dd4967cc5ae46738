"""The trials of tests/integration with real virtual machines: kill -9 of the host process at random moments."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from deskmate.types.places import Places

SCRIPT = "tests.integration.crash_trials"
CHECKOUT = Path(__file__).parents[2]


@pytest.mark.vm
@pytest.mark.timeout(1500)
@pytest.mark.slow
@pytest.mark.parametrize("kills", [20])
def test_a_run_in_a_machine_killed_at_random_moments_ends_as_if_it_had_not_been(
    places: Places, tmp_path: Path, kills: int
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", SCRIPT, tmp_path, str(kills), "20261123", "vm"],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=1480,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    undisturbed, *disturbed = [json.loads(line) for line in done.stdout.splitlines()]
    assert undisturbed["problems"] == []
    assert undisturbed["files"]["new/deep.txt"] == "new\n"
    assert sum(trial["kills"] for trial in disturbed) >= kills
    assert sum(trial["machines"] for trial in disturbed) > 0
    assert [trial for trial in disturbed if trial["problems"]] == []
    assert [trial for trial in disturbed if trial["files"] != undisturbed["files"]] == []
