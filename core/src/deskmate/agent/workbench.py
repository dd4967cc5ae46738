"""The thread's machine: opened when first needed, brought to its last state, checkpointed, dropped."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from types import TracebackType
from typing import Self

import anyio.to_thread

from deskmate.agent.forks import kept_base
from deskmate.agent.journal import Journal
from deskmate.agent.manifests import (
    Checkpoint,
    Entries,
    put_manifest,
    read_base,
    read_checkpoint,
    read_plan_parts,
    read_plan_paths,
)
from deskmate.agent.results import earlier_results
from deskmate.agent.sending import RequestKeeper
from deskmate.agent.state import State
from deskmate.agent.supply import Supplier, content_taken
from deskmate.agent.world import Setup, Taken, World
from deskmate.errors import ProtocolError, SandboxUnavailable, ToolInputError
from deskmate.ports import Blobs, Flavour, Gatekeeper, Machine, SandboxSpec
from deskmate.types.events import BaseTaken, CheckpointMade, Payload, SandboxOpened
from deskmate.types.files import Change, Difference, Entry
from deskmate.types.ids import Digest, ThreadId
from deskmate.types.progress import Note
from deskmate.types.wire import SPACE_BYTES

OPEN_ATTEMPTS = 3
MAX_LOST_ANSWERS = 2
"""Answers that one living machine may lose before it is given up."""
PING_S = 15.0
AT_ONCE_FILES, AT_ONCE_BYTES = 256, 16 << 20
"""Folders up to this size are copied in whole when a machine opens; of larger ones what tools need."""


class Workbench:
    """Holds at most one machine. Use it as an async context manager, in one task."""

    def __init__(
        self, world: World, setup: Setup, journal: Journal, keeper: Gatekeeper | None = None
    ) -> None:
        """`keeper`: asks about what the machine wants to send."""
        self._world = world
        self._setup = setup
        self._journal = journal
        self._keeper = keeper or RequestKeeper(world, journal)
        self._stack = AsyncExitStack()
        self._machine: Machine | None = None
        self._base: dict[str, Entry] = {}
        self._absent: dict[str, Entry] = {}
        self._kept_back: dict[str, str] = {}
        self._laid_bytes = 0
        self._lost_answers = 0
        self._flavour: Flavour = "base"
        self._told_lack = False

    async def __aenter__(self) -> Self:
        """Open nothing yet."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Power the machine off."""
        await self.drop()

    @property
    def is_open(self) -> bool:
        """Say whether a machine is up."""
        return self._machine is not None

    async def machine(self, office_for: str = "") -> Machine:
        """Return the machine, restoring one if there is none.

        `office_for`: the tool that takes LibreOffice and the like; the machine is then of the image that has
        them, where there is one. Nothing may be under way in the machine.
        Raises SandboxMissing, or SandboxUnavailable after a few attempts.
        """
        if office_for and self._flavour == "base":
            await self._to_office(office_for)
        for attempt in range(1, OPEN_ATTEMPTS + 1):
            if self._machine is not None:
                return self._machine
            try:
                await self._open()
            except (SandboxUnavailable, ProtocolError) as error:
                await self.drop()
                if attempt == OPEN_ATTEMPTS:
                    raise SandboxUnavailable(error.message, hint=error.hint) from error
                line = f"the virtual machine did not start; attempt {attempt + 1}"
                self._journal.progress(Note(line))
                await self._world.clock.sleep(0.2 * attempt)
        assert self._machine is not None
        return self._machine

    async def _to_office(self, tool: str) -> None:
        """Go on in a machine of the office image: all that calls left in this one is in its checkpoint."""
        lack = await self._world.sandbox.lacks("office")
        if lack:
            if not self._told_lack:
                self._journal.progress(Note(f"{tool} takes LibreOffice. {lack}"))
            self._told_lack = True
            return
        self._journal.progress(f"{tool} takes LibreOffice: going on in a machine that has it")
        self._flavour = "office"
        await self.drop()

    async def files(self) -> tuple[Entry, ...]:
        """Return the entries of the workspace as the thread's last call left them; no machine is opened for it.

        Raises what reading the folders raises.
        """
        state = self._journal.state
        if not self.is_open and (state.base is None or state.rebase):
            await self._take_base(state)
            state = self._journal.state
        assert state.base is not None
        blobs = self._world.blobs
        entries = {e.path: e for e in read_base(blobs, state.base, state.contents, state.lost)}
        if state.checkpoint is not None and state.dirty:
            for change in read_checkpoint(blobs, state.checkpoint).changes.changes:
                entries.pop(change.path, None)
                if change.after is not None:
                    entries[change.path] = change.after
        return tuple(entries[path] for path in sorted(entries))

    async def drop(self) -> None:
        """Power the machine off; what is not in a checkpoint is gone."""
        self._machine = None
        self._lost_answers = 0
        stack, self._stack = self._stack, AsyncExitStack()
        await stack.aclose()

    async def answer_lost(self) -> None:
        """Drop the machine unless it is alive and may still know the answer."""
        self._lost_answers += 1
        if self._machine is None or self._lost_answers > MAX_LOST_ANSWERS:
            await self.drop()
            return
        alive = False
        with anyio.move_on_after(PING_S):
            alive = await self._machine.alive()
        if not alive:
            await self.drop()

    @property
    def absent(self) -> Collection[str]:
        """Paths of the files that the machine only knows by name."""
        return self._absent.keys()

    async def supply(self, paths: Iterable[str]) -> Mapping[str, str]:
        """Bring the content of files into the machine; returns path → why of those that cannot be had.

        What is read now is in the log before any tool sees it. Raises ToolInputError where the disk of
        the machine is too small, SandboxUnavailable, and what reading the folders raises.
        """
        if self._machine is None:
            raise SandboxUnavailable("The virtual machine is gone.")
        asked = sorted(set(paths))
        kept_back = {path: self._kept_back[path] for path in asked if path in self._kept_back}
        wanted = [self._absent[path] for path in asked if path in self._absent]
        if not wanted:
            return kept_back
        self._check_space(wanted)
        supplier = self._supplier()
        taken = await supplier.bring(self._machine, wanted)
        if taken.entries or taken.lost:
            await self._journal.record(content_taken(self._world.blobs, taken))
        self._take_in(taken)
        for entry in wanted:
            self._absent.pop(entry.path, None)
        self._laid_bytes += sum(entry.size for entry in wanted)
        return {**taken.lost, **kept_back}

    def _check_space(self, wanted: Sequence[Entry]) -> None:
        size = self._laid_bytes + sum(entry.size for entry in wanted)
        if size > SPACE_BYTES:
            raise ToolInputError(
                f"This needs {size / (1 << 30):.1f} GiB of the granted folders in the virtual machine, "
                f"which takes {SPACE_BYTES >> 30} GiB. Name single files to tools that read one, "
                "such as workspace__read, or ask the user to grant a smaller folder."
            )

    def _supplier(self) -> Supplier:
        return Supplier(
            take_content=self._setup.take_content,
            blobs=self._world.blobs,
            progress=self._journal.progress,
        )

    def _take_in(self, taken: Taken) -> None:
        self._base |= {entry.path: entry for entry in taken.entries}
        for path in taken.lost:
            self._base.pop(path, None)

    async def checkpoint(self) -> tuple[CheckpointMade, Difference]:
        """Put the overlay's difference and the home folder into blobs; the caller stores the event."""
        if self._machine is None:
            raise SandboxUnavailable("The virtual machine is gone.")
        base = tuple(self._seen(self._base[path]) for path in sorted(self._base))
        changes, home = await self._machine.difference(base, self._world.blobs)
        changes = await self._with_originals(changes)
        self._keep_back(changes.refused)
        return _checkpoint_of(self._world.blobs, changes, home), changes

    def _seen(self, entry: Entry) -> Entry:
        """Return an entry as this machine knows it: what is known from elsewhere was not seen there."""
        there = entry.path not in self._absent and entry.path not in self._kept_back
        return entry if there else replace(entry, sha256=None)

    async def _with_originals(self, changes: Difference) -> Difference:
        """Return changes whose `before` has a digest: of files that were replaced unread, too.

        Where the user changed such a file since it was listed, the change is left out and says so.
        """
        changes = self._without_kept_back(changes)
        unread = {
            change.path: change.before
            for change in changes.changes
            if change.before is not None and change.before.is_listed_only
        }
        if not unread:
            return changes
        taken = await self._supplier().read([self._base[path] for path in unread])
        if any(self._base[path].is_listed_only for path in unread):
            await self._journal.record(content_taken(self._world.blobs, taken))
        found = {entry.path: entry for entry in taken.entries}
        kept: list[Change] = []
        refused = dict(changes.refused)
        for change in changes.changes:
            listed, now = unread.get(change.path), found.get(change.path)
            if listed is None:
                kept.append(change)
            elif now is None or (now.size, now.mtime_ns) != (listed.size, listed.mtime_ns):
                refused[change.path] = "it changed in your folder before the agent had read it"
            else:
                self._base[change.path] = now
                kept.append(replace(change, before=now))
        return Difference(changes=tuple(kept), refused=refused)

    def _without_kept_back(self, changes: Difference) -> Difference:
        """Return the changes without those that were left out before: this machine never gets the original."""
        if not self._kept_back:
            return changes
        kept = tuple(one for one in changes.changes if one.path not in self._kept_back)
        again = {one.path for one in changes.changes} & self._kept_back.keys()
        refused = {path: self._kept_back[path] for path in again}
        return Difference(changes=kept, refused={**changes.refused, **refused})

    def _keep_back(self, refused: Mapping[str, str]) -> None:
        """Do not lay unread files where the machine has something else: it would seem to be removed.

        The next machine has the files again, for it is given the changes that were taken alone.
        """
        for path in refused.keys() & self._absent.keys():
            self._kept_back[path] = refused[path]
            del self._absent[path]

    async def _open(self) -> None:
        state = self._journal.state
        if state.base is None or state.rebase:
            await self._take_base(state)
            state = self._journal.state
        assert state.base is not None
        blobs = self._world.blobs
        base = read_base(blobs, state.base, state.contents, state.lost)
        last = read_checkpoint(blobs, state.checkpoint) if state.checkpoint is not None else None
        changes = last.changes if last and state.dirty else Difference(changes=())
        laid = _at_once(base, changes)
        make = self._setup.egress
        spec = SandboxSpec(
            thread=state.thread or ThreadId(""),
            plugins=self._setup.plugins,
            grants=state.grants,
            config=self._setup.config,
            egress=make(self._journal.record, self._keeper) if make else None,
            flavour=self._flavour,
        )
        opening = self._world.sandbox.open(spec, self._journal.progress)
        machine = await self._stack.enter_async_context(opening)
        await machine.put_base(laid, blobs, self._journal.progress)
        if last is not None:
            await machine.put_checkpoint(changes, last.home, blobs)
            if told := earlier_results(self._journal.events, changes, base):
                await machine.put_results(told, blobs)
        await self._journal.record(
            SandboxOpened(
                machine=machine.id,
                template=machine.template,
                isolation=machine.isolation,
                checkpoint=state.checkpoint,
            )
        )
        self._base = {entry.path: entry for entry in base}
        self._absent = {
            entry.path: self._base[entry.path] for entry in laid if entry.is_listed_only
        }
        self._kept_back = {}
        self._laid_bytes = sum(entry.size for entry in laid if entry.sha256 is not None)
        self._machine = machine

    async def _take_base(self, state: State) -> None:
        """Read the folders again and store their entries, and what of the work is still open.

        Where the overlay has changes, what they were made from stays the base of those paths, so that
        a file which the user changed meanwhile is still seen as a conflict at apply.
        """
        entries: tuple[Entry, ...] = ()
        if state.grants:
            entries = await self._entries(state)
        payloads: list[Payload] = []
        if (state.dirty or state.settled) and state.checkpoint is not None:
            last = read_checkpoint(self._world.blobs, state.checkpoint)
            changes = _still_open(self._world.blobs, last.changes, state)
            entries = keep_originals(entries, changes)
            if state.settled or state.dropped:
                payloads.append(_checkpoint_of(self._world.blobs, changes, last.home))
        manifest = put_manifest(self._world.blobs, Entries(entries=entries))
        files = [entry for entry in entries if entry.kind == "file"]
        size = sum(entry.size for entry in files)
        taken = BaseTaken(manifest=manifest, files=len(files), size=size)
        await self._journal.record(taken, *payloads)

    async def _entries(self, state: State) -> tuple[Entry, ...]:
        """Return the folders' entries as they are now; a fork's as they were when it was made."""
        kept: tuple[Entry, ...] = ()
        if state.kept and state.base is not None:
            kept = kept_base(self._world.blobs, state)
            if all(grant.name in state.based for grant in state.grants):
                return kept
        self._journal.progress("reading your folders")
        now = await anyio.to_thread.run_sync(self._setup.take_base)
        if kept:
            new = [entry for entry in now if entry.path.partition("/")[0] not in state.based]
            return tuple(sorted((*kept, *new), key=lambda entry: entry.path))
        if names := _changed(self._world.blobs, state, now):
            self._journal.progress(Note(f"changed in your folders since the last run: {names}"))
        return now


