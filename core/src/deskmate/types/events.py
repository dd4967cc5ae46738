"""The facts of a thread: one class a kind, immutable, in the order they happened.

An event's kind is its class name in the log. The log is the only truth; all else is computed from it.
Intent first: what has an effect outside (`ModelAsked`, `ToolStarted`, `ApplyStarted`) is stored before
the effect, its outcome after. Here are the facts of runs, and all kinds together; those of the thread itself
are in `thread_events`, those about files in `file_events`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from deskmate.types.connectors import ConnectorAsked, ConnectorsSet
from deskmate.types.file_events import (
    ApplyFinished,
    ApplyStarted,
    BaseTaken,
    ChangesDiscarded,
    ChangesStaged,
    CheckpointMade,
    ContentTaken,
    DeliverableSigned,
    Validated,
)
from deskmate.types.files import ApplyMode, Deliverable, Evidence, KeptFile
from deskmate.types.hook_events import HookFinished, HookStarted
from deskmate.types.ids import Digest, RunId, ToolUseId
from deskmate.types.limits import Limits, Usage
from deskmate.types.messages import Block, Picture
from deskmate.types.subagent_events import SubagentDid, SubagentStarted
from deskmate.types.thread_events import (
    Erased,
    GrantsSet,
    KindsSeen,
    MemoryTold,
    NetworkSet,
    PluginsSet,
    PolicySet,
    ProjectSet,
    Remembered,
    TextTaken,
    ThreadCreated,
    ThreadForked,
    ThreadMarked,
    ThreadRenamed,
)

__all__ = [
    "ERASED",
    "KINDS",
    "ApplyFinished",
    "ApplyStarted",
    "ApprovalAsked",
    "ApprovalGiven",
    "ApprovalUsed",
    "BaseTaken",
    "ChangesDiscarded",
    "ChangesStaged",
    "CheckpointMade",
    "Compacted",
    "ConnectorAsked",
    "ConnectorsSet",
    "ContentTaken",
    "DeliverableSigned",
    "EgressAsked",
    "EgressEnded",
    "Erased",
    "Event",
    "FinishReason",
    "GrantsSet",
    "HookFinished",
    "HookStarted",
    "KindsSeen",
    "MemoryTold",
    "ModelAsked",
    "ModelFailed",
    "ModelReplied",
    "NetworkSet",
    "Outcome",
    "Payload",
    "PluginsSet",
    "PolicySet",
    "ProjectSet",
    "Refused",
    "Remembered",
    "RunFinished",
    "RunResumed",
    "SandboxOpened",
    "StopReason",
    "SubagentDid",
    "SubagentStarted",
    "TextTaken",
    "ThreadCreated",
    "ThreadForked",
    "ThreadMarked",
    "ThreadRenamed",
    "ToolFinished",
    "ToolStarted",
    "UserSaid",
    "Validated",
]

StopReason = str
Outcome = Literal["ok", "error", "denied", "timeout", "interrupted", "unknown"]
FinishReason = Literal["done", "rejected", "needs_you", "over_budget", "stopped", "failed"]


ERASED = "[erased]"
"""Stands where something personal was erased."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UserSaid:
    """The user asked for something: a run begins, or a parked one goes on.

    `model`: the model that this run uses, as the user named it. `queued`: the message that had waited.
    """

    run: RunId
    text: str
    model: str
    limits: Limits = field(default_factory=Limits)
    apply: ApplyMode = "review"
    queued: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResumed:
    """A run goes on after its process ended early."""

    run: RunId


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxOpened:
    """A VM was restored for this thread. `isolation`: as `doctor` says it. `restored`: seconds."""

    machine: str
    template: Digest
    isolation: str
    checkpoint: Digest | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelAsked:
    """Intent: a request is about to be sent. `request`: digest of the canonical request.

    `size`: its characters, by which the tokens of later ones are estimated; 0 in old logs. `purpose`: `compact`
    where it asks for a summary of the conversation, else empty.
    """

    turn: int
    model: str
    request: Digest
    size: int = 0
    purpose: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelReplied:
    """The model's finished message. Only a complete reply becomes history."""

    turn: int
    model: str
    content: tuple[Block, ...]
    stop_reason: StopReason
    usage: Usage = field(default_factory=Usage)
    label: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFailed:
    """An attempt ended without a complete reply; nothing of it is history.

    `too_long`: the conversation does not fit the model's context window.
    """

    turn: int
    error: str
    retryable: bool
    too_long: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Compacted:
    """From now on the model is told in short what came before the reply `kept_turn` of the run `kept_run`.

    The log still has all of it: `retrievable` results can be read again with `thread__read`. What the user said is
    always told in full. `by`: who summarised, `rules` or a model; `summary`: its words. `kept_turns`: replies that are
    told as they were. `tokens_before`, `tokens_after`: of a request, estimated. `usage`: what the summary took.
    """

    turn: int
    by: str
    kept_run: RunId
    kept_turn: int
    kept_turns: int
    retrievable: int
    summary: str = ""
    tokens_before: int = 0
    tokens_after: int = 0
    usage: Usage = field(default_factory=Usage)

    @property
    def in_short(self) -> str:
        """What was done, in a few words for people."""
        by = "by rules" if self.by == "rules" else f"summary by {self.by}"
        kept = f"{self.kept_turns} turn{'' if self.kept_turns == 1 else 's'} kept as they were"
        return (
            f"{self.tokens_before:,} to {self.tokens_after:,} tokens, {by}; {kept}, "
            f"{self.retrievable} results can be read again"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalAsked:
    """A call waits for the user. `arguments`: digest of the canonical arguments.

    `definition`: of a connector's tool, which the digest then covers beside tool and arguments. A request of the VM itself has no `tool_use_id`, and in `shown` what the user is shown of it: all that
    it would send. `expires`: from then on the answer is no.
    """

    tool_use_id: ToolUseId
    tool: str
    arguments: Digest
    why: str
    shown: Mapping[str, Any] = field(default_factory=dict)
    expires: str = ""
    definition: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalGiven:
    """The decision on one call; single use, until `expires`.

    `by`: the user, the deadline of the question, or the schedule that the user agreed to (`schedule NAME`, `dry run`).
    """

    tool_use_id: ToolUseId
    arguments: Digest
    allow: bool
    by: str = "user"
    expires: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalUsed:
    """Intent: the request of the VM that was approved is about to be sent. A tool's is `ToolStarted`."""

    arguments: Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolStarted:
    """Intent: a tool call is about to be dispatched under `key`."""

    tool_use_id: ToolUseId
    tool: str
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolFinished:
    """The one result of a tool use. `text` is what the model sees, already bounded.

    `synthetic`: made by the host, because the call never ran or its answer was lost.
    `full`: blob with the whole text where it was cut. `untrusted`: others may have written it. `private`:
    it holds the user's data from elsewhere than the granted folders. `pictures`: what the model was shown beside it.
    `kept`: files that came with it, which the host keeps.
    """

    tool_use_id: ToolUseId
    tool: str
    outcome: Outcome
    text: str
    evidence: tuple[Evidence, ...] = ()
    deliverables: tuple[Deliverable, ...] = ()
    wrote: bool = False
    synthetic: bool = False
    full: Digest | None = None
    untrusted: bool = False
    private: bool = False
    pictures: tuple[Picture, ...] = ()
    kept: tuple[KeptFile, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFinished:
    """The run's honest end. `text`: one line for the user."""

    run: RunId
    reason: FinishReason
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """Something was asked for and not done: policy, grant, protocol, limit."""

    what: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EgressAsked:
    """The guest asked for something of the network; stored before anything is sent.

    `request`: unique in the thread. `allowed`: it is sent, else `why` not. `size`: bytes of its head and,
    where its length is told, of its body. `secrets`: names of those that the host adds. `stripped`: names
    of the headers that were taken out. `method` CONNECT: an opaque tunnel, or one that was not made.
    """

    request: str
    method: str
    host: str
    port: int
    path: str
    allowed: bool
    why: str
    size: int = 0
    secrets: tuple[str, ...] = ()
    stripped: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EgressEnded:
    """What became of an allowed request. `sent`, `received`: bytes of heads and bodies.

    `status`: of the answer, None if there was none. `why`: what ended it early.
    """

    request: str
    status: int | None
    sent: int
    received: int
    why: str = ""


Payload = (
    ThreadCreated
    | ThreadForked
    | ThreadRenamed
    | ThreadMarked
    | PluginsSet
    | GrantsSet
    | KindsSeen
    | TextTaken
    | ProjectSet
    | MemoryTold
    | Remembered
    | UserSaid
    | RunResumed
    | BaseTaken
    | ContentTaken
    | SandboxOpened
    | ModelAsked
    | ModelReplied
    | ModelFailed
    | Compacted
    | PolicySet
    | ApprovalAsked
    | ApprovalGiven
    | ApprovalUsed
    | ToolStarted
    | ToolFinished
    | CheckpointMade
    | ChangesStaged
    | Validated
    | DeliverableSigned
    | RunFinished
    | ApplyStarted
    | ApplyFinished
    | ChangesDiscarded
    | Refused
    | Erased
    | NetworkSet
    | ConnectorsSet
    | ConnectorAsked
    | EgressAsked
    | EgressEnded
    | SubagentStarted
    | SubagentDid
    | HookStarted
    | HookFinished
)

KINDS: Mapping[str, type[Any]] = {cls.__name__: cls for cls in Payload.__args__}
"""Kind in the log → class of its payload."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One fact in a thread's log.

    `seq`: dense, from 1. `time`: RFC 3339, UTC, microseconds. `hash`: hex sha256 over `prev_hash` and
    the canonical record; how it is computed stands in `deskmate.store.chain`.
    """

    seq: int
    time: str
    payload: Payload
    prev_hash: str
    hash: str

    @property
    def kind(self) -> str:
        """Name of the payload's class."""
        return type(self.payload).__name__
