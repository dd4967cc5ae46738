"""The decision: what happened so far → what is next. No ports, no doubles."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from deskmate.agent.loop import (
    MAX_ATTEMPTS,
    MAX_CUTS,
    AskApproval,
    CallModel,
    CloseTools,
    Compact,
    Finish,
    Idle,
    RecoverTools,
    RunTools,
    Stage,
    Validate,
    decide,
)
from deskmate.types.events import (
    ApplyFinished,
    ApprovalAsked,
    ApprovalGiven,
    ChangesDiscarded,
    ChangesStaged,
    CheckpointMade,
    Compacted,
    Event,
    ModelAsked,
    ModelFailed,
    ModelReplied,
    Payload,
    RunFinished,
    RunResumed,
    SandboxOpened,
    ThreadCreated,
    ToolFinished,
    ToolStarted,
    UserSaid,
    Validated,
)
from deskmate.types.files import Deliverable
from deskmate.types.findings import Finding
from deskmate.types.ids import Digest, RunId, ThreadId, ToolUseId
from deskmate.types.limits import Limits, Usage
from deskmate.types.messages import Block, Text, ToolUse

MakeLog = Callable[..., tuple[Event, ...]]

RUN = RunId("r-1")
NONE = Digest("0" * 64)
CREATED = ThreadCreated(thread=ThreadId("t-1"), title="T", version="0")
SAID = UserSaid(run=RUN, text="Go", model="sonnet")
ASKED = ModelAsked(turn=1, model="sonnet", request=NONE)
OPENED = SandboxOpened(machine="m", template=NONE, isolation="none")
MEMO = Deliverable(path="docs/memo.md", title="Memo")
ERROR = Finding(rule="R", level="error", message="wrong")
MADE = CheckpointMade(manifest=NONE, files=1, size=1)
STAGED = ChangesStaged(run=RUN, difference=NONE, created=1, modified=0, deleted=0)


def use(number: int = 1, name: str = "lab__read", **arguments: Any) -> ToolUse:
    return ToolUse(id=ToolUseId(f"u{number}"), name=name, input=arguments)


def replied(*content: Block | str, stop: str | None = None, **fields: Any) -> ModelReplied:
    blocks = tuple(Text(text=item) if isinstance(item, str) else item for item in content)
    has_uses = any(isinstance(block, ToolUse) for block in blocks)
    reason = stop if stop is not None else ("tool_use" if has_uses else "end_turn")
    return ModelReplied(turn=1, model="sonnet", content=blocks, stop_reason=reason, **fields)


def started(number: int = 1) -> ToolStarted:
    return ToolStarted(tool_use_id=ToolUseId(f"u{number}"), tool="lab__read", key=f"t-1:u{number}")


def done(number: int = 1, **fields: Any) -> ToolFinished:
    fields = {"outcome": "ok", "text": "x", **fields}
    return ToolFinished(tool_use_id=ToolUseId(f"u{number}"), tool="lab__read", **fields)


def asks(number: int = 1) -> ApprovalAsked:
    return ApprovalAsked(
        tool_use_id=ToolUseId(f"u{number}"), tool="lab__send", arguments=NONE, why="It sends."
    )


def given(allow: bool, number: int = 1) -> ApprovalGiven:
    return ApprovalGiven(tool_use_id=ToolUseId(f"u{number}"), arguments=NONE, allow=allow)


def failed(retryable: bool = True) -> ModelFailed:
    return ModelFailed(turn=1, error="busy", retryable=retryable)


def finished(reason: Any) -> RunFinished:
    return RunFinished(run=RUN, reason=reason)


def verdict(*findings: Finding) -> Validated:
    return Validated(run=RUN, inputs=NONE, rules=("R",), findings=findings, passed=not findings)


WORK = (SAID, replied(use()), started(), done(wrote=True, deliverables=(MEMO,)), MADE)


def ids(action: Any) -> list[str]:
    return [one.use.id for one in action.uses]


@pytest.mark.parametrize(
    ("payloads", "expected"),
    [
        ((), Idle()),
        ((CREATED,), Idle()),
        ((CREATED, SAID), CallModel(turn=1)),
        ((SAID, ASKED), CallModel(turn=1)),
        ((SAID, ASKED, RunResumed(run=RUN)), CallModel(turn=1)),
        ((SAID, ASKED, failed()), CallModel(turn=1, attempt=1)),
        ((SAID, failed(), ASKED, failed()), CallModel(turn=1, attempt=2)),
        ((SAID, failed(), replied("Hi")), Finish(reason="done", text="")),
        ((SAID, replied("Hi")), Finish(reason="done", text="")),
        ((SAID, replied("Hi", stop="stop_sequence")), Finish(reason="done", text="")),
        ((SAID, replied("Hi", stop="")), Finish(reason="done", text="")),
        ((SAID, replied()), Finish(reason="done", text="")),
        ((SAID, replied("Hi"), finished("done")), Idle()),
        ((SAID, replied("Hi"), finished("done"), SAID), CallModel(turn=2)),
        ((SAID, replied(use()), done()), CallModel(turn=2)),
        ((SAID, replied("So", stop="pause_turn")), CallModel(turn=2)),
        ((SAID, replied("So", stop="max_tokens")), CallModel(turn=2)),
        (WORK, CallModel(turn=2)),
        ((*WORK, replied("Ok")), Stage()),
        ((*WORK, replied("Ok"), STAGED), Validate()),
        ((*WORK, replied("Ok"), STAGED, verdict(ERROR)), CallModel(turn=3)),
        ((*WORK, replied("Ok"), RunResumed(run=RUN)), Stage()),
        ((*WORK, replied("Ok"), STAGED, RunResumed(run=RUN)), Validate()),
        ((SAID, replied(use()), done(wrote=True), MADE, replied("Ok")), Stage()),
        (
            (SAID, replied(use()), done(wrote=True), MADE, replied("Ok"), STAGED),
            Finish(reason="done", text=""),
        ),
    ],
)
def test_the_next_step_follows_from_what_happened(
    payloads: tuple[Payload, ...], expected: Any, make_log: MakeLog
) -> None:
    assert decide(make_log(*payloads)) == expected


def test_a_new_request_after_an_end_begins_a_run_with_its_own_counts(make_log: MakeLog) -> None:
    again = replace(SAID, run=RunId("r-2"))
    assert decide(make_log(SAID, replied("Hi"), finished("done"), again)) == CallModel(turn=1)


def test_uses_run_in_their_order(make_log: MakeLog) -> None:
    action = decide(make_log(SAID, replied(use(1), use(2), use(3)), done(2)))
    assert isinstance(action, RunTools)
    assert ids(action) == ["u1", "u3"]


def test_uses_with_the_reason_end_turn_run_too(make_log: MakeLog) -> None:
    assert isinstance(decide(make_log(SAID, replied(use(), stop="end_turn"))), RunTools)


def test_a_started_use_is_recovered_before_others_run(make_log: MakeLog) -> None:
    action = decide(make_log(SAID, replied(use(1), use(2)), started(1)))
    assert isinstance(action, RecoverTools)
    assert ids(action) == ["u1"]


def test_a_use_that_has_lost_three_machines_is_closed(make_log: MakeLog) -> None:
    lost = (SAID, replied(use()), OPENED, started(), OPENED, OPENED)
    assert isinstance(decide(make_log(*lost)), RecoverTools)
    action = decide(make_log(*lost, OPENED))
    assert isinstance(action, CloseTools)
    assert "died 3 times" in action.why


def test_approvals_are_asked_one_by_one_after_all_else_ran(make_log: MakeLog) -> None:
    events = (SAID, replied(use(1), use(2), use(3)), asks(1), asks(3))
    first = decide(make_log(*events))
    assert isinstance(first, RunTools)
    assert ids(first) == ["u2"]
    second = decide(make_log(*events, done(2)))
    assert isinstance(second, AskApproval)
    assert second.use.use.id == "u1"
    third = decide(make_log(*events, done(2), given(True, 1)))
    assert isinstance(third, RunTools)
    assert ids(third) == ["u1"]


@pytest.mark.parametrize("allow", [True, False])
def test_a_decision_that_comes_while_parked_wakes_the_run(allow: bool, make_log: MakeLog) -> None:
    parked = (SAID, replied(use()), asks(), finished("needs_you"))
    assert decide(make_log(*parked)) == Idle()
    action = decide(make_log(*parked, given(allow)))
    assert isinstance(action, RunTools)


def test_a_parked_approval_is_asked_again_on_resume(make_log: MakeLog) -> None:
    parked = (SAID, replied(use()), asks(), finished("needs_you"), RunResumed(run=RUN))
    assert isinstance(decide(make_log(*parked)), AskApproval)


def test_a_question_parks_only_after_the_other_uses(make_log: MakeLog) -> None:
    question = use(1, "workspace__ask", question="Which?")
    action = decide(make_log(SAID, replied(question, use(2))))
    assert isinstance(action, RunTools)
    assert ids(action) == ["u2"]
    events = (SAID, replied(question, use(2)), done(2))
    assert decide(make_log(*events)) == Finish(reason="needs_you", text="Which?")


def test_a_question_without_words_still_parks(make_log: MakeLog) -> None:
    action = decide(make_log(SAID, replied(use(1, "workspace__ask", question=7))))
    assert action == Finish(reason="needs_you", text="The agent waits for your answer.")


def test_the_next_words_answer_the_first_question_and_close_the_rest(make_log: MakeLog) -> None:
    questions = (use(1, "workspace__ask"), use(2, "workspace__ask"), use(3))
    events = (SAID, replied(*questions), done(3), finished("needs_you"), replace(SAID, text="A"))
    closing = decide(make_log(*events))
    assert isinstance(closing, CloseTools)
    assert ids(closing) == ["u2"]
    running = decide(make_log(*events, done(2)))
    assert isinstance(running, RunTools)
    assert running.uses[0].answer == "A"


def test_uses_that_the_user_overtook_are_closed(make_log: MakeLog) -> None:
    again = replace(SAID, run=RunId("r-2"))
    action = decide(make_log(SAID, replied(use(1), use(2)), started(1), again))
    assert isinstance(action, CloseTools)
    assert ids(action) == ["u1", "u2"]


@pytest.mark.parametrize(
    "stop", ["max_tokens", "refusal", "pause_turn", "model_context_window_exceeded", "new"]
)
def test_uses_of_a_reply_that_did_not_end_well_never_run(stop: str, make_log: MakeLog) -> None:
    assert isinstance(decide(make_log(SAID, replied(use(), stop=stop))), CloseTools)


def test_closed_uses_of_a_cut_reply_go_back_to_the_model(make_log: MakeLog) -> None:
    events = (SAID, replied(use(), stop="max_tokens"), done(synthetic=True))
    assert decide(make_log(*events)) == CallModel(turn=2)


TOO_LONG = "model_context_window_exceeded"
COMPACTED = Compacted(turn=1, by="rules", kept_run=RUN, kept_turn=1, kept_turns=1, retrievable=0)


def test_what_is_too_long_is_told_in_short_once_and_then_asked_again(make_log: MakeLog) -> None:
    refused = ModelFailed(turn=1, error="too long", retryable=False, too_long=True)
    for bad in (replied("x", stop=TOO_LONG), refused):
        assert isinstance(decide(make_log(SAID, bad)), Compact)
        assert isinstance(decide(make_log(SAID, bad, COMPACTED)), CallModel)
        action = decide(make_log(SAID, bad, COMPACTED, bad))
        assert isinstance(action, Finish)
        assert action.reason == "failed"


def test_uses_of_a_reply_that_was_too_long_are_closed_before_it_is_asked_for_again(
    make_log: MakeLog,
) -> None:
    cut = replied(use(), stop=TOO_LONG)
    assert isinstance(decide(make_log(SAID, cut)), CloseTools)
    closed = done(synthetic=True)
    assert isinstance(decide(make_log(SAID, cut, closed)), Compact)
    assert isinstance(decide(make_log(SAID, cut, closed, COMPACTED)), CallModel)


@pytest.mark.parametrize("stop", ["refusal", "new"])
def test_a_bad_end_fails_the_run_and_a_new_request_is_heard(stop: str, make_log: MakeLog) -> None:
    bad = (SAID, replied("x", stop=stop))
    action = decide(make_log(*bad))
    assert isinstance(action, Finish)
    assert action.reason == "failed"
    assert isinstance(decide(make_log(*bad, finished("failed"), RunResumed(run=RUN))), CallModel)
    assert isinstance(decide(make_log(*bad, finished("failed"), SAID)), CallModel)


def test_replies_that_are_always_cut_end_the_run(make_log: MakeLog) -> None:
    cut = replied("x", stop="max_tokens")
    assert isinstance(decide(make_log(SAID, *[cut] * MAX_CUTS)), CallModel)
    action = decide(make_log(SAID, *[cut] * (MAX_CUTS + 1)))
    assert isinstance(action, Finish)
    assert action.reason == "failed"


def test_attempts_are_bounded_and_a_final_refusal_ends_at_once(make_log: MakeLog) -> None:
    assert isinstance(decide(make_log(SAID, *[failed()] * (MAX_ATTEMPTS - 1))), CallModel)
    for payloads in ([failed()] * MAX_ATTEMPTS, [failed(retryable=False)]):
        action = decide(make_log(SAID, *payloads))
        assert isinstance(action, Finish)
        assert action.reason == "failed"
    resumed = (*[failed()] * MAX_ATTEMPTS, finished("failed"), RunResumed(run=RUN))
    assert decide(make_log(SAID, *resumed)) == CallModel(turn=1)


@pytest.mark.parametrize(
    ("limits", "usage"),
    [
        (Limits(max_turns=1), Usage()),
        (Limits(max_tokens=100), Usage(input_tokens=60, cache_read_tokens=30, output_tokens=10)),
        (Limits(cost_usd=0.5), Usage(cost_usd=0.5)),
        (Limits(seconds=2), Usage()),
    ],
)
def test_each_limit_ends_the_run_before_the_next_call(
    limits: Limits, usage: Usage, make_log: MakeLog
) -> None:
    said = replace(SAID, limits=limits)
    action = decide(make_log(said, replied(use(), usage=usage), done()))
    assert isinstance(action, Finish)
    assert action.reason == "over_budget"


def test_tools_and_checks_still_finish_when_a_limit_is_reached(make_log: MakeLog) -> None:
    said = replace(SAID, limits=Limits(max_turns=2))
    events = (said, *WORK[1:], replied("Ok"))
    assert decide(make_log(*events)) == Stage()


def test_time_between_a_crash_and_the_resume_does_not_count(make_log: MakeLog) -> None:
    said = replace(SAID, limits=Limits(seconds=15))
    events = make_log(said, ASKED, RunResumed(run=RUN), step_s=10)
    assert isinstance(decide(events), CallModel)


def test_deliverables_are_validated_again_after_every_write(make_log: MakeLog) -> None:
    events = (*WORK, replied("Ok"), STAGED, verdict(ERROR), replied(use(2)), started(2))
    repaired = (*events, done(2, wrote=True), MADE, replied("Better"))
    assert decide(make_log(*repaired)) == Stage()
    assert decide(make_log(*repaired, STAGED)) == Validate()
    action = decide(make_log(*repaired, STAGED, verdict()))
    assert action == Finish(reason="done", text="1 deliverable(s) passed 1 check(s).")


def test_a_run_is_rejected_when_the_model_gives_up(make_log: MakeLog) -> None:
    action = decide(make_log(*WORK, replied("Ok"), STAGED, verdict(ERROR), replied("I cannot.")))
    assert isinstance(action, Finish)
    assert action.reason == "rejected"


def test_a_run_is_rejected_when_the_repairs_are_used_up(make_log: MakeLog) -> None:
    said = replace(SAID, limits=Limits(max_repairs=0))
    action = decide(make_log(said, *WORK[1:], replied("Ok"), STAGED, verdict(ERROR)))
    assert isinstance(action, Finish)
    assert action.reason == "rejected"


def test_a_question_after_a_rejected_run_is_not_rejected_itself(make_log: MakeLog) -> None:
    rejected = (*WORK, replied("Ok"), STAGED, verdict(ERROR), replied("No"), finished("rejected"))
    events = (*rejected, replace(SAID, run=RunId("r-2")), replied("Because."))
    assert decide(make_log(*events)) == Finish(reason="done", text="")


def test_an_answer_to_a_question_about_a_refusal_does_not_lift_it(make_log: MakeLog) -> None:
    asked = replied(use(2, name="workspace__ask", question="How?"))
    events = (*WORK, replied("Ok"), STAGED, verdict(ERROR), asked, finished("needs_you"))
    answer = replace(SAID, run=RunId("r-2"))
    action = decide(make_log(*events, answer, done(2), replied("Then it stays.")))
    assert isinstance(action, Finish)
    assert action.reason == "rejected"


def test_a_deliverable_of_an_earlier_run_is_checked_again_when_it_may_have_changed(
    make_log: MakeLog,
) -> None:
    rejected = (*WORK, replied("Ok"), STAGED, verdict(ERROR), replied("No"), finished("rejected"))
    again = (replace(SAID, run=RunId("r-2")), replied(use(2)), done(2, wrote=True), MADE)
    events = (*rejected, *again, replied("Repaired."), STAGED)
    assert decide(make_log(*events)) == Validate()


@pytest.mark.parametrize(
    "gone",
    [ApplyFinished(plan=NONE, applied=True), ChangesDiscarded(difference=NONE)],
)
def test_applied_and_discarded_deliverables_are_not_checked_again(
    gone: Payload, make_log: MakeLog
) -> None:
    first = (*WORK, replied("Ok"), STAGED, verdict(), finished("done"), gone)
    again = (replace(SAID, run=RunId("r-2")), replied(use(2)), done(2, wrote=True), MADE)
    action = decide(make_log(*first, *again, replied("Ok"), STAGED))
    assert action == Finish(reason="done", text="")


def test_an_apply_that_failed_changes_nothing(make_log: MakeLog) -> None:
    first = (*WORK, replied("Ok"), STAGED, verdict(), finished("done"))
    kept = (*first, ApplyFinished(plan=NONE, applied=False, text="conflict"))
    again = (replace(SAID, run=RunId("r-2")), replied(use(2)), done(2, wrote=True), MADE)
    assert decide(make_log(*kept, *again, replied("Ok"), STAGED)) == Validate()


def test_every_prefix_of_a_run_has_exactly_one_next_step(make_log: MakeLog) -> None:
    events = make_log(CREATED, *WORK, replied("Ok"), STAGED, verdict(), finished("done"))
    kinds = [type(decide(events[:n])).__name__ for n in range(len(events) + 1)]
    assert kinds == [
        "Idle",
        "Idle",
        "CallModel",
        "RunTools",
        "RecoverTools",
        "CallModel",
        "CallModel",
        "Stage",
        "Validate",
        "Finish",
        "Idle",
    ]
