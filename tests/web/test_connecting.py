"""Connectors that are made by the page: shown whole before they are kept, logged in to, with secrets that never come back."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.unit.connectors.guarded import browser, guarded_shop
from tests.unit.connectors.loopback import loopback
from tests.web.conftest import Serve, Server

from deskmate.connectors import vault
from deskmate.connectors.book import Book
from deskmate.connectors.logins import Logins
from deskmate.connectors.pins import read_listing
from deskmate.discovery import fetching
from deskmate.errors import PluginError
from deskmate.host import programs
from deskmate.types.connectors import ConnectorEntry, Program
from deskmate.types.places import Places


@pytest.fixture(autouse=True)
def no_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        vault, "open_vault", lambda folder, to_read=False: vault.Vault(folder, None)
    )


def until(server: Server, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Return what is on its way as soon as it is as wanted."""
    for _ in range(600):
        now: dict[str, Any] = server.ask("GET", "/api/connecting").json()
        if wanted(now):
            return now
        threading.Event().wait(0.02)
    raise AssertionError(f"it stays as it is: {now}")


def at(step: str) -> Callable[[dict[str, Any]], bool]:
    return lambda now: now["step"] == step


def kept(places: Places) -> tuple[tuple[str, str], ...]:
    return vault.Vault(places.config, None).names()


def test_a_server_is_shown_whole_and_kept_when_it_is_accepted(serve: Serve, places: Places) -> None:
    server = serve()
    assert server.ask("GET", "/api/connecting").json()["name"] == ""
    header = {
        "name": "Authorization",
        "scheme": "Bearer",
        "secret": "TOKEN",
        "value": " s3cret-value ",
    }
    with loopback() as remote:
        body = {"name": "shop", "url": remote.url, "categories": ["~~CRM "], "headers": [header]}
        begun = server.ask("POST", "/api/connecting", body)
        assert begun.status_code == 202, begun.text
        now = until(server, at("shown"))
        assert remote.headers[-1]["authorization"] == "Bearer s3cret-value"
        assert Book(places.config).names() == ()  # nothing before the user's word
        assert "s3cret-value" not in str(now)
        assert now["server"] == "Shop 1.2"
        tools = {tool["name"]: tool for tool in now["tools"]}
        assert tools["find_order"]["about"] == "Find an order by its number."
        assert tools["find_order"]["says"] == "only reads"
        assert "number" in tools["find_order"]["arguments"][0]
        busy = server.ask("POST", "/api/connecting", {**body, "name": "other"})
        assert (busy.status_code, "on its way" in busy.json()["error"]) == (400, True)
        (row,) = server.ask("POST", "/api/connecting/accept").json()["rows"]
    assert (row["name"], row["categories"], row["secrets"]) == ("shop", ["CRM"], [])
    assert server.ask("GET", "/api/connecting").json()["name"] == ""
    assert server.ask("POST", "/api/connecting/accept").status_code == 400
    assert server.ask("POST", "/api/connecting", body).status_code == 400  # the name is taken
    assert server.ask("DELETE", "/api/connectors/shop").json()["rows"] == []
    assert kept(places) == ()
    assert server.ask("DELETE", "/api/connectors/shop").status_code == 400


def test_of_a_server_that_is_given_up_or_fails_nothing_is_kept(
    serve: Serve, places: Places
) -> None:
    server = serve()
    header = {"name": "X-Key", "secret": "KEY", "value": "s3cret-value"}
    with loopback() as remote:
        body = {"name": "shop", "url": remote.url, "headers": [header]}
        server.ask("POST", "/api/connecting", body)
        until(server, at("shown"))
        assert kept(places) == (("connector.shop", "KEY"),)
        assert server.ask("DELETE", "/api/connecting").json()["name"] == ""
        assert kept(places) == ()
    server.ask("POST", "/api/connecting", body)
    now = until(server, at("failed"))
    assert "cannot be used" in now["problem"]
    assert (kept(places), Book(places.config).names()) == ((), ())
    assert server.ask("POST", "/api/connecting", body).status_code == 202  # tried again at once


def test_somebody_logs_in_in_a_tab_and_what_changed_meanwhile_is_looked_at(
    serve: Serve, places: Places
) -> None:
    server = serve()
    with guarded_shop() as guarded:
        server.ask("POST", "/api/connecting", {"name": "shop", "url": guarded.url})
        until(server, at("login wanted"))
        assert server.ask("POST", "/api/connecting/go").status_code == 202
        now = until(server, lambda now: now["login"] != "")
        assert now["login"].startswith(f"{guarded.base}/authorize?")
        assert now["login_host"] == "127.0.0.1"
        browser(now["login"])
        until(server, at("shown"))
        (row,) = server.ask("POST", "/api/connecting/accept").json()["rows"]
        assert row["login"] == "in"
        assert "access-token" not in str(row)
        # it says something else of a tool; another login shows that, and it is off until it is accepted
        with guarded.shop.changed("Find an order, and forward it."):
            server.ask("POST", "/api/connectors/shop/login")
            browser(until(server, lambda now: now["login"] != "")["login"])
            now = until(server, at("shown"))
            assert [tool["name"] for tool in now["tools"]] == ["find_order"]
            assert any("forward it" in line for line in now["tools"][0]["differs"])
            assert set(Book(places.config).get("shop").off) == {"find_order"}
            server.ask("DELETE", "/api/connecting")  # not accepted: it stays off
            assert set(Book(places.config).get("shop").off) == {"find_order"}
            server.ask("POST", "/api/connectors/shop/review")
            until(server, at("shown"))
            (row,) = server.ask("POST", "/api/connecting/accept").json()["rows"]
        assert [tool["off"] for tool in row["tools"]] == ["", ""]
    entry = Book(places.config).get("shop")
    assert Logins(places.config, vault.Vault(places.config, None)).get(entry).token


