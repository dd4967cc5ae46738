from __future__ import annotations

import contextlib
import json
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deskmate.errors import ProtocolError
from deskmate.types.frames import LineBuffer, check_depth, decode_frame, encode_frame
from deskmate.types.wire import LINE_LIMIT_BYTES

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(),
    lambda part: st.lists(part, max_size=4) | st.dictionaries(st.text(), part, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(st.text(), JSON, max_size=5))
def test_what_was_written_is_read_back(message: dict[str, Any]) -> None:
    assert decode_frame(encode_frame(message).removesuffix(b"\n")) == message


@given(st.binary(max_size=300))
def test_any_bytes_are_an_object_or_a_protocol_error(data: bytes) -> None:
    with contextlib.suppress(ProtocolError):
        assert isinstance(decode_frame(data), dict)


def test_forty_thousand_damaged_frames_raise_nothing_else() -> None:
    rng = random.Random(20260728)
    whole = [
        encode_frame({"jsonrpc": "2.0", "id": 7, "result": {"a": [1, 2.5, None, {"b": 'x"y'}]}}),
        encode_frame({"jsonrpc": "2.0", "method": "m", "params": {"é": "\u2028", "n": -1e9}}),
        b'{"id":1,"x":"\\ud800\\u0000","y":[[[[]]]]}',
    ]
    alphabet = b'{}[]",:\\u0129eE+-.ndtrfl \x00\xff\xc3'
    for _ in range(40_000):
        line = bytearray(rng.choice(whole).removesuffix(b"\n"))
        for _ in range(rng.randint(1, 4)):
            place = rng.randrange(len(line) + 1)
            match rng.randrange(3):
                case 0:
                    line[place:place] = bytes([rng.choice(alphabet)])
                case 1:
                    del line[place : place + rng.randint(1, 5)]
                case _:
                    line[place : place + 1] = bytes([rng.randrange(256)])
        with contextlib.suppress(ProtocolError):
            json.dumps(decode_frame(bytes(line)), ensure_ascii=False).encode()


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"null",
        b"[]",
        b'"text"',
        b'{"a":1,"a":2}',
        b'{"a":NaN}',
        b'{"a":-Infinity}',
        b'{"a":1e999}',
        b'{"a":' + b"9" * 1_000_000 + b"}",
        b'{"a":' + b"9" * 41 + b"}",
        b'{"a":"\\ud800"}',
        b'{"\\udfff":1}',
        b'{"a":"\x00"}',
        b'{"a":"\xff"}',
        b"\xef\xbb\xbf{}",
        b'{"a":' + b"[" * 100_000,
        b'{"a":' * 33 + b"1" + b"}" * 33,
        b'{"a":"' + b"x" * LINE_LIMIT_BYTES + b'"}',
    ],
)
def test_what_is_not_one_strict_object_is_refused(line: bytes) -> None:
    with pytest.raises(ProtocolError):
        decode_frame(line)


def test_brackets_in_strings_do_not_count_as_depth() -> None:
    text = '[{"' * 50
    assert decode_frame(json.dumps({"a": text, "b": [text] * 3}).encode())["a"] == text
    check_depth(b'{"a":' * 32 + b"1" + b"}" * 32)


def test_flat_messages_with_many_brackets_are_read() -> None:
    rows = [{"path": "x\\", "more": []} for _ in range(2_000)]
    assert decode_frame(json.dumps({"rows": rows}).encode())["rows"] == rows


@pytest.mark.parametrize("value", [float("nan"), {1, 2}, b"bytes", "\ud800", "x" * (1 << 20)])
def test_what_cannot_be_sent_is_refused(value: Any) -> None:
    with pytest.raises(ProtocolError):
        encode_frame({"a": value})


@settings(max_examples=50)
@given(st.lists(st.binary(max_size=40).filter(lambda part: b"\n" not in part)), st.integers(1, 9))
def test_lines_come_out_whole_however_they_arrive(lines: list[bytes], step: int) -> None:
    data = b"".join(line + b"\n" for line in lines)
    buffer = LineBuffer()
    found = []
    for start in range(0, len(data), step):
        found += buffer.feed(data[start : start + step])
    assert found == lines


def test_a_line_without_end_is_refused_before_it_fills_memory() -> None:
    buffer = LineBuffer()
    for _ in range(LINE_LIMIT_BYTES // 65_536):
        assert buffer.feed(b"x" * 65_536) == []
    with pytest.raises(ProtocolError, match="over the limit"):
        buffer.feed(b"x")
