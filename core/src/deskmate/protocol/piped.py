"""The lines of a program that runs in a virtual machine, as a byte stream: each exchange is one call of the machine."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import anyio
from anyio.abc import ByteStream

from deskmate.errors import DeskmateError, ProtocolError
from deskmate.shown import one_line
from deskmate.types.wire import LINE_LIMIT_BYTES

Exchange = Callable[[bytes, float], Awaitable[str]]
"""Passes bytes on, waits so long for others, and returns the answer of the machine's relay."""
PART_BYTES = 256 << 10
ANSWER_S = 0.4
"""How long one exchange waits for the program; what is to be sent meanwhile waits as long."""
_SAID = 400


class ProgramPipe(ByteStream):
    """Asks the machine for what the program writes while an answer is open, and leaves it alone otherwise.

    Lines that are no JSON objects are dropped: many programs greet on stdout.
    """

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._changed = anyio.Event()
        self._to_send = bytearray()
        self._line = bytearray()
        self._open: set[str] = set()
        self._closed = False
        self.stderr = ""
        self.ending = ""

    def said(self) -> str:
        """Return how the program ended and its last words, "" if it runs."""
        if not self.ending:
            return ""
        last = one_line(self.stderr.strip().rpartition("\n")[2], _SAID)
        return f"{self.ending}{f'; it said: {last}' if last else ''}"

    async def send(self, item: bytes) -> None:
        """Have a whole line passed on with the next exchange."""
        if self._closed or self.ending:
            raise anyio.BrokenResourceError
        message = _object(item)
        if "method" in message and "id" in message:
            self._open.add(str(message["id"]))
        self._to_send += item
        self._changed.set()

    async def receive(self, max_bytes: int = 65536) -> bytes:
        """Return whole lines as they come. Raises EndOfStream when the program ended."""
        while True:
            if self.ending:
                raise anyio.EndOfStream
            while not (self._open or self._to_send):
                self._changed = anyio.Event()
                await self._changed.wait()
                if self._closed:
                    raise anyio.ClosedResourceError
            if lines := await self._next():
                return lines

    async def _next(self) -> bytes:
        part = bytes(self._to_send[:PART_BYTES])
        del self._to_send[: len(part)]
        try:
            answer = _object((await self._exchange(part, ANSWER_S)).encode())
            out = base64.b64decode(answer["out"], validate=True)
            self.stderr = str(answer["stderr"])
            ended, code = bool(answer["ended"]), answer["code"]
        except DeskmateError as error:
            self.ending = f"its virtual machine failed: {one_line(error.message, _SAID)}"
            raise anyio.EndOfStream from error
        except (KeyError, binascii.Error, TypeError) as error:
            self.ending = "its virtual machine broke the rules"
            raise ProtocolError("the machine's relay gave no answer that can be read") from error
        if ended:
            self.ending = (
                f"the program ended{f' with code {code}' if isinstance(code, int) else ''}"
            )
        return self._whole_lines(out)

    def _whole_lines(self, out: bytes) -> bytes:
        """Return the whole lines that are JSON objects. Raises ProtocolError for one that is too long."""
        *lines, rest = bytes(self._line + out).split(b"\n")
        self._line = bytearray(rest)
        if max(map(len, (*lines, rest))) > LINE_LIMIT_BYTES:
            self.ending = f"it wrote a message of more than {LINE_LIMIT_BYTES:,} bytes"
            raise ProtocolError(self.ending)
        kept = b""
        for line in lines:
            message = _object(line)
            if message:
                kept += line + b"\n"
            if "method" not in message:
                self._open.discard(str(message.get("id")))
        return kept

    async def send_eof(self) -> None:
        """A program is ended with its machine."""

    async def aclose(self) -> None:
        """Say that nothing more comes."""
        self._closed = True
        self._changed.set()


def _object(line: bytes) -> Mapping[str, Any]:
    """Return the JSON object of a line, empty where it is none; the strict reading comes after this."""
    if not line.lstrip().startswith(b"{"):
        return {}
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
