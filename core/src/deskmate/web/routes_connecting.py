"""Routes of connectors that are made here: asked, logged in to, shown whole, accepted; and their secrets, and their end."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from deskmate.errors import UserError
from deskmate.host.connector_making import (
    ProgramOptions,
    argument_lines,
    forget,
    hinted,
    parse_header,
    program_lines,
)
from deskmate.host.connector_running import Connecting, Going, Wish
from deskmate.shown import one_line
from deskmate.types.connectors import ConnectorEntry
from deskmate.web import contract_connectors as page
from deskmate.web.bodies import FLAG, WORD, answer, closed, read_body
from deskmate.web.desk import Desk
from deskmate.web.routes_connectors import ConnectorRoutes

if TYPE_CHECKING:
    from deskmate.connectors.pins import Drift
    from deskmate.types.connectors import RemoteTool

_VALUE = {"type": "string", "maxLength": 20_000}
_WORDS = {"type": "array", "items": WORD, "maxItems": 50}
_HEADER = closed(("name", "secret"), name=WORD, scheme=WORD, secret=WORD, value=_VALUE)
_SECRET = closed(("name", "send_to"), name=WORD, send_to=WORD, value=_VALUE)
ADD = closed(
    ("name",),
    name=WORD,
    url=WORD,
    pypi=WORD,
    npm=WORD,
    script=WORD,
    arguments=_WORDS,
    categories=_WORDS,
    headers={"type": "array", "items": _HEADER, "maxItems": 10},
    login=FLAG,
    hosts=_WORDS,
    secrets={"type": "array", "items": _SECRET, "maxItems": 10},
    variables=_WORDS,
)
KEEP = closed(("name", "value"), name=WORD, value={**_VALUE, "minLength": 1})
EMPTY = closed()
_NAME = 80


class ConnectingRoutes:
    """A connector is kept only with tools that the user saw whole. Values of secrets come in, and never go out."""

    def __init__(self, desk: Desk, connectors: ConnectorRoutes) -> None:
        self._desk, self._connectors = desk, connectors

    def routes(self) -> list[Route]:
        """Return the routes."""
        here, one = "/api/connecting", "/api/connectors/{connector}"
        return [
            Route(here, self.show, methods=["GET"]),
            Route(here, self.add, methods=["POST"]),
            Route(here, self.cancel, methods=["DELETE"]),
            Route(f"{here}/go", self.go_on, methods=["POST"]),
            Route(f"{here}/accept", self.accept, methods=["POST"]),
            Route(f"{one}/login", self.login, methods=["POST"]),
            Route(f"{one}/review", self.review, methods=["POST"]),
            Route(f"{one}/secret", self.keep_secret, methods=["POST"]),
            Route(one, self.remove, methods=["DELETE"]),
        ]

    async def show(self, request: Request) -> Response:
        """How the connector stands that is on its way."""
        return self._answer()

    async def add(self, request: Request) -> Response:
        """Begin to connect a server, or a program."""
        await self._work.add(_wish(await read_body(request, ADD)))
        return self._answer(202)

    async def go_on(self, request: Request) -> Response:
        """Start the program that was fetched, or log in."""
        await read_body(request, EMPTY)
        self._work.go_on()
        return self._answer(202)

    async def accept(self, request: Request) -> Response:
        """Keep the connector with the tools that were shown."""
        await read_body(request, EMPTY)
        await self._work.accept()
        return await self._connectors.listing(request)

    async def cancel(self, request: Request) -> Response:
        """Give it up."""
        await read_body(request, EMPTY)
        await self._work.cancel()
        return self._answer()

    async def login(self, request: Request) -> Response:
        """Log in to a connector that is there."""
        await read_body(request, EMPTY)
        await self._work.again(str(request.path_params["connector"]), "login")
        return self._answer(202)

    async def review(self, request: Request) -> Response:
        """Look at what a server offers now, to accept it."""
        await read_body(request, EMPTY)
        await self._work.again(str(request.path_params["connector"]), "review")
        return self._answer(202)

    async def keep_secret(self, request: Request) -> Response:
        """Keep the value of a secret that a connector sends; it never comes back."""
        body, name = await read_body(request, KEEP), str(request.path_params["connector"])
        await anyio.to_thread.run_sync(self._keep, name, body["name"], body["value"])
        return await self._connectors.listing(request)

    async def remove(self, request: Request) -> Response:
        """Forget a connector and its secrets; threads that had it go on without it."""
        await read_body(request, EMPTY)
        name = str(request.path_params["connector"])
        known, _ = await anyio.to_thread.run_sync(forget, self._desk.places, name)
        if not known:
            raise UserError(f"There is no connector {name}.")
        return await self._connectors.listing(request)

    def _keep(self, name: str, secret: str, value: str) -> None:
        from deskmate.connectors.book import Book  # noqa: PLC0415
        from deskmate.connectors.vault import open_vault  # noqa: PLC0415

        entry = Book(self._desk.places.config).get(name)
        if secret not in secrets_of(entry):
            raise UserError(f"{name} sends no secret {secret}.")
        open_vault(self._desk.places.config).set(entry.owner, secret, value.strip())

    def _answer(self, status: int = 200) -> Response:
        going = self._work.now
        return answer(_underway(going) if going else _NOTHING, status)

    @property
    def _work(self) -> Connecting:
        assert self._desk.connecting is not None, "the desk is open while the server runs"
        return self._desk.connecting


def secrets_of(entry: ConnectorEntry) -> tuple[str, ...]:
    """Return the names of the secrets that a connector sends."""
    variables = entry.program.secrets if entry.program else ()
    return (*(one.secret for one in entry.headers), *(one.name for one in variables))


def _wish(body: dict[str, Any]) -> Wish:
    """Return what a page asks for. Raises UserError."""
    url, pypi, npm = (body.get(key, "").strip() for key in ("url", "pypi", "npm"))
    if sum(map(bool, (url, pypi, npm))) != 1:
        raise UserError("Say where the server is: an address, or one package.")
    headers, secrets = body.get("headers", ()), body.get("secrets", ())
    if (url and secrets) or (not url and (headers or body.get("login"))):
        raise UserError("A server at an address has headers; a program has variables.")
    words = (" ".join(word.split()).removeprefix("~~") for word in body.get("categories", ()))
    entry = ConnectorEntry(
        name=body["name"].strip(),
        url=url,
        categories=tuple(dict.fromkeys(filter(None, words))),
        headers=tuple(
            parse_header(
                f"{one['name']}={one.get('scheme', '')} {one['secret']}".replace("= ", "=")
            )
            for one in headers
        ),
        login=body.get("login", False),
    )
    values = {
        one[key]: one["value"]
        for key, given in (("secret", headers), ("name", secrets))
        for one in given
        if one.get("value", "").strip()
    }
    if url:
        return Wish(entry=entry, secrets=values)
    options = ProgramOptions(
        pypi=pypi,
        npm=npm,
        script=body.get("script", "").strip(),
        hosts=tuple(filter(None, body.get("hosts", ()))),
        secrets=tuple(f"{one['name']}={one['send_to']}" for one in secrets),
        variables=tuple(filter(None, body.get("variables", ()))),
    )
    arguments = tuple(body.get("arguments", ()))
    return Wish(entry=entry, secrets=values, program=options, arguments=arguments)


_NOTHING = page.Underway(
    name="", kind="add", step="done", url="", server="", line="", login="", login_host="",
    program=(), tools=(), gone=(), left_out={}, problem="", hint="",
)  # fmt: skip


def _underway(going: Going) -> page.Underway:
    from deskmate.connectors.pins import drift  # noqa: PLC0415

    found, listing = going.found, going.listing
    differs = drift(going.entry.tools, listing.tools) if listing else None
    shown = partial(_shown, differs) if differs else None
    every = going.kind == "add"
    pins = [
        pin
        for pin in (listing.tools if listing else ())
        if every or pin.tool.name in going.entry.off or _is_new(differs, pin.tool.name)
    ]
    return page.Underway(
        name=going.entry.name,
        kind=going.kind,
        step=going.step,
        url=going.entry.url,
        server=one_line(found.server, _NAME) if found else "",
        line=one_line(going.line, 200),
        login=going.login,
        login_host=urlsplit(going.login).hostname or "",
        program=tuple(program_lines(going.entry, whole=True)),
        tools=tuple(shown(pin.tool) for pin in pins) if shown else (),
        gone=tuple(one_line(name, _NAME) for name in differs.gone) if differs else (),
        left_out={
            one_line(name, _NAME): why
            for name, why in (listing.left_out if listing else {}).items()
        },
        problem=going.problem,
        hint=going.hint,
    )


def _is_new(differs: Drift | None, name: str) -> bool:
    return differs is not None and (name in differs.added or name in differs.changed)


def _shown(differs: Drift, tool: RemoteTool) -> page.Offered:
    return page.Offered(
        name=one_line(tool.name, _NAME),
        about=one_line(tool.description or tool.title),
        arguments=tuple(map(one_line, argument_lines(tool))),
        says=hinted(tool),
        differs=tuple(map(one_line, differs.changed.get(tool.name, ()))),
    )
