"""Schedules and what became of them on disk: each time once, whatever happens, and what has ended stays so."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest
from tests.unit.host.scheduling.desk import at, cron

from deskmate.errors import CorruptData, DeskmateError, UserError
from deskmate.store.schedules import FILE, Schedules
from deskmate.types.policy import Rule
from deskmate.types.schedules import Due

ONE = Due(
    schedule="report-1",
    due=at(2026, 1, 5, 8),
    trigger="time",
    state="claimed",
    thread="t-aaaaaaaaaa",
)
NOW = at(2026, 1, 5, 8, 1)


@pytest.fixture
def store(tmp_path: Path) -> Schedules:
    found = Schedules(tmp_path / "data")
    found.add(cron("0 * * * *"))
    found.agree("report-1", "d" * 64, at(2026, 1, 5, 7))
    return found


def test_reading_makes_no_file(tmp_path: Path) -> None:
    store = Schedules(tmp_path / "data")
    assert (store.all(), store.open_dues(), store.dismissed()) == ((), (), frozenset())
    assert not (tmp_path / "data").exists()


def test_a_schedule_comes_back_as_it_was_made(tmp_path: Path) -> None:
    made = cron(
        "0 7 * * mon",
        "Europe/Berlin",
        allowed=(Rule(decision="allow", tool="mail__send", where={"to": "a b"}),),
    )
    store = Schedules(tmp_path)
    store.add(made)
    assert store.get("report-1").schedule == made
    assert store.get("REPORT").state == "draft"


def test_a_name_that_is_not_there_or_not_clear_is_told(store: Schedules) -> None:
    with pytest.raises(UserError, match="There is no schedule nothing"):
        store.get("nothing")
    from dataclasses import replace

    store.add(replace(cron("0 7 * * *"), id="report-2"))
    with pytest.raises(UserError, match="2 schedules are called report"):
        store.get("report")


def test_a_time_is_taken_once(store: Schedules) -> None:
    assert store.take("report-1", (ONE,), NOW) == (ONE,)
    assert store.take("report-1", (ONE,), NOW) == ()
    assert store.claim(ONE) is False
    assert store.history("report-1") == (ONE,)


def test_of_many_who_take_a_time_at_the_same_moment_one_has_it(store: Schedules) -> None:
    got: list[int] = []

    def take(number: int) -> None:
        from dataclasses import replace

        mine = replace(ONE, thread=f"t-{number:010}")
        got.extend([number] * len(store.take("report-1", (mine,), NOW)))

    threads = [threading.Thread(target=take, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(got) == 1
    assert store.history("report-1")[0].thread == f"t-{got[0]:010}"


def test_what_was_decided_in_another_state_is_not_taken(store: Schedules) -> None:
    store.set_state("report-1", "paused")
    assert store.take("report-1", (ONE,), NOW) == ()
    store.remove("report-1")
    assert store.take("report-1", (ONE,), NOW) == ()


def test_the_look_never_goes_back(store: Schedules) -> None:
    store.take("report-1", (), at(2026, 1, 6))
    store.take("report-1", (), at(2026, 1, 5))
    assert store.get("report-1").looked == at(2026, 1, 6)


def test_what_has_ended_stays_as_it_ended(store: Schedules) -> None:
    store.take("report-1", (ONE,), NOW)
    begun = store.begin(ONE, NOW)
    assert begun is not None
    assert (begun.state, begun.attempts, begun.started) == ("running", 1, NOW)
    done = store.settle(ONE, "failed", "no file", at(2026, 1, 5, 9))
    assert done is not None
    assert (done.state, done.why, done.ended) == ("failed", "no file", at(2026, 1, 5, 9))
    assert store.settle(ONE, "succeeded", "it is there", NOW) is None
    assert store.begin(ONE, NOW) is None
    assert store.history("report-1") == (done,)


def test_a_claimed_run_cannot_have_succeeded_before_it_began(store: Schedules) -> None:
    store.take("report-1", (ONE,), NOW)
    assert store.settle(ONE, "succeeded", "", NOW) is None


def test_each_time_a_run_is_taken_up_counts(store: Schedules) -> None:
    store.take("report-1", (ONE,), NOW)
    store.begin(ONE, NOW)
    again = store.begin(ONE, at(2026, 1, 5, 9))
    assert again is not None
    assert (again.attempts, again.started) == (2, NOW)


def test_removing_a_schedule_removes_its_history(store: Schedules) -> None:
    store.take("report-1", (ONE,), NOW)
    store.remove("report-1")
    assert (store.all(), store.open_dues()) == ((), ())


def test_a_thread_knows_its_schedule(store: Schedules) -> None:
    store.take("report-1", (ONE,), NOW)
    assert store.of_thread(ONE.thread) == ONE
    assert store.of_thread("t-bbbbbbbbbb") is None


def test_a_damaged_file_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"no database " * 1000)
    with pytest.raises(CorruptData, match="are damaged"):
        Schedules(tmp_path).all()


def test_a_file_of_a_newer_deskmate_is_not_touched(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / FILE) as db:
        db.execute("pragma user_version=99")
    db.close()
    with pytest.raises(UserError, match="newer Deskmate"):
        Schedules(tmp_path).add(cron("0 * * * *"))


def test_a_full_disk_is_told_and_changes_nothing(store: Schedules, tmp_path: Path) -> None:
    from deskmate.store import schedules

    error = schedules._explain(sqlite3.OperationalError("database or disk is full"), tmp_path)
    assert isinstance(error, DeskmateError)
    assert "disk is full" in error.message
