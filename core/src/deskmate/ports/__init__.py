"""What the agent needs of the world. Adapters implement these; `host.py` wires them.

All methods are async and may be cancelled. Errors: see each method; anything else is a defect.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

from deskmate.ports.engines import Counts, Engine, Item, Pool, PoolMember, Work
from deskmate.ports.models import (
    Batched,
    Batches,
    BatchState,
    Model,
    ModelReply,
    ModelRequest,
    Windowed,
)
from deskmate.types.connectors import Given, Question
from deskmate.types.events import Event, Payload
from deskmate.types.files import (
    Deliverable,
    Difference,
    EarlierResults,
    Entry,
    Evidence,
    Grant,
    KeptFile,
)
from deskmate.types.findings import Finding
from deskmate.types.ids import Digest, ThreadId
from deskmate.types.memory import MemoryNote
from deskmate.types.messages import Picture
from deskmate.types.network import Sending
from deskmate.types.registry import Registry, ToolSpec
from deskmate.types.waiting import Queued

if TYPE_CHECKING:
    from anyio.abc import ByteStream

__all__ = [
    "Approver",
    "BatchState",
    "Batched",
    "Batches",
    "BlobReader",
    "Blobs",
    "CallState",
    "Clock",
    "Connector",
    "Counts",
    "Delta",
    "Egress",
    "Engine",
    "Flavour",
    "Gatekeeper",
    "Item",
    "Machine",
    "MakeEgress",
    "Memory",
    "Model",
    "ModelReply",
    "ModelRequest",
    "Observer",
    "Pool",
    "PoolMember",
    "Progress",
    "Record",
    "Sandbox",
    "SandboxSpec",
    "SourceFile",
    "Store",
    "ToolOutcome",
    "ValidationReport",
    "ValidationRequest",
    "Waiting",
    "Windowed",
    "Work",
]

Progress = Callable[[str], None]
"""Told one short line about what is going on now; must not block."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolOutcome:
    """What a tool call gave. `structured`: the tool's JSON result where it has one.

    `needs`: workspace paths that it looked for and whose content was not in the machine. `held`: content of evidence
    that is in no granted folder, of pictures, and of files that are `kept`, by digest. `question`: what a connector's
    server has to know of the user first; the call is made again with the answer. `pictures`: what it shows to the model.
    """

    text: str
    is_error: bool = False
    structured: Any = None
    evidence: tuple[Evidence, ...] = ()
    deliverables: tuple[Deliverable, ...] = ()
    wrote: bool = False
    needs: tuple[str, ...] = ()
    held: Mapping[Digest, bytes] = field(default_factory=dict, repr=False)
    question: Question | None = None
    pictures: tuple[Picture, ...] = ()
    kept: tuple[KeptFile, ...] = ()


CallState = Literal["unknown", "running", "finished"]


class Egress(Protocol):
    """The host's end of one VM's `egress` port: the only way out of the VM."""

    @property
    def trust(self) -> str:
        """The certificates that the guest is to trust, as PEM."""

    @property
    def stand_ins(self) -> Mapping[str, Mapping[str, str]]:
        """Plugin → secret → what the guest sends in its place; the host puts the secret there."""

    async def serve(self, port: ByteStream) -> None:
        """Serve the port until the VM is gone.

        Raises ProtocolError when the guest broke the rules of the port; the VM is then to be killed.
        """


Record = Callable[[Payload], Awaitable[None]]
"""Stores one fact of the thread durably before it returns."""


class Gatekeeper(Protocol):
    """Asks the user about what a VM wants to send."""

    def asks(self, method: str, *, trusted: bool) -> bool:
        """Say whether such a request has to be asked about now."""

    async def permit(self, sending: Sending) -> None:
        """Return if the request may go, which is stored. Raises ToolDenied, and what the store raises."""

    def place_of(self, address: str) -> str:
        """Return where the address of a page stands in the thread, "" if nowhere that counts."""


MakeEgress = Callable[[Record, Gatekeeper], Egress]
"""Makes the broker of one VM; every VM gets one of its own."""

