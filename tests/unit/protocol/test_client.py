from __future__ import annotations

import contextlib
import json
import random
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest

from deskmate.errors import ProtocolError, SandboxUnavailable
from deskmate.protocol.client import GuestClient, connect_guest
from deskmate.sandbox.channel import Channel

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


Script = Callable[[dict[str, Any]], bytes]


@asynccontextmanager
async def guest(script: Script, hello: bytes = b"") -> AsyncIterator[GuestClient]:
    """A guest that answers each request with the script's bytes."""
    ours, theirs = socket.socketpair()
    stream = Channel(theirs)

    async def serve() -> None:
        await stream.send(hello)
        data = b""
        try:
            while True:
                data += await stream.receive()
                *lines, data = data.split(b"\n")
                for line in lines:
                    await stream.send(script(json.loads(line)))
        except (anyio.EndOfStream, anyio.BrokenResourceError):
            return

    async with stream, anyio.create_task_group() as tasks:
        tasks.start_soon(serve)
        async with connect_guest(Channel(ours)) as client:
            yield client
        tasks.cancel_scope.cancel()


def result(value: Any) -> Script:
    return lambda request: frame({"id": request["id"], "result": value})


def frame(message: dict[str, Any]) -> bytes:
    return json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n"


async def failure(client: GuestClient) -> str:
    try:
        await client.ping(5)
    except ProtocolError as error:
        return error.message
    raise AssertionError("the ping was answered")


async def test_ids_grow_by_one_and_the_envelope_names_the_revision() -> None:
    seen: list[dict[str, Any]] = []

    def script(request: dict[str, Any]) -> bytes:
        seen.append(request)
        if request["method"] == "tools/call":
            return frame({"id": request["id"], "result": {"content": [], "isError": False}})
        return frame({"id": request["id"], "result": {}})

    async with guest(script) as client:
        await client.ping()
        await client.ping()
        await client.call("a__b", {}, key="k", timeout_s=3, on_progress=lambda line: None)
    assert [request["id"] for request in seen] == [1, 2, 3]
    meta = seen[2]["params"]["_meta"]
    assert meta["io.modelcontextprotocol/protocolVersion"] == "2026-07-28"
    assert (meta["deskmate/key"], meta["deskmate/timeout_s"]) == ("k", 3)


@pytest.mark.parametrize(
    "line",
    [
        b"nonsense\n",
        b"[]\n",
        b"{}\n",
        b'{"jsonrpc":"2.0","id":99,"result":{}}\n',
        b'{"jsonrpc":"2.0","id":true,"result":{}}\n',
        b'{"jsonrpc":"2.0","id":1,"result":{},"approved":true}\n',
        b'{"jsonrpc":"2.0","id":1,"result":[]}\n',
        b'{"jsonrpc":"2.0","id":1,"result":{},"error":{}}\n',
        b'{"jsonrpc":"2.0","id":1,"error":"no"}\n',
        b'{"jsonrpc":"2.0","id":1,"method":"sampling/createMessage","params":{}}\n',
        b'{"jsonrpc":"2.0","method":"deskmate/approve","params":{}}\n',
        b'{"jsonrpc":"2.0","method":"deskmate/ready","params":{"uptime_s":"x"}}\n',
        b'{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":[]}}\n',
        b"[" * 1000 + b"\n",
        b'{"jsonrpc":"2.0","id":1,"result":{"x":"\\ud800"}}\n',
    ],
)
async def test_a_guest_that_breaks_a_rule_is_dropped(line: bytes) -> None:
    async with guest(lambda request: line) as client:
        assert "broke the protocol" in await failure(client)
        assert "broke the protocol" in await failure(client)


async def test_a_second_answer_to_one_request_is_a_broken_rule() -> None:
    async with guest(lambda request: frame({"id": request["id"], "result": {}}) * 2) as client:
        await client.ping(5)
        assert "no open request" in await failure(client)


async def test_a_line_without_end_is_dropped() -> None:
    async with guest(lambda request: b"x" * (2 << 20)) as client:
        assert "over the limit" in await failure(client)


async def test_an_error_answer_is_told_and_the_connection_lives() -> None:
    def script(request: dict[str, Any]) -> bytes:
        if request["method"] == "deskmate/status":
            return frame({"id": request["id"], "error": {"code": -1, "message": "no\nway"}})
        return frame({"id": request["id"], "result": {}})

    async with guest(script) as client:
        with pytest.raises(ProtocolError, match="refused deskmate/status: no way"):
            await client.status("k")
        await client.ping()


async def test_silence_is_an_unavailable_sandbox_and_a_late_answer_is_dropped() -> None:
    held: list[int] = []

    def script(request: dict[str, Any]) -> bytes:
        held.append(request["id"])
        if len(held) < 2:
            return b""
        return b"".join(frame({"id": number, "result": {}}) for number in held)

    async with guest(script) as client:
        with pytest.raises(SandboxUnavailable, match="within"):
            await client.ping(0.05)
        await client.ping(5)


