"""What is offered to other programs, asked for by the official client in both generations of the protocol, and over HTTP."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import anyio
import httpx2
import pytest
import uvicorn
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError

from deskmate.errors import ToolInputError, UserError
from deskmate.ports import Progress
from deskmate.protocol import serving
from deskmate.protocol.serving import Content, Resource, http_app, make_server
from deskmate.types.registry import SkillSpec, ToolSpec

pytestmark = pytest.mark.anyio
TOKEN = "a-token-of-this-test"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@dataclass(frozen=True)
class Said:
    text: str
    is_error: bool = False
    pictures: Sequence[Content] = ()


class Desk:
    """Something to offer."""

    instructions = "Paths begin with a folder's name."

    def tools(self) -> Sequence[ToolSpec]:
        schema = {"type": "object", "properties": {"text": {"type": "string"}}}
        return tuple(
            ToolSpec(
                plugin="lab", name=f"lab__{risk}", title=risk.title(), description=risk, input_schema=schema, risk=risk,
            )
            for risk in ("read", "write", "send")
        )  # fmt: skip

    def skills(self) -> Sequence[SkillSpec]:
        return (SkillSpec(plugin="lab", name="measure", description="Measure it.", body="Twice."),)

    def skill(self, name: str, arguments: str) -> str:
        if name != "measure":
            raise ToolInputError(f"There is no skill {name!r}.")
        return f"Measure twice: {arguments}"

    def resources(self) -> Sequence[Resource]:
        return (
            Resource(uri="skill:///measure", name="measure", media="text/markdown"),
            Resource(uri="result:///docs/a%20b.bin", name="a b.bin", title="It", size=3),
        )

    async def resource(self, uri: str) -> Content:
        if uri == "skill:///measure":
            return Content(media="text/markdown", text="Twice.")
        if uri != "result:///docs/a%20b.bin":
            raise UserError(f"There is no resource {uri!r}.")
        return Content(media="", data=b"\0\1\2")

    async def call(self, tool: str, arguments: Mapping[str, Any], told: Progress) -> Said:
        told("half of it is done")
        await anyio.sleep(float(arguments.get("seconds", 0)))
        shown = (
            [Content(media="image/png", data=b"\x89PNG")] if arguments.get("text") == "look" else []
        )
        return Said(
            f"{tool} {arguments.get('text', '')}", is_error=tool == "lab__send", pictures=shown
        )


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
async def test_tools_and_skills_are_there_in_both_generations(mode: Any) -> None:
    async with Client(make_server(Desk(), "1"), mode=mode) as client:
        tools = (await client.list_tools()).tools
        hints = {tool.name: tool.annotations for tool in tools}
        assert [hints[f"lab__{risk}"].read_only_hint for risk in ("read", "write", "send")] == [  # type: ignore[union-attr]
            True, False, False,
        ]  # fmt: skip
        assert tools[0].input_schema["properties"] == {"text": {"type": "string"}}
        called = await client.call_tool("lab__read", {"text": "grüße"})
        assert (called.is_error, called.content[0].text) == (False, "lab__read grüße")  # type: ignore[union-attr]
        words, picture = (await client.call_tool("lab__read", {"text": "look"})).content
        assert words.text == "lab__read look"  # type: ignore[union-attr]
        assert (picture.type, picture.mime_type, picture.data) == ("image", "image/png", "iVBORw==")  # type: ignore[union-attr]
        assert (await client.call_tool("lab__send", {})).is_error
        assert [prompt.name for prompt in (await client.list_prompts()).prompts] == ["measure"]
        prompt = await client.get_prompt("measure", {"arguments": "the desk"})
        assert prompt.messages[0].content.text == "Measure twice: the desk"  # type: ignore[union-attr]
        with pytest.raises(MCPError, match="no skill 'nosuch'"):
            await client.get_prompt("nosuch")


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
async def test_resources_are_listed_and_read_in_both_generations(mode: Any) -> None:
    async with Client(make_server(Desk(), "1"), mode=mode) as client:
        listed = (await client.list_resources()).resources
        assert [(str(one.uri), one.name, one.size) for one in listed] == [
            ("skill:///measure", "measure", None),
            ("result:///docs/a%20b.bin", "a b.bin", 3),
        ]
        text = (await client.read_resource("skill:///measure")).contents[0]
        assert (text.mime_type, text.text) == ("text/markdown", "Twice.")  # type: ignore[union-attr]
        data = (await client.read_resource("result:///docs/a%20b.bin")).contents[0]
        assert data.blob == "AAEC"  # type: ignore[union-attr]
        with pytest.raises(MCPError, match="no resource"):
            await client.read_resource("skill:///nosuch")


async def test_the_client_hears_how_a_long_call_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "TELL_S", 0.01)
    heard = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        heard.append(message)

    async with Client(make_server(Desk(), "1"), mode="legacy") as client:
        await client.call_tool("lab__read", {"seconds": 0.3}, progress_callback=hear)
    assert heard == ["half of it is done"]


@asynccontextmanager
async def served() -> AsyncIterator[str]:
    """Serve over HTTP and yield the address."""
    with socket.create_server(("127.0.0.1", 0)) as own:
        async with (
            http_app(make_server(Desk(), "1"), TOKEN) as app,
            anyio.create_task_group() as tasks,
        ):
            server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_config=None, ws="none"))
            tasks.start_soon(server._serve, [own])
            yield f"http://127.0.0.1:{own.getsockname()[1]}"
            server.should_exit = True


async def test_over_http_it_serves_who_knows_the_token() -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with (
        served() as address,
        httpx2.AsyncClient(headers=headers, trust_env=False) as http,
        Client(streamable_http_client(f"{address}/mcp", http_client=http)) as client,
    ):
        called = await client.call_tool("lab__read", {"text": "over http"})
        assert called.content[0].text == "lab__read over http"  # type: ignore[union-attr]


async def test_over_http_it_refuses_everybody_else() -> None:
    known = {"Authorization": f"Bearer {TOKEN}"}
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
    cases: Sequence[tuple[str, Mapping[str, str], int]] = (
        ("/mcp", {}, 401),
        ("/mcp", {"Authorization": "Bearer"}, 401),
        ("/mcp", {"Authorization": f"Bearer {TOKEN}x"}, 401),
        ("/mcp", {"Authorization": f"Basic {TOKEN}"}, 401),
        ("/", known, 404),
        ("/mcp", {**known, "Host": "evil.example"}, 421),
        ("/mcp", {**known, "Origin": "https://evil.example"}, 403),
    )
    async with served() as address, httpx2.AsyncClient(trust_env=False) as http:
        for path, headers, status in cases:
            answer = await http.post(f"{address}{path}", json=body, headers=headers)
            assert answer.status_code == status, (path, headers)
            assert "lab__read" not in answer.text
        huge = await http.post(f"{address}/mcp", content=b" " * (5 << 20), headers=known)
        assert huge.status_code in (400, 413)
