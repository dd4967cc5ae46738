"""Stands before every route: who may ask, from where, how. A route cannot forget it, since it is not asked.

A page of any other site in the same browser, and a name that somebody made point to this machine, get nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import anyio
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deskmate.web.signin import Known

BODY_LIMIT = 1 << 20
BODY_S = 10.0
METHODS = frozenset({"GET", "POST", "PATCH", "DELETE"})
CHANGING = METHODS - {"GET"}
SIGN_IN = "/api/session"
SHELL = "/"
ASSETS = "/assets/"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; font-src 'self'; "
    "connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types worker"
)
_HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Refusal:
    status: int
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    """What the guard looks at. A header that came twice is in `doubled`."""

    method: str
    path: str
    target: bytes
    headers: Mapping[str, str]
    doubled: frozenset[str] = field(default_factory=frozenset)

    @property
    def is_open(self) -> bool:
        """Say whether this is one of the three that must work before a sign-in: shell, its files, the sign-in."""
        if self.method == "GET":
            return self.path == SHELL or self.path.startswith(ASSETS)
        return self.method == "POST" and self.path == SIGN_IN


class Guard:
    """ASGI middleware around the whole application."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        hosts: Callable[[], frozenset[str]],
        cookie: str,
        device: Callable[[str], Known | None],
    ) -> None:
        """`hosts`: values of Host that are ours. `cookie`: name of the session's. `device`: who a token belongs to."""
        self._app, self._hosts, self._cookie, self._device = app, hosts, cookie, device

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":  # there are no WebSockets here
            await send({"type": "websocket.close", "code": 1008})
            return
        request = _read(scope)
        refusal = self._refusal(request, scope)
        if refusal is not None:
            await _answer(send, refusal)
            return
        if request.method in CHANGING:
            body = await _body(request, receive)
            if isinstance(body, _Refusal):
                await _answer(send, body)
                return
            receive = _replayed(body, receive)
        await self._app(scope, receive, _with_headers(send, request))

    def _refusal(self, request: _Request, scope: Scope) -> _Refusal | None:
        host = request.headers.get("host", "")
        if "host" in request.doubled or host not in self._hosts():
            return _Refusal(status=421, error="This name is not served here.")
        if not request.target.startswith(b"/"):
            return _Refusal(status=421, error="Only paths are served here.")
        if request.method not in METHODS or not _is_same_origin(request, host):
            return _Refusal(status=403, error="Not from here.")
        if request.is_open:
            return None
        device = self._device(_cookie_of(request, self._cookie))
        if device is None:
            return _Refusal(status=401, error="Not signed in.")
        scope.setdefault("state", {})["device"] = device
        return None


def _read(scope: Scope) -> _Request:
    headers: dict[str, str] = {}
    doubled = set()
    for raw_name, raw_value in scope["headers"]:
        name = raw_name.decode("latin-1").lower()
        if name in headers:
            doubled.add(name)
        headers[name] = raw_value.decode("latin-1")
    target = scope.get("raw_path") or scope["path"].encode("utf-8", "surrogateescape")
    return _Request(
        method=scope["method"],
        path=scope["path"],
        target=target,
        headers=headers,
        doubled=frozenset(doubled),
    )


def _is_same_origin(request: _Request, host: str) -> bool:
    """Say whether the request comes from our own page, or from the person at the browser."""
    if request.doubled & {"origin", "sec-fetch-site", "sec-fetch-mode", "sec-fetch-dest", "cookie"}:
        return False
    origin = request.headers.get("origin")
    if origin is not None and origin not in _origins(host):
        return False
    site = request.headers.get("sec-fetch-site", "none")
    if request.method in CHANGING:
        return origin is not None and site in ("same-origin", "none")
    if site in ("same-origin", "none"):
        return True
    # a link may lead here, such as that of the file which signs a browser in; a frame or a script may not
    is_visit = request.headers.get("sec-fetch-mode") == "navigate"
    return (
        request.path == SHELL and is_visit and request.headers.get("sec-fetch-dest") == "document"
    )


def _origins(host: str) -> tuple[str, ...]:
    """Return what a page of ours says that it comes from: from another machine over HTTPS only."""
    if host.partition(":")[0] in ("127.0.0.1", "localhost"):
        return (f"http://{host}", f"https://{host}")
    return (f"https://{host}",)


def _cookie_of(request: _Request, wanted: str) -> str:
    for part in request.headers.get("cookie", "").split(";"):
        name, _, value = part.strip().partition("=")
        if name == wanted:
            return value
    return ""


async def _body(request: _Request, receive: Receive) -> bytes | _Refusal:
    """Return the whole body, which is JSON, small, and comes soon."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json" or "content-type" in request.doubled:
        return _Refusal(status=415, error="Only JSON is taken here.")
    parts = bytearray()
    with anyio.move_on_after(BODY_S):
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return _Refusal(status=400, error="The request broke off.")
            parts += message.get("body", b"")
            if len(parts) > BODY_LIMIT:
                return _Refusal(status=413, error="The request is too large.")
            if not message.get("more_body", False):
                return bytes(parts)
    return _Refusal(status=408, error="The request came too slowly.")


def _replayed(body: bytes, receive: Receive) -> Receive:
    waiting = [body]

    async def replay() -> Message:
        if waiting:
            return {"type": "http.request", "body": waiting.pop(), "more_body": False}
        return await receive()

    return replay


def _with_headers(send: Send, request: _Request) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            own = dict(_HEADERS)
            if not request.path.startswith(ASSETS):
                own["cache-control"] = "no-store"
            names = {name.encode() for name in own}
            kept = [pair for pair in message["headers"] if pair[0].lower() not in names]
            added = [(name.encode(), value.encode()) for name, value in own.items()]
            message = {**message, "headers": [*kept, *added]}
        await send(message)

    return sending


async def _answer(send: Send, refusal: _Refusal) -> None:
    body = json.dumps({"error": refusal.error, "hint": ""}).encode()
    headers = {
        **_HEADERS,
        "cache-control": "no-store",
        "content-type": "application/json",
        "content-length": str(len(body)),
        "connection": "close",
    }
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": refusal.status, "headers": raw})
    await send({"type": "http.response.body", "body": body})
