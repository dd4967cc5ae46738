"""A connector's server through the official client: both generations, and every fault as an error of ours."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.unit.connectors.fake_mcp import (
    HOST,
    Facts,
    FakeMcp,
    dialled,
    entry_for,
    means_for,
    text,
    tool,
)

from deskmate.errors import OutcomeUnknown, ProtocolError, ToolError
from deskmate.protocol.remote import RemoteServer
from deskmate.testing.fake_internet import FakeAnswer, FakeInternet, FakeRequest
from deskmate.types.connectors import SecretHeader

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def net() -> AsyncIterator[FakeInternet]:
    async with FakeInternet() as found:
        yield found


async def call(server: RemoteServer, name: str = "find", **arguments: Any) -> Any:
    return await server.call(name, arguments, timeout_s=2, on_progress=lambda line: None)


@pytest.mark.parametrize("as_events", [False, True])
@pytest.mark.parametrize(("modern", "version"), [(True, "2026-07-28"), (False, "2025-11-25")])
async def test_both_generations_list_and_call(
    net: FakeInternet, tmp_path: Path, modern: bool, version: str, as_events: bool
) -> None:
    fake = FakeMcp(
        modern=modern, as_events=as_events, results={"find": text("found", isError=False)}
    )
    net.add(HOST, fake)
    async with dialled(net, entry_for(fake), tmp_path) as server:
        assert server.protocol == version
        assert [row["name"] for row in await server.list_tools()] == ["find"]
        result = await call(server, q="x")
    assert result.content == ({"type": "text", "text": "found"},)
    assert not result.is_error
    assert fake.calls == [("find", {"q": "x"})]


async def test_the_secrets_of_the_user_go_along_and_come_back_as_their_names(
    net: FakeInternet, tmp_path: Path
) -> None:
    value = "s3cret-value-of-mine"
    fake = FakeMcp(results={"find": lambda arguments: text(f"your key is {value}")}, as_events=True)
    server = net.add(HOST, fake)
    header = SecretHeader(name="Authorization", scheme="Bearer", secret="TOKEN")
    entry = entry_for(fake, headers=(header,))
    means_for(net, tmp_path).vault.set(entry.owner, "TOKEN", value)
    facts = Facts()
    async with dialled(net, entry, tmp_path, facts) as remote:
        result = await call(remote)
    assert {request.headers["authorization"] for request in server.requests} == {f"Bearer {value}"}
    assert result.content[0]["text"] == "your key is ⟦secret:connector.crm.TOKEN⟧"
    assert value not in str(facts)
    assert facts[0].secrets == ("connector.crm.TOKEN",)  # type: ignore[union-attr]


async def test_progress_is_told_in_words_or_numbers(net: FakeInternet, tmp_path: Path) -> None:
    fake = FakeMcp(as_events=True)

    def slow(request: FakeRequest, message: Any) -> FakeAnswer:
        token = message["params"]["_meta"]["progressToken"]
        steps: list[dict[str, Any]] = [{"message": "reading\x1b[2J"}, {"total": 4}, {}]
        lines = [
            {"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progressToken": token, "progress": 2, **step}}
            for step in steps
        ]  # fmt: skip
        lines.append({"jsonrpc": "2.0", "id": message["id"], "result": {"resultType": "complete", **text("ok")}})  # fmt: skip
        body = b"".join(b"data: " + json.dumps(line).encode() + b"\n\n" for line in lines)
        return FakeAnswer(headers=[("content-type", "text/event-stream")], body=body)

    fake.raw["tools/call"] = slow
    net.add(HOST, fake)
    said: list[str] = []
    async with dialled(net, entry_for(fake), tmp_path) as server:
        await server.call("find", {}, timeout_s=2, on_progress=said.append)
    assert said == ["reading\\x1b[2J", "2 of 4"]


async def test_an_error_of_the_server_is_told_in_one_line(
    net: FakeInternet, tmp_path: Path
) -> None:
    fake = FakeMcp()

    def refuse(request: FakeRequest, message: Any) -> FakeAnswer:
        return fake.reply(
            {
                "jsonrpc": "2.0",
                "id": message["id"],
                "error": {"code": -32000, "message": "no\nsuch \x1b[2Jthing"},
            }
        )

    fake.raw["tools/call"] = refuse
    net.add(HOST, fake)
    async with dialled(net, entry_for(fake), tmp_path) as server:
        with pytest.raises(ToolError, match=r"no such \\x1b\[2Jthing"):
            await call(server)


GARBAGE = {
    "half a JSON document": b'{"jsonrpc": "2.0", "id": 2, "resu',
    "not JSON": b"<html>nginx</html>",
    "a list": b"[1, 2]",
    "no result": b'{"jsonrpc": "2.0", "id": 99}',
    "a result of another shape": b'{"jsonrpc": "2.0", "id": %d, "result": {"content": "x"}}',
    "deep": b'{"jsonrpc": "2.0", "id": 1, "result": ' + b"[" * 100_000,
}


@pytest.mark.parametrize("name", GARBAGE)
async def test_an_answer_that_cannot_be_read_leaves_the_outcome_unknown(
    net: FakeInternet, tmp_path: Path, name: str
) -> None:
    fake = FakeMcp()

    def spoil(request: FakeRequest, message: Any) -> FakeAnswer:
        body = GARBAGE[name].replace(b"%d", str(message["id"]).encode())
        return FakeAnswer(headers=[("content-type", "application/json")], body=body)

    fake.raw["tools/call"] = spoil
    net.add(HOST, fake)
    async with dialled(net, entry_for(fake), tmp_path) as server:
        with pytest.raises(OutcomeUnknown):
            await call(server)


async def test_an_answer_that_breaks_off_leaves_the_outcome_unknown(
    net: FakeInternet, tmp_path: Path
) -> None:
    fake = FakeMcp()
    fake.raw["tools/call"] = lambda request, message: FakeAnswer(
        headers=[("content-type", "application/json"), ("content-length", "5000")], body=b"{"
    )
    net.add(HOST, fake)
    with pytest.raises(OutcomeUnknown):
        async with dialled(net, entry_for(fake), tmp_path) as server:
            await call(server)


async def test_a_server_that_lists_without_end_is_given_up(
    net: FakeInternet, tmp_path: Path
) -> None:
    fake = FakeMcp()

    def more(request: FakeRequest, message: Any) -> FakeAnswer:
        about = {"resultType": "complete", "ttlMs": 0, "cacheScope": "private"}
        result = {**about, "tools": [tool("find")], "nextCursor": "again"}
        return fake.reply({"jsonrpc": "2.0", "id": message["id"], "result": result})

    fake.raw["tools/list"] = more
    net.add(HOST, fake)
    async with dialled(net, entry_for(fake), tmp_path) as server:
        with pytest.raises(ProtocolError, match="20 pages"):
            await server.list_tools()


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (FakeAnswer(body=b"hello"), "answer"),
        (FakeAnswer(status=500), "answer"),
        (
            FakeAnswer(status=302, headers=[("location", "https://other.example.test/")]),
            "not followed",
        ),
        (FakeAnswer(status=401), "who you are"),
    ],
)
async def test_what_is_no_server_of_the_protocol_is_refused_in_words(
    net: FakeInternet, tmp_path: Path, answer: FakeAnswer, why: str
) -> None:
    net.add(HOST, lambda request: answer)
    other = net.add("other.example.test")
    with pytest.raises(ToolError, match=why):
        async with dialled(net, entry_for(FakeMcp()), tmp_path):
            pass
    assert other.requests == []


async def test_a_server_that_is_not_there_is_said_to_be_so(
    net: FakeInternet, tmp_path: Path
) -> None:
    with pytest.raises(ToolError, match="could not be resolved"):
        async with dialled(net, entry_for(FakeMcp()), tmp_path):
            pass


async def test_nothing_that_a_server_asks_for_is_answered_with_anything_but_no(
    net: FakeInternet, tmp_path: Path
) -> None:
    """A question to the user, or for the model's help, in the middle of a call."""
    fake = FakeMcp(modern=False, as_events=True)

    def ask(request: FakeRequest, message: Any) -> FakeAnswer:
        question = {"jsonrpc": "2.0", "id": 7, "method": "elicitation/create", "params": {"message": "Your password?", "requestedSchema": {"type": "object", "properties": {}}}}  # fmt: skip
        sampling = {"jsonrpc": "2.0", "id": 8, "method": "sampling/createMessage", "params": {"messages": [], "maxTokens": 9}}  # fmt: skip
        answer = {"jsonrpc": "2.0", "id": message["id"], "result": text("done")}
        events = b"".join(
            b"data: " + json.dumps(one).encode() + b"\n\n" for one in (question, sampling, answer)
        )
        return FakeAnswer(headers=[("content-type", "text/event-stream")], body=events)

    fake.raw["tools/call"] = ask
    net.add(HOST, fake)
    async with dialled(net, entry_for(fake), tmp_path) as remote:
        assert (await call(remote)).content[0]["text"] == "done"
    told = {message["id"]: message for message in fake.answers}
    assert told.keys() <= {7, 8}
    assert told.get(7, {"result": {"action": "decline"}})["result"] == {"action": "decline"}
    assert "error" in told.get(8, {"error": ""})
