"""Many streams over one port: bytes arrive in order within their windows; a guest that breaks a rule is out."""

from __future__ import annotations

import random
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import anyio
import pytest
from anyio.abc import ByteStream

from deskmate.errors import ProtocolError
from deskmate.protocol import multiplex
from deskmate.protocol.multiplex import Multiplexer
from deskmate.sandbox.channel import Channel
from deskmate.types.muxing import (
    MAX_STREAMS,
    WINDOW_BYTES,
    Frame,
    FrameKind,
    MuxBuffer,
    credit,
    encode_frame,
)

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Guest:
    """The other end of a port, frame by frame."""

    def __init__(self, stream: Channel) -> None:
        self.stream = stream
        self._buffer = MuxBuffer()
        self._frames: list[Frame] = []

    async def say(self, *frames: Frame) -> None:
        await self.stream.send(b"".join(map(encode_frame, frames)))

    async def until_closed(self) -> None:
        with anyio.fail_after(10):
            try:
                while True:
                    await self.stream.receive()
            except (anyio.EndOfStream, anyio.BrokenResourceError):
                return

    async def next(self) -> Frame:
        with anyio.fail_after(10):
            while not self._frames:
                self._frames += self._buffer.feed(await self.stream.receive())
        return self._frames.pop(0)

    async def next_of(self, kind: FrameKind) -> Frame:
        while (frame := await self.next()).kind is not kind:
            pass
        return frame


@asynccontextmanager
async def joined(
    serve: Callable[[ByteStream], Awaitable[None]], failures: list[BaseException] | None = None
) -> AsyncIterator[Guest]:
    near, far = socket.socketpair()
    guest = Guest(Channel(near))
    port = Channel(far)

    async def run() -> None:
        try:
            await Multiplexer(port, serve).run()
        except ProtocolError as error:
            if failures is None:
                raise
            failures.append(error)
        finally:
            await anyio.aclose_forcefully(port)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run)
        try:
            yield guest
        finally:
            await anyio.aclose_forcefully(guest.stream)


async def echo(stream: ByteStream) -> None:
    try:
        while True:
            await stream.send(await stream.receive())
    except anyio.EndOfStream:
        await stream.send_eof()


async def hold(stream: ByteStream) -> None:
    await anyio.sleep(60)


def opened(number: int) -> Frame:
    return Frame(FrameKind.OPEN, number)


def data(number: int, content: bytes) -> Frame:
    return Frame(FrameKind.DATA, number, content)


async def test_streams_are_echoed_apart_and_ended() -> None:
    async with joined(echo) as guest:
        await guest.say(opened(1), opened(2), data(1, b"one"), data(2, b"two"))
        got = {}
        for _ in range(2):
            frame = await guest.next()
            got[frame.stream] = frame.payload
        assert got == {1: b"one", 2: b"two"}
        await guest.say(Frame(FrameKind.END, 1))
        assert (await guest.next()) == Frame(FrameKind.END, 1)
        await guest.say(data(2, b"still"))
        assert (await guest.next()) == data(2, b"still")


async def test_more_than_a_window_passes_as_room_is_given() -> None:
    whole = random.Random(1).randbytes(3 * WINDOW_BYTES)
    async with joined(echo) as guest:
        await guest.say(opened(1))
        sent, got, room = 0, b"", WINDOW_BYTES
        while len(got) < len(whole):
            while room >= 8192 and sent < len(whole):
                await guest.say(data(1, whole[sent : sent + 8192]))
                sent += 8192
                room -= 8192
            frame = await guest.next()
            if frame.kind is FrameKind.CREDIT:
                room += frame.count
            else:
                got += frame.payload
                await guest.say(credit(1, len(frame.payload)))
        assert got == whole


async def test_nothing_is_sent_without_room() -> None:
    sizes: list[int] = []

    async def floods(stream: ByteStream) -> None:
        await stream.send(bytes(10 * WINDOW_BYTES))

    async with joined(floods) as guest:
        await guest.say(opened(1))
        while sum(sizes) < WINDOW_BYTES:
            sizes.append(len((await guest.next()).payload))
        with anyio.move_on_after(0.05):
            await guest.next()
            pytest.fail("more came than there was room for")
        await guest.say(credit(1, 1000))
        assert len((await guest.next()).payload) == 1000


