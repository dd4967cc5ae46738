"""The route that lets another device in: a code that works once, as a picture for a phone's camera."""

from __future__ import annotations

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from deskmate.web import contract_desk as page
from deskmate.web.bodies import answer, closed, read_body
from deskmate.web.signin import CODE_S, SignIn

EMPTY = closed()


class PairingRoutes:
    """For a page that another device reaches under a name, over HTTPS that somebody else ends on this machine."""

    def __init__(self, sign_in: SignIn, *, port: int, name: str) -> None:
        """`name`: under which other devices reach the page; empty: none does."""
        self._sign_in, self._port, self._name = sign_in, port, name

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [Route("/api/pairing", self.pair, methods=["POST"])]

    async def pair(self, request: Request) -> Response:
        """Make a code for one device; the code stands behind the `#`, which no proxy is sent."""
        await read_body(request, EMPTY)
        rows: tuple[str, ...] = ()
        if self._name:
            code = await anyio.to_thread.run_sync(self._sign_in.issue)
            rows = await anyio.to_thread.run_sync(_dots, f"https://{self._name}/#code={code}")
        return answer(
            page.Pairing(name=self._name, port=self._port, rows=rows, seconds=int(CODE_S))
        )


def _dots(text: str) -> tuple[str, ...]:
    import segno  # noqa: PLC0415 - only pairing needs it

    made = segno.make_qr(text, error="m")
    return tuple("".join("1" if dot else "0" for dot in row) for row in made.matrix)
