"""Recording a model and answering from the recording."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from deskmate.errors import ConfigError, ModelRejected
from deskmate.models.record import RecordingModel
from deskmate.models.replay import ReplayModel
from deskmate.ports import ModelReply, ModelRequest
from deskmate.testing.scripted_model import ScriptedModel
from deskmate.types.ids import ToolUseId
from deskmate.types.messages import NOTE, Message, Opaque, Text, ToolResult

MakeRequest = Callable[..., ModelRequest]
MakeMessage = Callable[..., Message]

pytestmark = pytest.mark.anyio


async def record(
    path: Path, make_request: MakeRequest, user: MakeMessage
) -> tuple[ModelReply, ModelReply]:
    model = RecordingModel(ScriptedModel([(("lab__read", {"path": "a"}),), "Done."]), path)
    assert model.name == "scripted"
    assert model.estimate_cost_usd(make_request(user("Hi"))) == 0.0
    first = await model.reply(make_request(user("Hi")), lambda text: None)
    result = ToolResult(tool_use_id=ToolUseId("toolu_000_00"), text="one content")
    talk = (user("Hi"), Message(role="assistant", content=first.content), user(result))
    second = await model.reply(make_request(*talk), lambda text: None)
    return first, second


async def test_a_recorded_run_is_answered_again_and_both_are_labelled(
    tmp_path: Path, make_request: MakeRequest, user: MakeMessage
) -> None:
    path = tmp_path / "run.jsonl"
    first, second = await record(path, make_request, user)
    assert first.label == "recorded"
    replay, heard = ReplayModel(path), list[str]()
    again = await replay.reply(make_request(user(f"{NOTE}Another day.", "Hi")), heard.append)
    assert again.content == first.content
    assert again.label == "replayed from run.jsonl"
    other = ToolResult(tool_use_id=ToolUseId("toolu_other"), text="other content")
    talk = (user("Hi"), Message(role="assistant", content=first.content), user(other))
    last = await replay.reply(make_request(*talk), heard.append)
    assert last.content == second.content
    assert heard == ["Done."]
    assert replay.estimate_cost_usd(make_request(*talk)) == 0.0


@pytest.mark.parametrize("what", ["words", "error", "length"])
async def test_a_conversation_of_another_shape_is_refused_and_named(
    what: str, tmp_path: Path, make_request: MakeRequest, user: MakeMessage
) -> None:
    path = tmp_path / "run.jsonl"
    first, _ = await record(path, make_request, user)
    said = Message(role="assistant", content=first.content)
    failed = ToolResult(tool_use_id=ToolUseId("x"), text="no", is_error=True)
    talk = {
        "words": (user("Something else"),),
        "error": (user("Hi"), said, user(failed)),
        "length": (user("Hi"), said, user(failed), said, user(failed)),
    }[what]
    with pytest.raises(ModelRejected) as caught:
        await ReplayModel(path).reply(make_request(*talk), lambda text: None)
    assert "has no reply for this conversation" in caught.value.message
    assert "--record" in caught.value.hint


async def test_blocks_that_are_only_kept_survive_a_recording(
    tmp_path: Path, make_request: MakeRequest, user: MakeMessage
) -> None:
    class Thinking(ScriptedModel):
        async def reply(self, request: ModelRequest, on_text: Callable[[str], None]) -> ModelReply:
            content = (Opaque(data={"type": "thinking", "signature": "s"}), Text(text="4"))
            return ModelReply(content=content, stop_reason="end_turn", label="local model")

    path = tmp_path / "run.jsonl"
    recorded = await RecordingModel(Thinking(["x"]), path).reply(
        make_request(user("2+2")), lambda text: None
    )
    assert recorded.label == "local model, recorded"
    replayed = await ReplayModel(path).reply(make_request(user("2+2")), lambda text: None)
    assert replayed.content == recorded.content
    said = Message(role="assistant", content=recorded.content)
    with pytest.raises(ModelRejected):
        await ReplayModel(path).reply(make_request(user("2+2"), said, user("x")), lambda text: None)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not json",
        "[]",
        '{"format": 9}',
        '{"format": 1, "shape": []}',
        json.dumps({"format": 1, "shape": [], "reply": {"content": 3}}),
    ],
)
async def test_what_is_no_recording_is_named(text: str, tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"run\.jsonl"):
        ReplayModel(path)
