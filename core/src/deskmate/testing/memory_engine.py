"""The Engine port in memory, for tests: the same rules, nothing durable."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import anyio

from deskmate.ports import Counts, Item, Work


class MemoryEngine:
    """Items of one process. It passes the same conformance suite as the durable one."""

    def __init__(self) -> None:
        self._waiting: dict[str, Mapping[str, Any]] = {}
        self._running: set[str] = set()
        self._done: set[str] = set()

    async def submit(self, items: Iterable[Item]) -> int:
        """Take items up; one whose key is known is not taken again."""
        new = 0
        for item in items:
            if item.key not in self._waiting and item.key not in self._done | self._running:
                self._waiting[item.key] = item.arguments
                new += 1
        return new

    async def counts(self) -> Counts:
        """Return how many items wait, run and are done."""
        return Counts(queued=len(self._waiting), running=len(self._running), done=len(self._done))

    async def serve(self, work: Work, *, slots: int) -> None:
        """Run what waits; what `work` raises stops new work, and is raised when what runs has finished."""
        errors: list[Exception] = []

        async def take() -> None:
            while self._waiting and not errors:
                key = next(iter(self._waiting))
                arguments = self._waiting.pop(key)
                self._running.add(key)
                try:
                    await work(key, arguments)
                    self._done.add(key)
                except Exception as error:  # noqa: BLE001 - raised below
                    errors.append(error)
                finally:
                    self._running.discard(key)
                    if key not in self._done:
                        self._waiting[key] = arguments

        async with anyio.create_task_group() as tasks:
            for _ in range(slots):
                tasks.start_soon(take)
        if errors:
            raise errors[0]
