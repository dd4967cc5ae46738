"""One end of a socket pair: bytes, descriptors, ends, and receives that are cancelled at the worst moment."""

import asyncio
import os
import socket
from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint

from deskmate.sandbox.channel import Channel


def pair() -> tuple[Channel, Channel]:
    near, far = socket.socketpair()
    return Channel(near), Channel(far)


@pytest.mark.anyio
async def test_bytes_arrive_in_order_also_more_than_the_socket_holds() -> None:
    near, far = pair()
    sent = os.urandom(3 << 20)
    got = bytearray()
    async with near, far, anyio.create_task_group() as tasks:
        tasks.start_soon(near.send, sent)
        while len(got) < len(sent):
            got += await far.receive()
    assert bytes(got) == sent


@pytest.mark.anyio
async def test_a_descriptor_travels_with_the_first_byte(tmp_path: Any) -> None:
    (tmp_path / "file").write_bytes(b"content")
    near, far = socket.socketpair()
    with far, (tmp_path / "file").open("rb") as file:
        async with Channel(near) as channel:
            await channel.send_fds(b"take it", [file.fileno()])
            far.setblocking(True)
            data, fds, _, _ = socket.recv_fds(far, 64, 4)
    assert data == b"take it"
    with os.fdopen(fds[0], "rb") as copy:
        assert copy.read() == b"content"


@pytest.mark.anyio
async def test_the_end_of_the_other_side_is_the_end() -> None:
    near, far = pair()
    await far.send(b"last")
    await far.send_eof()
    assert await near.receive() == b"last"
    with pytest.raises(anyio.EndOfStream):
        await near.receive()
    await far.aclose()
    with pytest.raises(anyio.BrokenResourceError):
        await near.send(b"x" * (1 << 20))
    await near.aclose()
    with pytest.raises(anyio.ClosedResourceError):
        await near.receive()


@pytest.mark.anyio
async def test_who_waits_on_a_stream_that_is_closed_is_told() -> None:
    near, far = pair()

    async def wait() -> None:
        with pytest.raises(anyio.ClosedResourceError):
            await near.receive()

    async with far, anyio.create_task_group() as tasks:
        tasks.start_soon(wait)
        await anyio.wait_all_tasks_blocked()
        await near.aclose()


@pytest.mark.anyio
async def test_a_receive_cancelled_as_bytes_arrive_loses_nothing_and_says_nothing() -> None:
    """The order of things that anyio's own stream answers with a traceback on the terminal."""
    noise: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: noise.append(context))
    near, far = pair()
    async with near, far:
        for _ in range(20):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(near.receive)
                await anyio.wait_all_tasks_blocked()
                await far.send(b"x")
                await checkpoint()  # the loop has seen the byte by the time this goes on
                tasks.cancel_scope.cancel()
            with anyio.move_on_after(0.2):
                await near.receive()
    assert noise == []