async def test_a_closed_stream_is_an_unavailable_sandbox() -> None:
    ours, theirs = socket.socketpair()
    async with connect_guest(Channel(ours)) as client:
        theirs.close()
        with pytest.raises(SandboxUnavailable):
            await client.ping(5)
        with pytest.raises(SandboxUnavailable):
            await client.wait_ready(5)


async def test_the_ready_line_is_awaited() -> None:
    hello = frame({"method": "deskmate/ready", "params": {"uptime_s": 4.1}})
    async with guest(result({}), hello) as client:
        assert await client.wait_ready(5) == 4.1
    async with guest(result({})) as client:
        with pytest.raises(SandboxUnavailable, match="not ready within"):
            await client.wait_ready(0.05)


async def test_the_callers_own_error_comes_through_as_it_is() -> None:
    ours, theirs = socket.socketpair()

    async def fail() -> None:
        async with connect_guest(Channel(ours)):
            raise KeyError

    with theirs, pytest.raises(KeyError):
        await fail()


@pytest.mark.parametrize(
    "answer",
    [
        {"isError": False},
        {"content": "text"},
        {"content": [{"type": "image", "data": "", "mimeType": "x"}]},
        {"content": [{"type": "text", "text": 1}]},
        {"content": [], "isError": "no"},
        {"content": [], "more": 1},
        {"content": [], "_meta": {"deskmate/wrote": "yes"}},
        {"content": [], "_meta": {"deskmate/evidence": [{"id": 1}]}},
        {"content": [], "_meta": {"deskmate/deliverables": {"path": "x"}}},
        {"content": [{"type": "text", "text": ""}] * 100},
    ],
)
async def test_a_tools_result_of_another_shape_is_refused(answer: dict[str, Any]) -> None:
    async with guest(result(answer)) as client:
        with pytest.raises(ProtocolError):
            await client.call("a__b", {}, key="k", timeout_s=1, on_progress=lambda line: None)


@pytest.mark.parametrize(
    ("method", "answer"),
    [
        ("ping", {"more": 1}),
        ("registry", {"lock": 1}),
        ("registry", {"lock": "x", "tools": [{"name": "x"}]}),
        ("difference", {"bytes": -1}),
        ("difference", {"bytes": True}),
        ("difference", {}),
        ("take", {"bytes": "9"}),
        ("status", {"state": "perhaps"}),
        ("status", {"state": "finished"}),
        ("status", {"state": "running", "result": {}}),
    ],
)
async def test_an_answer_of_another_shape_is_refused(method: str, answer: dict[str, Any]) -> None:
    arguments: dict[str, tuple[Any, ...]] = {
        "difference": (5,),
        "take": (["x"], 5),
        "status": ("k",),
    }
    async with guest(result(answer)) as client:
        with pytest.raises(ProtocolError):
            await getattr(client, method)(*arguments.get(method, ()))


async def test_a_finding_about_another_file_is_refused() -> None:
    finding = {"rule": "R-X", "level": "note", "message": "m", "path": "docs/other.txt"}
    async with guest(result({"findings": [finding], "rules": []})) as client:
        with pytest.raises(ProtocolError, match="not to be checked"):
            await client.validate(
                deliverables=(),
                files={},
                config={},
                timeout_s=5,
            )


@pytest.mark.parametrize("answer", [{"result": []}, {"result": None}, {"error": 5}])
async def test_a_broken_answer_ends_its_request_at_once(answer: dict[str, Any]) -> None:
    async with guest(lambda request: frame({"id": request["id"], **answer})) as client:
        with anyio.fail_after(30), pytest.raises(ProtocolError):
            await client.ping(3600)


async def test_endless_notices_end_the_connection() -> None:
    notice = frame(
        {"method": "notifications/progress", "params": {"progressToken": 5, "progress": 1}}
    )
    async with guest(lambda request: notice * 10_001) as client:
        assert "without end" in await failure(client)


async def test_mutated_answers_end_in_a_protocol_error_or_an_answer() -> None:
    rng = random.Random(7)
    good = frame({"id": 1, "result": {"state": "finished", "result": {"content": []}}})
    for _ in range(300):
        line = bytearray(good)
        for _ in range(rng.randint(1, 3)):
            line[rng.randrange(len(line) - 1)] = rng.randrange(256)

        def script(request: dict[str, Any], line: bytes = bytes(line)) -> bytes:
            return line

        async with guest(script) as client:
            with contextlib.suppress(ProtocolError, SandboxUnavailable), anyio.fail_after(5):
                await client.status("k", 0.2)
