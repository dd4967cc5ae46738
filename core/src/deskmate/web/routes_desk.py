"""Routes of what stands around threads: signing in, the folder picker, plugins, models, browsers, the stream."""

from __future__ import annotations

import json
import os
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import anyio.to_thread
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from deskmate import __version__
from deskmate.errors import UserError
from deskmate.host.samples import sample_plugin
from deskmate.types.places import Places
from deskmate.web import contract as page
from deskmate.web.bodies import WORD, answer, closed, read_body
from deskmate.web.desk import Desk, wire
from deskmate.web.page import Asset, Page
from deskmate.web.signin import KEPT_S, Known, SignIn, as_time, name_of_browser

ENTER = closed(("code",), code=WORD)
AGREE = closed(("version",), version=WORD)
EMPTY = closed()
FOLDERS_SHOWN = 1_000
_FOREVER = "public, max-age=31536000, immutable"
_HASHED = re.compile(r"-[\w-]{8}\.\w+$")
"""Ends the names of files that never change: the build puts a digest into them."""
WORKER = "worker.js"


class DeskRoutes:
    """Everything but threads."""

    def __init__(
        self, desk: Desk, sign_in: SignIn, files: Page, *, cookie: str, over: Callable[[], bool]
    ) -> None:
        """`cookie`: name of the session's. `over`: says whether the server is about to end."""
        self._desk, self._sign_in, self._files = desk, sign_in, files
        self._cookie, self._over = cookie, over

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("/", self.shell, methods=["GET"]),
            Route("/assets/{name}", self.asset, methods=["GET"]),
            Route("/api/session", self.enter, methods=["POST"]),
            Route("/api/session", self.leave, methods=["DELETE"]),
            Route("/api/desk", self.show, methods=["GET"]),
            Route("/api/events", self.events, methods=["GET"]),
            Route("/api/folders", self.folders, methods=["GET"]),
            Route("/api/plugins/{name}/agree", self.agree, methods=["POST"]),
            Route("/api/devices/{device}", self.revoke, methods=["DELETE"]),
        ]

    async def shell(self, request: Request) -> Response:
        """The page itself: the same for everybody, with nothing of anybody in it."""
        return _file(request, self._files.shell, "no-store")

    async def asset(self, request: Request) -> Response:
        """A file of the page, by its name."""
        name = str(request.path_params["name"])
        found = self._files.assets.get(name)
        if found is None:
            raise HTTPException(404, "There is no such file.")
        response = _file(request, found, _FOREVER if _HASHED.search(name) else "no-cache")
        if name == WORKER:
            response.headers["service-worker-allowed"] = "/"
        return response

    async def enter(self, request: Request) -> Response:
        """Sign this browser in with a code that is valid once."""
        body = await read_body(request, ENTER)
        name = name_of_browser(request.headers.get("user-agent", ""))
        token = await anyio.to_thread.run_sync(self._sign_in.redeem, body["code"], name)
        if token is None:
            raise HTTPException(403, "This link was used already, or is older than two minutes.")
        response = answer(page.Made(thread=""))
        response.set_cookie(
            self._cookie,
            token,
            max_age=int(KEPT_S),
            path="/",
            secure=request.headers.get("origin", "").startswith("https:"),
            httponly=True,
            samesite="lax",
        )
        return response

    async def leave(self, request: Request) -> Response:
        """Sign this browser out."""
        await read_body(request, EMPTY)
        known: Known = request.state.device
        await anyio.to_thread.run_sync(self._sign_in.revoke, known.id)
        response = answer(page.Made(thread=""))
        response.delete_cookie(self._cookie, path="/", httponly=True, samesite="lax")
        return response

    async def revoke(self, request: Request) -> Response:
        """Sign another browser out."""
        await read_body(request, EMPTY)
        device = str(request.path_params["device"])
        if not await anyio.to_thread.run_sync(self._sign_in.revoke, device):
            raise HTTPException(404, "There is no such browser any more.")
        self._desk.hub.wake()  # its stream ends now, not at the next message
        return answer(page.Made(thread=""))

    async def show(self, request: Request) -> Response:
        """What can be chosen here, and who is signed in."""
        places = self._desk.places
        models, default = await anyio.to_thread.run_sync(_models, places)
        plugins = await anyio.to_thread.run_sync(_plugins, places)
        sample = await anyio.to_thread.run_sync(sample_plugin, places)
        here: Known = request.state.device
        devices = tuple(
            page.Device(
                id=known.id,
                name=known.name,
                made=as_time(known.made),
                seen=as_time(known.seen),
                here=known.id == here.id,
            )
            for known in self._sign_in.devices()
        )
        return answer(
            page.Desk(
                version=__version__,
                home=str(Path.home()),
                models=models,
                model=default,
                plugins=plugins,
                sample=sample,
                devices=devices,
                build=self._files.build,
            )
        )

    async def agree(self, request: Request) -> Response:
        """Remember that the user agrees to what a plugin of this version wants."""
        name = str(request.path_params["name"])
        body = await read_body(request, AGREE)
        await anyio.to_thread.run_sync(_agree, self._desk.places, name, body["version"])
        return answer(page.Made(thread=""))

    async def folders(self, request: Request) -> Response:
        """The folders in a folder of this machine, for the picker."""
        path = request.query_params.get("path") or str(Path.home())
        return answer(await anyio.to_thread.run_sync(_listing, path))

    async def events(self, request: Request) -> Response:
        """Everything that happens, as server-sent events; goes on after `Last-Event-ID`."""
        last = request.headers.get("last-event-id") or request.query_params.get("after", "")
        known: Known = request.state.device
        headers = {"x-accel-buffering": "no"}
        return StreamingResponse(
            self._stream(last, known.id), media_type="text/event-stream", headers=headers
        )

    async def _stream(self, last: str, device: str) -> AsyncIterator[bytes]:
        def is_over() -> bool:
            return self._over() or all(known.id != device for known in self._sign_in.devices())

        yield b"retry: 1000\n\n"
        async for place, message in self._desk.hub.follow(last, over=is_over):
            if message is None:
                yield b": still here\n\n"
                continue
            data = json.dumps(wire(message), ensure_ascii=False, separators=(",", ":"))
            yield f"id: {place}\ndata: {data}\n\n".encode("utf-8", "replace")


