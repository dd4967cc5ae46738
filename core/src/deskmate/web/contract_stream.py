"""What the one stream tells every open page; part of the contract."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from deskmate.types.waiting import Queued
from deskmate.web.contract_log import Entry

Group = Literal["needs you", "working", "pinned", "other", "archived"]


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
class Trouble:
    """What went wrong, and what to do."""

    message: str
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
