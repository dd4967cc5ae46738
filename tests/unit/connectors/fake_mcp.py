"""A server of either generation of the protocol whose every answer a test can spoil, on the internet of this process."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deskmate.connectors.logins import Logins
from deskmate.connectors.pins import read_offered
from deskmate.connectors.vault import Vault
from deskmate.host.connecting import Means, connected
from deskmate.protocol.remote import Offered, RemoteServer
from deskmate.testing.fake_internet import FakeAnswer, FakeInternet, FakeRequest
from deskmate.types.connectors import ConnectorEntry
from deskmate.types.events import Payload

HOST = "mcp.example.test"
URL = f"https://{HOST}/mcp"
Json = Mapping[str, Any]


def tool(name: str, description: str = "Does it.", **more: Any) -> dict[str, Any]:
    """Return a tool as a server lists it."""
    schema = {"type": "object", "properties": {"q": {"type": "string"}}}
    return {"name": name, "description": description, "inputSchema": schema, **more}


def text(words: str, **more: Any) -> dict[str, Any]:
    """Return a tool's result."""
    return {"content": [{"type": "text", "text": words}], **more}


@dataclass(slots=True)
class FakeMcp:
    """`results`: tool → its result, or what makes it of the arguments. `raw`: answers a method in place of all that.

    `prompts`: those that it has; `resources`: address → a part of what it holds; None: it offers none of the kind.
    `modern`: it speaks the newer generation. `as_events`: it answers in a stream of events.
    """

    tools: Sequence[Mapping[str, Any]] = (tool("find"),)
    prompts: Sequence[Mapping[str, Any]] | None = None
    resources: Mapping[str, Mapping[str, Any]] | None = None
    templates: Sequence[Mapping[str, Any]] = ()
    results: dict[str, Any] = field(default_factory=dict)
    modern: bool = True
    as_events: bool = False
    raw: dict[str, Callable[[FakeRequest, Any], FakeAnswer]] = field(default_factory=dict)
    calls: list[tuple[str, Any]] = field(default_factory=list)
    methods: list[str] = field(default_factory=list)
    answers: list[Any] = field(default_factory=list)

    def __call__(self, request: FakeRequest) -> FakeAnswer:
        """Answer one request."""
        if request.method != "POST":
            return FakeAnswer(status=200 if request.method == "DELETE" else 405)
        message = json.loads(request.body)
        if "method" not in message:  # an answer to what the server asked for
            self.answers.append(message)
            return FakeAnswer(status=202)
        method, number = message["method"], message.get("id")
        self.methods.append(method)
        if method == "tools/call":
            self.calls.append((message["params"]["name"], message["params"].get("arguments")))
        if method in self.raw:
            return self.raw[method](request, message)
        if number is None:
            return FakeAnswer(status=202)
        result = self._result(method, message.get("params", {}))
        if result is None:
            error = {"code": -32601, "message": "Method not found"}
            return self.reply({"jsonrpc": "2.0", "id": number, "error": error})
        return self.reply({"jsonrpc": "2.0", "id": number, "result": result})

    def reply(self, message: Any) -> FakeAnswer:
        """Return a JSON-RPC message as an answer."""
        body = json.dumps(message).encode()
        if self.as_events:
            kind, body = "text/event-stream", b"event: message\r\ndata: " + body + b"\r\n\r\n"
        else:
            kind = "application/json"
        return FakeAnswer(headers=[("content-type", kind)], body=body)

    def _result(self, method: str, params: Json) -> Any:
        about = (
            {"resultType": "complete", "ttlMs": 0, "cacheScope": "private"} if self.modern else {}
        )
        match method:
            case "server/discover" if self.modern:
                return {
                    **about,
                    "supportedVersions": ["2026-07-28"],
                    "capabilities": self._capabilities(),
                }
            case "initialize" if not self.modern:
                info = {"name": "Fake", "version": "1"}
                return {
                    "protocolVersion": "2025-11-25",
                    "capabilities": self._capabilities(),
                    "serverInfo": info,
                }
            case "tools/list":
                return {**about, "tools": list(self.tools)}
            case "tools/call":
                found = self.results.get(params["name"], text("ok"))
                found = found(params.get("arguments")) if callable(found) else found
                return {**({"resultType": "complete"} if self.modern else {}), **found}
        return self._beside_tools(method, params, about)

    def _capabilities(self) -> dict[str, Any]:
        has = {"tools": self.tools, "prompts": self.prompts, "resources": self.resources}
        return {name: {} for name, rows in has.items() if rows is not None}

    def _beside_tools(self, method: str, params: Json, about: Json) -> Any:
        match method:
            case "prompts/list" if self.prompts is not None:
                return {**about, "prompts": list(self.prompts)}
            case "prompts/get":
                words = f"Review it {params.get('arguments', {}).get('how', 'well')}."
                message = {"role": "user", "content": {"type": "text", "text": words}}
                return {**_done(about), "messages": [message]}
            case "resources/templates/list":
                return {**about, "resourceTemplates": list(self.templates)}
            case "resources/list" if self.resources is not None:
                rows = [{"uri": uri, "name": uri.rpartition("/")[2]} for uri in self.resources]
                return {**about, "resources": rows}
            case "resources/read" if self.resources and params["uri"] in self.resources:
                part = {"uri": params["uri"], **self.resources[params["uri"]]}
                return {**about, "contents": [part]}
        return None


def _done(about: Json) -> dict[str, Any]:
    return {"resultType": "complete"} if about else {}


def entry_for(server: FakeMcp, name: str = "crm", **more: Any) -> ConnectorEntry:
    """Return a connector whose tools are accepted as the server has them now."""
    templates = tuple(server.templates) if server.resources is not None else None
    offered = Offered(
        tools=tuple(server.tools), prompts=tuple(server.prompts or ()), templates=templates
    )
    pins = read_offered(name, offered).tools
    return ConnectorEntry(**{"name": name, "url": URL, "tools": pins, "timeout_s": 5, **more})


def means_for(net: FakeInternet, folder: Path) -> Means:
    """Return what connecting needs, with a vault in a file."""
    vault = Vault(folder, None)
    return Means(outside=net.outside, vault=vault, logins=Logins(folder, vault))


class Facts(list[Payload]):
    """What was recorded."""

    async def record(self, payload: Payload) -> None:
        """Keep it."""
        self.append(payload)

    def of(self, kind: type[Any]) -> list[Any]:
        """Return the facts of one kind."""
        return [fact for fact in self if isinstance(fact, kind)]


def dialled(
    net: FakeInternet, entry: ConnectorEntry, folder: Path, facts: Facts | None = None
) -> AbstractAsyncContextManager[RemoteServer]:
    """Connect as the host does."""
    return connected(
        entry, means_for(net, folder), (facts if facts is not None else Facts()).record
    )
