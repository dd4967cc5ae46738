"""Routes of the files in a change set: taking one away as it is, and looking at its pages."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal, cast
from urllib.parse import quote

import anyio.to_thread
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from deskmate.errors import UserError
from deskmate.host import viewing
from deskmate.types.events import ToolFinished
from deskmate.web import contract as page
from deskmate.web.bodies import answer
from deskmate.web.desk import Desk
from deskmate.web.routes_threads import ThreadRoutes
from deskmate.web.views import PICTURES

if TYPE_CHECKING:
    from deskmate.ports import Blobs, Sandbox

PAGES_AT_ONCE = 3
_DPI = 80
_MOST_PAGES = 10_000


class FileRoutes:
    """What a run made, to look at or to keep, before anything is written. Nothing is opened by a path from outside."""

    def __init__(self, desk: Desk, threads: ThreadRoutes) -> None:
        self._desk, self._threads = desk, threads
        self._held: tuple[Sandbox, Blobs] | None = None

    def routes(self) -> list[Route]:
        """Return the routes."""
        changes = "/api/threads/{thread}/changes"
        return [
            Route(f"{changes}/file", self.file, methods=["GET"]),
            Route(f"{changes}/pages", self.pages, methods=["GET"]),
            Route("/api/threads/{thread}/record", self.record, methods=["GET"]),
            Route("/api/threads/{thread}/kept", self.kept, methods=["GET"]),
        ]

    async def file(self, request: Request) -> Response:
        """The bytes of one version, for the user's own programs: never shown by the browser in this page's name."""
        version = await self._version(request)
        name = version.path.rpartition("/")[2]
        blobs = self.parts()[1]

        def content() -> Iterator[bytes]:
            yield from blobs.chunks(version.sha256)

        return StreamingResponse(
            content(),
            media_type="application/octet-stream",
            headers={
                "content-disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}",
                "content-length": str(version.size),
            },
        )

    async def kept(self, request: Request) -> Response:
        """A file that came with a tool's answer, or a picture that the model saw: to look at or to take away."""
        from deskmate.store.thread import open_thread  # noqa: PLC0415

        thread, blobs = self._threads.named(request), self.parts()[1]
        wanted = request.query_params.get("sha256", "")
        async with open_thread(self._desk.places.threads, thread, write=False) as store:
            events = await store.events()
        results = [e.payload for e in events if isinstance(e.payload, ToolFinished)]
        files = [(f.sha256, f.media, f.name) for result in results for f in result.kept]
        files += [(p.sha256, p.media, "picture") for result in results for p in result.pictures]
        found = next((file for file in files if file[0] == wanted), None)
        if found is None:
            raise HTTPException(404, "There is no such file in this thread.")
        digest, media, name = found
        shows = media in PICTURES and "look" in request.query_params
        return Response(
            await anyio.to_thread.run_sync(blobs.read, digest),
            media_type=media if shows else "application/octet-stream",
            headers={} if shows else {"content-disposition": f'attachment; filename="{name}"'},
        )

    async def pages(self, request: Request) -> Response:
        """Pictures of some pages of one version."""
        version = await self._version(request)
        return await self.drawn(version, first_of(request))

    async def drawn(self, version: viewing.Version, first: int) -> Response:
        """Return pictures of some pages from `first` on."""
        sandbox, blobs = self.parts()
        found = await viewing.pictures(
            sandbox,
            blobs,
            version,
            first=first,
            count=PAGES_AT_ONCE,
            dpi=_DPI,
            progress=lambda line: None,
        )
        shown = tuple(
            f"data:{one.media};base64,{base64.b64encode(one.content).decode()}" for one in found
        )
        return answer(page.Pages(first=first, pictures=shown, more=len(shown) == PAGES_AT_ONCE))

    async def record(self, request: Request) -> Response:
        """Who asked, what ran, what was allowed and what changed: one page to keep, which needs nothing else."""
        from deskmate.host.thread_page import thread_page  # noqa: PLC0415
        from deskmate.store.thread import open_thread  # noqa: PLC0415

        thread, blobs = self._threads.named(request), self.parts()[1]
        async with open_thread(self._desk.places.threads, thread, write=False) as store:
            events = await store.events()
        content = await anyio.to_thread.run_sync(lambda: "".join(thread_page(events, blobs)))
        return Response(
            content.encode("utf-8", "replace"),
            media_type="application/octet-stream",
            headers={"content-disposition": f'attachment; filename="{thread}.html"'},
        )

    async def _version(self, request: Request) -> viewing.Version:
        asked, thread = request.query_params, self._threads.named(request)
        side = asked.get("side", "after")
        if side not in ("before", "after"):
            raise HTTPException(404, "There is no such version.")
        return await viewing.file_version(
            self._desk.places,
            thread,
            asked.get("path", ""),
            asked.get("run", ""),
            cast("Literal['before', 'after']", side),
        )

    def parts(self) -> tuple[Sandbox, Blobs]:
        """Return what draws, and where content is."""
        if self._held is None:
            from deskmate.host.adapters import Adapters  # noqa: PLC0415

            adapters = Adapters(self._desk.places)
            self._held = adapters.sandbox(), adapters.blobs()
        return self._held


def first_of(request: Request) -> int:
    """Return the number of the first page that is asked for. Raises UserError."""
    first = request.query_params.get("first", "1")
    if not first.isascii() or not first.isdigit() or not 1 <= int(first) <= _MOST_PAGES:
        raise UserError("The first page is a number from 1.")
    return int(first)
