"""The Engine port over DBOS and one SQLite file, for the items of one process.

DBOS keeps one instance a process, so one engine at a time is open here. No server, no telemetry, no conductor.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import anyio.from_thread
import anyio.to_thread

from deskmate.engine import running
from deskmate.engine.running import Stopped, load_dbos
from deskmate.ports import Counts, Item, Work

if TYPE_CHECKING:
    from dbos import DBOS

EXECUTOR = "this-machine"
QUEUE = "items"
POLL_S = 0.05
_ATTEMPTS = 1_000_000
"""An item may be cut off by any number of crashes; it is our work that says when it is given up."""
_PAGE = 1_000
_RUNNING, _WAITING = ("PENDING",), ("ENQUEUED", "DELAYED")


class DurableEngine:
    """Items in one SQLite file. Made by `open_engine`."""

    def __init__(self, dbos: type[DBOS]) -> None:
        self._dbos = dbos
        self._closed = threading.Event()
        self._serving: _Serving | None = None
        self._ready = threading.Event()
        self._dropped: set[str] = set()

    async def submit(self, items: Iterable[Item]) -> int:
        """Store items durably; one whose key is known is not stored again. Return how many were new."""
        return await anyio.to_thread.run_sync(self._submit, items)

    def _submit(self, items: Iterable[Item]) -> int:
        from dbos import SetWorkflowID  # noqa: PLC0415 - heavy

        before = sum(self._counts().values())
        for item in items:
            with SetWorkflowID(item.key):
                self._dbos.enqueue_workflow(
                    QUEUE, running.the_item(), item.key, dict(item.arguments)
                )
        return sum(self._counts().values()) - before

    async def counts(self) -> Counts:
        """Return how many items wait, run and are done."""
        found = await anyio.to_thread.run_sync(self._counts)
        return Counts(
            queued=sum(found.get(status, 0) for status in _WAITING),
            running=sum(found.get(status, 0) for status in _RUNNING),
            done=found.get("SUCCESS", 0),
        )

    def _counts(self) -> Mapping[str, int]:
        found: Counter[str] = Counter()
        while page := self._dbos.list_workflows(
            limit=_PAGE, offset=found.total(), load_input=False, load_output=False
        ):
            found.update(item.status for item in page)
        return found

    async def serve(self, work: Work, *, slots: int) -> None:
        """Run what waits, at most `slots` at once, until nothing waits or runs.

        What `work` raises stops new work; what runs is let finish, and then it is raised here.
        """
        await anyio.to_thread.run_sync(self._listen, slots)
        async with anyio.from_thread.BlockingPortal() as portal:
            serving = self._serving = _Serving(work, portal)
            self._ready.set()
            try:
                while serving.goes_on and (
                    serving.active or await anyio.to_thread.run_sync(self._unfinished)
                ):
                    with anyio.move_on_after(POLL_S):
                        await serving.changed.wait()
            finally:
                self._ready.clear()
                self._serving = None
                await portal.stop(cancel_remaining=True)
        if serving.error is not None:
            raise serving.error

    def _listen(self, slots: int) -> None:
        """Set the queue's slots, and put back what an earlier `serve` of this engine left undone."""
        self._dbos.register_queue(
            QUEUE,
            worker_concurrency=slots,
            polling_interval_sec=POLL_S,
            on_conflict="always_update",
        )
        left, self._dropped = self._dropped, set()
        if left:  # without the queue's name they would run beside it, as many as there are
            self._dbos.resume_workflows(sorted(left), queue_name=QUEUE)

    def _unfinished(self) -> bool:
        status = [*_RUNNING, *_WAITING]
        return bool(
            self._dbos.list_workflows(status=status, limit=1, load_input=False, load_output=False)
        )

    def carry_out(self, key: str, arguments: Mapping[str, Any], priority: int) -> None:
        """Do one item's work on the loop that serves. Called in a thread of DBOS."""
        while not self._closed.is_set():
            serving = self._serving if self._ready.wait(timeout=0.2) else None
            if serving is None or serving.error is not None:
                self._closed.wait(timeout=0.05)  # keeps its slot: nothing else is begun either
                continue
            try:
                serving.portal.call(serving.one, key, arguments)
            except BaseException as error:
                self._dropped.add(key)
                raise Stopped from error
            return
        self._dropped.add(key)
        raise Stopped

    def close(self) -> None:
        """Let every waiting thread go."""
        self._closed.set()


class _Serving:
    """One call of `serve`. `active`: items in work. `error`: the first that work raised."""

    def __init__(self, work: Work, portal: anyio.from_thread.BlockingPortal) -> None:
        self._work, self.portal = work, portal
        self.active = 0
        self.error: Exception | None = None
        self.changed = anyio.Event()

    @property
    def goes_on(self) -> bool:
        """Say whether there is anything to wait for."""
        return self.error is None or self.active > 0

    async def one(self, key: str, arguments: Mapping[str, Any]) -> None:
        """Do one item. Raises what `work` raises."""
        if self.error is not None:
            raise Stopped
        self.active += 1
        try:
            await self._work(key, arguments)
        except Exception as error:
            self.error = self.error or error
            raise
        finally:
            self.active -= 1
            changed, self.changed = self.changed, anyio.Event()
            changed.set()


@asynccontextmanager
async def open_engine(database: Path) -> AsyncIterator[DurableEngine]:
    """Open the engine whose items are in this file, made at the first time.

    Whoever opens it holds a lock of its own over the file. Raises UserError where DBOS is not installed.
    """
    running.check_free()
    engine = await anyio.to_thread.run_sync(_start, database)
    try:
        yield engine
    finally:
        running.leave()
        engine.close()
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(running.end)


def _start(database: Path) -> DurableEngine:
    engine = DurableEngine(load_dbos())
    running.prepare_file(database)
    running.launch(engine, f"sqlite:///{database}", executor=EXECUTOR, attempts=_ATTEMPTS)
    return engine
