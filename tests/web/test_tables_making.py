"""Tables that are made by the page: what can be asked about, what it costs first, the work, and cells asked again."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.unit.tables.table_rooms import (
    AnsweringModel,
    DocumentBox,
    WallClock,
    memory_engine,
    reads_well,
    write_contracts,
)
from tests.unit.tables.test_batches import Patient
from tests.web.conftest import Serve, Server

from deskmate.host.tables import Tables
from deskmate.types.places import Places
from deskmate.web.routes_tables_making import READABLE
from deskmate_documents.content import KINDS
from deskmate_documents.passages import MAIL

LAW = {
    "name": "Law",
    "question": "Which law governs?",
    "patterns": [r"governed by the laws of (?P<value>(?-i:[A-Z]\w+(?: [A-Z]\w+)?))"],
}
FEE = {"name": "Fee", "question": "What is the yearly fee?", "type": "money"}
BEGINS = {"name": "Begins", "question": "When does it begin?", "type": "date"}


def tables(places: Places, **parts: Any) -> Tables:
    parts = {"sandbox": DocumentBox(), "clock": WallClock(), "open_engine": memory_engine, **parts}
    return Tables(places, environ={}, **parts)


def wish(folder: Path, *columns: Any, **more: Any) -> dict[str, Any]:
    names = sorted(file.name for file in folder.iterdir())
    usual = {"question": "Terms", "folder": str(folder), "names": names, "model": "offline"}
    return {**usual, "columns": list(columns) or [LAW], **more}


def done(server: Server, table: str) -> dict[str, Any]:
    """Return a table as soon as nobody works on it."""
    for _ in range(600):
        found: dict[str, Any] = server.ask("GET", f"/api/tables/{table}").json()
        if not found["table"]["working"]:
            return found
        threading.Event().wait(0.02)
    raise AssertionError(f"the work does not end: {found['table']}")


@pytest.fixture
def contracts(tmp_path: Path) -> Path:
    write_contracts(tmp_path / "docs", 3)
    return tmp_path / "docs"


def test_what_of_a_folder_can_be_asked_about(serve: Serve, contracts: Path) -> None:
    assert KINDS | {MAIL} == READABLE
    server = serve()
    (contracts / ".hidden.txt").write_text("x")
    (contracts / "scan.png").write_bytes(b"x")
    (contracts / "older").mkdir()
    (contracts / "older/[draft] Ünder.PDF").write_bytes(b"12345")
    (contracts / "older/round").symlink_to(contracts)
    found = server.ask("GET", f"/api/documents?folder={contracts}").json()
    assert [one["name"] for one in found["files"]] == ["c00001.txt", "c00002.txt", "c00003.txt"]
    assert (found["others"], found["cut"]) == (1, False)
    below = server.ask("GET", f"/api/documents?folder={contracts}&below=1").json()
    assert below["files"][-1] == {"name": "older/[draft] Ünder.PDF", "size": 5}
    assert len(below["files"]) == 4
    for odd in ("", "relative", f"{contracts}/none"):
        assert server.ask("GET", f"/api/documents?folder={odd}").status_code == 400


def test_a_table_is_planned_begun_and_taken_along(
    serve: Serve, places: Places, contracts: Path
) -> None:
    server = serve(tables=tables(places))
    (contracts / "c00002.txt").rename(contracts / "c[2]*.txt")  # a name, not a pattern
    priced = server.ask("POST", "/api/tables/plan", wish(contracts)).json()
    assert (priced["rows"], priced["columns"], priced["estimate_usd"]) == (3, 1, 0)
    assert server.ask("GET", "/api/tables").json()["rows"] == []  # nothing is made yet
    begun = server.ask("POST", "/api/tables", {"plan": priced["id"]})
    assert begun.status_code == 201
    found = done(server, begun.json()["id"])
    assert (found["table"]["cells"], found["table"]["problem"]) == ({"checked": 3}, "")
    assert [line["cells"][0]["value"] for line in found["lines"]] == ["New York"] * 3
    again = server.ask("POST", "/api/tables", {"plan": priced["id"]})
    assert again.status_code == 400
    assert "not known any more" in again.json()["error"]


def test_what_a_model_would_cost_is_shown_first_and_is_the_limit(
    serve: Serve, places: Places, contracts: Path
) -> None:
    model = AnsweringModel(reads_well, cost=0.01)
    server = serve(tables=tables(places, model=model))
    priced = server.ask("POST", "/api/tables/plan", wish(contracts, LAW, FEE, BEGINS)).json()
    assert model.requests == []
    assert (priced["sampled"], priced["estimate_usd"], priced["budget_usd"]) == (3, 0.06, 0.06)
    table = server.ask("POST", "/api/tables", {"plan": priced["id"]}).json()["id"]
    row = done(server, table)["table"]
    assert (row["cells"], row["cost_usd"], row["budget_usd"]) == ({"checked": 9}, 0.03, 0.06)


def test_a_table_in_batches_is_stopped_and_asked_at_once(
    serve: Serve, places: Places, contracts: Path
) -> None:
    model = Patient(looks=1_000_000_000)
    server = serve(tables=tables(places, model=model))
    priced = server.ask("POST", "/api/tables/plan", wish(contracts, LAW, batch=True)).json()
    assert (priced["batch"], priced["estimate_usd"]) == (True, pytest.approx(0.03))
    row = server.ask("POST", "/api/tables", {"plan": priced["id"]}).json()
    assert row["batch"]
    table = f"/api/tables/{row['id']}"
    for _ in range(600):
        if model.post.looked:
            break
        threading.Event().wait(0.02)
    assert server.ask("POST", f"{table}/stop").status_code == 200
    assert done(server, row["id"])["table"]["done"] == 0
    resumed = server.ask("POST", f"{table}/resume", {"now": True, "budget_usd": 1})
    assert resumed.status_code == 202
    row = done(server, row["id"])["table"]
    assert (row["cells"], row["batch"]) == ({"checked": 3}, False)
    assert model.post.cancelled == list(model.post.sent)
    refused = serve(tables=tables(places, model=AnsweringModel(reads_well)))
    said = refused.ask("POST", "/api/tables/plan", wish(contracts, LAW, batch=True))
    assert said.status_code == 400
    assert "takes no batches" in said.json()["error"]


def test_a_cell_is_answered_again_and_a_budget_that_ended_is_said(
    serve: Serve, places: Places, contracts: Path
) -> None:
    wrong = True

    def say(text: str) -> Sequence[Any]:
        law, *others = reads_well(text)
        return [{**law, "value": "Mars"} if wrong else law, *others]

    server = serve(tables=tables(places, model=AnsweringModel(say, cost=0.01)))
    body = wish(contracts, LAW, FEE, BEGINS, budget_usd=0.095)
    plan = server.ask("POST", "/api/tables/plan", body).json()["id"]
    table = server.ask("POST", "/api/tables", {"plan": plan}).json()["id"]
    assert done(server, table)["table"]["cells"] == {"checked": 6, "disputed": 3}
    wrong = False
    one = f"/api/tables/{table}/resume"
    assert server.ask("POST", one, {"cells": ["2:Law"]}).status_code == 202
    found = done(server, table)
    assert [line["cells"][0]["status"] for line in found["lines"]] == [
        "disputed",
        "checked",
        "disputed",
    ]
    assert server.ask("POST", one, {"statuses": ["disputed"]}).status_code == 202
    row = done(server, table)["table"]
    assert "budget" in row["problem"].lower()
    assert row["done"] < row["rows"]
    assert server.ask("POST", one, {"budget_usd": 1}).status_code == 202
    row = done(server, table)["table"]
    assert (row["cells"], row["problem"]) == ({"checked": 9}, "")


def test_work_is_stopped_and_a_second_table_waits_for_the_first(
    serve: Serve, places: Places, contracts: Path
) -> None:
    held = threading.Event()

    class Slow(DocumentBox):
        async def registry(self, plugins: Any, progress: Any) -> Any:
            import anyio

            while not held.is_set():
                await anyio.sleep(0.01)
            return await super().registry(plugins, progress)

    server = serve(tables=tables(places, sandbox=Slow()))
    made = []
    for _ in range(2):
        plan = server.ask("POST", "/api/tables/plan", wish(contracts)).json()["id"]
        made.append(server.ask("POST", "/api/tables", {"plan": plan}).json()["id"])
    first, second = (server.ask("GET", f"/api/tables/{one}").json()["table"] for one in made)
    assert (first["here"], second["here"]) == (True, True)
    assert "waits" in second["doing"]
    assert server.ask("POST", f"/api/tables/{made[0]}/resume").status_code == 400  # at work
    server.ask("POST", f"/api/tables/{made[0]}/stop")
    held.set()
    assert done(server, made[1])["table"]["done"] == 3
    stopped = done(server, made[0])["table"]
    assert (stopped["done"], stopped["problem"]) == (0, "")
    assert server.ask("POST", f"/api/tables/{made[0]}/stop").status_code == 400
    assert server.ask("POST", f"/api/tables/{made[0]}/resume").status_code == 202
    assert done(server, made[0])["table"]["done"] == 3


@pytest.mark.parametrize(
    "odd",
    [
        {"names": ["../secret.txt"]},
        {"names": ["/etc/passwd"]},
        {"names": ["c00001.txt\0"]},
        {"names": []},
        {"names": ["none.txt"]},
        {"folder": "docs"},
        {"columns": []},
        {"columns": [{**LAW, "type": "poem"}]},
        {"columns": [LAW, LAW]},
        {"columns": [{**LAW, "patterns": ["("]}]},
        {"columns": [FEE]},  # no rules, and no model
        {"columns": [{**LAW, "type": "choice"}]},
        {"budget_usd": 0},
        {"model": "none-such"},
        {"more": 1},
    ],
)
def test_a_table_that_cannot_be_is_refused_before_anything_is_made(
    serve: Serve, places: Places, contracts: Path, odd: dict[str, Any]
) -> None:
    (contracts.parent / "secret.txt").write_text("secret")
    server = serve(tables=tables(places))
    refused = server.ask("POST", "/api/tables/plan", wish(contracts, **{}) | odd)
    assert refused.status_code == 400, refused.text
    assert refused.json()["error"]
    assert not places.tables.exists()
    for path in ("none/resume", "tb-none/resume", "%2e%2e/resume", "tb-none/stop"):
        assert server.ask("POST", f"/api/tables/{path}").status_code in (400, 404), path
