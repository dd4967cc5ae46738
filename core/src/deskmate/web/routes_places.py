"""Routes that open a source at its place: paragraphs with a quotation marked, the page, rows of a sheet; and the sources."""

from __future__ import annotations

import base64
from typing import Any

import anyio.to_thread
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from deskmate.errors import UserError
from deskmate.host import looking, showing, viewing
from deskmate.store.thread import open_thread
from deskmate.types.events import Event
from deskmate.web import contract_places as page
from deskmate.web.bodies import answer
from deskmate.web.desk import Desk
from deskmate.web.routes_files import FileRoutes
from deskmate.web.routes_threads import ThreadRoutes
from deskmate.web.sources import sources_in

_NUMBER = 10_000_000
_QUOTE = 2_000
KEPT = 40
"""Windows of sheets that are kept, so that scrolling back asks no machine."""


class PlaceRoutes:
    """What is shown comes out of a machine; a file is named by a source of the thread, its change set, or a granted folder."""

    def __init__(self, desk: Desk, threads: ThreadRoutes, files: FileRoutes) -> None:
        self._desk, self._threads, self._files = desk, threads, files
        self._windows: dict[tuple[str, str, int], showing.SheetRows] = {}

    def routes(self) -> list[Route]:
        """Return the routes."""
        one = "/api/threads/{thread}"
        return [
            Route(f"{one}/sources", self.sources, methods=["GET"]),
            Route(f"{one}/place", self.place, methods=["GET"]),
            Route(f"{one}/place/page", self.page, methods=["GET"]),
            Route(f"{one}/place/rows", self.rows, methods=["GET"]),
        ]

    async def sources(self, request: Request) -> Response:
        """The files that were read, and the places in them that were recorded."""
        return answer(page.Sources(files=tuple(sources_in(await self._events(request)).files())))

    async def place(self, request: Request) -> Response:
        """The paragraphs around a place."""
        version, now = await self._version(request)
        asked = request.query_params
        where: dict[str, int | str] = {
            name: _number(asked.get(name)) for name in ("paragraph", "page", "line")
        }
        where["quote"] = asked.get("quote", "")[:_QUOTE]
        found = await showing.place_in(*self._files.parts(), version, where)
        return answer(page.Opened(path=version.path, changed=now, excerpt=found))

    async def page(self, request: Request) -> Response:
        """The page on which words stand, as a picture, and where on it."""
        version, _ = await self._version(request)
        asked = request.query_params
        quote, number = asked.get("quote", "")[:_QUOTE], _number(asked.get("page"))
        spot, picture = await showing.page_of(*self._files.parts(), version, quote, number)
        shown = f"data:image/png;base64,{base64.b64encode(picture).decode()}"
        return answer(
            page.Drawn(
                page=spot.page, of=spot.of, found=spot.found, boxes=spot.boxes, picture=shown
            )
        )

    async def rows(self, request: Request) -> Response:
        """Rows of a worksheet."""
        version, now = await self._version(request)
        sheet = request.query_params.get("sheet", "")[:100]
        top = max(_number(request.query_params.get("top")), 1)
        key = (version.sha256, sheet, top)
        if key not in self._windows:
            found = await showing.window_of(*self._files.parts(), version, sheet, top)
            while len(self._windows) >= KEPT:
                self._windows.pop(next(iter(self._windows)))
            self._windows[key] = found
        return answer(page.OpenedSheet(path=version.path, changed=now, rows=self._windows[key]))

    async def _events(self, request: Request) -> tuple[Event, ...]:
        thread = self._threads.named(request)
        async with open_thread(self._desk.places.threads, thread, write=False) as store:
            return await store.events()

    async def _version(self, request: Request) -> tuple[viewing.Version, bool]:
        """Return the file that is asked for, and whether it is another one by now than what was read."""
        asked, events = request.query_params, await self._events(request)
        path, source = asked.get("path", ""), asked.get("source", "")
        blobs = self._files.parts()[1]
        if source:
            place = sources_in(events).locus(path, source)
            if place is None:
                raise HTTPException(404, "This thread has no such source.")
            return await anyio.to_thread.run_sync(self._of_source, events, path, place.digest)
        side = asked.get("side", "")
        if side in ("before", "after"):
            wanted: Any = side
            return viewing.version_in(events, blobs, path, asked.get("run", ""), wanted), False
        if side != "disk":
            try:
                return viewing.version_in(events, blobs, path), False
            except UserError:
                pass  # the last change set has no such file: it is the user's own
        grants = looking.grants_in(events)
        return await anyio.to_thread.run_sync(looking.taken, grants, path, blobs), False

    def _of_source(
        self, events: tuple[Event, ...], path: str, digest: str
    ) -> tuple[viewing.Version, bool]:
        """Return the very file that was read, as long as it is kept; else what is there by its name now."""
        blobs = self._files.parts()[1]
        if (kept := viewing.version_of(blobs, path, digest)) is not None:
            return kept, False
        found = looking.taken(looking.grants_in(events), path, blobs)
        return found, found.sha256 != digest


def _number(text: str | None) -> int:
    """Return a number that is asked for, 0 for what is none."""
    fits = text is not None and text.isascii() and text.isdigit() and len(text) < 9
    return min(int(text), _NUMBER) if fits and text else 0
