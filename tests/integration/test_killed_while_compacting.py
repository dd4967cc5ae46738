"""kill -9 around a compaction: the thread goes on, compacts once for each time that it must, and does no effect twice."""

from __future__ import annotations

from pathlib import Path

from tests.integration import compaction_trials, crash_job, trials


def test_a_run_killed_around_a_compaction_ends_as_if_it_had_not_been(tmp_path: Path) -> None:
    files = {**crash_job.FILES, "count.txt": "once\n" * compaction_trials.TURNS}
    undisturbed, disturbed = trials.run("compaction_trials", tmp_path, files=files)
    assert undisturbed["compactions"]
    points = [trial["point"] for trial in disturbed]
    assert {"log:Compacted:before:1", "log:Compacted:after:1"} <= {*points}
    assert [trial for trial in disturbed if not trial["killed"]] == []
    assert trials.bad(disturbed, files) == []
    assert {trial["compactions"] for trial in disturbed} == {undisturbed["compactions"]}
