"""What travels between the server and the page: one frozen dataclass a thing. `web/src/contract.gen.ts` is made of it.

A class with a `kind` is one of a union, told apart by it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from deskmate.types.files import ApplyMode, GrantMode
from deskmate.web import (
    contract_connectors,
    contract_files,
    contract_places,
    contract_tables,
    contract_welcome,
)
from deskmate.web.contract_changes import Changes as Changes
from deskmate.web.contract_changes import Differences as Differences
from deskmate.web.contract_changes import Item as Item
from deskmate.web.contract_changes import Pages as Pages
from deskmate.web.contract_changes import Written as Written
from deskmate.web.contract_desk import Health as Health
from deskmate.web.contract_desk import Inbox as Inbox
from deskmate.web.contract_desk import Pairing as Pairing
from deskmate.web.contract_desk import Policy as Policy
from deskmate.web.contract_desk import Projects as Projects
from deskmate.web.contract_desk import Queued as Queued
from deskmate.web.contract_desk import ScheduleRows as ScheduleRows
from deskmate.web.contract_desk import ScheduleWhole as ScheduleWhole
from deskmate.web.contract_desk import Upload as Upload
from deskmate.web.contract_desk import Waits as Waits
from deskmate.web.contract_log import Answered as Answered
from deskmate.web.contract_log import Applied as Applied
from deskmate.web.contract_log import Asked as Asked
from deskmate.web.contract_log import Blank as Blank
from deskmate.web.contract_log import Body as Body
from deskmate.web.contract_log import Call as Call
from deskmate.web.contract_log import Checked as Checked
from deskmate.web.contract_log import Choice as Choice
from deskmate.web.contract_log import Cite as Cite
from deskmate.web.contract_log import Ended as Ended
from deskmate.web.contract_log import Entry as Entry
from deskmate.web.contract_log import File as File
from deskmate.web.contract_log import Finished as Finished
from deskmate.web.contract_log import Kept as Kept
from deskmate.web.contract_log import Looked as Looked
from deskmate.web.contract_log import Noted as Noted
from deskmate.web.contract_log import Replied as Replied
from deskmate.web.contract_log import Said as Said
from deskmate.web.contract_log import Staged as Staged
from deskmate.web.contract_log import Started as Started
from deskmate.web.contract_log import Step as Step
from deskmate.web.contract_log import Wanted as Wanted
from deskmate.web.contract_stream import Group as Group
from deskmate.web.contract_stream import Listed as Listed
from deskmate.web.contract_stream import Message as Message
from deskmate.web.contract_stream import Progress as Progress
from deskmate.web.contract_stream import Queue as Queue
from deskmate.web.contract_stream import Reset as Reset
from deskmate.web.contract_stream import Row as Row
from deskmate.web.contract_stream import Stored as Stored
from deskmate.web.contract_stream import Streamed as Streamed
from deskmate.web.contract_stream import Trouble as Trouble
from deskmate.web.contract_stream import Unlisted as Unlisted
from deskmate.web.contract_stream import Working as Working


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
class Earlier:
    """What came before the entries that are told: up to event `seq`, what it cost, the plan, how often the user spoke."""

    seq: int
    cost_usd: float
    priced: bool
    said: int
    plan: tuple[Step, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Thread:
    """A thread's end, or what is new in it. `next`: ask for what comes after this event. `queued`: not heard yet."""

    row: Row
    entries: tuple[Entry, ...]
    earlier: Earlier
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
    """What the page needs of its server at first. `sample`: the plugin of the task to begin with, empty without one."""

    version: str
    home: str
    models: tuple[ModelChoice, ...]
    model: str
    plugins: tuple[Plugin, ...]
    sample: str
    devices: tuple[Device, ...]
    build: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A request was not carried out: what happened, and what to do."""

    error: str
    hint: str


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
    Projects,
    Health,
    Upload,
    Pairing,
    Policy,
    Failure,
    *contract_files.ROOTS,
    *contract_places.ROOTS,
    *contract_tables.ROOTS,
    *contract_connectors.ROOTS,
    *contract_welcome.ROOTS,
)
"""What routes answer; with `Message` all that the page has to know."""
