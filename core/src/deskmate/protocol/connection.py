"""Requests and answers over one byte stream to a guest that may send anything at all."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import anyio
from anyio.abc import ByteStream

from deskmate.errors import DeskmateError, ProtocolError, SandboxUnavailable
from deskmate.types.frames import LineBuffer, decode_frame, encode_frame
from deskmate.types.wire import PROGRESS

Progress = Callable[[str], None]
_READ_BYTES = 1 << 16
_READY = "deskmate/ready"
_NOTICES_LIMIT = 10_000
"""Unasked lines in a row, without an answer between them, after which a guest is only noise."""


@dataclass(slots=True)
class _Pending:
    """A request that waits. `abandoned`: its deadline passed; a late answer is dropped."""

    on_progress: Progress | None
    done: anyio.Event = field(default_factory=anyio.Event)
    reply: dict[str, Any] | None = None
    error: str = ""
    abandoned: bool = False


class Connection:
    """Numbers requests, matches answers, drops the stream at the first broken rule."""

    def __init__(self, stream: ByteStream, first_id: int = 1) -> None:
        self._stream = stream
        self._numbers = itertools.count(first_id)
        self._pending: dict[int, _Pending] = {}
        self._lost: DeskmateError | None = None
        self._ready = anyio.Event()
        self._uptime_s = 0.0
        self._writing = anyio.Lock()
        self._notices = 0
        self.in_use: Callable[[], AbstractAsyncContextManager[None]] = nullcontext
        """Entered around every request: has the guest running before it is asked."""

    def number_from(self, first_id: int) -> None:
        """Number later requests from here; a guest takes ids that grow only."""
        self._numbers = itertools.count(first_id)

    async def serve(self) -> None:
        """Read until the stream ends or the guest breaks a rule; then every request fails."""
        lines = LineBuffer()
        try:
            while True:
                for line in lines.feed(await self._stream.receive(_READ_BYTES)):
                    self._take(line)
        except ProtocolError as error:
            self._lose(ProtocolError(f"The VM broke the protocol: {error.message}."))
        except (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError):
            self._lose(SandboxUnavailable("The VM closed its connection."))
        finally:
            if self._lost is None:
                self._lose(SandboxUnavailable("The connection to the VM was closed."))

    async def wait_ready(self, timeout_s: float) -> float:
        """Wait for the ready line; returns what it says of the guest's uptime."""
        with anyio.move_on_after(timeout_s):
            await self._ready.wait()
        self._check()
        if not self._ready.is_set():
            raise SandboxUnavailable(f"The VM was not ready within {timeout_s:g} s.")
        return self._uptime_s

    async def request(
        self,
        method: str,
        params: Mapping[str, Any],
        timeout_s: float,
        on_progress: Progress | None = None,
    ) -> dict[str, Any]:
        """Send a request and return its result. Raises ProtocolError, SandboxUnavailable."""
        self._check()
        async with self.in_use():
            return await self.ask(method, params, timeout_s, on_progress)

    async def ask(
        self,
        method: str,
        params: Mapping[str, Any],
        timeout_s: float,
        on_progress: Progress | None = None,
    ) -> dict[str, Any]:
        """Do as `request` does, of a guest that is known to run."""
        self._check()
        number = next(self._numbers)
        pending = self._pending[number] = _Pending(on_progress)
        if on_progress is not None:
            meta = {**params.get("_meta", {}), "progressToken": number}
            params = {**params, "_meta": meta}
        try:
            line = encode_frame(
                {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
            )
            with anyio.move_on_after(timeout_s):
                await self._send(line)
                await pending.done.wait()
        except BaseException:
            pending.abandoned = True
            raise
        return self._result(number, pending, method, timeout_s)

    def _result(
        self, number: int, pending: _Pending, method: str, timeout_s: float
    ) -> dict[str, Any]:
        if pending.reply is None and not pending.error:
            self._check()
            pending.abandoned = True
            raise SandboxUnavailable(
                f"The VM did not answer {method} (request {number}) within {timeout_s:g} s."
            )
        if pending.error:
            raise ProtocolError(f"The VM refused {method}: {pending.error}")
        assert pending.reply is not None
        return pending.reply

    async def _send(self, line: bytes) -> None:
        try:
            async with self._writing:
                # half a line must not stay behind when the caller is cancelled
                with anyio.CancelScope(shield=True), anyio.fail_after(30):
                    await self._stream.send(line)
        except TimeoutError as error:
            self._lose(SandboxUnavailable("The VM does not read."))
            raise SandboxUnavailable("The VM does not read.") from error
        except (anyio.BrokenResourceError, anyio.ClosedResourceError) as error:
            raise SandboxUnavailable("The VM closed its connection.") from error

    def _check(self) -> None:
        if self._lost is not None:
            raise type(self._lost)(self._lost.message)

    def _lose(self, error: DeskmateError) -> None:
        self._lost = error
        self._ready.set()
        for pending in self._pending.values():
            pending.done.set()
        self._pending.clear()

    # what the guest says

    def _take(self, line: bytes) -> None:
        message = decode_frame(line)
        if message.pop("jsonrpc", None) != "2.0":
            raise ProtocolError("a message is not JSON-RPC 2.0")
        if "method" in message:
            self._notices += 1
            if self._notices > _NOTICES_LIMIT:
                raise ProtocolError("it sends notices without end")
            self._take_notice(message)
        else:
            self._notices = 0
            self._take_answer(message)

    def _take_answer(self, message: dict[str, Any]) -> None:
        number = message.get("id")
        if set(message) not in ({"id", "result"}, {"id", "error"}):
            raise ProtocolError("an answer has other parts than id and result or error")
        if not isinstance(number, int) or isinstance(number, bool) or number not in self._pending:
            raise ProtocolError("an answer belongs to no open request")
        pending = self._pending[number]  # stays until the answer is read: a broken one ends all
        if "error" in message:
            pending.error = _error_text(message["error"])
        elif isinstance(message["result"], dict):
            pending.reply = message["result"]
        else:
            raise ProtocolError("a result is not an object")
        del self._pending[number]
        pending.done.set()

    def _take_notice(self, message: dict[str, Any]) -> None:
        if set(message) != {"method", "params"} or not isinstance(message["params"], dict):
            raise ProtocolError("a notification has other parts than method and params")
        params = message["params"]
        if message["method"] == _READY:
            self._take_ready(params)
        elif message["method"] == PROGRESS:
            self._take_progress(params)
        else:
            raise ProtocolError("a method that a guest has no business to call")

    def _take_ready(self, params: dict[str, Any]) -> None:
        uptime = params.get("uptime_s")
        if set(params) != {"uptime_s"} or not isinstance(uptime, int | float):
            raise ProtocolError("the ready line is malformed")
        self._uptime_s = float(uptime)
        self._ready.set()

    def _take_progress(self, params: dict[str, Any]) -> None:
        token, text = params.get("progressToken"), params.get("message", "")
        if set(params) - {"progressToken", "progress", "total", "message"}:
            raise ProtocolError("a progress line has unknown parts")
        if not isinstance(token, int) or isinstance(token, bool) or not isinstance(text, str):
            raise ProtocolError("a progress line is malformed")
        pending = self._pending.get(token)  # None: of a request that was answered meanwhile
        if pending and pending.on_progress and not pending.abandoned:
            pending.on_progress(text[:500])


def _error_text(error: Any) -> str:
    if not isinstance(error, dict) or not isinstance(error.get("message"), str):
        raise ProtocolError("an error answer is malformed")
    return " ".join(error["message"].split())[:500]
