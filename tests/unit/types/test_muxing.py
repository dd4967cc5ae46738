"""Frames of the egress port: what is written is read, what is wrong is refused before it is kept."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deskmate.errors import ProtocolError
from deskmate.types.muxing import (
    FRAME_LIMIT_BYTES,
    WINDOW_BYTES,
    Frame,
    FrameKind,
    MuxBuffer,
    credit,
    encode_frame,
    reset,
)

FRAMES = [
    Frame(FrameKind.OPEN, 1),
    Frame(FrameKind.DATA, 1, b"x" * FRAME_LIMIT_BYTES),
    credit(1, WINDOW_BYTES),
    Frame(FrameKind.END, 1),
    reset(2, "too many"),
    Frame(FrameKind.OPEN, 2**32 - 1),
]


@given(st.lists(st.integers(1, 5000), max_size=30))
def test_frames_come_out_whole_wherever_the_bytes_are_cut(sizes: list[int]) -> None:
    data = b"".join(map(encode_frame, FRAMES))
    buffer, found, at = MuxBuffer(), [], 0
    for size in [*sizes, len(data)]:
        found += buffer.feed(data[at : at + size])
        at += size
    assert found == FRAMES


@pytest.mark.parametrize(
    ("kind", "stream", "size"),
    [
        (0, 1, 0),
        (6, 1, 0),
        (255, 1, 0),
        (1, 1, 1),
        (2, 1, 0),
        (2, 1, FRAME_LIMIT_BYTES + 1),
        (3, 1, 1),
        *((4, 1, 201), (5, 1, 3), (5, 1, 5), (1, 0, 0), (2, 0, 1)),
    ],
)
def test_a_frame_that_cannot_be_is_refused_by_its_head(kind: int, stream: int, size: int) -> None:
    with pytest.raises(ProtocolError):
        MuxBuffer().feed(struct.pack(">BIH", kind, stream, size))


@pytest.mark.parametrize("count", [0, WINDOW_BYTES + 1, 2**32 - 1])
def test_room_that_there_cannot_be_is_refused(count: int) -> None:
    frame = struct.pack(">BIHI", FrameKind.CREDIT, 1, 4, count)
    with pytest.raises(ProtocolError, match="room"):
        MuxBuffer().feed(frame)


@given(st.binary(max_size=300))
def test_any_bytes_give_frames_or_a_protocol_error(data: bytes) -> None:
    buffer = MuxBuffer()
    try:
        frames = buffer.feed(data)
    except ProtocolError:
        return
    assert b"".join(map(encode_frame, frames)) == data[: len(data) - len(buffer._rest)]
    assert len(buffer._rest) < FRAME_LIMIT_BYTES + 7


def test_a_reason_is_cut() -> None:
    assert len(reset(1, "é" * 500).payload) == 200
