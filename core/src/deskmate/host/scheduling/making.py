"""Making a schedule out of what the user says, trying it, and agreeing to it."""

from __future__ import annotations

import re
import secrets
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from deskmate.errors import UserError
from deskmate.host.scheduling.ordering import agreement
from deskmate.host.scheduling.planning import plan
from deskmate.host.scheduling.times import next_dues, to_moment
from deskmate.host.scheduling.watching import differing, from_note, look_at, named, to_note
from deskmate.host.standing import covers
from deskmate.types.events import ApprovalAsked, Event, ModelReplied
from deskmate.types.messages import tool_uses_of
from deskmate.types.policy import WAIT_S, Rule
from deskmate.types.schedules import Due, Schedule, Standing

if TYPE_CHECKING:
    from deskmate.store.projects import Projects
    from deskmate.store.schedules import Schedules

NAME_LIMIT = 80
LEAST_WAIT_S = 60.0
FREE_MODELS = ("offline", "local", "replay")
TRIED_FOR = timedelta(days=30)
"""A dry run that is older says little about what would happen now."""


def checked(schedule: Schedule) -> Schedule:
    """Return the schedule. Raises UserError for one that could not run unwatched in safety."""
    if not schedule.name or len(schedule.name) > NAME_LIMIT:
        raise UserError(f"A schedule needs a name of 1 to {NAME_LIMIT} characters.")
    if not schedule.text.strip():
        raise UserError("There is no request.", hint="Say what is to be done each time.")
    if not schedule.expects and not schedule.expects_answer:
        raise UserError(
            "It is not said what a run must deliver to have succeeded.",
            hint="Name the file, --expect 'report*.md', or say --expect-answer.",
        )
    free = schedule.model.partition(":")[0] in FREE_MODELS
    if not free and schedule.limits.cost_usd is None:
        raise UserError(
            f"{schedule.model} costs money, and nobody watches.",
            hint="Say what one run may cost: --budget 2",
        )
    if not LEAST_WAIT_S <= schedule.wait_s <= WAIT_S:
        raise UserError("A question waits between one minute and 24 hours.")
    for rule in schedule.allowed:
        if not rule.where:
            raise UserError(
                f"{rule.tool} would run unasked whatever its target.",
                hint=f"Name the target: --allow '{rule.tool} to=team@example.com'",
            )
    return schedule


def new_id(name: str) -> str:
    """Return an id that people recognise."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:40].strip("-")
    return f"{slug or 'schedule'}-{secrets.token_hex(3)}"


def parse_rule(text: str) -> Rule:
    """Return the standing approval that was written as `TOOL NAME=VALUE…`. Raises UserError."""
    tool, *words = text.split()
    where: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name:
            if where:  # a value with spaces in it goes on
                last = next(reversed(where))
                where[last] += f" {word}"
                continue
            raise UserError(f"{word!r} is no target.", hint="Write an argument and its value.")
        where[name] = value
    return Rule(decision="allow", tool=tool, where=where)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A question of a dry run. `agreed`: it will run unasked; else it waits in the inbox each time."""

    tool: str
    why: str
    shown: str
    agreed: bool


def asked_in(events: Sequence[Event], schedule: Schedule) -> tuple[Asked, ...]:
    """Return what a dry run asked for, each call once."""
    inputs = {
        use.id: use.input
        for event in events
        if isinstance(event.payload, ModelReplied)
        for use in tool_uses_of(event.payload.content)
    }
    found: dict[str, Asked] = {}
    for event in events:
        if isinstance(asked := event.payload, ApprovalAsked):
            arguments = asked.shown if not asked.tool_use_id else inputs.get(asked.tool_use_id, {})
            agreed = any(covers(rule, asked.tool, arguments) for rule in schedule.allowed)
            shown = " ".join(f"{key}={value}" for key, value in arguments.items())
            found[asked.arguments] = Asked(
                tool=asked.tool, why=asked.why, shown=shown, agreed=agreed
            )
    return tuple(found.values())


def agree(store: Schedules, standing: Standing, projects: Projects, now: str) -> Standing:
    """Let a schedule run by itself from now on.

    Raises UserError without a dry run that succeeded lately, and for a time that has passed.
    """
    schedule = standing.schedule
    tried = [due for due in store.history(schedule.id, 200) if due.trigger == "dry run"]
    good = [due for due in tried if due.state == "succeeded"]
    if not good or to_moment(now) - to_moment(good[0].due) > TRIED_FOR or tried[0] != good[0]:
        raise UserError(
            f"{schedule.name} does not run by itself before a dry run has succeeded.",
            hint=f"deskmate schedule run {schedule.id} --dry-run",
        )
    if schedule.when.kind == "once" and not next_dues(schedule.when, to_moment(now), 1):
        raise UserError(
            f"The time of {schedule.name} has passed.",
            hint="Make another schedule for a later one.",
        )
    if schedule.when.kind == "change":
        look = look_at(Path(schedule.when.folder), schedule.when.pattern)
        store.note_seen(schedule.id, to_note(look))
    store.agree(schedule.id, agreement(schedule, projects), now)
    return store.get(schedule.id)


def pause(store: Schedules, standing: Standing) -> Standing:
    """Let a schedule not run by itself until it goes on. Raises UserError where it does not run anyway."""
    if standing.state != "active":
        raise UserError(
            f"{standing.schedule.name} does not run by itself now: it is {standing.state}."
        )
    store.set_state(standing.schedule.id, "paused")
    return store.get(standing.schedule.id)


def go_on(store: Schedules, standing: Standing, now: str) -> Standing:
    """End a pause; what was due meanwhile is skipped, and the history says so. Raises UserError if there is none."""
    schedule = standing.schedule
    if standing.state != "paused":
        raise UserError(f"{schedule.name} is not paused: it is {standing.state}.")
    if schedule.when.kind == "change":
        _skip_changes(store, schedule, now)
    elif (made := plan(standing, now)) is not None:
        store.take(schedule.id, made.dues, made.looked, state="paused", over=made.over)
    if store.get(schedule.id).state == "paused":
        store.set_state(schedule.id, "active", looked=now)
    return store.get(schedule.id)


def _skip_changes(store: Schedules, schedule: Schedule, now: str) -> None:
    look = look_at(Path(schedule.when.folder), schedule.when.pattern)
    paths = differing(from_note(store.seen(schedule.id) or "{}"), look)
    if paths:
        due = Due(
            schedule=schedule.id,
            due=now,
            trigger="change",
            state="skipped",
            note=named(paths),
            why="you had paused it",
            until=now,
            claimed=now,
            ended=now,
        )
        store.take(schedule.id, (due,), now, state="paused", seen=to_note(look))
