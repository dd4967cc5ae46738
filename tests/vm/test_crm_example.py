"""The example of a whole integration: a CRM behind its own server, a plugin from a wheel, a recorded thread with both."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.vm.desk import Desk

pytestmark = [pytest.mark.vm, pytest.mark.timeout(300)]
SCENE = Path(__file__).parents[2] / "examples/crm/scene.py"


def test_a_partner_s_integration_does_its_whole_job(
    make_home: Callable[[], Desk], tmp_path: Path
) -> None:
    desk = make_home()
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path / "nobody"),
        "DESKMATE_HOME": str(desk.home),
        "LANG": "C.UTF-8",
    }
    done = subprocess.run(
        [sys.executable, str(SCENE), str(tmp_path)],
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "ROWAN-SUMS, ROWAN-QUOTES" in done.stdout
    brief = (tmp_path / "customers/Visit Harbour Foods.md").read_text("utf-8")
    assert "| | total | | 15324.25 |" in brief
    (thread,) = desk.json("thread", "list")
    asked = desk.events(thread["thread"], "ApprovalAsked")
    assert [row["tool"] for row in asked] == ["crm__log_visit"]
    assert desk.json("thread", "verify", thread["thread"])["problems"] == []
