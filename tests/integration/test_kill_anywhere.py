"""kill -9 at random moments and at every failpoint: what a run comes to is the same, and nothing is lost or doubled."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.integration import trials

KILLS = 12
ALL = 500
whole = [pytest.mark.slow, pytest.mark.timeout(1800)]
both_ways = pytest.mark.parametrize("how", [(), ("listed",)], ids=["copied-whole", "listed"])


@both_ways
@pytest.mark.parametrize("kills", [KILLS, pytest.param(ALL, marks=whole)])
def test_a_run_killed_at_random_moments_ends_as_if_it_had_not_been(
    kills: int, how: tuple[str, ...], tmp_path: Path
) -> None:
    _, disturbed = trials.run("crash_trials", tmp_path, kills, 20261122, *how)
    assert sum(trial["kills"] for trial in disturbed) >= kills
    assert trials.bad(disturbed) == []


@pytest.mark.parametrize("step", [13, pytest.param(1, marks=whole)])
def test_a_run_that_dies_at_any_failpoint_ends_as_if_it_had_not(step: int, tmp_path: Path) -> None:
    undisturbed, disturbed = trials.run("failpoint_trials", tmp_path, step)
    assert {"apply:renamed", "blob:named", "log:ToolStarted:after"} <= {*undisturbed["points"]}
    assert len(disturbed) > 150 / step
    assert [trial for trial in disturbed if not trial["killed"]] == []
    assert trials.bad(disturbed) == []
