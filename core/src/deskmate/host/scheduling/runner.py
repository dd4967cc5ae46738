"""The one process that carries schedules out: looks what is due, claims it, runs it, and notes what became of it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Protocol, TypeVar

import anyio
import anyio.abc
import anyio.to_thread

from deskmate.agent.asking import one_line
from deskmate.errors import DeskmateError
from deskmate.host.scheduling.outcome import Verdict
from deskmate.host.scheduling.planning import claimed, is_ahead, plan
from deskmate.host.scheduling.times import later, next_dues, to_moment
from deskmate.host.scheduling.watching import Look, differing, from_note, look_at, named, to_note
from deskmate.ports import Clock
from deskmate.store.schedules import Schedules
from deskmate.types.schedules import Due, DueState, Schedule, Standing

LOG = logging.getLogger("deskmate")
TICK_S = 15.0
"""How long the runner sleeps at most: the clock may be set, and schedules come and go."""
SLOTS = 2
"""So many scheduled runs are at work at the same time."""
BY_HAND_S = 60.0
"""So long after its beginning a run by hand has the lock of its thread, or its process is gone."""
MAX_ATTEMPTS = 8
"""So often a run is taken up whose process ended; then it has failed."""
FAULT = "a fault in Deskmate itself; the terminal or the journal of the service says more"
T = TypeVar("T")


class Work(Protocol):
    """What a runner needs of the house."""

    async def is_busy(self, due: Due) -> bool:
        """Say whether somebody works in the run's thread now."""

    async def refusal(self, standing: Standing) -> str:
        """Return why a schedule may not run as it is now, empty if it may."""

    async def carry_out(self, schedule: Schedule, due: Due, *, closing: bool) -> None:
        """Bring a run to its end or to a question. Raises DeskmateError."""

    async def verdict(self, schedule: Schedule, due: Due) -> Verdict:
        """Return what is true of a run now. Raises DeskmateError."""

    async def own_changes(self, schedule: Schedule, paths: tuple[str, ...]) -> frozenset[str]:
        """Return those of the changed paths that hold what runs of the schedule wrote there."""


def _key(due: Due) -> tuple[str, str]:
    return due.schedule, due.due


