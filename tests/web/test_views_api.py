"""Schedules, tables, connectors, projects, health, pairing: what the page's API says of them, and may change."""

from __future__ import annotations

import csv
import io
import zipfile
from pathlib import Path
from typing import Any

import anyio
import pytest
from tests.unit.connectors.loopback import loopback
from tests.web.conftest import HOST, PORT, Serve
from tests.web.places import (
    QUOTE,
    TABLE,
    make_answers,
    make_connector,
    make_project,
    make_schedules,
)
from tests.web.scene import sandbox
from tests.web.test_api import begin, until

from deskmate.connectors import vault
from deskmate.connectors.book import Book
from deskmate.host import health
from deskmate.host.policy import change_rules, with_rule
from deskmate.sandbox.host_checks import Check
from deskmate.store.projects import Projects
from deskmate.types.connectors import ConnectorEntry
from deskmate.types.places import Places
from deskmate.types.policy import Rule
from deskmate.web.app import make_app
from deskmate.web.routes_tables import ROWS_AT_ONCE
from deskmate.web.serving import Door, checked_name


@pytest.fixture(autouse=True)
def no_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        vault, "open_vault", lambda folder, to_read=False: vault.Vault(folder, None)
    )


def test_a_schedule_is_shown_with_its_history_and_reasons_paused_and_let_go_on(
    serve: Serve,
) -> None:
    server = serve()
    assert server.ask("GET", "/api/schedules").json() == {"served": False, "rows": []}
    make_schedules(server.places)
    rows = server.ask("GET", "/api/schedules").json()["rows"]
    assert [(row["name"], row["state"]) for row in rows] == [
        ("Monday metrics", "active"),
        ("Watch the inbox folder", "draft"),
    ]
    assert len(rows[0]["next"]) == 3
    assert rows[1]["next"] == []
    one = f"/api/schedules/{rows[0]['id']}"
    whole = server.ask("GET", one).json()
    assert [turn["state"] for turn in whole["history"]] == [
        "succeeded",
        "skipped",
        "failed",
        "succeeded",
    ]
    assert "asleep" in whole["history"][1]["why"]
    assert whole["facts"]["Must deliver"] == "*.md"
    assert whole["facts"]["Runs unasked"] == "nothing that leaves this computer"
    paused = server.ask("POST", f"{one}/pause").json()
    assert (paused["row"]["state"], paused["row"]["next"]) == ("paused", [])
    assert server.ask("POST", f"{one}/pause").status_code == 400
    assert server.ask("POST", f"{one}/resume").json()["row"]["state"] == "active"
    assert server.ask("GET", "/api/schedules/none").status_code == 400


def test_a_draft_begins_only_after_a_dry_run_that_succeeded(serve: Serve) -> None:
    server = serve()
    store = make_schedules(server.places)
    draft = store.get("inbox-watch-1")
    assert server.ask("GET", "/api/schedules/inbox-watch-1").json()["may_agree"]
    begun = server.ask("POST", "/api/schedules/inbox-watch-1/resume").json()
    assert (begun["row"]["state"], begun["may_agree"]) == ("active", False)
    from dataclasses import replace

    store.add(replace(draft.schedule, id="untried-1", name="Untried"))
    assert not server.ask("GET", "/api/schedules/untried-1").json()["may_agree"]
    refused = server.ask("POST", "/api/schedules/untried-1/resume")
    assert refused.status_code == 400
    assert "dry run" in refused.json()["error"]
    assert store.get("untried-1").state == "draft"


def test_a_table_is_read_by_windows_and_a_cell_has_its_evidence(serve: Serve) -> None:
    server = serve()
    assert server.ask("GET", "/api/tables").json() == {"rows": []}
    make_answers(server.places, rows=250)
    (row,) = server.ask("GET", "/api/tables").json()["rows"]
    assert (row["rows"], row["done"], row["working"], row["cost_usd"]) == (250, 2, False, 0)
    assert row["cells"]["open"] == 248 * 3
    first = server.ask("GET", f"/api/tables/{TABLE}").json()
    assert [column["name"] for column in first["columns"]] == ["Governing law", "Notice", "Fee"]
    assert len(first["lines"]) == ROWS_AT_ONCE
    line = first["lines"][0]
    assert (line["document"], line["state"]) == ("Supplier 0001.pdf", "done")
    assert line["cells"][2] == {"status": "checked", "value": "1200.00", "unit": "EUR"}
    assert QUOTE not in str(first)  # evidence comes by itself
    last = server.ask("GET", f"/api/tables/{TABLE}?after=200").json()["lines"]
    assert [one["number"] for one in last] == list(range(201, 251))
    for odd in ("-1", "x", "9" * 30, "٣"):
        assert server.ask("GET", f"/api/tables/{TABLE}?after={odd}").json()["after"] == 0
    proof = server.ask("GET", f"/api/tables/{TABLE}/rows/1").json()
    assert proof["cells"][0]["quote"] == QUOTE
    assert proof["cells"][0]["page"] == 7
    assert server.ask("GET", f"/api/tables/{TABLE}/rows/0").status_code == 404
    assert server.ask("GET", f"/api/tables/{TABLE}/rows/999").status_code == 400


