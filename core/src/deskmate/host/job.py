"""One order in one thread: set the thread up, drive the run to its end, apply what may be applied."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import anyio.to_thread

from deskmate.errors import DeskmateError, SandboxMissing, UserError
from deskmate.host.adapters import Adapters
from deskmate.host.attaching import attach, is_lost, with_attached
from deskmate.host.connectors import (
    choose_connectors,
    connectors_set,
    open_connectors,
    with_connectors,
)
from deskmate.host.memory import open_memory, tell_memory
from deskmate.host.orders import RunOrder, RunResult
from deskmate.host.standing import StandingApprover
from deskmate.host.way_out import way_out_of
from deskmate.ports import Approver, Delta, Observer
from deskmate.types.connectors import ConnectorsSet
from deskmate.types.events import (
    ChangesStaged,
    Event,
    GrantsSet,
    KindsSeen,
    ModelReplied,
    Payload,
    PluginsSet,
    RunFinished,
    UserSaid,
    Validated,
)
from deskmate.types.files import Entry, Grant
from deskmate.types.ids import Digest, ThreadId, new_run_id
from deskmate.types.messages import text_of
from deskmate.types.progress import Note
from deskmate.types.registry import Registry

if TYPE_CHECKING:
    from deskmate.agent.world import Setup, Taken, World
    from deskmate.changes.apply import Outcome, Place
    from deskmate.connectors.redaction import Redactor
    from deskmate.host.projects import Joined
    from deskmate.store.thread import ThreadStore
    from deskmate.types.connectors import ConnectorEntry
    from deskmate.types.events import NetworkSet

P = TypeVar("P", bound=Payload)


class Job:
    """One order in one thread whose log is open for writing."""

    def __init__(
        self,
        adapters: Adapters,
        store: ThreadStore,
        order: RunOrder,
        observer: Observer,
        approver: Approver,
    ) -> None:
        self._adapters = adapters
        self._store = store
        self._order = order
        self._observe = observer
        self._standing = StandingApprover(order.unattended) if order.unattended else None
        self._approver = self._standing or approver
        self._blobs = adapters.blobs()
        self._grants: tuple[Grant, ...] = ()
        self._joined: Joined | None = None
        self._attached: tuple[str, ...] = ()

    async def carry_out(self) -> RunResult:
        """Run, apply, and return how it ended. No known secret gets into the log, a result or an error."""
        redactor = await anyio.to_thread.run_sync(self._adapters.redactor)
        self._store.redact = redactor.value
        try:
            return await self._carry_out(redactor)
        except DeskmateError as error:
            error.message, error.hint = redactor.text(error.message), redactor.text(error.hint)
            error.args = (error.message,)
            raise

    async def _carry_out(self, redactor: Redactor) -> RunResult:
        from deskmate.agent.driver import Driver  # noqa: PLC0415

        await self._recover()
        await self._join_project()
        self._order, self._attached = await attach(
            self._adapters.places, self._store.thread, self._order
        )
        events = await self._store.events()
        await self._set_grants(events)
        await self._see_kinds(events)
        plugins = await self._set_plugins(events)
        if told := await tell_memory(self._adapters.memories(), events, self._progress):
            await self._store.append(told)
        network = await self._set_network(plugins)
        chosen = await self._set_connectors(events, plugins)
        world, setup = await self._build(plugins, events)
        memory = open_memory(self._adapters.memories(), events)
        world = replace(world, redact=redactor.value, memory=memory)
        way_out = await way_out_of(
            self._adapters, network, await self._store.events(), self._progress
        )
        setup = replace(setup, egress=way_out)
        async with open_connectors(self._adapters, chosen, self._progress) as connectors:
            world = replace(world, connectors=connectors)
            setup = with_connectors(setup, chosen)
            await Driver(world, setup, self._observe).run(self._said(world.model.name, events))
        applied = await self._apply()
        return result_of(self._store.thread, await self._store.events(), applied)

    def _progress(self, line: str) -> None:
        self._observe(Delta(kind="progress", text=line))

    async def _join_project(self) -> None:
        """Add to the order what the thread's project gives, and note what it takes back."""
        from deskmate.agent.state import fold  # noqa: PLC0415
        from deskmate.host.projects import join  # noqa: PLC0415

        events = await self._store.events()
        pending = fold(events).dirty
        self._joined = join(self._order, events, self._adapters.projects(), pending=pending)
        self._order = self._joined.order
        if self._joined.note:
            self._progress(Note(self._joined.note))
        if self._joined.record is not None:
            await self._store.append(self._joined.record)

    async def _set_grants(self, events: Sequence[Event]) -> None:
        from deskmate.changes.scan import check_grants  # noqa: PLC0415

        known = last(events, GrantsSet)
        had = known.grants if known is not None else ()
        gone = set(self._joined.gone_folders if self._joined else ())
        for grant in filter(is_lost, had):
            gone.add(grant.folder)
            self._progress(Note(f"{grant.name}: these attachments are not here any more"))
        by_folder = {grant.folder: grant for grant in had if grant.folder not in gone}
        for grant in self._order.grants:
            same = by_folder.get(grant.folder)
            taken = {other.name for other in by_folder.values()}
            name = same.name if same else free_name(grant.name, taken)
            by_folder[grant.folder] = replace(grant, name=name)
        self._grants = tuple(by_folder.values())
        check_grants(self._grants)
        self._adapters.organisation().check_folders(self._grants)
        if self._grants != had:
            await self._store.append(GrantsSet(grants=self._grants))

    async def _see_kinds(self, events: Sequence[Event]) -> None:
        """Note the kinds of files in the folders that the thread did not have before; tools are offered by them."""
        from deskmate.changes.kinds import kinds_in  # noqa: PLC0415

        known = {
            kind for e in events if isinstance(e.payload, KindsSeen) for kind in e.payload.kinds
        }
        folders = [grant.folder for grant in self._grants]
        found = await anyio.to_thread.run_sync(kinds_in, folders)
        if new := tuple(sorted(found - known)):
            await self._store.append(KindsSeen(kinds=new))

    async def _set_plugins(self, events: Sequence[Event]) -> tuple[str, ...]:
        gone = self._joined.gone_plugins if self._joined else ()
        had = tuple(name for name in enabled_plugins(events) if name not in gone)
        names = (*had, *(name for name in self._order.plugins if name not in had))
        self._adapters.check_consent(names)
        chosen = await self._adapters.choose_plugins(names, self._progress)
        if chosen != last(events, PluginsSet):
            await self._store.append(chosen)
        return tuple(chosen.versions)

    async def _set_network(self, plugins: tuple[str, ...]) -> NetworkSet:
        """Store what the thread may reach now, if that is new or the user says it anew."""
        from deskmate.host.network import (  # noqa: PLC0415
            changed_by_user,
            last_network,
            with_plugins,
        )

        before = last_network(await self._store.events())
        network, left_out = with_plugins(
            changed_by_user(before, self._order.hosts),
            self._adapters.manifests(plugins),
            self._order.plugins,
        )
        for line in left_out:
            self._progress(f"{line}; agree by naming it again: --plugin")
        if self._order.web is not None:
            network = replace(network, web=self._order.web)
        if network != before or self._order.hosts:
            await self._store.append(network)
        return network

    async def _set_connectors(
        self, events: Sequence[Event], plugins: Collection[str]
    ) -> tuple[ConnectorEntry, ...]:
        """Return the thread's connectors, after storing which they are if that is new."""
        known = last(events, ConnectorsSet)
        chosen, gone = choose_connectors(
            self._adapters.connectors(),
            known.connectors if known else (),
            self._order.connectors,
            plugins,
        )
        for line in gone:
            self._progress(Note(line))
        for entry in chosen:
            self._adapters.organisation().check_connector(entry.url)
        record = connectors_set(chosen)
        if record != (known or ConnectorsSet(connectors={})):
            await self._store.append(record)
        return chosen

    async def _build(
        self, plugins: tuple[str, ...], events: Sequence[Event]
    ) -> tuple[World, Setup]:
        from deskmate.agent.asking import one_line  # noqa: PLC0415
        from deskmate.agent.world import Setup, World  # noqa: PLC0415
        from deskmate.store.waiting import Listening, WaitingMessages  # noqa: PLC0415

        sandbox = self._adapters.sandbox()
        tools_off = ""
        try:
            registry = await sandbox.registry(plugins, self._progress)
        except SandboxMissing as error:
            registry = Registry(lock=Digest(""))
            tools_off = one_line(error)
        roles = await anyio.to_thread.run_sync(self._adapters.roles, plugins)
        registry = replace(registry, roles=roles)
        for problem in registry.problems:
            self._progress(Note(f"plugin problem: {problem}"))
        hooks = await anyio.to_thread.run_sync(self._adapters.hooks, plugins, self._progress)
        said = last(events, UserSaid)
        name = self._order.model or (said.model if said else None)
        model = self._adapters.model(name, self._order.record)
        world = World(
            store=self._store,
            model=model,
            sandbox=sandbox,
            approver=self._approver,
            blobs=self._blobs,
            clock=self._adapters.clock,
            answers_by=lambda: self._standing.by if self._standing else "user",
            waiting=Listening(WaitingMessages(self._adapters.places.threads, self._store.thread)),
            model_for=partial(self._adapters.model_for, instead_of=model),
        )
        setup = Setup(
            registry=registry,
            plugins=plugins,
            take_base=self._take_base,
            take_content=self._take_content,
            config=self._adapters.plugin_settings(plugins),
            tools_off=tools_off,
            subagents=self._adapters.subagents_at_once(),
            hooks=hooks,
        )
        return world, setup

    def _take_base(self) -> tuple[Entry, ...]:
        """List the folders; small ones are read at once, of large ones what tools turn out to need."""
        from deskmate.agent.workbench import AT_ONCE_BYTES, AT_ONCE_FILES  # noqa: PLC0415
        from deskmate.changes.scan import list_base, read_all  # noqa: PLC0415

        digests = self._adapters.digests()
        base = list_base(
            self._grants, exclude=self._adapters.own_folders, digests=digests, blobs=self._blobs
        )
        if base.files <= AT_ONCE_FILES and base.size <= AT_ONCE_BYTES:
            with self._blobs.batch() as batch:
                base = read_all(base, self._grants, batch, digests=digests)
        for path, why in base.skipped.items():
            self._progress(Note(f"left out: {path}: {why}"))
        return base.entries

    def _take_content(self, wanted: Sequence[Entry]) -> Taken:
        """Read files of the folders when they are first needed."""
        from deskmate.agent.world import Taken  # noqa: PLC0415
        from deskmate.changes.content import take_content  # noqa: PLC0415

        with self._blobs.batch() as batch:
            taken = take_content(self._grants, wanted, batch, digests=self._adapters.digests())
        return Taken(entries=taken.entries, lost=taken.lost, held=batch.held)

    def _said(self, model: str, events: Sequence[Event]) -> UserSaid | None:
        """Return what to store as the user's words, None where a run goes on."""
        unattended = self._order.unattended
        if not self._order.text or (unattended and unattended.once and last(events, UserSaid)):
            return None
        return UserSaid(
            run=new_run_id(),
            text=with_attached(self._order.text, self._grants, self._attached),
            model=model,
            limits=self._order.limits,
            apply=self._order.apply,
            queued=self._order.queued,
        )

    async def _recover(self) -> None:
        """Finish or drop a plan of file changes that a crash cut short."""
        from deskmate.changes.apply import recover  # noqa: PLC0415

        for outcome in await recover(self._place()):
            self._progress(Note(f"an interrupted apply was settled: {_outcome_line(outcome)}"))

    async def _apply(self) -> str:
        """Apply what the user lets be applied without a review; return what was done."""
        from deskmate.agent.state import fold  # noqa: PLC0415
        from deskmate.changes.apply import apply_changes  # noqa: PLC0415
        from deskmate.changes.planning import ApplyOptions  # noqa: PLC0415
        from deskmate.changes.staged import find_staged  # noqa: PLC0415

        events = await self._store.events()
        state = fold(events)
        if state.run is None or state.ended is None or state.ended.reason != "done":
            return ""
        if state.run.apply == "review" or not state.dirty:
            return ""
        try:
            self._adapters.organisation().check_apply(state.run.apply)
        except UserError as error:
            return f"nothing was written: {error.message}"
        verdict = last(events, Validated)
        if state.deliverables and not (verdict and verdict.passed):  # perhaps of an earlier run
            return "nothing was written: the output checks refused the results"
        staged = find_staged(events)
        options = ApplyOptions(mode=state.run.apply, base_files=staged.base_files)
        outcome = await apply_changes(
            self._place(), staged.difference, staged.grants, options, run=staged.run
        )
        return _outcome_line(outcome)

    def _place(self) -> Place:
        from deskmate.changes.apply import Place  # noqa: PLC0415

        return Place(store=self._store, blobs=self._blobs, journal=self._store.folder / "apply")


