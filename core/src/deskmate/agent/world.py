"""What a driver is built from: the ports it acts through and how the thread is set up."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from deskmate.ports import (
    Approver,
    Blobs,
    Clock,
    Connector,
    MakeEgress,
    Memory,
    Model,
    Sandbox,
    Store,
    ToolOutcome,
    Waiting,
)
from deskmate.types.files import Entry
from deskmate.types.hooks import HookSpec
from deskmate.types.ids import Digest
from deskmate.types.policy import Rule
from deskmate.types.registry import Registry

TakeBase = Callable[[], tuple[Entry, ...]]
"""Return the granted folders' entries by path; a file's digest only where its content is in the blobs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """Files that were read into the blobs. `entries`: as they were then. `lost`: path → why it was not.

    `held`: content that is still in memory, to spare who lays it now the way through the blobs.
    """

    entries: tuple[Entry, ...] = ()
    lost: Mapping[str, str] = field(default_factory=dict)
    held: Mapping[Digest, bytes] = field(default_factory=dict, repr=False)


TakeContent = Callable[[Sequence[Entry]], Taken]
"""Read these files of the granted folders, as they are now, into the blobs."""


def _take_nothing(wanted: Sequence[Entry]) -> Taken:
    return Taken(lost={entry.path: "it cannot be read" for entry in wanted})


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """The adapters of the ports. `redact`: takes known secrets out of what a tool gave.

    `answers_by`: whose word the approver's last answer was, for the log. `waiting`: what the user says meanwhile.
    `memory`: of the thread's project. `model_for`: the model that a role wishes for, None where the run's own is to be used.
    """

    store: Store
    model: Model
    sandbox: Sandbox
    approver: Approver
    blobs: Blobs
    clock: Clock
    connectors: Mapping[str, Connector] = field(default_factory=dict)
    redact: Callable[[ToolOutcome], ToolOutcome] = lambda outcome: outcome
    answers_by: Callable[[], str] = lambda: "user"
    waiting: Waiting | None = None
    memory: Memory | None = None
    model_for: Callable[[str], Model | None] = lambda name: None


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """How this thread works.

    `registry`: what the enabled plugins bring. `plugins`: their names, in order. `config`: plugin →
    setting → value. `take_base`, `take_content`: blocking, run in a thread of their own. `tools_off`: why there is no
    virtual machine, empty if there is one; its tools are then not offered, and never run elsewhere. `egress`:
    makes each machine's way out; None: there is none. `rules`: of the user on connectors' tools, in every thread.
    `connected`: what a text may call a connector → its name. `subagents`: how many may work at once, 0: there are none.
    `hooks`: commands that the user approved. `sources`: connectors whose answers may name pages to read.
    """

    registry: Registry
    plugins: tuple[str, ...]
    take_base: TakeBase
    take_content: TakeContent = _take_nothing
    config: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    tools_off: str = ""
    egress: MakeEgress | None = None
    rules: tuple[Rule, ...] = ()
    connected: Mapping[str, str] = field(default_factory=dict)
    subagents: int = 0
    hooks: tuple[HookSpec, ...] = ()
    sources: frozenset[str] = frozenset()
