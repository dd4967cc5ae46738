"""Routes of files that come with a message: announced, sent in pieces of JSON as all else, and removed."""

from __future__ import annotations

import base64
import binascii

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from deskmate.errors import UserError
from deskmate.host.attachments import Uploads
from deskmate.web.bodies import WORD, answer, closed, read_body
from deskmate.web.contract import Made
from deskmate.web.desk import Desk

BEGIN = closed(("name", "size"), name=WORD, size={"type": "integer", "minimum": 0})
ADD = closed(
    ("at", "data"),
    at={"type": "integer", "minimum": 0},
    data={"type": "string", "maxLength": 1_000_000},
)
EMPTY = closed()


class UploadRoutes:
    """No form and no raw bytes: the guard takes JSON only, and a piece is small."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("/api/uploads", self.begin, methods=["POST"]),
            Route("/api/uploads/{upload}", self.add, methods=["POST"]),
            Route("/api/uploads/{upload}", self.drop, methods=["DELETE"]),
        ]

    async def begin(self, request: Request) -> Response:
        """Announce a file."""
        body = await read_body(request, BEGIN)
        uploads = Uploads(self._desk.places)
        return answer(
            await anyio.to_thread.run_sync(uploads.begin, body["name"], body["size"]), 201
        )

    async def add(self, request: Request) -> Response:
        """Take the next piece of a file."""
        body = await read_body(request, ADD)
        try:
            piece = base64.b64decode(body["data"], validate=True)
        except binascii.Error as error:
            raise UserError("The piece of the file cannot be read.") from error
        uploads, name = Uploads(self._desk.places), str(request.path_params["upload"])
        return answer(await anyio.to_thread.run_sync(uploads.add, name, body["at"], piece))

    async def drop(self, request: Request) -> Response:
        """Forget a file that was not sent."""
        await read_body(request, EMPTY)
        uploads = Uploads(self._desk.places)
        await anyio.to_thread.run_sync(uploads.drop, str(request.path_params["upload"]))
        return answer(Made(thread=""))
