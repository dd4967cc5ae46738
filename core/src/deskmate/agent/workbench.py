"""The thread's machine: opened when first needed, brought to its last state, checkpointed, dropped."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self

import anyio.to_thread

from deskmate.agent.journal import Journal
from deskmate.agent.manifests import (
    Checkpoint,
    Entries,
    put_manifest,
    read_checkpoint,
    read_entries,
    read_plan_paths,
)
from deskmate.agent.state import State
from deskmate.agent.world import Setup, World
from deskmate.errors import ProtocolError, SandboxUnavailable
from deskmate.ports import Machine, SandboxSpec
from deskmate.types.events import BaseTaken, CheckpointMade, Payload, SandboxOpened
from deskmate.types.files import Difference, Entry
from deskmate.types.ids import Digest, ThreadId

OPEN_ATTEMPTS = 3
MAX_LOST_ANSWERS = 2
"""Answers that one living machine may lose before it is given up."""
PING_S = 15.0


class Workbench:
    """Holds at most one machine. Use it as an async context manager, in one task."""

    def __init__(self, world: World, setup: Setup, journal: Journal) -> None:
        self._world = world
        self._setup = setup
        self._journal = journal
        self._stack = AsyncExitStack()
        self._machine: Machine | None = None
        self._base: tuple[Entry, ...] = ()
        self._lost_answers = 0

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

    async def machine(self) -> Machine:
        """Return the machine, restoring one if there is none.

        Raises SandboxMissing, or SandboxUnavailable after a few attempts.
        """
        for attempt in range(1, OPEN_ATTEMPTS + 1):
            if self._machine is not None:
                return self._machine
            try:
                await self._open()
            except (SandboxUnavailable, ProtocolError) as error:
                await self.drop()
                if attempt == OPEN_ATTEMPTS:
                    raise SandboxUnavailable(error.message, hint=error.hint) from error
                self._journal.progress(f"the virtual machine did not start; attempt {attempt + 1}")
                await self._world.clock.sleep(0.2 * attempt)
        assert self._machine is not None
        return self._machine

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

    async def checkpoint(self) -> tuple[CheckpointMade, Difference]:
        """Put the overlay's difference and the home folder into blobs; the caller stores the event."""
        if self._machine is None:
            raise SandboxUnavailable("The virtual machine is gone.")
        changes, home = await self._machine.difference(self._base, self._world.blobs)
        return self._checkpoint_of(changes, home), changes

    async def _open(self) -> None:
        state = self._journal.state
        if state.base is None or state.rebase:
            await self._take_base(state)
            state = self._journal.state
        assert state.base is not None
        base = read_entries(self._world.blobs, state.base)
        spec = SandboxSpec(
            thread=state.thread or ThreadId(""),
            plugins=self._setup.plugins,
            grants=state.grants,
            config=self._setup.config,
        )
        opening = self._world.sandbox.open(spec, self._journal.progress)
        machine = await self._stack.enter_async_context(opening)
        await machine.put_base(base, self._world.blobs, self._journal.progress)
        if state.checkpoint is not None:
            last = read_checkpoint(self._world.blobs, state.checkpoint)
            changes = last.changes if state.dirty else Difference(changes=())
            await machine.put_checkpoint(changes, last.home, self._world.blobs)
        await self._journal.record(
            SandboxOpened(
                machine=machine.id,
                template=machine.template,
                isolation=machine.isolation,
                checkpoint=state.checkpoint,
            )
        )
        self._base = base
        self._machine = machine

    async def _take_base(self, state: State) -> None:
        """Read the folders again and store their entries, and what of the work is still open.

        Where the overlay has changes, what they were made from stays the base of those paths, so that
        a file which the user changed meanwhile is still seen as a conflict at apply.
        """
        entries: tuple[Entry, ...] = ()
        if state.grants:
            self._journal.progress("reading your folders")
            entries = await anyio.to_thread.run_sync(self._setup.take_base)
        payloads: list[Payload] = []
        if (state.dirty or state.settled) and state.checkpoint is not None:
            last = read_checkpoint(self._world.blobs, state.checkpoint)
            changes = self._still_open(last.changes, state.settled)
            entries = keep_originals(entries, changes)
            if state.settled:
                payloads.append(self._checkpoint_of(changes, last.home))
        manifest = put_manifest(self._world.blobs, Entries(entries=entries))
        files = [entry for entry in entries if entry.kind == "file"]
        size = sum(entry.size for entry in files)
        taken = BaseTaken(manifest=manifest, files=len(files), size=size)
        await self._journal.record(taken, *payloads)

    def _still_open(self, changes: Difference, plans: Iterable[Digest]) -> Difference:
        """Return the changes that no plan has settled: those that an apply left out."""
        settled = {path for plan in plans for path in read_plan_paths(self._world.blobs, plan)}
        kept = tuple(change for change in changes.changes if change.path not in settled)
        return Difference(changes=kept, refused=changes.refused)

    def _checkpoint_of(self, changes: Difference, home: tuple[Entry, ...]) -> CheckpointMade:
        manifest = put_manifest(self._world.blobs, Checkpoint(changes=changes, home=home))
        after = [change.after for change in changes.changes if change.after is not None]
        size = sum(entry.size for entry in (*after, *home))
        return CheckpointMade(manifest=manifest, files=len(changes.changes), size=size)


def keep_originals(entries: tuple[Entry, ...], changes: Difference) -> tuple[Entry, ...]:
    """Return `entries` with what the changed paths were before the changes."""
    by_path = {entry.path: entry for entry in entries}
    for change in changes.changes:
        if change.before is None:
            by_path.pop(change.path, None)
        else:
            by_path[change.path] = change.before
    return tuple(by_path[path] for path in sorted(by_path))
