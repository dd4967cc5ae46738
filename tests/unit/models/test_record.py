"""Recording: a run's replies, one JSON line each, appended; a failed call leaves no line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from deskmate.errors import ModelUnavailable
from deskmate.models.record import RecordingModel
from deskmate.ports import ModelRequest
from deskmate.testing.scripted_model import ScriptedModel
from deskmate.types.messages import Message

pytestmark = pytest.mark.anyio


async def test_only_replies_are_recorded_one_line_each(
    tmp_path: Path,
    make_request: Callable[..., ModelRequest],
    user: Callable[..., Message],
) -> None:
    path = tmp_path / "run.jsonl"
    model = RecordingModel(ScriptedModel(["Hi."], failures=1), path)
    with pytest.raises(ModelUnavailable):
        await model.reply(make_request(user("Hi")), lambda text: None)
    assert not path.exists()
    heard: list[str] = []
    for _ in range(2):
        await model.reply(make_request(user("Hi")), heard.append)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["shape"] for line in lines] == [[["user", "says Hi"]]] * 2
    assert lines[0]["reply"]["content"] == [{"type": "text", "text": "Hi."}]
    assert heard == ["Hi.", "Hi."]
