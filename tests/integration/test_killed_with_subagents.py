"""kill -9 while sub-agents work: the thread goes on, none of them is asked twice for what it answered, and no price is lost or doubled."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.integration import crash_job, subagent_trials, trials

FILES = {**crash_job.FILES, "count.txt": "once\n"}
WHOLE = {
    "cost": subagent_trials.CALLS * subagent_trials.PRICE,
    "ends": {"s1": "done", "s2": "done"},
}


@pytest.mark.parametrize("step", [6, pytest.param(1, marks=pytest.mark.slow)])
def test_a_run_killed_while_sub_agents_work_ends_as_if_it_had_not_been(
    tmp_path: Path, step: int
) -> None:
    undisturbed, disturbed = trials.run("subagent_trials", tmp_path, step, files=FILES)
    assert {name: undisturbed[name] for name in WHOLE} == WHOLE
    assert len(disturbed) >= 10
    # with two at once there may be fewer facts before a point the second time than the first
    assert sum(not trial["killed"] for trial in disturbed) <= 1
    assert trials.bad(disturbed, FILES) == []
    assert [t for t in disturbed if {name: t[name] for name in WHOLE} != WHOLE] == []
