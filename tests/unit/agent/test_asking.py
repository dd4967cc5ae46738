"""One model call: a reply that never comes, and ids that a server uses twice."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from deskmate.agent import asking
from deskmate.agent.asking import one_line, with_unique_ids
from deskmate.errors import ConfigError
from deskmate.ports import ModelReply, ModelRequest
from deskmate.testing.scripted_model import ScriptedModel
from deskmate.types.events import Event, ModelAsked, ModelFailed, ModelReplied
from deskmate.types.ids import ToolUseId
from deskmate.types.messages import Text, ToolUse, tool_uses_of

if TYPE_CHECKING:
    from tests.unit.agent.conftest import Lab

    MakeLab = Callable[..., Lab]


def use(id_: str) -> ToolUse:
    return ToolUse(id=ToolUseId(id_), name="p__t", input={})


def test_an_id_is_new_in_the_whole_thread_or_is_made_so(make_log: Callable[..., Any]) -> None:
    earlier = ModelReplied(turn=1, model="m", content=(use("call_1"),), stop_reason="tool_use")
    events: tuple[Event, ...] = make_log(earlier)
    content = (Text(text="x"), use("call_1"), use(""), use("call_2"), use("call_2"))
    ids = [one.id for one in tool_uses_of(with_unique_ids(content, events))]
    assert ids[2] == "call_2"
    assert len({"call_1", *ids}) == 5
    assert "" not in ids


def test_an_error_is_told_in_one_line() -> None:
    assert one_line(ConfigError("No key.", hint="Set it.")) == "No key. Set it."
    assert one_line(ConfigError("No key.")) == "No key."


@pytest.mark.anyio
async def test_a_reply_that_never_comes_is_given_up_and_asked_for_again(
    make_lab: MakeLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Hanging(ScriptedModel):
        hangs = 1

        async def reply(self, request: ModelRequest, on_text: Callable[[str], None]) -> ModelReply:
            if Hanging.hangs:
                Hanging.hangs -= 1
                await anyio.sleep_forever()
            return await super().reply(request, on_text)

    monkeypatch.setattr(asking, "MODEL_DEADLINE_S", 0.05)
    lab = make_lab(Hanging(["Hi."]))
    assert (await lab.say("Hi")).reason == "done"
    (failed,) = lab.store.of(ModelFailed)
    assert failed.retryable
    asked = lab.store.of(ModelAsked)
    assert asked[0].request == asked[1].request, "the same request is sent again"