Flavour = Literal["base", "office"]
"""Which image a VM is of: every thread's, or the one that also renders and recalculates documents."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxSpec:
    """What a thread's VM is to be. `plugins`: names, in order; `config`: plugin → setting → value.

    `egress`: serves the VM's way out; None: there is none.
    `flavour`: the least that the VM's image has; plugins that need more of the system get more.
    """

    thread: ThreadId
    plugins: tuple[str, ...]
    grants: tuple[Grant, ...] = ()
    config: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    egress: Egress | None = None
    flavour: Flavour = "base"


class BlobReader(Protocol):
    """Content by digest."""

    def read(self, digest: Digest) -> bytes:
        """Return the whole content. Raises CorruptData if it is missing or damaged."""

    def chunks(self, digest: Digest) -> Iterable[bytes]:
        """Yield the content in pieces of at most 1 MiB."""

    def has(self, digest: Digest) -> bool:
        """Say whether the content is here."""


class Blobs(BlobReader, Protocol):
    """Content-addressed store; what is put stays until the store's own collection removes it."""

    def put(self, content: bytes | Iterable[bytes]) -> Digest:
        """Store content durably and return its sha256; storing twice costs nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFile:
    """An original that the host holds: the workspace path it had, and its content's digest."""

    path: str
    sha256: Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidationRequest:
    """What goes into the clean room. `files`: workspace path → digest of every deliverable's content.

    `facts`: what the host itself knows of the run: `{"date": ..., "paths_read": [...], ...}`. `config`:
    plugin → setting → value.
    """

    deliverables: tuple[Deliverable, ...]
    files: Mapping[str, Digest]
    sources: tuple[SourceFile, ...]
    evidence: tuple[Evidence, ...]
    facts: Mapping[str, Any]
    config: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidationReport:
    """Findings, and the ids of the rules that really ran."""

    findings: tuple[Finding, ...]
    rules: tuple[str, ...]


class Machine(Protocol):
    """One running VM (or its double). Every method may raise SandboxUnavailable."""

    @property
    def id(self) -> str:
        """Unique per restore."""

    @property
    def isolation(self) -> str:
        """What `doctor` says of the walls: such as "hardware" or "emulated (not a boundary)"."""

    @property
    def template(self) -> Digest:
        """Key of the template it was restored from."""

    async def put_base(
        self, entries: Sequence[Entry], blobs: BlobReader, progress: Progress
    ) -> None:
        """Lay the granted folders' files into the workspace as the read-only base, once.

        Of files without a digest only name, size and time are told; tools list them.
        """

    async def put_content(
        self,
        entries: Sequence[Entry],
        gone: Sequence[str],
        blobs: BlobReader,
        progress: Progress,
        *,
        more: bool = False,
    ) -> None:
        """Lay the content of files that `put_base` only named. Never while a call runs.

        `gone`: such files that are no longer there; they are not listed any more. `more`: further parts
        follow at once, and a machine may wait with all of them for the last; a call before it drops them.
        """

    async def put_checkpoint(
        self, changes: Difference, home: Sequence[Entry], blobs: BlobReader
    ) -> None:
        """Bring the overlay and the home folder to a checkpoint's state."""

    async def put_results(self, told: EarlierResults, blobs: BlobReader) -> None:
        """Tell each plugin's tools what they presented in earlier machines, and what that was made from."""

    async def call(
        self,
        tool: str,
        arguments: Mapping[str, Any],
        *,
        key: str,
        timeout_s: float,
        on_progress: Progress,
    ) -> ToolOutcome:
        """Run one tool under `key`; the same key never runs twice on one machine.

        Raises SandboxUnavailable if the answer was lost: ask `status` of this or the next machine.
        A tool that fails or times out is an outcome with `is_error`, not an exception.
        """

    async def status(self, key: str) -> tuple[CallState, ToolOutcome | None]:
        """Ask the guest's ledger what became of a key."""

    async def difference(
        self, base: Sequence[Entry], blobs: Blobs
    ) -> tuple[Difference, tuple[Entry, ...]]:
        """Return what the workspace changed against `base`, and the home folder's entries.

        The content of every regular file in them is in `blobs` afterwards.
        """

    async def validate(self, request: ValidationRequest, blobs: BlobReader) -> ValidationReport:
        """Run all output validators over the deliverables. Clean-room machines only.

        A rule that crashes or times out is an error finding of that rule.
        """

    async def alive(self) -> bool:
        """Ping; False when it does not answer within its heartbeat."""


