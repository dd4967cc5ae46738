"""What to do about the times at which a schedule was due: a pure function of what is stored and the time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from deskmate.host.scheduling.times import dues_after, later, shown, to_moment, to_text
from deskmate.types.ids import new_thread_id
from deskmate.types.schedules import Due, Schedule, Standing, Trigger

ON_TIME_S = 300.0
"""A run that begins so much later is still on time."""
AHEAD_S = 26 * 3600.0
"""A clock that is set back by less waits until it is again as late as it was."""
SPAN = 10_000
"""So many skipped times are written down as one at most."""
PAUSED = "you had paused it"
ASLEEP = "this machine was asleep or off, or nothing carried schedules out"
PAST = "Its time has passed."


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to store: times claimed and skipped, up to when all is dealt with, and why nothing else will come."""

    dues: tuple[Due, ...]
    looked: str
    over: str = ""


def is_ahead(standing: Standing, now: str) -> bool:
    """Say whether the clock was far ahead when it was looked last: nothing would be due for all that time."""
    return standing.looked > later(now, AHEAD_S)


def plan(
    standing: Standing, now: str, *, busy: Due | None = None, refused: str = ""
) -> Plan | None:
    """Return what to do about all times since the last look, None if there was none.

    One late run stands for all that were missed. `busy`: a run of the schedule that is at work. `refused`: why it
    may not run as it is now.
    """
    schedule = standing.schedule
    if standing.state not in ("active", "paused") or standing.looked >= now:
        return None
    moments = _between(schedule, standing.looked, now)
    last = next(moments, None)
    if last is None:
        return None
    skipped: list[Due] = []
    missed = PAUSED if standing.state == "paused" else ASLEEP
    # every time but the last is skipped, so it is enough to hold one
    span: list[datetime] = []
    count = 0
    for moment in moments:
        span, count = [*span[:1], last], count + 1
        if count == SPAN:
            skipped.append(_skipped(schedule, span, count, missed, now))
            span, count = [], 0
        last = moment
    if span:
        skipped.append(_skipped(schedule, span, count, missed, now))
    why = PAUSED if standing.state == "paused" else refused or _why_not(schedule, last, now, busy)
    if why:
        final = _skipped(schedule, [last], 1, why, now)
    else:
        final = claimed(
            schedule, to_text(last), _trigger(last, now), now, _late(skipped, last, now)
        )
    over = PAST if schedule.when.kind == "once" else ""
    return Plan(dues=(*skipped, final), looked=now, over=over)


def _between(schedule: Schedule, looked: str, now: str) -> Iterator[datetime]:
    end = to_moment(now)
    for moment in dues_after(schedule.when, to_moment(looked)):
        if moment > end:
            return
        yield moment


def _why_not(schedule: Schedule, last: datetime, now: str, busy: Due | None) -> str:
    if busy is not None:
        at = shown(busy.due, schedule.when.zone)
        return f"the run that was due on {at} was still at work"
    late = (to_moment(now) - last).total_seconds()
    if late > max(schedule.catch_up_s, ON_TIME_S):
        return f"{ASLEEP}; it is too late to catch up"
    return ""


def _trigger(last: datetime, now: str) -> Trigger:
    late = (to_moment(now) - last).total_seconds()
    return "time" if late <= ON_TIME_S else "late"


def _late(skipped: Sequence[Due], last: datetime, now: str) -> str:
    if _trigger(last, now) == "time":
        return ""
    missed = sum(due.count for due in skipped)
    also = f"; it stands for {missed} more that were missed" if missed else ""
    return f"late: {ASLEEP}{also}"


def claimed(schedule: Schedule, due: str, trigger: Trigger, now: str, note: str = "") -> Due:
    """Return a time whose run is to be carried out, in a thread that is chosen now."""
    return Due(
        schedule=schedule.id,
        due=due,
        trigger=trigger,
        state="claimed",
        thread=new_thread_id(),
        note=note,
        until=due,
        claimed=now,
    )


def _skipped(schedule: Schedule, span: Sequence[datetime], count: int, why: str, now: str) -> Due:
    return Due(
        schedule=schedule.id,
        due=to_text(span[0]),
        trigger="time",
        state="skipped",
        why=why,
        until=to_text(span[-1]),
        count=count,
        claimed=now,
        ended=now,
    )
