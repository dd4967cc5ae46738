"""One JSON line of the channel, bounded before it is parsed. The same on both sides."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from deskmate.errors import ProtocolError
from deskmate.types.wire import JSON_DEPTH_LIMIT, LINE_LIMIT_BYTES

_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_BRACKET = re.compile(rb"[\[\]{}]")
_DIGITS_LIMIT = 40
"""Longest whole number that is read; a number of millions of digits costs minutes to convert."""


def encode_frame(message: Mapping[str, Any]) -> bytes:
    """Return `message` as one line with its line feed.

    Raises ProtocolError if it is over 1 MiB, or holds what is not JSON or not Unicode.
    """
    try:
        line = json_text(message).encode() + b"\n"
    except (ValueError, TypeError, RecursionError) as error:
        raise ProtocolError(f"a message could not be written as JSON: {error}") from error
    if len(line) > LINE_LIMIT_BYTES:
        raise ProtocolError(
            f"a message has {len(line)} bytes, over the limit of {LINE_LIMIT_BYTES}"
        )
    return line


def decode_frame(line: bytes) -> dict[str, Any]:
    """Return the object in `line`. Raises ProtocolError for anything but one strict JSON object.

    Strict: at most 1 MiB, 32 levels deep, UTF-8, no repeated key, no NaN or infinity, whole numbers
    of at most 40 digits, no lone surrogates.
    """
    if len(line) > LINE_LIMIT_BYTES:
        raise ProtocolError(f"a message is over the limit of {LINE_LIMIT_BYTES} bytes")
    check_depth(line)
    try:
        value = _parse(line.decode())
        if line.find(b"\\u") >= 0:  # `in` would first try it as a number, and format why it is none
            json.dumps(value, ensure_ascii=False).encode()  # a lone surrogate fails here
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"a message is not strict JSON: {error}") from error
    if not isinstance(value, dict):
        raise ProtocolError("a message is not a JSON object")
    return value


def check_depth(line: bytes) -> None:
    """Raise ProtocolError if the JSON text nests deeper than 32, without parsing it."""
    if line.count(b"[") + line.count(b"{") <= JSON_DEPTH_LIMIT:
        return
    depth = 0
    for match in _BRACKET.finditer(_STRING.sub(b"", line)):
        depth += 1 if match[0] in b"[{" else -1
        if depth > JSON_DEPTH_LIMIT:
            raise ProtocolError(f"a message nests deeper than {JSON_DEPTH_LIMIT} levels")


class LineBuffer:
    """Collects bytes and gives out whole lines, never holding more than one line's limit."""

    def __init__(self) -> None:
        self._parts = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """Return the lines that `data` completes, without line feeds. Raises ProtocolError."""
        if not self._parts and data and data.find(b"\n") == len(data) - 1:
            if len(data) > LINE_LIMIT_BYTES + 1:
                raise ProtocolError(f"a line is over the limit of {LINE_LIMIT_BYTES} bytes")
            return [data[:-1]]  # nearly always
        self._parts += data
        if b"\n" not in data:
            if len(self._parts) > LINE_LIMIT_BYTES:
                raise ProtocolError(f"a line is over the limit of {LINE_LIMIT_BYTES} bytes")
            return []
        *lines, rest = bytes(self._parts).split(b"\n")
        if len(rest) > LINE_LIMIT_BYTES or any(len(line) > LINE_LIMIT_BYTES for line in lines):
            raise ProtocolError(f"a line is over the limit of {LINE_LIMIT_BYTES} bytes")
        self._parts = bytearray(rest)
        return lines

    def clear(self) -> None:
        """Forget an unfinished line."""
        self._parts.clear()


def parse_json(text: str) -> Any:
    """Return the value of one JSON text, with less code run than by `json.loads`. Raises ValueError."""
    try:
        value, end = _PLAIN(text, 0)
    except StopIteration:
        end = -1
    return value if end == len(text) else json.loads(text)


def _parse(text: str) -> Any:
    """Return the value of strict JSON. Raises ValueError."""
    try:
        value, end = _SCAN(text, 0)
    except StopIteration:
        end = -1  # blanks before it, or no JSON at all
    return value if end == len(text) else _DECODER.decode(text)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is repeated")
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("a number is too large")
    return value


def _bounded(text: str) -> int:
    if len(text) > _DIGITS_LIMIT:
        raise ValueError("a whole number has too many digits")
    return int(text)


def json_text(value: Any) -> str:
    """Return `value` as compact JSON. Raises ValueError, TypeError, RecursionError for what is none.

    The library makes its encoder in C anew for each text: here it is made once.
    """
    return "".join(_CHUNKS(value, 0)) if _CHUNKS is not None else _ENCODER.encode(value)


# made once: making them for every line costs more than a short line itself
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)
_DECODER = json.JSONDecoder(
    object_pairs_hook=_unique,
    parse_constant=_no_constant,
    parse_float=_finite,
    parse_int=_bounded,
)
_MAKE = getattr(json.encoder, "c_make_encoder", None)
_CHUNKS: Callable[[Any, int], tuple[str, ...]] | None = _MAKE and _MAKE(
    None, _ENCODER.default, json.encoder.encode_basestring, None, ":", ",", False, False, False
)
_Scan = Callable[[str, int], tuple[Any, int]]
_SCAN: _Scan = getattr(_DECODER, "scan_once")  # noqa: B009 - not in the stubs
_PLAIN: _Scan = getattr(json.JSONDecoder(), "scan_once")  # noqa: B009
