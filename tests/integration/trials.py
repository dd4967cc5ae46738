"""Runs a harness of this folder as a process of its own and judges what it prints."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.integration.crash_job import RESULT

CHECKOUT = Path(__file__).parents[2]


def run(
    module: str, *words: object, files: Mapping[str, str] = RESULT
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return what an undisturbed run gave and all disturbed ones; the former must be sound."""
    done = subprocess.run(
        [sys.executable, "-m", f"tests.integration.{module}", *map(str, words)],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=1700,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    undisturbed, *disturbed = [json.loads(line) for line in done.stdout.splitlines()]
    assert undisturbed["problems"] == []
    assert undisturbed["files"] == files
    return undisturbed, disturbed


def bad(trials: list[dict[str, Any]], files: Mapping[str, str] = RESULT) -> list[dict[str, Any]]:
    """Return the trials in which something was lost, doubled or torn, or that ended otherwise."""
    return [trial for trial in trials if trial["problems"] or trial["files"] != files]
