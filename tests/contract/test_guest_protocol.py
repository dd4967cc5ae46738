"""The guest speaks MCP: the official SDK's client is the judge."""

from __future__ import annotations

import json
import random
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from deskmate.protocol.sdk import connect_mcp
from deskmate.sandbox.channel import Channel

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[socket.socket]:
    """The host's end of a guest's agent port, after its ready line."""
    layer = tmp_path / "layer"
    layer.mkdir()
    (layer / "lib").symlink_to(ROOT / "core" / "src")
    row = {"name": "workspace", "package": "deskmate_guest.workspace", "version": "1"}
    lock = {"lock": "0" * 64, "code": "c" * 64, "plugins": [{**row, "order": 0, "root": "lib"}]}
    (layer / "lock.json").write_text(json.dumps(lock))
    ours, theirs = socket.socketpair()
    bulk, their_bulk = socket.socketpair()
    ends = [str(theirs.fileno()), str(their_bulk.fileno())]
    script = str(ROOT / "tests" / "unit" / "guest" / "host_guest.py")
    process = subprocess.Popen(
        [sys.executable, script, str(tmp_path), *ends, "plain"],
        pass_fds=[theirs.fileno(), their_bulk.fileno()],
    )
    theirs.close()
    their_bulk.close()
    try:
        ours.settimeout(60)
        line = b""
        while not line.endswith(b"\n"):
            line += ours.recv(1)
        assert json.loads(line)["method"] == "deskmate/ready"
        yield ours
    finally:
        process.kill()
        process.wait(10)
        bulk.close()
        ours.close()


async def test_the_sdks_client_discovers_lists_and_calls(agent: socket.socket) -> None:
    from mcp import MCPError

    stream = Channel(agent)
    async with connect_mcp(stream, timeout_s=30) as client:
        found = await client.session.discover()
        assert found.supported_versions == ["2026-07-28"]
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert len(tools) == 11, "ten for models, and the one that runs hooks"
        assert tools["workspace__read"].annotations.read_only_hint  # type: ignore[union-attr]
        assert not tools["workspace__shell"].annotations.read_only_hint  # type: ignore[union-attr]
        result = await client.call_tool("workspace__shell", {"command": "echo hello"})
        assert result.structured_content == {"exit_code": 0, "output": "hello\n"}
        assert not result.is_error
        failed = await client.call_tool("workspace__read", {"path": "none.txt"})
        assert failed.is_error
        prompts = (await client.list_prompts()).prompts
        text = await client.get_prompt(prompts[0].name)
        assert "EXDEV" in text.messages[0].content.text  # type: ignore[union-attr]
        with pytest.raises(MCPError, match="Method not found"):
            await client.list_resources()


async def test_the_sdks_client_gets_progress(agent: socket.socket) -> None:
    lines: list[str | None] = []

    async def told(progress: float, total: float | None, message: str | None) -> None:
        lines.append(message)

    stream = Channel(agent)
    async with connect_mcp(stream, timeout_s=30) as client:
        command = "for n in 1 2 3; do echo step $n; sleep 1; done"
        await client.call_tool("workspace__shell", {"command": command}, progress_callback=told)
    assert lines
    assert all(line is not None and line.startswith("step") for line in lines)


def exchange(agent: socket.socket, line: bytes) -> dict[str, object]:
    agent.sendall(line + b"\n")
    answer = b""
    while not answer.endswith(b"\n"):
        answer += agent.recv(1)
    found: dict[str, object] = json.loads(answer)
    return found


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"", -32700),
        (b"nonsense", -32700),
        (b"[" * 100_000, -32700),
        (b'{"a":1,"a":2}', -32700),
        (b'{"jsonrpc":"2.0","id":1,"method":"deskmate/ping","params":{"x":NaN}}', -32700),
        (b"[]", -32700),
        (b'{"jsonrpc":"2.0","id":"1","method":"deskmate/ping"}', -32600),
        (b'{"jsonrpc":"2.0","id":true,"method":"deskmate/ping"}', -32600),
        (b'{"jsonrpc":"2.0","method":"deskmate/ping"}', -32600),
        (b'{"jsonrpc":"1.0","id":1,"method":"deskmate/ping"}', -32600),
        (b'{"jsonrpc":"2.0","id":1,"method":"initialize"}', -32601),
        (b'{"jsonrpc":"2.0","id":1,"method":"deskmate/none"}', -32601),
        (b'{"jsonrpc":"2.0","id":1,"method":"deskmate/ping","params":[]}', -32602),
        (b'{"jsonrpc":"2.0","id":1,"method":"deskmate/ping","params":{"more":1}}', -32602),
        (b'{"jsonrpc":"2.0","id":1,"method":"deskmate/status","params":{"key":1}}', -32602),
        (b'{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{}}', -32602),
        (
            b'{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":'
            b'{"io.modelcontextprotocol/protocolVersion":"2025-11-25"}}}',
            -32022,
        ),
    ],
)
def test_a_request_that_breaks_a_rule_is_an_error_and_the_guest_goes_on(
    agent: socket.socket, line: bytes, code: int
) -> None:
    answer = exchange(agent, line)
    assert answer["error"]["code"] == code  # type: ignore[index]
    ping = exchange(agent, b'{"jsonrpc":"2.0","id":9,"method":"deskmate/ping","params":{}}')
    assert ping["result"] == {}
    again = exchange(agent, b'{"jsonrpc":"2.0","id":9,"method":"deskmate/ping","params":{}}')
    assert again["error"]["code"] == -32600  # type: ignore[index]


def test_thousands_of_damaged_requests_leave_the_guest_answering(agent: socket.socket) -> None:
    rng = random.Random(41)
    meta = {"io.modelcontextprotocol/protocolVersion": "2026-07-28"}
    requests: list[tuple[str, dict[str, object]]] = [
        ("deskmate/status", {"key": "k"}),
        ("deskmate/take", {"paths": ["/etc/passwd"]}),
        ("tools/call", {"name": "workspace__ask", "arguments": {"question": "?"}, "_meta": meta}),
        ("prompts/get", {"name": "workspace__workspace", "_meta": meta}),
        ("deskmate/validate", {"deliverables": [], "files": {}, "config": {}}),
    ]
    for number in range(1, 5_000):
        method, params = rng.choice(requests)
        message = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
        line = bytearray(json.dumps(message).encode())
        for _ in range(rng.randint(1, 3)):
            line[rng.randrange(len(line))] = rng.choice(b'{}[]",:0129truefalsenull\\\x00\xff x')
        agent.sendall(bytes(line).replace(b"\n", b" ") + b"\n")
    agent.sendall(b'{"jsonrpc":"2.0","id":1000000000,"method":"deskmate/ping","params":{}}\n')
    data = b""
    while b'"id":1000000000,' not in data:
        piece = agent.recv(1 << 16)
        assert piece, "the guest ended"
        data = data[-100:] + piece
