"""The examples that the plugin brings: one a tool, both ways a gate; and with them it is checked up to `tested`."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

import deskmate_hr

PACKAGE = Path(deskmate_hr.__file__).parent
CASES = tomllib.loads((PACKAGE / "checks/cases.toml").read_text("utf-8"))
MANIFEST = tomllib.loads((PACKAGE / "plugin.toml").read_text("utf-8"))


def test_each_tool_is_called_and_each_gate_passes_one_and_refuses_one() -> None:
    assert {case["tool"] for case in CASES["call"]} == set(MANIFEST["tools"])
    verdicts = {(case["rule"], case["verdict"]) for case in CASES["gate"]}
    assert verdicts == {
        (rule, verdict) for rule in MANIFEST["validators"] for verdict in ("pass", "refuse")
    }


def test_every_file_of_an_example_is_there_and_no_other_is() -> None:
    named = {case["file"] for case in CASES["gate"] if "file" in case}
    there = {
        f.relative_to(PACKAGE / "checks").as_posix()
        for name in ("bad", "good")
        for f in (PACKAGE / "checks" / name).glob("*")
    }
    assert named == there
    sources = {path for case in CASES["gate"] for path in case.get("sources", {}).values()}
    assert [path for path in sources if not (PACKAGE / "checks/files" / path).is_file()] == []


@pytest.mark.slow
def test_the_examples_hold(plugin_report: Any) -> None:
    report = plugin_report(Path(__file__).parents[1])
    assert [check for check in report.checks if check.status == "failed"] == []
    assert report.level == "tested"
