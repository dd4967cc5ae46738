"""Serves the `agent` port: MCP of the pinned revision and Deskmate's own methods. Runs no plugin code."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from deskmate.errors import ProtocolError
from deskmate.types import wire
from deskmate.types.frames import decode_frame, encode_frame
from deskmate.types.registry import ToolSpec
from deskmate.types.wire import LINE_LIMIT_BYTES
from deskmate_guest import machine
from deskmate_guest.cgroups import bound_memory
from deskmate_guest.egress import WayOut
from deskmate_guest.layout import Layout
from deskmate_guest.ledger import Ledger
from deskmate_guest.loop import Channel, Loop
from deskmate_guest.mcp import McpAnswers
from deskmate_guest.plugins import Plugins
from deskmate_guest.pool import Job, Setup
from deskmate_guest.requests import (
    FIRST_ID,
    INVALID_PARAMS,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    PARSE_ERROR,
    Refused,
    Request,
    check_envelope,
    check_params,
)
from deskmate_guest.results import error_result
from deskmate_guest.transfer import Transfers
from deskmate_guest.validation import Validation

Reply = dict[str, Any]
_PROGRESS_GAP_S = 0.1
_NUMBER = (int, float)
_ENVELOPE_BYTES = 64
"""What is around a result in its line."""
_QUIET_BYTES = 1 << 18
"""Progress lines are dropped while this much waits for the host to read."""


@dataclass(slots=True)
class _Call:
    """A tool call under way, and the requests that wait for its result."""

    waiters: list[int]
    token: int | str | None = None
    told_at: float = 0.0
    lines: int = field(default=0)


class Supervisor:
    """One guest's answers. Everything that takes time happens in a worker, a child or a native tool."""

    def __init__(self, loop: Loop, layout: Layout, agent_fd: int, bulk_fd: int) -> None:
        self._loop, self._layout = loop, layout
        self._last_id = FIRST_ID
        self._ledger = Ledger()
        self._calls: dict[str, _Call] = {}
        self._agent = Channel(loop, agent_fd, self._on_line, lambda reason: None, port=True)
        self.transfers = Transfers(loop, layout, bulk_fd)
        self._loaded = Plugins(loop, layout, self._ready)
        self._plugins, self._registry = self._loaded.processes, self._loaded.registry
        self._mcp = McpAnswers(self._registry)
        self._way_out = WayOut(loop, layout)
        self._validation = Validation(self._plugins, self._registry)
        self._methods: Mapping[str, Callable[[Request], Reply | None]] = {
            "server/discover": lambda request: self._mcp.discover(),
            "tools/list": lambda request: self._mcp.tools(),
            "prompts/list": lambda request: self._mcp.prompts(),
            "prompts/get": lambda request: self._mcp.prompt(request.params),
            "tools/call": self._call_tool,
            wire.PING: lambda request: {},
            wire.RESUME: self._resume,
            wire.CLOCK: self._set_clock,
            wire.REGISTRY: lambda request: self._registry.json(),
            wire.LOAD: self._load,
            wire.OPEN: self._open,
            wire.EGRESS: self._open_way_out,
            wire.STATUS: self._status,
            wire.PUT: self._transfer(self.transfers.put),
            wire.LAY: self._transfer(self.transfers.lay),
            wire.TAKE: self._transfer(self.transfers.take),
            wire.DIFFERENCE: self._transfer(self.transfers.difference),
            wire.VALIDATE: self._validate,
        }

    def _load(self, request: Request) -> None:
        """Load the plugins of the disk `plugins`, once, before the freeze."""
        if request.id >= 0:
            raise Refused(INVALID_REQUEST, "plugins are loaded before the freeze", request.id)

        def done() -> None:
            bound_memory(self._layout)
            self._answer(request.id, {"plugins": list(self._plugins)})

        try:
            self._loaded.load_later(done)
        except OSError as error:
            raise Refused(INVALID_REQUEST, str(error), request.id) from error

    def _ready(self) -> None:
        if self._layout.privileged:
            bound_memory(self._layout)
            try:
                self.transfers.disk.prepare()
                self._ledger.open(self.transfers.disk.ledger)
            except OSError as error:  # `deskmate/open` tries again and tells the host
                sys.stderr.write(f"deskmate: {error}\n")
            self._identity = machine.Identity()
        uptime = round(time.clock_gettime(time.CLOCK_BOOTTIME), 3)
        self._notify("deskmate/ready", {"uptime_s": uptime})

    # frames

    def _on_line(self, line: bytes) -> None:
        number: int | None = None
        try:
            request = self._read(line)
            number = request.id
            reply = self._methods[request.method](request)
        except Refused as refused:
            self._send(
                {
                    "jsonrpc": "2.0",
                    "id": refused.id if number is None else number,
                    "error": refused.to_json(),
                }
            )
            return
        if reply is not None:
            self._answer(number, reply)

    def _read(self, line: bytes) -> Request:
        try:
            message = decode_frame(line)
        except ProtocolError as error:
            raise Refused(PARSE_ERROR, error.message) from error
        number, method, params = message.get("id"), message.get("method"), message.get("params", {})
        if not isinstance(number, int) or isinstance(number, bool) or number <= self._last_id:
            raise Refused(INVALID_REQUEST, "ids are whole numbers that grow")
        if message.get("jsonrpc") != "2.0" or not isinstance(method, str):
            raise Refused(INVALID_REQUEST, "not a JSON-RPC 2.0 request", number)
        self._last_id = number
        if method not in self._methods:
            raise Refused(METHOD_NOT_FOUND, "Method not found", number, method)
        if not isinstance(params, dict):
            raise Refused(INVALID_PARAMS, "params are not an object", number)
        request = Request(number, method, params)
        if method.startswith("deskmate/"):
            check_params(request)
        else:
            check_envelope(request)
        return request

    def _answer(self, number: int | None, reply: Reply) -> None:
        self._send({"jsonrpc": "2.0", "id": number, "result": reply})

    def _refuse(self, number: int, why: str) -> None:
        error = Refused(INVALID_PARAMS, why).to_json()
        self._send({"jsonrpc": "2.0", "id": number, "error": error})

    def _notify(self, method: str, params: Mapping[str, Any]) -> None:
        self._send({"jsonrpc": "2.0", "method": method, "params": params})

    def _send(self, message: Mapping[str, Any]) -> None:
        try:
            line = encode_frame(message)
        except ProtocolError as error:
            refused = Refused(INVALID_REQUEST, f"the answer cannot be sent: {error.message}")
            line = encode_frame(
                {"jsonrpc": "2.0", "id": message.get("id"), "error": refused.to_json()}
            )
        self._agent.send(line)

    # our own methods

    def _resume(self, request: Request) -> Reply:
        params = request.params
        if self._layout.privileged:
            machine.set_clock(params["time_ns"])
            self._identity.mix_random(bytes.fromhex(params["seed"]))
            self._identity.name(params["machine_id"], params["hostname"])
        if not self.transfers.disk.opened:
            self._ledger.forget()  # what was rehearsed in the template
        for plugin in self._plugins.values():
            plugin.fresh()
        return {"workers": [name for name, plugin in self._plugins.items() if plugin.alive]}

    def _set_clock(self, request: Request) -> Reply:
        if self._layout.privileged:
            machine.set_clock(request.params["time_ns"])
        return {}

    def _open(self, request: Request) -> Reply:
        try:
            self.transfers.disk.open(request.params["grants"])
            self._ledger.open(self.transfers.disk.ledger)
        except OSError as error:
            raise Refused(INVALID_REQUEST, f"open failed: {error}", request.id) from error
        for name, plugin in self._plugins.items():
            plugin.setup(Setup(config=request.params["config"].get(name, {})))
        if request.id < 0:  # before the freeze: a copy will open it
            self.transfers.disk.close()
        return {"workspace": str(self._layout.workspace)}

    def _open_way_out(self, request: Request) -> Reply:
        try:
            everywhere = self._way_out.open(request.params["trust"])
        except OSError as error:
            raise Refused(INVALID_REQUEST, f"no way out: {error}", request.id) from error
        for name, plugin in self._plugins.items():
            plugin.environment({**everywhere, **request.params["environment"].get(name, {})})
        return {}

    def _status(self, request: Request) -> Reply:
        key = request.params["key"]
        state = self._ledger.state(key)
        return {
            "state": state,
            **({"result": self._ledger.result(key)} if state == "finished" else {}),
        }

    def _transfer(
        self, start: Callable[[Mapping[str, Any], Callable[[Reply, str], None]], None]
    ) -> Callable[[Request], None]:
        def serve(request: Request) -> None:
            laying = request.method in (wire.PUT, wire.LAY)
            if laying and any(plugin.busy for plugin in self._plugins.values()):
                raise Refused(INVALID_REQUEST, "a tool runs; nothing is put under it", request.id)
            start(
                request.params,
                lambda reply, failure: (
                    self._refuse(request.id, failure)
                    if failure
                    else self._answer(request.id, reply)
                ),
            )

        return serve

    def _validate(self, request: Request) -> None:
        self._validation.start(request.params, lambda reply: self._answer(request.id, reply))

    # tools

    def _call_tool(self, request: Request) -> Reply | None:
        params = request.params
        meta = params.get("_meta", {})
        name, arguments = params.get("name"), params.get("arguments") or {}
        spec = self._registry.tool(name) if isinstance(name, str) else None
        if not isinstance(arguments, dict) or not isinstance(meta, dict):
            raise Refused(INVALID_PARAMS, "arguments and _meta are objects", request.id)
        if spec is None:
            return self._mcp.complete(error_result(f"There is no tool {name}."))
        key = str(meta.get(wire.META_KEY, f"#{request.id}"))
        if self._ledger.state(key) == "finished":
            return self._ledger.result(key)
        if call := self._calls.get(key):
            call.waiters.append(request.id)
            return None
        call = self._calls[key] = _Call([request.id], meta.get("progressToken"))
        timeout_s = meta.get("deskmate/timeout_s", spec.timeout_s)
        if not isinstance(timeout_s, _NUMBER) or not 0 < timeout_s <= 86_400:
            del self._calls[key]
            raise Refused(INVALID_PARAMS, "the timeout is not a number of seconds", request.id)
        self._ledger.start(key)
        self._start_job(key, call, spec, arguments, float(timeout_s))
        return None

    def _start_job(
        self,
        key: str,
        call: _Call,
        spec: ToolSpec,
        arguments: Mapping[str, Any],
        timeout_s: float,
    ) -> None:
        wrote = spec.risk != "read"

        def done(reply: dict[str, Any], failure: str) -> None:
            result = reply.get("result")
            if not isinstance(result, dict):
                text = (
                    f"The tool {spec.name} gave no result: {failure or 'its answer is malformed'}."
                )
                result = error_result(text, wrote=wrote)
            self._finish(key, call, result)

        try:
            self.transfers.disk.ensure_mounted()
        except OSError as error:
            done({}, f"the workspace cannot be mounted: {error}")
            return
        message = {"op": "call", "tool": spec.name.split("__", 1)[1], "arguments": arguments}
        self._plugins[spec.plugin].run(
            Job(
                message=message,
                timeout_s=timeout_s,
                done=done,
                progress=lambda line: self._tell_progress(call, line),
            )
        )

    def _finish(self, key: str, call: _Call, result: Reply) -> None:
        text = self._result_text(result)
        self._ledger.finish(key, text)
        del self._calls[key]
        for number in call.waiters:
            self._agent.send(b'{"jsonrpc":"2.0","id":%d,"result":%b}\n' % (number, text))
        self._loop.soon(self._ledger.spill)  # the host has its answer first

    def _result_text(self, result: Reply) -> bytes:
        """Return the JSON of a whole result: written once, for all who wait and for the ledger."""
        try:
            text = encode_frame(self._mcp.complete(result))[:-1]
            if len(text) <= LINE_LIMIT_BYTES - _ENVELOPE_BYTES:
                return text
            why = f"it has {len(text)} bytes"
        except ProtocolError as error:
            why = error.message
        refused = error_result(f"The tool ran, but its result cannot be sent: {why}.", wrote=True)
        return encode_frame(self._mcp.complete(refused))[:-1]

    def _tell_progress(self, call: _Call, line: str) -> None:
        now = time.monotonic()
        if call.token is None or self._agent.waiting_bytes > _QUIET_BYTES:
            return
        if now - call.told_at < _PROGRESS_GAP_S:
            return
        call.told_at = now
        call.lines += 1
        self._notify(
            wire.PROGRESS,
            {"progressToken": call.token, "progress": call.lines, "message": line[:500]},
        )
