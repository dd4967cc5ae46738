"""A broker's gateway without a VM: one connection at a time, as a program in the guest would make it."""

from __future__ import annotations

import socket
import ssl
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TypeVar

import anyio
from anyio.abc import ByteStream
from anyio.streams.tls import TLSStream

from deskmate.connectors.egress.broker import Broker
from deskmate.connectors.egress.budget import Budget
from deskmate.connectors.egress.gateway import Gateway
from deskmate.connectors.egress.policy import NetworkPolicy
from deskmate.ports import Gatekeeper
from deskmate.sandbox.channel import Channel
from deskmate.testing.fake_internet import FakeInternet
from deskmate.types.events import EgressAsked, EgressEnded, Payload
from deskmate.types.network import NetworkLimits, NetworkRule, SecretGrant

P = TypeVar("P", bound=Payload)


@dataclass(slots=True)
class Reply:
    """What came back. `status` 0: nothing that could be read."""

    status: int
    head: bytes
    body: bytes

    def __contains__(self, text: str) -> bool:
        return text.encode() in self.head + self.body


@dataclass(slots=True)
class Gate:
    """A gateway, and the facts that it stored."""

    broker: Broker
    facts: list[Payload] = field(default_factory=list)

    def all(self, kind: type[P]) -> list[P]:
        """Return the facts of one kind."""
        return [fact for fact in self.facts if isinstance(fact, kind)]

    @property
    def asked(self) -> list[EgressAsked]:
        return self.all(EgressAsked)

    @property
    def ended(self) -> list[EgressEnded]:
        return self.all(EgressEnded)

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[ByteStream]:
        """Yield a guest's connection to its proxy."""
        near, far = socket.socketpair()
        guest = Channel(near)
        host = Channel(far)

        async def serve() -> None:
            gateway = Gateway(self.broker._desk, self.broker._authority)
            try:
                await gateway.serve(host)
            finally:
                await anyio.aclose_forcefully(host)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(serve)
            try:
                with anyio.fail_after(30):
                    yield guest
            finally:
                await anyio.aclose_forcefully(guest)

    async def raw(self, data: bytes) -> Reply:
        """Send bytes to the proxy and return what it says until it hangs up."""
        async with self.connected() as guest:
            with suppress(anyio.BrokenResourceError):  # it may hang up before it has read all
                await guest.send(data)
                await guest.send_eof()
            return parse(await read_all(guest))

    async def plain(self, url: str, method: str = "GET", headers: Iterable[str] = ()) -> Reply:
        """Ask for an absolute URL without TLS."""
        host = url.split("://", 1)[-1].split("/", 1)[0]
        lines = [f"{method} {url} HTTP/1.1", f"Host: {host}", *headers, "Connection: close", "", ""]
        return await self.raw("\r\n".join(lines).encode("latin-1"))

    async def https(
        self,
        host: str,
        path: str = "/",
        method: str = "GET",
        headers: Sequence[str] = (),
        body: bytes = b"",
        *,
        inner_host: str | None = None,
        sni: str | None = None,
    ) -> Reply:
        """CONNECT, TLS with the VM's authority, one request."""
        async with self.connected() as guest:
            await guest.send(f"CONNECT {host}:443 HTTP/1.1\r\nHost: {host}:443\r\n\r\n".encode())
            first = await guest.receive()
            if not first.startswith(b"HTTP/1.1 200"):
                return parse(first + await read_all(guest))
            trust = ssl.create_default_context(cadata=self.broker.trust)
            tls = await TLSStream.wrap(
                guest, hostname=sni or host, ssl_context=trust, standard_compatible=False
            )
            length = [f"Content-Length: {len(body)}"] if body else []
            lines = [f"{method} {path} HTTP/1.1", f"Host: {inner_host or host}", *length, *headers]
            await tls.send("\r\n".join([*lines, "Connection: close", "", ""]).encode("latin-1"))
            if body:
                await tls.send(body)
            return parse(await read_all(tls))


async def read_all(stream: ByteStream) -> bytes:
    got = b""
    try:
        while True:
            got += await stream.receive()
    except (anyio.EndOfStream, anyio.BrokenResourceError):
        return got


def parse(data: bytes) -> Reply:
    head, _, body = data.partition(b"\r\n\r\n")
    words = head.split(b" ", 2)
    status = int(words[1]) if len(words) > 1 and words[1].isdigit() else 0
    if b"\r\ntransfer-encoding: chunked" in head.lower():
        body = b"".join(_chunks(body))
    return Reply(status, head, body)


def _chunks(body: bytes) -> Iterable[bytes]:
    while body:
        size, _, rest = body.partition(b"\r\n")
        if not (length := int(size or b"0", 16)):
            return
        yield rest[:length]
        body = rest[length + 2 :]


def make_gate(
    net: FakeInternet,
    *rules: NetworkRule,
    secrets: Sequence[SecretGrant] = (),
    values: dict[tuple[str, str], str] | None = None,
    limits: NetworkLimits | None = None,
    before: Sequence[Payload] = (),
    keeper: Gatekeeper | None = None,
) -> Gate:
    """Return a gateway under these rules. `keeper`: with it, pages may be read."""
    facts: list[Payload] = []

    async def record(fact: Payload) -> None:
        facts.append(fact)

    policy = NetworkPolicy(rules=rules, secrets=tuple(secrets), web=keeper is not None)
    budget = Budget(limits or NetworkLimits(), before)
    broker = Broker(policy, net.outside, record, secrets=values, budget=budget, keeper=keeper)
    return Gate(broker, facts)