def _changed(blobs: Blobs, state: State, entries: Iterable[Entry]) -> str:
    """Return which files the user changed since the thread last read them, nothing if none."""
    if state.base is None:
        return ""
    before = read_base(blobs, state.base, state.contents, state.lost)
    known = {entry.path: entry for entry in before if entry.sha256 is not None}
    changed = [
        now.path
        for now in entries
        if (old := known.get(now.path)) is not None and _differs(old, now)
    ]
    more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
    return ", ".join(changed[:3]) + more


def _checkpoint_of(blobs: Blobs, changes: Difference, home: tuple[Entry, ...]) -> CheckpointMade:
    manifest = put_manifest(blobs, Checkpoint(changes=changes, home=home))
    after = [change.after for change in changes.changes if change.after is not None]
    size = sum(entry.size for entry in (*after, *home))
    return CheckpointMade(manifest=manifest, files=len(changes.changes), size=size)


def _still_open(blobs: Blobs, changes: Difference, state: State) -> Difference:
    """Return the changes that no plan has settled and nobody threw away: those that an apply left out.

    Where a plan wrote a part of a file, the rest is a change of what it wrote.
    """
    settled = {path for plan in state.settled for path in read_plan_paths(blobs, plan)}
    parts: dict[str, tuple[Digest, int]] = {}
    for plan in state.settled:
        for path in read_plan_paths(blobs, plan):
            parts.pop(path, None)
        parts |= read_plan_parts(blobs, plan)
    kept = []
    for change in changes.changes:
        if any(change.path == top or change.path.startswith(f"{top}/") for top in state.dropped):
            continue
        if change.path in parts and change.before is not None:
            sha256, size = parts[change.path]
            kept.append(replace(change, before=replace(change.before, sha256=sha256, size=size)))
        elif change.path not in settled:
            kept.append(change)
    return Difference(changes=tuple(kept), refused=changes.refused)


def _at_once(base: Sequence[Entry], changes: Difference) -> tuple[Entry, ...]:
    """Return the base with the digests of those files only that are laid when a machine opens.

    All of a small base; of a large one the files that the checkpoint changes: what it deletes must be
    there to be deleted.
    """
    known = [entry for entry in base if entry.sha256 is not None]
    small = len(known) <= AT_ONCE_FILES and sum(entry.size for entry in known) <= AT_ONCE_BYTES
    touched = {change.path for change in changes.changes if change.before is not None}
    return tuple(
        entry if small or entry.path in touched else replace(entry, sha256=None) for entry in base
    )


def _differs(old: Entry, now: Entry) -> bool:
    if now.sha256 is not None:
        return now.sha256 != old.sha256
    return (now.kind, now.size, now.mtime_ns) != (old.kind, old.size, old.mtime_ns)


def keep_originals(entries: tuple[Entry, ...], changes: Difference) -> tuple[Entry, ...]:
    """Return `entries` with what the changed paths were before the changes."""
    by_path = {entry.path: entry for entry in entries}
    for change in changes.changes:
        if change.before is None:
            by_path.pop(change.path, None)
        else:
            by_path[change.path] = change.before
    return tuple(by_path[path] for path in sorted(by_path))
