"""Rest: a machine that nobody uses for a while is stopped, and runs again before whoever uses it next.

All deadlines of idle machines are here.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import anyio

from deskmate.errors import DeskmateError

REST_AFTER_S = 5.0
"""A machine that nobody used for so long is stopped: even an idle guest costs most of a percent of a core."""

Sleep = Callable[[float], Awaitable[None]]


class Rest:
    """Counts the uses of one machine, and lets it run for as long as there is one."""

    def __init__(
        self,
        stop: Callable[[], Awaitable[None]],
        go_on: Callable[[], Awaitable[None]],
        *,
        after_s: float = REST_AFTER_S,
        sleep: Sleep = anyio.sleep,
    ) -> None:
        """`stop`: takes the processor away. `go_on`: gives it back and tells the time.

        Both raise a DeskmateError if the machine is gone.
        """
        self._stop, self._go_on = stop, go_on
        self._after_s, self._sleep = after_s, sleep
        self._lock = anyio.Lock()
        self._users = 0
        self._uses = 0
        self._used = anyio.Event()
        self._free = anyio.Event()
        self.resting = False

    @asynccontextmanager
    async def in_use(self) -> AsyncIterator[None]:
        """Let the machine run while the context lasts; uses may overlap. Raises what `go_on` raises."""
        self._users += 1
        self._uses += 1
        self._used.set()
        try:
            await self._wake()
            yield
        finally:
            self._users -= 1
            if not self._users:
                self._free.set()

    async def _wake(self) -> None:
        if not self.resting and not self._lock.locked():
            return
        async with self._lock:
            if self.resting:
                # half a wake-up would leave an answer behind that belongs to nobody
                with anyio.CancelScope(shield=True):
                    await self._go_on()
                self.resting = False

    async def watch(self) -> None:
        """Stop the machine whenever nobody used it for a while. Ends when the machine is gone."""
        await self._used.wait()
        while True:
            seen = self._uses
            await self._sleep(self._after_s)
            if self._users or seen != self._uses:
                await self._until_free()
                continue
            async with self._lock:
                if self._users:
                    continue
                self._used = anyio.Event()  # also a use that begins while it is being stopped
                try:
                    with anyio.CancelScope(shield=True):
                        await self._stop()
                except DeskmateError:
                    return  # whoever uses it next hears of it
                self.resting = True
            await self._used.wait()

    async def _until_free(self) -> None:
        while self._users:
            self._free = anyio.Event()
            await self._free.wait()
