"""The state: the same from any starting point, and never changed under a reader's hands."""

from __future__ import annotations

from collections.abc import Callable

from deskmate.agent.state import State, advance, fold
from deskmate.types.events import (
    BaseTaken,
    ChangesStaged,
    CheckpointMade,
    Event,
    GrantsSet,
    ModelReplied,
    Refused,
    RunFinished,
    ThreadCreated,
    ThreadForked,
    ToolFinished,
    ToolStarted,
    UserSaid,
)
from deskmate.types.files import Deliverable
from deskmate.types.ids import Digest, RunId, ThreadId, ToolUseId
from deskmate.types.limits import Usage, add_usage
from deskmate.types.messages import ToolUse

MakeLog = Callable[..., tuple[Event, ...]]
NONE = Digest("0" * 64)
RUN = RunId("r-1")
USE = ToolUseId("u1")


def a_run(make_log: MakeLog) -> tuple[Event, ...]:
    use = ToolUse(id=USE, name="lab__memo", input={})
    memo = Deliverable(path="docs/memo.md", title="Memo")
    return make_log(
        ThreadCreated(thread=ThreadId("t-1"), title="", version="0"),
        GrantsSet(grants=()),
        UserSaid(run=RUN, text="Go", model="m"),
        ModelReplied(
            turn=1, model="m", content=(use,), stop_reason="tool_use", usage=Usage(input_tokens=3)
        ),
        BaseTaken(manifest=NONE, files=0, size=0),
        ToolStarted(tool_use_id=USE, tool="lab__memo", key="k"),
        ToolFinished(
            tool_use_id=USE,
            tool="lab__memo",
            outcome="ok",
            text="",
            wrote=True,
            deliverables=(memo,),
        ),
        CheckpointMade(manifest=NONE, files=1, size=1),
        ChangesStaged(run=RUN, difference=NONE, created=1, modified=0, deleted=0),
        RunFinished(run=RUN, reason="done"),
    )


def test_folding_at_once_and_step_by_step_give_the_same(make_log: MakeLog) -> None:
    events = a_run(make_log)
    for cut in range(len(events) + 1):
        state = fold(events[:cut])
        for event in events[cut:]:
            state = advance(state, event)
        assert state == fold(events)


def test_advancing_leaves_the_earlier_state_as_it_was(make_log: MakeLog) -> None:
    events = a_run(make_log)
    states = [State()]
    for event in events:
        states.append(advance(states[-1], event))
    assert states == [fold(events[:n]) for n in range(len(events) + 1)]


def test_a_run_leaves_work_that_waits(make_log: MakeLog) -> None:
    state = fold(a_run(make_log))
    assert not state.active
    assert (state.dirty, state.unstaged, state.unvalidated) == (True, False, True)
    assert list(state.deliverables) == ["docs/memo.md"]
    assert (state.turn, state.usage.input_tokens, state.thread) == (1, 3, "t-1")


def test_a_checkpoint_without_changes_leaves_nothing_that_waits(make_log: MakeLog) -> None:
    state = fold(make_log(CheckpointMade(manifest=NONE, files=0, size=9)))
    assert (state.dirty, state.checkpoint) == (False, NONE)


def test_a_fork_is_its_own_thread(make_log: MakeLog) -> None:
    forked = ThreadForked(thread=ThreadId("t-2"), parent=ThreadId("t-1"), seq=9)
    assert fold(make_log(forked)).thread == "t-2"


def test_only_the_refusal_of_tools_turns_them_off(make_log: MakeLog) -> None:
    assert fold(make_log(Refused(what="grant", why="no"))).tools_off == ""
    assert fold(make_log(Refused(what="tools", why="no"))).tools_off == "no"


def test_unknown_prices_stay_out_of_the_sum() -> None:
    priced, unknown = Usage(input_tokens=1, cost_usd=0.5), Usage(input_tokens=2)
    assert add_usage(priced, unknown) == Usage(input_tokens=3, cost_usd=0.5)
    assert add_usage(unknown, unknown).cost_usd is None


def test_showing_a_file_again_does_not_take_away_the_role_it_is_checked_by(
    make_log: MakeLog,
) -> None:
    redline = Deliverable(
        path="docs/r.docx", title="Redline", role="redline", sources={"original": "docs/a.docx"}
    )
    shown = Deliverable(path="docs/r.docx", title="The result")
    log = make_log(
        *(
            ToolFinished(
                tool_use_id=USE, tool="t", outcome="ok", text="", deliverables=(deliverable,)
            )
            for deliverable in (redline, shown)
        )
    )
    kept = fold(log).deliverables["docs/r.docx"]
    assert (kept.title, kept.role, kept.sources) == ("The result", "redline", redline.sources)
