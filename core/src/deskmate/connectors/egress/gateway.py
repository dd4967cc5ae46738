"""A guest's connection to its proxy, which ends here: CONNECT or absolute URLs, TLS ended with the VM's own CA."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import anyio
from anyio.abc import ByteStream
from anyio.streams.tls import TLSStream

from deskmate.connectors.egress.address import PORTS, Target, parse_authority, parse_url, shown
from deskmate.connectors.egress.certificates import Authority
from deskmate.connectors.egress.exchange import (
    BROKEN,
    Denied,
    Desk,
    Exchange,
    GuestGone,
)
from deskmate.connectors.egress.peer import Peer
from deskmate.connectors.egress.policy import Verdict
from deskmate.connectors.egress.tunnel import Tunnel
from deskmate.errors import ToolDenied
from deskmate.types.network import TUNNEL

if TYPE_CHECKING:
    import h11

HANDSHAKE_S = 30.0
_ENDED = (*BROKEN, TimeoutError, Denied, GuestGone)
_NOWHERE = Target(scheme="https", host="", port=0, path="")


class Gateway:
    """Serves the connections of one VM."""

    def __init__(self, desk: Desk, authority: Authority) -> None:
        self._desk = desk
        self._authority = authority

    async def serve(self, stream: ByteStream) -> None:
        """Serve one connection to its end. Raises ProtocolError, and what the thread's store raises."""
        import h11  # noqa: PLC0415

        peer = Peer(stream, server=False, idle_s=self._desk.budget.limits.idle_s)
        try:
            event = await peer.receive()
            if isinstance(event, h11.Request) and event.method == b"CONNECT":
                await self._connect(peer, event)
            elif isinstance(event, h11.Request):
                await self._requests(peer, event, None)
        except h11.RemoteProtocolError as error:
            await self._malformed(peer, error)
        except (*_ENDED, h11.LocalProtocolError):
            pass

    async def _malformed(self, peer: Peer, error: h11.RemoteProtocolError) -> None:
        """Record and answer what is not HTTP."""
        why = f"this is no request that can be understood: {shown(str(error))}"
        await self._desk.records.asked(_NOWHERE, "?", Verdict(allowed=False, why=why))
        try:
            if not peer.answered:
                await peer.answer(error.error_status_hint, why)
        except Exception:  # noqa: BLE001 - the connection is over either way; h11 raises many things here
            return

    async def _requests(self, peer: Peer, event: object, place: Target | None) -> None:
        """Carry the requests of one connection out, one after the other. `place`: inside TLS, its host."""
        import h11  # noqa: PLC0415

        while isinstance(event, h11.Request):
            exchange = Exchange(self._desk, peer)
            text = event.target.decode("latin-1")
            try:
                target = place.at(text) if place else parse_url(text)
            except ToolDenied as error:
                await exchange.refuse(event, place or _NOWHERE, error.message)
                return
            if place is None and target.scheme == "https":
                # a proxy is asked for https by CONNECT; this would be read in clear by whoever is between
                await exchange.refuse(event, target, "ask for https with CONNECT")
                return
            await exchange.carry_out(event, target)
            if peer.http.our_state is not h11.DONE or peer.http.their_state is not h11.DONE:
                return
            peer.http.start_next_cycle()
            peer.answered = False
            event = await peer.receive()

    # CONNECT

    async def _connect(self, peer: Peer, request: h11.Request) -> None:
        import h11  # noqa: PLC0415

        exchange = Exchange(self._desk, peer)
        try:
            host, port = parse_authority(request.target.decode("latin-1"))
            target = Target(scheme="https", host=host, port=port)
            if port != PORTS["https"]:
                raise ToolDenied(f"port {port} is not allowed; only {PORTS['https']} is")
        except ToolDenied as error:
            await exchange.refuse(request, _NOWHERE, error.message)
            return
        if self._desk.policy.is_opaque(host):
            await Tunnel(self._desk, peer).carry_out(target)
            return
        await peer.send(h11.Response(status_code=200, headers=[], reason=b"Connection established"))
        await self._inside(peer, target)

    async def _inside(self, outer: Peer, target: Target) -> None:
        """End the TLS of a connection and serve the requests in it.

        That is done for hosts that are not allowed too: what the guest then reads is the reason.
        """
        import h11  # noqa: PLC0415

        early, _ = outer.http.trailing_data
        before = self._desk.budget.requests
        why = "the connection ended before a request"
        try:
            if early:
                raise GuestGone  # nothing may be said before we agreed
            with anyio.fail_after(HANDSHAKE_S):
                stream = await TLSStream.wrap(
                    outer.stream,
                    server_side=True,
                    ssl_context=self._authority.context(target.host),
                    standard_compatible=False,
                )
            peer = Peer(stream, server=False, idle_s=self._desk.budget.limits.idle_s)
            try:
                await self._requests(peer, await peer.receive(), target)
            except h11.RemoteProtocolError as error:
                await self._malformed(peer, error)
            except _ENDED:
                pass
            await _close(stream)
        except ssl.SSLError as error:
            why = f"TLS failed: {error.reason or 'no reason'}"
        except _ENDED:
            pass
        if self._desk.budget.requests == before:
            verdict = Verdict(allowed=False, why=why)
            await self._desk.records.asked(target.at("/"), TUNNEL, verdict)


async def _close(stream: ByteStream) -> None:
    """Say goodbye in TLS too: without it some clients take the answer for cut."""
    with anyio.move_on_after(2):
        try:
            if isinstance(stream, TLSStream):
                await stream.unwrap()
        except BROKEN:
            return
