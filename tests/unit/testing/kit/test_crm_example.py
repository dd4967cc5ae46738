"""The example of a whole integration keeps to every check that a partner's plugin is held to."""

from __future__ import annotations

from pathlib import Path

from tests.unit.testing.kit.test_check import report_of

EXAMPLE = Path(__file__).parents[4] / "examples/crm/deskmate-rowan"


def test_every_check_of_the_example_plugin_holds() -> None:
    report = report_of(EXAMPLE)
    assert {check.id: check.details for check in report.checks if check.status != "ok"} == {}
    assert report.level == "tested"
