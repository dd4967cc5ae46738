"""Every durability call fails once, or from then on: the run ends in one line, and goes on when the disk is well again."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tests.integration import trials

traced = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
whole = [pytest.mark.slow, pytest.mark.timeout(1800)]


@traced
@pytest.mark.parametrize(
    ("fault", "first", "last", "step", "least", "how"),
    [
        ("KILL", 17, 230, 53, 4, "handed"),
        ("EIO", 9, 230, 53, 4, "handed"),
        ("ENOSPC", 31, 230, 53, 3, "handed"),
        ("EIO+", 43, 230, 60, 3, "handed"),
        ("ENOSPC+", 25, 230, 60, 3, "handed"),
        ("KILL", 13, 110, 41, 3, ""),
        ("ENOSPC", 29, 90, 47, 2, ""),
        *(
            pytest.param(fault, 1, 400, 1, least, how, marks=whole)
            for fault in ("KILL", "EIO", "ENOSPC", "EIO+", "ENOSPC+")
            for least, how in ((180, "handed"), (80, ""))
        ),
    ],
)
def test_a_call_that_fails_costs_nothing_that_was_acknowledged(
    fault: str, first: int, last: int, step: int, least: int, how: str, tmp_path: Path
) -> None:
    _, disturbed = trials.run("fault_trials", tmp_path, fault, first, last, step, how)
    assert trials.bad(disturbed) == []
    assert len(disturbed) >= least
    assert [trial for trial in disturbed if not trial["injected"]] == []
