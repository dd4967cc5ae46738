"""Routes of what Deskmate needs of this computer: what works, what does not, and doing something about it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from deskmate.host import health
from deskmate.web import contract_desk as page
from deskmate.web.bodies import WORD, answer, closed, read_body
from deskmate.web.contract_welcome import Curing
from deskmate.web.desk import Desk

if TYPE_CHECKING:
    from deskmate.sandbox.host_checks import Check

CURE = closed(("name",), name=WORD)


class HealthRoutes:
    """What `deskmate doctor --quick` says, as a page."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._curing = anyio.Lock()
        self._now = Curing(name="", line="")

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("/api/health", self.show, methods=["GET"]),
            Route("/api/health/cure", self.curing, methods=["GET"]),
            Route("/api/health/cure", self.cure, methods=["POST"]),
        ]

    async def show(self, request: Request) -> Response:
        """All checks that take no machine."""
        return answer(_health(await health.examine_all(self._desk.places, None), ""))

    async def curing(self, request: Request) -> Response:
        """What is being done now, and how far it is."""
        return answer(self._now)

    async def cure(self, request: Request) -> Response:
        """Do what can be done about one check; it may take minutes."""
        body = await read_body(request, CURE)
        places = self._desk.places
        async with self._curing:  # two at once would get in each other's way
            checks = await health.examine_all(places, None)
            found = [check for check in checks if check.name == body["name"]]
            if not found:
                raise HTTPException(404, "There is no such check.")
            self._told(body["name"], "")
            try:
                did = await anyio.to_thread.run_sync(
                    health.cure_check, found[0], places, partial(self._told, body["name"])
                )
            finally:
                self._told("", "")
            checks = await health.examine_all(places, None)
        return answer(_health(checks, did or "Nothing could be done about it from here."))

    def _told(self, name: str, line: str) -> None:
        self._now = Curing(name=name, line=str(line))


def _health(checks: tuple[Check, ...], did: str) -> page.Health:
    from deskmate.sandbox.cures import is_curable  # noqa: PLC0415

    return page.Health(
        did=did,
        checks=tuple(
            page.CheckRow(
                name=check.name,
                state=check.state,
                cause=check.cause,
                cure=check.cure,
                curable=is_curable(check),
            )
            for check in checks
        ),
    )
