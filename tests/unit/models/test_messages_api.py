"""The request's JSON: cache breakpoints and what servers do not take; and waits that servers ask for."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from deskmate.models.catalogue import find_model
from deskmate.models.messages_api import request_body, retry_after_s
from deskmate.ports import ModelRequest
from deskmate.types.ids import ToolUseId
from deskmate.types.messages import Message, Opaque, Text, ToolResult
from deskmate.types.registry import ToolSpec

MakeMessage = Callable[..., Message]
INFO = find_model("sonnet", {})


def tool(name: str) -> ToolSpec:
    return ToolSpec(
        plugin="p",
        name=name,
        title="T",
        description="D",
        input_schema={"type": "object"},
        risk="read",
    )


def body(*messages: Message, **fields: Any) -> dict[str, Any]:
    request = ModelRequest(
        model="sonnet",
        system=("One. " * 1_000, "Two."),
        tools=(tool("a"), tool("b")),
        messages=messages,
        **fields,
    )
    return request_body(request, INFO)


def cached(item: dict[str, Any]) -> bool:
    return "cache_control" in item


def test_the_stable_prefix_and_the_last_two_user_messages_end_at_breakpoints(
    user: MakeMessage, assistant: MakeMessage
) -> None:
    data = body(user("1"), assistant("a"), user("2", "3"), assistant("b"), user("4"))
    assert [cached(block) for block in data["system"]] == [False, True]
    assert [cached(one) for one in data["tools"]] == [False, False]
    marks = [[cached(block) for block in message["content"]] for message in data["messages"]]
    assert marks == [[False], [False], [False, True], [False], [True]]
    assert set(data["tools"][0]) == {"name", "description", "input_schema"}


def test_no_more_breakpoints_than_the_api_takes(user: MakeMessage, assistant: MakeMessage) -> None:
    talk = [message for n in range(20) for message in (user(str(n)), assistant("x"))]
    assert str(body(*talk, shared=1)).count("cache_control") == 4


def test_blocks_that_take_no_breakpoint_get_none(user: MakeMessage) -> None:
    data = body(user("x", Opaque(data={"type": "thinking", "thinking": "", "signature": ""})))
    assert not cached(data["messages"][0]["content"][-1])


def test_empty_texts_are_left_out(user: MakeMessage, assistant: MakeMessage) -> None:
    data = body(user("x"), assistant("  ", "said"), user(""))
    assert [block["text"] for block in data["messages"][1]["content"]] == ["said"]
    assert data["messages"][2]["content"][0]["text"] == "(no words)"


def test_results_have_their_shape(user: MakeMessage) -> None:
    failed = ToolResult(tool_use_id=ToolUseId("u"), text="no", is_error=True)
    (block,) = body(user(failed))["messages"][0]["content"]
    del block["cache_control"]
    assert block == {
        "type": "tool_result",
        "tool_use_id": "u",
        "content": "no",
        "is_error": True,
    }


def test_without_system_and_tools_neither_is_sent(user: MakeMessage) -> None:
    request = ModelRequest(model="x", system=(), tools=(), messages=(user(Text(text="x")),))
    assert set(request_body(request, INFO)) == {"model", "max_tokens", "messages"}


def test_the_output_is_never_longer_than_the_model_can(user: MakeMessage) -> None:
    assert body(user("x"), max_tokens=10**9)["max_tokens"] == INFO.max_output_tokens


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        ("3", 3.0),
        ("0.5", 0.5),
        ("-4", 0.0),
        ("soon", None),
        ("nan", None),
        ("", None),
    ],
)
def test_a_wait_in_seconds_is_read(value: str | None, expected: float | None) -> None:
    assert retry_after_s(value) == expected


def test_a_wait_until_a_date_is_read() -> None:
    later = retry_after_s(format_datetime(datetime.now(UTC) + timedelta(hours=1)))
    assert later is not None
    assert 3500 < later <= 3600
    assert retry_after_s("Mon, 01 Jan 2001 00:00:00 GMT") == 0.0
    assert retry_after_s("Mon, 01 Jan 2001 00:00:00") is None
