"""The plugin's own examples, tried as `deskmate plugin check` tries them, here in a child process and without odd calls."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import anyio
import pytest

from deskmate.testing.kit.check import Subject, check_plugin, laid_out
from deskmate.testing.kit.probing import probe_in_child
from deskmate.types.probe import ProbeReport


@pytest.mark.slow  # two sessions with all tools and gates
def test_every_tool_answers_as_its_example_says_and_every_gate_knows_a_good_and_a_bad_result() -> (
    None
):
    async def probe(subject: Subject) -> ProbeReport:
        run = partial(probe_in_child, subject.plugin, subject.site, fuzz=0)
        return await anyio.to_thread.run_sync(run)

    with laid_out(Path(__file__).parents[1], lambda line: None) as subject:
        report = anyio.run(check_plugin, subject, probe, "child process")
    assert [(one.id, one.details) for one in report.checks if one.status == "failed"] == []
    left = {one.id: one.summary for one in report.checks if one.status == "open"}
    assert left.pop("fuzz").startswith("not tried")
    assert left == {
        # pages are tried in a machine of the office image
        "calls": "not tried without the office image: page_check, page_look",
        "gates": "not tried without the office image: ENG-PAGE-TRUE",
    }
