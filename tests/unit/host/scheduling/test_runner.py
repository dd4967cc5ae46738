"""The runner: what it begins, what it leaves, and that it neither hangs nor says what is not so."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import anyio
import pytest
from tests.unit.host.scheduling.desk import DONE, Hand, Script, cron, schedule

from deskmate.errors import DeskmateError, UserError
from deskmate.host.scheduling.outcome import Verdict
from deskmate.host.scheduling.planning import claimed
from deskmate.host.scheduling.runner import MAX_ATTEMPTS, TICK_S, Runner
from deskmate.store.schedules import Schedules
from deskmate.types.schedules import Due, Schedule, When

pytestmark = pytest.mark.anyio
WAITING = Verdict(state="waiting", why="mail__send waits for your approval")
HOUR = timedelta(hours=1)


@pytest.fixture
def clock() -> Hand:
    return Hand()


@pytest.fixture
def store(tmp_path: Path, clock: Hand) -> Schedules:
    found = Schedules(tmp_path / "data")
    _agreed(found, cron("0 * * * *"), clock)
    return found


def _agreed(store: Schedules, made: Schedule, clock: Hand) -> None:
    store.add(made)
    store.agree(made.id, "d" * 64, clock.now())


@asynccontextmanager
async def _runner(store: Schedules, work: Script, clock: Hand) -> AsyncIterator[Runner]:
    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            yield Runner(store, work, clock, tasks)
            tasks.cancel_scope.cancel()


async def _look(runner: Runner, clock: Hand, by: timedelta = timedelta()) -> None:
    clock.moment += by
    await runner.tick()
    await runner.idle()


async def test_a_run_that_is_due_is_carried_out_once(store: Schedules, clock: Hand) -> None:
    work = Script()
    async with _runner(store, work, clock) as runner:
        await _look(runner, clock, HOUR)
        await _look(runner, clock)
        await _look(runner, clock, timedelta(minutes=5))
    (due,) = store.history("report-1")
    assert (due.state, due.why) == ("succeeded", DONE.why)
    assert [one.due for one in work.begun] == [due.due]


@pytest.mark.parametrize("error", [UserError("The folder is gone.", hint="Put it back.")])
async def test_what_cannot_run_has_failed_with_its_reason(
    store: Schedules, clock: Hand, error: DeskmateError
) -> None:
    async with _runner(store, Script(lambda due: error), clock) as runner:
        await _look(runner, clock, HOUR)
    (due,) = store.history("report-1")
    assert (due.state, due.why) == ("failed", "The folder is gone. Put it back.")


async def test_a_defect_in_one_run_does_not_end_the_others(
    store: Schedules, clock: Hand, caplog: pytest.LogCaptureFixture
) -> None:
    def ends(due: Due) -> Verdict:
        if due.due == store.history("report-1", 9)[-1].due:
            raise ZeroDivisionError
        return DONE

    async with _runner(store, Script(ends), clock) as runner:
        await _look(runner, clock, HOUR)
        await _look(runner, clock, HOUR)
    assert [due.state for due in store.history("report-1")] == ["succeeded", "failed"]
    assert "a fault in Deskmate itself" in store.history("report-1")[1].why


async def test_a_question_waits_and_does_not_stop_the_next_run(
    store: Schedules, clock: Hand
) -> None:
    ends: list[Verdict] = [WAITING, DONE]
    async with _runner(store, Script(lambda due: ends.pop(0)), clock) as runner:
        await _look(runner, clock, HOUR)
        await _look(runner, clock, HOUR)
    newest, first = store.history("report-1")
    assert (first.state, first.why) == ("waiting", WAITING.why)
    assert first.deadline
    assert newest.state == "succeeded"


async def test_an_answer_given_elsewhere_is_seen(store: Schedules, clock: Hand) -> None:
    work = Script(lambda due: WAITING)
    async with _runner(store, work, clock) as runner:
        await _look(runner, clock, HOUR)
        (due,) = store.history("report-1")
        work.busy.add(due.thread)
        work.verdicts[due.schedule, due.due] = Verdict(state="failed", why="it has no end yet")
        await _look(runner, clock, timedelta(seconds=20))
        assert store.history("report-1")[0].state == "waiting", "somebody works in it"
        work.busy.clear()
        work.verdicts[due.schedule, due.due] = DONE
        await _look(runner, clock, timedelta(seconds=20))
    assert store.history("report-1")[0].state == "succeeded"
    assert len(work.begun) == 1


async def test_a_question_that_nobody_answers_is_closed_with_a_no_in_the_end(
    store: Schedules, clock: Hand
) -> None:
    work = Script(lambda due: DONE if work.closed else WAITING)
    store.set_state("report-1", "active")
    async with _runner(store, work, clock) as runner:
        await _look(runner, clock, HOUR)
        store.set_state("report-1", "paused")
        await _look(runner, clock, timedelta(hours=23))
        assert not work.closed
        await _look(runner, clock, timedelta(hours=2))
    (due,) = (one for one in store.history("report-1") if one.state != "skipped")
    assert len(work.closed) == 1
    assert due.state == "succeeded"
    assert "the answer was no" in due.why


async def test_a_question_in_words_that_nobody_answers_has_failed(
    store: Schedules, clock: Hand
) -> None:
    work = Script(lambda due: WAITING)
    async with _runner(store, work, clock) as runner:
        await _look(runner, clock, HOUR)
        store.set_state("report-1", "paused")
        for _ in range(3):
            await _look(runner, clock, timedelta(hours=25))
    (due,) = (one for one in store.history("report-1") if one.state != "skipped")
    assert (due.state, due.why) == ("failed", f"nobody answered in time: {WAITING.why}")
    assert len(work.closed) == 1


async def test_a_run_whose_process_ended_goes_on_and_is_no_second_one(
    store: Schedules, clock: Hand
) -> None:
    clock.moment += HOUR
    due = claimed(store.get("report-1").schedule, clock.now(), "time", clock.now())
    store.take("report-1", (due,), clock.now())
    store.begin(due, clock.now())
    work = Script()
    async with _runner(store, work, clock) as runner:
        await _look(runner, clock)
    assert [one.thread for one in work.begun] == [due.thread]
    assert [one.state for one in store.history("report-1")] == ["succeeded"]


@pytest.mark.parametrize("reached_its_end", [False, True])
async def test_a_run_whose_process_ends_each_time_is_given_up_unless_it_reached_its_end(
    store: Schedules, clock: Hand, reached_its_end: bool
) -> None:
    clock.moment += HOUR
    due = claimed(store.get("report-1").schedule, clock.now(), "time", clock.now())
    store.take("report-1", (due,), clock.now())
    for _ in range(MAX_ATTEMPTS):
        store.begin(due, clock.now())
    work = Script()
    unfinished = Verdict(state="failed", why="it has no end yet")
    work.verdicts[due.schedule, due.due] = DONE if reached_its_end else unfinished
    async with _runner(store, work, clock) as runner:
        await _look(runner, clock)
    assert work.begun == []
    found = store.history("report-1")[0]
    assert found.state == ("succeeded" if reached_its_end else "failed")
    assert ("begun 8 times" in found.why) != reached_its_end


async def test_a_dry_run_is_never_taken_up(store: Schedules, clock: Hand) -> None:
    due = claimed(store.get("report-1").schedule, clock.now(), "dry run", clock.now())
    store.claim(due)
    work = Script()
    async with _runner(store, work, clock) as runner:
        await _look(runner, clock, timedelta(seconds=30))
        assert store.history("report-1")[0].state == "claimed", "its process may still begin it"
        store.begin(due, clock.now())
        await _look(runner, clock, timedelta(seconds=90))
    assert work.begun == []
    assert store.history("report-1")[-1].state == "failed"


async def test_a_thread_that_somebody_works_in_is_left_alone(store: Schedules, clock: Hand) -> None:
    work = Script(lambda due: UserError("This thread is at work."))
    async with _runner(store, work, clock) as runner:
        clock.moment += HOUR
        due = claimed(store.get("report-1").schedule, clock.now(), "time", clock.now())
        store.take("report-1", (due,), clock.now())
        work.busy.add(due.thread)
        await _look(runner, clock)
        assert work.begun == []
        await runner.carry_out(store.get("report-1").schedule, due)
    assert store.history("report-1")[0].state == "running"


async def test_a_run_that_waited_for_its_turn_does_not_begin_if_it_may_not_any_more(
    store: Schedules, clock: Hand
) -> None:
    clock.moment += HOUR
    due = claimed(store.get("report-1").schedule, clock.now(), "time", clock.now())
    store.take("report-1", (due,), clock.now())
    work = Script()
    work.refused = "its project has changed"
    async with _runner(store, work, clock) as runner:
        await _look(runner, clock)
    (found,) = store.history("report-1")
    assert (found.state, found.why, work.begun) == ("skipped", work.refused, [])


async def test_a_clock_that_was_years_ahead_does_not_silence_a_schedule(
    store: Schedules, clock: Hand
) -> None:
    work = Script()
    async with _runner(store, work, clock) as runner:
        clock.moment += timedelta(days=400)
        await _look(runner, clock)
        clock.moment -= timedelta(days=400)
        await _look(runner, clock)
        assert "had been wrong: it showed 2027" in store.get("report-1").why
        await _look(runner, clock, HOUR)  # written down as skipped by the wrong clock, and stays so
        await _look(runner, clock, HOUR)
    assert len(work.begun) == 2


async def test_a_clock_that_is_put_back_by_an_hour_repeats_nothing(
    store: Schedules, clock: Hand
) -> None:
    work = Script()
    async with _runner(store, work, clock) as runner:
        await _look(runner, clock, HOUR)
        clock.moment -= timedelta(minutes=70)
        for _ in range(8):
            await _look(runner, clock, timedelta(minutes=10))
        assert len(work.begun) == 1
        await _look(runner, clock, HOUR)
    assert len(work.begun) == 2


async def test_more_runs_than_slots_wait_their_turn(tmp_path: Path, clock: Hand) -> None:
    store = Schedules(tmp_path)
    for number in range(5):
        _agreed(store, replace(cron("0 * * * *", name=f"R{number}"), id=f"r-{number}"), clock)
    at_work, most = 0, 0
    go = anyio.Event()

    class Slow(Script):
        async def carry_out(self, schedule: Schedule, due: Due, *, closing: bool) -> None:
            nonlocal at_work, most
            at_work += 1
            most = max(most, at_work)
            await go.wait()
            at_work -= 1
            await super().carry_out(schedule, due, closing=closing)

    work = Slow()
    async with _runner(store, work, clock) as runner:
        clock.moment += HOUR
        await runner.tick()
        await anyio.wait_all_tasks_blocked()
        go.set()
        for _ in range(5):
            await _look(runner, clock)
    assert most == 2
    assert len(work.begun) == 5


async def test_it_sleeps_until_the_next_time_and_never_long(store: Schedules, clock: Hand) -> None:
    async with _runner(store, Script(), clock) as runner:
        assert await runner.wait_s() == TICK_S
        clock.moment += timedelta(minutes=59, seconds=57)
        assert await runner.wait_s() == 3


async def test_a_look_that_breaks_off_does_not_end_the_runner(
    store: Schedules, clock: Hand, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(Script):
        looks = 0

        async def refusal(self, standing: object) -> str:
            self.looks += 1
            if self.looks < 3:
                raise ZeroDivisionError
            return ""

    work = Broken()

    async def until(done: Callable[[], bool]) -> None:
        while not done():
            await anyio.sleep(0.001)

    async with _runner(store, work, clock) as runner, anyio.create_task_group() as serving:
        serving.start_soon(runner.serve)
        await until(lambda: bool(work.begun))
        serving.cancel_scope.cancel()
    assert caplog.text.count("a look broke off") == 2


# folders


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "in"
    made.mkdir()
    (made / "old.csv").write_text("1\n")
    return made


@pytest.fixture
def watched(tmp_path: Path, folder: Path, clock: Hand) -> Schedules:
    store = Schedules(tmp_path / "data")
    when = When(kind="change", zone="UTC", folder=str(folder), pattern="*.csv")
    _agreed(store, schedule(when), clock)
    return store


async def test_a_change_is_due_once_it_has_come_to_rest(
    watched: Schedules, folder: Path, clock: Hand
) -> None:
    work, step = Script(), timedelta(seconds=15)
    async with _runner(watched, work, clock) as runner:
        for _ in range(3):
            await _look(runner, clock, step)
        assert work.begun == []
        (folder / "new.csv").write_text("half")
        await _look(runner, clock, step)
        (folder / "new.csv").write_text("half and half\n")
        await _look(runner, clock, step)
        assert work.begun == [], "it still changes"
        for _ in range(4):
            await _look(runner, clock, step)
    (due,) = watched.history("report-1")
    assert (due.trigger, due.state, due.note) == ("change", "succeeded", "new.csv changed")
    assert len(work.begun) == 1


async def test_what_does_not_fit_the_pattern_or_is_hidden_is_no_change(
    watched: Schedules, folder: Path, clock: Hand
) -> None:
    work = Script()
    async with _runner(watched, work, clock) as runner:
        await _look(runner, clock)
        for name in ("notes.txt", ".hidden.csv", "~$old.csv"):
            (folder / name).write_text("x")
        for _ in range(3):
            await _look(runner, clock, timedelta(seconds=15))
    assert work.begun == []


async def test_what_its_own_runs_wrote_is_no_change(
    watched: Schedules, folder: Path, clock: Hand
) -> None:
    work = Script()
    work.own = frozenset({"report.csv"})
    async with _runner(watched, work, clock) as runner:
        await _look(runner, clock)
        (folder / "report.csv").write_text("made\n")
        for _ in range(3):
            await _look(runner, clock, timedelta(seconds=15))
        assert work.begun == []
        (folder / "other.csv").write_text("theirs\n")
        for _ in range(3):
            await _look(runner, clock, timedelta(seconds=15))
    assert [due.note for due in work.begun] == ["other.csv changed"]


async def test_a_change_while_nobody_looked_is_seen_afterwards(
    watched: Schedules, folder: Path, clock: Hand
) -> None:
    async with _runner(watched, Script(), clock) as runner:
        await _look(runner, clock)
    (folder / "old.csv").unlink()
    work = Script()
    async with _runner(watched, work, clock) as runner:
        for _ in range(2):
            await _look(runner, clock, timedelta(days=3))
    assert [due.note for due in work.begun] == ["old.csv changed"]


async def test_a_folder_that_is_gone_is_told_and_comes_back(
    watched: Schedules, folder: Path, clock: Hand
) -> None:
    work = Script()
    async with _runner(watched, work, clock) as runner:
        await _look(runner, clock)
        folder.rename(folder.with_name("away"))
        await _look(runner, clock)
        assert "is not there" in watched.get("report-1").why
        folder.with_name("away").rename(folder)
        for _ in range(2):
            await _look(runner, clock)
    assert watched.get("report-1").why == ""
    assert work.begun == []
