"""What is done about times that were due: run, one late run for those missed, or skipped with the reason."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

from tests.unit.host.scheduling.desk import at, cron, schedule, standing

from deskmate.host.scheduling import planning
from deskmate.host.scheduling.planning import Plan, plan
from deskmate.types.schedules import Due, Standing, When


def _plan(one: Standing, now: str, **values: object) -> Plan:
    made = plan(one, now, **values)  # type: ignore[arg-type]
    assert made is not None
    return made


HOURLY = cron("0 * * * *")


def test_nothing_is_due_before_its_time() -> None:
    assert plan(standing(HOURLY, at(2026, 1, 5, 7)), at(2026, 1, 5, 7, 59)) is None


def test_a_time_that_has_come_is_claimed_with_a_thread() -> None:
    made = _plan(standing(HOURLY, at(2026, 1, 5, 7)), at(2026, 1, 5, 8, 0, 10))
    (due,) = made.dues
    assert (due.state, due.trigger, due.due) == ("claimed", "time", at(2026, 1, 5, 8))
    assert due.thread.startswith("t-")
    assert made.looked == at(2026, 1, 5, 8, 0, 10)


def test_after_sleep_one_late_run_stands_for_all_that_were_missed() -> None:
    made = _plan(standing(HOURLY, at(2026, 1, 5, 7)), at(2026, 1, 5, 12, 30))
    skipped, late = made.dues
    assert (skipped.state, skipped.count) == ("skipped", 4)
    assert (skipped.due, skipped.until) == (at(2026, 1, 5, 8), at(2026, 1, 5, 11))
    assert "asleep" in skipped.why
    assert (late.state, late.trigger, late.due) == ("claimed", "late", at(2026, 1, 5, 12))
    assert "stands for 4 more" in late.note


def test_what_is_too_late_is_not_caught_up() -> None:
    weekly = cron("0 7 * * mon", catch_up_s=86_400.0)
    made = _plan(standing(weekly, at(2026, 1, 4)), at(2026, 1, 7))
    (due,) = made.dues
    assert due.state == "skipped"
    assert "too late" in due.why


def test_what_is_due_in_a_pause_is_skipped_with_that_reason() -> None:
    made = _plan(standing(HOURLY, at(2026, 1, 5, 7), "paused"), at(2026, 1, 5, 10, 30))
    assert {due.state for due in made.dues} == {"skipped"}
    assert {due.why for due in made.dues} == {planning.PAUSED}
    assert sum(due.count for due in made.dues) == 3


def test_a_run_that_is_at_work_is_not_run_beside() -> None:
    busy = Due(schedule="report-1", due=at(2026, 1, 5, 7), trigger="time", state="running")
    made = _plan(standing(HOURLY, at(2026, 1, 5, 7)), at(2026, 1, 5, 8), busy=busy)
    (due,) = made.dues
    assert due.state == "skipped"
    assert "Mon 2026-01-05 07:00 UTC (+0000) was still at work" in due.why


def test_what_was_not_agreed_to_does_not_run() -> None:
    made = _plan(standing(HOURLY, at(2026, 1, 5, 7)), at(2026, 1, 5, 8), refused="it changed")
    assert [(due.state, due.why) for due in made.dues] == [("skipped", "it changed")]


def test_drafts_and_what_is_over_are_never_due() -> None:
    for state in ("draft", "over"):
        assert plan(standing(HOURLY, at(2026, 1, 5, 7), state), at(2026, 1, 9)) is None


def test_a_single_time_is_over_once_it_was_dealt_with() -> None:
    once = schedule(When(kind="once", zone="UTC", at=at(2026, 1, 5, 9)))
    made = _plan(standing(once, at(2026, 1, 5)), at(2026, 1, 5, 9))
    assert made.over
    assert [due.state for due in made.dues] == ["claimed"]


def test_a_clock_that_was_set_back_brings_nothing_again() -> None:
    assert plan(standing(HOURLY, at(2026, 1, 5, 12)), at(2026, 1, 5, 9)) is None


def test_very_many_missed_times_are_written_down_in_few_rows() -> None:
    minutes = standing(cron("* * * * *"), at(2026, 1, 5))
    made = _plan(minutes, at(2026, 1, 20))
    assert len(made.dues) == 4
    assert sum(due.count for due in made.dues) == 15 * 24 * 60
    for one, two in pairwise(made.dues):
        assert one.until < two.due


def test_the_same_look_decides_the_same() -> None:
    one, now = standing(HOURLY, at(2026, 1, 5, 7)), at(2026, 1, 5, 12, 30)
    first, second = ([replace(due, thread="") for due in _plan(one, now).dues] for _ in range(2))
    assert first == second
