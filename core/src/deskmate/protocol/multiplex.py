"""The host's end of many streams over one port, to a guest that may send anything at all."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import anyio
from anyio.abc import ByteStream

from deskmate.errors import ProtocolError
from deskmate.types.muxing import (
    FRAME_LIMIT_BYTES,
    MAX_STREAMS,
    WINDOW_BYTES,
    Frame,
    FrameKind,
    MuxBuffer,
    credit,
    encode_frame,
    reset,
)

Serve = Callable[[ByteStream], Awaitable[None]]
SEND_S = 60.0
"""How long a guest may leave the port unread before it is given up."""
STREAMS_LIMIT = 50_000
NOISE_LIMIT = 10_000
"""Frames in a row of streams that are closed, after which a guest is only noise."""
_READ_BYTES = 1 << 16
_CREDIT_STEP = WINDOW_BYTES // 4


class GuestStream(ByteStream):
    """One stream that the guest opened. It never holds more than one window of bytes."""

    def __init__(self, mux: Multiplexer, number: int) -> None:
        self._mux = mux
        self.number = number
        self._buffer = bytearray()
        self._room = WINDOW_BYTES  # what the guest may still send
        self._taken = 0
        self._credit = WINDOW_BYTES  # what we may still send
        self._ended = False
        self._end_sent = False
        self.gone = False
        self._changed = anyio.Event()

    async def receive(self, max_bytes: int = 65536) -> bytes:
        """Return the next bytes. Raises EndOfStream, BrokenResourceError."""
        while not self._buffer:
            if self.gone:
                raise anyio.BrokenResourceError
            if self._ended:
                raise anyio.EndOfStream
            await self._wait()
        data = bytes(self._buffer[:max_bytes])
        del self._buffer[:max_bytes]
        self._taken += len(data)
        if self._taken >= _CREDIT_STEP and not self._ended and not self.gone:
            taken, self._taken = self._taken, 0
            self._room += taken
            await self._mux.send(credit(self.number, taken))
        return data

    async def send(self, item: bytes) -> None:
        """Send bytes as the guest makes room. Raises BrokenResourceError."""
        view = memoryview(item)
        while view:
            while not self._credit and not self.gone:
                await self._wait()
            if self.gone or self._end_sent:
                raise anyio.BrokenResourceError
            size = min(len(view), self._credit, FRAME_LIMIT_BYTES)
            self._credit -= size
            await self._mux.send(Frame(FrameKind.DATA, self.number, bytes(view[:size])))
            view = view[size:]

    async def send_eof(self) -> None:
        """Say that no more bytes come from here."""
        if not self._end_sent and not self.gone:
            self._end_sent = True
            await self._mux.send(Frame(FrameKind.END, self.number))

    async def aclose(self) -> None:
        """End the stream, whatever its state."""
        if not self.gone:
            try:
                await self.send_eof()
                if not self._ended:
                    await self._mux.send(reset(self.number, "closed"))
            finally:
                self.drop()

    @property
    def extra_attributes(self) -> Mapping[Any, Callable[[], Any]]:
        """There are none."""
        return {}

    async def _wait(self) -> None:
        await self._changed.wait()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()

    # what the guest says

    def take(self, frame: Frame) -> None:
        """Take a frame of this stream. Raises ProtocolError if it breaks the rules."""
        match frame.kind:
            case FrameKind.DATA:
                self._room -= len(frame.payload)
                if self._ended or self._room < 0:
                    raise ProtocolError("it sends more than there is room for")
                self._buffer += frame.payload
            case FrameKind.CREDIT:
                self._credit += frame.count
                if self._credit > WINDOW_BYTES:
                    raise ProtocolError("it gives more room than there is")
            case FrameKind.END:
                if self._ended:
                    raise ProtocolError("it ends a stream twice")
                self._ended = True
            case _:
                self.drop()
        self._wake()

    def drop(self) -> None:
        """Mark the stream as gone; whoever waits for it is told."""
        self.gone = True
        self._buffer.clear()
        self._wake()


class Multiplexer:
    """Reads the port, and runs `serve` for every stream that the guest opens."""

    def __init__(self, port: ByteStream, serve: Serve) -> None:
        self._port = port
        self._serve = serve
        self._streams: dict[int, GuestStream] = {}
        self._last = 0
        self._opened = self._noise = 0
        self._writing = anyio.Lock()
        self._over = False

    async def run(self) -> None:
        """Serve until the port ends. Raises ProtocolError when the guest breaks a rule, and what `serve` raises."""
        try:
            async with anyio.create_task_group() as tasks:
                try:
                    await self._read(tasks.start_soon)
                except (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError):
                    pass
                finally:
                    self._over = True
                    tasks.cancel_scope.cancel()
        except BaseExceptionGroup as group:
            first: BaseException = group
            while isinstance(first, BaseExceptionGroup):
                first = first.exceptions[0]
            raise first from None

    async def send(self, frame: Frame) -> None:
        """Write a frame whole. Raises ProtocolError if the guest does not read, BrokenResourceError."""
        async with self._writing:
            if self._over:
                raise anyio.BrokenResourceError
            try:
                # half a frame must not stay behind when the caller is cancelled
                with anyio.CancelScope(shield=True), anyio.fail_after(SEND_S):
                    await self._port.send(encode_frame(frame))
            except TimeoutError as error:
                self._over = True
                raise ProtocolError(f"it has not read its egress port for {SEND_S:g} s") from error
            except anyio.ClosedResourceError as error:
                raise anyio.BrokenResourceError from error

    async def _read(self, start: Callable[..., object]) -> None:
        frames = MuxBuffer()
        while True:
            for frame in frames.feed(await self._port.receive(_READ_BYTES)):
                if frame.kind is FrameKind.OPEN:
                    await self._open(frame.stream, start)
                elif stream := self._streams.get(frame.stream):
                    stream.take(frame)
                elif frame.stream > self._last:
                    raise ProtocolError("a frame is of a stream that was never opened")
                else:
                    self._noise += 1  # of a stream that ended meanwhile
                    if self._noise > NOISE_LIMIT:
                        raise ProtocolError("it sends frames of closed streams without end")

    async def _open(self, number: int, start: Callable[..., object]) -> None:
        if number <= self._last:
            raise ProtocolError("numbers of streams do not grow")
        self._last = number
        self._noise = 0
        self._opened += 1
        if self._opened > STREAMS_LIMIT:
            raise ProtocolError("it opens streams without end")
        if len(self._streams) >= MAX_STREAMS:
            # while the guest does not take this answer, nothing more of it is read
            await self.send(reset(number, f"at most {MAX_STREAMS} connections at one time"))
            return
        stream = self._streams[number] = GuestStream(self, number)
        start(self._serve_one, stream)

    async def _serve_one(self, stream: GuestStream) -> None:
        try:
            await self._serve(stream)
        finally:
            with anyio.move_on_after(5, shield=True):
                try:
                    await stream.aclose()
                except anyio.BrokenResourceError:
                    stream.drop()
            del self._streams[stream.number]
