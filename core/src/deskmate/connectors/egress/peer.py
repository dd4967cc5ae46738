"""HTTP/1.1 over one byte stream, parsed by h11: every wait has a deadline, every head a limit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
from anyio.abc import ByteStream

if TYPE_CHECKING:
    import h11

GUEST_HEAD_BYTES = 32 << 10
SERVER_HEAD_BYTES = 64 << 10
_READ_BYTES = 1 << 15


class Peer:
    """One side's connection. `receive` gives h11 events, `send` takes them."""

    def __init__(self, stream: ByteStream, *, server: bool, idle_s: float) -> None:
        """`server`: the other side is a server, we ask. `idle_s`: longest wait for its next bytes."""
        import h11  # noqa: PLC0415 - only where a VM has a way out

        role, limit = (h11.CLIENT, SERVER_HEAD_BYTES) if server else (h11.SERVER, GUEST_HEAD_BYTES)
        self.stream = stream
        self.http = h11.Connection(role, max_incomplete_event_size=limit)
        self.received = 0
        self.sent = 0
        self.answered = False
        self._idle_s = idle_s
        self._bodiless = False
        self._request = h11.Request
        self._need_data, self._goes_on = (
            h11.NEED_DATA,
            h11.InformationalResponse(status_code=100, headers=[]),
        )

    async def receive(self) -> h11.Event | type[h11.PAUSED]:
        """Return the next event. Raises h11.RemoteProtocolError, TimeoutError, or that the stream broke."""
        while (event := self.http.next_event()) is self._need_data:
            if self.http.they_are_waiting_for_100_continue:
                await self.send(self._goes_on)
            with anyio.fail_after(self._idle_s):
                try:
                    data = await self.stream.receive(_READ_BYTES)
                except anyio.EndOfStream:
                    data = b""
            self.received += len(data)
            self.http.receive_data(data)
        if isinstance(event, self._request):
            self._bodiless = event.method == b"HEAD"
        return event  # type: ignore[return-value]

    async def send(self, event: h11.Event) -> None:
        """Send an event; a side that does not take it in time is given up."""
        data = self.http.send(event)
        if data:
            self.sent += len(data)
            with anyio.fail_after(self._idle_s):
                await self.stream.send(data)

    async def answer(self, status: int, why: str) -> None:
        """Send a whole answer of our own in plain text, and say that the connection ends."""
        import h11  # noqa: PLC0415

        self.answered = True
        body = f"Deskmate: {why}\n".encode()
        headers = [
            ("content-type", "text/plain; charset=utf-8"),
            ("content-length", str(len(body))),
            ("connection", "close"),
            ("x-deskmate", "refused" if status == 403 else "failed"),
        ]
        reason = f"Deskmate: {why}".encode("ascii", "replace")[:200]
        await self.send(h11.Response(status_code=status, headers=headers, reason=reason))
        if not self._bodiless:
            await self.send(h11.Data(data=body))
        await self.send(h11.EndOfMessage())