def test_a_program_is_shown_before_it_is_started(
    serve: Serve, places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = []

    def fetch(order: Any, progress: Any) -> tuple[str, Program]:
        order.folder.mkdir(parents=True)
        if order.package == "none":
            raise PluginError("There is no package none.")
        program = Program(
            command=("{python}", "-c", "x", *order.arguments),
            packages={"clock==1.0": "sha256:00"},
            wheels={},
            folder=str(order.folder),
            main="clock==1.0",
            version="1.0",
        )
        return "pypi:clock==1.0", program

    async def look(places: Places, entry: ConnectorEntry) -> Any:
        started.append(entry)
        rows = [{"name": "now", "description": "The time.", "inputSchema": {"type": "object"}}]
        return entry, read_listing(entry.name, rows)

    monkeypatch.setattr(fetching, "fetch_program", fetch)
    monkeypatch.setattr(programs, "look_at_program", look)
    server, folder = serve(), Path(places.data / "programs/time")
    body = {
        "name": "time",
        "pypi": "clock",
        "arguments": ["--utc"],
        "hosts": ["api.example.com:GET,POST"],
        "secrets": [{"name": "KEY", "value": "s3cret-value", "send_to": "api.example.com"}],
        "variables": ["REGION=eu"],
    }
    server.ask("POST", "/api/connecting", body)
    now = until(server, at("fetched"))
    assert started == []
    told = "\n".join(now["program"])
    for words in ("api.example.com", "--utc", "REGION=eu", "stand-in", "clock==1.0  sha256:00"):
        assert words in told
    server.ask("POST", "/api/connecting/go")
    until(server, at("shown"))
    (row,) = server.ask("POST", "/api/connecting/accept").json()["rows"]
    assert (row["url"], row["secrets"]) == ("pypi:clock==1.0", [])
    program = Book(places.config).get("time").program
    assert program is not None
    assert [rule.host for rule in program.hosts] == ["api.example.com"]
    vault.Vault(places.config, None).remove("connector.time", "KEY")
    (row,) = server.ask("GET", "/api/connectors").json()["rows"]
    assert row["secrets"] == ["KEY"]
    secret = "/api/connectors/time/secret"
    (row,) = server.ask("POST", secret, {"name": "KEY", "value": "again-value"}).json()["rows"]
    assert row["secrets"] == []
    assert server.ask("POST", secret, {"name": "OTHER", "value": "x"}).status_code == 400
    server.ask("DELETE", "/api/connectors/time")
    assert not folder.exists()
    server.ask("POST", "/api/connecting", {**body, "pypi": "none"})
    assert "no package" in until(server, at("failed"))["problem"]
    assert not folder.exists()
    assert kept(places) == ()


@pytest.mark.parametrize(
    "odd",
    [
        {"name": "../x"},
        {"name": ""},
        {"url": "http://10.0.0.1/mcp"},
        {"url": "file:///etc/passwd"},
        {"url": ""},
        {"pypi": "clock"},
        {"headers": [{"name": "Host", "secret": "KEY", "value": "x"}]},
        {"headers": [{"name": "X-Key", "secret": "KEY"}]},
        {"headers": [{"name": "X-Key\r\nX: y", "secret": "KEY", "value": "x"}]},
        {"secrets": [{"name": "KEY", "value": "x", "send_to": "a.example.com"}]},
        {"url": "", "pypi": "clock", "login": True},
        {"url": "", "pypi": "clock", "variables": ["LD_PRELOAD=x"]},
        {"url": "", "pypi": "clock", "hosts": ["*"]},
        {"url": "", "pypi": "clock", "secrets": [{"name": "KEY", "value": "x", "send_to": "a.b"}]},
        {"more": 1},
    ],
)
def test_what_cannot_be_connected_is_refused_and_nothing_is_kept(
    serve: Serve, places: Places, odd: dict[str, Any]
) -> None:
    server = serve()
    body = {"name": "crm", "url": "https://crm.example.com/mcp", **odd}
    refused = server.ask("POST", "/api/connecting", body)
    assert refused.status_code == 400, refused.text
    assert kept(places) == ()
    assert server.ask("GET", "/api/connecting").json()["name"] == ""
    for path in ("/api/connecting/go", "/api/connectors/none/login", "/api/connectors/none/review"):
        assert server.ask("POST", path).status_code == 400
