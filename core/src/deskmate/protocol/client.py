"""The host's end of a guest's `agent` port: one request a method, every answer checked.

Content never comes this way: whoever calls `put`, `difference` or `take` moves it on `bulk`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Literal

import anyio
from anyio.abc import ByteStream

from deskmate.errors import ProtocolError
from deskmate.ports import CallState, ToolOutcome, ValidationReport
from deskmate.protocol.answers import (
    field,
    read_names,
    read_outcome,
    read_registry,
    read_report,
    read_status,
)
from deskmate.protocol.connection import Connection, Progress
from deskmate.types import wire
from deskmate.types.codec import to_json
from deskmate.types.files import Deliverable, Grant
from deskmate.types.registry import Registry

QUICK_S = 30.0
"""Deadline of requests that do no work to speak of; generous, for a busy host under emulation."""
LOAD_S = 300.0
"""Deadline of importing plugins and what they need."""
CALL_GRACE_S = 20.0
"""How much longer than the guest's own deadline the host waits before it gives the guest up."""
_ENVELOPE: Mapping[str, Any] = {
    "io.modelcontextprotocol/protocolVersion": wire.PROTOCOL,
    "io.modelcontextprotocol/clientInfo": {"name": "deskmate", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}
PutKind = Literal["base", "listing", "overlay", "home", "clean", "results"]


@asynccontextmanager
async def connect_guest(stream: ByteStream, first_id: int = 1) -> AsyncIterator[GuestClient]:
    """Serve a guest's `agent` stream while the context lasts, and close the stream at its end.

    `first_id`: of the first request; a guest takes ids that grow only.
    """
    connection = Connection(stream, first_id)
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(connection.serve)
            try:
                yield GuestClient(connection)
            finally:
                tasks.cancel_scope.cancel()
                with anyio.move_on_after(1, shield=True):
                    await stream.aclose()
    except BaseExceptionGroup as group:
        if len(group.exceptions) > 1:
            raise
        raise group.exceptions[0] from None  # the caller's own: the reader never raises


class GuestClient:
    """What the host asks of a guest.

    Every method raises ProtocolError when the guest breaks the wire rules or refuses, and
    SandboxUnavailable when it is gone or silent beyond the deadline. After either of a broken rule
    or a lost stream every further call raises at once. Methods may run at the same time.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def number_from(self, first_id: int) -> None:
        """Number later requests from here: negative ids are practice, which a guest forgets."""
        self._connection.number_from(first_id)

    def count_uses(self, in_use: Callable[[], AbstractAsyncContextManager[None]]) -> None:
        """Enter `in_use()` around every request from now on; it has the guest running."""
        self._connection.in_use = in_use

    async def wait_ready(self, timeout_s: float) -> float:
        """Wait for the guest's first line; returns its uptime in seconds."""
        return await self._connection.wait_ready(timeout_s)

    async def ping(self, timeout_s: float = QUICK_S) -> None:
        """Have the guest answer."""
        _empty(await self._connection.request(wire.PING, {}, timeout_s), wire.PING)

    async def resume(
        self,
        *,
        time_ns: int,
        seed: bytes,
        machine_id: str,
        hostname: str,
        timeout_s: float = QUICK_S,
    ) -> tuple[str, ...]:
        """Tell a restored guest the time, 64 random bytes and its names; returns its plugins.

        `machine_id`: 32 hex digits.
        """
        if len(seed) != 64:
            raise ValueError("the seed has 64 bytes")
        params = {
            "time_ns": time_ns,
            "seed": seed.hex(),
            "machine_id": machine_id,
            "hostname": hostname,
        }
        return read_names(await self._connection.request(wire.RESUME, params, timeout_s), "workers")

    async def set_clock(self, time_ns: int, timeout_s: float = QUICK_S) -> None:
        """Tell a guest that was stopped for a while what time it is. Is no use of it: see `count_uses`."""
        params = {"time_ns": time_ns}
        _empty(await self._connection.ask(wire.CLOCK, params, timeout_s), wire.CLOCK)

    async def registry(self, timeout_s: float = QUICK_S) -> Registry:
        """Return what the plugins registered. Untrusted: names and texts are the guest's."""
        return read_registry(await self._connection.request(wire.REGISTRY, {}, timeout_s))

    async def load(self, timeout_s: float = LOAD_S) -> tuple[str, ...]:
        """Have a guest that is going to be frozen load the plugins of its disk `plugins`; returns all it has."""
        reply = await self._connection.request(wire.LOAD, {}, timeout_s)
        return read_names(reply, "plugins")

    async def open(
        self,
        grants: Sequence[Grant],
        config: Mapping[str, Mapping[str, Any]],
        thread: str,
        timeout_s: float = QUICK_S,
    ) -> None:
        """Mount the scratch disk and lay out the workspace. Only names and modes of grants are told."""
        params = {
            "grants": [{"name": grant.name, "mode": grant.mode} for grant in grants],
            "config": to_json(config),
            "thread": thread,
        }
        field(await self._connection.request(wire.OPEN, params, timeout_s), "workspace", str)

    async def egress(
        self,
        trust: str,
        environment: Mapping[str, Mapping[str, str]],
        timeout_s: float = QUICK_S,
    ) -> None:
        """Have the guest open its way out. `environment`: plugin → variable → value, for its tools."""
        params = {"trust": trust, "environment": to_json(environment)}
        _empty(await self._connection.request(wire.EGRESS, params, timeout_s), wire.EGRESS)

    async def put(
        self, what: PutKind, size: int, *, delete: Sequence[str] = (), timeout_s: float
    ) -> int:
        """Have the guest unpack `size` bytes of tar that the caller writes to `bulk` meanwhile.

        Returns the number of entries that are not folders.
        """
        params = {"what": what, "bytes": size, "delete": list(delete)}
        return _count(await self._connection.request(wire.PUT, params, timeout_s), "files")

    async def lay(
        self, start: int, size: int, *, delete: Sequence[str] = (), timeout_s: float = QUICK_S
    ) -> None:
        """Have the guest mount the image at `start` of its disk `files` as the top of the base.

        `delete`: listed files that it holds or that are gone. Without a size nothing is mounted.
        """
        params = {"start": start, "bytes": size, "delete": list(delete)}
        _empty(await self._connection.request(wire.LAY, params, timeout_s), wire.LAY)

    async def difference(self, timeout_s: float) -> int:
        """Return the length of the document that follows on `bulk`."""
        return _count(await self._connection.request(wire.DIFFERENCE, {}, timeout_s), "bytes")

    async def take(self, paths: Sequence[str], timeout_s: float) -> int:
        """Ask for files by guest path; returns the length of the tar stream that follows on `bulk`."""
        params = {"paths": list(paths)}
        return _count(await self._connection.request(wire.TAKE, params, timeout_s), "bytes")

    async def status(
        self, key: str, timeout_s: float = QUICK_S
    ) -> tuple[CallState, ToolOutcome | None]:
        """Ask what became of a call."""
        return read_status(await self._connection.request(wire.STATUS, {"key": key}, timeout_s))

    async def call(
        self,
        tool: str,
        arguments: Mapping[str, Any],
        *,
        key: str,
        timeout_s: float,
        on_progress: Progress,
    ) -> ToolOutcome:
        """Run a tool under `key`. The guest ends it at `timeout_s`; a silent guest is given up later."""
        meta = {**_ENVELOPE, wire.META_KEY: key, "deskmate/timeout_s": timeout_s}
        params = {"name": tool, "arguments": dict(arguments), "_meta": meta}
        reply = await self._connection.request(
            "tools/call", params, timeout_s + CALL_GRACE_S, on_progress
        )
        return read_outcome(reply)

    async def validate(
        self,
        *,
        deliverables: Sequence[Deliverable],
        files: Mapping[str, str],
        config: Mapping[str, Mapping[str, Any]],
        timeout_s: float,
    ) -> ValidationReport:
        """Run the rules over what was put as `clean`, with what `given.json` there says."""
        params = {
            "deliverables": to_json(tuple(deliverables)),
            "files": dict(files),
            "config": to_json(config),
        }
        reply = await self._connection.request(wire.VALIDATE, params, timeout_s)
        return read_report(reply, {item.path for item in deliverables})


def _count(reply: Mapping[str, Any], name: str) -> int:
    value: int = field(reply, name, int)
    if value < 0:
        raise ProtocolError(f"the guest's answer has a negative {name}")
    return value


def _empty(reply: Mapping[str, Any], method: str) -> None:
    if reply:
        raise ProtocolError(f"the guest's answer to {method} is not empty")
