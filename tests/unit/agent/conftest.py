"""Small doubles for the agent's ports: a log, a clock, a person, a folder; all in memory."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from deskmate.agent.asking import Patience
from deskmate.agent.driver import Driver
from deskmate.agent.world import Setup, Taken, World
from deskmate.errors import SandboxUnavailable
from deskmate.ports import (
    Connector,
    Delta,
    Flavour,
    Machine,
    MakeEgress,
    Model,
    Progress,
    Sandbox,
    SandboxSpec,
    ToolOutcome,
    ValidationRequest,
    Waiting,
)
from deskmate.testing.fake_sandbox import FakeMachine, FakePlugin, FakeSandbox
from deskmate.testing.fake_workspace import Tree
from deskmate.testing.memory import MemoryBlobs
from deskmate.types.events import (
    ApplyFinished,
    ApplyStarted,
    Event,
    GrantsSet,
    Payload,
    PolicySet,
    ThreadCreated,
    ToolFinished,
    UserSaid,
)
from deskmate.types.files import Deliverable, Entry, Evidence, Grant
from deskmate.types.findings import Finding
from deskmate.types.hooks import HookSpec
from deskmate.types.ids import Digest, RunId, ThreadId
from deskmate.types.limits import Limits
from deskmate.types.policy import Rules
from deskmate.types.registry import Registry, RoleSpec, RuleSpec, SkillSpec, ToolSpec

THREAD = ThreadId("t-test")
START = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


def stamp(seconds: float) -> str:
    """RFC 3339 time so many seconds after the start."""
    return (START + timedelta(seconds=seconds)).isoformat(timespec="microseconds")


def log(*payloads: Payload, step_s: float = 1.0) -> tuple[Event, ...]:
    """Events for payloads, one step apart."""
    return tuple(
        Event(seq=n, time=stamp(n * step_s), payload=payload, prev_hash="", hash="")
        for n, payload in enumerate(payloads, 1)
    )


class Crash(BaseException):
    """The process died here."""


class MemoryStore:
    """A log in memory that can die before any append."""

    def __init__(self, payloads: Iterable[Payload] = ()) -> None:
        self.stored: list[Event] = []
        self.die_at: int | None = None
        self._add(tuple(payloads))

    @property
    def thread(self) -> ThreadId:
        return THREAD

    def _add(self, payloads: tuple[Payload, ...]) -> tuple[Event, ...]:
        first = len(self.stored) + 1
        new = tuple(
            Event(seq=n, time=stamp(n), payload=payload, prev_hash="", hash="")
            for n, payload in enumerate(payloads, first)
        )
        self.stored += new
        return new

    async def append(self, *payloads: Payload) -> tuple[Event, ...]:
        if self.die_at is not None and len(self.stored) >= self.die_at:
            raise Crash
        return self._add(payloads)

    async def events(self, after: int = 0) -> tuple[Event, ...]:
        return tuple(self.stored[after:])

    @property
    def payloads(self) -> list[Payload]:
        return [event.payload for event in self.stored]

    def of(self, kind: type[Any]) -> list[Any]:
        return [payload for payload in self.payloads if isinstance(payload, kind)]


class FakeClock:
    """Time that stands still; sleeping is noted and takes none."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def now(self) -> str:
        return stamp(0)

    def monotonic(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


class Person:
    """Gives prepared answers to approvals; None when they are used up."""

    def __init__(self, *answers: bool | None) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, Mapping[str, Any], str]] = []

    async def approve(self, tool: ToolSpec, arguments: Mapping[str, Any], why: str) -> bool | None:
        self.asked.append((tool.name, arguments, why))
        return self.answers.pop(0) if self.answers else None


def spec(name: str, risk: Any = "read", schema: Mapping[str, Any] | None = None) -> ToolSpec:
    """A tool of the plugin that its name begins with."""
    return ToolSpec(
        plugin=name.partition("__")[0],
        name=name,
        title=name,
        description="A tool.",
        input_schema=schema or {"type": "object"},
        risk=risk,
        timeout_s=5,
    )


def _memo(tree: Tree, arguments: Mapping[str, Any]) -> ToolOutcome:
    path = arguments.get("path", "docs/memo.md")
    tree.write(path, arguments.get("text", "All good.").encode())
    deliverable = Deliverable(path=path, title="Memo", role="memo")
    evidence = Evidence(id="e1", source=Digest("0" * 64), path="docs/a.txt", locator={"line": 1})
    return ToolOutcome(
        text='{"path": "docs/memo.md"}', deliverables=(deliverable,), evidence=(evidence,)
    )


def _present(tree: Tree, arguments: Mapping[str, Any]) -> ToolOutcome:
    return ToolOutcome(
        text="shown", deliverables=(Deliverable(path=arguments["path"], title="It", role="memo"),)
    )


