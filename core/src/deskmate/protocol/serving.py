"""The other way round: tools and skills offered to any MCP client, over stdio or HTTP on this machine."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import anyio

from deskmate.errors import DeskmateError
from deskmate.ports import Progress
from deskmate.types.registry import SkillSpec, ToolSpec

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from mcp.server.context import ServerRequestContext
    from mcp.server.lowlevel import Server

PATH = "/mcp"
TELL_S = 1.0
"""How often a client hears how a call goes."""
SESSIONS = 20
BODY_LIMIT_BYTES = 4 << 20
_SKILL_ARGUMENTS = "arguments"

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Answered(Protocol):
    """What a call gave."""

    @property
    def text(self) -> str:
        """The answer for a model."""

    @property
    def is_error(self) -> bool:
        """Say whether the call failed."""

    @property
    def pictures(self) -> Sequence[Content]:
        """What a model is to look at beside the text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """Something to be read. `media`: its type, "" where that is not known. `size`: in bytes, None where that is not known."""

    uri: str
    name: str
    title: str = ""
    description: str = ""
    media: str = ""
    size: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What a resource holds: a text, or bytes."""

    media: str
    text: str | None = None
    data: bytes = b""


class Offer(Protocol):
    """What is offered."""

    @property
    def instructions(self) -> str:
        """Return what the client's model should know first."""

    def tools(self) -> Sequence[ToolSpec]:
        """Return the tools."""

    def skills(self) -> Sequence[SkillSpec]:
        """Return the skills; clients get them as prompts."""

    def skill(self, name: str, arguments: str) -> str:
        """Return a skill's text. Raises DeskmateError."""

    def resources(self) -> Sequence[Resource]:
        """Return what can be read now."""

    async def resource(self, uri: str) -> Content:
        """Return what a resource holds. Raises DeskmateError."""

    async def call(self, tool: str, arguments: Mapping[str, Any], told: Progress) -> Answered:
        """Make one call."""


def make_server(offer: Offer, version: str) -> Server[Any]:
    """Return the SDK's server over an offer."""
    import mcp_types as types  # noqa: PLC0415 - half a second of imports
    from mcp.server.lowlevel import Server  # noqa: PLC0415
    from mcp.shared.exceptions import MCPError  # noqa: PLC0415

    async def list_tools(ctx: Any, params: Any) -> types.ListToolsResult:
        return types.ListToolsResult(tools=[_tool(spec) for spec in offer.tools()])

    async def call_tool(ctx: ServerRequestContext[Any], params: Any) -> types.CallToolResult:
        answer = await _called(offer, ctx, params.name, params.arguments or {})
        content: list[types.ContentBlock] = [types.TextContent(type="text", text=answer.text)]
        for shown in answer.pictures:
            data = base64.b64encode(shown.data).decode()
            content.append(types.ImageContent(type="image", data=data, mime_type=shown.media))
        return types.CallToolResult(content=content, is_error=answer.is_error)

    async def list_prompts(ctx: Any, params: Any) -> types.ListPromptsResult:
        return types.ListPromptsResult(prompts=[_prompt(skill) for skill in offer.skills()])

    async def get_prompt(ctx: Any, params: Any) -> types.GetPromptResult:
        try:
            text = offer.skill(params.name, (params.arguments or {}).get(_SKILL_ARGUMENTS, ""))
        except DeskmateError as error:
            raise MCPError(types.INVALID_PARAMS, error.message) from error
        block = types.TextContent(type="text", text=text)
        return types.GetPromptResult(messages=[types.PromptMessage(role="user", content=block)])

    async def list_resources(ctx: Any, params: Any) -> types.ListResourcesResult:
        return types.ListResourcesResult(resources=[_resource(one) for one in offer.resources()])

    async def read_resource(ctx: Any, params: Any) -> types.ReadResourceResult:
        try:
            found = await offer.resource(str(params.uri))
        except DeskmateError as error:
            raise MCPError(types.INVALID_PARAMS, error.message) from error
        return types.ReadResourceResult(contents=[_contents(str(params.uri), found)])

    return Server(
        "deskmate",
        version=version,
        title="Deskmate",
        instructions=offer.instructions,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
        on_list_prompts=list_prompts,
        on_get_prompt=get_prompt,
        on_list_resources=list_resources,
        on_read_resource=read_resource,
    )


