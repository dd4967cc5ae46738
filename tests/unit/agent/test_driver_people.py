"""The driver when people are asked or away, and what models get wrong in their calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from deskmate.ports import ModelReply, ModelRequest
from deskmate.testing.scripted_model import ScriptedModel
from deskmate.types.events import (
    ApprovalAsked,
    ToolFinished,
)
from deskmate.types.ids import ToolUseId
from deskmate.types.messages import Text, ToolResult, ToolUse
from deskmate.types.policy import Rule, Rules

if TYPE_CHECKING:
    from tests.unit.agent.conftest import Lab

    MakeLab = Callable[..., Lab]

pytestmark = pytest.mark.anyio

WRITE = ("workspace__write", {"path": "docs/b.txt", "content": "beta"})
READ = ("workspace__read", {"path": "docs/a.txt"})


class RawModel(ScriptedModel):
    """Gives whole replies, one after the other."""

    def __init__(self, *replies: ModelReply) -> None:
        super().__init__(["unused"])
        self.replies = list(replies)

    async def reply(self, request: ModelRequest, on_text: Callable[[str], None]) -> ModelReply:
        self.requests.append(request)
        return self.replies.pop(0)


def use(name: str, id_: str = "toolu_1", **arguments: Any) -> ToolUse:
    return ToolUse(id=ToolUseId(id_), name=name, input=arguments)


def says(text: str, stop_reason: str = "end_turn") -> ModelReply:
    return ModelReply(content=(Text(text=text),), stop_reason=stop_reason)


async def test_sending_asks_the_person_and_runs_after_a_yes(make_lab: MakeLab) -> None:
    lab = make_lab(ScriptedModel([(("lab__send", {"to": "x"}),), "Sent."]))
    lab.person.answers = [True]
    assert (await lab.say("Go")).reason == "done"
    assert lab.person.asked[0][0] == "lab__send"
    assert lab.results == [("lab__send", "ok", False)]


async def test_a_no_is_told_to_the_model(make_lab: MakeLab) -> None:
    lab = make_lab(ScriptedModel([(("lab__send", {"to": "x"}),), "Not sent."]))
    lab.person.answers = [False]
    await lab.say("Go")
    assert lab.results == [("lab__send", "denied", True)]
    assert lab.sandbox.calls == []


async def test_with_nobody_there_the_run_parks_while_other_work_goes_on(make_lab: MakeLab) -> None:
    lab = make_lab(ScriptedModel([(("lab__send", {}), WRITE), "Sent."]))
    ended = await lab.say("Go")
    assert ended.reason == "needs_you"
    assert lab.results == [("workspace__write", "ok", False)]
    lab.person.answers = [True]
    assert (await lab.resume()).reason == "done"
    assert len(lab.store.of(ApprovalAsked)) == 1


async def test_a_question_parks_the_run_and_the_answer_is_its_result(make_lab: MakeLab) -> None:
    model = ScriptedModel([(("workspace__ask", {"question": "Which one?"}), READ), "Thanks."])
    lab = make_lab(model)
    ended = await lab.say("Go")
    assert (ended.reason, ended.text) == ("needs_you", "Which one?")
    assert (await lab.resume()).reason == "needs_you", "nobody has answered yet"
    assert (await lab.say("The second.")).reason == "done"
    last = model.requests[-1].messages[-1]
    assert [block.text for block in last.content if isinstance(block, ToolResult)] == [
        "The second.",
        "alpha",
    ]
    assert not any(isinstance(b, Text) and b.text == "The second." for b in last.content)


async def test_something_new_instead_of_an_approval_closes_the_call(make_lab: MakeLab) -> None:
    model = ScriptedModel([(("lab__send", {}),), "All right."])
    lab = make_lab(model)
    await lab.say("Go")
    assert (await lab.say("Never mind.", run="r-2")).reason == "done"
    assert lab.results == [("lab__send", "interrupted", True)]
    assert isinstance(model.requests[-1].messages[-1].content[0], ToolResult)


async def test_unknown_tools_bad_arguments_and_denied_tools_are_told_to_the_model(
    make_lab: MakeLab,
) -> None:
    lab = make_lab(
        ScriptedModel([(("lab__nothing", {}), ("workspace__read", {}), ("lab__memo", {})), "Hm."]),
        rules=Rules(rules=(Rule(decision="deny", tool="lab__memo"),)),
    )
    await lab.say("Go")
    assert [outcome for _, outcome, _ in lab.results] == ["error", "error", "denied"]
    assert lab.sandbox.opened == 0


async def test_a_skill_is_read_without_a_machine(make_lab: MakeLab) -> None:
    lab = make_lab(
        ScriptedModel([(("skill__read", {"name": "memo"}), ("skill__read", {"name": "x"})), "Ok."])
    )
    await lab.say("Go")
    texts = [done.text for done in lab.store.of(ToolFinished)]
    assert texts == ["Be short.", "There is no skill 'x'; there are: memo."]
    assert lab.sandbox.opened == 0


async def test_ids_that_a_server_uses_again_are_made_new(make_lab: MakeLab) -> None:
    model = RawModel(
        ModelReply(
            content=(
                use("workspace__read", path="docs/a.txt"),
                use("workspace__glob", pattern="*"),
            ),
            stop_reason="tool_use",
        ),
        ModelReply(content=(use("workspace__read", path="docs/a.txt"),), stop_reason="tool_use"),
        says("Done."),
    )
    lab = make_lab(model)
    await lab.say("Go")
    ids = [done.tool_use_id for done in lab.store.of(ToolFinished)]
    assert len(set(ids)) == 3


async def test_a_reply_cut_at_the_limit_does_not_run_its_tools(make_lab: MakeLab) -> None:
    model = RawModel(
        ModelReply(content=(use("workspace__read", path="docs/a.txt"),), stop_reason="max_tokens"),
        says("Long", "max_tokens"),
        says("er."),
    )
    lab = make_lab(model)
    assert (await lab.say("Go")).reason == "done"
    assert lab.results == [("workspace__read", "interrupted", True)]
    assert "cut at the output limit" in str(model.requests[1].messages[-1])
    assert "cut at the output limit" in str(model.requests[2].messages[-1])


async def test_pause_turn_sends_the_reply_back_as_it_is(make_lab: MakeLab) -> None:
    model = RawModel(says("Searching", "pause_turn"), says("Found."))
    lab = make_lab(model)
    assert (await lab.say("Go")).reason == "done"
    assert model.requests[1].messages[-1].role == "assistant"


@pytest.mark.parametrize(
    "stop_reason", ["refusal", "model_context_window_exceeded", "from_the_future"]
)
async def test_other_stop_reasons_fail_the_run_honestly_and_run_nothing(
    stop_reason: str, make_lab: MakeLab
) -> None:
    content = (use("workspace__read", path="docs/a.txt"),)
    model = RawModel(ModelReply(content=content, stop_reason=stop_reason), says("Again."))
    lab = make_lab(model)
    assert (await lab.say("Go")).reason == "failed"
    assert lab.results == [("workspace__read", "interrupted", True)]
    assert (await lab.say("Try again", run="r-2")).reason == "done"
