"""When schedules are due, above all where clocks change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deskmate.errors import UserError
from deskmate.host.scheduling.times import (
    checked_cron,
    dues_after,
    explained,
    next_dues,
    own_zone,
    parse_once,
    shown,
    zone_of,
)
from deskmate.types.schedules import When


def _next(cron: str, zone: str, after: tuple[int, ...], count: int) -> list[str]:
    start = datetime(*after, tzinfo=UTC)  # type: ignore[misc, arg-type]
    when = When(kind="cron", zone=zone, cron=cron)
    return [f"{moment:%d %H:%M}" for moment in next_dues(when, start, count)]


def test_a_time_on_the_wall_moves_in_utc_when_clocks_change() -> None:
    assert _next("0 7 * * *", "Europe/Berlin", (2026, 3, 27, 12), 3) == [
        "28 06:00",
        "29 05:00",
        "30 05:00",
    ]


def test_a_time_in_the_skipped_hour_comes_once_right_after_it() -> None:
    assert _next("30 2 * * *", "Europe/Berlin", (2026, 3, 28, 12), 2) == ["29 01:00", "30 00:30"]
    assert _next("0,30 2 * * *", "Europe/Berlin", (2026, 3, 28, 12), 2) == ["29 01:00", "30 00:00"]
    assert _next("30 2 * * *", "America/New_York", (2026, 3, 7, 12), 2) == ["08 07:00", "09 06:30"]


def test_a_time_in_the_doubled_hour_comes_once() -> None:
    assert _next("30 2 * * *", "Europe/Berlin", (2026, 10, 24, 12), 2) == ["25 00:30", "26 01:30"]


def test_a_time_in_the_doubled_hour_is_not_named_again_by_a_look_within_it() -> None:
    """The wall shows 02:10 for the second time; half past two of today was due an hour ago."""
    assert _next("30 2 * * *", "Europe/Berlin", (2026, 10, 25, 1, 10), 1) == ["26 01:30"]
    assert _next("30 2 * * *", "Europe/Berlin", (2026, 10, 25, 0, 10), 1) == ["25 00:30"]


def test_every_hour_follows_the_time_that_really_passes() -> None:
    assert _next("30 * * * *", "Europe/Berlin", (2026, 10, 24, 23), 4) == [
        "24 23:30",
        "25 00:30",
        "25 01:30",
        "25 02:30",
    ]


def test_half_an_hour_of_summer_time_counts_as_well() -> None:
    assert _next("15 2 * * *", "Australia/Lord_Howe", (2026, 10, 3, 12), 2) == [
        "03 15:30",
        "04 15:15",
    ]


@settings(max_examples=60, deadline=None)
@given(
    zone=st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "UTC"]),
    hour=st.integers(0, 23),
    minute=st.integers(0, 59),
    hours=st.integers(0, 700 * 24),
)
def test_a_daily_time_comes_once_each_day_in_order(
    zone: str, hour: int, minute: int, hours: int
) -> None:
    when = When(kind="cron", zone=zone, cron=f"{minute} {hour} * * *")
    found = next_dues(when, datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=hours), 40)
    local = [moment.astimezone(ZoneInfo(zone)) for moment in found]
    days = [(moment.date() - local[0].date()).days for moment in local]
    assert days == list(range(40))
    assert list(found) == sorted(set(found))
    moved = [moment for moment in local if (moment.hour, moment.minute) != (hour, minute)]
    assert len(moved) <= 1, "only a skipped hour moves it"


def test_what_is_after_a_due_time_does_not_depend_on_where_the_look_began() -> None:
    when = When(kind="cron", zone="Europe/Berlin", cron="17 */5 * * *")
    whole = next_dues(when, datetime(2026, 3, 1, tzinfo=UTC), 400)
    assert all(next_dues(when, one, 1) == (two,) for one, two in pairwise(whole))


@pytest.mark.parametrize(
    "text", ["", "0 7 * *", "61 7 * * *", "0 7 30 2 *", "@daily", "0 7 * * mon x"]
)
def test_what_says_no_time_is_refused(text: str) -> None:
    with pytest.raises(UserError):
        checked_cron(text, "UTC")


def test_words_of_cron_are_explained() -> None:
    when = When(kind="cron", zone="UTC", cron=checked_cron(" 0 7  * * mon ", "UTC"))
    assert explained(when) == "At 07:00 on Monday, in UTC"


def test_a_single_time_is_read_in_its_zone() -> None:
    assert parse_once("2026-12-01 07:00", "Europe/Berlin") == "2026-12-01T06:00:00.000000Z"
    assert parse_once("2026-12-01T07:00+05:30", "UTC") == "2026-12-01T01:30:00.000000Z"


def test_a_single_time_that_clocks_leave_out_is_refused() -> None:
    with pytest.raises(UserError, match="does not exist in Europe/Berlin") as caught:
        parse_once("2026-03-29 02:30", "Europe/Berlin")
    assert "2026-03-29 03:30" in caught.value.hint


def test_of_a_doubled_single_time_the_first_counts() -> None:
    assert parse_once("2026-10-25 02:30", "Europe/Berlin") == "2026-10-25T00:30:00.000000Z"


@pytest.mark.parametrize("text", ["tomorrow", "2026-13-01 07:00", "7"])
def test_what_is_no_single_time_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="is no time"):
        parse_once(text, "UTC")


def test_a_single_time_is_due_once() -> None:
    when = When(kind="once", zone="UTC", at="2026-12-01T07:00:00.000000Z")
    assert len(next_dues(when, datetime(2026, 1, 1, tzinfo=UTC), 5)) == 1
    assert next_dues(when, datetime(2026, 12, 1, 7, tzinfo=UTC), 5) == ()


@pytest.mark.parametrize("name", ["Mars/Base", "", "../etc/passwd", "/etc/passwd"])
def test_a_zone_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(UserError, match="no time zone"):
        zone_of(name)


def test_this_machine_has_a_zone_that_others_know() -> None:
    zone_of(own_zone())


def test_people_see_the_offset() -> None:
    assert shown("2026-10-25T00:30:00.000000Z", "Europe/Berlin").endswith("02:30 CEST (+0200)")
    assert shown("2026-10-25T01:30:00.000000Z", "Europe/Berlin").endswith("02:30 CET (+0100)")


def test_a_folder_has_no_times() -> None:
    when = When(kind="change", zone="UTC", folder="/tmp/x")
    assert list(dues_after(when, datetime(2026, 1, 1, tzinfo=UTC))) == []
