"""Cache breakpoints: what one request wrote, the next one reads, by the rules of a server that follows the documents."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from deskmate.models.caching import LEAST_TOKENS, LOOK_BACK, MOST, mark_messages, mark_prefix
from deskmate.models.catalogue import find_model
from deskmate.models.messages_api import request_body
from deskmate.ports import ModelRequest
from deskmate.testing.caching_server import PromptCache
from deskmate.types.ids import ToolUseId
from deskmate.types.messages import Block, Message, Text, ToolResult, ToolUse

LONG = "word " * LEAST_TOKENS


def system(*texts: str) -> list[dict[str, Any]]:
    return [{"type": "text", "text": text} for text in texts]


def marks(blocks: list[dict[str, Any]]) -> list[bool]:
    return ["cache_control" in block for block in blocks]


def test_what_threads_share_and_what_is_the_projects_end_at_a_mark_each() -> None:
    blocks = system(LONG, "skills", "project")
    assert mark_prefix([{"name": "t"}], blocks, 2) == 2
    assert marks(blocks) == [False, True, True]


def test_without_instructions_of_a_project_one_mark_is_enough() -> None:
    blocks = system(LONG, "skills")
    assert mark_prefix([], blocks, 2) == 1
    assert marks(blocks) == [False, True]


def test_a_prefix_below_the_least_minimum_is_not_marked() -> None:
    blocks = system("short")
    assert mark_prefix([], blocks, 1) == 0
    assert marks(blocks) == [False]


def test_tools_alone_are_marked_at_their_end() -> None:
    tools = [{"name": "a", "description": LONG}, {"name": "b", "description": ""}]
    assert mark_prefix(tools, [], 0) == 1
    assert marks(tools) == [False, True]


def test_a_long_message_has_marks_within_reach_of_each_other() -> None:
    blocks = [{"type": "text", "text": str(n)} for n in range(50)]
    mark_messages([{"role": "user", "content": blocks}], 3)
    places = [place for place, marked in enumerate(marks(blocks)) if marked]
    assert places == [49 - 2 * LOOK_BACK, 49 - LOOK_BACK, 49]


def test_no_message_of_the_user_takes_no_mark() -> None:
    blocks = [{"type": "text", "text": "x"}]
    mark_messages([{"role": "assistant", "content": blocks}], 4)
    assert marks(blocks) == [False]


@st.composite
def conversations(draw: st.DrawFn) -> list[list[Message]]:
    """What a growing thread sends, request by request: turns of a few or many tool uses."""
    sent: list[list[Message]] = []
    talk = [Message(role="user", content=(Text(text="Begin."),))]
    number = 0
    for _ in range(draw(st.integers(1, 8))):
        sent.append(list(talk))
        uses: list[Block] = []
        results: list[Block] = []
        for _ in range(draw(st.integers(1, 30))):
            number += 1
            id_ = ToolUseId(f"u{number}")
            uses.append(ToolUse(id=id_, name="t", input={"n": number}))
            results.append(ToolResult(tool_use_id=id_, text=f"result {number} " * 10))
        if draw(st.booleans()):
            results.append(Text(text="A word of the user."))
        talk += [
            Message(role="assistant", content=(Text(text="So."), *uses)),
            Message(role="user", content=tuple(results)),
        ]
    sent.append(talk)
    return sent


@given(conversations(), st.integers(0, 2))
def test_each_request_reads_all_that_the_one_before_has_written(
    sent: list[list[Message]], of_project: int
) -> None:
    cache = PromptCache()
    info = find_model("sonnet", {})
    before = 0
    for messages in sent:
        request = ModelRequest(
            model="m",
            system=(LONG, *["Project."] * of_project),
            tools=(),
            messages=tuple(messages),
            shared=1,
        )
        body = request_body(request, info)
        assert str(body).count("cache_control") <= MOST
        served = cache.take(body)
        assert served.read >= before
        assert served.fresh == 0
        before = served.prompt
