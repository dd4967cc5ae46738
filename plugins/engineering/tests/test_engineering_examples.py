"""The plugin's own examples, tried as `deskmate plugin check` tries them, here in a child process."""

from __future__ import annotations

from pathlib import Path

import anyio

from deskmate.testing.kit.check import Subject, check_plugin, laid_out
from deskmate.testing.kit.probing import probe_in_child
from deskmate.types.probe import ProbeReport


def test_every_tool_answers_as_its_example_says_and_every_gate_knows_a_good_and_a_bad_result() -> (
    None
):
    async def probe(subject: Subject) -> ProbeReport:
        return await anyio.to_thread.run_sync(probe_in_child, subject.plugin, subject.site)

    with laid_out(Path(__file__).parents[1], lambda line: None) as subject:
        report = anyio.run(check_plugin, subject, probe, "child process")
    assert [(one.id, one.details) for one in report.checks if one.status == "failed"] == []
    # pages are tried in a machine of the office image
    left = {one.id: one.summary for one in report.checks if one.status == "open"}
    assert left == {
        "calls": "not tried without the office image: page_check, page_look",
        "gates": "not tried without the office image: ENG-PAGE-TRUE",
    }
