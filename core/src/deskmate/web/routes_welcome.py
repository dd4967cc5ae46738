"""Routes of the first steps: which model is used, its key, and a task to begin with."""

from __future__ import annotations

import os
from pathlib import Path

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from deskmate.errors import UserError
from deskmate.host import model_choice, samples
from deskmate.web import contract_welcome as page
from deskmate.web.bodies import TEXT, WORD, answer, closed, read_body
from deskmate.web.desk import Desk

CHOOSE = closed(("name",), name=WORD, url=WORD)
KEY = closed(("value",), value={**TEXT, "maxLength": 16_384})
EMPTY = closed()


class WelcomeRoutes:
    """What somebody needs who was never here before."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("/api/model", self.show, methods=["GET"]),
            Route("/api/model", self.choose, methods=["POST"]),
            Route("/api/model/key", self.keep_key, methods=["POST"]),
            Route("/api/model/key", self.forget_key, methods=["DELETE"]),
            Route("/api/model/try", self.try_it, methods=["POST"]),
            Route("/api/sample", self.sample, methods=["POST"]),
        ]

    async def show(self, request: Request) -> Response:
        """Which model is used, and where its key is; never the key."""
        return await self._chosen()

    async def choose(self, request: Request) -> Response:
        """Use another model from now on."""
        body = await read_body(request, CHOOSE)
        name, url = body["name"], body.get("url", "")
        await anyio.to_thread.run_sync(
            model_choice.choose, name, url, os.environ, self._desk.places
        )
        return await self._chosen()

    async def keep_key(self, request: Request) -> Response:
        """Keep the key for Claude."""
        body = await read_body(request, KEY)
        await anyio.to_thread.run_sync(model_choice.keep_key, body["value"], self._desk.places)
        return await self._chosen()

    async def forget_key(self, request: Request) -> Response:
        """Forget that key."""
        await read_body(request, EMPTY)
        if not await anyio.to_thread.run_sync(model_choice.forget_key, self._desk.places):
            raise UserError("No key is kept here.")
        return await self._chosen()

    async def try_it(self, request: Request) -> Response:
        """Ask the model that is used for one word."""
        from deskmate.types.messages import text_of  # noqa: PLC0415

        await read_body(request, EMPTY)
        model = await anyio.to_thread.run_sync(self._desk.runs.host.model, None)
        reply = await model_choice.try_model(model)
        tried = page.Tried(
            model=model.name, label=reply.label, text=text_of(reply.content).strip()[:200]
        )
        return answer(tried)

    async def sample(self, request: Request) -> Response:
        """Make the folder of the task to begin with."""
        await read_body(request, EMPTY)
        plugin = await anyio.to_thread.run_sync(samples.sample_plugin, self._desk.places)
        if not plugin:
            raise UserError(
                "No plugin is installed that reviews contracts.", hint="pip install deskmate-legal"
            )
        folder = await anyio.to_thread.run_sync(samples.make_sample, Path.home())
        made = page.Sample(folder=str(folder), text=samples.REQUEST, plugin=plugin)
        return answer(made, 201)

    async def _chosen(self) -> Response:
        found = await anyio.to_thread.run_sync(model_choice.chosen, os.environ, self._desk.places)
        return answer(found)
