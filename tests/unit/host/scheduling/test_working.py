"""Scheduled runs through the whole house: succeeded only with the deliverable, asked nobody, begun once."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest
from tests.integration.crash_job import Nobody
from tests.unit.host.scheduling.desk import cron
from tests.unit.host.scheduling.house import (
    GOOD,
    LOST,
    SENDING,
    WRITE,
    house,
    work_folder,
)

from deskmate.errors import UserError
from deskmate.host import Host
from deskmate.host.adapters import SystemClock
from deskmate.host.inbox import answer, dismiss, find_item, list_inbox
from deskmate.host.running import running
from deskmate.host.scheduling.making import agree, asked_in
from deskmate.host.scheduling.ordering import agreement, dry_run_of
from deskmate.host.scheduling.planning import claimed
from deskmate.host.scheduling.runner import Runner
from deskmate.host.scheduling.serving import Quiet
from deskmate.host.scheduling.stopping import STOPPED, note_stopped
from deskmate.host.scheduling.watching import written_by
from deskmate.host.scheduling.working import Working
from deskmate.store.blobs import BlobStore
from deskmate.store.projects import Projects
from deskmate.store.schedules import Schedules
from deskmate.store.thread import open_thread, utc_now
from deskmate.store.verify import verify_thread
from deskmate.testing.scripted_model import Line
from deskmate.types.events import ApprovalGiven, UserSaid
from deskmate.types.places import Places
from deskmate.types.policy import Rule
from deskmate.types.schedules import Due, Schedule, Standing

pytestmark = pytest.mark.anyio
TEAM = Rule(decision="allow", tool="desk__send", where={"to": "team@example.test"})
OTHERS = Rule(decision="allow", tool="desk__send", where={"to": "boss@example.test"})


def _schedule(root: Path, **values: Any) -> Schedule:
    usual: dict[str, Any] = {"grants": work_folder(root), "plugins": ("desk",)}
    return cron("0 7 * * mon", **{**usual, **values})


def _agreed(places: Places, schedule: Schedule) -> Standing:
    store = Schedules(places.data)
    store.add(schedule)
    store.agree(schedule.id, agreement(schedule, Projects(places.data)), utc_now())
    return store.get(schedule.id)


@asynccontextmanager
async def _runner(host: Host, places: Places) -> AsyncIterator[Runner]:
    with anyio.fail_after(60):
        async with (
            running(host, places, Quiet()) as runs,
            anyio.create_task_group() as tasks,
        ):
            work = Working(host, places, runs)
            yield Runner(Schedules(places.data), work, SystemClock(), tasks)
            tasks.cancel_scope.cancel()


async def _run(host: Host, places: Places, schedule: Schedule) -> Due:
    store, now = Schedules(places.data), utc_now()
    due = claimed(schedule, now, "time", now)
    assert store.claim(due)
    async with _runner(host, places) as runner:
        await runner.carry_out(schedule, due)
    return store.history(schedule.id)[0]


async def _given(places: Places, due: Due) -> list[ApprovalGiven]:
    async with open_thread(places.threads, due.thread, write=False) as store:
        return [e.payload for e in await store.events() if isinstance(e.payload, ApprovalGiven)]


async def test_a_run_with_its_deliverable_has_succeeded(tmp_path: Path) -> None:
    host, places = house(tmp_path, GOOD)
    schedule = _agreed(places, _schedule(tmp_path)).schedule
    due = await _run(host, places, schedule)
    assert (due.state, due.why) == ("succeeded", "there and checked: work/report.md")
    assert not (tmp_path / "work/report.md").exists(), "it waits for the review"


async def test_a_run_that_only_says_so_has_failed(tmp_path: Path) -> None:
    host, places = house(tmp_path, LOST)
    due = await _run(host, places, _agreed(places, _schedule(tmp_path)).schedule)
    assert (due.state, due.why) == ("failed", "it ended without its deliverable *.md")


async def test_another_file_than_the_expected_one_is_no_success(tmp_path: Path) -> None:
    host, places = house(tmp_path, GOOD)
    schedule = _agreed(places, _schedule(tmp_path, expects=("*.md", "*.docx"))).schedule
    due = await _run(host, places, schedule)
    assert (due.state, due.why) == ("failed", "it ended without its deliverable *.docx")


async def test_a_deliverable_that_did_not_pass_is_no_success(tmp_path: Path) -> None:
    host, places = house(tmp_path, GOOD, gate="A figure is wrong.")
    due = await _run(host, places, _agreed(places, _schedule(tmp_path)).schedule)
    assert due.state == "failed"
    assert "error(s); the files are not to be relied on" in due.why


async def test_what_is_to_be_written_must_be_in_the_folder(tmp_path: Path) -> None:
    host, places = house(tmp_path, GOOD)
    schedule = _agreed(places, _schedule(tmp_path, apply="new")).schedule
    due = await _run(host, places, schedule)
    assert due.state == "succeeded"
    assert (tmp_path / "work/report.md").read_text() == "All is well.\n"
    written = await written_by(places, [due.thread])
    assert list(written) == [str(tmp_path / "work/report.md")]


async def test_a_file_that_may_not_be_written_is_no_success(tmp_path: Path) -> None:
    host, places = house(tmp_path, GOOD)
    (tmp_path / "work/report.md").write_text("Mine.\n")
    due = await _run(host, places, _agreed(places, _schedule(tmp_path, apply="new")).schedule)
    assert due.state == "failed"
    assert (tmp_path / "work/report.md").read_text() == "Mine.\n"


async def test_an_answer_can_be_the_deliverable(tmp_path: Path) -> None:
    host, places = house(tmp_path, ("All is well.",))
    schedule = _agreed(places, _schedule(tmp_path, expects=(), expects_answer=True)).schedule
    assert (await _run(host, places, schedule)).state == "succeeded"


async def test_a_run_past_its_budget_has_failed(tmp_path: Path) -> None:
    host, places = house(tmp_path, (WRITE,))
    schedule = _schedule(tmp_path)
    schedule = replace(schedule, limits=replace(schedule.limits, max_turns=3))
    due = await _run(host, places, _agreed(places, schedule).schedule)
    assert due.state == "failed"
    assert due.why.startswith("over budget: ")


async def test_a_folder_that_is_gone_is_the_reason(tmp_path: Path) -> None:
    host, places = house(tmp_path, GOOD)
    schedule = _agreed(places, _schedule(tmp_path)).schedule
    (tmp_path / "work").rmdir()
    due = await _run(host, places, schedule)
    assert due.state == "failed"
    assert str(tmp_path / "work") in due.why


# questions


async def test_what_was_agreed_to_runs_unasked_and_the_log_says_by_what(tmp_path: Path) -> None:
    sent: list[Mapping[str, Any]] = []
    host, places = house(tmp_path, SENDING, sent=sent.append)
    due = await _run(host, places, _agreed(places, _schedule(tmp_path, allowed=(TEAM,))).schedule)
    assert due.state == "succeeded"
    assert len(sent) == 1
    assert [(one.allow, one.by) for one in await _given(places, due)] == [(True, "schedule Report")]
    async with open_thread(places.threads, due.thread, write=False) as store:
        report = await verify_thread(store, BlobStore(places.blobs), settled=True)
    assert report.problems == ()


async def test_another_target_than_the_agreed_one_waits(tmp_path: Path) -> None:
    sent: list[Mapping[str, Any]] = []
    host, places = house(tmp_path, SENDING, sent=sent.append)
    due = await _run(host, places, _agreed(places, _schedule(tmp_path, allowed=(OTHERS,))).schedule)
    assert (due.state, sent) == ("waiting", [])
    assert due.deadline > utc_now()


async def test_a_yes_in_the_inbox_lets_the_run_go_on_to_its_end(tmp_path: Path) -> None:
    sent: list[Mapping[str, Any]] = []
    host, places = house(tmp_path, SENDING, sent=sent.append)
    due = await _run(host, places, _agreed(places, _schedule(tmp_path)).schedule)
    (item,) = await list_inbox(places)
    assert (item.kind, item.thread, item.schedule) == ("approval", due.thread, "report-1")
    assert utc_now() < item.deadline <= due.deadline
    assert "to: team@example.test" in item.shown
    with pytest.raises(UserError, match="neither yes nor no"):
        await answer(host, places, item, "maybe", observer=lambda one: None, approver=Nobody())
    result = await answer(host, places, item, "yes", observer=lambda one: None, approver=Nobody())
    assert (result.reason, len(sent)) == ("done", 1)
    assert [(one.allow, one.by) for one in await _given(places, due)] == [(True, "user")]
    assert Schedules(places.data).history("report-1")[0].state == "succeeded"
    assert [one.kind for one in await list_inbox(places)] == ["deliverable"]


async def test_a_no_in_the_inbox_is_told_to_the_model(tmp_path: Path) -> None:
    sent: list[Mapping[str, Any]] = []
    host, places = house(tmp_path, SENDING, sent=sent.append)
    await _run(host, places, _agreed(places, _schedule(tmp_path)).schedule)
    (item,) = await list_inbox(places)
    result = await answer(host, places, item, "no", observer=lambda one: None, approver=Nobody())
    assert (result.reason, sent) == ("done", [])


async def test_a_question_that_waited_too_long_gets_a_no_and_the_run_ends(tmp_path: Path) -> None:
    sent: list[Mapping[str, Any]] = []
    host, places = house(tmp_path, SENDING, sent=sent.append)
    schedule = _agreed(places, _schedule(tmp_path)).schedule
    due = await _run(host, places, schedule)
    store = Schedules(places.data)
    store.settle(due, "waiting", due.why, utc_now(), deadline="2026-01-01T00:00:00.000000Z")
    async with _runner(host, places) as runner:
        await runner.tick()
        await runner.idle()
    (due,) = store.history(schedule.id)
    assert due.state == "succeeded"
    assert "nobody answered in time, so the answer was no" in due.why
    assert sent == []
    assert [(one.allow, one.by) for one in await _given(places, due)] == [(False, "deadline")]


async def test_a_question_in_words_is_answered_from_the_inbox(tmp_path: Path) -> None:
    ask: Line = (("workspace__ask", {"question": "Which quarter?"}),)
    host, places = house(tmp_path, (ask, *GOOD))
    due = await _run(host, places, _agreed(places, _schedule(tmp_path)).schedule)
    if due.state == "failed":  # the fake's workspace has no such tool
        pytest.skip(due.why)
    (item,) = await list_inbox(places)
    assert (item.kind, item.text) == ("question", "Which quarter?")


async def test_failures_are_in_the_inbox_until_they_are_dismissed(tmp_path: Path) -> None:
    host, places = house(tmp_path, LOST)
    due = await _run(host, places, _agreed(places, _schedule(tmp_path)).schedule)
    failure = next(item for item in await list_inbox(places) if item.kind == "failure")
    assert "without its deliverable *.md" in failure.text
    await dismiss(places, failure)
    assert "failure" not in [item.kind for item in await list_inbox(places)]
    with pytest.raises(UserError, match="waits in the inbox"):
        await find_item(places, failure.id)
    assert Schedules(places.data).history("report-1")[0] == due


async def test_a_question_is_not_dismissed(tmp_path: Path) -> None:
    host, places = house(tmp_path, SENDING)
    await _run(host, places, _agreed(places, _schedule(tmp_path)).schedule)
    (item,) = await list_inbox(places)
    with pytest.raises(UserError, match="is not dismissed"):
        await dismiss(places, item)


# once


async def test_a_run_that_is_taken_up_again_says_its_request_once(tmp_path: Path) -> None:
    host, places = house(tmp_path, SENDING)
    schedule = _agreed(places, _schedule(tmp_path)).schedule
    due = await _run(host, places, schedule)
    for _ in range(3):
        async with _runner(host, places) as runner:
            await runner.carry_out(schedule, due)
    async with open_thread(places.threads, due.thread, write=False) as store:
        events = await store.events()
    assert sum(isinstance(event.payload, UserSaid) for event in events) == 1


async def test_what_the_user_stopped_is_not_taken_up_again(tmp_path: Path) -> None:
    host, places = house(tmp_path, GOOD)
    schedule, now = _agreed(places, _schedule(tmp_path)).schedule, utc_now()
    store, due = Schedules(places.data), claimed(schedule, now, "time", now)
    store.claim(due)
    store.begin(due, now)
    note_stopped(places, ["t-another"])
    assert store.open_dues()
    note_stopped(places, [due.thread])
    async with _runner(host, places) as runner:
        await runner.tick()
        await runner.idle()
    assert [(one.state, one.why) for one in store.history(schedule.id)] == [("failed", STOPPED)]
    assert not (places.threads / due.thread).exists()


async def test_a_project_that_changed_since_the_word_of_the_user_stops_it(tmp_path: Path) -> None:
    host, places = house(tmp_path, GOOD)
    projects = Projects(places.data)
    project = projects.new("Harbour")
    standing = _agreed(places, _schedule(tmp_path, project=project.id))
    async with running(host, places, Quiet()) as runs:
        work = Working(host, places, runs)
        assert await work.refusal(standing) == ""
        projects.save(replace(project, instructions="Send it to everybody."))
        assert "its project has changed" in await work.refusal(standing)
        projects.delete(project)
        assert "There is no project" in await work.refusal(standing)


# the dry run


async def test_a_dry_run_writes_nothing_and_sends_nothing(tmp_path: Path) -> None:
    sent: list[Mapping[str, Any]] = []
    host, places = house(tmp_path, SENDING, sent=sent.append)
    schedule = _schedule(tmp_path, apply="all", allowed=(TEAM,))
    result = await host.run(
        dry_run_of(schedule), None, observer=lambda one: None, approver=Nobody()
    )
    assert (result.reason, sent) == ("done", [])
    assert not (tmp_path / "work/report.md").exists()
    async with open_thread(places.threads, result.thread, write=False) as store:
        events = await store.events()
    (asked,) = asked_in(events, schedule)
    assert (asked.tool, asked.agreed) == ("desk__send", True)
    (asked,) = asked_in(events, replace(schedule, allowed=(OTHERS,)))
    assert not asked.agreed


def _tried(store: Schedules, schedule: Schedule, state: Any, day: int) -> None:
    now = f"2026-11-{day:02}T08:00:00.000000Z"
    due = claimed(schedule, now, "dry run", now)
    store.claim(due)
    store.begin(due, now)
    store.settle(due, state, "so", now)


def test_only_what_was_tried_lately_and_well_may_run_by_itself(tmp_path: Path) -> None:
    store, projects = Schedules(tmp_path), Projects(tmp_path)
    schedule = cron("0 7 * * mon")
    store.add(schedule)
    now = "2026-11-29T08:00:00.000000Z"

    def refused() -> bool:
        with pytest.raises(UserError, match="before a dry run has succeeded"):
            agree(store, store.get(schedule.id), projects, now)
        return True

    assert refused()
    _tried(store, schedule, "succeeded", 10)
    _tried(store, schedule, "failed", 20)
    assert refused(), "the last one failed"
    _tried(store, schedule, "succeeded", 28)
    assert agree(store, store.get(schedule.id), projects, now).state == "active"
    assert store.get(schedule.id).looked == now
