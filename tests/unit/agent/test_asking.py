"""One model call: a reply that never comes, and ids that a server uses twice."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import anyio
import anyio.abc
import pytest

from deskmate.agent.asking import Patience, one_line, with_unique_ids
from deskmate.errors import ConfigError
from deskmate.models.anthropic import AnthropicModel
from deskmate.models.catalogue import find_model
from deskmate.ports import Delta, ModelReply, ModelRequest
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
    make_lab: MakeLab,
) -> None:
    class Hanging(ScriptedModel):
        hangs = 1

        async def reply(self, request: ModelRequest, on_text: Callable[[str], None]) -> ModelReply:
            if Hanging.hangs:
                Hanging.hangs -= 1
                await anyio.sleep_forever()
            return await super().reply(request, on_text)

    lab = make_lab(Hanging(["Hi."]))
    lab.patience = Patience(reply_s=0.05)
    assert (await lab.say("Hi")).reason == "done"
    (failed,) = lab.store.of(ModelFailed)
    assert failed.retryable
    asked = lab.store.of(ModelAsked)
    assert asked[0].request == asked[1].request, "the same request is sent again"


def told(lab: Lab) -> list[str]:
    """The lines about silence that a front door was given."""
    lines = [item.text for item in lab.seen if isinstance(item, Delta) and item.kind == "progress"]
    return [line for line in lines if "no answer" in line]


@pytest.mark.anyio
async def test_a_server_that_takes_the_request_and_says_nothing_is_told_of_and_given_up_for_good(
    make_lab: MakeLab,
) -> None:
    import anthropic  # noqa: F401 - loading it takes seconds, which are no silence of the server

    silent = await anyio.create_tcp_listener(local_host="127.0.0.1")
    port = silent.extra(anyio.abc.SocketAttribute.local_port)
    taken: list[anyio.abc.SocketStream] = []

    async def take(stream: anyio.abc.SocketStream) -> None:
        taken.append(stream)
        async with stream:
            await anyio.sleep_forever()

    model = AnthropicModel(
        find_model("default", {}),
        api_key="none",
        base_url=f"http://127.0.0.1:{port}",
        silence_s=0.5,
    )
    lab = make_lab(model)
    lab.patience = Patience(tell_s=0.1, silence_s=2.0)
    async with silent, anyio.create_task_group() as tasks:
        tasks.start_soon(silent.serve, take)
        with anyio.fail_after(60):
            ended = await lab.say("Hi")
        await model.aclose()
        tasks.cancel_scope.cancel()
    assert ended.reason == "failed"
    failed = lab.store.of(ModelFailed)
    assert [one.retryable for one in failed] == [True] * (len(failed) - 1) + [False]
    assert 2 <= len(failed) <= 4, "attempts end with the time of all of them, not after a number"
    assert len(taken) == len(failed)
    assert len(told(lab)) >= len(failed)
    assert told(lab)[0].endswith("still waiting (Ctrl-C stops; the thread stays)")


@pytest.mark.anyio
async def test_a_model_that_speaks_or_lives_is_not_called_silent(make_lab: MakeLab) -> None:
    class Slow(ScriptedModel):
        async def reply(self, request: ModelRequest, on_text: Callable[[str], None]) -> ModelReply:
            for _ in range(12):
                await anyio.sleep(0.05)
                on_text("")  # such as the arguments of a long tool use
            return await super().reply(request, on_text)

    lab = make_lab(Slow(["Hi."]))
    lab.patience = Patience(tell_s=0.4, silence_s=0.5)
    assert (await lab.say("Hi")).reason == "done"
    assert told(lab) == []
    assert lab.store.of(ModelFailed) == []
    assert all(item.text for item in lab.seen if isinstance(item, Delta)), "life is no text"


@pytest.mark.anyio
async def test_a_defect_of_a_model_comes_out_as_itself(make_lab: MakeLab) -> None:
    class Broken(ScriptedModel):
        async def reply(self, request: ModelRequest, on_text: Callable[[str], None]) -> ModelReply:
            raise ZeroDivisionError("a defect")

    with pytest.raises(ZeroDivisionError):
        await make_lab(Broken([])).say("Hi")
