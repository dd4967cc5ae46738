"""The driver when machines die, models fail, and limits are reached or the user stops it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from deskmate.errors import (
    ModelRejected,
    ModelUnavailable,
    SandboxMissing,
    SandboxUnavailable,
    StorageFailed,
)
from deskmate.ports import ModelReply, ModelRequest, ToolOutcome
from deskmate.testing.scripted_model import ScriptedModel
from deskmate.types.events import (
    ChangesStaged,
    ModelFailed,
    ModelReplied,
    Refused,
    RunFinished,
    SandboxOpened,
    ToolFinished,
    ToolStarted,
)
from deskmate.types.limits import Limits
from deskmate.types.registry import ToolSpec

if TYPE_CHECKING:
    from tests.unit.agent.conftest import Lab

    MakeLab = Callable[..., Lab]

pytestmark = pytest.mark.anyio

WRITE = ("workspace__write", {"path": "docs/b.txt", "content": "beta"})
READ = ("workspace__read", {"path": "docs/a.txt"})


class BadModel(ScriptedModel):
    """Raises what it is given, then follows its script."""

    def __init__(self, lines: Any, *errors: Exception) -> None:
        super().__init__(lines)
        self.errors = list(errors)

    async def reply(self, request: ModelRequest, on_text: Callable[[str], None]) -> ModelReply:
        if self.errors:
            raise self.errors.pop(0)
        return await super().reply(request, on_text)


@pytest.mark.parametrize("how", ["kill_before", "kill_after"])
async def test_a_call_that_kills_the_machine_is_run_again_on_a_restored_one(
    how: str, make_lab: MakeLab
) -> None:
    lab = make_lab(ScriptedModel([(WRITE,), (("lab__memo", {}),), "Done."]))
    getattr(lab.sandbox, how).append("lab__memo")
    ended = await lab.say("Go")
    assert ended.reason == "done"
    assert lab.sandbox.opened == 2
    assert len(lab.store.of(SandboxOpened)) == 2
    assert lab.results == [("workspace__write", "ok", False), ("lab__memo", "ok", False)]
    assert lab.store.of(ChangesStaged)[0].created == 2


async def test_a_lost_answer_of_a_living_machine_comes_from_its_ledger(make_lab: MakeLab) -> None:
    lab = make_lab(ScriptedModel([(("lab__memo", {}),), "Done."]))
    lab.sandbox.lose_answer.append("lab__memo")
    assert (await lab.say("Go")).reason == "done"
    assert lab.sandbox.opened == 1
    assert len(lab.sandbox.calls) == 1, "the ledger knew it, so it was not called again"


async def test_a_tool_that_always_kills_its_machine_is_given_up(make_lab: MakeLab) -> None:
    lab = make_lab(ScriptedModel([(("lab__memo", {}), READ), "It does not work."]))
    lab.sandbox.kill_before = ["lab__memo"] * 20
    ended = await lab.say("Go")
    assert ended.reason == "done"
    assert lab.results == [
        ("lab__memo", "interrupted", True),
        ("workspace__read", "ok", False),
    ]
    assert lab.sandbox.opened <= 5


async def test_a_living_machine_that_loses_every_answer_is_dropped(make_lab: MakeLab) -> None:
    lab = make_lab(ScriptedModel([(("lab__memo", {}),), "No."]))
    lab.sandbox.forget = True
    lab.sandbox.lose_answer = ["lab__memo"] * 30
    assert (await lab.say("Go")).reason == "done"
    assert lab.sandbox.opened <= 5
    assert lab.store.of(ToolFinished)[0].outcome == "interrupted"


async def test_a_machine_that_does_not_start_is_tried_again(make_lab: MakeLab) -> None:
    lab = make_lab(ScriptedModel([(READ,), "Done."]))
    lab.sandbox.refuse_open = [SandboxUnavailable("boot hung")]
    assert (await lab.say("Go")).reason == "done"
    assert lab.results == [("workspace__read", "ok", False)]


async def test_a_machine_that_never_starts_gives_error_results(make_lab: MakeLab) -> None:
    lab = make_lab(ScriptedModel([(READ, WRITE), "No machine."]))
    lab.sandbox.refuse_open = [SandboxUnavailable("boot hung")] * 20
    assert (await lab.say("Go")).reason == "done"
    assert {outcome for _, outcome, _ in lab.results} == {"error"}
    assert "does not start" in lab.store.of(ToolFinished)[0].text


async def test_without_a_machine_tools_are_off_and_the_run_says_so(make_lab: MakeLab) -> None:
    lab = make_lab(ScriptedModel([(READ, WRITE), (READ,), "Tools are off."]))
    lab.sandbox.refuse_open = [SandboxMissing("No QEMU.", hint="Install it.")] * 9
    ended = await lab.say("Go")
    assert ended.reason == "failed"
    assert [refused.why for refused in lab.store.of(Refused)] == ["No QEMU. Install it."]
    assert ended.text.startswith("Tools were off")
    assert [d.text for d in lab.store.of(ToolFinished)] == [
        "Tools are off: No QEMU. Install it."
    ] * 3


async def test_known_tools_off_offers_no_tools_and_tells_the_model(make_lab: MakeLab) -> None:
    model = ScriptedModel([(READ,), "I cannot."])
    lab = make_lab(model, tools_off="No QEMU.")
    await lab.say("Go")
    assert {tool.plugin for tool in model.requests[0].tools} == {"thread"}
    assert "Tools are off: No QEMU." in model.requests[0].system[-1]
    assert lab.store.of(Refused)
    assert lab.results == [("workspace__read", "error", True)]
    assert lab.sandbox.opened == 0


async def test_recovery_without_a_machine_closes_the_use(
    make_lab: MakeLab, crash: type[BaseException]
) -> None:
    lab = make_lab(ScriptedModel([(WRITE,), "Hm."]))
    lab.store.die_at = 8
    with pytest.raises(crash):
        await lab.say("Go")
    assert isinstance(lab.store.payloads[-1], ToolStarted)
    lab.store.die_at = None
    lab.sandbox.refuse_open = [SandboxMissing("Gone.")] * 5
    assert (await lab.resume()).reason == "failed"
    assert lab.results == [("workspace__write", "error", True)]


async def test_a_dead_machine_at_the_end_still_stages_the_last_checkpoint(
    make_lab: MakeLab,
) -> None:
    class Killer(ScriptedModel):
        async def reply(self, request: ModelRequest, on_text: Callable[[str], None]) -> ModelReply:
            reply = await super().reply(request, on_text)
            if reply.stop_reason == "end_turn":
                lab.sandbox.machines[-1].close()
            return reply

    lab = make_lab(Killer([(WRITE,), "Done."]))
    assert (await lab.say("Go")).reason == "done"
    assert lab.store.of(ChangesStaged)[0].created == 1


async def test_an_overloaded_model_is_asked_again_after_the_wait_it_wants(
    make_lab: MakeLab,
) -> None:
    model = BadModel(["Hi."], ModelUnavailable("busy", retry_after_s=7), ModelUnavailable("busy"))
    lab = make_lab(model)
    assert (await lab.say("Hi")).reason == "done"
    assert [failed.retryable for failed in lab.store.of(ModelFailed)] == [True, True]
    assert lab.clock.slept[0] >= 7
    assert lab.clock.slept[1] < 7


async def test_an_absurd_wait_is_bounded(make_lab: MakeLab) -> None:
    lab = make_lab(BadModel(["Hi."], ModelUnavailable("busy", retry_after_s=1e9)))
    await lab.say("Hi")
    assert lab.clock.slept == [60.0]


async def test_a_model_that_stays_away_fails_the_run_which_can_go_on_later(
    make_lab: MakeLab,
) -> None:
    model = BadModel(["Hi."], *[ModelUnavailable("busy")] * 6)
    lab = make_lab(model)
    ended = await lab.say("Hi")
    assert (ended.reason, "6 attempts" in ended.text) == ("failed", True)
    assert (await lab.resume()).reason == "done"


async def test_a_refused_request_fails_at_once_with_the_reason(make_lab: MakeLab) -> None:
    lab = make_lab(BadModel(["Hi."], ModelRejected("Wrong key.", hint="Check it.", status=401)))
    ended = await lab.say("Hi")
    assert (ended.reason, ended.text) == ("failed", "Wrong key. Check it.")
    assert lab.clock.slept == []


async def test_stopping_gives_every_use_a_result_and_the_run_can_go_on(make_lab: MakeLab) -> None:
    async def forever(tree: Any, arguments: Mapping[str, Any]) -> ToolOutcome:
        await anyio.sleep_forever()
        raise AssertionError

    slow = ToolSpec(
        plugin="slow",
        name="slow__wait",
        title="Wait",
        description="Waits.",
        input_schema={"type": "object"},
        risk="write",
        timeout_s=600,
    )
    lab = make_lab(ScriptedModel([(("slow__wait", {}), WRITE), "Went on."]))
    lab.sandbox.inner._plugins["lab"].tools["lab__wait"] = (  # type: ignore[index]
        replace(slow, plugin="lab", name="lab__wait"),
        forever,
    )
    lab.model._lines = ((("lab__wait", {}), WRITE), "Went on.")  # type: ignore[attr-defined]
    with anyio.move_on_after(0.2) as scope:
        await lab.say("Go")
    assert scope.cancelled_caught
    assert lab.results == [
        ("lab__wait", "interrupted", True),
        ("workspace__write", "interrupted", True),
    ]
    assert lab.store.of(RunFinished)[0].reason == "stopped"
    assert (await lab.resume()).reason == "done"


async def test_a_result_that_was_stored_when_the_stop_came_is_the_only_one(
    make_lab: MakeLab,
) -> None:
    lab = make_lab(ScriptedModel([(WRITE,), "Went on."]))
    append = lab.store.append

    async def late(*payloads: Any) -> Any:
        """Tell of the first stored result too late: the task was cancelled meanwhile."""
        first = not lab.results
        stored = await append(*payloads)
        if first and lab.results:
            await anyio.sleep_forever()
        return stored

    lab.store.append = late  # type: ignore[method-assign]
    with anyio.move_on_after(0.2) as scope:
        await lab.say("Go")
    assert scope.cancelled_caught
    assert [outcome for _, outcome, _ in lab.results] == ["ok"]
    assert (await lab.resume()).reason == "done"


@pytest.mark.parametrize("place", range(1, 9))
async def test_a_store_of_content_that_fails_leaves_calls_open_and_they_are_made_again(
    make_lab: MakeLab, place: int
) -> None:
    lab = make_lab(ScriptedModel([(WRITE, READ), "Done."]))
    put, puts = lab.blobs.put, 0

    def failing(content: Any) -> Any:
        nonlocal puts
        puts += 1
        if puts == place:
            raise StorageFailed("The disk is full.")
        return put(content)

    lab.blobs.put = failing  # type: ignore[method-assign]
    try:
        await lab.say("Go")
        assert puts < place
    except StorageFailed:
        assert lab.store.of(RunFinished) == []
        await lab.resume()
    assert lab.store.of(RunFinished)[-1].reason == "done"
    assert lab.results == [("workspace__write", "ok", False), ("workspace__read", "ok", False)]


async def test_a_run_ends_when_its_seconds_are_over(make_lab: MakeLab) -> None:
    class Slow(ScriptedModel):
        async def reply(self, request: ModelRequest, on_text: Callable[[str], None]) -> ModelReply:
            await anyio.sleep_forever()
            raise AssertionError

    lab = make_lab(Slow(["x"]))
    ended = await lab.say("Go", limits=Limits(seconds=0.1))
    assert ended.reason == "over_budget"


async def test_a_run_ends_when_its_turns_are_used(make_lab: MakeLab) -> None:
    lab = make_lab(ScriptedModel([(READ,)]))
    ended = await lab.say("Go", limits=Limits(max_turns=3))
    assert (ended.reason, len(lab.store.of(ModelReplied))) == ("over_budget", 3)


async def test_a_budget_is_kept_before_the_call(make_lab: MakeLab) -> None:
    class Dear(ScriptedModel):
        def estimate_cost_usd(self, request: ModelRequest) -> float | None:
            return 0.01 + request.max_tokens * 0.00001

    lab = make_lab(Dear(["Hi."]))
    assert (await lab.say("Go", limits=Limits(cost_usd=0.015))).reason == "over_budget"
    assert lab.model.requests == []  # type: ignore[attr-defined]
    lab = make_lab(Dear(["Hi."]))
    assert (await lab.say("Go", limits=Limits(cost_usd=0.05))).reason == "done"
    assert 1000 < lab.model.requests[0].max_tokens < 16000  # type: ignore[attr-defined]
