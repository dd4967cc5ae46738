"""What travels of the things around threads: inbox, schedules, tables, connectors, projects, health; part of the contract."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from deskmate.host.attachments import Upload as Upload
from deskmate.host.inbox import Kind
from deskmate.types.files import GrantMode
from deskmate.types.policy import Mode, Rule
from deskmate.types.schedules import DueState, ScheduleState, Trigger
from deskmate.types.waiting import Queued as Queued


@dataclass(frozen=True, slots=True, kw_only=True)
class Waits:
    """One thing that waits for the user. `use`, `arguments`: what an answer to an approval must name.

    `sentence`: what an approval is for; `shown`: all that it would do, name and value; `sends`: it leaves this
    computer. `deadline`: from then on the answer is no.
    """

    id: str
    kind: Kind
    thread: str
    title: str
    text: str
    since: str
    deadline: str
    schedule: str
    sentence: str
    why: str
    shown: tuple[str, ...]
    choices: tuple[str, ...]
    use: str
    arguments: str
    sends: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Inbox:
    """Everything that waits: questions first, then what failed, then what is finished."""

    items: tuple[Waits, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What became of one time that a schedule was due. `count`: it stands for so many, up to `until`."""

    due: str
    until: str
    count: int
    trigger: Trigger
    state: DueState
    why: str
    note: str
    thread: str
    deadline: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleRow:
    """A schedule in the list. `when`: in words. `next`: the next moments at which it is due."""

    id: str
    name: str
    state: ScheduleState
    why: str
    when: str
    zone: str
    text: str
    next: tuple[str, ...]
    last: Turn | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleRows:
    """All schedules. `served`: a process carries them out now."""

    served: bool
    rows: tuple[ScheduleRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleWhole:
    """A schedule with all that was agreed to, and what became of it, the newest first.

    `may_agree`: it is a draft whose last dry run succeeded. `facts`: name → words.
    """

    row: ScheduleRow
    facts: Mapping[str, str]
    history: tuple[Turn, ...]
    may_agree: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectRow:
    """A project: what several threads share."""

    id: str
    name: str
    instructions: str
    folders: tuple[Granted, ...]
    plugins: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Projects:
    """All projects by name."""

    rows: tuple[ProjectRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Granted:
    """A folder that every thread of a project may use."""

    folder: str
    mode: GrantMode


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckRow:
    """One thing that Deskmate needs. `curable`: a button can do something about it."""

    name: str
    state: Literal["ok", "warn", "fail"]
    cause: str
    cure: str
    curable: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """What works on this computer and what does not. `did`: what the last cure did."""

    checks: tuple[CheckRow, ...]
    did: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairing:
    """How another device is let in. `name`: under which it reaches the page; empty: there is no way yet.

    `rows`: of the picture, 1 for a dark dot. `seconds`: how long its code works, once.
    """

    name: str
    port: int
    rows: tuple[str, ...]
    seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What holds for a thread's tools. `budget_usd`: what all its runs together may cost; None: no limit."""

    mode: Mode
    rules: tuple[Rule, ...]
    budget_usd: float | None
