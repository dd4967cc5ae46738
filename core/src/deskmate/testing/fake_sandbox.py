"""A sandbox in memory: the same port, the same semantics, no virtual machine.

It passes the same conformance suite as the real one (`sandbox_suite`). Its tools are plain functions
over an in-memory tree and run in this process, so it is for tests only.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any

import anyio

from deskmate.errors import ContentMissing, SandboxUnavailable, ToolError
from deskmate.ports import (
    BlobReader,
    Blobs,
    CallState,
    Flavour,
    Progress,
    SandboxSpec,
    ToolOutcome,
    ValidationReport,
    ValidationRequest,
)
from deskmate.testing.fake_workspace import Tree, workspace_tools
from deskmate.types.files import Change, Deliverable, Difference, EarlierResults, Entry
from deskmate.types.findings import Finding
from deskmate.types.ids import Digest
from deskmate.types.registry import Registry, RuleSpec, SkillSpec, ToolSpec

ToolFunction = Callable[[Tree, Mapping[str, Any]], "ToolOutcome | Any"]
RuleFunction = Callable[[ValidationRequest, BlobReader], Iterable[Finding]]

FAKE_TEMPLATE = Digest("f" * 64)


@dataclass(frozen=True, slots=True, kw_only=True)
class FakePlugin:
    """What a plugin brings to the fake: wire name → (spec, function), rules and skills."""

    tools: Mapping[str, tuple[ToolSpec, ToolFunction]] = field(default_factory=dict)
    rules: Mapping[str, tuple[RuleSpec, RuleFunction]] = field(default_factory=dict)
    skills: tuple[SkillSpec, ...] = ()


class FakeMachine:
    """One in-memory VM. Closing it loses everything that is not in a checkpoint."""

    def __init__(
        self, number: int, plugins: Mapping[str, FakePlugin], grants: Sequence[str]
    ) -> None:
        self._id = f"fake-{number}"
        self._plugins = plugins
        self._tree = Tree(grants)
        self._home = Tree(())
        self._ledger: dict[str, ToolOutcome] = {}
        self._parts: list[tuple[tuple[Entry, ...], tuple[str, ...]]] = []
        self._closed = False
        self.presented: dict[str, Sequence[Deliverable]] = {}
        self.originals: dict[str, bytes] = {}

    @property
    def id(self) -> str:
        """Unique per restore."""
        return self._id

    @property
    def isolation(self) -> str:
        """A fake isolates nothing, and says so."""
        return "none (in memory, for tests)"

    @property
    def template(self) -> Digest:
        """Always the same key."""
        return FAKE_TEMPLATE

    def close(self) -> None:
        """Power off: every later call fails as it would with a dead VM."""
        self._closed = True

    def _check(self) -> None:
        if self._closed:
            raise SandboxUnavailable(
                "The virtual machine is gone.", hint="It is restored by itself."
            )

    async def put_base(
        self, entries: Sequence[Entry], blobs: BlobReader, progress: Progress
    ) -> None:
        """Lay the base files out."""
        self._check()
        for entry in entries:
            if entry.is_listed_only:
                self._tree.note(entry)
            else:
                self._tree.lay(entry, blobs.read(entry.sha256) if entry.sha256 else b"")
        progress(f"{len(entries)} entries copied in")

    async def put_content(
        self,
        entries: Sequence[Entry],
        gone: Sequence[str],
        blobs: BlobReader,
        progress: Progress,
        *,
        more: bool = False,
    ) -> None:
        """Lay the content of files that were only listed; what the tree changed there stays changed."""
        self._check()
        self._parts.append((tuple(entries), tuple(gone)))
        if more:
            return
        for part, lost in self._parts:
            for path in lost:
                self._tree.strike(path)
            for entry in part:
                self._tree.fill(entry, blobs.read(entry.sha256) if entry.sha256 else b"")
        self._parts = []

    async def put_checkpoint(
        self, changes: Difference, home: Sequence[Entry], blobs: BlobReader
    ) -> None:
        """Bring the tree to a checkpoint's state."""
        self._check()
        for change in reversed(changes.changes):
            if change.after is None:
                self._tree.remove(change.path)
        for change in changes.changes:
            if change.after is not None:
                content = blobs.read(change.after.sha256) if change.after.sha256 else b""
                self._tree.put(change.after, content)
        for entry in home:
            self._home.put(entry, blobs.read(entry.sha256) if entry.sha256 else b"")

    async def put_results(self, told: EarlierResults, blobs: BlobReader) -> None:
        """Note what tools would be told, in `presented` and `originals`."""
        self._check()
        self.presented = dict(told.presented)
        self.originals = {
            entry.path: blobs.read(entry.sha256) for entry in told.originals if entry.sha256
        }

    async def call(
        self,
        tool: str,
        arguments: Mapping[str, Any],
        *,
        key: str,
        timeout_s: float,
        on_progress: Progress,
    ) -> ToolOutcome:
        """Run one tool once under its key."""
        self._check()
        self._parts = []
        if key in self._ledger:
            return self._ledger[key]
        plugin = self._plugins.get(tool.partition("__")[0], FakePlugin())
        if tool not in plugin.tools:
            return ToolOutcome(text=f"There is no tool {tool}.", is_error=True)
        spec, function = plugin.tools[tool]
        await anyio.lowlevel.checkpoint()
        with anyio.move_on_after(timeout_s):
            outcome = await _run(function, self._tree, arguments)
            outcome = replace(outcome, wrote=spec.risk == "write")
            self._ledger[key] = outcome
            return outcome
        outcome = ToolOutcome(
            text=f"{tool} timed out after {timeout_s:g} s", is_error=True, wrote=True
        )
        self._ledger[key] = outcome
        return outcome

    async def status(self, key: str) -> tuple[CallState, ToolOutcome | None]:
        """Look a key up."""
        self._check()
        if key in self._ledger:
            return "finished", self._ledger[key]
        return "unknown", None

    async def difference(
        self, base: Sequence[Entry], blobs: Blobs
    ) -> tuple[Difference, tuple[Entry, ...]]:
        """Compare the tree with the base."""
        self._check()
        before = {entry.path: entry for entry in base}
        unread = {path: entry for path, entry in before.items() if self._tree.lists(path)}
        above = {parent for path in unread for parent in _parents(path) if parent in before}
        after = {path: before[path] for path in above} | unread
        after |= {entry.path: entry for entry in self._tree.entries(blobs)}
        changes = []
        for path in sorted(before.keys() | after.keys()):
            old, new = before.get(path), after.get(path)
            if old is None or new is None or not _same(old, new):
                changes.append(_change(path, old, new))
        return Difference(changes=tuple(changes)), tuple(self._home.entries(blobs))

    async def validate(self, request: ValidationRequest, blobs: BlobReader) -> ValidationReport:
        """Run the rules; a crash is an error finding of that rule."""
        self._check()
        findings: list[Finding] = []
        rules: list[str] = []
        for plugin in self._plugins.values():
            for rule, (_, function) in plugin.rules.items():
                rules.append(rule)
                try:
                    findings += function(request, blobs)
                except Exception as error:  # noqa: BLE001 - a rule is other people's code: fail closed
                    text = f"The rule crashed: {type(error).__name__}: {error}"
                    findings.append(Finding(rule=rule, level="error", message=text))
        return ValidationReport(findings=tuple(findings), rules=tuple(rules))

    async def alive(self) -> bool:
        """Say whether it is still on."""
        return not self._closed


