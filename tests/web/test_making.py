"""Schedules that are made, tried, agreed to and deleted by the page."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from tests.web.conftest import Serve, Server
from tests.web.places import make_connector

WISH: dict[str, Any] = {
    "name": "Monday metrics",
    "text": "Measure the process.",
    "cron": "0 7 * * mon",
    "zone": "Europe/Berlin",
    "model": "offline",
    "expects_answer": True,
    "seconds": 600,
}


def made(server: Server, **other: Any) -> dict[str, Any]:
    response = server.ask("POST", "/api/schedules", {**WISH, **other})
    assert response.status_code == 201, response.text
    found: dict[str, Any] = response.json()
    return found


def tried(server: Server, one: str) -> dict[str, Any]:
    """Try a schedule out, and return it when its dry run has ended."""
    assert server.ask("POST", f"{one}/try").status_code == 202
    for _ in range(1500):
        found: dict[str, Any] = server.ask("GET", one).json()
        if found["history"][0]["state"] not in ("claimed", "running"):
            return found
        threading.Event().wait(0.02)
    raise AssertionError(f"the dry run does not end: {found}")


def test_a_schedule_is_made_tried_agreed_to_and_deleted(serve: Serve, folder: Path) -> None:
    server = serve()
    whole = made(server, folders=[{"folder": str(folder), "mode": "ro"}], budget_usd=2)
    row = whole["row"]
    assert (row["state"], row["zone"], whole["may_agree"]) == ("draft", "Europe/Berlin", False)
    assert "2.00 USD, 600 seconds" in whole["facts"]["At most"]
    assert whole["facts"]["Folders"] == f"{folder} (ro)"
    assert "Network" not in whole["facts"]
    one = f"/api/schedules/{row['id']}"
    assert server.ask("POST", f"{one}/resume").status_code == 400
    found = tried(server, one)
    (turn,) = found["history"]
    assert (turn["trigger"], turn["state"], found["may_agree"]) == ("dry run", "succeeded", True)
    thread = server.ask("GET", f"/api/threads/{turn['thread']}").json()
    assert thread["row"]["title"].startswith("Dry run: Monday metrics")
    assert server.ask("POST", f"{one}/resume").json()["row"]["state"] == "active"
    assert server.ask("DELETE", one).json()["rows"] == []
    assert server.ask("GET", f"/api/threads/{turn['thread']}").status_code == 200
    assert server.ask("DELETE", one).status_code == 400


def test_what_a_schedule_may_reach_is_part_of_what_is_agreed_to(serve: Serve) -> None:
    server = serve()
    make_connector(server.places)
    facts = made(server, hosts=["api.example.com:GET,POST", " "], connectors=["crm"])["facts"]
    assert "api.example.com" in facts["Network"]
    assert "POST" in facts["Network"]
    assert facts["Connectors"] == "crm"


def test_a_dry_run_that_fails_says_why_and_nothing_runs_by_itself(serve: Serve) -> None:
    server = serve()
    one = f"/api/schedules/{made(server, expects=['report*.md'])['row']['id']}"
    found = tried(server, one)
    assert found["history"][0]["state"] == "failed"
    assert "report*.md" in found["history"][0]["why"]
    assert not found["may_agree"]


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"cron": "0 7 * * someday"}, "no time of cron"),
        ({"zone": "Mars/Olympus"}, "no time zone"),
        ({"once": "2026-12-01 07:00"}, "Say when"),
        ({"cron": None, "once": "2020-01-01 07:00"}, "does not fit"),
        ({"expects_answer": False}, "must deliver"),
        ({"model": "sonnet"}, "costs money"),
        ({"folders": [{"folder": "/nowhere/at/all", "mode": "rw"}]}, "does not exist"),
        ({"allowed": ["mail__send"]}, "whatever its target"),
        ({"allowed": ["mail__send someone"]}, "no target"),
        ({"name": " "}, "needs a name"),
        ({"seconds": 1}, "does not fit"),
        ({"hosts": ["10.0.0.1"]}, "cannot be allowed"),
        ({"hosts": ["api.example.com:FETCH"]}, "no method"),
        ({"connectors": ["none"]}, "no connector"),
        ({"owner": "me"}, "does not fit"),
    ],
    ids=str,
)
def test_what_could_not_run_unwatched_is_not_made(
    serve: Serve, other: dict[str, Any], said: str
) -> None:
    server = serve()
    refused = server.ask("POST", "/api/schedules", {**WISH, **other})
    assert (refused.status_code, said in refused.json()["error"]) == (400, True), refused.text
    assert server.ask("GET", "/api/schedules").json()["rows"] == []
