"""The driver when machines die, models fail, people are away or stop it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from deskmate.errors import (
    ConfigError,
    CorruptData,
    ModelRejected,
    ModelUnavailable,
    OutcomeUnknown,
    ProtocolError,
    SandboxMissing,
    SandboxUnavailable,
)
from deskmate.ports import Delta, ModelReply, ModelRequest, ToolOutcome
from deskmate.testing.fake_sandbox import FakePlugin
from deskmate.testing.scripted_model import ScriptedModel
from deskmate.types.events import (
    ApprovalAsked,
    BaseTaken,
    ChangesStaged,
    CheckpointMade,
    ModelFailed,
    ModelReplied,
    Refused,
    RunFinished,
    SandboxOpened,
    ToolFinished,
    ToolStarted,
    Validated,
)
from deskmate.types.ids import ToolUseId
from deskmate.types.limits import Limits
from deskmate.types.messages import NOTE, Text, ToolResult, ToolUse
from deskmate.types.policy import Rule, Rules
from deskmate.types.registry import RuleSpec, ToolSpec

if TYPE_CHECKING:
    from tests.unit.agent.conftest import Lab

    MakeLab = Callable[..., Lab]

pytestmark = pytest.mark.anyio

WRITE = ("workspace__write", {"path": "docs/b.txt", "content": "beta"})
READ = ("workspace__read", {"path": "docs/a.txt"})


def results(lab: Lab) -> list[tuple[str, str, bool]]:
    return [(done.tool, done.outcome, done.synthetic) for done in lab.store.of(ToolFinished)]


class BadModel(ScriptedModel):
    """Raises what it is given, then follows its script."""

    def __init__(self, lines: Any, *errors: Exception) -> None:
        super().__init__(lines)
        self.errors = list(errors)

    async def reply(self, request: ModelRequest, on_text: Callable[[str], None]) -> ModelReply:
        if self.errors:
            raise self.errors.pop(0)
        return await super().reply(request, on_text)


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
    assert results(lab) == [("workspace__write", "ok", False), ("lab__memo", "ok", False)]
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
    assert results(lab) == [
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
    assert results(lab) == [("workspace__read", "ok", False)]


async def test_a_machine_that_never_starts_gives_error_results(make_lab: MakeLab) -> None:
    lab = make_lab(ScriptedModel([(READ, WRITE), "No machine."]))
    lab.sandbox.refuse_open = [SandboxUnavailable("boot hung")] * 20
    assert (await lab.say("Go")).reason == "done"
    assert {outcome for _, outcome, _ in results(lab)} == {"error"}
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
    assert model.requests[0].tools == ()
    assert "Tools are off: No QEMU." in model.requests[0].system[-1]
    assert lab.store.of(Refused)
    assert results(lab) == [("workspace__read", "error", True)]
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
    assert results(lab) == [("workspace__write", "error", True)]


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
    assert results(lab) == [
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
        first = not results(lab)
        stored = await append(*payloads)
        if first and results(lab):
            await anyio.sleep_forever()
        return stored

    lab.store.append = late  # type: ignore[method-assign]
    with anyio.move_on_after(0.2) as scope:
        await lab.say("Go")
    assert scope.cancelled_caught
    assert [outcome for _, outcome, _ in results(lab)] == ["ok"]
    assert (await lab.resume()).reason == "done"


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


async def test_sending_asks_the_person_and_runs_after_a_yes(make_lab: MakeLab) -> None:
    lab = make_lab(ScriptedModel([(("lab__send", {"to": "x"}),), "Sent."]))
    lab.person.answers = [True]
    assert (await lab.say("Go")).reason == "done"
    assert lab.person.asked[0][0] == "lab__send"
    assert results(lab) == [("lab__send", "ok", False)]


async def test_a_no_is_told_to_the_model(make_lab: MakeLab) -> None:
    lab = make_lab(ScriptedModel([(("lab__send", {"to": "x"}),), "Not sent."]))
    lab.person.answers = [False]
    await lab.say("Go")
    assert results(lab) == [("lab__send", "denied", True)]
    assert lab.sandbox.calls == []


async def test_with_nobody_there_the_run_parks_while_other_work_goes_on(make_lab: MakeLab) -> None:
    lab = make_lab(ScriptedModel([(("lab__send", {}), WRITE), "Sent."]))
    ended = await lab.say("Go")
    assert ended.reason == "needs_you"
    assert results(lab) == [("workspace__write", "ok", False)]
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
    assert results(lab) == [("lab__send", "interrupted", True)]
    assert isinstance(model.requests[-1].messages[-1].content[0], ToolResult)


async def test_unknown_tools_bad_arguments_and_denied_tools_are_told_to_the_model(
    make_lab: MakeLab,
) -> None:
    lab = make_lab(
        ScriptedModel([(("lab__nothing", {}), ("workspace__read", {}), ("lab__memo", {})), "Hm."]),
        rules=Rules(rules=(Rule(decision="deny", tool="lab__memo"),)),
    )
    await lab.say("Go")
    assert [outcome for _, outcome, _ in results(lab)] == ["error", "error", "denied"]
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
    assert results(lab) == [("workspace__read", "interrupted", True)]
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
    assert results(lab) == [("workspace__read", "interrupted", True)]
    assert (await lab.say("Try again", run="r-2")).reason == "done"


async def test_deliverables_that_stay_wrong_are_rejected_after_the_repairs(
    make_lab: MakeLab,
) -> None:
    lab = make_lab(ScriptedModel([(("lab__memo", {"text": "TODO"}),), "Here."] * 9))
    ended = await lab.say("Go", limits=Limits(max_repairs=2))
    assert ended.reason == "rejected"
    assert [v.passed for v in lab.store.of(Validated)] == [False] * 3
    assert lab.sandbox.clean_rooms == 1, "the same inputs are not checked twice"


async def test_a_model_that_repairs_nothing_is_rejected_at_once(make_lab: MakeLab) -> None:
    lab = make_lab(ScriptedModel([(("lab__memo", {"text": "TODO"}),), "Here.", "I cannot."]))
    assert (await lab.say("Go")).reason == "rejected"
    assert len(lab.store.of(Validated)) == 1


async def test_a_deliverable_without_a_file_is_an_error(make_lab: MakeLab) -> None:
    lab = make_lab(ScriptedModel([(("lab__present", {"path": "docs/x.md"}),), "Here.", "Hm."]))
    assert (await lab.say("Go")).reason == "rejected"
    assert lab.store.of(Validated)[0].findings[0].rule == "G-PRESENT"


async def test_an_original_can_be_presented_and_is_checked(make_lab: MakeLab) -> None:
    lab = make_lab(ScriptedModel([(("lab__present", {"path": "docs/a.txt"}),), "Here."]))
    assert (await lab.say("Go")).reason == "done"
    assert lab.store.of(Validated)[0].passed


@pytest.mark.parametrize(
    ("errors", "reason"),
    [
        ([SandboxUnavailable("x")], "done"),
        ([SandboxUnavailable("x"), ProtocolError("y")], "rejected"),
        ([SandboxMissing("z")], "rejected"),
    ],
)
async def test_a_clean_room_that_fails_is_tried_again_and_then_fails_closed(
    errors: list[Exception], reason: str, make_lab: MakeLab
) -> None:
    lab = make_lab(ScriptedModel([(("lab__memo", {}),), "Here.", "Hm."]))
    lab.sandbox.refuse_clean_room = list(errors)
    assert (await lab.say("Go")).reason == reason


async def test_a_rule_that_did_not_run_fails_closed(make_lab: MakeLab) -> None:
    lab = make_lab(ScriptedModel([(("lab__memo", {}),), "Here.", "Hm."]))
    plugin = lab.sandbox.inner._plugins["lab"]
    ghost = RuleSpec(plugin="ghost", rule="T-GHOST", title="Never runs.")
    other = RuleSpec(plugin="ghost", rule="T-OTHER", title="Other role.", roles=("redline",))
    lab.extra_rules = (ghost, other)
    assert isinstance(plugin, FakePlugin)
    assert (await lab.say("Go")).reason == "rejected"
    assert "T-GHOST" in lab.store.of(Validated)[0].findings[0].message
    assert len(lab.store.of(Validated)[0].findings) == 1


async def test_a_long_result_is_cut_and_kept_whole_in_a_blob(make_lab: MakeLab) -> None:
    lab = make_lab(ScriptedModel([(READ,), "Ok."]), files={"docs/a.txt": b"\xc3\xa9" * 5000})
    await lab.say("Go", limits=Limits(max_result_bytes=101))
    (done,) = lab.store.of(ToolFinished)
    assert done.text.startswith("é" * 50 + "\n[cut")
    assert lab.blobs.read(done.full) == b"\xc3\xa9" * 5000


async def test_the_rules_only_model_gets_whole_json_results(make_lab: MakeLab) -> None:
    class Offline(ScriptedModel):
        @property
        def name(self) -> str:
            return "offline"

    lab = make_lab(Offline([(("workspace__glob", {"pattern": "*"}),), "Ok."]))
    await lab.say("Go", limits=Limits(max_result_bytes=5))
    assert lab.store.of(ToolFinished)[0].text == '["docs/a.txt"]'


async def test_a_later_run_starts_from_the_folders_as_they_are_then(make_lab: MakeLab) -> None:
    lab = make_lab(ScriptedModel([(READ,), "Read.", (READ,), "Read."]))
    await lab.say("Go")
    lab.files["docs/a.txt"] = b"changed"
    await lab.say("Again", run="r-2")
    assert [done.text for done in lab.store.of(ToolFinished)] == ["alpha", "changed"]
    assert len(lab.store.of(BaseTaken)) == 2


async def test_unapplied_work_is_there_in_the_next_run_and_gone_after_apply(
    make_lab: MakeLab,
) -> None:
    look = ("workspace__glob", {"pattern": "docs/*"})
    lab = make_lab(ScriptedModel([(WRITE,), "One.", (look,), "Two.", (look,), "Three."]))
    await lab.say("Go")
    await lab.say("Again", run="r-2")
    assert "docs/b.txt" in lab.store.of(ToolFinished)[-1].text
    assert len(lab.store.of(BaseTaken)) == 1
    await lab.apply("docs/b.txt")
    await lab.say("Once more", run="r-3")
    assert "docs/b.txt" not in lab.store.of(ToolFinished)[-1].text
    assert len(lab.store.of(BaseTaken)) == 2


async def test_new_folders_keep_the_originals_of_changed_files(make_lab: MakeLab) -> None:
    from deskmate.changes.review import read_difference
    from deskmate.types.events import GrantsSet
    from deskmate.types.files import Grant

    change = ("workspace__write", {"path": "docs/a.txt", "content": "mine"})
    lab = make_lab(ScriptedModel([(change,), "One.", (WRITE,), "Two."]))
    await lab.say("Go")
    grants = (Grant(name="docs", folder="/d"), Grant(name="more", folder="/m"))
    await lab.store.append(GrantsSet(grants=grants))
    lab.files["docs/a.txt"] = b"the user's own change"
    await lab.say("Again", run="r-2")
    difference = read_difference(lab.store.of(ChangesStaged)[-1].difference, lab.blobs)
    before = next(c.before for c in difference.changes if c.path == "docs/a.txt")
    assert before is not None
    assert before.sha256 is not None
    assert lab.blobs.read(before.sha256) == b"alpha", "so that apply sees the conflict"


async def test_folders_that_cannot_be_read_fail_the_run_with_the_reason(make_lab: MakeLab) -> None:
    lab = make_lab(ScriptedModel([(READ,), "Ok."]))

    def broken() -> Any:
        raise ConfigError("The folder docs is gone.", hint="Grant another.")

    lab.take_base = broken  # type: ignore[method-assign]
    ended = await lab.say("Go")
    assert (ended.reason, ended.text) == ("failed", "The folder docs is gone. Grant another.")
    assert results(lab) == [("workspace__read", "interrupted", True)]


async def test_a_damaged_checkpoint_stops_without_writing_more(make_lab: MakeLab) -> None:
    lab = make_lab(ScriptedModel([(WRITE,), "One.", (READ,), "Two."]))
    await lab.say("Go")
    (made,) = lab.store.of(CheckpointMade)
    lab.blobs.content[made.manifest] = b"not json"
    with pytest.raises(CorruptData):
        await lab.say("Again", run="r-2")


async def test_there_is_nothing_to_go_on_with_after_a_finished_run(make_lab: MakeLab) -> None:
    lab = make_lab(ScriptedModel(["Hi."]))
    assert await lab.resume() is None
    await lab.say("Hi")
    assert await lab.resume() is None


async def test_the_observer_hears_every_event_and_the_text_as_it_streams(
    make_lab: MakeLab,
) -> None:
    lab = make_lab(ScriptedModel([(WRITE,), "Done."]))
    await lab.say("Go")
    heard = [item for item in lab.seen if not isinstance(item, Delta)]
    assert heard == lab.store.stored[2:]
    assert Delta(kind="text", text="Done.") in lab.seen


async def test_a_connector_is_asked_about_and_its_lost_answer_is_unknown(
    make_lab: MakeLab,
) -> None:
    class Mail:
        async def tools(self) -> tuple[ToolSpec, ...]:
            return ()

        async def call(self, tool: str, arguments: Mapping[str, Any]) -> ToolOutcome:
            if tool == "mail__lost":
                raise OutcomeUnknown("The line dropped.")
            return ToolOutcome(text="inbox")

    read = ToolSpec(
        plugin="mail", name="mail__list", title="", description="", input_schema={}, risk="read"
    )
    lost = replace(read, name="mail__lost", risk="write")
    lab = make_lab(
        ScriptedModel([(("mail__list", {}), ("mail__lost", {})), "Ok."]),
        connectors={"mail": Mail()},
        extra_tools=(read, lost),
    )
    lab.person.answers = [True]
    assert (await lab.say("Go")).reason == "done"
    assert results(lab) == [("mail__list", "ok", False), ("mail__lost", "unknown", True)]
    assert lab.sandbox.opened == 0


async def test_tokens_are_counted_over_the_run(make_lab: MakeLab) -> None:
    lab = make_lab(ScriptedModel([(READ,)]))
    ended = await lab.say("Go", limits=Limits(max_tokens=40))
    assert (ended.reason, len(lab.store.of(ModelReplied))) == ("over_budget", 3)


async def test_notes_of_the_program_are_marked(make_lab: MakeLab) -> None:
    model = ScriptedModel(["Hi."])
    lab = make_lab(model)
    await lab.say("Hello")
    first, second = model.requests[0].messages[0].content
    assert isinstance(first, Text)
    assert first.text.startswith(NOTE)
    assert second == Text(text="Hello")
