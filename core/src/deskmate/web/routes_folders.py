"""Routes of the files in a thread's folders, as they are: what lies there, how it looks, what it says, taking it away."""

from __future__ import annotations

from pathlib import PurePosixPath
from urllib.parse import quote

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from deskmate.host import looking
from deskmate.host.viewing import Version
from deskmate.web import contract_files as page
from deskmate.web.bodies import answer
from deskmate.web.desk import Desk
from deskmate.web.routes_files import FileRoutes, first_of
from deskmate.web.routes_threads import ThreadRoutes

DOCUMENTS = frozenset({".docx", ".docm", ".pdf"})
"""Whose words a machine takes out; all else is read as text, or looked at as pages."""


class FolderRoutes:
    """Nothing is read but by the names of granted folders, and no link is followed."""

    def __init__(self, desk: Desk, threads: ThreadRoutes, files: FileRoutes) -> None:
        self._desk, self._threads, self._files = desk, threads, files

    def routes(self) -> list[Route]:
        """Return the routes."""
        files = "/api/threads/{thread}/files"
        return [
            Route(files, self.shelf, methods=["GET"]),
            Route(f"{files}/file", self.file, methods=["GET"]),
            Route(f"{files}/pages", self.pages, methods=["GET"]),
            Route(f"{files}/words", self.words, methods=["GET"]),
        ]

    async def shelf(self, request: Request) -> Response:
        """What lies in a folder of the thread."""
        grants = await looking.grants_of(self._desk.places, self._threads.named(request))
        path = request.query_params.get("path", "")
        if not path:
            own = (page.Lying(name=one.name, path=one.name, size=None) for one in grants)
            return answer(page.Shelf(path="", entries=tuple(own), cut=False))
        found, cut = await anyio.to_thread.run_sync(looking.entries_in, grants, path)
        found.sort(key=lambda one: (one[1] is not None, one[0].casefold()))
        rows = (page.Lying(name=name, path=f"{path}/{name}", size=size) for name, size in found)
        return answer(page.Shelf(path=path, entries=tuple(rows), cut=cut))

    async def file(self, request: Request) -> Response:
        """The bytes of a file, for the user's own programs: never shown by the browser in this page's name."""
        grants = await looking.grants_of(self._desk.places, self._threads.named(request))
        path = request.query_params.get("path", "")
        content = await anyio.to_thread.run_sync(looking.pieces_of, grants, path)
        name = quote(PurePosixPath(path).name, safe="")
        return StreamingResponse(
            content,
            media_type="application/octet-stream",
            headers={"content-disposition": f"attachment; filename*=UTF-8''{name}"},
        )

    async def pages(self, request: Request) -> Response:
        """Pictures of some pages of a file."""
        version = await self._taken(request)
        return await self._files.drawn(version, first_of(request))

    async def words(self, request: Request) -> Response:
        """The words of a file."""
        path = request.query_params.get("path", "")
        if PurePosixPath(path).suffix.lower() in DOCUMENTS:
            version = await self._taken(request)
            text, cut = await looking.words_of(*self._files.parts(), version)
            return answer(page.Words(path=path, text=text, cut=cut, by="a virtual machine"))
        grants = await looking.grants_of(self._desk.places, self._threads.named(request))
        text, cut = await anyio.to_thread.run_sync(looking.text_of, grants, path)
        return answer(page.Words(path=path, text=text, cut=cut, by=""))

    async def _taken(self, request: Request) -> Version:
        grants = await looking.grants_of(self._desk.places, self._threads.named(request))
        path, blobs = request.query_params.get("path", ""), self._files.parts()[1]
        return await anyio.to_thread.run_sync(looking.taken, grants, path, blobs)
