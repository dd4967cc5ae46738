"""A long thread is told from its end: what came before is asked for, and the sums are those of the whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.web.conftest import Serve, Server
from tests.web.scene import sandbox, steps
from tests.web.test_api import begin

from deskmate.testing.scripted_model import Line
from deskmate.web import routes_threads

PLANNED: tuple[Line, ...] = (
    (("workspace__plan", {"steps": steps(1)}), ("workspace__read", {"path": "contracts/note.txt"})),
    (("workspace__glob", {"pattern": "*"}),),
    "Done.",
)


@pytest.fixture
def long(serve: Serve, folder: Path) -> tuple[Server, str, dict[str, Any]]:
    """A thread, its route, and all of it at once."""
    server = serve(PLANNED, sandbox=sandbox())
    thread = begin(server, folder)
    return server, f"/api/threads/{thread}", server.wait(thread)


def test_the_end_comes_first_and_the_rest_when_it_is_asked_for(
    long: tuple[Server, str, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    server, path, whole = long
    assert whole["earlier"] == {"seq": 0, "cost_usd": 0, "priced": True, "said": 0, "plan": []}
    monkeypatch.setattr(routes_threads, "AT_ONCE", 4)
    found: list[Any] = []
    before = 0
    for _ in range(100):
        part = server.ask("GET", path + (f"?before={before}" if before else "")).json()
        assert all(entry["seq"] > part["earlier"]["seq"] for entry in part["entries"])
        found = part["entries"] + found
        before = part["earlier"]["seq"] + 1
        if not part["earlier"]["seq"]:
            break
    assert found == whole["entries"]


def test_what_came_before_is_told_in_short(
    long: tuple[Server, str, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    server, path, whole = long
    monkeypatch.setattr(routes_threads, "AT_ONCE", 1)
    earlier = server.ask("GET", path).json()["earlier"]
    assert earlier["seq"] == whole["next"] - 1
    assert earlier["said"] == 1
    assert [step["state"] for step in earlier["plan"]][:2] == ["done", "doing"]
    later = server.ask("GET", f"{path}?after={whole['next'] - 2}").json()
    assert [entry["seq"] for entry in later["entries"]] == [
        entry["seq"] for entry in whole["entries"] if entry["seq"] > whole["next"] - 2
    ]
    for odd in ("x", "-1", "9" * 30):
        assert server.ask("GET", f"{path}?before={odd}").status_code == 200