def _no_todo(request: ValidationRequest, blobs: Any) -> Iterable[Finding]:
    for path, digest in request.files.items():
        if b"TODO" in blobs.read(digest):
            yield Finding(rule="T-TODO", level="error", message="There is a TODO.", path=path)


def lab_plugin() -> FakePlugin:
    """Tools that write, present, send and read, one rule and one skill."""
    return FakePlugin(
        tools={
            "lab__memo": (spec("lab__memo", "write"), _memo),
            "lab__present": (spec("lab__present"), _present),
            "lab__send": (spec("lab__send", "send"), lambda tree, arguments: "sent"),
        },
        rules={"T-TODO": (RuleSpec(plugin="lab", rule="T-TODO", title="No TODO."), _no_todo)},
        skills=(
            SkillSpec(plugin="lab", name="memo", description="Writes memos.", body="Be short."),
        ),
    )


class FlakySandbox:
    """The fake sandbox whose machines can be killed: before or after a tool, or at opening."""

    def __init__(self, plugins: Mapping[str, FakePlugin] | None = None) -> None:
        self.inner = FakeSandbox({"lab": lab_plugin(), **(plugins or {})})
        self.kill_before: list[str] = []
        self.kill_after: list[str] = []
        self.lose_answer: list[str] = []
        self.refuse_open: list[Exception] = []
        self.refuse_clean_room: list[Exception] = []
        self.calls: list[tuple[str, str]] = []
        self.opened = 0
        self.forget = False
        self.machines: list[FakeMachine] = []
        self.clean_rooms = 0
        self.egress: Any = None
        self.requests: list[Payload] = []
        self.flavours: list[str] = []
        self.lack = ""

    async def registry(self, plugins: Sequence[str], progress: Progress) -> Registry:
        return await self.inner.registry(plugins, progress)

    @asynccontextmanager
    async def open(self, spec: SandboxSpec, progress: Progress) -> AsyncIterator[Machine]:
        if self.refuse_open:
            raise self.refuse_open.pop(0)
        async with self.inner.open(spec, progress) as machine:
            self.opened += 1
            self.flavours.append(spec.flavour)
            self.machines.append(machine)
            self.egress = spec.egress
            yield FlakyMachine(machine, self)

    @asynccontextmanager
    async def _clean_room(
        self, plugins: Sequence[str], progress: Progress, flavour: Flavour
    ) -> AsyncIterator[Machine]:
        self.clean_rooms += 1
        self.flavours.append(f"clean room: {flavour}")
        if self.refuse_clean_room:
            raise self.refuse_clean_room.pop(0)
        async with self.inner.clean_room(plugins, progress) as machine:
            yield machine

    def clean_room(
        self, plugins: Sequence[str], progress: Progress, flavour: Flavour = "base"
    ) -> AbstractAsyncContextManager[Machine]:
        return self._clean_room(plugins, progress, flavour)

    async def lacks(self, flavour: Flavour) -> str:
        return self.lack

    def pooled(self) -> AbstractAsyncContextManager[None]:
        return self.inner.pooled()


class FlakyMachine:
    """Passes everything on to the fake machine, until it is killed."""

    def __init__(self, inner: FakeMachine, sandbox: FlakySandbox) -> None:
        self._inner = inner
        self._sandbox = sandbox

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def call(self, tool: str, arguments: Mapping[str, Any], **options: Any) -> ToolOutcome:
        self._sandbox.calls.append((tool, options["key"]))
        while self._sandbox.requests:  # what the broker would store while the tool runs
            await self._sandbox.egress.record(self._sandbox.requests.pop(0))
        if tool in self._sandbox.kill_before:
            self._sandbox.kill_before.remove(tool)
            self._inner.close()
        if self._sandbox.forget:
            self._inner._ledger.clear()
        outcome = await self._inner.call(tool, arguments, **options)
        if tool in self._sandbox.kill_after:
            self._sandbox.kill_after.remove(tool)
            self._inner.close()
            raise SandboxUnavailable("The line went dead.")
        if tool in self._sandbox.lose_answer:
            self._sandbox.lose_answer.remove(tool)
            if self._sandbox.forget:
                self._inner._ledger.clear()
            raise SandboxUnavailable("The answer was lost.")
        return outcome


