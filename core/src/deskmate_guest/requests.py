"""A request that was read from the host, and the rules its parameters must keep."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from deskmate.types import wire

FIRST_ID = -(1 << 31)
"""Ids are greater. Those below nought are used before the freeze only."""
PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
UNSUPPORTED_VERSION = -32022
_VERSION_KEY = "io.modelcontextprotocol/protocolVersion"

_PARAMS: Mapping[str, Mapping[str, type]] = {
    wire.PING: {},
    wire.RESUME: {"time_ns": int, "seed": str, "machine_id": str, "hostname": str},
    wire.CLOCK: {"time_ns": int},
    wire.REGISTRY: {},
    wire.LOAD: {},
    wire.OPEN: {"grants": list, "config": dict, "thread": str},
    wire.PUT: {"what": str, "bytes": int, "delete": list},
    wire.LAY: {"start": int, "bytes": int, "delete": list},
    wire.DIFFERENCE: {},
    wire.TAKE: {"paths": list},
    wire.EGRESS: {"trust": str, "environment": dict},
    wire.STATUS: {"key": str},
    wire.VALIDATE: {
        "deliverables": list,
        "files": dict,
        "config": dict,
    },
}


class Refused(Exception):
    """A request is answered with a JSON-RPC error."""

    def __init__(
        self, code: int, message: str, number: int | None = None, data: Any = None
    ) -> None:
        super().__init__(message)
        self.code, self.message, self.id, self.data = code, message, number, data

    def to_json(self) -> dict[str, Any]:
        """Return the error object."""
        error = {"code": self.code, "message": self.message}
        return error if self.data is None else {**error, "data": self.data}


@dataclass(slots=True)
class Request:
    """One request: its id, a known method, and its parameters. Not frozen: that costs a copy its time."""

    id: int
    method: str
    params: dict[str, Any]


def check_params(request: Request) -> None:
    """Raise Refused unless one of our own methods got exactly the parameters it takes."""
    expected = _PARAMS[request.method]
    given = request.params
    extra = 1 if "_meta" in given else 0
    for name, kind in expected.items():
        if name not in given:
            raise _other_names(request, expected)
        if not isinstance(given[name], kind) or isinstance(given[name], bool):
            raise Refused(INVALID_PARAMS, f"{name} is not of type {kind.__name__}", request.id)
    if len(given) != len(expected) + extra:
        raise _other_names(request, expected)


def _other_names(request: Request, expected: Mapping[str, type]) -> Refused:
    names = ", ".join(sorted((set(request.params) - {"_meta"}) ^ set(expected)))
    return Refused(INVALID_PARAMS, f"missing or unknown parameters: {names}", request.id)


def check_envelope(request: Request) -> None:
    """Raise Refused unless a method of MCP carries the pinned revision in its `_meta`."""
    meta = request.params.get("_meta")
    if not isinstance(meta, dict) or not isinstance(version := meta.get(_VERSION_KEY), str):
        raise Refused(INVALID_PARAMS, f"_meta[{_VERSION_KEY!r}] is missing", request.id)
    if version != wire.PROTOCOL:
        raise Refused(
            UNSUPPORTED_VERSION,
            "Unsupported protocol version",
            request.id,
            {"supported": [wire.PROTOCOL], "requested": version},
        )
