"""Frames that a guest may send, by the hundred thousand, at every reader of the host: one kind of error comes out."""

from __future__ import annotations

import io
import json
import os
import random
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import islice
from typing import Any

import anyio
import pytest
from anyio.abc import ByteStream
from tests.attack.frames import ORDINARY, SPECIAL, bitten, mutants
from tests.attack.host import resident_mib
from tests.attack.table import Attempts

from deskmate.discovery.registry_check import check_registry
from deskmate.errors import DeskmateError, PluginError, ProtocolError
from deskmate.protocol.answers import read_outcome, read_registry, read_report, read_status
from deskmate.protocol.connection import Connection
from deskmate.sandbox.archive import Received, items_of, stream
from deskmate.sandbox.difference import compare, read_facts
from deskmate.testing.memory import MemoryBlobs
from deskmate.types.files import Entry
from deskmate.types.frames import decode_frame
from deskmate.types.ids import Digest
from deskmate.types.muxing import Frame, FrameKind, MuxBuffer, credit, encode_frame
from deskmate.types.registry import Layer, Manifest

pytestmark = [pytest.mark.anyio, pytest.mark.attack("G3")]
SEED, NORMAL, LONG = 20261123, 20_000, 1_000_000
GROWTH_MIB = 16
CHANGES = json.dumps({
    "changes": [
        {"path": "a/b.txt", "kind": "file", "mode": 420, "size": 3, "sha256": "0" * 64, "mtime_ns": 1},
        {"path": "a", "kind": "dir", "mode": 493}, {"path": "gone", "kind": "gone"},
        {"path": "link", "kind": "symlink", "target": "a"}, {"path": "pipe", "kind": "other", "reason": "fifo"},
    ],
    "home": [{"path": "x", "kind": "file", "mode": 420, "size": 1, "sha256": "1" * 64}],
}).encode()  # fmt: skip


class Recording(ByteStream):
    """A guest's end that says what it was given, in pieces, and then nothing more."""

    def __init__(self, pieces: list[bytes]) -> None:
        self._pieces = iter(pieces)

    async def receive(self, max_bytes: int = 65536) -> bytes:
        await anyio.lowlevel.checkpoint()
        for piece in self._pieces:
            return piece
        raise anyio.EndOfStream

    async def send(self, item: bytes) -> None:
        await anyio.lowlevel.checkpoint()

    async def send_eof(self) -> None:
        """Nothing to do."""

    async def aclose(self) -> None:
        """Nothing to do."""


def sweep(count: int) -> Iterator[tuple[str, BaseException]]:
    """Give `count` damaged inputs to the readers; yields what escaped besides the one error."""
    readers: list[tuple[str, Callable[[bytes, random.Random], Any]]] = [
        ("frames", lambda line, rng: _answers(line)),
        ("frames", lambda line, rng: _answers(line)),
        ("frames", lambda line, rng: _answers(line)),
        ("difference", lambda line, rng: _facts(bitten(rng, CHANGES))),
        ("tar", lambda line, rng: _tar(rng)),
        ("egress", lambda line, rng: _mux(rng)),
    ]
    rng = random.Random(SEED)
    for number, line in enumerate(mutants(SEED, count)):
        name, read = readers[number % len(readers)]
        try:
            read(line, rng)
        except ProtocolError:
            continue
        except Exception as error:  # noqa: BLE001 — anything else is what this test looks for
            yield f"{name}: {line[:200]!r}", error


def _answers(line: bytes) -> None:
    message = decode_frame(line)
    json.dumps(message).encode()
    _connection()._take(line)
    result = message.get("result")
    if isinstance(result, dict):
        for read in (read_outcome, read_registry, read_status):
            with suppress(ProtocolError):
                read(result)
        with suppress(ProtocolError):
            read_report(result, {"a.docx"})
        with suppress(ProtocolError, PluginError):
            check_registry(result, LAYER)


LAYER = Layer(
    digest=Digest("0" * 64), disk="", lock=Digest("0" * 64), plugins=("workspace",),
    versions={"workspace": "1"},
    manifests={"workspace": Manifest(api=">=1,<2", title="W", summary="w", tools={"shell": "write"})},
)  # fmt: skip


def _connection() -> Connection:
    """Return a connection with three open requests."""
    from deskmate.protocol.connection import _Pending

    connection = Connection(Recording([]))
    connection._pending = {number: _Pending(lambda line: None) for number in (1, 2, 3)}
    return connection


def _facts(document: bytes) -> None:
    base = [Entry(path="gone", kind="file", mode=0o644, size=1, sha256=Digest("2" * 64))]
    difference = compare(base, read_facts(document), {"a"})
    assert all(not path.startswith(("/", "..")) for path in (c.path for c in difference.changes))


BLOBS = MemoryBlobs()
FILE = Entry(path="a/b", kind="file", mode=0o644, size=700, sha256=BLOBS.put([b"x" * 700]))
TAR = b"".join(stream(items_of([FILE], ""), BLOBS))


def _tar(rng: random.Random) -> None:
    data = bitten(rng, TAR)
    if len(data) >= 512 and rng.random() < 0.5:  # damage that a checksum would hide
        head = bytearray(data[:512])
        head[rng.randrange(512)] = rng.randrange(256)
        head[148:156] = b"%06o\0 " % (sum(head[:148]) + sum(head[156:]) + 256)
        data = bytes(head) + data[512:]
    received = Received(io.BytesIO(data), rng.choice([len(data), len(TAR), rng.randrange(1 << 40)]))
    content = b"".join(received.file("a/b", 700))
    received.end()
    assert len(content) == 700