class Sandbox(Protocol):
    """Where tools and validators run."""

    async def registry(self, plugins: Sequence[str], progress: Progress) -> Registry:
        """Return what the plugins bring, as reported by the guest and checked against manifests."""

    def open(self, spec: SandboxSpec, progress: Progress) -> AbstractAsyncContextManager[Machine]:
        """Restore a VM for a thread; on exit it is gone. Raises SandboxMissing, SandboxUnavailable."""

    def clean_room(
        self, plugins: Sequence[str], progress: Progress, flavour: Flavour = "base"
    ) -> AbstractAsyncContextManager[Machine]:
        """Restore a pristine VM without grants for one validation. `flavour`: the least that its image has."""

    async def lacks(self, flavour: Flavour) -> str:
        """Return in one line why there can be no VM of this flavour, with the cure; "" if there can."""

    def pooled(self) -> AbstractAsyncContextManager[None]:
        """While this lasts, VMs may be restored ahead of need. What is handed out is as fresh as ever."""


class Store(Protocol):
    """The log of one thread. One writer at a time, enforced."""

    @property
    def thread(self) -> ThreadId:
        """Whose log it is."""

    async def append(self, *payloads: Payload) -> tuple[Event, ...]:
        """Store payloads durably, all or none, and return the events."""

    async def events(self, after: int = 0) -> tuple[Event, ...]:
        """Return all events with a `seq` greater than `after`, in order."""


class Memory(Protocol):
    """The notes of one project, which the user can read, change and remove."""

    @property
    def project(self) -> str:
        """The project's id."""

    async def notes(self) -> tuple[MemoryNote, ...]:
        """Return them as they are now, by name."""

    async def write(self, note: MemoryNote) -> None:
        """Store a note durably; one of the same name is replaced. Raises ToolInputError for one that cannot be."""


class Approver(Protocol):
    """The person, or what decides for them."""

    async def approve(self, tool: ToolSpec, arguments: Mapping[str, Any], why: str) -> bool | None:
        """Return the decision, or None when nobody can answer now (the run then parks)."""


class Waiting(Protocol):
    """What the user says to a run that is at work: it waits for the end of the step. Any process may add to it."""

    async def messages(self) -> Sequence[Queued]:
        """Return what waits, the oldest first."""

    async def drop(self, message: str) -> bool:
        """Forget a message by its id; False: it is gone already."""

    async def take_pause(self) -> bool:
        """Say whether the user wants the run to pause at the end of a step; that is said once."""


class Clock(Protocol):
    """Time, so that tests own it."""

    def now(self) -> str:
        """Wall clock as RFC 3339 UTC with microseconds."""

    def monotonic(self) -> float:
        """Seconds that only go forward."""

    async def sleep(self, seconds: float) -> None:
        """Wait."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delta:
    """Something to show now, beside the log: streamed text or a progress line."""

    kind: Literal["text", "progress"]
    text: str


Observer = Callable[[Event | Delta], None]
"""A front door's ear: told every event and delta, in order; must not block."""


class Connector(Protocol):
    """An MCP server outside the guest's plugins."""

    async def tools(self) -> tuple[ToolSpec, ...]:
        """Return its tools as last pinned."""

    async def call(
        self,
        tool: str,
        arguments: Mapping[str, Any],
        *,
        record: Record,
        on_progress: Progress,
        answers: Sequence[Given] = (),
    ) -> ToolOutcome:
        """Call one tool, by its wire name; `record` stores what is sent for it, before it is sent.

        `answers`: what the user said to the server's questions when it was called before.
        Raises ToolError where nothing was done, OutcomeUnknown if it was sent and the answer was lost.
        """