@pytest.mark.parametrize("name", ["..", "%2e%2e%2fthreads", "tb-none", "tb%00x", "a%2f..%2fb"])
def test_f9_a_table_is_named_by_its_id_and_by_no_path(serve: Serve, name: str) -> None:
    server = serve()
    make_answers(server.places)
    for path in (f"/api/tables/{name}", f"/api/tables/{name}/rows/1", f"/api/tables/{name}/export"):
        assert server.ask("GET", path).status_code in (400, 404, 405), path


def test_a_table_is_taken_along_as_a_file_that_nobody_carries_out(serve: Serve) -> None:
    server = serve()
    make_answers(server.places)
    path = f"/api/tables/{TABLE}/export"
    book = server.ask("GET", path)
    assert book.headers["content-type"] == "application/octet-stream"
    assert book.headers["content-disposition"] == f'attachment; filename="{TABLE}.xlsx"'
    assert "xl/workbook.xml" in zipfile.ZipFile(io.BytesIO(book.content)).namelist()
    rows = list(csv.reader(io.StringIO(server.ask("GET", f"{path}?kind=csv").text)))
    assert len(rows) == 4
    assert "England and Wales" in rows[1]
    assert server.ask("GET", f"{path}?kind=exe").status_code == 404


def test_a_connector_s_tools_are_allowed_and_blocked_here(serve: Serve) -> None:
    server = serve()
    assert server.ask("GET", "/api/connectors").json() == {"rows": []}
    make_connector(server.places)
    (row,) = server.ask("GET", "/api/connectors").json()["rows"]
    assert (row["login"], row["server"]) == ("out", "CRM 2.1")
    find, delete = row["tools"]
    assert (find["decision"], find["risk"], find["says"]) == ("", "write", "it only reads")
    assert delete["off"].startswith("its definition changed")
    body = {"tool": "find_customer", "decision": "allow", "risk": "read"}
    changed = server.ask("PATCH", "/api/connectors/crm", body).json()["rows"][0]["tools"][0]
    assert (changed["decision"], changed["risk"]) == ("allow", "read")
    kept = Book(server.places.config).get("crm").setting("find_customer")
    assert (kept.decision, kept.risk) == ("allow", "read")
    for wrong, status in (
        ({**body, "tool": "none"}, 404),
        ({**body, "decision": "always"}, 400),
        ({**body, "more": 1}, 400),
    ):
        assert server.ask("PATCH", "/api/connectors/crm", wrong).status_code == status
    assert server.ask("PATCH", "/api/connectors/none", body).status_code == 400


def test_a_test_says_whether_a_server_is_what_was_accepted_and_turns_off_what_is_not(
    serve: Serve, places: Places
) -> None:
    server = serve()
    with loopback() as remote:
        make_connector(places, remote.url)
        book = Book(places.config)
        plain = ConnectorEntry(name="crm", url=remote.url, tools=book.get("crm").tools)
        book.save(plain)
        told = server.ask("POST", "/api/connectors/crm/test").json()
    assert told["server"] == "Shop 1.2"
    assert set(told["added"]) == {"find_order", "cancel_order"}
    assert set(told["gone"]) == {"find_customer", "delete_customer"}
    assert set(book.get("crm").off) == {"find_customer", "delete_customer"}
    gone = server.ask("POST", "/api/connectors/crm/test")
    assert gone.status_code == 400
    assert "crm cannot be used" in gone.json()["error"]


def project(folder: Path, **more: Any) -> dict[str, Any]:
    granted = {"folder": str(folder), "mode": "rw"}
    usual = {"name": "Harbour deal", "instructions": "Be brief.", "folders": [granted]}
    return {**usual, "plugins": ["legal"], **more}


