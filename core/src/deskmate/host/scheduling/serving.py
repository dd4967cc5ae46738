"""Keeps schedules going in a process: one at a time on this machine, whichever comes first."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import anyio
import anyio.to_thread

from deskmate.errors import UserError
from deskmate.host import Host
from deskmate.host.adapters import SystemClock
from deskmate.host.running import Problem, Runs, running
from deskmate.host.scheduling.runner import Runner
from deskmate.host.scheduling.working import Working
from deskmate.ports import Clock, Delta
from deskmate.store.blobs import make_folder
from deskmate.store.lock import WriterLock, is_locked
from deskmate.store.schedules import Schedules
from deskmate.types.events import Event
from deskmate.types.ids import ThreadId
from deskmate.types.places import Places

AGAIN_S = 10.0
"""How often a process looks whether the one that carries schedules out has ended."""
Tell = Callable[[str], None]


class Quiet:
    """A listener that nobody reads."""

    def told(self, thread: ThreadId, item: Event | Delta) -> None:
        """Say nothing."""

    def began(self, thread: ThreadId) -> None:
        """Say nothing."""

    def ended(self, thread: ThreadId, problem: Problem | None) -> None:
        """Say nothing."""


def is_served(places: Places) -> bool:
    """Say whether a process of this user carries schedules out now."""
    return is_locked(Schedules(places.data).lock)


@contextmanager
def owning(places: Places) -> Iterator[None]:
    """Be the one that carries schedules out. Raises UserError if there is another; its end, any end, frees the place."""
    make_folder(places.data)
    try:
        lock = WriterLock(Schedules(places.data).lock, "of the schedules")
    except UserError as error:
        raise UserError(
            "Another Deskmate carries the schedules out already.",
            hint="That is the service, `deskmate serve` or another `schedule serve`: deskmate service status",
        ) from error
    try:
        yield
    finally:
        lock.release()


async def keep_schedules(
    host: Host, places: Places, runs: Runs, told: Tell, clock: Clock | None = None
) -> None:
    """Carry schedules out, for ever; while another process does it, wait for its end."""
    while True:
        try:
            with owning(places):
                await _serve(host, places, runs, told, clock)
        except UserError:
            await anyio.sleep(AGAIN_S)


async def serve_schedules(host: Host, places: Places, told: Tell) -> None:
    """Carry schedules out until the process is told to end; runs that are under way are stopped, and go on later."""
    with owning(places):
        async with running(host, places, Quiet()) as runs, anyio.create_task_group() as tasks:
            tasks.start_soon(_serve, host, places, runs, told)
            with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
                async for _ in signals:
                    break
            tasks.cancel_scope.cancel()


async def _serve(
    host: Host, places: Places, runs: Runs, told: Tell, clock: Clock | None = None
) -> None:
    work, store = Working(host, places, runs), Schedules(places.data)
    async with anyio.create_task_group() as tasks:
        await Runner(store, work, clock or SystemClock(), tasks, told=told).serve()
