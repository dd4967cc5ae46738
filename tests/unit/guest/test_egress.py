"""The guest's proxy: carries connections to the port and back, unread, a window at a time."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import anyio.to_thread
import pytest
from anyio.abc import ByteStream

from deskmate.protocol.multiplex import Multiplexer
from deskmate.sandbox.channel import Channel
from deskmate.sandbox.recipes import recipe_part
from deskmate.types.muxing import MAX_STREAMS
from deskmate_guest.egress import NODE_PROXY, TRUST, environment

pytestmark = pytest.mark.anyio
ROOT = Path(__file__).parents[3]
SERVE = """
import socket, sys
from deskmate_guest.egress import Proxy
from deskmate_guest.loop import Loop
loop = Loop()
Proxy(loop, int(sys.argv[1]), socket.socket(fileno=int(sys.argv[2])))
loop.run()
"""


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def proxy() -> Iterator[tuple[socket.socket, int]]:
    """The host's end of the port, and the loopback port of a proxy that runs as its own process."""
    import subprocess

    ours, theirs = socket.socketpair()
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    numbers = [str(theirs.fileno()), str(listener.fileno())]
    process = subprocess.Popen(
        [sys.executable, "-c", SERVE, *numbers],
        pass_fds=[theirs.fileno(), listener.fileno()],
        env={**os.environ, "PYTHONPATH": str(ROOT / "core/src")},
    )
    address = listener.getsockname()
    theirs.close()
    listener.close()
    try:
        yield ours, address[1]
    finally:
        process.kill()
        process.wait(10)
        ours.close()


@asynccontextmanager
async def served(port: socket.socket, serve: object = None) -> AsyncIterator[None]:
    stream = Channel(port.dup())
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(Multiplexer(stream, serve or echo).run)  # type: ignore[arg-type]
        try:
            yield
        finally:
            tasks.cancel_scope.cancel()
            await anyio.aclose_forcefully(stream)


async def echo(stream: ByteStream) -> None:
    try:
        while True:
            await stream.send(await stream.receive())
    except anyio.EndOfStream:
        with contextlib.suppress(anyio.BrokenResourceError):  # at the end of a test both ends go
            await stream.send_eof()
    except anyio.BrokenResourceError:
        return


def exchange(port: int, data: bytes) -> bytes:
    """Send all, half-close, read all; sending and reading at once."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as client:

        def send() -> None:
            client.sendall(data)
            client.shutdown(socket.SHUT_WR)

        sender = threading.Thread(target=send)
        sender.start()
        got = b""
        while piece := client.recv(1 << 16):
            got += piece
        sender.join()
    return got


async def test_bytes_go_both_ways_whole_and_in_order(proxy: tuple[socket.socket, int]) -> None:
    whole = os.urandom(3_000_000)
    async with served(proxy[0]):
        assert await anyio.to_thread.run_sync(exchange, proxy[1], whole) == whole
        assert await anyio.to_thread.run_sync(exchange, proxy[1], b"small") == b"small"


async def test_connections_run_beside_each_other(proxy: tuple[socket.socket, int]) -> None:
    parts = [os.urandom(200_000) for _ in range(8)]
    results: dict[int, bytes] = {}

    async def one(number: int) -> None:
        results[number] = await anyio.to_thread.run_sync(exchange, proxy[1], parts[number])

    async with served(proxy[0]), anyio.create_task_group() as tasks:
        for number in range(len(parts)):
            tasks.start_soon(one, number)
        while len(results) < len(parts):
            await anyio.sleep(0.01)
    assert [results[number] for number in range(len(parts))] == parts


async def test_what_the_host_said_before_it_hung_up_arrives(
    proxy: tuple[socket.socket, int],
) -> None:
    async def answers(stream: ByteStream) -> None:
        await stream.receive()
        await stream.send(b"refused" * 1000)

    async with served(proxy[0], answers):

        def ask() -> bytes:
            with socket.create_connection(("127.0.0.1", proxy[1]), timeout=60) as client:
                client.sendall(b"hello")
                got = b""
                while piece := client.recv(1 << 16):
                    got += piece
            return got

        assert await anyio.to_thread.run_sync(ask) == b"refused" * 1000


async def test_a_program_that_goes_away_is_told_to_the_host(
    proxy: tuple[socket.socket, int],
) -> None:
    ends = []

    async def listens(stream: ByteStream) -> None:
        try:
            while True:
                await stream.receive()
        except (anyio.EndOfStream, anyio.BrokenResourceError) as error:
            ends.append(type(error).__name__)

    async with served(proxy[0], listens):
        socket.create_connection(("127.0.0.1", proxy[1]), timeout=60).close()
        with anyio.fail_after(30):
            while not ends:
                await anyio.sleep(0.01)


async def test_more_connections_than_there_may_be_are_closed(
    proxy: tuple[socket.socket, int],
) -> None:
    async with served(proxy[0]):

        def open_many() -> int:
            clients = [
                socket.create_connection(("127.0.0.1", proxy[1]), timeout=60)
                for _ in range(MAX_STREAMS + 2)
            ]
            closed = 0
            for client in clients:
                client.settimeout(30)
                try:
                    client.sendall(b"x")
                    closed += not client.recv(1)
                except OSError:
                    closed += 1
                client.setblocking(False)
            for client in clients:
                client.close()
            return closed

        assert await anyio.to_thread.run_sync(open_many) == 2


def test_the_usual_programs_are_told_of_the_proxy_and_the_certificate() -> None:
    told = environment(Path("/run/x.pem"))
    assert told["HTTPS_PROXY"] == told["http_proxy"] == "http://127.0.0.1:3128"
    trusting = {name for name, value in told.items() if value == "/run/x.pem"}
    assert {"SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PIP_CERT", "NODE_EXTRA_CA_CERTS"} <= trusting
    assert told["NODE_USE_ENV_PROXY"] == "1"
    assert "127.0.0.1" in told["NO_PROXY"]
    assert told["NODE_OPTIONS"] == f"--require={NODE_PROXY}"
    assert NODE_PROXY.is_file()
    assert told["PIP_NO_CACHE_DIR"] == "1"


def test_wget_which_reads_no_variable_is_told_of_the_same_certificate_by_the_image() -> None:
    assert f"ca_certificate = {TRUST}\\n".encode() in recipe_part("recipe/customize.sh")
