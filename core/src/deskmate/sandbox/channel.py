"""One end of a UNIX socket pair as a byte stream: how the host talks to QEMU and, through it, to a guest."""

from __future__ import annotations

import socket
from array import array
from collections.abc import Sequence

import anyio
from anyio.abc import ByteStream
from anyio.lowlevel import checkpoint


class Channel(ByteStream):
    """A stream over a connected socket, which it owns.

    anyio's own stream hands its future to the event loop; a receive that is cancelled in the moment
    when bytes arrive then leaves a traceback on the user's terminal. `wait_readable` has no such gap.
    """

    def __init__(self, end: socket.socket) -> None:
        end.setblocking(False)
        self._socket = end
        self._closed = False

    async def receive(self, max_bytes: int = 65536) -> bytes:
        """Return what is there, waiting for at least one byte; what a cancelled call leaves is still there.

        Raises EndOfStream, BrokenResourceError, ClosedResourceError.
        """
        await checkpoint()
        while True:
            try:
                data = self._socket.recv(max_bytes)
            except BlockingIOError:
                await anyio.wait_readable(self._socket)
            except OSError as error:
                raise self._ended() from error
            else:
                if not data:
                    raise anyio.EndOfStream
                return data

    async def send(self, item: bytes) -> None:
        """Send all of it. Raises BrokenResourceError, ClosedResourceError."""
        await self.send_fds(item, ())

    async def send_fds(self, item: bytes, fds: Sequence[int]) -> None:
        """Send all of it, and copies of the descriptors with its first byte."""
        await checkpoint()
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array("i", fds))] if fds else []
        view = memoryview(item)
        while view:
            try:
                sent = self._socket.sendmsg([view], rights)
            except BlockingIOError:
                await anyio.wait_writable(self._socket)
            except OSError as error:
                raise self._ended() from error
            else:
                view, rights = view[sent:], []

    async def send_eof(self) -> None:
        """Tell the other end that nothing more comes."""
        self._socket.shutdown(socket.SHUT_WR)

    async def aclose(self) -> None:
        """Close it; who waits on it gets ClosedResourceError."""
        if not self._closed:
            self._closed = True
            anyio.notify_closing(self._socket)
            self._socket.close()
        await checkpoint()

    def _ended(self) -> Exception:
        return anyio.ClosedResourceError() if self._closed else anyio.BrokenResourceError()
