"""Machines restored ahead of need: each waits stopped, is handed out once, and becomes somebody only then."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Generic, Protocol, TypeVar

import anyio
from anyio.abc import TaskGroup

from deskmate.errors import DeskmateError
from deskmate.sandbox.template import Template
from deskmate.types.ids import Digest

WAITING_MACHINES = 2
"""How many machines wait at most, over all templates."""
REFILL_GAP_S = 0.5
"""A machine that was taken is replaced after so long: the work that took it goes first."""


class Spare(Protocol):
    """A restored machine that nobody has used: no thread, clock or name of its own yet."""

    @property
    def fit(self) -> bool:
        """Whether its process still lives."""

    async def wake(self) -> None:
        """Let it run again. Raises SandboxUnavailable."""


M = TypeVar("M", bound=Spare)


class _Slot(Generic[M]):
    """One machine and the task that owns it: a machine's channels end in the task that opened them."""

    def __init__(self, template: Template) -> None:
        self.key: Digest = template.key
        self.machine: M | None = None
        self.released = anyio.Event()
        self.gone = anyio.Event()


class Pool(Generic[M]):
    """Keeps one machine of each template that was used last, made in the background.

    A machine that is handed out never comes back.
    """

    def __init__(
        self,
        tasks: TaskGroup,
        restore: Callable[[Template], AbstractAsyncContextManager[M]],
        enough: Callable[[Template], bool],
    ) -> None:
        """`tasks`: where machines live. `restore`: makes one that waits; on exit it is gone.

        `enough`: whether memory is left for one more.
        """
        self._tasks = tasks
        self._restore = restore
        self._enough = enough
        self._slots: list[_Slot[M]] = []

    @property
    def waiting(self) -> int:
        """How many machines are ready to be taken."""
        return sum(slot.machine is not None for slot in self._slots)

    def want(self, template: Template) -> None:
        """Have a machine of this template made, unless one waits or is being made."""
        if any(slot.key == template.key for slot in self._slots):
            return
        slot: _Slot[M] = _Slot(template)
        self._slots.append(slot)
        for oldest in self._slots[:-WAITING_MACHINES]:
            self._drop(oldest)
        self._tasks.start_soon(self._keep, slot, template)

    @asynccontextmanager
    async def take(self, template: Template) -> AsyncIterator[M | None]:
        """Hand out a waiting machine, awake; None if there is none that works. On exit it is gone."""
        slot = next((s for s in self._slots if s.key == template.key and s.machine), None)
        if slot is None:
            yield None
            return
        self._slots.remove(slot)
        try:
            yield slot.machine if await self._woken(slot) else None
        finally:
            slot.released.set()
            with anyio.CancelScope(shield=True):
                await slot.gone.wait()

    async def _woken(self, slot: _Slot[M]) -> bool:
        assert slot.machine is not None
        if not slot.machine.fit:
            return False
        try:
            await slot.machine.wake()
        except DeskmateError:
            return False
        return True

    def _drop(self, slot: _Slot[M]) -> None:
        self._slots.remove(slot)
        slot.released.set()

    async def _keep(self, slot: _Slot[M], template: Template) -> None:
        """Own one machine from its restore to its end. One that cannot be made is not missed."""
        try:
            with anyio.move_on_after(REFILL_GAP_S):
                await slot.released.wait()
            if slot.released.is_set() or not self._enough(template):
                return
            async with self._restore(template) as machine:
                slot.machine = machine
                await slot.released.wait()
        except (DeskmateError, OSError):
            pass  # whoever needs one restores it and hears why that fails
        finally:
            slot.machine = None
            slot.gone.set()
            if slot in self._slots:
                self._slots.remove(slot)
