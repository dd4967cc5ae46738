"""`deskmate serve` at work: one socket on this machine only, one server a user, and a browser that is signed in."""

from __future__ import annotations

import logging
import os
import re
import signal
import socket
import webbrowser
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import anyio
import anyio.to_thread
import uvicorn

from deskmate.errors import UserError
from deskmate.host import Host
from deskmate.host.connector_running import Connecting
from deskmate.host.running import running
from deskmate.host.scheduling.by_hand import ByHand
from deskmate.host.scheduling.serving import keep_schedules
from deskmate.host.table_running import TablesAtWork
from deskmate.store.blobs import write_file
from deskmate.store.lock import WriterLock, is_locked
from deskmate.types.places import Places
from deskmate.web.app import make_app
from deskmate.web.desk import Desk
from deskmate.web.hub import Hub
from deskmate.web.page import Page
from deskmate.web.signin import SignIn

LOG = logging.getLogger("deskmate")
ADDRESS = "127.0.0.1"
_NAME = re.compile(
    r"(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z](?:[a-z0-9-]*[a-z0-9])?(?::[0-9]{2,5})?"
)
"""A name with a dot in it: no address, and nothing that means this machine itself."""
_BACKLOG = 128
_CONNECTIONS = 400
_GRACE_S = 2
_LINK = """<!doctype html><html lang="en"><meta charset="utf-8"><meta name="referrer" content="no-referrer">
<title>Deskmate</title><meta http-equiv="refresh" content="0;url={url}">
<p><a href="{url}">Open Deskmate</a></p></html>
"""
Tell = Callable[[str], None]


class Door:
    """The folder in which a serving process and others of the same user find one another."""

    def __init__(self, places: Places) -> None:
        """Nothing is made before it is needed."""
        self.folder = places.data / "page"
        self.sign_in = SignIn(self.folder)
        self._port = self.folder / "port"
        self._lock = self.folder / "server.lock"

    def is_served(self) -> bool:
        """Say whether a process of this user serves the page now."""
        return is_locked(self._lock)

    def hold(self) -> WriterLock:
        """Be the one that serves. Raises UserError if there is another."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        return WriterLock(self._lock, "of the page")

    def port(self) -> int:
        """Return the port that was served last, 0 if none was."""
        with suppress(OSError, ValueError):
            found = int(self._port.read_text("ascii"))
            return found if 1024 <= found <= 65_535 else 0
        return 0

    def remember(self, port: int) -> None:
        """Note the port, so that the page stays where bookmarks and open tabs look for it."""
        write_file(self._port, str(port).encode())

    def name(self) -> str:
        """Return the name under which other devices reach the page, empty if none does."""
        with suppress(OSError, ValueError, UserError):
            return checked_name((self.folder / "name").read_text("ascii"))
        return ""

    def set_name(self, name: str) -> None:
        """Remember that name, or with `none` that there is none. Raises UserError for what is no name."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if name == "none":
            (self.folder / "name").unlink(missing_ok=True)
        else:
            write_file(self.folder / "name", checked_name(name).encode())

    def link(self) -> str:
        """Return the address that signs one browser in, once, within two minutes."""
        return f"http://{ADDRESS}:{self.port()}/#code={self.sign_in.issue()}"

    def open_browser(self) -> bool:
        """Open a signed-in browser; say whether there is one.

        It is given a file of the user's to read and not the address: everybody can see a command's arguments.
        """
        file = self.folder / "open.html"
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        file.unlink(missing_ok=True)
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(_LINK.format(url=self.link()))
        with suppress(webbrowser.Error):
            return webbrowser.open(file.as_uri())
        return False


def checked_name(name: str) -> str:
    """Return a name that a browser elsewhere can ask for. Raises UserError for what is none, and for an address."""
    words = name.strip().lower().removeprefix("https://").rstrip("/")
    if (
        not _NAME.fullmatch(words)
        or len(words) > 253
        or words.partition(":")[0].endswith(".localhost")
    ):
        raise UserError(
            f"{name!r} is no name that another device could reach.",
            hint="Name the one that your proxy with HTTPS has, such as laptop.tail1234.ts.net",
        )
    return words


