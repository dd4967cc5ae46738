"""Requests of a machine: shown whole, allowed one by one, parked where nobody answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from deskmate.agent.journal import Journal
from deskmate.agent.policy import later
from deskmate.agent.sending import RequestKeeper, shown_of
from deskmate.agent.world import World
from deskmate.errors import ToolDenied
from deskmate.testing.memory import MemoryBlobs
from deskmate.testing.scripted_model import ScriptedModel
from deskmate.types.events import (
    ApprovalAsked,
    ApprovalGiven,
    ApprovalUsed,
    BaseTaken,
    EgressEnded,
    ModelReplied,
    RunFinished,
    ThreadCreated,
    ToolFinished,
)
from deskmate.types.ids import Digest, ThreadId
from deskmate.types.messages import Text
from deskmate.types.network import Sending
from deskmate.types.policy import VALID_S, WAIT_S

if TYPE_CHECKING:
    from tests.unit.agent.conftest import Lab

    MakeLab = Callable[..., Lab]

pytestmark = pytest.mark.anyio
POST = Sending(method="POST", url="https://api.example.test/x", body=b"all of it")
FILES = BaseTaken(manifest=Digest("0" * 64), files=1, size=5)


async def keeper_of(lab: Lab, *facts: Any) -> RequestKeeper:
    lab.store._add(facts)
    world = World(
        store=lab.store,
        model=lab.model,
        sandbox=lab.sandbox,
        approver=lab.person,
        blobs=MemoryBlobs(),
        clock=lab.clock,
    )
    journal = Journal(lab.store, lambda item: None)
    await journal.load()
    return RequestKeeper(world, journal)


def at(lab: Lab, seconds: float) -> None:
    time = later(type(lab.clock)().now(), seconds)
    lab.clock.now = lambda: time  # type: ignore[method-assign]


async def test_without_data_and_foreign_texts_the_rules_of_the_network_are_enough(
    make_lab: MakeLab,
) -> None:
    keeper = await keeper_of(make_lab(ScriptedModel(["Hm."])))
    assert not keeper.asks("POST", trusted=False)
    await keeper.permit(POST)


async def test_what_a_program_fetched_counts_before_the_conversation_has_seen_it(
    make_lab: MakeLab,
) -> None:
    ended = EgressEnded(request="r-1", status=200, sent=1, received=9)
    keeper = await keeper_of(make_lab(ScriptedModel(["Hm."])), ended)
    assert keeper.asks("POST", trusted=False)
    assert not keeper.asks("GET", trusted=False)


async def test_with_the_users_files_reading_is_asked_about_unless_the_host_is_trusted(
    make_lab: MakeLab,
) -> None:
    keeper = await keeper_of(make_lab(ScriptedModel(["Hm."])), FILES)
    assert keeper.asks("GET", trusted=False)
    assert not keeper.asks("HEAD", trusted=True)
    assert keeper.asks("POST", trusted=True)


async def test_one_yes_is_one_request_and_what_is_shown_is_what_is_sent(make_lab: MakeLab) -> None:
    lab = make_lab(ScriptedModel(["Hm."]))
    keeper = await keeper_of(lab, FILES)
    lab.person.answers = [True]
    await keeper.permit(POST)
    assert lab.person.asked[0][1] == shown_of(POST)
    assert lab.store.of(ApprovalAsked)[0].shown["body"] == "all of it"
    assert len(lab.store.of(ApprovalUsed)) == 1
    with pytest.raises(ToolDenied):
        await keeper.permit(POST)
    assert len(lab.person.asked) == 2


async def test_no_is_no_and_is_in_the_log(make_lab: MakeLab) -> None:
    lab = make_lab(ScriptedModel(["Hm."]))
    keeper = await keeper_of(lab, FILES)
    lab.person.answers = [False]
    with pytest.raises(ToolDenied):
        await keeper.permit(POST)
    assert [given.allow for given in lab.store.of(ApprovalGiven)] == [False]
    assert not lab.store.of(ApprovalUsed)


async def test_an_approval_is_for_exactly_this_request_and_for_a_time(make_lab: MakeLab) -> None:
    lab = make_lab(ScriptedModel(["Hm."]))
    keeper = await keeper_of(lab, FILES)
    with pytest.raises(ToolDenied):
        await keeper.permit(POST)
    lab.person.answers = [True]
    await keeper.ask_again()
    other = Sending(method="POST", url=POST.url, body=b"something else")
    with pytest.raises(ToolDenied):
        await keeper.permit(other)
    at(lab, VALID_S + 1)
    with pytest.raises(ToolDenied):
        await keeper.permit(POST)
    assert not lab.store.of(ApprovalUsed)


async def test_a_question_that_waited_too_long_is_refused(make_lab: MakeLab) -> None:
    lab = make_lab(ScriptedModel(["Hm."]))
    keeper = await keeper_of(lab, FILES)
    with pytest.raises(ToolDenied):
        await keeper.permit(POST)
    lab.person.answers = [True]
    at(lab, WAIT_S + 1)
    await keeper.ask_again()
    assert [(given.allow, given.by) for given in lab.store.of(ApprovalGiven)] == [
        (False, "deadline")
    ]
    assert len(lab.person.asked) == 1


async def test_what_nobody_can_see_does_not_leave_a_thread_with_files(make_lab: MakeLab) -> None:
    lab = make_lab(ScriptedModel(["Hm."]))
    keeper = await keeper_of(lab, FILES)
    lab.person.answers = [True]
    with pytest.raises(ToolDenied, match="nobody could see"):
        await keeper.permit(Sending(method="CONNECT", url="x.example.test:443", body=None))
    assert not lab.person.asked


class Sends:
    """In place of a broker: asks for leave to send while a tool runs."""

    trust = ""
    stand_ins: dict[str, dict[str, str]] = {}  # noqa: RUF012

    def __init__(self, record: Any, keeper: Any) -> None:
        self.keeper = keeper

    async def record(self, sending: Sending) -> None:
        try:
            await self.keeper.permit(sending)
        except ToolDenied:
            return

    async def serve(self, port: Any) -> None:
        return


async def test_a_run_whose_request_waits_needs_you_and_goes_on_when_it_is_allowed(
    make_lab: MakeLab,
) -> None:
    model = ScriptedModel([(("lab__memo", {}),), "It could not be sent.", "Sent now."])
    lab = make_lab(model)
    lab.egress = Sends
    lab.sandbox.requests = [POST]  # type: ignore[list-item]
    ended = await lab.say("Send it.")
    assert ended.reason == "needs_you"
    assert "POST https://api.example.test/x" in ended.text
    # unanswered, it waits on: nothing is ever called done
    assert (await lab.resume()).reason == "needs_you"
    lab.person.answers = [True]
    ended = await lab.resume()
    assert ended.reason == "done"
    told = model.requests[-1].messages[-1].content
    assert any(
        isinstance(block, Text) and "allowed the request POST" in block.text for block in told
    )
    assert lab.store.of(ModelReplied)[-1].content == (Text(text="Sent now."),)


async def test_results_say_who_may_have_written_them(make_lab: MakeLab) -> None:
    lab = make_lab(ScriptedModel([(("lab__memo", {}),), "Done."]))
    await lab.say("Go")
    assert [done.untrusted for done in lab.store.of(ToolFinished)] == [True]
    bare = make_lab(ScriptedModel([(("lab__memo", {}),), "Done."]), files={})
    bare.store._add((ThreadCreated(thread=ThreadId("t-test"), title="T", version="0"),))
    await bare.say("Go")
    assert [done.untrusted for done in bare.store.of(ToolFinished)] == [False]


async def test_an_approval_for_a_call_expires_and_is_then_asked_for_again(
    make_lab: MakeLab,
) -> None:
    lab = make_lab(ScriptedModel([(("lab__send", {"to": "a"}),), "Done."]))
    await lab.say("Send")
    at(lab, WAIT_S + 1)
    lab.person.answers = [True]
    assert (await lab.resume()).reason == "done"
    assert [given.by for given in lab.store.of(ApprovalGiven)] == ["deadline"]
    assert lab.store.of(RunFinished)[0].reason == "needs_you"
    assert lab.sandbox.calls == []
