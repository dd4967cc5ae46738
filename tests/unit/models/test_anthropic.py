"""The Messages API adapter against recorded and hand-made bytes from a loopback server."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from deskmate.errors import ModelRejected, ModelUnavailable
from deskmate.models.anthropic import AnthropicModel
from deskmate.models.catalogue import find_model
from deskmate.ports import ModelReply, ModelRequest
from deskmate.types.messages import Message, Opaque, Text, ToolUse, block_to_json

if TYPE_CHECKING:
    from tests.unit.models.conftest import Answer, Server

    MakeAnswer = Callable[..., Answer]
    MakeRequest = Callable[..., ModelRequest]
    MakeMessage = Callable[..., Message]

pytestmark = pytest.mark.anyio


@pytest.fixture
async def model(server: Server) -> AsyncIterator[AnthropicModel]:
    one = AnthropicModel(find_model("sonnet", {}), api_key="key", base_url=server.url)
    yield one
    await one.aclose()


def sse(*events: dict[str, Any]) -> bytes:
    return b"".join(
        f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in events
    )


def reply_events(
    *blocks: tuple[dict[str, Any], list[dict[str, Any]]],
    stop_reason: str | None = "end_turn",
    usage: dict[str, Any] | None = None,
) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = [
        {
            "type": "message_start",
            "message": {
                "id": "m",
                "type": "message",
                "role": "assistant",
                "model": "a-model",
                "content": [],
                "stop_reason": None,
                "usage": {"input_tokens": 7, "output_tokens": 0} if usage is None else usage,
            },
        }
    ]
    for index, (block, deltas) in enumerate(blocks):
        events.append({"type": "content_block_start", "index": index, "content_block": block})
        events += [
            {"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas
        ]
        events.append({"type": "content_block_stop", "index": index})
    delta = {"stop_reason": stop_reason, "stop_sequence": None}
    events.append({"type": "message_delta", "delta": delta, "usage": {"output_tokens": 5}})
    return [*events, {"type": "message_stop"}]


def text_block(text: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    return {"type": "text", "text": ""}, [{"type": "text_delta", "text": text}]


def tool_block(*parts: str, **fields: Any) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    block = {"type": "tool_use", "id": "call_1", "name": "lab__read", **fields}
    return block, [{"type": "input_json_delta", "partial_json": part} for part in parts]


async def ask(
    model: AnthropicModel, make_request: MakeRequest, user: MakeMessage
) -> tuple[ModelReply, str]:
    heard: list[str] = []
    reply = await model.reply(make_request(user("hello")), heard.append)
    return reply, "".join(heard)


def check_against(expected: dict[str, Any], reply: ModelReply) -> None:
    assert reply.stop_reason == expected["stop_reason"]
    assert len(reply.content) == len(expected["blocks"])
    for block, wanted in zip(reply.content, expected["blocks"], strict=True):
        shape = block_to_json(block)
        assert shape["type"] == wanted["type"]
        if "text_len" in wanted:
            assert isinstance(block, Text)
            assert len(block.text) == wanted["text_len"]
            assert block.text.startswith(wanted["text_head"])
        if wanted["type"] == "tool_use":
            assert isinstance(block, ToolUse)
        else:
            assert isinstance(block, Text | Opaque)
        for name in ("name", "input"):
            if name in wanted:
                assert shape[name] == wanted[name]
        if "thinking_len" in wanted:
            assert len(shape["thinking"]) == wanted["thinking_len"]
            assert bool(shape.get("signature")) == wanted["has_signature"]
    usage = expected["usage"]
    assert reply.usage.input_tokens == usage["input_tokens"]
    assert reply.usage.output_tokens == usage["output_tokens"]
    assert reply.usage.cache_read_tokens == (usage.get("cache_read_input_tokens") or 0)
    assert reply.usage.cache_write_tokens == (usage.get("cache_creation_input_tokens") or 0)


@pytest.mark.cases
async def test_it_agrees_with_the_official_reading_of_every_recording(
    cases: Path,
    server: Server,
    model: AnthropicModel,
    make_answer: MakeAnswer,
    make_request: MakeRequest,
    user: MakeMessage,
) -> None:
    folder = cases / "anthropic_wire"
    expected = json.loads((folder / "EXPECTED_by_official_sdk.json").read_text())
    streams = [name for name in expected if name.endswith(".sse")]
    assert len(streams) >= 30
    for name in streams:
        server.answer = make_answer((folder / name).read_bytes())
        reply, heard = await ask(model, make_request, user)
        check_against(expected[name], reply)
        assert heard == "".join(b.text for b in reply.content if isinstance(b, Text)), name


@pytest.mark.cases
@pytest.mark.parametrize("cut", [False, True], ids=["closed", "dropped"])
async def test_recordings_that_end_early_are_unavailable_and_nothing_is_kept(
    cut: bool,
    cases: Path,
    server: Server,
    model: AnthropicModel,
    make_answer: MakeAnswer,
    make_request: MakeRequest,
    user: MakeMessage,
) -> None:
    broken = sorted((cases / "anthropic_wire" / "derived").glob("*.sse"))
    assert broken
    for path in broken:
        server.answer = make_answer(path.read_bytes(), cut=cut)
        with pytest.raises(ModelUnavailable):
            await ask(model, make_request, user)


@pytest.mark.cases
async def test_a_recording_cut_at_any_event_is_never_taken_for_a_reply(
    cases: Path,
    server: Server,
    model: AnthropicModel,
    make_answer: MakeAnswer,
    make_request: MakeRequest,
    user: MakeMessage,
) -> None:
    path = cases / "anthropic_wire/llm-anthropic/test_anthropic__test_tools_0.response.sse"
    events = path.read_bytes().replace(b"\r\n", b"\n").split(b"\n\n")
    whole = next(n for n, event in enumerate(events) if b'"message_stop"' in event)
    for count in range(whole):
        server.answer = make_answer(b"\n\n".join(events[:count]) + b"\n\n")
        with pytest.raises(ModelUnavailable):
            await ask(model, make_request, user)


@pytest.mark.cases
async def test_recorded_non_streaming_answers_are_not_taken_for_a_stream(
    cases: Path,
    server: Server,
    model: AnthropicModel,
    make_answer: MakeAnswer,
    make_request: MakeRequest,
    user: MakeMessage,
) -> None:
    for path in sorted((cases / "anthropic_wire/openllmetry").glob("*.response.json")):
        server.answer = make_answer(path.read_bytes(), content_type="application/json")
        with pytest.raises(ModelUnavailable):
            await ask(model, make_request, user)


async def test_everything_it_does_not_act_on_travels_back_unchanged(
    server: Server,
    model: AnthropicModel,
    make_answer: MakeAnswer,
    make_request: MakeRequest,
    user: MakeMessage,
) -> None:
    blocks: list[dict[str, Any]] = [
        {"type": "thinking", "thinking": "Hm.", "signature": "sig=="},
        {"type": "redacted_thinking", "data": "opaque"},
        {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {"q": "x"}},
        {"type": "from_the_future", "anything": [1, {"deep": None}]},
    ]
    server.answer = make_answer(sse(*reply_events(*((block, []) for block in blocks))))
    reply, _ = await ask(model, make_request, user)
    assert [block_to_json(block) for block in reply.content] == blocks
    server.requests.clear()
    said = Message(role="assistant", content=reply.content)
    await model.reply(make_request(user("a"), said, user("b")), lambda text: None)
    assert server.requests[0]["messages"][1]["content"] == blocks


async def test_a_compatible_server_may_leave_out_input_ids_prefix_ping_and_cache_counts(
    server: Server,
    model: AnthropicModel,
    make_answer: MakeAnswer,
    make_request: MakeRequest,
    user: MakeMessage,
) -> None:
    events = reply_events(tool_block('{"a"', ": 1}"), stop_reason="tool_use", usage={})
    server.answer = make_answer(sse(*events))
    reply, _ = await ask(model, make_request, user)
    (use,) = reply.content
    assert use == ToolUse(id="call_1", name="lab__read", input={"a": 1})  # type: ignore[arg-type]
    assert reply.usage.input_tokens == 0
    assert reply.usage.output_tokens == 5


async def test_a_tool_use_without_any_arguments_has_an_empty_input(
    server: Server,
    model: AnthropicModel,
    make_answer: MakeAnswer,
    make_request: MakeRequest,
    user: MakeMessage,
) -> None:
    server.answer = make_answer(sse(*reply_events(tool_block(), stop_reason="tool_use")))
    reply, _ = await ask(model, make_request, user)
    (use,) = reply.content
    assert isinstance(use, ToolUse)
    assert use.input == {}


async def test_cut_tool_arguments_never_become_a_tool_use_that_may_run(
    server: Server,
    model: AnthropicModel,
    make_answer: MakeAnswer,
    make_request: MakeRequest,
    user: MakeMessage,
) -> None:
    cut = tool_block('{"path": "docs/a', input={})
    server.answer = make_answer(sse(*reply_events(cut, stop_reason="tool_use")))
    with pytest.raises(ModelUnavailable, match="cut or broken"):
        await ask(model, make_request, user)
    server.answer = make_answer(sse(*reply_events(cut, stop_reason="max_tokens")))
    reply, _ = await ask(model, make_request, user)
    assert reply.stop_reason == "max_tokens"


async def test_a_missing_stop_reason_is_an_empty_one(
    server: Server,
    model: AnthropicModel,
    make_answer: MakeAnswer,
    make_request: MakeRequest,
    user: MakeMessage,
) -> None:
    server.answer = make_answer(sse(*reply_events(text_block("Hi"), stop_reason=None)))
    reply, heard = await ask(model, make_request, user)
    assert (reply.stop_reason, heard) == ("", "Hi")


@pytest.mark.parametrize(
    "body",
    [
        b"event: message_start\ndata: {not json\n\n",
        sse(
            {
                "type": "content_block_delta",
                "index": 3,
                "delta": {"type": "text_delta", "text": "x"},
            }
        ),
        sse(
            *reply_events()[:1],
            {
                "type": "content_block_delta",
                "index": 9,
                "delta": {"type": "text_delta", "text": "x"},
            },
            {"type": "message_stop"},
        ),
        b"",
        b"\xff\xfe\x00garbage\n\n",
        b"<html>gateway</html>",
    ],
    ids=["bad json", "no start", "index out of range", "empty", "bytes", "html"],
)
async def test_a_stream_that_breaks_the_rules_is_unavailable(
    body: bytes,
    server: Server,
    model: AnthropicModel,
    make_answer: MakeAnswer,
    make_request: MakeRequest,
    user: MakeMessage,
) -> None:
    server.answer = make_answer(body)
    with pytest.raises(ModelUnavailable):
        await ask(model, make_request, user)


@pytest.mark.parametrize(
    ("status", "body", "expected", "words"),
    [
        (
            400,
            {"type": "error", "error": {"type": "invalid_request_error", "message": "too long"}},
            ModelRejected,
            "too long",
        ),
        (
            401,
            {"type": "error", "error": {"type": "authentication_error", "message": "bad"}},
            ModelRejected,
            "400|401",
        ),
        (402, {"error": {"type": "billing_error", "message": "pay"}}, ModelRejected, "pay"),
        (403, {"error": {"type": "permission_error", "message": "no"}}, ModelRejected, "no"),
        (404, {"type": "not_found_error", "message": "model: x"}, ModelRejected, "model: x"),
        (404, "plain words", ModelRejected, "404"),
        (413, {"error": "too big"}, ModelRejected, "too big"),
        (429, {"error": {"type": "rate_limit_error", "message": "slow"}}, ModelUnavailable, "slow"),
        (500, {"error": {"type": "api_error", "message": "oops"}}, ModelUnavailable, "oops"),
        (502, "<html>bad gateway</html>", ModelUnavailable, "failed"),
        (
            529,
            {
                "type": "error",
                "error": {"details": None, "type": "overloaded_error", "message": "Overloaded"},
            },
            ModelUnavailable,
            "overloaded",
        ),
    ],
)
async def test_each_refusal_becomes_the_error_of_who_must_act(
    status: int,
    body: Any,
    expected: type[Exception],
    words: str,
    server: Server,
    model: AnthropicModel,
    make_answer: MakeAnswer,
    make_request: MakeRequest,
    user: MakeMessage,
) -> None:
    data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    server.answer = make_answer(data, status=status, content_type="application/json")
    with pytest.raises(expected, match=words):
        await ask(model, make_request, user)
    assert len(server.requests) == 1, "retries are the driver's, not the SDK's"


async def test_an_overload_in_the_middle_of_a_stream_is_unavailable(
    server: Server,
    model: AnthropicModel,
    make_answer: MakeAnswer,
    make_request: MakeRequest,
    user: MakeMessage,
) -> None:
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    server.answer = make_answer(sse(*reply_events(text_block("Hi"))[:3], error))
    with pytest.raises(ModelUnavailable, match="overloaded"):
        await ask(model, make_request, user)


async def test_a_refusal_in_the_middle_of_a_stream_is_final(
    server: Server,
    model: AnthropicModel,
    make_answer: MakeAnswer,
    make_request: MakeRequest,
    user: MakeMessage,
) -> None:
    error = {"type": "error", "error": {"type": "invalid_request_error", "message": "No."}}
    server.answer = make_answer(sse(*reply_events()[:1], error))
    with pytest.raises(ModelRejected):
        await ask(model, make_request, user)


async def test_the_servers_wish_to_wait_is_passed_on(
    server: Server,
    model: AnthropicModel,
    make_answer: MakeAnswer,
    make_request: MakeRequest,
    user: MakeMessage,
) -> None:
    server.answer = make_answer(b"{}", status=429, headers={"retry-after": "12"})
    with pytest.raises(ModelUnavailable) as caught:
        await ask(model, make_request, user)
    assert caught.value.retry_after_s == 12


async def test_a_server_that_is_not_there_is_unavailable(
    make_request: MakeRequest, user: MakeMessage
) -> None:
    model = AnthropicModel(find_model("x", {}), api_key="k", base_url="http://127.0.0.1:9")
    with pytest.raises(ModelUnavailable, match="cannot be reached"):
        await ask(model, make_request, user)
    await model.aclose()


async def test_the_key_is_the_given_one_and_extra_fields_reach_the_body(
    server: Server,
    make_answer: MakeAnswer,
    make_request: MakeRequest,
    user: MakeMessage,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "the-users-own")
    monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", "another")
    model = AnthropicModel(
        find_model("x", {}), api_key="given", base_url=server.url, extra_body={"temperature": 0}
    )
    server.answer = make_answer(sse(*reply_events(text_block("Hi"))))
    await ask(model, make_request, user)
    await model.aclose()
    assert server.keys == ["Bearer given"]
    assert server.requests[0]["temperature"] == 0


async def test_the_price_of_a_reply_is_known_and_the_estimate_is_above_it(
    server: Server,
    model: AnthropicModel,
    make_answer: MakeAnswer,
    make_request: MakeRequest,
    user: MakeMessage,
) -> None:
    server.answer = make_answer(sse(*reply_events(text_block("Hi"))))
    request = make_request(user("hello"))
    reply = await model.reply(request, lambda text: None)
    estimate = model.estimate_cost_usd(request)
    assert reply.usage.cost_usd == pytest.approx((7 * 2 + 5 * 10) / 1e6)
    assert estimate is not None
    assert estimate > (reply.usage.cost_usd or 0)
