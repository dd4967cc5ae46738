"""How schedules and what became of them look on a terminal, and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from deskmate.cli.output import say

if TYPE_CHECKING:
    from deskmate.store.schedules import Schedules
    from deskmate.types.schedules import Due, Schedule, Standing

NEXT = 5
_STATES = {
    "draft": "a draft: it does not run by itself yet",
    "active": "runs by itself",
    "paused": "paused",
    "over": "over",
}


def state_words(standing: Standing) -> str:
    """Return in words how a schedule stands."""
    why = f": {standing.why}" if standing.why else ""
    return f"{_STATES[standing.state]}{why}"


def following(standing: Standing, now: str, count: int = NEXT) -> tuple[str, ...]:
    """Return the next times of a schedule, as they would be if it ran."""
    from deskmate.host.scheduling.times import next_dues, to_moment, to_text  # noqa: PLC0415

    if standing.state == "over":
        return ()
    return tuple(to_text(one) for one in next_dues(standing.schedule.when, to_moment(now), count))


def shown(moment: str, schedule: Schedule) -> str:
    """Return a time in the schedule's zone."""
    from deskmate.host.scheduling.times import shown as in_zone  # noqa: PLC0415

    return in_zone(moment, schedule.when.zone)


def line(due: Due, schedule: Schedule) -> str:
    """Return one line on what became of a time."""
    until = f" to {shown(due.until, schedule)}, {due.count} times" if due.count > 1 else ""
    trigger = f" ({due.trigger})" if due.trigger != "time" else ""
    why = "; ".join(word for word in (due.why, due.note) if word)
    thread = f"  {due.thread}" if due.thread else ""
    reason = f": {why}" if why else ""
    return f"{shown(due.due, schedule)}{until}{trigger}{thread}  {due.state}{reason}"


def facts(store: Schedules, standing: Standing) -> dict[str, Any]:
    """Return a schedule as JSON has it."""
    from deskmate.store.thread import utc_now  # noqa: PLC0415

    last = store.history(standing.schedule.id, 1)
    return {
        "schedule": standing.schedule,
        "state": standing.state,
        "why": standing.why,
        "agreed_at": standing.agreed_at,
        "next": following(standing, utc_now()),
        "last": last[0] if last else None,
    }


def say_schedule(standing: Standing, now: str) -> None:
    """Write all of a schedule to stdout."""
    from deskmate.host.scheduling.times import explained  # noqa: PLC0415

    schedule = standing.schedule
    say(f"{schedule.id}  {schedule.name}  {state_words(standing)}")
    say(f"  when     {explained(schedule.when)}")
    for moment in following(standing, now):
        say(f"  next     {shown(moment, schedule)}")
    say(f"  does     {schedule.text}")
    for grant in schedule.grants:
        say(f"  folder   {grant.folder} ({grant.mode})")
    if schedule.project:
        say(f"  project  {schedule.project}")
    for plugin in schedule.plugins:
        say(f"  plugin   {plugin}")
    for connector in schedule.connectors:
        say(f"  connector {connector}")
    say(f"  model    {schedule.model}")
    say(f"  bounds   {_bounds(schedule)}")
    expected = [*schedule.expects, *(["an answer"] if schedule.expects_answer else [])]
    say(f"  expects  {', '.join(expected)}; {_APPLY[schedule.apply]}")
    for rule in schedule.allowed:
        target = " ".join(f"{name}={value}" for name, value in rule.where.items())
        say(f"  unasked  {rule.tool} {target}")
    say(
        f"  asks     a question waits {schedule.wait_s / 3600:g} h in the inbox; then the answer is no"
    )
    if standing.state == "draft":
        say(f"Try it, then let it run: deskmate schedule run {schedule.id} --dry-run")


_APPLY = {
    "review": "its files wait for your review",
    "new": "new files are written into the folder",
    "all": "files are written into the folder; nothing is deleted",
}


def _bounds(schedule: Schedule) -> str:
    limits = schedule.limits
    money = f"{limits.cost_usd:.2f} USD, " if limits.cost_usd is not None else ""
    tokens = f", {limits.max_tokens} tokens" if limits.max_tokens is not None else ""
    seconds = f"{limits.seconds:g} s, " if limits.seconds is not None else ""
    return f"{money}{seconds}{limits.max_turns} turns, {limits.max_calls} calls of tools{tokens}"
