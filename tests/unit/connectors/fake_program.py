"""A connector's program that tests spoil, and a sandbox whose machines have the guest's own relay, run in this process."""

from __future__ import annotations

import base64
import json
import sys
from functools import partial
from pathlib import Path
from typing import Any

import anyio.to_thread

from deskmate.connectors.pins import read_listing
from deskmate.plugin import ToolContext
from deskmate.testing.fake_sandbox import FakePlugin, FakeSandbox
from deskmate.types.connectors import ConnectorEntry, Program
from deskmate.types.registry import ToolSpec
from deskmate_guest.stdio import relay

SERVER = """
import json, os, sys

def tool(name, about="Does it."):
    return {"name": name, "description": about, "inputSchema": {"type": "object", "properties": {"q": {"type": "string"}}}}

mode = os.environ.get("MODE", "")
print("welcome", flush=True)
print("starting", file=sys.stderr, flush=True)
if mode == "dies":
    print("no licence", file=sys.stderr, flush=True)
    sys.exit(3)
for line in sys.stdin:
    message = json.loads(line)
    method, number = message.get("method"), message.get("id")
    if number is None:
        continue
    if method == "initialize":
        result = {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}}, "serverInfo": {"name": "shop", "version": "1"}}
    elif method == "tools/list":
        about = "Another." if mode == "pull" else "Does it."
        result = {"tools": [tool("find", about), tool("send")]}
    elif method == "tools/call":
        if mode == "crash":
            print("out of ideas", file=sys.stderr, flush=True)
            os._exit(7)
        if mode == "hang":
            continue
        if mode == "garbage":
            print('{"jsonrpc": "2.0", "id": ', flush=True)
            print("not json at all", flush=True)
        if mode == "ask":
            form = {"type": "object", "properties": {"size": {"type": "string"}}}
            asked = {"message": "Which size?", "requestedSchema": form}
            print(json.dumps({"jsonrpc": "2.0", "id": "a", "method": "elicitation/create", "params": asked}), flush=True)
            told = json.loads(sys.stdin.readline())["result"]
            print(json.dumps({"jsonrpc": "2.0", "id": number, "result": {"content": [{"type": "text", "text": json.dumps(told)}]}}), flush=True)
            continue
        size = 3_000_000 if mode == "huge" else 400_000 if mode == "large" else 1
        words = message["params"]["arguments"].get("q", "") * size
        if mode == "where":
            words = json.dumps([os.getcwd(), os.environ.get("HOME"), os.environ.get("TOKEN")])
        result = {"content": [{"type": "text", "text": words}]}
    else:
        print(json.dumps({"jsonrpc": "2.0", "id": number, "error": {"code": -32601, "message": "Method not found"}}), flush=True)
        continue
    print(json.dumps({"jsonrpc": "2.0", "id": number, "result": result}), flush=True)
"""


def _tools() -> list[dict[str, Any]]:
    schema = {"type": "object", "properties": {"q": {"type": "string"}}}
    return [
        {"name": name, "description": "Does it.", "inputSchema": schema}
        for name in ("find", "send")
    ]


def program_entry(folder: Path, mode: str = "", name: str = "crm", **more: Any) -> ConnectorEntry:
    """Return a connector whose program is `SERVER`, with its tools accepted."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "server.py"
    file.write_text(SERVER)
    program = Program(
        command=(sys.executable, "-I", str(file)),
        packages={"shop==1": "sha256:0"},
        wheels={},
        folder=str(folder),
        main="shop==1",
        version="1",
        environment={"MODE": mode},
    )
    return ConnectorEntry(
        name=name, url="pypi:shop==1", transport="stdio", program=program,
        tools=read_listing(name, _tools()).tools, **more,
    )  # fmt: skip


class RelaySandbox(FakeSandbox):
    """Machines of it start programs on this machine, so it is for programs of tests only."""

    def __init__(self, folder: Path, name: str = "crm") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.calls: list[str] = []
        plugin = f"connector--{name}"
        context = ToolContext(
            workspace=folder,
            home=folder,
            resources=folder,
            config={},
            on_progress=lambda line: None,
        )

        async def serve(function: Any, tree: Any, arguments: Any) -> str:
            self.calls.append(function.__name__)
            done: str = await anyio.to_thread.run_sync(partial(function, context, **arguments))
            return done

        def spec(tool: str) -> ToolSpec:
            return ToolSpec(
                plugin=plugin, name=f"{plugin}__{tool}", title="", description="", input_schema={}, risk="write"
            )  # fmt: skip

        tools = {
            f"{plugin}__{function.__name__}": (spec(function.__name__), partial(serve, function))
            for function in (relay.start, relay.exchange)
        }
        super().__init__({plugin: FakePlugin(tools=tools)})


def exchanged(context: ToolContext, data: bytes = b"", wait_s: float = 10.0) -> dict[str, Any]:
    """Return what the relay gives for bytes, with its output decoded."""
    answer: dict[str, Any] = json.loads(
        relay.exchange(context, base64.b64encode(data).decode(), wait_s)
    )
    return {**answer, "out": base64.b64decode(answer["out"])}
