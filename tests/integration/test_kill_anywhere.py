import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("crash_trials.py")
KILLS = int(os.environ.get("DESKMATE_TEST_KILLS", "200"))


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("how", [(), ("listed",)], ids=["copied-whole", "listed"])
def test_a_run_killed_at_random_moments_ends_as_if_it_had_not_been(
    how: tuple[str, ...], tmp_path: Path
) -> None:
    done = subprocess.run(
        [sys.executable, SCRIPT, tmp_path, str(KILLS // 2), "20261122", *how],
        capture_output=True,
        text=True,
        timeout=1100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    undisturbed, *disturbed = [json.loads(line) for line in done.stdout.splitlines()]
    assert undisturbed["problems"] == []
    assert undisturbed["files"]["new/deep.txt"] == "new\n"
    assert sum(trial["kills"] for trial in disturbed) >= KILLS // 2
    assert [trial for trial in disturbed if trial["problems"]] == []
    assert [trial for trial in disturbed if trial["files"] != undisturbed["files"]] == []