@pytest.mark.attack("F3")
def test_only_the_file_that_was_asked_for_comes_out_of_an_archive(attempt: Attempts) -> None:
    head = bytearray(TAR[:512])
    for kind in b"1234567DGKMNSVXLg\xff":
        head[156] = kind
        head[148:156] = b"%06o\0 " % (sum(head[:148]) + sum(head[156:]) + 256)
        attempt(f"an entry of type {chr(kind)!r}", blocked=_refused(bytes(head) + TAR[512:]))
    for name in (b"a/c", b"../a/b", b"/a/b", b"a/b/", b"A/B", b"a/b\n", b"./a/b"):
        head = bytearray(TAR[:512])
        head[:100] = name.ljust(100, b"\0")
        head[148:156] = b"%06o\0 " % (sum(head[:148]) + sum(head[156:]) + 256)
        attempt(f"the name {name!r}", blocked=_refused(bytes(head) + TAR[512:]))
    attempt("bytes after the end", blocked=_refused(TAR + b"more" + bytes(508)))
    assert not _refused(TAR)


def _refused(data: bytes) -> bool:
    received = Received(io.BytesIO(data), len(data))
    try:
        content = b"".join(received.file("a/b", 700))
        received.end()
    except ProtocolError:
        return True
    return len(content) != 700


def _mux(rng: random.Random) -> None:
    frames = [
        Frame(FrameKind.OPEN, 1), Frame(FrameKind.DATA, 1, b"GET http://x/ HTTP/1.1\r\n"), credit(1, 5),
        Frame(FrameKind.RESET, 1, b"no"), Frame(FrameKind.END, 2),
    ]  # fmt: skip
    data = bitten(rng, b"".join(map(encode_frame, rng.sample(frames, 4))))
    buffer = MuxBuffer()
    for start in range(0, len(data), 7):
        for frame in buffer.feed(data[start : start + 7]):
            assert len(frame.payload) <= 32 << 10


@pytest.mark.parametrize(
    "count", [NORMAL, pytest.param(LONG, marks=[pytest.mark.slow, pytest.mark.timeout(3600)])]
)
def test_no_damaged_frame_raises_but_one_error(count: int, attempt: Attempts) -> None:
    list(sweep(NORMAL))  # what is loaded for the first time takes memory once
    before = resident_mib(os.getpid())
    escaped = list(islice(sweep(count), 20))
    for where, error in escaped:
        attempt(f"{type(error).__name__} from {where}: {error}", blocked=False)
    attempt.run += count - len(escaped)
    grown = resident_mib(os.getpid()) - before
    attempt(f"memory grew by {grown} MiB", blocked=grown < GROWTH_MIB)


@pytest.mark.parametrize("name", SPECIAL)
async def test_a_frame_of_the_corpus_loses_the_connection_with_a_reason(
    name: str, attempt: Attempts
) -> None:
    line = SPECIAL[name] + b"\n"
    pieces = [line[start : start + 4096] for start in range(0, len(line), 4096)]
    why = await lost(pieces)
    attempt(f"{name}: {why}", blocked=why.startswith("The VM broke the protocol"))


HALF = b'{"jsonrpc":"2.0","id":1,"result":{"a":"'


@pytest.mark.parametrize(
    ("name", "pieces"),
    [
        ("two answers to one request", [b'{"jsonrpc":"2.0","id":1,"result":{}}\n' * 2]),
        ("a line without end", [HALF] + [b"x" * 65536] * 20),
        ("a drip that never ends a line", [b"x"] * 4000 + [b"x" * (1 << 20)]),
        ("endless notices", [b'{"jsonrpc":"2.0","method":"deskmate/ready","params":{"uptime_s":1}}\n' * 100] * 120),
        ("endless empty lines", [b"\n" * 65536]),
    ],
)  # fmt: skip
async def test_a_stream_that_misbehaves_loses_the_connection(
    name: str, pieces: list[bytes], attempt: Attempts
) -> None:
    why = await lost(pieces)
    attempt(f"{name}: {why}", blocked=why.startswith("The VM broke the protocol"))


async def test_an_answer_cut_off_is_no_answer(attempt: Attempts) -> None:
    for cut in range(1, 30):
        why = await lost([b'{"jsonrpc":"2.0","id":1,"result":{}}'[:cut]])
        attempt(f"cut after {cut} bytes: {why}", blocked="closed" in why)


async def lost(pieces: list[bytes]) -> str:
    """Serve what a guest says while three requests wait; returns why the connection was lost."""
    connection = Connection(Recording(pieces))
    told: list[str] = []

    async def ask(number: int) -> None:
        try:
            await connection.request("deskmate/ping", {}, 20)
        except DeskmateError as error:
            told.append(error.message)

    async with anyio.create_task_group() as tasks:
        for number in range(3):
            tasks.start_soon(ask, number)
        await anyio.lowlevel.checkpoint()
        tasks.start_soon(connection.serve)
    try:
        await connection.request("deskmate/ping", {}, 1)
    except DeskmateError as error:
        return error.message
    return "the connection still stands"


def test_the_ordinary_messages_are_taken() -> None:
    for message in ORDINARY:
        decode_frame(json.dumps(message).encode())
        _connection()._take(json.dumps(message).encode())