async def _called(
    offer: Offer, ctx: ServerRequestContext[Any], tool: str, arguments: Mapping[str, Any]
) -> Answered:
    """Make a call, and tell the client meanwhile how it goes."""
    line = ""

    def told(text: str) -> None:
        nonlocal line
        line = text

    async def tell() -> None:
        said, steps = "", 0
        while True:
            await anyio.sleep(TELL_S)
            if line != said:
                said, steps = line, steps + 1
                await ctx.session.report_progress(steps, message=said)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(tell)
        answer = await offer.call(tool, arguments, told)
        tasks.cancel_scope.cancel()
    return answer


def _tool(spec: ToolSpec) -> Any:
    import mcp_types as types  # noqa: PLC0415

    # what a tool writes stays in the machine until the user applies it
    notes = types.ToolAnnotations(
        read_only_hint=spec.risk == "read",
        destructive_hint=spec.risk == "send",
        open_world_hint=spec.risk == "send",
    )
    return types.Tool(
        name=spec.name,
        title=spec.title or None,
        description=spec.description,
        input_schema=dict(spec.input_schema),
        annotations=notes,
    )


def _prompt(skill: SkillSpec) -> Any:
    import mcp_types as types  # noqa: PLC0415

    argument = types.PromptArgument(
        name=_SKILL_ARGUMENTS, description="What the skill is to be used for.", required=False
    )
    return types.Prompt(name=skill.name, description=skill.description, arguments=[argument])


def _resource(resource: Resource) -> Any:
    import mcp_types as types  # noqa: PLC0415

    return types.Resource(
        uri=resource.uri,
        name=resource.name,
        title=resource.title or None,
        description=resource.description or None,
        mime_type=resource.media or None,
        size=resource.size,
    )


def _contents(uri: str, content: Content) -> Any:
    import mcp_types as types  # noqa: PLC0415

    media = content.media or None
    if content.text is not None:
        return types.TextResourceContents(uri=uri, mime_type=media, text=content.text)
    data = base64.b64encode(content.data).decode()
    return types.BlobResourceContents(uri=uri, mime_type=media, blob=data)


async def serve_stdio(server: Server[Any]) -> None:
    """Serve the program at the other end of stdin and stdout until it closes them."""
    from mcp.server.stdio import stdio_server  # noqa: PLC0415

    async with stdio_server() as (reader, writer):
        await server.run(reader, writer, server.create_initialization_options())


@asynccontextmanager
async def http_app(
    server: Server[Any], token: str
) -> AsyncIterator[Callable[[Scope, Receive, Send], Awaitable[None]]]:
    """Yield an ASGI application that serves who knows the token, at `/mcp`, on this machine's own names only."""
    from mcp.server.streamable_http_manager import StreamableHTTPSessionManager  # noqa: PLC0415
    from mcp.server.transport_security import TransportSecuritySettings  # noqa: PLC0415

    own = [f"{name}:*" for name in ("127.0.0.1", "localhost")]
    manager = StreamableHTTPSessionManager(
        server,
        security_settings=TransportSecuritySettings(
            enable_dns_rebinding_protection=True,
            allowed_hosts=own,
            allowed_origins=[f"http://{name}" for name in own],
        ),
        max_request_body_size=BODY_LIMIT_BYTES,
        max_sessions=SESSIONS,
    )

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        if not _is_known(scope, token):
            await _refuse(
                send,
                401,
                b"Send the token that deskmate mcp serve shows: Authorization: Bearer TOKEN",
            )
        elif scope["path"] != PATH:
            await _refuse(send, 404, b"It is served at /mcp.")
        else:
            await manager.handle_request(scope, receive, send)

    async with manager.run():
        yield app


def _is_known(scope: Scope, token: str) -> bool:
    said = [value for name, value in scope["headers"] if name.lower() == b"authorization"]
    return len(said) == 1 and hmac.compare_digest(said[0], f"Bearer {token}".encode())


async def _refuse(send: Send, status: int, words: bytes) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8")]
    if status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": words})
