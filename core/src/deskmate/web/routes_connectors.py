"""Routes of connectors: what each offers, what its tools may do, and whether its server is what was accepted."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

import anyio.to_thread
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from deskmate.shown import one_line
from deskmate.types.connectors import ConnectorEntry, PinnedTool, ToolSetting
from deskmate.types.registry import Risk
from deskmate.web import contract_connectors as page
from deskmate.web.bodies import WORD, answer, closed, read_body
from deskmate.web.desk import Desk

if TYPE_CHECKING:
    from deskmate.connectors.book import Book
    from deskmate.types.policy import Decision

_DECISIONS: dict[str, Decision | None] = {
    "allow": "allow",
    "ask": "ask",
    "deny": "deny",
    "": None,
}
SET = closed(
    ("tool", "decision", "risk"),
    tool=WORD,
    decision={"enum": list(_DECISIONS)},
    risk={"enum": ["read", "write", "send"]},
)
EMPTY = closed()
_ABOUT = 300
_NAME = 80


class ConnectorRoutes:
    """The user's own tools on other servers, as they are kept."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def routes(self) -> list[Route]:
        """Return the routes."""
        one = "/api/connectors/{connector}"
        return [
            Route("/api/connectors", self.listing, methods=["GET"]),
            Route(one, self.set, methods=["PATCH"]),
            Route(f"{one}/test", self.test, methods=["POST"]),
        ]

    async def listing(self, request: Request) -> Response:
        """All connectors."""
        return answer(await anyio.to_thread.run_sync(self._rows))

    async def set(self, request: Request) -> Response:
        """Say what a tool may do unasked, in every thread that has the connector."""
        body = await read_body(request, SET)
        name = str(request.path_params["connector"])

        def work() -> page.Connectors:
            book = self._book()
            entry = book.get(name)
            if body["tool"] not in {pin.tool.name for pin in entry.tools}:
                raise HTTPException(404, "The connector has no such tool.")
            setting = ToolSetting(
                decision=_DECISIONS[body["decision"]], risk=cast("Risk", body["risk"])
            )
            book.save(entry.with_setting(body["tool"], setting))
            return self._rows()

        return answer(await anyio.to_thread.run_sync(work))

    async def test(self, request: Request) -> Response:
        """Ask the server for its tools and compare; what changed is off in every thread from now on."""
        from deskmate.connectors.pins import drift  # noqa: PLC0415
        from deskmate.host.connecting import look_at  # noqa: PLC0415

        await read_body(request, EMPTY)
        book, name = self._book(), str(request.path_params["connector"])
        entry = await anyio.to_thread.run_sync(book.get, name)
        found, listing = await look_at(self._desk.places, entry)
        differs = drift(entry.tools, listing.tools)
        if off := differs.off():
            kept = await anyio.to_thread.run_sync(book.get, name)
            await anyio.to_thread.run_sync(book.save, replace(kept, off={**kept.off, **off}))
        return answer(
            page.Tested(
                server=one_line(found.server, _NAME),
                tools=len(listing.tools),
                added=_shown(differs.added),
                gone=_shown(differs.gone),
                changed=_shown(tuple(differs.changed)),
            )
        )

    def _book(self) -> Book:
        from deskmate.connectors.book import Book  # noqa: PLC0415

        return Book(self._desk.places.config)

    def _rows(self) -> page.Connectors:
        return page.Connectors(rows=tuple(self._row(entry) for entry in self._book().all()))

    def _row(self, entry: ConnectorEntry) -> page.ConnectorRow:
        from deskmate.connectors.logins import Logins  # noqa: PLC0415
        from deskmate.connectors.vault import open_vault  # noqa: PLC0415

        config = self._desk.places.config
        vault = open_vault(config, to_read=True)
        variables = entry.program.secrets if entry.program else ()
        wanted = (*(one.secret for one in entry.headers), *(one.name for one in variables))
        lacking = (name for name in wanted if not vault.get(entry.owner, name))
        token = entry.login and Logins(config, vault).get(entry).token
        return page.ConnectorRow(
            name=entry.name,
            url=entry.url,
            server=one_line(entry.server, _NAME),
            categories=entry.categories,
            of=entry.of,
            login="" if not entry.login else "in" if token else "out",
            secrets=tuple(lacking),
            tools=tuple(_tool(entry, pin) for pin in entry.tools),
        )


def _tool(entry: ConnectorEntry, pin: PinnedTool) -> page.ToolRow:
    setting, hints = entry.setting(pin.tool.name), pin.tool.hints
    says = "it only reads" if hints.get("readOnlyHint") else ""
    return page.ToolRow(
        name=pin.tool.name,
        about=one_line(pin.tool.description or pin.tool.title, _ABOUT),
        decision=setting.decision or "",
        risk=setting.risk,
        says="it may destroy" if hints.get("destructiveHint") and not says else says,
        off=entry.off.get(pin.tool.name, ""),
    )


def _shown(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(one_line(name, _NAME) for name in names)
