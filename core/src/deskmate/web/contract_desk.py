"""What travels of the things around threads: inbox, schedules, tables, connectors, projects, health; part of the contract."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from deskmate.host.attachments import Upload as Upload
from deskmate.host.inbox import Kind
from deskmate.types.files import GrantMode
from deskmate.types.policy import Mode, Rule
from deskmate.types.registry import Risk
from deskmate.types.schedules import DueState, ScheduleState, Trigger
from deskmate.types.tables import Cell, CellStatus, ColumnKind, RowState
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
class TableRow:
    """A table in the list. `cells`: status → how many. `working`: a process is at work on it now."""

    id: str
    question: str
    made: str
    model: str
    rows: int
    done: int
    cells: Mapping[str, int]
    cost_usd: float
    budget_usd: float | None
    calls: int
    working: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TableRows:
    """All tables, the newest first."""

    rows: tuple[TableRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Heading:
    """A column of a table: one question to every document."""

    name: str
    question: str
    kind: ColumnKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Brief:
    """A cell without its evidence. `unit`: of money."""

    status: CellStatus
    value: str
    unit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One document's answers, in the order of the columns."""

    number: int
    document: str
    state: RowState
    cells: tuple[Brief, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Some rows of a table, from the one after `after`."""

    table: TableRow
    columns: tuple[Heading, ...]
    after: int
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One document's answers with what they rest on."""

    number: int
    path: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolRow:
    """A tool of a connector. `decision`: empty: asked about as the thread's rules say. `risk`: as the user says it.

    `says`: what the server says of it, unverified. `off`: why no thread is offered it.
    """

    name: str
    about: str
    decision: str
    risk: Risk
    says: str
    off: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectorRow:
    """A connector with its tools. `login`: how its login stands; empty: it wants none. `secrets`: those that lack."""

    name: str
    url: str
    server: str
    categories: tuple[str, ...]
    of: str
    login: Literal["", "in", "out"]
    secrets: tuple[str, ...]
    tools: tuple[ToolRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Connectors:
    """All connectors by name."""

    rows: tuple[ConnectorRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tested:
    """What a server answered. `added`, `gone`, `changed`: how it differs from what was accepted."""

    server: str
    tools: int
    added: tuple[str, ...]
    gone: tuple[str, ...]
    changed: tuple[str, ...]


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
