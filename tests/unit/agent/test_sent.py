"""A tool in flight at a crash is run again only if nothing that may have changed something was sent meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from deskmate.agent.loop import RecoverTools, decide
from deskmate.agent.state import fold
from deskmate.ports import Record
from deskmate.testing.scripted_model import ScriptedModel
from deskmate.types.events import (
    EgressAsked,
    EgressEnded,
    ModelReplied,
    Payload,
    RunFinished,
    SandboxOpened,
    ToolFinished,
    ToolStarted,
    UserSaid,
)
from deskmate.types.ids import Digest, RunId, ToolUseId
from deskmate.types.messages import ToolUse

if TYPE_CHECKING:
    from tests.unit.agent.conftest import Lab

    MakeLab = Callable[..., Lab]

pytestmark = pytest.mark.anyio
MEMO = ToolUse(id=ToolUseId("u1"), name="lab__memo", input={"text": "x"})
BEFORE: tuple[Payload, ...] = (
    UserSaid(run=RunId("r-1"), text="Go", model="scripted"),
    ModelReplied(turn=1, model="scripted", content=(MEMO,), stop_reason="tool_use"),
    SandboxOpened(machine="m-1", template=Digest("f" * 64), isolation="none"),
)
STARTED = ToolStarted(tool_use_id=MEMO.id, tool=MEMO.name, key="t-test:u1")


class Recording:
    """In place of a broker: keeps what facts are stored by."""

    trust = ""
    stand_ins: dict[str, dict[str, str]] = {}  # noqa: RUF012

    def __init__(self, record: Record, keeper: object) -> None:
        self.record = record

    async def serve(self, port: Any) -> None:
        return


def asked(method: str, *, allowed: bool = True) -> EgressAsked:
    return EgressAsked(
        request="e-1",
        method=method,
        host="api.example.test",
        port=443,
        path="/",
        allowed=allowed,
        why="",
    )


def lab_after(make_lab: MakeLab, *payloads: Payload) -> Lab:
    lab = make_lab(ScriptedModel(["Done."]))
    lab.egress = Recording
    lab.store._add((*BEFORE, *payloads))
    return lab


async def resumed(lab: Lab) -> ToolFinished:
    await (await lab.driver()).run()
    finished: ToolFinished = lab.store.of(ToolFinished)[0]
    assert lab.store.of(RunFinished)
    return finished


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "CONNECT"])
async def test_after_a_crash_a_tool_that_sent_something_is_unknown_and_not_run_again(
    make_lab: MakeLab, method: str
) -> None:
    lab = lab_after(make_lab, STARTED, asked(method))
    finished = await resumed(lab)
    assert finished.outcome == "unknown"
    assert finished.synthetic
    assert "not repeated" in finished.text
    assert lab.sandbox.calls == []
    assert lab.sandbox.opened == 0


@pytest.mark.parametrize(
    "facts",
    [
        (),
        (asked("GET"), asked("HEAD")),
        (asked("POST", allowed=False), asked("CONNECT", allowed=False)),
    ],
)
async def test_after_a_crash_a_tool_that_only_read_or_was_refused_is_run_again(
    make_lab: MakeLab, facts: tuple[Payload, ...]
) -> None:
    lab = lab_after(make_lab, STARTED, *facts)
    assert (await resumed(lab)).outcome == "ok"
    assert [tool for tool, _ in lab.sandbox.calls] == ["lab__memo"]


async def test_what_was_sent_before_the_tool_began_does_not_count(make_lab: MakeLab) -> None:
    ended = EgressEnded(request="e-1", status=200, sent=1, received=1)
    lab = lab_after(make_lab, asked("POST"), ended, STARTED)
    assert (await resumed(lab)).outcome == "ok"


def test_of_tools_that_run_together_each_may_have_sent_it() -> None:
    from tests.unit.agent.conftest import log

    other = ToolUse(id=ToolUseId("u2"), name="workspace__read", input={})
    third = ToolUse(id=ToolUseId("u3"), name="workspace__read", input={})
    reply = ModelReplied(
        turn=1, model="scripted", content=(MEMO, other, third), stop_reason="tool_use"
    )
    second = ToolStarted(tool_use_id=other.id, tool=other.name, key="t-test:u2")
    done = ToolFinished(tool_use_id=other.id, tool=other.name, outcome="ok", text="")
    events = log(BEFORE[0], reply, STARTED, second, asked("POST"), done)
    state = fold(events)
    assert [use.sent for use in state.uses] == [True, True, False]
    assert isinstance(decide(events), RecoverTools)


async def test_a_machine_that_dies_after_something_was_sent_is_not_asked_again(
    make_lab: MakeLab,
) -> None:
    lab = make_lab(ScriptedModel([(("lab__memo", {"text": "x"}),), "Done."]))
    lab.egress = Recording
    lab.sandbox.requests = [asked("POST")]
    lab.sandbox.kill_after = ["lab__memo"]
    await lab.say("Go")
    assert [payload.outcome for payload in lab.store.of(ToolFinished)] == ["unknown"]
    assert [tool for tool, _ in lab.sandbox.calls] == ["lab__memo"]


async def test_a_machine_that_dies_after_reading_runs_the_tool_again(make_lab: MakeLab) -> None:
    lab = make_lab(ScriptedModel([(("lab__memo", {"text": "x"}),), "Done."]))
    lab.egress = Recording
    lab.sandbox.requests = [asked("GET")]
    lab.sandbox.kill_after = ["lab__memo"]
    await lab.say("Go")
    assert [payload.outcome for payload in lab.store.of(ToolFinished)] == ["ok"]
    assert [tool for tool, _ in lab.sandbox.calls] == ["lab__memo", "lab__memo"]


async def test_the_ledger_of_a_living_machine_still_knows_the_answer(make_lab: MakeLab) -> None:
    lab = make_lab(ScriptedModel([(("lab__memo", {"text": "x"}),), "Done."]))
    lab.egress = Recording
    lab.sandbox.requests = [asked("POST")]
    lab.sandbox.lose_answer = ["lab__memo"]
    await lab.say("Go")
    assert [payload.outcome for payload in lab.store.of(ToolFinished)] == ["ok"]
    assert len(lab.sandbox.calls) == 1


async def test_a_living_machine_that_forgot_the_call_is_not_asked_to_run_it_again(
    make_lab: MakeLab,
) -> None:
    lab = make_lab(ScriptedModel([(("lab__memo", {"text": "x"}),), "Done."]))
    lab.egress = Recording
    lab.sandbox.requests = [asked("POST")]
    lab.sandbox.lose_answer = ["lab__memo"]
    lab.sandbox.forget = True
    await lab.say("Go")
    assert [payload.outcome for payload in lab.store.of(ToolFinished)] == ["unknown"]
    assert len(lab.sandbox.calls) == 1


async def test_a_new_request_of_the_user_closes_what_was_sent_as_unknown(make_lab: MakeLab) -> None:
    lab = lab_after(make_lab, STARTED, asked("POST"))
    await lab.say("Something else")
    finished = lab.store.of(ToolFinished)[0]
    assert finished.outcome == "unknown"
    assert lab.sandbox.calls == []
