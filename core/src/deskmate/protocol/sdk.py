"""The official SDK's client over given streams: for connectors, and to prove that our guest conforms."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
from anyio.abc import ByteStream

from deskmate.errors import ProtocolError
from deskmate.types.frames import LineBuffer, decode_frame, encode_frame
from deskmate.types.wire import PROTOCOL

if TYPE_CHECKING:
    from mcp import Client

_READ_BYTES = 1 << 16
_CLOSE_S = 1.0


@asynccontextmanager
async def connect_mcp(stream: ByteStream, *, timeout_s: float = 60.0) -> AsyncIterator[Client]:
    """Yield an SDK client, pinned to our revision, that speaks JSON lines over `stream`.

    Lines are bounded and checked before the SDK sees them; a line that breaks the rules ends the
    connection. `timeout_s`: deadline of each request.
    """
    from mcp import Client  # noqa: PLC0415 — half a second of imports

    async with Client(
        line_transport(stream), mode=PROTOCOL, read_timeout_seconds=timeout_s
    ) as client:
        yield client


@asynccontextmanager
async def line_transport(stream: ByteStream) -> AsyncIterator[tuple[Any, Any]]:
    """Yield the pair of message streams that the SDK takes as a transport."""
    from mcp.shared.message import SessionMessage  # noqa: PLC0415
    from mcp_types import jsonrpc_message_adapter  # noqa: PLC0415

    to_client, incoming = anyio.create_memory_object_stream[Any](0)
    outgoing, from_client = anyio.create_memory_object_stream[Any](0)

    async def read() -> None:
        lines = LineBuffer()
        async with to_client:
            try:
                while True:
                    for line in lines.feed(await stream.receive(_READ_BYTES)):
                        message = jsonrpc_message_adapter.validate_python(decode_frame(line))
                        await to_client.send(SessionMessage(message))
            except (ProtocolError, ValueError) as error:
                await to_client.send(error)
            except (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError):
                return

    async def write() -> None:
        async with from_client:
            async for item in from_client:
                data = item.message.model_dump(mode="json", by_alias=True, exclude_unset=True)
                await stream.send(encode_frame(data))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(read)
        tasks.start_soon(write)
        try:
            yield incoming, outgoing
        finally:
            tasks.cancel_scope.cancel()
            with anyio.move_on_after(_CLOSE_S, shield=True):
                await stream.aclose()
            incoming.close()
            outgoing.close()
