"""The adapter against a Messages API server that others wrote."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from deskmate.errors import ModelUnavailable
from deskmate.models.anthropic import AnthropicModel
from deskmate.models.catalogue import find_model
from deskmate.ports import ModelReply, ModelRequest
from deskmate.types.messages import Message, Opaque, ToolUse, block_to_json, text_of
from deskmate.types.registry import ToolSpec

MakeRequest = Callable[..., ModelRequest]
MakeMessage = Callable[..., Message]

pytestmark = [pytest.mark.anyio, pytest.mark.cases]

WEATHER = ToolSpec(
    plugin="get",
    name="get_weather",
    title="Weather",
    description="Says the weather.",
    input_schema={
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
    },
    risk="read",
)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="module")
def llmock(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("npm")
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed")
    install = ["npm", "install", "--silent", "--no-audit", "--no-fund", "@copilotkit/aimock"]
    done = subprocess.run([*install, "--prefix", str(folder)], capture_output=True, timeout=120)
    program = folder / "node_modules/.bin/llmock"
    if done.returncode != 0 or not program.exists():
        pytest.skip("npm could not install the server")
    return str(program)


@pytest.fixture
def url(llmock: str, cases: Path) -> Iterator[str]:
    port = free_port()
    fixtures = str(cases / "peers/aimock/fixtures.json")
    process = subprocess.Popen(
        [llmock, "-f", fixtures, "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=10)


@pytest.fixture
async def model(url: str) -> AsyncIterator[AnthropicModel]:
    port = int(url.rpartition(":")[2])
    with anyio.fail_after(30):
        while True:
            try:
                stream = await anyio.connect_tcp("127.0.0.1", port)
                break
            except OSError:
                await anyio.sleep(0.05)
    await stream.aclose()
    one = AnthropicModel(find_model("claude-sonnet-5", {}), api_key="x", base_url=url)
    yield one
    await one.aclose()


@pytest.fixture
def ask(
    model: AnthropicModel, make_request: MakeRequest, user: MakeMessage
) -> Callable[[str], Any]:
    async def one(text: str) -> ModelReply:
        return await model.reply(make_request(user(text), tools=(WEATHER,)), lambda _: None)

    return one


async def test_text_tools_and_thinking_are_read(ask: Callable[[str], Any]) -> None:
    hello = await ask("hello")
    assert text_of(hello.content) == "Hi there from aimock, this is a longer sentence."
    assert hello.stop_reason == "end_turn"
    weather = await ask("weather")
    (use,) = (block for block in weather.content if isinstance(block, ToolUse))
    assert (use.name, use.input, weather.stop_reason) == (
        "get_weather",
        {"city": "Paris"},
        "tool_use",
    )
    think = await ask("think")
    thoughts = [block for block in think.content if isinstance(block, Opaque)]
    assert [block_to_json(block)["thinking"] for block in thoughts] == ["let me think"]
    assert text_of(think.content) == "4"


@pytest.mark.parametrize("text", ["overload", "ratelimit", "cut"])
async def test_faults_are_unavailable(text: str, ask: Callable[[str], Any]) -> None:
    with pytest.raises(ModelUnavailable):
        await ask(text)