def test_a_project_is_made_changed_joined_and_deleted(serve: Serve, folder: Path) -> None:
    server = serve(["Done."], sandbox=sandbox())
    (made,) = server.ask("POST", "/api/projects", project(folder)).json()["rows"]
    assert made["folders"] == [{"folder": str(folder), "mode": "rw"}]
    thread = begin(server, project=made["id"], plugins=[])
    shown = server.wait(thread)
    assert shown["row"]["project"] == made["id"]
    assert [one["folder"] for one in shown["folders"]] == [str(folder)]
    assert list(shown["plugins"]) == ["legal"]
    one = f"/api/projects/{made['id']}"
    (changed,) = server.ask("PATCH", one, project(folder, name="Harbour")).json()["rows"]
    assert (changed["id"], changed["name"]) == (made["id"], "Harbour")
    left = server.ask("POST", f"/api/threads/{thread}/project", {"project": ""})
    assert left.status_code == 200
    assert server.ask("GET", f"/api/threads/{thread}").json()["row"]["project"] == ""
    assert server.ask("DELETE", one).json() == {"rows": []}
    assert server.ask("GET", f"/api/threads/{thread}").status_code == 200
    assert server.ask("DELETE", one).status_code == 400


def test_a_project_of_what_is_not_there_is_refused(serve: Serve, folder: Path) -> None:
    server = serve()
    nowhere = {"folder": str(folder / "nowhere"), "mode": "rw"}
    for body in (
        project(folder, name=""),
        project(folder, folders=[nowhere]),
        project(folder, folders=[{"folder": "relative", "mode": "rw"}]),
        project(folder, instructions="x" * 20_001),
        {"name": "x"},
    ):
        assert server.ask("POST", "/api/projects", body).status_code == 400
    server.ask("POST", "/api/projects", project(folder, plugins=[]))
    again = server.ask("POST", "/api/projects", project(folder, plugins=[], name="HARBOUR deal"))
    assert again.status_code == 400
    assert len(Projects(server.places.data).all()) == 1


