"""N6: answers that are bombs end at the limits, in bounded memory and time."""

from __future__ import annotations

import gzip
import resource
import zlib

import anyio
import pytest
from anyio.abc import ByteStream
from tests.attack.table import Attempts
from tests.unit.connectors.gates import Gate, make_gate

from deskmate.testing.fake_internet import FakeAnswer, FakeInternet, RawServer
from deskmate.types.network import NetworkLimits, NetworkRule

pytestmark = [pytest.mark.attack("N6"), pytest.mark.anyio]
HOST = "api.example.test"
LIMITS = NetworkLimits(response_bytes=1 << 20, request_s=3.0, idle_s=1.0)
OK = b"HTTP/1.1 200 OK\r\n"


async def endless_body(stream: ByteStream) -> None:
    await stream.send(OK + b"\r\n")
    while True:
        await stream.send(bytes(1 << 16))


async def endless_chunks(stream: ByteStream) -> None:
    await stream.send(OK + b"Transfer-Encoding: chunked\r\n\r\n")
    while True:
        await stream.send(b"1\r\nx\r\n" * 1000)


async def declared_ten_gigabytes(stream: ByteStream) -> None:
    await stream.send(OK + b"Content-Length: 10737418240\r\n\r\n")
    while True:
        await stream.send(bytes(1 << 16))


async def a_million_headers(stream: ByteStream) -> None:
    await stream.send(OK)
    for number in range(1_000_000):
        await stream.send(b"X-%d: y\r\n" % number)


async def one_endless_header(stream: ByteStream) -> None:
    await stream.send(OK + b"X: ")
    while True:
        await stream.send(b"y" * 65536)


async def endless_status_line(stream: ByteStream) -> None:
    await stream.send(b"HTTP/1.1 200 ")
    while True:
        await stream.send(b"y" * 65536)


async def endless_interim_answers(stream: ByteStream) -> None:
    while True:
        await stream.send(b"HTTP/1.1 103 Early Hints\r\n\r\n")


async def slow_head(stream: ByteStream) -> None:
    for byte in OK * 1000:
        await stream.send(bytes([byte]))
        await anyio.sleep(0.05)


async def slow_body(stream: ByteStream) -> None:
    await stream.send(OK + b"\r\n")
    while True:
        await stream.send(b"x")
        await anyio.sleep(0.05)


async def chunk_extensions(stream: ByteStream) -> None:
    await stream.send(OK + b"Transfer-Encoding: chunked\r\n\r\n")
    while True:
        await stream.send(b"1;" + b"y" * 65536)


async def switches_protocol(stream: ByteStream) -> None:
    await stream.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n")
    await anyio.sleep(30)


SERVERS: tuple[RawServer, ...] = (
    endless_body, endless_chunks, declared_ten_gigabytes, a_million_headers, one_endless_header,
    endless_status_line, endless_interim_answers, slow_head, slow_body, chunk_extensions, switches_protocol,
)  # fmt: skip


def memory_kib() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def gate_of(net: FakeInternet) -> Gate:
    return make_gate(net, NetworkRule(host=HOST), limits=LIMITS)


async def test_servers_that_never_stop_are_stopped(attempt: Attempts) -> None:
    for server in SERVERS:

        async def after_request(stream: ByteStream, server: RawServer = server) -> None:
            await stream.receive()
            await server(stream)

        async with FakeInternet() as net:
            net.add(HOST, raw=after_request)
            gate = gate_of(net)
            before, began = memory_kib(), anyio.current_time()
            reply = await gate.https(HOST)
            took = anyio.current_time() - began
            ended = gate.ended[0]
            blocked = bool(ended.why) and len(reply.body) <= 2 << 20 and took < 20
            attempt(server.__name__, blocked=blocked and memory_kib() - before < 64 << 10)


async def test_packed_bombs_are_stopped_unpacked(attempt: Attempts) -> None:
    packed = zlib.compressobj(9, wbits=31)
    bomb = b"".join(packed.compress(bytes(1 << 20)) for _ in range(200)) + packed.flush()
    twice = gzip.compress(bomb)
    for name, body, encoding in (
        ("gzip 1000:1", bomb, "gzip"),
        ("deflate", zlib.compress(bytes(64 << 20)), "deflate"),
        ("gzip in gzip", twice, "gzip, gzip"),
        ("brotli", b"\x8b\x03\x80aaaa\x03", "br"),
        ("zstd", b"\x28\xb5\x2f\xfd", "zstd"),
        ("not packed at all", b"x" * 100, "gzip"),
    ):
        async with FakeInternet() as net:
            headers = [("Content-Encoding", encoding)]
            net.add(HOST, lambda r, b=body, h=headers: FakeAnswer(headers=h, body=b))  # type: ignore[misc]
            gate = gate_of(net)
            before = memory_kib()
            reply = await gate.https(HOST)
            blocked = bool(gate.ended[0].why) and len(reply.body) <= 2 << 20
            attempt(name, blocked=blocked and memory_kib() - before < 64 << 10)


async def test_a_thread_receives_no_more_than_its_budget(attempt: Attempts) -> None:
    async with FakeInternet() as net:
        net.add(HOST, lambda r: FakeAnswer(body=bytes(500_000)))
        limits = NetworkLimits(received_bytes=1 << 20)
        gate = make_gate(net, NetworkRule(host=HOST), limits=limits)
        replies = [await gate.https(HOST) for _ in range(5)]
        got = sum(len(reply.body) for reply in replies)
        attempt("many answers", blocked=replies[-1].status == 403 and got <= (1 << 20) + 100_000)
