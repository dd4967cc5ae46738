"""An internet in this process: named servers behind made-up public addresses, every byte they get recorded."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import anyio
from anyio.abc import ByteStream, TaskGroup
from anyio.streams.tls import TLSStream

from deskmate.connectors.egress.certificates import Authority
from deskmate.connectors.egress.outside import Outside
from deskmate.sandbox.channel import Channel


@dataclass(frozen=True, slots=True, kw_only=True)
class FakeRequest:
    """What a fake server was asked. Names of headers are in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class FakeAnswer:
    """What it answers. Where `headers` promise more than `body` has, it breaks off."""

    status: int = 200
    headers: Sequence[tuple[str, str]] = ()
    body: bytes = b""


Answer = Callable[[FakeRequest], FakeAnswer]
RawServer = Callable[[ByteStream], Awaitable[None]]


@dataclass(slots=True)
class FakeServer:
    """One server. `heard`: all it was sent, TLS taken off. `requests`: the same, read."""

    name: str
    answer: Answer | None
    raw: RawServer | None
    authority: Authority
    heard: bytearray = field(default_factory=bytearray)
    requests: list[FakeRequest] = field(default_factory=list)


class FakeInternet:
    """Use it as an async context manager; `outside` is what a broker is given."""

    def __init__(self) -> None:
        self.authority = Authority()
        self.servers: dict[str, FakeServer] = {}
        self.names: dict[str, Sequence[str]] = {}
        self.asked: list[str] = []
        self.connections: list[tuple[str, int]] = []
        self._by_address: dict[str, FakeServer] = {}
        self._tasks: TaskGroup = anyio.create_task_group()

    async def __aenter__(self) -> Self:
        """Begin to serve."""
        await self._tasks.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End every connection."""
        self._tasks.cancel_scope.cancel()
        await self._tasks.__aexit__(None, None, None)

    def add(
        self,
        name: str,
        answer: Answer | None = None,
        *,
        raw: RawServer | None = None,
        authority: Authority | None = None,
    ) -> FakeServer:
        """Put a server on the net: on 443 with TLS, on 80 without.

        `raw`: it speaks for itself. `authority`: who vouches for it, else the one that is trusted.
        """
        address = f"93.184.216.{len(self._by_address) + 1}"
        server = FakeServer(name, answer, raw, authority or self.authority)
        self.servers[name] = self._by_address[address] = server
        self.names[name] = (address,)
        return server

    @property
    def outside(self) -> Outside:
        """The world as a broker sees it."""
        return Outside(
            resolver=self._resolve,
            connect=self._connect,
            trust=lambda: ssl.create_default_context(cadata=self.authority.pem),
            roots=lambda: self.authority.pem,
        )

    async def _resolve(self, host: str) -> Sequence[str]:
        self.asked.append(host)
        if host not in self.names:
            raise OSError("no such name")
        return self.names[host]

    async def _connect(self, address: str, port: int) -> ByteStream:
        self.connections.append((address, port))
        server = self._by_address.get(address)
        if server is None:
            raise ConnectionRefusedError
        near, far = socket.socketpair()
        stream = Channel(near)
        self._tasks.start_soon(self._serve, server, Channel(far), port)
        return stream

    async def _serve(self, server: FakeServer, stream: ByteStream, port: int) -> None:
        try:
            if port == 443:
                context = server.authority.context(server.name)
                stream = await TLSStream.wrap(
                    stream, server_side=True, ssl_context=context, standard_compatible=False
                )
            if server.raw is not None:
                await server.raw(stream)
            else:
                await _serve_http(server, stream)
        except (anyio.BrokenResourceError, anyio.EndOfStream, ssl.SSLError, OSError):
            pass
        finally:
            await anyio.aclose_forcefully(stream)


async def _serve_http(server: FakeServer, stream: ByteStream) -> None:
    import h11  # noqa: PLC0415

    http = h11.Connection(h11.SERVER)
    head: h11.Request | None = None
    body = b""
    while True:
        event = http.next_event()
        if event is h11.NEED_DATA:
            try:
                data = await stream.receive()
            except anyio.EndOfStream:
                return
            server.heard += data
            http.receive_data(data)
        elif isinstance(event, h11.Request):
            head = event
        elif isinstance(event, h11.Data):
            body += bytes(event.data)
        else:
            break
    assert head is not None
    headers = {name.decode(): value.decode("latin-1") for name, value in head.headers}
    request = FakeRequest(
        method=head.method.decode(), path=head.target.decode(), headers=headers, body=body
    )
    server.requests.append(request)
    answer = server.answer(request) if server.answer else FakeAnswer(body=b"hello\n")
    listed = [*answer.headers]
    if not {name.lower() for name, _ in listed} & {"transfer-encoding", "content-length"}:
        listed.append(("content-length", str(len(answer.body))))
    await stream.send(http.send(h11.Response(status_code=answer.status, headers=listed)) or b"")
    if head.method != b"HEAD" and answer.body:
        await stream.send(http.send(h11.Data(data=answer.body)) or b"")
    with suppress(h11.LocalProtocolError):
        await stream.send(http.send(h11.EndOfMessage()) or b"")
