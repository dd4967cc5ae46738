"""`deskmate mcp serve`: the tools and skills of plugins for any program that speaks MCP, over stdio or HTTP."""

from __future__ import annotations

import os
import secrets
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio
import click

from deskmate import __version__
from deskmate.cli.output import Session, plain, say
from deskmate.cli.permissions import ask_what_is_new
from deskmate.cli.run import parse_folder
from deskmate.types.ids import ThreadId

if TYPE_CHECKING:
    from deskmate.connectors.vault import Vault
    from deskmate.host import RunOrder
    from deskmate.host.tool_service import ToolService
    from deskmate.ports import Model

_TOKEN = ("deskmate", "MCP_TOKEN")


@click.group("mcp")
def command() -> None:
    """Offer the tools and skills of plugins to other programs.

    For the other direction, other programs' tools for your threads, see deskmate connector.
    """


@command.command("serve", short_help="Serve plugins' tools over stdio, or over HTTP with a token.")
@click.option(
    "--plugin", "-p", "plugins", multiple=True, help="A plugin to offer; several may be named."
)
@click.option(
    "--folder",
    "-f",
    "folders",
    multiple=True,
    metavar="PATH[:ro|rw|rw-no-delete]",
    help="A folder that the tools may use (copies of it: nothing is written before you apply).",
)
@click.option(
    "--allow-host",
    "hosts",
    multiple=True,
    metavar="HOST[:GET,POST,…]",
    help="A host that the tools may reach.",
)
@click.option(
    "--thread", "-t", help="Go on in this thread; without it the first call begins a new one."
)
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    help="Serve HTTP on this port of 127.0.0.1; 0: any that is free.",
)
@click.pass_obj
def serve(
    session: Session,
    plugins: tuple[str, ...],
    folders: tuple[str, ...],
    hosts: tuple[str, ...],
    thread: str | None,
    port: int | None,
) -> int:
    """Serve plugins' tools and skills to a program that speaks MCP.

    \b
    deskmate mcp serve --plugin legal --folder ~/contracts

    Over stdio this is the command that the other program is told to start. Tools run in a virtual machine on copies of
    the folders; every call is in a thread's record. The program ends its work with deskmate__finish, or by closing the
    connection: then results are checked and changes wait for you in deskmate changes.

    With --port it serves http://127.0.0.1:PORT/mcp to who sends the token that it shows. What would have to be asked
    about is refused: nobody is there to ask.
    """  # noqa: D301 - click reads the backspace as "do not wrap"
    from deskmate.host import RunOrder  # noqa: PLC0415 - the help must stay light
    from deskmate.host.network import parse_allowed  # noqa: PLC0415

    order = RunOrder(
        plugins=plugins,
        grants=tuple(parse_folder(folder) for folder in folders),
        hosts=tuple(parse_allowed(host) for host in hosts),
    )
    known = ThreadId(thread) if thread else None
    ask_what_is_new(session, plugins, known)
    if port is None:
        anyio.run(_over_stdio, session, order, known)
    else:
        _over_http(session, order, known, port)
    return 0


@asynccontextmanager
async def _service(
    session: Session, order: RunOrder, thread: ThreadId | None
) -> AsyncIterator[ToolService]:
    from deskmate.host import Host  # noqa: PLC0415
    from deskmate.host.tool_service import tool_service  # noqa: PLC0415

    def host(model: Model) -> Host:
        return Host(session.places, model=model)

    async with tool_service(host, order, _tell, thread=thread) as service:
        yield service
    if service.thread:
        _tell(f"what was done is in {service.thread}: deskmate thread show {service.thread}")


async def _over_stdio(session: Session, order: RunOrder, thread: ThreadId | None) -> None:
    from deskmate.protocol.serving import make_server, serve_stdio  # noqa: PLC0415

    async with _service(session, order, thread) as service, anyio.create_task_group() as tasks:
        tasks.start_soon(_end_when_told, service)
        await serve_stdio(make_server(service, __version__))
        tasks.cancel_scope.cancel()


async def _end_when_told(service: ToolService) -> None:
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async for number in signals:
            await service.close()
            # a thread reads stdin, which may never end; everything is stored
            os._exit(128 + number)


def token_of(vault: Vault) -> str:
    """Return the token that clients send, the same at each start; made and kept at the first."""
    token = vault.get(*_TOKEN)
    if token is None:
        token = secrets.token_urlsafe(32)
        vault.set(*_TOKEN, token)
    return token


def _over_http(session: Session, order: RunOrder, thread: ThreadId | None, port: int) -> None:
    from deskmate.connectors.vault import open_vault  # noqa: PLC0415
    from deskmate.protocol.serving import PATH, http_app, make_server  # noqa: PLC0415
    from deskmate.web.serving import ADDRESS, listen, serve_app  # noqa: PLC0415

    token = token_of(open_vault(session.places.config))

    async def work() -> None:
        async with (
            _service(session, order, thread) as service,
            http_app(make_server(service, __version__), token) as app,
        ):
            await serve_app(app, own, ready)

    with listen(port) as own:
        address = f"http://{ADDRESS}:{own.getsockname()[1]}{PATH}"

        def ready() -> None:
            say(f"It is served at {address}  Ctrl-C ends it.")
            say(f"Authorization: Bearer {token}")
            sys.stdout.flush()

        anyio.run(work)


def _tell(line: str) -> None:
    """Say it on stderr: stdout belongs to the protocol."""
    click.echo(plain(f"deskmate: {line}"), err=True)
