"""HTTP to a connector's server for the official client: each request checked, recorded, bounded, secrets taken out of answers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import anyio
import h11
import httpx2

from deskmate.connectors.egress.answer_body import AnswerBody
from deskmate.connectors.egress.budget import Budget
from deskmate.connectors.egress.exchange import BROKEN, dial, reason_of
from deskmate.connectors.egress.headers import Outgoing
from deskmate.connectors.egress.peer import Peer
from deskmate.connectors.egress.policy import Verdict
from deskmate.connectors.egress.records import Records
from deskmate.connectors.redaction import Redactor
from deskmate.connectors.way import Place, Way
from deskmate.errors import ToolDenied
from deskmate.types.events import Payload
from deskmate.types.network import NetworkLimits

ANSWER_BYTES = 8 << 20
"""The largest answer that is read; what is larger ends the call."""
REQUEST_BYTES = 4 << 20
IDLE_S = 120.0
"""The longest silence of a server in the middle of an answer."""
LISTENING_S = 3_600.0
"""The same where a server has nothing to say unless it asks something."""
_OURS = frozenset(
    (b"host", b"connection", b"accept-encoding", b"transfer-encoding", b"content-length")
)
_DROPPED = frozenset(
    (b"content-encoding", b"content-length", b"transfer-encoding", b"connection", b"set-cookie")
)


async def _no_record(payload: Payload) -> None:
    return None


@dataclass(slots=True, kw_only=True)
class Traffic:
    """What goes to one connector's server. `headers`: with the user's secrets; `secrets`: their names.

    `record`: stores each request before it is sent and how it ended; of a call in a thread, the thread's log.
    `listens`: a run is there to hear a server's questions. `redactor`: knows those secrets. `status`, `why`: how the last request to it went, for who must be told.
    `wants`: scopes that its login did not give.
    """

    way: Way
    headers: list[tuple[bytes, bytes]] = field(default_factory=list, repr=False)
    secrets: tuple[str, ...] = ()
    redactor: Redactor = field(default_factory=lambda: Redactor({}))
    record: Callable[[Payload], Awaitable[None]] = _no_record
    listens: bool = False
    status: int | None = None
    why: str = ""
    wants: str = ""


class GuardedTransport(httpx2.AsyncBaseTransport):
    """Carries requests out over connections of the broker's making, one each."""

    def __init__(self, traffic: Traffic) -> None:
        self._traffic = traffic

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send one request. Raises httpx2.TransportError with a reason that nobody else wrote."""
        traffic = self._traffic
        if not traffic.listens and _is_listening(request):
            return httpx2.Response(405, request=request)
        try:
            place = traffic.way.check(str(request.url))
            addresses = await traffic.way.addresses(place)
        except ToolDenied as error:
            await self._refused(request, error.message)
            raise self._failed(error.message) from error
        return await _Sending(traffic, request, place, addresses).send()

    async def _refused(self, request: httpx2.Request, why: str) -> None:
        home = self._traffic.way.home.target
        records = Records(self._traffic.record, Budget(NetworkLimits()))
        verdict = Verdict(allowed=False, why=f"connector {self._traffic.way.entry.name}: {why}")
        await records.asked(home, request.method, verdict)

    def _failed(self, why: str) -> httpx2.TransportError:
        self._traffic.why = why
        return httpx2.ConnectError(why)


def _is_listening(request: httpx2.Request) -> bool:
    """Say whether it opens the stream for what a server wants to say by itself: servers of the older generation ask there."""
    wants = request.headers.get("accept", "")
    alone = "text/event-stream" in wants and "last-event-id" not in request.headers
    return request.method == "GET" and alone


class _Sending:
    """One request on its way."""

    def __init__(
        self, traffic: Traffic, request: httpx2.Request, place: Place, addresses: tuple[str, ...]
    ) -> None:
        self._traffic, self._request, self._place = traffic, request, place
        self._addresses = addresses
        self._records = Records(traffic.record, Budget(NetworkLimits()))
        self._number = ""
        self._peer: Peer | None = None
        self._stream: Any = None
        self._status: int | None = None
        self._ended = False
        self._lines: _Lines | None = None
        self._is_home = traffic.way.is_server(str(request.url))

    async def send(self) -> httpx2.Response:
        body = await self._body()
        headers = self._headers(body)
        target, entry = self._place.target, self._traffic.way.entry
        verdict = Verdict(allowed=True, why=f"connector {entry.name}, named by the user")
        out = Outgoing(headers=[], stripped=(), secrets=self._secrets())
        size = len(target.path) + sum(len(n) + len(v) for n, v in headers) + len(body)
        self._number = await self._records.asked(target, self._request.method, verdict, out, size)
        try:
            self._stream = await dial(self._traffic.way.outside, target, self._addresses)
            idle_s = LISTENING_S if _is_listening(self._request) else IDLE_S
            self._peer = Peer(self._stream, server=True, idle_s=idle_s)
            await self._peer.send(
                h11.Request(method=self._request.method, target=target.path, headers=headers)
            )
            if body:
                await self._peer.send(h11.Data(data=body))
            await self._peer.send(h11.EndOfMessage())
            return await self._answer(await self._head())
        except (*BROKEN, h11.RemoteProtocolError, ToolDenied) as error:
            why = self._broken(error)
            await self.end(why)
            raise self._lost(why) from error
        except BaseException:
            await self.end("it was given up")
            raise

    def _broken(self, error: BaseException) -> str:
        if isinstance(error, ToolDenied):
            return error.message
        target = self._place.target
        what = "broke off" if self._peer is not None else "cannot be reached"
        return f"{target.host}:{target.port} {what} ({reason_of(error)})"

    def _lost(self, why: str) -> httpx2.TransportError:
        self._traffic.why = why
        return httpx2.ReadError(why) if self._peer else httpx2.ConnectError(why)

    def _secrets(self) -> tuple[str, ...]:
        return self._traffic.secrets if self._is_home else ()

    async def _body(self) -> bytes:
        assert isinstance(self._request.stream, httpx2.AsyncByteStream)
        held = bytearray()
        async for piece in self._request.stream:
            held += piece
            if len(held) > REQUEST_BYTES:
                raise self._lost(f"over {REQUEST_BYTES} bytes are too many for one request")
        return bytes(held)

    def _headers(self, body: bytes) -> list[tuple[bytes, bytes]]:
        target = self._place.target
        default = 443 if target.scheme == "https" else 80
        host = f"[{target.host}]" if ":" in target.host else target.host
        named = host if target.port == default else f"{host}:{target.port}"
        own = self._traffic.headers if self._is_home else []
        taken = _OURS | {name for name, _ in own}
        given = [(n.lower(), v) for n, v in self._request.headers.raw if n.lower() not in taken]
        headers = [(b"host", named.encode("ascii")), *given, *own]
        headers += [(b"accept-encoding", b"identity"), (b"connection", b"close")]
        if body or self._request.method in ("POST", "PUT"):
            headers.append((b"content-length", str(len(body)).encode()))
        return headers

    async def _head(self) -> h11.Response:
        assert self._peer is not None
        while True:
            event = await self._peer.receive()
            if isinstance(event, h11.Response):
                return event
            if not isinstance(event, h11.InformationalResponse) or event.status_code == 101:
                raise anyio.EndOfStream

    async def _answer(self, head: h11.Response) -> httpx2.Response:
        self._status = head.status_code
        if self._is_home:
            self._traffic.status = head.status_code
        given = [(bytes(name).lower(), bytes(value)) for name, value in head.headers]
        packed = (
            b",".join(v for n, v in given if n == b"content-encoding").decode("latin-1").lower()
        )
        # what a login's own server answers are the new tokens, which the client must have as they are
        redactor = self._traffic.redactor if self._is_home else Redactor({})
        in_lines = any(n == b"content-type" and b"event-stream" in v for n, v in given)
        scrubs = Redactor({}) if in_lines else redactor
        body = AnswerBody(packed.replace("identity", "").strip(), scrubs, ANSWER_BYTES)
        self._lines = _Lines(redactor) if in_lines else None
        headers = [(n, redactor.data(v)) for n, v in given if n not in _DROPPED]
        return httpx2.Response(
            head.status_code, headers=headers, stream=_Body(self, body), request=self._request
        )

    async def pieces(self, body: AnswerBody) -> AsyncIterator[bytes]:
        """Yield the answer's body, bounded and without secrets. Raises httpx2.ReadError."""
        assert self._peer is not None
        try:
            while not isinstance(event := await self._peer.receive(), h11.EndOfMessage):
                if not isinstance(event, h11.Data):
                    raise anyio.EndOfStream
                for piece in body.feed(bytes(event.data)):
                    yield self._lines.feed(piece) if self._lines else piece
            yield self._lines.end() if self._lines else body.end()
        except (*BROKEN, h11.RemoteProtocolError, ToolDenied) as error:
            why = self._broken(error)
            self._traffic.why = why
            await self.end(why)
            raise httpx2.ReadError(why) from error
        await self.end("")

    async def end(self, why: str) -> None:
        """Close the connection and store how the request ended, once."""
        if self._ended:
            return
        self._ended = True
        if self._stream is not None:
            await anyio.aclose_forcefully(self._stream)
        sent, received = (self._peer.sent, self._peer.received) if self._peer else (0, 0)
        await self._records.ended(self._number, self._status, sent, received, why)


