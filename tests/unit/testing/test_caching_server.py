"""The double is honest: what changed is a miss, and what the API refuses is refused."""

from __future__ import annotations

from typing import Any

import pytest

from deskmate.testing.caching_server import LOOK_BACK, TTL_S, PromptCache, Refused, check_pairs

MARK = {"cache_control": {"type": "ephemeral"}}


def text(words: str, *, mark: bool = False) -> dict[str, Any]:
    return {"type": "text", "text": words * 400, **(MARK if mark else {})}


def body(*blocks: dict[str, Any], system: str = "S", tools: str = "T") -> dict[str, Any]:
    return {
        "model": "m",
        "max_tokens": 10,
        "tools": [{"name": tools, "description": "d" * 400, "input_schema": {}}],
        "system": [{"type": "text", "text": system}],
        "messages": [{"role": "user", "content": list(blocks)}],
    }


def cache(**options: Any) -> PromptCache:
    return PromptCache(least_tokens=100, **options)


def test_what_was_marked_is_read_and_what_comes_after_is_written() -> None:
    one = cache()
    first = one.take(body(text("a"), text("b", mark=True)))
    assert (first.read, first.fresh) == (0, 0)
    second = one.take(body(text("a"), text("b"), text("c", mark=True), text("d")))
    assert second.read == first.written
    assert second.written > 0
    assert second.fresh > 0
    assert second.prompt > first.prompt


@pytest.mark.parametrize(
    "changed",
    [
        body(text("x"), text("b", mark=True)),
        body(text("a"), text("b", mark=True), system="other"),
        body(text("a"), text("b", mark=True), tools="other"),
        {**body(text("a"), text("b", mark=True)), "model": "another"},
    ],
)
def test_a_changed_prefix_is_a_miss(changed: dict[str, Any]) -> None:
    one = cache()
    one.take(body(text("a"), text("b", mark=True)))
    assert one.take(changed).read == 0


def test_nothing_is_kept_without_a_mark_nor_below_the_minimum() -> None:
    one = cache()
    assert one.take(body(text("a"), text("b"))).written == 0
    assert one.take(body(text("a"), text("b"))).read == 0
    two = PromptCache(least_tokens=10_000)
    assert two.take(body(text("a", mark=True))).written == 0
    assert two.take(body(text("a", mark=True))).read == 0


@pytest.mark.parametrize(("between", "found"), [(LOOK_BACK, True), (LOOK_BACK + 1, False)])
def test_the_server_looks_back_so_far_and_no_further(between: int, found: bool) -> None:
    one = cache()
    one.take(body(text("a", mark=True)))
    more = [text(str(n)) for n in range(between - 1)]
    served = one.take(body(text("a"), *more, text("end", mark=True)))
    assert (served.read > 0) is found


def test_what_is_not_read_for_five_minutes_is_forgotten_and_reading_keeps_it() -> None:
    now = [0.0]
    one = cache(clock=lambda: now[0])
    asked = body(text("a", mark=True))
    one.take(asked)
    now[0] = TTL_S - 1
    assert one.take(asked).read > 0
    now[0] = 2 * TTL_S - 2
    assert one.take(asked).read > 0
    now[0] = 4 * TTL_S
    assert one.take(asked).read == 0


def test_a_fifth_mark_is_refused() -> None:
    with pytest.raises(Refused, match="maximum of 4"):
        cache().take(body(*(text(str(n), mark=True) for n in range(5))))


USE = {"role": "assistant", "content": [{"type": "tool_use", "id": "u", "name": "t", "input": {}}]}
RESULT = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "u", "content": "x"}]}
HELLO = {"role": "user", "content": "Hello"}


def test_a_use_with_its_result_is_taken() -> None:
    check_pairs([HELLO, USE, RESULT])


@pytest.mark.parametrize(
    "messages",
    [
        [HELLO, USE],
        [HELLO, USE, HELLO],
        [RESULT],
        [HELLO, HELLO],
        [USE],
        [{**HELLO, "content": []}],
    ],
)
def test_a_use_without_its_result_or_turns_out_of_order_are_refused(messages: list[Any]) -> None:
    with pytest.raises(Refused):
        check_pairs(messages)