def _parents(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:length]) for length in range(1, len(parts))]


async def _run(function: ToolFunction, tree: Tree, arguments: Mapping[str, Any]) -> ToolOutcome:
    try:
        result = function(tree, arguments)
        if hasattr(result, "__await__"):
            result = await result
    except ContentMissing as error:
        return ToolOutcome(text=error.message, is_error=True, needs=error.paths)
    except ToolError as error:
        return ToolOutcome(text=error.message, is_error=True)
    if isinstance(result, ToolOutcome):
        return result
    return ToolOutcome(text=str(result), structured=result)


def _same(old: Entry, new: Entry) -> bool:
    return (old.kind, old.sha256, old.mode, old.target) == (
        new.kind,
        new.sha256,
        new.mode,
        new.target,
    )


def _change(path: str, old: Entry | None, new: Entry | None) -> Change:
    if old is None:
        assert new is not None
        return Change(
            path=path, operation="mkdir" if new.kind == "dir" else "create", before=None, after=new
        )
    if new is None:
        return Change(
            path=path, operation="rmdir" if old.kind == "dir" else "delete", before=old, after=None
        )
    content = (old.kind, old.sha256, old.target) != (new.kind, new.sha256, new.target)
    return Change(path=path, operation="modify" if content else "mode", before=old, after=new)


class FakeSandbox:
    """Opens in-memory machines with the workspace tools and the given plugins."""

    def __init__(self, plugins: Mapping[str, FakePlugin] | None = None) -> None:
        specs = {name: (spec, function) for name, spec, function in workspace_tools()}
        self._plugins = {"workspace": FakePlugin(tools=specs), **(plugins or {})}
        self._numbers = itertools.count(1)

    async def registry(self, plugins: Sequence[str], progress: Progress) -> Registry:
        """Return what the named plugins and the built-in one bring."""
        chosen = [self._plugins[name] for name in self._names(plugins)]
        lock = hashlib.sha256("\n".join(self._names(plugins)).encode()).hexdigest()
        return Registry(
            lock=Digest(lock),
            tools=tuple(spec for plugin in chosen for spec, _ in plugin.tools.values()),
            skills=tuple(skill for plugin in chosen for skill in plugin.skills),
            rules=tuple(spec for plugin in chosen for spec, _ in plugin.rules.values()),
        )

    @asynccontextmanager
    async def open(self, spec: SandboxSpec, progress: Progress) -> AsyncIterator[FakeMachine]:
        """Start one machine for a thread."""
        machine = self._machine(spec.plugins, [grant.name for grant in spec.grants])
        try:
            yield machine
        finally:
            machine.close()

    @asynccontextmanager
    async def clean_room(
        self, plugins: Sequence[str], progress: Progress, flavour: Flavour = "base"
    ) -> AsyncIterator[FakeMachine]:
        """Start one machine without grants."""
        machine = self._machine(plugins, [])
        try:
            yield machine
        finally:
            machine.close()

    async def lacks(self, flavour: Flavour) -> str:
        """A fake machine is of every flavour."""
        return ""

    def pooled(self) -> AbstractAsyncContextManager[None]:
        """Nothing is made ahead: a fake machine costs nothing."""
        return nullcontext()

    def _names(self, plugins: Sequence[str]) -> list[str]:
        return ["workspace", *(name for name in plugins if name != "workspace")]

    def _machine(self, plugins: Sequence[str], grants: Sequence[str]) -> FakeMachine:
        chosen = {
            name: self._plugins[name] for name in self._names(plugins) if name in self._plugins
        }
        return FakeMachine(next(self._numbers), chosen, grants)
