"""Routes of projects: folders, plugins and instructions that several threads share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from deskmate.errors import UserError
from deskmate.host.orders import RunOrder, grant_for
from deskmate.types.files import Grant
from deskmate.types.projects import Project
from deskmate.web import contract_desk as page
from deskmate.web.bodies import PATHS, WORD, answer, closed, read_body
from deskmate.web.contract import Made
from deskmate.web.desk import Desk
from deskmate.web.routes_threads import FOLDERS, ThreadRoutes, absolute

if TYPE_CHECKING:
    from deskmate.store.projects import Projects

_PARTS: dict[str, Any] = {
    "name": WORD,
    "instructions": {"type": "string", "maxLength": 20_000},
    "folders": FOLDERS,
    "plugins": PATHS,
}
WHOLE = closed(tuple(_PARTS), **_PARTS)
JOIN = closed(("project",), project=WORD)
EMPTY = closed()


class ProjectRoutes:
    """The user's projects, and which thread is in which."""

    def __init__(self, desk: Desk, threads: ThreadRoutes) -> None:
        self._desk, self._threads = desk, threads

    def routes(self) -> list[Route]:
        """Return the routes."""
        one = "/api/projects/{project}"
        return [
            Route("/api/projects", self.listing, methods=["GET"]),
            Route("/api/projects", self.new, methods=["POST"]),
            Route(one, self.change, methods=["PATCH"]),
            Route(one, self.delete, methods=["DELETE"]),
            Route("/api/threads/{thread}/project", self.join, methods=["POST"]),
        ]

    async def listing(self, request: Request) -> Response:
        """All projects."""
        return answer(await anyio.to_thread.run_sync(self._rows))

    async def new(self, request: Request) -> Response:
        """Make a project."""
        body = await read_body(request, WHOLE)

        def work() -> page.Projects:
            grants, plugins = self._given(body)
            self._projects().new(
                body["name"], instructions=body["instructions"], grants=grants, plugins=plugins
            )
            return self._rows()

        return answer(await anyio.to_thread.run_sync(work), 201)

    async def change(self, request: Request) -> Response:
        """Change a project; its threads follow from their next run on."""
        from deskmate.store.projects import checked_name  # noqa: PLC0415

        body = await read_body(request, WHOLE)
        name = str(request.path_params["project"])

        def work() -> page.Projects:
            store = self._projects()
            known, words = store.get(name), checked_name(body["name"])
            other = store.find(words)
            if other is not None and other.id != known.id:
                raise UserError(f"There is a project {words} already.", hint="Choose another name.")
            grants, plugins = self._given(body)
            store.save(
                Project(
                    id=known.id,
                    name=words,
                    instructions=body["instructions"],
                    grants=grants,
                    plugins=plugins,
                )
            )
            return self._rows()

        return answer(await anyio.to_thread.run_sync(work))

    async def delete(self, request: Request) -> Response:
        """Forget a project; its threads stay."""
        await read_body(request, EMPTY)
        name = str(request.path_params["project"])

        def work() -> page.Projects:
            store = self._projects()
            store.delete(store.get(name))
            return self._rows()

        return answer(await anyio.to_thread.run_sync(work))

    async def join(self, request: Request) -> Response:
        """Put a thread into a project, or out of any, from its next run on."""
        from deskmate.host.projects import set_thread_project  # noqa: PLC0415

        thread = self._threads.named(request)
        body = await read_body(request, JOIN)
        await set_thread_project(self._desk.places, thread, body["project"])
        await self._desk.refresh()
        return answer(Made(thread=thread))

    def _given(self, body: dict[str, Any]) -> tuple[tuple[Grant, ...], tuple[str, ...]]:
        """Return folders and plugins. Raises UserError for a folder or plugin that is not there."""
        from deskmate.host.projects import beside  # noqa: PLC0415

        chosen = [grant_for(absolute(one["folder"]), one["mode"]) for one in body["folders"]]
        grants = beside(list({one.folder: one for one in chosen}.values()), ())
        plugins = tuple(dict.fromkeys(body["plugins"]))
        self._desk.runs.check(RunOrder(grants=grants, plugins=plugins))
        return grants, plugins

    def _projects(self) -> Projects:
        from deskmate.store.projects import Projects  # noqa: PLC0415

        return Projects(self._desk.places.data)

    def _rows(self) -> page.Projects:
        return page.Projects(
            rows=tuple(
                page.ProjectRow(
                    id=one.id,
                    name=one.name,
                    instructions=one.instructions,
                    folders=tuple(
                        page.Granted(folder=grant.folder, mode=grant.mode) for grant in one.grants
                    ),
                    plugins=one.plugins,
                )
                for one in self._projects().all()
            )
        )
