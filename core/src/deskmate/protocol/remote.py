"""A connector's server as the official client speaks to it; what it sends comes out as plain data, its faults as our errors."""

from __future__ import annotations

import logging
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Iterable,
    Mapping,
)
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import anyio
from anyio.abc import TaskStatus

from deskmate.errors import OutcomeUnknown, ProtocolError, ToolError
from deskmate.protocol.oauth import why_no_login
from deskmate.shown import one_line
from deskmate.types.connectors import Kind

if TYPE_CHECKING:
    import httpx2
    from mcp import Client

PAGES_LIMIT = 20
ROUNDS = 5
"""How often a server may want something more before it answers a call."""
_EVENT_BYTES = 8 << 20
_SAID_LIMIT = 2_000
_PROGRESS_LIMIT = 200
_LOST = ("Connection closed", "SSE stream", "server answered a request with 202")
"""How the client's own words for an answer that will never come begin."""

Transport = AbstractAsyncContextManager[Any]
"""What the client takes: a context that gives its two streams."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteResult:
    """What a call gave, as the server sent it. `content`: its parts as JSON objects."""

    content: tuple[Mapping[str, Any], ...]
    structured: Any = None
    is_error: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Offered:
    """What a server has, as it sent it. `templates`: of its resources' addresses; None: it has no resources."""

    tools: tuple[Mapping[str, Any], ...] = ()
    prompts: tuple[Mapping[str, Any], ...] = ()
    templates: tuple[Mapping[str, Any], ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a server is told to its question. `content`: the filled form, None where `action` is not to accept."""

    action: Literal["accept", "decline", "cancel"] = "decline"
    content: Mapping[str, Any] | None = None


Asked = Callable[[str, Mapping[str, Any]], Reply]
"""Answers a server's question: its words, and the JSON Schema of the form."""


def declines(message: str, schema: Mapping[str, Any]) -> Reply:
    """Say no, whatever the question is."""
    return Reply()


class RemoteServer:
    """A server that a connection stands to. Made by `connect_remote`."""

    def __init__(self, client: Client, timeout_s: float) -> None:
        self._client = client
        self._timeout_s = timeout_s
        self.asked: Asked = declines
        """Answers what the server asks the user while a call is under way."""
        self.settle: Callable[[], Awaitable[None]] = _nothing
        """Done after each call, before its answer counts."""
        self.said: Callable[[], str] = lambda: ""
        """Why nothing comes any more, where the transport knows it."""
        self.refused: Callable[[], str] = lambda: ""
        """Why the last request was not taken, where the transport knows it: then nothing was done."""
        self.stderr: Callable[[], str] = lambda: ""
        """The end of what the server's program wrote to stderr, where there is one."""

    @property
    def name(self) -> str:
        """What the server calls itself, bounded; empty if it does not say."""
        info = self._client.server_info
        return one_line(f"{info.name} {info.version}".strip(), 120) if info is not None else ""

    @property
    def protocol(self) -> str:
        """The revision of the protocol that is spoken."""
        return one_line(str(self._client.protocol_version), 40)

    async def list_tools(self) -> tuple[Mapping[str, Any], ...]:
        """Return its tools as JSON objects, at most 20 pages. Raises ToolError, ProtocolError."""
        return await self._pages("tools", self._client.list_tools)

    async def offered(self, known: Collection[Kind] | None = None) -> Offered:
        """Return its tools, its prompts, and whether it has resources. Raises ToolError, ProtocolError.

        `known`: kinds of which the user accepted something; nothing else is asked for. Without it this is a first look: a
        server that says it has resources, and lists none and no template of one, has none, for many say it always.
        """
        has, client = self._client.server_capabilities, self._client
        more = has.prompts is not None or has.resources is not None
        prompts: tuple[Mapping[str, Any], ...] = ()
        templates = None
        if has.prompts and (known is None or "prompt" in known):
            prompts = await self._pages("prompts", client.list_prompts)
        if has.resources and (known is None or "resource" in known):
            templates = await self._pages("resource_templates", client.list_resource_templates)
            if known is None and not templates and not await self._lists_resources():
                templates = None
        tools = await self.list_tools() if has.tools is not None or not more else ()
        return Offered(tools=tools, prompts=prompts, templates=templates)

    async def _lists_resources(self) -> bool:
        try:
            rows, more = await self.resources(None, timeout_s=self._timeout_s)
        except ToolError:
            return False
        return bool(rows or more)

    async def _pages(
        self, what: str, ask: Callable[..., Awaitable[Any]]
    ) -> tuple[Mapping[str, Any], ...]:
        """Return all rows of a list; several servers say that they have one, and know no such method."""
        from mcp import MCPError  # noqa: PLC0415
        from mcp_types import METHOD_NOT_FOUND  # noqa: PLC0415

        name = what.replace("_", " ")
        rows: list[Mapping[str, Any]] = []
        cursor: str | None = None
        with _Translated(f"listing its {name}"):
            for _ in range(PAGES_LIMIT):
                try:
                    page = await ask(cursor=cursor)
                except MCPError as error:
                    if error.code == METHOD_NOT_FOUND and what != "tools":
                        return ()
                    raise
                rows += _plain_rows(getattr(page, what))
                cursor = page.next_cursor
                if cursor is None:
                    return tuple(rows)
        raise ProtocolError(f"its list of {name} has more than {PAGES_LIMIT} pages")

    async def resources(
        self, cursor: str | None, *, timeout_s: float
    ) -> tuple[tuple[Mapping[str, Any], ...], str]:
        """Return one page of its resources, and where the next begins, "" for nowhere. Raises as `call` does."""
        with _Translated("listing its resources", sent=True):
            async with self._limited(timeout_s):
                page = await self._client.list_resources(cursor=cursor)
        return _plain_rows(page.resources), page.next_cursor or ""

    async def read(self, uri: str, *, timeout_s: float) -> tuple[Mapping[str, Any], ...]:
        """Return what a resource holds, each part with its address and a text or a blob. Raises as `call` does."""
        with _Translated("reading a resource", sent=True):
            async with self._limited(timeout_s):
                return _plain_rows((await self._client.read_resource(uri)).contents)

    async def prompt(
        self, name: str, arguments: Mapping[str, str], *, timeout_s: float
    ) -> tuple[Mapping[str, Any], ...]:
        """Return a prompt's messages, filled in. Raises as `call` does."""
        with _Translated(f"getting the prompt {name}", sent=True):
            async with self._limited(timeout_s):
                return _plain_rows((await self._client.get_prompt(name, dict(arguments))).messages)

    @asynccontextmanager
    async def _limited(self, timeout_s: float) -> AsyncIterator[None]:
        """Give what has no deadline of its own in the client the one of a call, and settle after it."""
        with anyio.fail_after(timeout_s):
            yield
        await self.settle()

    async def call(
        self,
        tool: str,
        arguments: Mapping[str, Any],
        *,
        timeout_s: float,
        on_progress: Callable[[str], None],
    ) -> RemoteResult:
        """Call a tool.

        Raises:
            ToolError: the server answered that it did not work.
            OutcomeUnknown: the call was sent and no answer came that can be read.
        """
        left = _PROGRESS_LIMIT

        async def tell(
            progress: float, total: float | None = None, message: str | None = None
        ) -> None:
            nonlocal left
            said = message or (f"{progress:g} of {total:g}" if total else "")
            if left and said:
                left -= 1
                on_progress(one_line(said, 200))

        try:
            with _Translated(f"calling {tool}", sent=True):
                answer = await self._client.call_tool(
                    tool, dict(arguments), read_timeout_seconds=timeout_s, progress_callback=tell
                )
        except OutcomeUnknown as error:
            if why := self.refused():
                raise ToolError(why) from error
            raise
        with _Translated(f"calling {tool}", sent=True):
            await self.settle()
            return RemoteResult(
                content=_plain_rows(answer.content),
                structured=answer.structured_content,
                is_error=bool(answer.is_error),
            )


async def _nothing() -> None:
    return None


def _plain_rows(models: Iterable[Any]) -> tuple[Mapping[str, Any], ...]:
    return tuple(one.model_dump(mode="json", by_alias=True, exclude_none=True) for one in models)


class _Translated:
    """Turns what the client raises into our errors; what a server wrote is bounded and in one line."""

    def __init__(self, doing: str, *, sent: bool = False) -> None:
        self._doing, self._sent = doing, sent

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: Any
    ) -> None:
        if error is None or not isinstance(error, Exception):
            return
        from mcp import MCPError  # noqa: PLC0415
        from mcp_types import PARSE_ERROR, REQUEST_TIMEOUT  # noqa: PLC0415

        if isinstance(error, ToolError | OutcomeUnknown | ProtocolError):
            return
        if isinstance(error, MCPError):
            # the code of a closed connection is one that servers use for any error of theirs
            lost = error.code in (PARSE_ERROR, REQUEST_TIMEOUT) or error.message.startswith(_LOST)
            if lost and self._sent:
                raise OutcomeUnknown(f"{self._doing}: {one_line(error.message, 300)}") from error
            raise ToolError(
                f"{self._doing} failed: {one_line(error.message, _SAID_LIMIT)}"
            ) from error
        if isinstance(error, TimeoutError):
            raise OutcomeUnknown(f"{self._doing}: it gave no answer in time") from error
        if self._sent:
            raise OutcomeUnknown(
                f"{self._doing}: the answer cannot be read ({type(error).__name__})"
            ) from error
        raise ProtocolError(
            f"{self._doing}: the answer cannot be read ({type(error).__name__})"
        ) from error


