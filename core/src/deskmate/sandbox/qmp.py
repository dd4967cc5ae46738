"""A small client of QEMU's machine protocol over a passed socket: bounded, with descriptors."""

from __future__ import annotations

import json
from typing import Any

import anyio

from deskmate.errors import ProtocolError, SandboxUnavailable
from deskmate.sandbox.channel import Channel

_LINE_LIMIT_BYTES = 1 << 20
_DEADLINE_S = 20.0


class Qmp:
    """One connection. Commands are answered in order; events in between are kept, the last 64."""

    def __init__(self, stream: Channel) -> None:
        self._stream = stream
        self._buffer = bytearray()
        self._lock = anyio.Lock()
        self.events: list[dict[str, Any]] = []

    async def connect(self, timeout_s: float = _DEADLINE_S) -> None:
        """Read the greeting and leave the negotiation."""
        with anyio.fail_after(timeout_s):
            if "QMP" not in await self._message():
                raise ProtocolError("QEMU did not greet")
        await self.execute("qmp_capabilities", timeout_s=timeout_s)

    async def execute(
        self,
        command: str,
        /,
        *,
        fd: int | None = None,
        timeout_s: float = _DEADLINE_S,
        **arguments: Any,
    ) -> Any:
        """Run a command, passing `fd` along, and return its value.

        Raises SandboxUnavailable when QEMU refuses it, is gone or does not answer in time.
        """
        line = json.dumps({"execute": command, "arguments": arguments}).encode() + b"\n"
        try:
            with anyio.fail_after(timeout_s):
                async with self._lock:
                    if fd is None:
                        await self._stream.send(line)
                    else:
                        await self._stream.send_fds(line, [fd])
                    return await self._answer(command)
        except TimeoutError as error:
            raise SandboxUnavailable(f"QEMU did not answer {command} in {timeout_s:g} s") from error
        except (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError) as error:
            raise SandboxUnavailable(f"QEMU ended during {command}") from error

    async def _answer(self, command: str) -> Any:
        while True:
            message = await self._message()
            if "return" in message:
                return message["return"]
            if "error" in message:
                why = message["error"].get("desc", "no reason given")
                raise SandboxUnavailable(f"QEMU refused {command}: {why}")
            self.events = [*self.events[-63:], message]

    async def _message(self) -> dict[str, Any]:
        while b"\n" not in self._buffer:
            if len(self._buffer) > _LINE_LIMIT_BYTES:
                raise ProtocolError("QEMU sent a line without an end")
            self._buffer += await self._stream.receive(65536)
        line, _, rest = bytes(self._buffer).partition(b"\n")
        self._buffer = bytearray(rest)
        try:
            message = json.loads(line)
        except ValueError as error:
            raise ProtocolError("QEMU sent a line that is not JSON") from error
        if not isinstance(message, dict):
            raise ProtocolError("QEMU sent a message that is not an object")
        return message

    async def aclose(self) -> None:
        """Close the connection."""
        await self._stream.aclose()
