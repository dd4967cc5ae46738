"""The end of a run: the change set is written down, and the deliverables get their verdict."""

from __future__ import annotations

from dataclasses import replace

from deskmate.agent.journal import Journal
from deskmate.agent.manifests import put_manifest, read_base, read_checkpoint
from deskmate.agent.validation import (
    build_validation,
    earlier_verdict,
    flavour_of_room,
    inputs_of,
    validate,
)
from deskmate.agent.words import Words
from deskmate.agent.workbench import Workbench
from deskmate.agent.world import Setup, World
from deskmate.errors import ProtocolError, SandboxUnavailable
from deskmate.types.events import ChangesStaged, Payload
from deskmate.types.files import Difference, Entry


class Delivery:
    """Stages and validates for one thread."""

    def __init__(self, world: World, setup: Setup, bench: Workbench, journal: Journal) -> None:
        self._world = world
        self._setup = setup
        self._bench = bench
        self._journal = journal
        self._words = Words(world, setup, bench, journal)

    async def stage(self) -> None:
        """Store the change set: as the machine has it now, or as its last checkpoint had it."""
        payloads: list[Payload] = []
        difference = self._last_difference()
        if self._bench.is_open:
            try:
                made, difference = await self._bench.checkpoint()
                payloads += [] if made.manifest == self._journal.state.checkpoint else [made]
            except (SandboxUnavailable, ProtocolError):
                # The last checkpoint holds the work of every call that has a result.
                await self._bench.drop()
        texts = self._words.texts(difference)
        await self._journal.record(*payloads, *texts, self._change_set(difference))
        await self._words.take(difference)

    async def check(self) -> None:
        """Store the verdict over the deliverables; the same inputs are not checked twice."""
        journal, setup = self._journal, self._setup
        state = journal.state
        base: tuple[Entry, ...] = ()
        if state.base is not None:
            base = read_base(self._world.blobs, state.base, state.contents, state.lost)
        request = build_validation(
            state.deliverables.values(),
            self._last_difference(),
            base,
            journal.events,
            state.started[:10],
        )
        request = replace(request, config=setup.config)
        flavour = await flavour_of_room(self._world, request)
        inputs = inputs_of(request, setup.registry, flavour)
        earlier = earlier_verdict(journal.events, inputs)
        if earlier is not None:
            await journal.record(replace(earlier, run=journal.run))
            return
        journal.progress("checking the results in a clean room")
        verdict = await validate(
            self._world, setup, request, journal.run, journal.progress, flavour=flavour
        )
        await journal.record(verdict)

    def _last_difference(self) -> Difference:
        state = self._journal.state
        if state.checkpoint is None or not state.dirty:
            return Difference(changes=())
        return read_checkpoint(self._world.blobs, state.checkpoint).changes

    def _change_set(self, difference: Difference) -> ChangesStaged:
        operations = [change.operation for change in difference.changes]
        return ChangesStaged(
            run=self._journal.run,
            difference=put_manifest(self._world.blobs, difference),
            created=sum(operation in ("create", "mkdir") for operation in operations),
            modified=sum(operation in ("modify", "mode") for operation in operations),
            deleted=sum(operation in ("delete", "rmdir") for operation in operations),
            refused=difference.refused,
            deliverables=tuple(self._journal.state.deliverables.values()),
        )
