"""What a worker's machines may take together: slots and memory. The engine counts neither across its queues."""

from __future__ import annotations

import heapq
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import count

import anyio


class Gate:
    """Lets work begin while there is room for it, the most urgent first. One event loop."""

    def __init__(
        self,
        slots: int,
        *,
        memory_mib: int | None = None,
        each_mib: int = 0,
        free_mib: Callable[[], int | None] = lambda: None,
    ) -> None:
        """`memory_mib`: what all work may take together, None: no limit; `each_mib`: what one takes.

        `free_mib`: what the machine has left now: work waits while that is less than one takes, unless none runs.
        """
        self._slots, self._memory, self._each, self._free = slots, memory_mib, each_mib, free_mib
        self.running = 0
        self._waiting: list[tuple[int, int, anyio.Event]] = []
        self._numbers = count()

    @property
    def waiting(self) -> int:
        """How many wait for room."""
        return len(self._waiting)

    @asynccontextmanager
    async def room(self, priority: int) -> AsyncIterator[None]:
        """Wait until there is room, and keep it for the block. Lower priorities come first."""
        mine = (priority, next(self._numbers), anyio.Event())
        heapq.heappush(self._waiting, mine)
        self.look()
        try:
            await mine[2].wait()
        except BaseException:
            if mine in self._waiting:
                self._waiting.remove(mine)
                heapq.heapify(self._waiting)
            else:
                self._leave()
            raise
        try:
            yield
        finally:
            self._leave()

    def _leave(self) -> None:
        self.running -= 1
        self.look()

    def look(self) -> None:
        """Let in whoever there is room for; called again now and then, as memory comes back without a word."""
        while self._waiting and self._has_room():
            self.running += 1
            heapq.heappop(self._waiting)[2].set()

    def _has_room(self) -> bool:
        if self.running >= self._slots:
            return False
        if self.running == 0:
            return True
        if self._memory is not None and (self.running + 1) * self._each > self._memory:
            return False
        free = self._free()
        return free is None or free >= self._each