class Runner:
    """Over the stored schedules. There is one at a time: its process holds `Schedules.lock`."""

    def __init__(
        self,
        store: Schedules,
        work: Work,
        clock: Clock,
        tasks: anyio.abc.TaskGroup,
        *,
        told: Callable[[str], None] = lambda line: None,
        slots: int = SLOTS,
    ) -> None:
        """`told`: gets one line about what happens. `tasks`: where runs go on."""
        self._store, self._work, self._clock, self._tasks = store, work, clock, tasks
        self._told, self._slots = told, slots
        self._live: dict[tuple[str, str], anyio.Event] = {}
        self._looks: dict[str, Look] = {}

    async def serve(self) -> None:
        """Carry out what is due, for ever."""
        while True:
            try:
                await self.tick()
            except (DeskmateError, OSError) as error:  # a full disk: the next look tries again
                LOG.warning("Schedules: %s", error)
            except Exception:  # whatever is wrong with one look, the others go on
                LOG.exception("Schedules: a look broke off.")
            await self._clock.sleep(await self.wait_s())

    async def wait_s(self) -> float:
        """Return how long nothing is due, in seconds, a tick at most."""
        now = to_moment(self._clock.now())
        end = now + timedelta(seconds=TICK_S)
        for standing in await _in_thread(self._store.all):
            if standing.state == "active":
                first = next_dues(standing.schedule.when, now, 1)
                end = min((end, *first))
        return max(0.05, (end - now).total_seconds())

    async def idle(self) -> None:
        """Return when no run is at work in this process."""
        for over in tuple(self._live.values()):
            await over.wait()

    async def tick(self) -> None:
        """Look once: claim what is due, begin what is claimed, and see to what waits."""
        standings = {one.schedule.id: one for one in await _in_thread(self._store.all)}
        dues = await _in_thread(self._store.open_dues)
        for standing in standings.values():
            try:
                await self._take(standing, dues)
            except DeskmateError as error:
                await self._note_trouble(standing, error.message)
        for due in await _in_thread(self._store.open_dues):
            known = standings.get(due.schedule)
            if known is not None and _key(due) not in self._live:
                await self._see_to(known, due)

    async def _take(self, standing: Standing, dues: tuple[Due, ...]) -> None:
        """Claim and skip what has become due."""
        name = standing.schedule.id
        busy = next((d for d in dues if d.schedule == name and d.state != "waiting"), None)
        if standing.schedule.when.kind == "change":
            await self._take_change(standing, busy)
            return
        refused = await self._work.refusal(standing) if standing.state == "active" else ""
        now = self._clock.now()
        if is_ahead(standing, now):
            why = f"the clock of this machine had been wrong: it showed {standing.looked[:16]}Z"
            await _in_thread(lambda: self._store.look_anew(name, now, why))
            return
        made = await _in_thread(lambda: plan(standing, now, busy=busy, refused=refused))
        if made is None:
            return
        fresh = await _in_thread(
            lambda: self._store.take(
                name, made.dues, made.looked, state=standing.state, over=made.over
            )
        )
        for due in fresh:
            self._tell(standing.schedule, due)

    async def _take_change(self, standing: Standing, busy: Due | None) -> None:
        """Claim a run where the folder differs from what was noted, and has come to rest."""
        schedule = standing.schedule
        if standing.state != "active" or busy is not None:
            return
        folder = Path(schedule.when.folder)
        look = await _in_thread(lambda: look_at(folder, schedule.when.pattern))
        before, self._looks[schedule.id] = self._looks.get(schedule.id), look
        if standing.why:
            await _in_thread(lambda: self._store.note_why(schedule.id, ""))
        note = await _in_thread(lambda: self._store.seen(schedule.id))
        if note is None:
            await _in_thread(lambda: self._store.note_seen(schedule.id, to_note(look)))
            return
        paths = differing(from_note(note), look)
        if not paths or before != look:
            return
        own = await self._work.own_changes(schedule, paths)
        others = tuple(path for path in paths if path not in own)
        if not others:
            await _in_thread(lambda: self._store.note_seen(schedule.id, to_note(look)))
            return
        refused, now = await self._work.refusal(standing), self._clock.now()
        due = claimed(schedule, now, "change", now, named(others))
        if refused:
            due = Due(
                schedule=schedule.id, due=now, trigger="change", state="skipped",
                why=f"{named(others)}; {refused}", until=now, claimed=now, ended=now,
            )  # fmt: skip
        await _in_thread(lambda: self._store.take(schedule.id, (due,), now, seen=to_note(look)))
        self._tell(schedule, due)

    async def _note_trouble(self, standing: Standing, why: str) -> None:
        if standing.why != why:
            self._told(f"{standing.schedule.name}: {why}")
            await _in_thread(lambda: self._store.note_why(standing.schedule.id, why))

    async def _see_to(self, standing: Standing, due: Due) -> None:
        """Begin or resume a run; of one that waits, see whether it was answered or has waited too long."""
        schedule = standing.schedule
        by_hand = due.trigger in ("hand", "dry run")
        if by_hand and self._clock.now() < later(due.claimed, BY_HAND_S):
            return
        if await self._work.is_busy(due):
            return
        if due.trigger == "dry run":
            await self._settle(
                schedule, due, Verdict(state="failed", why="its process ended early")
            )
            return
        if due.state == "waiting" and not self._is_late(due):
            verdict = await self._verdict(schedule, due)
            if verdict.state != "waiting":
                await self._settle(schedule, due, verdict)
            return
        if len(self._live) < self._slots:
            if due.state == "claimed" and (why := await self._work.refusal(standing)):
                await self._settle(schedule, due, Verdict(state="skipped", why=why))
                return
            self._live[_key(due)] = anyio.Event()
            self._tasks.start_soon(self._carry_out, schedule, due)

    def _is_late(self, due: Due) -> bool:
        return bool(due.deadline) and self._clock.now() >= due.deadline

    async def _carry_out(self, schedule: Schedule, due: Due) -> None:
        try:
            await self.carry_out(schedule, due)
        except DeskmateError as error:  # the disk is full: the run stays open, and is seen to again
            LOG.warning("Schedules: %s %s", error.message, error.hint)
        except Exception:
            LOG.exception("A run of the schedule %s broke off.", schedule.id)
        finally:
            self._live.pop(_key(due)).set()

    async def carry_out(self, schedule: Schedule, due: Due) -> Due | None:
        """Carry one claimed or interrupted run out, and note what became of it; None: it has ended already."""
        begun = await _in_thread(lambda: self._store.begin(due, self._clock.now()))
        if begun is None:
            return None
        self._told(f"{schedule.name}: began, thread {begun.thread}")
        if begun.attempts > MAX_ATTEMPTS:
            verdict = await self._verdict(schedule, begun)
            if verdict.state != "succeeded":  # the last of them may have got to its end
                why = f"it was begun {MAX_ATTEMPTS} times, and its process ended each time"
                verdict = Verdict(state="failed", why=why)
            return await self._settle(schedule, begun, verdict)
        closing = self._is_late(begun)
        try:
            await self._work.carry_out(schedule, begun, closing=closing)
        except DeskmateError as error:
            if await self._work.is_busy(
                begun
            ):  # somebody else took the thread up; it is seen to later
                return begun
            why = one_line(error)
            return await self._settle(schedule, begun, Verdict(state="failed", why=why))
        except Exception:  # one run's defect must not end the others
            LOG.exception("A run of the schedule %s broke off.", schedule.id)
            return await self._settle(schedule, begun, Verdict(state="failed", why=FAULT))
        verdict = await self._verdict(schedule, begun)
        if closing and verdict.state == "waiting":
            verdict = Verdict(state="failed", why=f"nobody answered in time: {verdict.why}")
        elif closing and verdict.state == "succeeded":
            verdict = Verdict(
                state="succeeded",
                why=f"{verdict.why}; nobody answered in time, so the answer was no",
            )
        return await self._settle(schedule, begun, verdict)

    async def _verdict(self, schedule: Schedule, due: Due) -> Verdict:
        try:
            return await self._work.verdict(schedule, due)
        except DeskmateError as error:
            return Verdict(state="failed", why=error.message)

    async def _settle(self, schedule: Schedule, due: Due, verdict: Verdict) -> Due | None:
        now = self._clock.now()
        state: DueState = verdict.state
        deadline = later(now, schedule.wait_s) if state == "waiting" else ""
        settled = await _in_thread(
            lambda: self._store.settle(due, state, verdict.why, now, deadline=deadline)
        )
        if settled is not None:
            self._tell(schedule, settled)
        return settled

    def _tell(self, schedule: Schedule, due: Due) -> None:
        words = "; ".join(word for word in (due.why, due.note) if word)
        why = f": {words}" if words else ""
        self._told(f"{schedule.name}: {due.state}{why}")


async def _in_thread(call: Callable[[], T]) -> T:
    return await anyio.to_thread.run_sync(call)
