"""A tunnel to an opaque host: bytes both ways, unseen, counted and recorded as such."""

from __future__ import annotations

from dataclasses import dataclass

import anyio
from anyio.abc import ByteStream

from deskmate.connectors.egress.address import Target
from deskmate.connectors.egress.exchange import BROKEN, Desk, why_of
from deskmate.connectors.egress.outside import CONNECT_S
from deskmate.connectors.egress.peer import Peer
from deskmate.connectors.egress.policy import Verdict
from deskmate.connectors.egress.resolving import resolve
from deskmate.errors import ToolDenied
from deskmate.types.network import TUNNEL, Sending

_READ_BYTES = 1 << 15
_HELLO = 0x16
"""First byte of a TLS handshake; a tunnel carries nothing else."""


@dataclass(slots=True)
class _Counts:
    sent: int = 0
    received: int = 0
    why: str = ""


class Tunnel:
    """One tunnel of a guest."""

    def __init__(self, desk: Desk, guest: Peer) -> None:
        self._desk = desk
        self._guest = guest

    async def carry_out(self, target: Target) -> None:
        """Check, record, connect, and carry bytes until one side ends."""
        try:
            verdict = self._desk.policy.check(target, TUNNEL)
            why = self._desk.budget.why_not(target.host, 0, self._desk.policy)
            if why or not verdict.allowed:
                raise ToolDenied(why or verdict.why)
            addresses = await resolve(target.host, self._desk.outside.resolver)
            await self._ask(target)
        except Exception as error:  # noqa: BLE001 - fail closed: whatever goes wrong here is a no
            why = why_of(error)
            await self._desk.records.asked(target, TUNNEL, Verdict(allowed=False, why=why))
            await self._guest.answer(403, why)
            return
        number = await self._desk.records.asked(target, TUNNEL, verdict)
        counts = _Counts(why="the machine stopped waiting for it")
        try:
            await self._carry(target, addresses, counts)
        finally:
            await self._desk.records.ended(number, None, counts.sent, counts.received, counts.why)

    async def _ask(self, target: Target) -> None:
        """Refuse what nobody could be shown. Raises ToolDenied."""
        keeper = self._desk.keeper
        if keeper is not None and keeper.asks(TUNNEL, trusted=False):
            await keeper.permit(
                Sending(method=TUNNEL, url=f"{target.host}:{target.port}", body=None)
            )

    async def _carry(self, target: Target, addresses: tuple[str, ...], counts: _Counts) -> None:
        import h11  # noqa: PLC0415

        server = await self._connect(target, addresses)
        if server is None:
            counts.why = f"{target.host} cannot be reached"
            await self._guest.answer(502, counts.why)
            return
        try:
            await self._guest.send(h11.Response(status_code=200, headers=[], reason=b"Tunnelled"))
            with anyio.move_on_after(self._desk.budget.limits.request_s) as scope:
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(self._up, target, server, counts, tasks.cancel_scope)
                    tasks.start_soon(self._down, server, counts, tasks.cancel_scope)
            if scope.cancelled_caught:
                counts.why = "it was open for too long"
        finally:
            await anyio.aclose_forcefully(server)

    async def _connect(self, target: Target, addresses: tuple[str, ...]) -> ByteStream | None:
        for address in addresses:
            try:
                with anyio.fail_after(CONNECT_S):
                    return await self._desk.outside.connect(address, target.port)
            except OSError:
                continue
        return None

    async def _up(
        self, target: Target, server: ByteStream, counts: _Counts, scope: anyio.CancelScope
    ) -> None:
        budget, policy = self._desk.budget, self._desk.policy
        counts.why = ""
        try:
            while True:
                data = await self._guest.stream.receive(_READ_BYTES)
                if not counts.sent and data[0] != _HELLO:
                    counts.why = "it does not begin as TLS does"
                    break
                counts.why = budget.why_not(target.host, len(data), policy)
                if counts.why:
                    break
                budget.sent[target.host] += len(data)
                counts.sent += len(data)
                await server.send(data)
        except anyio.EndOfStream:
            with anyio.move_on_after(1):
                await server.send_eof()
            return
        except BROKEN:
            pass
        scope.cancel()

    async def _down(self, server: ByteStream, counts: _Counts, scope: anyio.CancelScope) -> None:
        try:
            while True:
                data = await server.receive(_READ_BYTES)
                counts.received += len(data)
                self._desk.budget.received += len(data)
                if not self._desk.budget.may_receive(counts.received):
                    counts.why = "the byte budget is used up"
                    break
                await self._guest.stream.send(data)
        except BROKEN:
            pass
        scope.cancel()
