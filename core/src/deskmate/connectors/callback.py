"""Where a browser is sent back to after a login: one address of this machine, for one answer."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from urllib.parse import parse_qs, urlsplit

import anyio
from anyio.abc import SocketAttribute, SocketStream

from deskmate.errors import ToolError
from deskmate.shown import one_line

PATH = "/callback"
HEAD_BYTES = 16 << 10
_READ_S = 10.0
_PAGE = (
    "<!doctype html><meta charset=utf-8><title>Deskmate</title>"
    "<p style='font:16px sans-serif;margin:3em'>{text} You can close this page.</p>"
)


class Callback:
    """Waits for the one answer that belongs to a login."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.state = ""
        self._given: Mapping[str, str] = {}
        self._done = anyio.Event()

    @property
    def address(self) -> str:
        """Where the browser is sent back to."""
        return f"http://127.0.0.1:{self._port}{PATH}"

    def expect(self, authorization: str) -> None:
        """Note which login is under way, by the address that the browser is sent to."""
        self.state = parse_qs(urlsplit(authorization).query).get("state", [""])[0]

    async def wait(self) -> Mapping[str, str]:
        """Return what came with the answer. Raises ToolError where the server said no."""
        await self._done.wait()
        if "code" not in self._given:
            why = one_line(
                self._given.get("error_description") or self._given.get("error", ""), 200
            )
            raise ToolError(f"the login was refused: {why or 'without a reason'}")
        return self._given

    async def handle(self, stream: SocketStream) -> None:
        """Answer one connection; all but the answer of this very login is turned away."""
        async with stream:
            try:
                with anyio.fail_after(_READ_S):
                    status, text = self._take(await _head(stream))
                    page = _PAGE.format(text=text).encode()
                    head = (
                        f"HTTP/1.1 {status}\r\ncontent-type: text/html; charset=utf-8\r\n"
                        f"content-length: {len(page)}\r\ncache-control: no-store\r\n"
                        "content-security-policy: default-src 'none'; style-src 'unsafe-inline'\r\n"
                        "referrer-policy: no-referrer\r\nconnection: close\r\n\r\n"
                    )
                    await stream.send(head.encode() + page)
            except (TimeoutError, anyio.BrokenResourceError, anyio.EndOfStream, ValueError):
                return

    def _take(self, head: str) -> tuple[str, str]:
        line, *rest = head.split("\r\n")
        method, target, _ = line.split(" ", 2)
        hosts = [one[5:].strip() for one in rest if one.lower().startswith("host:")]
        parts = urlsplit(target)
        if method != "GET" or parts.path != PATH or hosts != [f"127.0.0.1:{self._port}"]:
            return "404 Not Found", "There is nothing here."
        given = {
            key: values[0] for key, values in parse_qs(parts.query).items() if len(values) == 1
        }
        if not self.state or not secrets.compare_digest(
            given.get("state", "").encode(), self.state.encode()
        ):
            return "400 Bad Request", "This is not the answer of the login that is under way."
        self._given = given
        self._done.set()
        return "200 OK", "Back to Deskmate." if "code" in given else "The login was refused."


async def _head(stream: SocketStream) -> str:
    held = b""
    while b"\r\n\r\n" not in held:
        held += await stream.receive(4096)
        if len(held) > HEAD_BYTES:
            raise ValueError("too long")
    return held.partition(b"\r\n\r\n")[0].decode("latin-1")


@asynccontextmanager
async def listening(port: int = 0) -> AsyncIterator[Callback]:
    """Yield a callback that browsers of this machine reach while the block lasts. `port`: 0 for any that is free."""
    async with await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=port) as listener:
        local = listener.extra(SocketAttribute.local_port)  # noqa: S610 - no query of a database
        callback = Callback(int(local))
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(listener.serve, callback.handle)
                try:
                    yield callback
                finally:
                    tasks.cancel_scope.cancel()
        except BaseExceptionGroup as group:  # as if there were no task group
            raise group.exceptions[0] from None
