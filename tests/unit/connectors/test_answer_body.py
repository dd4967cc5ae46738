"""Bodies of answers: unpacked in pieces, bounded, clean."""

from __future__ import annotations

import gzip
import zlib

import pytest

from deskmate.connectors.egress.answer_body import AnswerBody
from deskmate.connectors.redaction import Redactor
from deskmate.errors import ToolDenied

NONE = Redactor({})


def through(body: AnswerBody, data: bytes, step: int = 1000) -> bytes:
    out = b""
    for at in range(0, len(data), step):
        out += b"".join(body.feed(data[at : at + step]))
    return out + body.end()


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [("", bytes), ("gzip", gzip.compress), ("x-gzip", gzip.compress), ("deflate", zlib.compress)],
)
def test_packed_and_plain_answers_come_out_plain(encoding: str, pack: object) -> None:
    text = b"some text\n" * 20_000
    body = AnswerBody(encoding, NONE, 1 << 20)
    assert through(body, pack(text)) == text  # type: ignore[operator]
    assert body.size == len(text)


def test_several_packed_files_in_a_row_come_out_whole() -> None:
    data = gzip.compress(b"one ") + gzip.compress(b"two")
    assert through(AnswerBody("gzip", NONE, 100), data, 7) == b"one two"


def test_a_packed_bomb_is_cut_at_the_limit_and_never_held() -> None:
    bomb = gzip.compress(bytes(50 << 20))
    body = AnswerBody("gzip", NONE, 1 << 20)
    sizes: list[int] = []
    with pytest.raises(ToolDenied, match="larger"):
        sizes.extend(len(piece) for piece in body.feed(bomb))
    assert max(sizes) <= 1 << 15
    assert sum(sizes) <= 1 << 20


@pytest.mark.parametrize("encoding", ["br", "zstd", "compress", "gzip, br", "x\x00"])
def test_an_encoding_that_cannot_be_looked_into_is_refused(encoding: str) -> None:
    with pytest.raises(ToolDenied, match="cannot be checked"):
        AnswerBody(encoding, NONE, 100)


def test_what_is_not_packed_as_it_says_is_refused() -> None:
    with pytest.raises(ToolDenied, match="not packed"):
        through(AnswerBody("gzip", NONE, 100), b"plain text, really")


def test_a_secret_inside_a_packed_answer_is_taken_out() -> None:
    redactor = Redactor({"legal.KEY": "s3cret-value"})
    data = gzip.compress(b'{"you sent": "s3cret-value"}')
    clean = through(AnswerBody("gzip", redactor, 1000), data, 5)
    assert clean == '{"you sent": "⟦secret:legal.KEY⟧"}'.encode()
