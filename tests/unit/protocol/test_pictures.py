"""A tool's pictures on their way from the guest: bounded on both sides, and never opened by the host."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import pytest

from deskmate.errors import ProtocolError
from deskmate.plugin import ToolAnswer
from deskmate.protocol.answers import read_outcome
from deskmate.types.frames import json_text
from deskmate.types.messages import PICTURE_LIMIT_BYTES, PICTURES_LIMIT
from deskmate.types.wire import LINE_LIMIT_BYTES
from deskmate_guest.results import TEXT_LIMIT_BYTES, answer_result

PNG = b"\x89PNG\r\n\x1a\n" + bytes(40)
JPEG = b"\xff\xd8\xff" + bytes(40)


def test_pictures_come_through_with_their_digests() -> None:
    told = answer_result(ToolAnswer(result={"of": 2}, pictures=(PNG, JPEG)), wrote=False)
    outcome = read_outcome(told)
    assert (outcome.text, outcome.structured) == ('{"of":2}', {"of": 2})
    assert [picture.media for picture in outcome.pictures] == ["image/png", "image/jpeg"]
    for picture, content in zip(outcome.pictures, (PNG, JPEG), strict=True):
        assert picture.sha256 == hashlib.sha256(content).hexdigest()
        assert outcome.held[picture.sha256] == content
        assert picture.bytes == len(content)


def test_the_most_that_may_be_shown_fits_a_message() -> None:
    full = PNG + bytes(PICTURE_LIMIT_BYTES - len(PNG))
    most = ToolAnswer(result="x" * (TEXT_LIMIT_BYTES - 10), pictures=(full,) * PICTURES_LIMIT)
    told = answer_result(most, wrote=False)
    assert not told["isError"]
    assert len(json_text(told)) < LINE_LIMIT_BYTES - 1_000


@pytest.mark.parametrize(
    ("pictures", "why"),
    [
        ((PNG,) * (PICTURES_LIMIT + 1), "more than 3 pictures"),
        ((PNG + bytes(PICTURE_LIMIT_BYTES),), "over the limit"),
        ((b"GIF89a",), "neither PNG nor JPEG"),
        ((b"",), "neither PNG nor JPEG"),
    ],
)
def test_a_tool_that_shows_too_much_hears_it(pictures: tuple[bytes, ...], why: str) -> None:
    told = answer_result(ToolAnswer(result="x", pictures=pictures), wrote=True)
    assert told["isError"]
    assert why in told["content"][0]["text"]


def image(content: bytes = PNG, media: str = "image/png", **more: Any) -> dict[str, Any]:
    data = base64.b64encode(content).decode()
    return {"type": "image", "data": data, "mimeType": media, **more}


@pytest.mark.parametrize(
    "parts",
    [
        [image(media="image/jpeg")],
        [image(b"<svg onload='x'/>", "image/svg+xml")],
        [image(b"<svg/>")],
        [image(PNG + bytes(PICTURE_LIMIT_BYTES))],
        [image(extra=1)],
        [{"type": "image", "data": "%%%", "mimeType": "image/png"}],
        [{"type": "image", "data": 5, "mimeType": "image/png"}],
        [{"type": "image", "mimeType": "image/png"}],
        [image()] * (PICTURES_LIMIT + 1),
        ["image"],
        [{"type": "audio", "data": "", "mimeType": "audio/wav"}],
    ],
)
def test_a_guest_that_breaks_the_rules_is_a_broken_guest(parts: list[Any]) -> None:
    with pytest.raises(ProtocolError):
        read_outcome({"content": [{"type": "text", "text": "x"}, *parts]})
