"""What travels between the server and the page: one frozen dataclass a thing. `web/src/contract.gen.ts` is made of it.

A class with a `kind` is one of a union, told apart by it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from deskmate.types.events import FinishReason
from deskmate.types.events import Outcome as ToolEnd
from deskmate.types.files import ApplyMode, GrantMode
from deskmate.types.findings import Finding
from deskmate.web import contract_welcome
from deskmate.web.contract_changes import Changes as Changes
from deskmate.web.contract_changes import Differences as Differences
from deskmate.web.contract_changes import Item as Item
from deskmate.web.contract_changes import Pages as Pages
from deskmate.web.contract_changes import Written as Written
from deskmate.web.contract_desk import Connectors as Connectors
from deskmate.web.contract_desk import Evidence as Evidence
from deskmate.web.contract_desk import Health as Health
from deskmate.web.contract_desk import Inbox as Inbox
from deskmate.web.contract_desk import Pairing as Pairing
from deskmate.web.contract_desk import Policy as Policy
from deskmate.web.contract_desk import Projects as Projects
from deskmate.web.contract_desk import Queued as Queued
from deskmate.web.contract_desk import ScheduleRows as ScheduleRows
from deskmate.web.contract_desk import ScheduleWhole as ScheduleWhole
from deskmate.web.contract_desk import TableRows as TableRows
from deskmate.web.contract_desk import Tested as Tested
from deskmate.web.contract_desk import Upload as Upload
from deskmate.web.contract_desk import Waits as Waits
from deskmate.web.contract_desk import Window as Window

Group = Literal["needs you", "working", "pinned", "other", "archived"]
StepState = Literal["todo", "doing", "done"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One line of the agent's plan."""

    text: str
    state: StepState = "todo"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """The model wants a tool. `sentence`: in human words. `question`, `choices`: where it asks the user.

    `steps`: where it tells its plan. `arguments`: name → value as a short text.
    """

    id: str
    tool: str
    sentence: str
    arguments: Mapping[str, str] = field(default_factory=dict)
    question: str = ""
    choices: tuple[str, ...] = ()
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file that is presented as a result."""

    path: str
    title: str
    role: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """The user asked for something. `queued`: the message that had waited for it, if one did."""

    text: str
    model: str
    queued: str
    kind: Literal["said"] = "said"


@dataclass(frozen=True, slots=True, kw_only=True)
class Replied:
    """The model's finished message. `cost_usd`: None where the price is not known."""

    text: str
    label: str
    calls: tuple[Call, ...]
    tokens: int
    cost_usd: float | None
    kind: Literal["replied"] = "replied"


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """A tool call began."""

    use: str
    kind: Literal["started"] = "started"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """The result of a tool call. `text`: at most a few thousand characters of it; `cut`: there is more."""

    use: str
    outcome: ToolEnd
    text: str
    cut: bool
    files: tuple[File, ...]
    wrote: bool
    kind: Literal["finished"] = "finished"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A call waits for the user. `use`, `arguments`: what an answer must name. `shown`: all that it would do."""

    use: str
    arguments: str
    title: str
    why: str
    shown: Mapping[str, str]
    sends: bool
    expires: str
    kind: Literal["asked"] = "asked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """The decision on one call. `by`: the user, or the deadline."""

    use: str
    arguments: str
    allow: bool
    by: str
    kind: Literal["answered"] = "answered"


@dataclass(frozen=True, slots=True, kw_only=True)
class Staged:
    """The run's changes wait for a review."""

    run: str
    created: int
    modified: int
    deleted: int
    files: tuple[File, ...]
    refused: Mapping[str, str]
    kind: Literal["staged"] = "staged"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """The clean room's verdict."""

    passed: bool
    rules: int
    findings: tuple[Finding, ...]
    kind: Literal["checked"] = "checked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """The run's honest end."""

    reason: FinishReason
    text: str
    kind: Literal["ended"] = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """A plan of file changes was carried out, or not. `plan`: names it for an undo."""

    plan: str
    undo: bool
    by: str
    applied: bool
    text: str
    left: int | None
    kind: Literal["applied"] = "applied"


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    """One line of what happened beside the work. `level`: attention is for what the user should see."""

    text: str
    level: Literal["quiet", "attention"] = "quiet"
    kind: Literal["noted"] = "noted"