async def test_a_reset_ends_a_stream_and_its_late_frames_are_nobodys() -> None:
    ends: list[str] = []

    async def serve(stream: ByteStream) -> None:
        try:
            await stream.receive()
        except anyio.BrokenResourceError:
            ends.append("broken")

    async with joined(serve) as guest:
        await guest.say(opened(1), Frame(FrameKind.RESET, 1, b"gone"))
        await guest.say(
            data(1, b"late"), credit(1, 5), Frame(FrameKind.END, 1), opened(2), data(2, b"x")
        )
        assert (await guest.next_of(FrameKind.RESET)).stream == 2
    assert ends == ["broken"]


async def test_too_many_streams_are_refused_one_by_one() -> None:
    async with joined(hold) as guest:
        for number in range(1, MAX_STREAMS + 3):
            await guest.say(opened(number))
        refused = [(await guest.next_of(FrameKind.RESET)).stream for _ in range(2)]
        assert refused == [MAX_STREAMS + 1, MAX_STREAMS + 2]


@pytest.mark.parametrize(
    "frames",
    [
        [data(1, b"x")],
        [opened(2), opened(1)],
        [opened(1), opened(1)],
        [opened(1), Frame(FrameKind.END, 1), data(1, b"x")],
        [opened(1), Frame(FrameKind.END, 1), Frame(FrameKind.END, 1)],
        [opened(1), credit(1, 1)],
        [opened(1), *[data(1, bytes(32768))] * 9],
        [credit(7, 1)],
    ],
)
async def test_a_broken_rule_ends_the_port(frames: list[Frame]) -> None:
    failures: list[BaseException] = []
    async with joined(hold, failures) as guest:
        await guest.say(*frames)
        await guest.until_closed()
    assert len(failures) == 1


async def test_streams_or_late_frames_without_end_are_a_broken_rule(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(multiplex, "STREAMS_LIMIT", 50)
    monkeypatch.setattr(multiplex, "NOISE_LIMIT", 50)

    async def quick(stream: ByteStream) -> None:
        return

    for frames in ([opened(n) for n in range(1, 60)], [opened(1), *[data(1, b"x")] * 60]):
        failures: list[BaseException] = []
        async with joined(quick, failures) as guest:
            with anyio.move_on_after(10):
                try:
                    for frame in frames:
                        await guest.say(frame)
                        await anyio.sleep(0)
                    while True:
                        await guest.stream.receive()
                except (anyio.EndOfStream, anyio.BrokenResourceError):
                    pass
        assert failures, frames[1]


async def test_a_guest_that_never_reads_costs_bounded_memory_and_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(multiplex, "SEND_S", 0.3)

    async def floods(stream: ByteStream) -> None:
        while True:
            await stream.send(bytes(65536))

    failures: list[BaseException] = []
    async with joined(floods, failures) as guest:
        for number in range(1, MAX_STREAMS + 1):
            await guest.say(opened(number))
        with anyio.fail_after(10):
            while not failures:
                await anyio.sleep(0.05)
    assert "not read its egress port" in str(failures[0])


async def test_any_bytes_end_in_silence_or_in_a_protocol_error() -> None:
    chance = random.Random(7)
    for _ in range(200):
        frames = [
            Frame(
                chance.choice(list(FrameKind)),
                chance.randint(0, 3),
                chance.randbytes(chance.choice((0, 0, 4, 9))),
            )
            for _ in range(chance.randint(1, 12))
        ]
        noise = b"".join(map(encode_frame, frames)) + chance.randbytes(chance.randint(0, 9))
        failures: list[BaseException] = []
        async with joined(echo, failures) as guest:
            try:
                await guest.stream.send(noise)
                await guest.stream.send_eof()
                with anyio.fail_after(10):
                    while True:
                        await guest.stream.receive()
            except (anyio.EndOfStream, anyio.BrokenResourceError):
                pass
        assert all(isinstance(failure, ProtocolError) for failure in failures)


async def test_a_handler_that_fails_is_told_as_itself() -> None:
    class OwnError(Exception):
        pass

    async def fails(stream: ByteStream) -> None:
        raise OwnError

    near, far = socket.socketpair()
    port = Channel(far)
    guest = Guest(Channel(near))
    await guest.say(opened(1))
    try:
        with pytest.raises(OwnError):
            await Multiplexer(port, fails).run()
    finally:
        await anyio.aclose_forcefully(port)
        await anyio.aclose_forcefully(guest.stream)
