"""A run of a schedule that is begun by hand in a process that has runs already: the page's."""

from __future__ import annotations

import logging

import anyio.abc
import anyio.to_thread

from deskmate.errors import DeskmateError, UserError
from deskmate.host import Host
from deskmate.host.adapters import SystemClock
from deskmate.host.running import Runs
from deskmate.host.scheduling.ordering import DRY_RUN
from deskmate.host.scheduling.outcome import Verdict
from deskmate.host.scheduling.planning import claimed
from deskmate.host.scheduling.runner import Runner
from deskmate.host.scheduling.working import Working
from deskmate.store.schedules import Schedules
from deskmate.types.places import Places
from deskmate.types.schedules import Due, Schedule, Standing

LOG = logging.getLogger("deskmate")


class ByHand:
    """Begins runs that go on by themselves; what becomes of them is noted as of any other."""

    def __init__(self, host: Host, places: Places, runs: Runs, tasks: anyio.abc.TaskGroup) -> None:
        """`tasks`: where runs are waited for."""
        self._work, self._store = Working(host, places, runs), Schedules(places.data)
        self._tasks, self._clock = tasks, SystemClock()

    async def begin(self, standing: Standing) -> Due:
        """Begin a run now, as it would be by itself.

        Raises UserError for a schedule that was not tried, may not run, or is at work.
        """
        schedule = standing.schedule
        if standing.state == "draft":
            raise UserError(
                f"{schedule.name} was not tried yet.",
                hint=f"deskmate schedule run {schedule.id} --dry-run",
            )
        await self._check_free(schedule)
        if why := await self._work.refusal(standing):
            raise UserError(f"{schedule.name} does not run: {why}.")
        now = self._clock.now()
        due = claimed(schedule, now, "hand", now)
        await anyio.to_thread.run_sync(self._store.claim, due)
        self._tasks.start_soon(self._carry_out, schedule, due)
        return due

    async def try_out(self, standing: Standing) -> Due:
        """Begin a dry run: nothing is written, and what would leave this computer gets a no.

        Raises UserError for a schedule that is at work.
        """
        schedule = standing.schedule
        await self._check_free(schedule)
        now = self._clock.now()
        due = claimed(schedule, now, DRY_RUN, now)

        def note() -> None:
            self._store.claim(due)
            self._store.begin(due, now)

        await anyio.to_thread.run_sync(note)
        self._tasks.start_soon(self._try, schedule, due)
        return due

    async def _check_free(self, schedule: Schedule) -> None:
        dues = await anyio.to_thread.run_sync(self._store.open_dues)
        if any(due.schedule == schedule.id and due.state != "waiting" for due in dues):
            raise UserError(f"{schedule.name} is at work.", hint="Wait until that run has ended.")

    async def _try(self, schedule: Schedule, due: Due) -> None:
        """Carry a dry run out and note what is true of it; of one that is cut short whoever looks next notes it."""
        try:
            verdict = await self._work.try_out(schedule, due)
        except (DeskmateError, OSError) as error:
            why = error.message if isinstance(error, DeskmateError) else str(error)
            verdict = Verdict(state="failed", why=why)
        try:
            await anyio.to_thread.run_sync(
                self._store.settle, due, verdict.state, verdict.why, self._clock.now()
            )
        except (DeskmateError, OSError) as error:
            LOG.warning("Schedules: %s", error)

    async def _carry_out(self, schedule: Schedule, due: Due) -> None:
        runner = Runner(self._store, self._work, self._clock, self._tasks)
        try:
            await runner.carry_out(schedule, due)
        except (DeskmateError, OSError) as error:  # whoever carries schedules out sees to it
            LOG.warning("Schedules: %s", error)
