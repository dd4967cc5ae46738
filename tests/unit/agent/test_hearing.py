"""What the user says while a run is at work: heard between two steps, once, whatever happens in between."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from deskmate.agent.driver import PAUSED
from deskmate.store.invariants import CHECKERS
from deskmate.store.making import create_thread
from deskmate.store.waiting import Listening, WaitingMessages
from deskmate.testing.scripted_model import ScriptedModel
from deskmate.types.events import ModelReplied, RunFinished, UserSaid
from deskmate.types.ids import RunId
from deskmate.types.messages import text_of
from deskmate.types.waiting import Queued

if TYPE_CHECKING:
    from tests.unit.agent.conftest import Lab

    MakeLab = Callable[..., Lab]

pytestmark = pytest.mark.anyio
READ = ("workspace__read", {"path": "docs/a.txt"})
ASK = ("workspace__ask", {"question": "Which one?"})


class Talking(ScriptedModel):
    """While it answers for the n-th time, the user says something."""

    def __init__(self, lines: Sequence[Any], says: dict[int, Callable[[], Any]]) -> None:
        super().__init__(lines)
        self._says = says

    async def reply(self, request: Any, on_text: Callable[[str], None]) -> Any:
        turn = len(self.requests)
        found = await super().reply(request, on_text)
        if said := self._says.pop(turn, None):
            said()
        return found


@pytest.fixture
async def waiting(tmp_path: Path) -> WaitingMessages:
    thread = await create_thread(tmp_path, "T", version="0")
    return WaitingMessages(tmp_path, thread)


async def run(lab: Lab, waiting: WaitingMessages, text: str | None = "Go", **more: Any) -> Any:
    lab.waiting = Listening(waiting)
    driver = await lab.driver()
    said = None if text is None else UserSaid(run=RunId("r-1"), text=text, model="m", **more)
    return await driver.run(said)


def heard(lab: Lab) -> list[str]:
    return [said.text for said in lab.store.of(UserSaid)]


def last_words(model: ScriptedModel, at: int) -> str:
    return text_of(model.requests[at].messages[-1].content)


async def test_what_is_said_in_a_step_is_heard_before_the_next_in_the_same_run(
    make_lab: MakeLab, waiting: WaitingMessages
) -> None:
    says = {0: lambda: (waiting.put("Only clause 9."), waiting.put("And quickly."))}
    model = Talking([(READ,), "Done."], says)
    lab = make_lab(model)
    assert (await run(lab, waiting)).reason == "done"
    assert heard(lab) == ["Go", "Only clause 9.", "And quickly."]
    assert lab.results == [("workspace__read", "ok", False)]  # the call was not cut short
    words = last_words(model, 1)
    assert words.index("Only clause 9.") < words.index("And quickly.")
    assert {said.run for said in lab.store.of(UserSaid)} == {RunId("r-1")}
    assert len(lab.store.of(RunFinished)) == 1
    assert waiting.all() == ()
    events = await lab.store.events()
    for promise, check in CHECKERS.items():
        assert list(check(events)) == [], promise


async def test_what_is_said_during_the_last_answer_is_not_lost(
    make_lab: MakeLab, waiting: WaitingMessages
) -> None:
    model = Talking(["First.", "Second."], {0: lambda: waiting.put("One more thing.")})
    lab = make_lab(model)
    assert (await run(lab, waiting)).reason == "done"
    assert "One more thing." in last_words(model, 1)
    assert [text_of(reply.content) for reply in lab.store.of(ModelReplied)] == ["First.", "Second."]


async def test_a_message_is_no_answer_to_a_question_that_came_after_it(
    make_lab: MakeLab, waiting: WaitingMessages
) -> None:
    model = Talking([(ASK,), "Thanks."], {0: lambda: waiting.put("Be brief.")})
    lab = make_lab(model)
    assert (await run(lab, waiting)).reason == "needs_you"
    assert [one.text for one in waiting.all()] == ["Be brief."]
    assert (await run(lab, waiting, "The second one")).reason == "done"
    assert heard(lab) == ["Go", "The second one", "Be brief."]
    assert waiting.all() == ()


async def test_a_message_that_was_heard_before_a_crash_is_not_heard_again(
    make_lab: MakeLab, waiting: WaitingMessages
) -> None:
    queued = waiting.put("Only once.")
    lab = make_lab(ScriptedModel([(READ,), "Done."]))
    said = UserSaid(run=RunId("r-1"), text="Go", model="m")
    # stored, and killed before the file was gone
    await lab.store.append(said, replace(said, text=queued.text, queued=queued.id))
    assert (await run(lab, waiting, None)).reason == "done"
    assert heard(lab) == ["Go", "Only once."]
    assert waiting.all() == ()


async def test_a_message_outlives_the_process_and_a_resumed_run_hears_it(
    make_lab: MakeLab, waiting: WaitingMessages, tmp_path: Path
) -> None:
    lab = make_lab(ScriptedModel([(READ,), "Done."]))
    await lab.store.append(UserSaid(run=RunId("r-1"), text="Go", model="m"))
    waiting.put("Said before the crash.")
    again = WaitingMessages(tmp_path, next(tmp_path.glob("t-*")).name)  # another process
    assert (await run(lab, again, None)).reason == "done"
    assert heard(lab) == ["Go", "Said before the crash."]


async def test_a_withdrawn_message_is_not_heard(
    make_lab: MakeLab, waiting: WaitingMessages
) -> None:
    kept, gone = waiting.put("Kept."), waiting.put("Gone.")
    assert waiting.withdraw(gone.id)
    assert not waiting.withdraw(gone.id)
    lab = make_lab(ScriptedModel(["Done."]))
    await run(lab, waiting)
    assert heard(lab) == ["Go", kept.text]


async def test_a_pause_ends_the_run_after_its_step_and_it_goes_on(
    make_lab: MakeLab, waiting: WaitingMessages
) -> None:
    model = Talking([(READ,), "Done."], {0: waiting.ask_pause})
    lab = make_lab(model)
    ended = await run(lab, waiting)
    assert (ended.reason, ended.text) == ("stopped", PAUSED)
    assert lab.results == [("workspace__read", "ok", False)]
    assert (await run(lab, waiting, None)).reason == "done"
    assert len(lab.store.of(ModelReplied)) == 2


async def test_a_pause_that_came_too_late_does_not_stop_the_next_run(
    make_lab: MakeLab, waiting: WaitingMessages
) -> None:
    lab = make_lab(Talking(["Done."], {0: waiting.ask_pause}))
    assert (await run(lab, waiting)).reason == "done"
    assert (await run(lab, waiting, "Again")).reason == "done"


async def test_the_limits_of_the_run_hold_on(make_lab: MakeLab, waiting: WaitingMessages) -> None:
    from deskmate.types.limits import Limits

    model = Talking([(READ,), "Done."], {0: lambda: waiting.put("More.")})
    lab = make_lab(model)
    ended = await run(lab, waiting, limits=Limits(max_turns=1))
    assert ended.reason == "over_budget"
    assert len(model.requests) == 1
    assert heard(lab) == ["Go"]  # it stays for whoever goes on
    assert [one.text for one in waiting.all()] == ["More."]


def test_a_queue_is_bounded_and_survives_what_is_not_its_own(tmp_path: Path) -> None:
    import anyio

    from deskmate.errors import UserError

    thread = anyio.run(lambda: create_thread(tmp_path, "T", version="0"))
    waiting = WaitingMessages(tmp_path, thread)
    assert waiting.all() == ()
    for bad in ("", "  \n", "x" * 200_001):
        with pytest.raises(UserError):
            waiting.put(bad)
    first = waiting.put("⟦\ud83d⟧ odd letters")  # half a letter is kept as a mark
    folder = tmp_path / thread / "waiting"
    (folder / "q-broken.json").write_text("{")
    (folder / "q-list.json").write_text("[]")
    (folder / "other").write_text("x")
    assert [one.id for one in waiting.all()] == [first.id]
    for name in ("../../events.db", "pause", "other", "q-broken", ""):
        assert not waiting.withdraw(name)
    assert (folder / "other").is_file()
    for number in range(19):
        waiting.put(str(number))
    with pytest.raises(UserError, match="wait already"):
        waiting.put("one too many")
    assert [one.text for one in waiting.all()][1:] == [str(number) for number in range(19)]
    assert isinstance(waiting.all()[0], Queued)
    with pytest.raises(UserError):
        WaitingMessages(tmp_path, "t-none")
