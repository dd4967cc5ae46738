"""Connectors over real sockets: a server of the official package, and a login with its own authorization server."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from tests.unit.connectors.guarded import Guarded, browser, guarded_shop
from tests.unit.connectors.loopback import loopback

from deskmate.connectors import vault
from deskmate.connectors.book import Book
from deskmate.host import Host, RunOrder
from deskmate.host.connecting import LoginWanted, log_in, look_at, means_of
from deskmate.store.thread import open_thread
from deskmate.testing.fake_sandbox import FakeSandbox
from deskmate.testing.scripted_model import ScriptedModel
from deskmate.types.connectors import ConnectorEntry, ToolSetting
from deskmate.types.events import ToolFinished
from deskmate.types.places import Places

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Places:
    monkeypatch.setattr(
        vault, "open_vault", lambda folder, to_read=False: vault.Vault(folder, None)
    )
    return Places(data=tmp_path / "data", cache=tmp_path / "cache", config=tmp_path / "config")


@pytest.fixture
def guarded() -> Iterator[Guarded]:
    with guarded_shop() as found:
        yield found


class Yes:
    async def approve(self, tool: object, arguments: object, why: str) -> bool | None:
        return True


async def run(
    places: Places, *, name: str = "shop", thread: Any = None
) -> tuple[Any, list[ToolFinished], ScriptedModel]:
    model = ScriptedModel([((f"{name}__find_order", {"number": 7}),), "Ok."])
    host = Host(places, environ={}, sandbox=FakeSandbox({}), model=model)
    order = RunOrder(text="Go", connectors=(name,))
    done = await host.run(order, thread, observer=lambda item: None, approver=Yes())
    async with open_thread(places.threads, done.thread, write=False) as store:
        events = await store.events()
    return done, [e.payload for e in events if isinstance(e.payload, ToolFinished)], model


async def test_a_run_uses_a_server_of_the_official_package(places: Places) -> None:
    with loopback() as server:
        entry, listing = await look_at(places, ConnectorEntry(name="shop", url=server.url))
        Book(places.config).save(
            ConnectorEntry(
                name="shop", url=server.url, tools=listing.tools,
                settings={"find_order": ToolSetting(decision="allow", risk="read")},
            )
        )  # fmt: skip
        assert (entry.server, entry.protocol) == ("Shop 1.2", "2026-07-28")
        done, (finished,), _ = await run(places)
    assert (done.reason, finished.outcome, finished.text) == ("done", "ok", "order 7: paid")


async def test_a_server_that_dies_and_comes_back_is_met_again(places: Places) -> None:
    with loopback() as server:
        _, listing = await look_at(places, ConnectorEntry(name="shop", url=server.url))
        Book(places.config).save(ConnectorEntry(name="shop", url=server.url, tools=listing.tools))
    done, (finished,), _ = await run(places)
    assert (done.reason, finished.outcome) == ("done", "error")
    assert "cannot be reached" in finished.text


async def login(places: Places, guarded: Guarded) -> ConnectorEntry:
    with anyio.fail_after(20):
        entry, listing = await log_in(places, ConnectorEntry(name="shop", url=guarded.url), browser)
    kept = ConnectorEntry(name="shop", url=guarded.url, login=True, tools=listing.tools)
    Book(places.config).save(kept)
    assert entry.login
    return kept


async def test_a_server_that_wants_a_login_says_so(places: Places, guarded: Guarded) -> None:
    with pytest.raises(LoginWanted, match="--login"):
        await look_at(places, ConnectorEntry(name="shop", url=guarded.url))
    assert guarded.seen == []


async def test_the_user_logs_in_and_runs_use_and_renew_the_login(
    places: Places, guarded: Guarded
) -> None:
    guarded.expires_in = 1  # over at once, as Deskmate counts
    await login(places, guarded)
    assert guarded.seen == ["register", "authorize", "authorization_code"]
    _, (finished,), model = await run(places)
    assert (finished.outcome, finished.text) == ("ok", "order 7: paid")
    assert "refresh_token" in guarded.seen
    assert guarded.seen.count("authorize") == 1
    kept = json.dumps(
        [path.read_text("utf-8", "ignore") for path in places.data.rglob("*") if path.is_file()]
    )
    assert "-token-" not in kept
    assert "-token-" not in str(model.requests)
    assert "-token-" not in (places.config / "connectors" / "shop.login.json").read_text()
    assert (
        vault.Vault(places.config, None).get("connector.shop", "ACCESS_TOKEN")
        == f"access-token-{guarded.made}"
    )


async def test_a_login_that_was_taken_back_is_told_with_the_cure(
    places: Places, guarded: Guarded
) -> None:
    await login(places, guarded)
    guarded.tokens.clear()
    _, (finished,), _ = await run(places)
    assert finished.outcome == "error"
    assert "deskmate connector login shop" in finished.text
    assert guarded.seen.count("authorize") == 1


async def test_without_a_login_nothing_is_sent(places: Places, guarded: Guarded) -> None:
    entry = await login(places, guarded)
    means_of(places).logins.forget(entry)
    before = len(guarded.seen)
    _, (finished,), _ = await run(places)
    assert "wants a login: deskmate connector login shop" in finished.text
    assert len(guarded.seen) == before


async def test_an_own_registration_is_used_and_none_is_made(
    places: Places, guarded: Guarded
) -> None:
    with anyio.fail_after(20):
        await log_in(
            places, ConnectorEntry(name="shop", url=guarded.url), browser, client_id="my-own"
        )
    assert "register" not in guarded.seen
    assert guarded.clients == ["my-own"]


async def test_an_own_registration_may_have_a_secret_which_stays_in_the_vault(
    places: Places, guarded: Guarded
) -> None:
    kept, entry = vault.Vault(places.config, None), ConnectorEntry(name="shop", url=guarded.url)
    kept.set(entry.owner, "CLIENT_SECRET", "client-secret-12345")
    with anyio.fail_after(20):
        await log_in(places, entry, browser, client_id="my-own")
    pair = base64.b64encode(b"my-own:client-secret-12345").decode()
    assert guarded.clients == [f"Basic {pair}"]
    assert "client-secret" not in (places.config / "connectors" / "shop.login.json").read_text()
    assert kept.get(entry.owner, "CLIENT_SECRET") == "client-secret-12345"


@pytest.mark.parametrize("at", ["", "tools/call"])
async def test_what_a_server_wanted_when_nobody_was_there_is_asked_for_by_the_next_login(
    places: Places, guarded: Guarded, at: str
) -> None:
    guarded.at = at
    guarded.spoil = {"resource": {"scopes_supported": ["shop:look"]}}
    await login(places, guarded)
    guarded.needs = "orders:read"
    _, (refused,), _ = await run(places)
    assert refused.outcome == "error"
    assert "wants more than the login gave" in refused.text
    assert "deskmate connector login shop" in refused.text
    await login(places, guarded)
    assert guarded.scopes == ["shop:look", "shop:look orders:read"]
    entry = ConnectorEntry(name="shop", url=guarded.url)
    assert means_of(places).logins.get(entry).wants == "", "asked for once"
    _, (finished,), _ = await run(places)
    assert (finished.outcome, finished.text) == ("ok", "order 7: paid")