@dataclass
class Lab:
    """A thread with one granted folder and everything a driver needs."""

    model: Model
    store: MemoryStore = field(default_factory=MemoryStore)
    sandbox: FlakySandbox = field(default_factory=FlakySandbox)
    person: Person = field(default_factory=Person)
    blobs: MemoryBlobs = field(default_factory=MemoryBlobs)
    clock: FakeClock = field(default_factory=FakeClock)
    connectors: dict[str, Connector] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=lambda: {"docs/a.txt": b"alpha"})
    rules: Rules = field(default_factory=Rules)
    tools_off: str = ""
    patience: Patience = field(default_factory=Patience)
    extra_tools: tuple[ToolSpec, ...] = ()
    extra_rules: tuple[RuleSpec, ...] = ()
    seen: list[Event | Delta] = field(default_factory=list)
    egress: MakeEgress | None = None
    listed_only: bool = False
    redact: Callable[[ToolOutcome], ToolOutcome] = lambda outcome: outcome
    waiting: Waiting | None = None
    taken: list[str] = field(default_factory=list)
    subagents: int = 0
    roles: tuple[RoleSpec, ...] = ()
    model_for: Callable[[str], Model | None] = lambda name: None
    hooks: tuple[HookSpec, ...] = ()

    @property
    def results(self) -> list[tuple[str, str, bool]]:
        """Tool, outcome and whether the host made it up, of every finished use."""
        return [(done.tool, done.outcome, done.synthetic) for done in self.store.of(ToolFinished)]

    def __post_init__(self) -> None:
        if not self.store.stored:
            grant = Grant(name="docs", folder="/home/user/docs")
            self.store._add(
                (
                    ThreadCreated(thread=THREAD, title="T", version="0"),
                    GrantsSet(grants=(grant,)),
                    *((PolicySet(rules=self.rules),) if self.rules != Rules() else ()),
                )
            )

    def take_base(self) -> tuple[Entry, ...]:
        """Read the folder into blobs, or only list it."""
        return tuple(
            replace(self._entry(path), sha256=None) if self.listed_only else self._entry(path)
            for path in sorted(self.files)
        )

    def take_content(self, wanted: Sequence[Entry]) -> Taken:
        """Read files of the folder as they are now."""
        self.taken += [entry.path for entry in wanted]
        return Taken(
            entries=tuple(self._entry(e.path) for e in wanted if e.path in self.files),
            lost={e.path: "it was removed" for e in wanted if e.path not in self.files},
        )

    def _entry(self, path: str) -> Entry:
        data = self.files[path]
        digest = self.blobs.put(data)
        return Entry(path=path, kind="file", mode=0o644, size=len(data), sha256=digest)

    async def driver(self) -> Driver:
        """A fresh process's driver over the same store and blobs."""
        registry = await self.sandbox.registry(["lab"], lambda line: None)
        registry = replace(
            registry,
            tools=registry.tools + self.extra_tools,
            rules=registry.rules + self.extra_rules,
            roles=self.roles,
        )
        sandbox: Sandbox = self.sandbox
        world = World(
            store=self.store,
            model=self.model,
            sandbox=sandbox,
            approver=self.person,
            blobs=self.blobs,
            clock=self.clock,
            connectors=self.connectors,
            redact=self.redact,
            waiting=self.waiting,
            model_for=self.model_for,
        )
        setup = Setup(
            registry=registry,
            plugins=("lab",),
            take_base=self.take_base,
            take_content=self.take_content,
            tools_off=self.tools_off,
            egress=self.egress,
            subagents=self.subagents,
            hooks=self.hooks,
        )
        return Driver(world, setup, self.seen.append, patience=self.patience)

    async def apply(self, *paths: str, undo: bool = False, part: bytes | None = None) -> None:
        """Store what an apply of these paths stores; the files are the test's own affair.

        `part`: what was written is only this part of each.
        """
        data: dict[str, Any] = {"steps": [{"path": path} for path in paths]}
        if part is not None:
            wrote = {"sha256": self.blobs.put(part), "size": len(part), "ids": ["1"], "of": 2}
            data["parts"] = dict.fromkeys(paths, wrote)
        plan = self.blobs.put(json.dumps(data).encode())
        await self.store.append(
            ApplyStarted(plan=plan, undo_of=plan if undo else None),
            ApplyFinished(plan=plan, applied=True),
        )

    async def say(self, text: str, *, run: str = "r-1", limits: Limits | None = None) -> Any:
        """Start a run, or answer a parked one."""
        driver = await self.driver()
        said = UserSaid(run=RunId(run), text=text, model="scripted", limits=limits or Limits())
        return await driver.run(said)

    async def resume(self) -> Any:
        """Go on with what is there."""
        return await (await self.driver()).run()


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def make_lab() -> Callable[..., Lab]:
    return Lab


@pytest.fixture
def make_log() -> Callable[..., tuple[Event, ...]]:
    return log


@pytest.fixture
def sha() -> Callable[[bytes], str]:
    return lambda data: hashlib.sha256(data).hexdigest()


@pytest.fixture
def crash() -> type[BaseException]:
    return Crash