@asynccontextmanager
async def connect_remote(
    transport: Transport, *, timeout_s: float, connect_s: float | None = None
) -> AsyncIterator[RemoteServer]:
    """Yield the server behind a transport: of the newer generation of the protocol, else of the older.

    What a server asks for by itself is answered with no: no sampling, no list of folders; its questions to the user go
    to the connection's `asked`, which says no unless a run has set it. `connect_s`: how long connecting may take, where that is not as long as a request.
    Raises ToolError where no connection comes about.
    """
    from mcp import Client  # noqa: PLC0415 - half a second of imports
    from mcp_types import ElicitResult  # noqa: PLC0415

    # its messages quote servers, and without a handler Python would write them to the terminal
    logging.getLogger("mcp").addHandler(logging.NullHandler())
    server: RemoteServer | None = None

    async def elicited(context: Any, params: Any) -> ElicitResult:
        schema = getattr(params, "requested_schema", None)
        if server is None or not isinstance(schema, Mapping):
            return ElicitResult(
                action="decline"
            )  # an address to open is no question to be answered here
        reply = server.asked(str(params.message), schema)
        content = dict(reply.content) if reply.content is not None else None
        return ElicitResult(action=reply.action, content=content)

    client = Client(
        transport,
        mode="auto",
        read_timeout_seconds=timeout_s,
        cache=None,
        elicitation_callback=elicited,
        input_required_max_rounds=ROUNDS,
    )
    server = RemoteServer(client, timeout_s)
    stop = anyio.Event()

    async def hold(*, task_status: TaskStatus[None]) -> None:
        """Keep the connection in a task of its own: where it breaks, calls are told so and nothing is cancelled."""
        began = False
        try:
            with anyio.fail_after(connect_s or timeout_s) as limit:
                async with client:
                    limit.deadline = float("inf")
                    began = True
                    task_status.started()
                    await stop.wait()
        except Exception as error:
            if not began:
                raise _failure(_first(error), connect_s or timeout_s) from error

    try:
        async with anyio.create_task_group() as tasks:
            await tasks.start(hold)
            try:
                yield server
            finally:
                stop.set()
    except BaseExceptionGroup as group:
        raise _first(group) from None  # as if there were no task groups


def _failure(error: BaseException, waited_s: float) -> BaseException:
    """Return why no connection came about, as an error of ours."""
    if isinstance(error, ToolError | OutcomeUnknown | ProtocolError):
        return error
    if isinstance(error, TimeoutError):
        return ToolError(f"it gave no answer in {waited_s:g} s")
    return ToolError(_why(error))


def _first(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _why(error: BaseException) -> str:
    import httpx2  # noqa: PLC0415
    from mcp import MCPError  # noqa: PLC0415

    if isinstance(error, httpx2.TransportError):  # in our own words
        return one_line(str(error), 300)
    if why := why_no_login(error):
        return why
    if isinstance(error, MCPError):
        return f"it answered: {one_line(error.message, 300)}"
    return f"it does not speak the protocol ({type(error).__name__})"


def http_transport(url: str, client: httpx2.AsyncClient) -> Transport:
    """Return the transport to a server over streamable HTTP."""
    from mcp.client.streamable_http import streamable_http_client  # noqa: PLC0415

    return streamable_http_client(url, http_client=client, max_sse_event_size=_EVENT_BYTES)
