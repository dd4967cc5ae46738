"""The application: routes behind the guard, and what an error becomes."""

from __future__ import annotations

import logging
from collections.abc import Callable

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from deskmate.errors import DeskmateError
from deskmate.web.bodies import answer, failure
from deskmate.web.contract import Failure
from deskmate.web.desk import Desk
from deskmate.web.guard import Guard
from deskmate.web.page import Page
from deskmate.web.routes_changes import ChangeRoutes
from deskmate.web.routes_connecting import ConnectingRoutes
from deskmate.web.routes_connectors import ConnectorRoutes
from deskmate.web.routes_desk import DeskRoutes
from deskmate.web.routes_files import FileRoutes
from deskmate.web.routes_folders import FolderRoutes
from deskmate.web.routes_health import HealthRoutes
from deskmate.web.routes_inbox import InboxRoutes
from deskmate.web.routes_pairing import PairingRoutes
from deskmate.web.routes_places import PlaceRoutes
from deskmate.web.routes_policy import PolicyRoutes
from deskmate.web.routes_projects import ProjectRoutes
from deskmate.web.routes_reach import ReachRoutes
from deskmate.web.routes_schedules import ScheduleRoutes
from deskmate.web.routes_tables import TableRoutes
from deskmate.web.routes_tables_making import TableMakingRoutes
from deskmate.web.routes_threads import ThreadRoutes
from deskmate.web.routes_uploads import UploadRoutes
from deskmate.web.routes_welcome import WelcomeRoutes
from deskmate.web.signin import SignIn

LOG = logging.getLogger("deskmate")


def cookie_name(port: int) -> str:
    """Return the session's cookie: cookies do not know ports, so its name does."""
    return f"deskmate_{port}"


def make_app(
    desk: Desk,
    sign_in: SignIn,
    files: Page,
    *,
    port: int,
    name: str = "",
    over: Callable[[], bool] = lambda: False,
) -> ASGIApp:
    """Return the whole application.

    `name`: under which other devices reach it through HTTPS that ends on this machine. `over`: says whether the server
    is about to end.
    """
    cookie = cookie_name(port)
    hosts = frozenset({f"127.0.0.1:{port}", f"localhost:{port}", *([name] if name else [])})
    every = routes(desk, sign_in, files, cookie, over, port=port, name=name)
    app = Starlette(routes=every)
    app.add_exception_handler(DeskmateError, _on_error)
    app.add_exception_handler(HTTPException, _on_status)
    app.add_exception_handler(Exception, _on_fault)
    return Guard(app, hosts=lambda: hosts, cookie=cookie, device=sign_in.device)


def routes(
    desk: Desk,
    sign_in: SignIn,
    files: Page,
    cookie: str,
    over: Callable[[], bool],
    *,
    port: int = 0,
    name: str = "",
) -> list[Route]:
    """Return every route there is; the tests of the guard try each."""
    threads, tables, connectors = ThreadRoutes(desk), TableRoutes(desk), ConnectorRoutes(desk)
    looked = FileRoutes(desk, threads)
    return [
        *DeskRoutes(desk, sign_in, files, cookie=cookie, over=over).routes(),
        *threads.routes(),
        *ChangeRoutes(desk, threads).routes(),
        *looked.routes(),
        *FolderRoutes(desk, threads, looked).routes(),
        *PlaceRoutes(desk, threads, looked).routes(),
        *ReachRoutes(desk, threads).routes(),
        *InboxRoutes(desk, threads).routes(),
        *PolicyRoutes(desk, threads).routes(),
        *ScheduleRoutes(desk).routes(),
        *TableMakingRoutes(desk, tables).routes(),
        *tables.routes(),
        *ConnectingRoutes(desk, connectors).routes(),
        *connectors.routes(),
        *ProjectRoutes(desk, threads).routes(),
        *HealthRoutes(desk).routes(),
        *WelcomeRoutes(desk).routes(),
        *UploadRoutes(desk).routes(),
        *PairingRoutes(sign_in, port=port, name=name).routes(),
    ]


async def _on_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, DeskmateError)
    return failure(error)


async def _on_status(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return answer(Failure(error=str(error.detail), hint=""), error.status_code)


async def _on_fault(request: Request, error: Exception) -> Response:
    LOG.error("A request to %s broke off.", request.url.path, exc_info=error)
    said = Failure(
        error="Deskmate itself failed at this.",
        hint="What was stored is safe; the terminal that serves this page says more.",
    )
    return answer(said, 500)