def _file(request: Request, asset: Asset, cache: str) -> Response:
    headers = {"cache-control": cache, "vary": "accept-encoding"}
    content = asset.content
    if asset.packed and "gzip" in request.headers.get("accept-encoding", ""):
        content, headers["content-encoding"] = asset.packed, "gzip"
    return Response(content, headers={**headers, "content-type": asset.kind})


def _models(places: Places) -> tuple[tuple[page.ModelChoice, ...], str]:
    from deskmate.host.model_choice import environ_with_key  # noqa: PLC0415
    from deskmate.models.catalogue import MODELS, find_model  # noqa: PLC0415
    from deskmate.models.choose import KEY, URL, default_name, model_overrides  # noqa: PLC0415
    from deskmate.models.settings import read_settings  # noqa: PLC0415

    config = read_settings(places.config)
    overrides = model_overrides(config)
    environ = environ_with_key(os.environ, places)
    lacks = "" if environ.get(KEY) else "needs a key"
    found = [
        page.ModelChoice(name=info.alias, title=info.title, lacks=lacks)
        for info in (find_model(name, overrides) for name in sorted({*MODELS, *overrides}))
    ]
    title = "Rules only, no language model: follows the procedures of plugins. Free."
    found.append(page.ModelChoice(name="offline", title=title, lacks=""))
    if os.environ.get(URL) or config.get("model_url"):
        found.append(page.ModelChoice(name="local", title="A model on your own server", lacks=""))
    default = default_name(environ, config)
    if default not in {choice.name for choice in found}:
        found.append(page.ModelChoice(name=default, title=default, lacks=""))
    return tuple(found), default


def _plugins(places: Places) -> tuple[page.Plugin, ...]:
    from deskmate.discovery.consent import Consents  # noqa: PLC0415
    from deskmate.discovery.hooking import HookApprovals, allowed_line  # noqa: PLC0415
    from deskmate.discovery.installed import find_plugins, is_built_in  # noqa: PLC0415
    from deskmate.discovery.permissions import permission_lines  # noqa: PLC0415
    from deskmate.host.organisation import read_organisation  # noqa: PLC0415

    organisation = read_organisation()
    catalogue = find_plugins(cache=places.cache / "manifests.json", store=places.plugins)
    consents, approvals = Consents(places.plugins), HookApprovals(places.plugins)
    hooks = {
        plugin.name: allowed_line(plugin, approvals, permitted=organisation.lets_hooks(plugin.name))
        for plugin in catalogue.plugins
    }
    usable = [
        page.Plugin(
            name=plugin.name,
            title=plugin.manifest.title,
            summary=plugin.manifest.summary,
            version=plugin.version,
            permissions=tuple(filter(None, (*permission_lines(plugin), hooks[plugin.name]))),
            wants=consents.missing(plugin),
            problem="",
        )
        for plugin in catalogue.plugins
        if not is_built_in(plugin)
    ]
    broken = [
        page.Plugin(
            name=problem.plugin,
            title=problem.plugin,
            summary="",
            version="",
            permissions=(),
            wants=(),
            problem=f"{problem.message} {problem.hint}".strip(),
        )
        for problem in catalogue.problems
    ]
    return (*usable, *broken)


def _agree(places: Places, name: str, version: str) -> None:
    from deskmate.discovery.consent import Consents  # noqa: PLC0415
    from deskmate.discovery.installed import find_plugins  # noqa: PLC0415

    plugin = find_plugins(cache=places.cache / "manifests.json", store=places.plugins).get(name)
    if plugin.version != version:
        raise UserError(
            f"Plugin {name} is another version now: {plugin.version}.",
            hint="Look at what it may do, and agree again.",
        )
    Consents(places.plugins).accept([plugin])


def _listing(path: str) -> page.Listing:
    """Return the folders in a folder that are not hidden. Raises UserError."""
    folder = Path(path)
    if not folder.is_absolute() or "\0" in path:
        raise UserError("This is not the whole path of a folder.")
    found, files = [], 0
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                if entry.is_dir():
                    found.append(page.Place(name=entry.name, path=entry.path))
                else:
                    files += 1
    except OSError as error:
        raise UserError(f"{folder} cannot be looked into: {error.strerror}.") from error
    found.sort(key=lambda place: place.name.casefold())
    parent = "" if folder.parent == folder else str(folder.parent)
    return page.Listing(
        path=str(folder), parent=parent, folders=tuple(found[:FOLDERS_SHOWN]), files=files
    )
