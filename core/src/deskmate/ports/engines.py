"""What runs many items durably: an engine of one process, and a pool that several hosts work in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import anyio

BULK, INTERACTIVE = 10, 1
"""Priorities: work that nobody waits for, and work that somebody looks at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One piece of durable work. `key`: its identity; `arguments`: small and of JSON.

    `host`: the one worker that may do it, "": any. `part`: of items of one part, which all name one `host`, one is done
    at a time, in order. `priority`: lower ones are begun first. An engine of one process knows no hosts.
    """

    key: str
    arguments: Mapping[str, Any]
    host: str = ""
    part: str = ""
    priority: int = BULK


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How many items of an engine wait, run, are done, and were stopped before they were done."""

    queued: int
    running: int
    done: int
    stopped: int = 0


Work = Callable[[str, Mapping[str, Any]], Awaitable[None]]
"""Does one item by key and arguments. It may be called again for an item that a crash cut off, and so must itself
see what it has recorded; what it raises is no end of the item."""


class Engine(Protocol):
    """Runs many items durably: stored once, done once, taken up again after a crash."""

    async def submit(self, items: Iterable[Item]) -> int:
        """Store items durably; one whose key is known is not stored again. Return how many were new."""

    async def counts(self) -> Counts:
        """Return how many items wait, run and are done."""

    async def serve(self, work: Work, *, slots: int) -> None:
        """Run what waits, at most `slots` at once, until nothing waits or runs.

        What `work` raises stops all work and is raised here; unfinished items are there at the next `serve`.
        """


class Pool(Protocol):
    """An engine that several processes share, on one machine or many: some put items in, some do them."""

    async def submit(self, items: Iterable[Item]) -> int:
        """Store items durably; one whose key is known is not stored again. Return how many were new.

        One that was stopped waits anew.
        """

    async def counts(self, prefix: str = "") -> Counts:
        """Return how the items stand whose keys begin with `prefix`."""

    async def stop(self, prefix: str) -> int:
        """Stop the items whose keys begin with `prefix`: those that wait at once, those that run within seconds.

        Return how many were neither done nor stopped.
        """

    async def forget(self, host: str) -> int:
        """Let others do what a worker had begun that is gone for good; return how many items that were.

        Items that only that worker may do stay with its name.
        """


class PoolMember(Protocol):
    """A pool that was opened as one of its workers."""

    @property
    def name(self) -> str:
        """The worker's own name, over all restarts."""

    async def work(self, work: Work, *, until: anyio.Event) -> None:
        """Do items until `until` is set, and let what runs finish then.

        What `work` raises stops that one item, and the rest goes on. Work whose item was stopped, or given to another
        worker, is cancelled.
        """
