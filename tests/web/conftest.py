"""The page's server in this process: in memory for the API, on a port of its own for a real browser."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import anyio.from_thread
import anyio.to_thread
import pytest
from starlette.testclient import TestClient
from starlette.types import ASGIApp, Receive, Scope, Send

from deskmate.host import Host
from deskmate.host.connector_running import Connecting
from deskmate.host.running import Runs, running
from deskmate.host.scheduling.by_hand import ByHand
from deskmate.host.table_running import TablesAtWork
from deskmate.host.tables import Tables
from deskmate.testing.fake_sandbox import FakeSandbox
from deskmate.testing.scripted_model import Line, ScriptedModel
from deskmate.types.places import Places
from deskmate.web.app import cookie_name, make_app
from deskmate.web.desk import Desk
from deskmate.web.hub import Hub
from deskmate.web.page import Page
from deskmate.web.signin import SignIn

# tests of this folder share `tests.web.…`
sys.path.insert(0, str(Path(__file__).parents[2]))

PORT = 18_443
HOST = f"127.0.0.1:{PORT}"
ORIGIN = f"http://{HOST}"
DONE: Sequence[Line] = ("Done.",)


@pytest.fixture
def places(tmp_path: Path) -> Places:
    home = tmp_path / "deskmate"
    return Places(data=home / "data", cache=home / "cache", config=home / "config")


@pytest.fixture
def built_page(tmp_path: Path) -> Page:
    """A page with a shell and one file, so that the API needs no build."""
    folder = tmp_path / "static"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text("<!doctype html><title>Deskmate</title>")
    (folder / "assets/index-1.js").write_text("1")
    return Page(folder)


@dataclass(slots=True, kw_only=True)
class Server:
    """The API as a signed-in browser reaches it."""

    client: TestClient
    sign_in: SignIn
    desk: Desk
    places: Places

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """Return the response to a request as our own page makes it."""
        own = {"origin": ORIGIN, "sec-fetch-site": "same-origin"}
        return self.client.request(
            method, path, json=None if method == "GET" else body or {}, headers={**own, **headers}
        )

    def wait(self, thread: str) -> dict[str, Any]:
        """Return a thread as soon as nothing is under way in it."""
        for _ in range(400):
            found: dict[str, Any] = self.ask("GET", f"/api/threads/{thread}").json()
            if found["live"] is None:
                return found
            threading.Event().wait(0.02)
        raise AssertionError(f"{thread} is at work for too long: {found}")


class Opened:
    """Keeps runs going while the application serves, as `serving` does, in the test client's own loop."""

    def __init__(
        self, host: Host, places: Places, sign_in: SignIn, page: Page, keep: Callable[[Desk], None]
    ) -> None:
        self._host, self._places, self._sign_in, self._page = host, places, sign_in, page
        self._keep, self._tables = keep, host.tables
        self._app: ASGIApp | None = None

    def work_on(self, tables: Tables) -> None:
        """Work on these tables instead of the host's."""
        self._tables = lambda: tables

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        else:
            assert self._app is not None
            await self._app(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        desk = Desk(self._places, Hub())
        async with (
            running(self._host, self._places, desk) as runs,
            anyio.create_task_group() as tasks,
        ):
            at_work = TablesAtWork(self._tables(), tasks)
            connecting = Connecting(self._places, tasks)
            desk.open(runs, ByHand(self._host, self._places, runs, tasks), at_work, connecting)
            tasks.start_soon(desk.hub.flush_often)
            tasks.start_soon(desk.keep_list)
            self._app = make_app(desk, self._sign_in, self._page, port=PORT)
            self._keep(desk)
            await send({"type": "lifespan.startup.complete"})
            await receive()
            tasks.cancel_scope.cancel()
        await send({"type": "lifespan.shutdown.complete"})


Serve = Callable[..., Server]


@pytest.fixture
def serve(places: Places, built_page: Page) -> Iterator[Serve]:
    """Start the API over a fake sandbox and a model that follows `lines`; `model` for another one."""
    started: list[TestClient] = []

    def start(
        lines: Sequence[Line] = DONE,
        *,
        sandbox: FakeSandbox | None = None,
        signed_in: bool = True,
        tables: Tables | None = None,
    ) -> Server:
        sign_in, desks = SignIn(places.data / "page"), list[Desk]()
        host = Host(places, sandbox=sandbox or FakeSandbox(), model=ScriptedModel(lines))
        app = Opened(host, places, sign_in, built_page, desks.append)
        if tables is not None:
            app.work_on(tables)
        client = TestClient(app, base_url=ORIGIN, raise_server_exceptions=False)
        client.__enter__()
        started.append(client)
        if signed_in:
            token = sign_in.redeem(sign_in.issue(), "A test")
            assert token is not None
            client.cookies.set(cookie_name(PORT), token)
        return Server(client=client, sign_in=sign_in, desk=desks[0], places=places)

    yield start
    for client in started:
        client.__exit__(None, None, None)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A user's folder with two short texts."""
    work = tmp_path / "contracts"
    work.mkdir()
    (work / "note.txt").write_text("Between us.\nThe notice period is 90 days.\nSigned.\n")
    (work / "other.txt").write_text("Untouched.\n")
    return work


__all__ = ["Runs", "Serve", "Server", "contextmanager"]