Body = (
    Said
    | Replied
    | Started
    | Finished
    | Asked
    | Answered
    | Staged
    | Checked
    | Ended
    | Applied
    | Noted
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One event of a thread's log as the page shows it."""

    seq: int
    time: str
    body: Body


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A thread in the list. `fact`: what is to know of it in a word or two. `events`: length of its log.

    `project`: the id of its project, empty without one.
    """

    id: str
    title: str
    state: str
    group: Group
    fact: str
    changed: str
    events: int
    pending: int
    pinned: bool
    archived: bool
    project: str
    problem: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """A folder that a thread may use."""

    name: str
    folder: str
    mode: GrantMode


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """The run that is under way in the server. `text`: what was asked. `said`: the reply as far as it came."""

    text: str
    said: str
    doing: str
    done: int
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """What went wrong, and what to do."""

    message: str
    hint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Thread:
    """A thread whole, or what is new in it. `next`: ask for what comes after this event. `queued`: not heard yet."""

    row: Row
    entries: tuple[Entry, ...]
    next: int
    folders: tuple[Folder, ...]
    plugins: Mapping[str, str]
    model: str
    apply: ApplyMode
    budget_usd: float | None
    hosts: tuple[str, ...]
    isolation: str
    live: Live | None
    trouble: Trouble | None
    forked_from: str
    queued: tuple[Queued, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Threads:
    """All threads, those that need the user first."""

    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A thread was made, or work began in it."""

    thread: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A place where words were found; the found ones stand in ⟦ ⟧."""

    thread: str
    title: str
    changed: str
    seq: int
    snippet: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Finds:
    """What a search found, best first."""

    hits: tuple[Found, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A folder in the picker."""

    name: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """The folders in a folder of the machine that serves the page."""

    path: str
    parent: str
    folders: tuple[Place, ...]
    files: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Plugin:
    """A plugin that can be used. `permissions`: what it brings and may do. `wants`: what nobody agreed to yet."""

    name: str
    title: str
    summary: str
    version: str
    permissions: tuple[str, ...]
    wants: tuple[str, ...]
    problem: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelChoice:
    """A model that can be chosen. `lacks`: what it needs and is not there."""

    name: str
    title: str
    lacks: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A browser that is signed in. `here`: it is this one."""

    id: str
    name: str
    made: str
    seen: str
    here: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What the page needs of its server at first."""

    version: str
    home: str
    models: tuple[ModelChoice, ...]
    model: str
    plugins: tuple[Plugin, ...]
    devices: tuple[Device, ...]
    build: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A request was not carried out: what happened, and what to do."""

    error: str
    hint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reset:
    """The page missed something: it must read anew what it shows."""

    kind: Literal["reset"] = "reset"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """An event was stored in a thread."""

    thread: str
    entry: Entry
    kind: Literal["stored"] = "stored"


@dataclass(frozen=True, slots=True, kw_only=True)
class Streamed:
    """More of a reply. `at`: how many characters of it came before."""

    thread: str
    at: int
    text: str
    kind: Literal["streamed"] = "streamed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What goes on now, in one line."""

    thread: str
    text: str
    done: int
    total: int
    kind: Literal["progress"] = "progress"


@dataclass(frozen=True, slots=True, kw_only=True)
class Working:
    """A run began or is over in the server. `trouble`: why it broke off."""

    thread: str
    working: bool
    trouble: Trouble | None
    kind: Literal["working"] = "working"


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A thread stands in the list as this from now on."""

    row: Row
    kind: Literal["listed"] = "listed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Unlisted:
    """A thread is gone from the list."""

    thread: str
    kind: Literal["unlisted"] = "unlisted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """What waits in a thread to be heard by its run."""

    thread: str
    messages: tuple[Queued, ...]
    kind: Literal["queue"] = "queue"


Message = Reset | Stored | Streamed | Progress | Working | Listed | Unlisted | Queue

ROOTS = (
    Entry,
    Thread,
    Threads,
    Made,
    Finds,
    Changes,
    Differences,
    Written,
    Pages,
    Listing,
    Desk,
    Inbox,
    ScheduleRows,
    ScheduleWhole,
    TableRows,
    Window,
    Evidence,
    Connectors,
    Tested,
    Projects,
    Health,
    Upload,
    Pairing,
    Policy,
    Failure,
    *contract_welcome.ROOTS,
)
"""What routes answer; with `Message` all that the page has to know."""
