"""Schedules: what is to be done by itself, when, within what bounds, and what became of each time it was due."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from deskmate.types.files import ApplyMode, Grant
from deskmate.types.limits import Limits
from deskmate.types.network import NetworkRule
from deskmate.types.policy import WAIT_S, Rule

WhenKind = Literal["once", "cron", "change"]
ScheduleState = Literal["draft", "active", "paused", "over"]
Trigger = Literal["time", "late", "change", "hand", "dry run"]
DueState = Literal["claimed", "running", "waiting", "succeeded", "failed", "skipped"]
OPEN: tuple[DueState, ...] = ("claimed", "running", "waiting")
"""States in which something is still to come."""
CATCH_UP_S = 7 * 86_400.0
"""How late the one run may be that stands for those that were missed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class When:
    """When a schedule is due.

    `at`: of `once`, RFC 3339 in UTC. `cron`: five fields, read in `zone` (a name of the time zone database).
    `folder`, `pattern`: of `change`, whose files are looked at; an empty pattern: all of them.
    """

    kind: WhenKind
    zone: str
    at: str = ""
    cron: str = ""
    folder: str = ""
    pattern: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """A standing order, which never changes: another wish is another schedule.

    `text`: the request in plain words. `limits`: of each run; its seconds are always bounded. `apply`: what a run
    may write without a review. `expects`: patterns of paths; a run has succeeded only where each fits a
    deliverable that is there and passed its gates. `expects_answer`: its words are the deliverable. `allowed`:
    (tool, target) that run unasked, as agreed. `wait_s`: how long a question waits, then the answer is no.
    """

    id: str
    name: str
    when: When
    text: str
    created: str
    model: str = ""
    plugins: tuple[str, ...] = ()
    grants: tuple[Grant, ...] = ()
    project: str = ""
    hosts: tuple[NetworkRule, ...] = ()
    connectors: tuple[str, ...] = ()
    limits: Limits = field(default_factory=Limits)
    apply: ApplyMode = "review"
    expects: tuple[str, ...] = ()
    expects_answer: bool = False
    allowed: tuple[Rule, ...] = ()
    wait_s: float = WAIT_S
    catch_up_s: float = CATCH_UP_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a schedule stands. `looked`: every time up to this one was dealt with.

    `agreed`: digest of what the user agreed to after a dry run, empty before. `why`: of its state, for people.
    """

    schedule: Schedule
    state: ScheduleState
    looked: str
    agreed: str = ""
    agreed_at: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """One time that a schedule was due, and what became of it; there is at most one for a schedule and time.

    `until`, `count`: a skipped one may stand for several, from `due` to `until`. `thread`: where its run is,
    chosen before the run begins. `note`: what brought it, where that is not the time alone. `why`: the reason for its state. `attempts`: how often a process took it up.
    `deadline`: of a waiting one, when the answer is no. `ended`: when its state became final.
    """

    schedule: str
    due: str
    trigger: Trigger
    state: DueState
    thread: str = ""
    note: str = ""
    why: str = ""
    until: str = ""
    count: int = 1
    attempts: int = 0
    claimed: str = ""
    started: str = ""
    ended: str = ""
    deadline: str = ""
