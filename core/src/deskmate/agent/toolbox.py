"""Runs tool uses: intent before, call in the machine or at a connector, result and checkpoint after."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import groupby

import anyio

from deskmate.agent.asking import one_line
from deskmate.agent.beside import together
from deskmate.agent.contents import needed
from deskmate.agent.delegate_tool import DELEGATE
from deskmate.agent.delegation import Delegation, Drive
from deskmate.agent.dispatch import Call, Dispatcher, closed, finished
from deskmate.agent.elsewhere import GRACE_S, UNKNOWN, Elsewhere, begin
from deskmate.agent.hook_protocol import without_held
from deskmate.agent.hooks import Hooks
from deskmate.agent.journal import Journal
from deskmate.agent.recall import Recall
from deskmate.agent.uses import Use
from deskmate.agent.window import result_limit, window_of
from deskmate.agent.workbench import Workbench
from deskmate.agent.world import Setup, World
from deskmate.errors import (
    OutcomeUnknown,
    ProtocolError,
    SandboxMissing,
    SandboxUnavailable,
    ToolInputError,
)
from deskmate.ports import Machine, ToolOutcome
from deskmate.types.events import ApprovalAsked, Refused, ToolFinished
from deskmate.types.progress import Note

PARALLEL_READS = 4
MOST_MISSES = 5
"""How often a call that only reads is made again because a file was not there yet."""
RULES_ONLY_RESULT_BYTES = 4 << 20
"""A model that follows rules needs whole results, and its context costs nothing."""


class Toolbox:
    """Runs the tool uses of one thread."""

    def __init__(
        self, world: World, setup: Setup, bench: Workbench, journal: Journal, drive: Drive
    ) -> None:
        """`drive`: carries out the runs of sub-agents."""
        self._world = world
        self._setup = setup
        self._bench = bench
        self._journal = journal
        self._tools_off = setup.tools_off
        self._not_supplied = 0
        self._elsewhere = Elsewhere(world, journal)
        self._delegation = Delegation(world, setup, bench, journal, drive)
        self.hooks = Hooks(world, setup, bench, journal)

    @property
    def dispatcher(self) -> Dispatcher:
        """What decides on a use now."""
        state = self._journal.state
        return Dispatcher(
            registry=self._setup.registry,
            rules=replace(state.rules, rules=(*state.rules.rules, *self._setup.rules)),
            now=self._world.clock.now(),
            exposure=state.exposure,
            connectors=frozenset(self._world.connectors),
            tools_off=self._tools_off,
            config=self._setup.config,
            thread=str(state.thread),
            connected=self._setup.connected,
            recall=Recall(without_held(self._journal.events), self._world.blobs),
            result_limit=self._limit,
            remembers=self._world.memory is not None,
            delegates=self._setup.subagents > 0,
        )

    @property
    def _limit(self) -> int:
        """How many bytes of one result the model sees at once."""
        return result_limit(
            window_of(self._world.model), self._journal.state.limits.max_result_bytes
        )

    async def run(self, uses: Sequence[Use]) -> None:
        """Check each use; answer those that need no call, note those that need approval, run the rest."""
        calls: list[Call] = []
        for use in uses:
            match await self._prepared(use):
                case Call() as call:
                    calls.append(call)
                case ApprovalAsked() | ToolFinished() as payload:
                    await self._journal.record(payload)
        await self._run_calls(calls)

    async def _prepared(self, use: Use) -> Call | ApprovalAsked | ToolFinished:
        """Return what is to be done with a use; a hook may hold it back or have the user asked."""
        found = self.dispatcher.prepare(use)
        if isinstance(found, ToolFinished) or not self._setup.hooks:
            return found
        verdict = await self.hooks.before(use)
        if verdict.denied:
            return closed(use, "denied", verdict.denied)
        if verdict.asks and isinstance(found, Call):
            return self.dispatcher.asked_for(found, verdict.asks)
        return found

    async def recover(self, uses: Sequence[Use]) -> None:
        """Finish uses that were started and have no result.

        In the machine a repeated call is safe: the ledger of the same machine answers a key once, and
        on a restored machine no trace of the first call is left. It is not safe at a connector, nor
        where a request that may have changed something went out meanwhile.
        """
        calls: list[Call] = []
        for use in uses:
            call = self.dispatcher.call_of(use)
            if call is not None and call.here:
                calls.append(call)
            elif use.sent and not self._bench.is_open:
                await self._journal.record(closed(use, "unknown", UNKNOWN))
            elif call is None:
                await self._journal.record(closed(use, "error", "Its tool is no longer there."))
            elif call.outside:
                await self._journal.record(closed(use, "unknown", UNKNOWN))
            else:
                calls.append(call)
        await self._run_calls(calls)

    async def close(self, uses: Sequence[Use], why: str) -> None:
        """Give each use the result that says why it did not run, or that nobody knows."""
        results = []
        for use in uses:
            call = self.dispatcher.call_of(use)
            if call is not None and call.spec.name == DELEGATE:
                results.append(self._delegation.cut(use, why, self._limit))
                continue
            leaves = call is not None and (call.outside or call.here)
            unknown = use.started is not None and (use.sent or leaves)
            results.append(
                closed(use, "unknown", UNKNOWN) if unknown else closed(use, "interrupted", why)
            )
        if results:
            await self._journal.record(*results)

    async def _run_calls(self, calls: Iterable[Call]) -> None:
        """Run in order; neighbouring reads together."""
        for (outside, here, reads), group in groupby(
            calls, lambda call: (call.outside, call.here, call.spec.risk == "read")
        ):
            batch = list(group)
            if not (outside or here):
                machine = await self._machine(batch)
                if machine is None:
                    return
                ready = await self._supply(batch)
                if ready is None:
                    return
                batch = ready
                if not await self._run_batch(machine, batch, 1 if not reads else PARALLEL_READS):
                    return
            else:
                for call in batch:
                    await self._run_elsewhere(call)

    async def _run_elsewhere(self, call: Call) -> None:
        if call.spec.name == DELEGATE:
            await begin(self._journal, call)
            await self._delegation.run(call, self._limit)
        else:
            await self._elsewhere.run(call, self._limit)

    async def _machine(self, batch: Sequence[Call]) -> Machine | None:
        """Return the machine; if there is none to be had, give the batch results that say so."""
        try:
            wants = (c.spec.name for c in batch if c.spec.wants_office(c.use.use.input))
            return await self._bench.machine(next(wants, ""))
        except SandboxMissing as error:
            self._tools_off = one_line(error)
            await self._journal.record(
                Refused(what="tools", why=self._tools_off),
                *(closed(call.use, "error", f"Tools are off: {self._tools_off}") for call in batch),
            )
        except SandboxUnavailable as error:
            why = f"The virtual machine does not start: {error.message}"
            await self._journal.record(*(closed(call.use, "error", why) for call in batch))
        return None

    async def _supply(self, batch: Sequence[Call]) -> list[Call] | None:
        """Bring the files that the calls need into the machine; return the calls that may run.

        A call whose files do not fit gets its result here. None: the machine was lost on the way.
        """
        ready = []
        for call in batch:
            try:
                await self._bench.supply(self._needed(call))
            except ToolInputError as error:
                await self._journal.record(closed(call.use, "error", error.message))
            except (SandboxUnavailable, ProtocolError) as error:
                self._journal.progress(Note(f"the virtual machine was lost: {error.message}"))
                await self._bench.drop()
                self._not_supplied += 1
                if self._not_supplied > MOST_MISSES:
                    why = f"The files it needs cannot be copied in: {error.message}"
                    await self._journal.record(*(closed(one.use, "error", why) for one in batch))
                return None
            else:
                ready.append(call)
        return ready

    def _needed(self, call: Call) -> set[str]:
        absent = self._bench.absent
        settings = self._setup.config.get(call.spec.plugin, {})
        return needed(call.spec, call.use.use.input, settings, absent) if absent else set()

    async def _run_batch(self, machine: Machine, batch: Sequence[Call], parallel: int) -> bool:
        """Run the calls; False if the machine was lost on the way and the rest must be recovered."""
        lost: list[Call] = []
        later: list[tuple[Call, ToolOutcome]] = []
        limiter = anyio.CapacityLimiter(parallel)

        async def one(call: Call) -> None:
            async with limiter:
                if lost:
                    return
                try:
                    outcome = await self._attempt(machine, call)
                    if outcome is not None:
                        later.append((call, outcome))
                except (SandboxUnavailable, ProtocolError) as error:
                    lost.append(call)
                    self._journal.progress(Note(f"the virtual machine was lost: {error.message}"))

        if parallel == 1 or len(batch) == 1:
            for call in batch:
                await one(call)
        else:
            await together(one, batch)
        for call, outcome in later if not lost else ():
            try:
                await self._store(call, await self._with_content(machine, call, outcome))
            except (SandboxUnavailable, ProtocolError) as error:
                lost.append(call)
                self._journal.progress(Note(f"the virtual machine was lost: {error.message}"))
                break
        if lost:
            await self._bench.answer_lost()
        return not lost

    async def _attempt(self, machine: Machine, call: Call) -> ToolOutcome | None:
        """Run one call and store its result; return its outcome instead if that needs files first."""
        try:
            outcome = await self._run_inside(machine, call)
        except OutcomeUnknown:
            await self._journal.record(closed(call.use, "unknown", UNKNOWN))
            return None
        if outcome.needs:
            return outcome
        await self._store(call, outcome)
        return None

    async def _run_inside(self, machine: Machine, call: Call) -> ToolOutcome:
        key = await begin(self._journal, call)
        return await self._outcome(machine, call, key)

    async def _with_content(
        self, machine: Machine, call: Call, outcome: ToolOutcome
    ) -> ToolOutcome:
        """Bring the files that a call did not find; a call that only reads is then made again."""
        key = await begin(self._journal, call)
        lost: Mapping[str, str] = {}
        for attempt in range(1, MOST_MISSES + 1):
            if not outcome.needs:
                return outcome
            try:
                lost = await self._bench.supply(outcome.needs)
            except ToolInputError as error:
                return replace(outcome, text=error.message, needs=())
            if lost or call.spec.risk != "read" or self._has_sent(call):
                break
            outcome = await self._outcome(machine, call, f"{key}+{attempt}")
        if not outcome.needs:
            return outcome
        lines = [outcome.text, *(f"{path}: {why}." for path, why in lost.items())]
        if there := [path for path in outcome.needs if path not in lost]:
            lines.append(f"Now there: {', '.join(there[:20])}. Call the tool again.")
        return replace(outcome, text="\n".join(lines), needs=())

    def _has_sent(self, call: Call) -> bool:
        uses = self._journal.state.uses
        return any(use.sent for use in uses if use.use.id == call.use.use.id)

    async def _store(self, call: Call, outcome: ToolOutcome) -> None:
        as_json = self._world.model.name == "offline"
        limit = max(self._limit, RULES_ONLY_RESULT_BYTES) if as_json else self._limit
        result = finished(
            call.use,
            outcome,
            self._world.blobs,
            limit,
            as_json=as_json,
            untrusted=self._journal.state.foreign,
        )
        if outcome.wrote:
            # Stored together: a result whose files could be lost would be a lie after a restore.
            made, _ = await self._bench.checkpoint()
            await self._journal.record(result, made)
        else:
            await self._journal.record(result)

    async def _outcome(self, machine: Machine, call: Call, key: str) -> ToolOutcome:
        if call.use.started is not None:
            state, outcome = await machine.status(key)
            if state == "finished" and outcome is not None:
                return self._world.redact(outcome)
            if state == "unknown" and call.use.sent:
                raise OutcomeUnknown(UNKNOWN)
        timeout_s = float(call.spec.timeout_s)
        try:
            with anyio.fail_after(timeout_s + GRACE_S):
                outcome = await machine.call(
                    call.spec.name,
                    call.use.use.input,
                    key=key,
                    timeout_s=timeout_s,
                    on_progress=self._journal.progress,
                )
                return self._world.redact(outcome)
        except TimeoutError as error:
            raise SandboxUnavailable(f"{call.spec.name} gave no answer in time.") from error
