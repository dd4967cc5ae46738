"""The plugin is what its manifest says, and every check of `deskmate plugin check` holds."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PARTS = ("package", "loads", "promised", "calls", "gates", "fuzz", "texts")


@pytest.mark.parametrize("part", PARTS)
def test_a_check_holds(plugin_report, part: str) -> None:
    check = plugin_report(ROOT)[part]
    assert check.status == "ok", "\n".join((check.summary, *check.details))


def test_nothing_fails(plugin_report) -> None:
    assert [check.id for check in plugin_report(ROOT).checks if check.status == "failed"] == []