def listen(port: int, *, kept: int = 0) -> socket.socket:
    """Return a socket on this machine's own address. `port` 0: the `kept` one if it is free, else any.

    Raises UserError if the port that was asked for is taken.
    """
    for candidate in [port] if port else [kept, 0] if kept else [0]:
        own = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            own.bind((ADDRESS, candidate))
            own.listen(_BACKLOG)
        except OSError as error:
            own.close()
            if candidate == port and port:
                raise UserError(
                    f"Port {port} cannot be used: {error.strerror}.",
                    hint="Choose another with --port, or leave it out.",
                ) from error
            continue
        return own
    raise UserError("There is no free port on this machine.")


class _Server(uvicorn.Server):
    """The library's server, without its own way of ending: runs are to be stopped and stored first."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone."""
        yield


async def _end_when_told(server: uvicorn.Server, wake: Callable[[], None]) -> None:
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for _ in signals:
            server.force_exit = server.should_exit  # the second time it is meant
            server.should_exit = True
            wake()  # open streams end by themselves


async def guarded(work: Callable[[], Awaitable[None]]) -> None:
    """Do work for the page; a defect in it ends neither the page nor the runs."""
    try:
        await work()
    except Exception:
        LOG.exception("Work for the page broke off.")


async def serve(host: Host, places: Places, own: socket.socket, door: Door, ready: Tell) -> None:
    """Serve the page until the process is told to end; `ready` gets the address when it answers.

    Runs that are under way then are stopped, stored as such, and can go on later.
    """
    port = int(own.getsockname()[1])
    files = Page()
    desk = Desk(places, Hub())
    server = _Server(_config())
    name = await anyio.to_thread.run_sync(door.name)
    app = make_app(desk, door.sign_in, files, port=port, name=name, over=lambda: server.should_exit)
    server.config.app = app
    await anyio.to_thread.run_sync(door.remember, port)
    async with running(host, places, desk) as runs, anyio.create_task_group() as tasks:
        at_work = TablesAtWork(host.tables(), tasks)
        desk.open(
            runs,
            ByHand(host, places, runs, tasks),
            at_work,
            Connecting(places, tasks, guard=guarded),
        )
        tasks.start_soon(desk.hub.flush_often)
        tasks.start_soon(desk.keep_list)
        tasks.start_soon(keep_schedules, host, places, runs, LOG.info)
        tasks.start_soon(_end_when_told, server, desk.hub.wake)
        tasks.start_soon(_say_when, server, lambda: ready(f"http://{ADDRESS}:{port}/"))
        await server.serve(sockets=[own])
        tasks.cancel_scope.cancel()


async def serve_app(app: Callable[..., Any], own: socket.socket, ready: Callable[[], None]) -> None:
    """Serve another application on this machine until the process is told to end; `ready`: it answers."""
    server = _Server(_config())
    server.config.app = app
    # streams that are open when it ends are cut, which is nobody's mistake
    logging.getLogger("uvicorn.error").addFilter(lambda record: not server.should_exit)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_end_when_told, server, lambda: None)
        tasks.start_soon(_say_when, server, ready)
        await server.serve(sockets=[own])
        tasks.cancel_scope.cancel()


def _config() -> uvicorn.Config:
    return uvicorn.Config(
        app=_nothing,
        loop="asyncio",
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=_CONNECTIONS,
        timeout_graceful_shutdown=_GRACE_S,
    )


async def _nothing(scope: object, receive: object, send: object) -> None:
    """Stands where the application comes."""


async def _say_when(server: uvicorn.Server, ready: Callable[[], None]) -> None:
    while not server.started:  # noqa: ASYNC110 - the library sets no event
        await anyio.sleep(0.01)
    ready()