def test_health_tells_what_fails_and_cures_what_can_be(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    sick = Check(name="folders", state="fail", cause="others can read it", cure="chmod 700")
    well = Check(name="machine", state="ok", cause="Linux")
    now = [well, sick]

    async def examined(places: Places, boot: object) -> tuple[Check, ...]:
        return tuple(now)

    def cured(check: Check, places: Places, progress: object) -> str:
        now[1] = Check(name=check.name, state="ok", cause="only you can read it")
        return "closed them"

    monkeypatch.setattr(health, "examine_all", examined)
    monkeypatch.setattr(health, "cure_check", cured)
    server = serve()
    shown = server.ask("GET", "/api/health").json()["checks"]
    assert [(check["name"], check["curable"]) for check in shown] == [
        ("machine", False),
        ("folders", True),
    ]
    after = server.ask("POST", "/api/health/cure", {"name": "folders"}).json()
    assert (after["did"], after["checks"][1]["state"]) == ("closed them", "ok")
    assert server.ask("POST", "/api/health/cure", {"name": "nothing"}).status_code == 404


def test_the_real_checks_can_be_shown(serve: Serve, folder: Path) -> None:
    server = serve()
    make_project(server.places, folder)
    names = [check["name"] for check in server.ask("GET", "/api/health").json()["checks"]]
    assert {"machine", "disk", "threads", "plugins"} <= set(names)


def test_without_a_name_no_device_is_let_in(serve: Serve) -> None:
    server = serve()
    told = server.ask("POST", "/api/pairing").json()
    assert told == {"name": "", "port": PORT, "rows": [], "seconds": 120}
    assert not (server.places.data / "page/codes").exists() or not list(
        (server.places.data / "page/codes").iterdir()
    )


NAME = "laptop.tail1234.ts.net"


def test_a_phone_is_let_in_once_under_the_name_and_over_https_only(
    serve: Serve, built_page: Any
) -> None:
    from starlette.testclient import TestClient

    server = serve()
    app = make_app(server.desk, server.sign_in, built_page, port=PORT, name=NAME)
    phone = TestClient(app, base_url=f"https://{NAME}")
    code = server.sign_in.issue()

    def enter(**headers: str) -> Any:
        own = {"origin": f"https://{NAME}", "sec-fetch-site": "same-origin"}
        return phone.post("/api/session", json={"code": code}, headers={**own, **headers})

    assert enter(origin=f"http://{NAME}").status_code == 403
    assert enter(host="other.tail1234.ts.net").status_code == 421
    assert enter(host=HOST).status_code == 403  # the origin is another than the host
    entered = enter()
    assert entered.status_code == 200
    assert "secure" in entered.headers["set-cookie"].lower()
    assert enter().status_code == 403  # once
    own = {"origin": f"https://{NAME}", "sec-fetch-site": "same-origin"}
    told = phone.post("/api/pairing", json={}, headers=own).json()
    assert told["name"] == NAME
    assert len(told["rows"]) == len(told["rows"][0]) >= 25
    (device,) = [one for one in server.sign_in.devices() if one.name != "A test"]
    server.ask("DELETE", f"/api/devices/{device.id}")
    assert phone.get("/api/threads", headers=own).status_code == 401


def test_the_name_is_remembered_and_no_address_is_taken_for_one(places: Places) -> None:
    door = Door(places)
    assert door.name() == ""
    door.set_name(f"https://{NAME.upper()}/")
    assert Door(places).name() == NAME
    for wrong in (
        "",
        "localhost",
        "127.0.0.1",
        "0.0.0.0",
        "a b.c",
        "x.localhost",
        "[::1]",
        "a.b/c",
        "é.fr",
    ):
        with pytest.raises(Exception, match="no name"):
            checked_name(wrong)
    (places.data / "page/name").write_text("evil.test\nx")
    assert Door(places).name() == ""
    door.set_name("none")
    assert Door(places).name() == ""


def test_the_rules_of_a_thread_are_shown_and_changed_from_its_next_run_on(serve: Serve) -> None:
    server = serve(["Done."], sandbox=sandbox())
    thread = begin(server, plugins=[])
    server.wait(thread)
    policy = f"/api/threads/{thread}/policy"
    assert server.ask("GET", policy).json() == {
        "mode": "auto-read",
        "rules": [],
        "budget_usd": None,
    }
    made = Rule(decision="allow", tool="mail__draft", where={"folder": "Drafts"})
    anyio.run(change_rules, server.places, thread, lambda rules: with_rule(rules, made))
    changed = server.ask("PATCH", policy, {"mode": "ask", "budget_usd": 2}).json()
    assert (changed["mode"], changed["budget_usd"]) == ("ask", 2)
    assert changed["rules"] == [
        {"decision": "allow", "tool": "mail__draft", "where": {"folder": "Drafts"}}
    ]
    assert server.ask("PATCH", policy, {"budget_usd": None}).json()["budget_usd"] is None
    rules = f"{policy}/rules"
    wrong = {"tool": "mail__draft", "where": {}}
    assert server.ask("DELETE", rules, wrong).status_code == 400
    gone = server.ask("DELETE", rules, {"tool": "mail__draft", "where": {"folder": "Drafts"}})
    assert gone.json()["rules"] == []
    bad: list[dict[str, Any]] = [{"mode": "all"}, {"budget_usd": -1}, {"rules": []}]
    for body in bad:
        assert server.ask("PATCH", policy, body).status_code == 400


def test_a_schedule_runs_now_and_its_history_says_what_became_of_it(
    serve: Serve, places: Places
) -> None:
    server = serve(["The report."], sandbox=sandbox())
    store = make_schedules(places)
    refused = server.ask("POST", "/api/schedules/inbox-watch-1/run")
    assert (refused.status_code, "not tried" in refused.json()["error"]) == (400, True)
    begun = server.ask("POST", "/api/schedules/monday-metrics-1/run")
    assert begun.status_code == 202, begun.text
    ended = until(
        lambda: [
            one for one in store.history("monday-metrics-1") if one.trigger == "hand" and one.ended
        ]
    )[0]
    assert (ended.state, "*.md" in ended.why) == ("failed", True), (
        ended
    )  # it said so, and made none
    shown = server.ask("GET", "/api/schedules/monday-metrics-1").json()["history"][0]
    assert (shown["trigger"], shown["state"]) == ("hand", "failed")
    thread = server.wait(shown["thread"])
    assert thread["row"]["state"] == "done"
    (item,) = [
        one
        for one in server.ask("GET", "/api/inbox").json()["items"]
        if one["thread"] == shown["thread"]
    ]
    assert item["kind"] == "failure"


def test_a_rule_is_made_and_one_on_the_same_calls_gives_way(serve: Serve) -> None:
    server = serve()
    rules = f"/api/threads/{begin(server)}/policy/rules"
    server.wait(rules.split("/")[3])
    rule = {"tool": "crm__find", "decision": "allow", "where": {"name": "Ada"}}
    assert server.ask("POST", rules, rule).json()["rules"] == [rule]
    (now,) = server.ask("POST", rules, {**rule, "decision": "deny"}).json()["rules"]
    assert now["decision"] == "deny"
    two = server.ask("POST", rules, {"tool": "crm__find", "decision": "ask"}).json()["rules"]
    assert [one["where"] for one in two] == [{"name": "Ada"}, {}]
    for odd in ({"tool": "a b"}, {"decision": "always"}, {"where": {"a": 1}}, {"more": 1}):
        assert server.ask("POST", rules, {**rule, **odd}).status_code == 400
