"""Frames of the `egress` port: many streams over one, bounded before they are kept. The same on both sides.

The guest opens streams with growing numbers; either side sends at most `WINDOW_BYTES` of a stream that
the other has not taken yet, and gets room again by `CREDIT`.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum

from deskmate.errors import ProtocolError

FRAME_LIMIT_BYTES = 32 << 10
WINDOW_BYTES = 256 << 10
MAX_STREAMS = 32
"""Streams that may be open at one time."""
REASON_LIMIT_BYTES = 200
_HEADER = struct.Struct(">BIH")
_COUNT = struct.Struct(">I")


class FrameKind(IntEnum):
    """What a frame says.

    OPEN: a new stream. DATA: bytes of it. END: no more bytes this way. RESET: it is gone, with the reason.
    CREDIT: so many bytes were taken.
    """

    OPEN = 1
    DATA = 2
    END = 3
    RESET = 4
    CREDIT = 5


_SIZES = {
    FrameKind.OPEN: (0, 0),
    FrameKind.DATA: (1, FRAME_LIMIT_BYTES),
    FrameKind.END: (0, 0),
    FrameKind.RESET: (0, REASON_LIMIT_BYTES),
    FrameKind.CREDIT: (4, 4),
}


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame. `stream`: 1 and up."""

    kind: FrameKind
    stream: int
    payload: bytes = b""

    @property
    def count(self) -> int:
        """The bytes that a CREDIT frame gives room for."""
        return int(_COUNT.unpack(self.payload)[0])


def encode_frame(frame: Frame) -> bytes:
    """Return the frame as bytes."""
    return _HEADER.pack(frame.kind, frame.stream, len(frame.payload)) + frame.payload


def credit(stream: int, count: int) -> Frame:
    """Return the frame that gives room for `count` more bytes."""
    return Frame(FrameKind.CREDIT, stream, _COUNT.pack(count))


def reset(stream: int, reason: str) -> Frame:
    """Return the frame that ends a stream; the reason is cut to 200 bytes."""
    return Frame(FrameKind.RESET, stream, reason.encode("utf-8", "replace")[:REASON_LIMIT_BYTES])


class MuxBuffer:
    """Collects bytes and gives out whole frames; holds at most one frame's bytes between calls."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[Frame]:
        """Return the frames that `data` completes. Raises ProtocolError at the first that is wrong."""
        data, at = self._rest + data, 0
        frames = []
        while len(data) - at >= _HEADER.size:
            kind, stream, size = _HEADER.unpack_from(data, at)
            _check(kind, stream, size)
            end = at + _HEADER.size + size
            if end > len(data):
                break
            frame = Frame(FrameKind(kind), stream, data[at + _HEADER.size : end])
            if frame.kind is FrameKind.CREDIT and not 0 < frame.count <= WINDOW_BYTES:
                raise ProtocolError("a frame gives more room than there is")
            frames.append(frame)
            at = end
        self._rest = data[at:]
        return frames


def _check(kind: int, stream: int, size: int) -> None:
    if kind not in _SIZES:
        raise ProtocolError(f"a frame is of an unknown kind {kind}")
    lowest, highest = _SIZES[FrameKind(kind)]
    if not lowest <= size <= highest:
        raise ProtocolError(f"a frame of kind {FrameKind(kind).name} has {size} bytes")
    if not stream:
        raise ProtocolError("a frame names no stream")