class _Lines:
    """Takes secrets out of a stream of events without waiting for more than the line's end."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._held = b""

    def feed(self, data: bytes) -> bytes:
        """Return all lines that are whole; no secret has a line's end in it."""
        lines, end, self._held = (self._held + data).rpartition(b"\n")
        return self._redactor.data(lines + end)

    def end(self) -> bytes:
        """Return what was held back."""
        held, self._held = self._held, b""
        return self._redactor.data(held)


class _Body(httpx2.AsyncByteStream):
    """An answer's body as httpx2 reads it."""

    def __init__(self, sending: _Sending, body: AnswerBody) -> None:
        self._sending, self._answer_body = sending, body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._sending.pieces(self._answer_body):
            yield piece

    async def aclose(self) -> None:
        """End the request, wherever it stands."""
        with anyio.CancelScope(shield=True):
            await self._sending.end("")


def client_for(traffic: Traffic, auth: httpx2.Auth | None = None) -> httpx2.AsyncClient:
    """Return the client to give to the SDK: nothing of the environment, no redirects, no cookies.

    `auth`: adds a login to each request.
    """
    return httpx2.AsyncClient(
        transport=GuardedTransport(traffic),
        auth=auth,
        timeout=None,  # the transport has deadlines of its own
        follow_redirects=False,
        trust_env=False,
    )