def _outcome_line(outcome: Outcome) -> str:
    if outcome.text:
        return f"nothing was written: {outcome.text}"
    left = f", {len(outcome.left_out)} left out" if outcome.left_out else ""
    return f"{len(outcome.written)} path(s) written{left}"


def result_of(thread: ThreadId, events: Sequence[Event], applied: str) -> RunResult:
    """Return the newest run's end as a front door shows it. Raises UserError if there was no run."""
    from deskmate.agent.state import fold  # noqa: PLC0415

    said, finished = last(events, UserSaid), last(events, RunFinished)
    if said is None or finished is None:
        raise UserError(f"There is nothing to go on with in {thread}.", hint="Say what to do.")
    run, state = since_said(events), fold(events)
    reply, verdict = last(run, ModelReplied), last(run, Validated)
    staged = last(run, ChangesStaged)
    return RunResult(
        thread=thread,
        run=finished.run,
        reason=finished.reason,
        text=finished.text,
        answer=text_of(reply.content) if reply else "",
        label=reply.label if reply else "",
        deliverables=staged.deliverables if staged else (),
        findings=verdict.findings if verdict else (),
        # what an earlier run staged waits, too
        staged=state.dirty and last(events, ChangesStaged) is not None,
        applied=applied,
        usage=state.usage,
    )


def since_said(events: Sequence[Event]) -> Sequence[Event]:
    """Return the events from the user's newest words on."""
    for index in range(len(events) - 1, -1, -1):
        if isinstance(events[index].payload, UserSaid):
            return events[index:]
    return ()


def enabled_plugins(events: Sequence[Event]) -> tuple[str, ...]:
    """Return the plugins that the log says are enabled now."""
    chosen = last(events, PluginsSet)
    return tuple(chosen.versions) if chosen is not None else ()


def free_name(name: str, taken: Collection[str]) -> str:
    """Return a name for a grant that no other grant has: docs, docs-2, docs-3."""
    names = (name, *(f"{name}-{number}" for number in range(2, len(taken) + 3)))
    return next(candidate for candidate in names if candidate not in taken)


def last(events: Sequence[Event], kind: type[P]) -> P | None:
    """Return the newest payload of a kind, None if there is none."""
    for event in reversed(events):
        if isinstance(event.payload, kind):
            return event.payload
    return None
