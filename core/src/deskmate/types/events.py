"""The facts of a thread: one class a kind, immutable, in the order they happened.

An event's kind is its class name in the log. The log is the only truth; all else is computed from it.
Intent first: what has an effect outside (`ModelAsked`, `ToolStarted`, `ApplyStarted`) is stored before
the effect, its outcome after.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from deskmate.types.connectors import ConnectorsSet
from deskmate.types.files import ApplyMode, Deliverable, Evidence, Grant
from deskmate.types.findings import Finding
from deskmate.types.ids import Digest, RunId, ThreadId, ToolUseId
from deskmate.types.limits import Limits, Usage
from deskmate.types.messages import Block
from deskmate.types.network import NetworkRule, SecretGrant
from deskmate.types.policy import Rules

StopReason = str
Outcome = Literal["ok", "error", "denied", "timeout", "interrupted", "unknown"]
FinishReason = Literal["done", "rejected", "needs_you", "over_budget", "stopped", "failed"]


ERASED = "[erased]"
"""Stands where something personal was erased."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadCreated:
    """The first event of every thread."""

    thread: ThreadId
    title: str
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadForked:
    """The first event of a fork: `parent`'s events up to `seq` follow, with their times, in this log.

    `head`: the hash of the last of them in the parent's log. What comes after them is the fork's own.
    """

    thread: ThreadId
    parent: ThreadId
    seq: int
    head: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadRenamed:
    """The user gave the thread another title."""

    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadMarked:
    """Where the user wants the thread in lists: pinned on top, or archived out of sight."""

    pinned: bool = False
    archived: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginsSet:
    """The thread's enabled plugins from now on. `lock`: digest of the set; `versions`: name → version.

    `permissions`: name → digest of what the user let it do.
    """

    lock: Digest
    versions: Mapping[str, str]
    permissions: Mapping[str, Digest] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantsSet:
    """The thread's folders from now on."""

    grants: tuple[Grant, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class KindsSeen:
    """Kinds of files that are in the thread's folders and were not known before: suffixes such as `.pdf`.

    `*`: there are more files than were looked at, so that any kind may be there.
    """

    kinds: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TextTaken:
    """The words of a document, taken out of it in the machine for the search. `words`: blob of text, bounded.

    `sha256`: of the document, whose words do not change.
    """

    path: str
    sha256: Digest
    words: Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectSet:
    """The thread's project from now on; an empty `project`: none.

    `instructions`: as they hold from now on. `grants`, `plugins`: what the thread has from the project, and
    not from the user directly.
    """

    project: str
    name: str = ""
    instructions: str = ""
    grants: tuple[Grant, ...] = ()
    plugins: tuple[str, ...] = ()


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
class BaseTaken:
    """The granted folders were listed. `manifest`: blob with the entries; small folders' content is in blobs."""

    manifest: Digest
    files: int
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentTaken:
    """Files of the base were read when first needed. `manifest`: blob with their entries as they then were.

    These replace the base's. `lost`: path → why it could not be read; it is no longer in the base.
    """

    manifest: Digest
    files: int
    size: int
    lost: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxOpened:
    """A VM was restored for this thread. `isolation`: as `doctor` says it. `restored`: seconds."""

    machine: str
    template: Digest
    isolation: str
    checkpoint: Digest | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelAsked:
    """Intent: a request is about to be sent. `request`: digest of the canonical request."""

    turn: int
    model: str
    request: Digest


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
    """An attempt ended without a complete reply; nothing of it is history."""

    turn: int
    error: str
    retryable: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicySet:
    """What the user decided for the thread's tools from now on."""

    rules: Rules


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalAsked:
    """A call waits for the user. `arguments`: digest of the canonical arguments.

    A request of the VM itself has no `tool_use_id`, and in `shown` what the user is shown of it: all that
    it would send. `expires`: from then on the answer is no.
    """

    tool_use_id: ToolUseId
    tool: str
    arguments: Digest
    why: str
    shown: Mapping[str, Any] = field(default_factory=dict)
    expires: str = ""


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
    it holds the user's data from elsewhere than the granted folders.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointMade:
    """The overlay's difference and the home folder are in blobs. `manifest`: blob with their list."""

    manifest: Digest
    files: int
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangesStaged:
    """The run's change set. `difference`: blob; counts for people."""

    run: RunId
    difference: Digest
    created: int
    modified: int
    deleted: int
    refused: Mapping[str, str] = field(default_factory=dict)
    deliverables: tuple[Deliverable, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Validated:
    """The clean room's verdict. `inputs`: digest over deliverables, sources and rules."""

    run: RunId
    inputs: Digest
    rules: tuple[str, ...]
    findings: tuple[Finding, ...] = ()
    passed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliverableSigned:
    """A person signed a deliverable: these very bytes, no other version. `path`: in the workspace.

    `name`, `role`: as they gave them; who sits at the machine is not known to it. `run`: whose deliverable it is.
    """

    run: RunId
    path: str
    sha256: Digest
    name: str
    role: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFinished:
    """The run's honest end. `text`: one line for the user."""

    run: RunId
    reason: FinishReason
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyStarted:
    """Intent: a plan of file changes is about to be carried out. `plan`: blob.

    `by`: `user`, or `policy` where the thread's mode applies without a review; empty in old logs.
    """

    plan: Digest
    undo_of: Digest | None = None
    by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyFinished:
    """The plan was carried out whole (`applied`) or not at all. `text`: why not.

    `left`: how many changes of the set stay staged; None for an undo, and in old logs.
    """

    plan: Digest
    applied: bool
    text: str = ""
    left: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangesDiscarded:
    """The user threw a change set away, or these paths of it; its content stays in blobs until collected.

    `left`: how many changes of the set stay staged, None where that is not known.
    """

    difference: Digest
    paths: tuple[str, ...] = ()
    left: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """Something was asked for and not done: policy, grant, protocol, limit."""

    what: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Erased:
    """The user had what is personal in these events removed for good. `why`: as the user put it."""

    seqs: tuple[int, ...]
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkSet:
    """What the thread may reach from now on, as the user agreed; everything else is refused.

    Byte budgets begin anew with it.
    """

    rules: tuple[NetworkRule, ...]
    secrets: tuple[SecretGrant, ...] = ()


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
    | UserSaid
    | RunResumed
    | BaseTaken
    | ContentTaken
    | SandboxOpened
    | ModelAsked
    | ModelReplied
    | ModelFailed
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
    | EgressAsked
    | EgressEnded
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
