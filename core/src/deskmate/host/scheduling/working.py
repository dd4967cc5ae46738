"""Carries scheduled runs out in this process, and says what is true of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

from deskmate.errors import DeskmateError, LimitExceeded
from deskmate.host.scheduling.ordering import (
    agreement,
    dry_run_of,
    order_of,
    title_of,
    unattended_of,
)
from deskmate.host.scheduling.outcome import Verdict, judge, of_dry_run
from deskmate.types.events import Event
from deskmate.types.ids import ThreadId
from deskmate.types.places import Places
from deskmate.types.schedules import Due, Schedule, Standing

if TYPE_CHECKING:
    from deskmate.agent.state import State
    from deskmate.host import Host
    from deskmate.host.orders import RunOrder
    from deskmate.host.running import Runs

GRACE_S = 60.0
"""How much longer than its own limit a run may take, with setting up and cleaning up."""
DEFAULT_S = 3_600.0
OWN_RUNS = 50
"""So many of the last runs are asked whether they wrote a file that changed."""


class Working:
    """The `Work` of a runner: threads, through the runs of this process."""

    def __init__(self, host: Host, places: Places, runs: Runs) -> None:
        self._host, self._places, self._runs = host, places, runs

    async def is_busy(self, due: Due) -> bool:
        """Say whether somebody works in the run's thread now."""
        from deskmate.store.lock import is_locked  # noqa: PLC0415
        from deskmate.store.thread import LOCK_FILE  # noqa: PLC0415

        lock = self._places.threads / due.thread / LOCK_FILE
        return self._runs.now(due.thread) is not None or await anyio.to_thread.run_sync(
            is_locked, lock
        )

    async def refusal(self, standing: Standing) -> str:
        """Return why a schedule may not run as it is now, empty if it may."""
        from deskmate.store.projects import Projects  # noqa: PLC0415

        schedule = standing.schedule

        def digest() -> str:
            return agreement(schedule, Projects(self._places.data))

        try:
            now = await anyio.to_thread.run_sync(digest)
        except DeskmateError as error:
            return error.message
        if now != standing.agreed:
            return "its project has changed since you agreed to it; try it with a dry run again"
        return ""

    async def carry_out(self, schedule: Schedule, due: Due, *, closing: bool) -> None:
        """Bring a run to its end or to a question; one that was begun goes on, and is never begun twice.

        `closing`: a question has waited too long; the answer is no. Raises DeskmateError where it cannot go on,
        and LimitExceeded where it takes too long.
        """
        await self._make_thread(schedule, due)
        state = await self._state(due)
        if state.ended is not None and _is_over(state, schedule, closing=closing):
            return
        await self._run(order_of(schedule, unattended_of(schedule, closing=closing)), schedule, due)

    async def try_out(self, schedule: Schedule, due: Due) -> Verdict:
        """Carry a dry run out to its end and say what is true of it. Raises as `carry_out`."""
        await self._make_thread(schedule, due)
        await self._run(dry_run_of(schedule), schedule, due)
        # nothing is written, so nothing can be in the folder
        return of_dry_run(await self.verdict(replace(schedule, apply="review"), due))

    async def _run(self, order: RunOrder, schedule: Schedule, due: Due) -> None:
        await self._runs.start(order, due.thread)
        seconds = (schedule.limits.seconds or DEFAULT_S) + GRACE_S
        with anyio.move_on_after(seconds) as scope:
            await self._runs.wait(due.thread)
        if scope.cancelled_caught:
            with anyio.move_on_after(GRACE_S):
                await self._runs.stop(due.thread)
            raise LimitExceeded(
                f"it did not end within {seconds:.0f} s and was stopped", limit="seconds"
            )
        if problem := self._runs.problem(due.thread):
            raise DeskmateError(problem.message, hint=problem.hint)

    async def _make_thread(self, schedule: Schedule, due: Due) -> None:
        folder = self._places.threads / due.thread
        if folder.is_dir():
            return
        try:
            await self._host.create_thread(title_of(schedule, due), ThreadId(due.thread))
        except DeskmateError:
            if not folder.is_dir():  # else another process was quicker
                raise

    async def verdict(self, schedule: Schedule, due: Due) -> Verdict:
        """Return what is true of a run now. Raises DeskmateError for a thread that cannot be read."""
        return await verdict_of(self._places, schedule, due)

    async def own_changes(self, schedule: Schedule, paths: tuple[str, ...]) -> frozenset[str]:
        """Return those of the changed paths that hold what runs of the schedule wrote there."""
        from deskmate.host.scheduling.watching import is_own, written_by  # noqa: PLC0415
        from deskmate.store.schedules import Schedules  # noqa: PLC0415

        store, folder = Schedules(self._places.data), Path(schedule.when.folder)
        dues = await anyio.to_thread.run_sync(store.history, schedule.id, OWN_RUNS)
        written = await written_by(self._places, [due.thread for due in dues if due.thread])

        def own() -> frozenset[str]:
            known = ((path, written.get(str(folder / path), frozenset())) for path in paths)
            return frozenset(path for path, digests in known if is_own(folder / path, digests))

        return await anyio.to_thread.run_sync(own)

    async def _state(self, due: Due) -> State:
        from deskmate.agent.state import fold  # noqa: PLC0415

        return fold(await _events(self._places, due))


async def verdict_of(places: Places, schedule: Schedule, due: Due) -> Verdict:
    """Return what is true of a run now. Raises DeskmateError for a thread that cannot be read."""
    from deskmate.store.blobs import BlobStore  # noqa: PLC0415

    events = await _events(places, due)
    return await anyio.to_thread.run_sync(judge, events, schedule, BlobStore(places.blobs))


async def _events(places: Places, due: Due) -> Sequence[Event]:
    from deskmate.store.thread import open_thread  # noqa: PLC0415

    async with open_thread(places.threads, due.thread, write=False) as store:
        return await store.events()


def _is_over(state: State, schedule: Schedule, *, closing: bool) -> bool:
    """Say whether nothing of a run is left to do: it ended, and what may be written was."""
    match state.ended.reason if state.ended else "":
        case "done":
            return schedule.apply == "review" or not state.dirty
        case "needs_you":
            return not closing or bool(
                state.open_uses and all(use.is_question for use in state.open_uses)
            )
        case "stopped" | "":
            return False
    return True
