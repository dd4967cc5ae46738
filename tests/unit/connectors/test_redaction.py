"""Secrets are taken out of texts, facts and streams, however they are spelled and wherever a piece ends."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deskmate.connectors.redaction import Redactor, Scrubber
from deskmate.types.events import ModelReplied, ToolFinished
from deskmate.types.ids import ToolUseId
from deskmate.types.messages import Text, ToolUse

SECRET = "sk-live/9f8e7d+6c5b=a4 ü"
REDACTOR = Redactor({"legal.KEY": SECRET, "short": "abc"})
SPELLINGS = [
    SECRET,
    quote(SECRET, safe=""),
    json.dumps(SECRET)[1:-1],
    SECRET.encode().hex(),
    SECRET.encode().hex().upper(),
    SECRET[::-1],
    *(base64.b64encode(b"x" * shift + SECRET.encode()).decode() for shift in range(3)),
    base64.urlsafe_b64encode(b"user:" + SECRET.encode() + b" end").decode(),
]


@pytest.mark.parametrize("spelled", SPELLINGS)
def test_every_common_spelling_is_found(spelled: str) -> None:
    clean = REDACTOR.text(f"key={spelled};")
    assert "⟦secret:legal.KEY⟧" in clean
    assert SECRET not in clean
    assert spelled not in clean
    assert REDACTOR.data(f"key={spelled};".encode()) == clean.encode()


def test_what_is_no_secret_stays() -> None:
    assert REDACTOR.text("abc and more") == "abc and more"
    assert not Redactor({"short": "abc"})
    assert Redactor({}).text("x") == "x"


def test_facts_lose_secrets_at_any_depth_and_are_the_same_where_there_are_none() -> None:
    use = ToolUse(id=ToolUseId("u"), name="a__b", input={"x": [{"y": f"Bearer {SECRET}"}]})
    reply = ModelReplied(
        turn=1, model="m", content=(Text(text=SECRET), use), stop_reason="tool_use"
    )
    clean = REDACTOR.value(reply)
    assert SECRET not in repr(clean)
    assert clean.content[1].input == {"x": [{"y": "Bearer ⟦secret:legal.KEY⟧"}]}  # type: ignore[union-attr]
    plain = ToolFinished(tool_use_id=ToolUseId("u"), tool="a__b", outcome="ok", text="nothing")
    assert REDACTOR.value(plain) == plain


@given(st.lists(st.integers(1, 12), min_size=1, max_size=60), st.sampled_from(SPELLINGS))
def test_a_stream_is_clean_wherever_it_is_cut(sizes: list[int], spelled: str) -> None:
    whole = f"head {spelled}{spelled} middle {spelled[:-1]} tail {spelled}".encode()
    scrubber, out, at = Scrubber(REDACTOR), b"", 0
    for size in sizes:
        out += scrubber.feed(whole[at : at + size])
        at += size
    out += scrubber.feed(whole[at:]) + scrubber.end()
    assert out == REDACTOR.data(whole)
    assert spelled.encode() not in out


def test_a_stream_without_secrets_is_not_held_back() -> None:
    scrubber = Scrubber(Redactor({}))
    assert scrubber.feed(b"abc") == b"abc"
    assert scrubber.end() == b""
