"""A worker of a pool: takes items from the queue of all and from its own, while its slots and its memory last."""

from __future__ import annotations

import threading
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio
import anyio.from_thread
import anyio.to_thread

from deskmate.databases import DatabaseAway, server_engine, server_told
from deskmate.engine import running
from deskmate.engine.gate import Gate
from deskmate.engine.pool import BULK_QUEUE, SharedPool, file_of, make_pool, queue_of
from deskmate.engine.roster import now
from deskmate.engine.running import Stopped, load_dbos
from deskmate.errors import DeskmateError, UserError
from deskmate.ports import Work
from deskmate.types.fleet import PoolWorker

if TYPE_CHECKING:
    import sqlalchemy as sa

POLL_S = 0.2
LOOK_S = 1.0
"""How often a worker looks whether its items are still its own, and says that it is there."""
SEEN_S = 15.0
"""Who was seen within this time counts as there, where a worker's number of slots is to change."""
LET_GO_S = 45.0
"""Longer than a server holds a name for a connection that is gone."""
ATTEMPTS = 50
"""How often an item is begun, by workers that did not live to its end, before it is given up and shown as stuck."""
_LOCK = 0x6465736B
"""The first half of the number of each advisory lock of ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """Who a worker is. `name`: its own, over all restarts. `each_mib`: memory that one item's machine takes.

    `attempts`: after how many beginnings an item is given up.
    """

    name: str
    slots: int
    version: str
    memory_mib: int | None = None
    each_mib: int = 0
    free_mib: Callable[[], int | None] = lambda: None
    attempts: int = ATTEMPTS


class Worker:
    """Does a pool's items. Made by `open_worker`."""

    def __init__(self, pool: SharedPool, member: Member) -> None:
        self.pool, self._member = pool, member
        self._closed = threading.Event()
        self._ready = threading.Event()
        self._shift: _Shift | None = None
        self._began = now()
        self._failed = False
        self.claim = _Claim(pool.url, member.name)

    @property
    def name(self) -> str:
        """The worker's own name."""
        return self._member.name

    async def work(self, work: Work, *, until: anyio.Event) -> None:
        """Do items until `until` is set; what runs then is let finish.

        What `work` raises of ours stops that one item, which is there at the next `submit` of it. Raises UserError
        where another took this worker's name, and any fault of `work` that is none of ours.
        """
        async with anyio.from_thread.BlockingPortal() as portal:
            gate = Gate(
                self._member.slots,
                memory_mib=self._member.memory_mib,
                each_mib=self._member.each_mib,
                free_mib=self._member.free_mib,
            )
            shift = self._shift = _Shift(work, portal, gate, self.pool)
            self._ready.set()
            try:
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(self._look, shift)
                    tasks.start_soon(self._wait, until, shift)
                    await shift.over.wait()
                    tasks.cancel_scope.cancel()
            finally:
                self._ready.clear()
                self._shift = None
                with anyio.CancelScope(shield=True):
                    await portal.stop(cancel_remaining=True)
        if shift.error is not None:
            self._failed = True
            raise shift.error

    async def _wait(self, until: anyio.Event, shift: _Shift) -> None:
        await until.wait()
        shift.ends = True
        shift.check_over()

    async def _look(self, shift: _Shift) -> None:
        """Give up work that is no longer ours, and say that we are there."""
        while True:
            await anyio.sleep(LOOK_S)
            shift.gate.look()
            try:
                await anyio.to_thread.run_sync(self.claim.check)
                asked = dict(shift.scopes)
                own = await anyio.to_thread.run_sync(self.pool.running_of, self.name, asked)
                shift.give_up({key: one for key, one in asked.items() if key not in own})
                await anyio.to_thread.run_sync(self.pool.roster.see, self.state(shift))
            except DatabaseAway:
                continue  # what runs goes on: nobody else begins it while we have our name
            except DeskmateError as error:
                shift.fail(error)

    def state(self, shift: _Shift | None = None, *, ended: bool = False) -> PoolWorker:
        """Return how this worker stands."""
        member = self._member
        return PoolWorker(
            name=member.name,
            slots=member.slots,
            memory_mib=member.memory_mib,
            version=member.version,
            began=self._began,
            seen=now(),
            running=shift.gate.running if shift else 0,
            waiting=shift.gate.waiting if shift else 0,
            state="ended" if ended else "at_work",
        )

    def carry_out(self, key: str, arguments: Mapping[str, Any], priority: int) -> None:
        """Do one item's work on the loop that works. Called in a thread of DBOS."""
        while not self._closed.is_set():
            shift = self._shift if self._ready.wait(timeout=0.2) else None
            if shift is None or shift.ends or not self.claim.held:
                self._closed.wait(timeout=0.05)
                continue
            try:
                done = shift.portal.call(shift.one, key, arguments, priority)
            except BaseException as error:
                raise Stopped from error
            if not done:
                raise Stopped
            return
        raise Stopped

    def start(self) -> None:
        """Take the name, and have DBOS hand out items. Raises UserError if another has the name. Blocks."""
        self.claim.take()
        self._check_slots()
        url, queues = self.pool.url, [BULK_QUEUE, queue_of(self.name)]
        running.launch(self, url, executor=self.name, attempts=self._member.attempts, queues=queues)
        try:
            self._register()
        except (
            BaseException
        ):  # threads of the engine wait for us already, and would keep the process
            self.end()
            raise

    def _register(self) -> None:
        """Say what we take, and that we are there."""
        dbos = load_dbos()
        register = partial(dbos.register_queue, polling_interval_sec=POLL_S)
        # the queue of all has one number for all workers, and maybe a limit of its rate that somebody set
        bulk = register(
            BULK_QUEUE, worker_concurrency=self._member.slots, on_conflict="never_update"
        )
        bulk.set_worker_concurrency(self._member.slots)
        register(
            queue_of(self.name),
            worker_concurrency=self._member.slots,
            partition_concurrency=1,
            on_conflict="always_update",
        )
        self.pool.roster.see(self.state())

    def _check_slots(self) -> None:
        others = [
            one
            for one in self.pool.roster.workers()
            if one.name != self.name and one.state == "at_work" and _fresh(one.seen)
        ]
        other = next((one for one in others if one.slots != self._member.slots), None)
        if other is not None:
            self.claim.release()
            raise UserError(
                f"The workers of this pool have {other.slots} slots each, and this one would have {self._member.slots}.",
                hint=f"Give --slots {other.slots}; on a larger machine start more workers, each with a --name.",
            )

    def end(self) -> None:
        """Hand nothing out any more, and give the name back. Blocks."""
        running.leave()
        self._closed.set()
        running.end()
        with suppress(DatabaseAway, UserError):  # else what it had is begun again when it is back
            self.claim.check()
            if self.claim.held:  # else what stands under this name is a successor's
                if not self._failed:  # else the beginnings of what failed are to be counted on
                    self.pool.give_back(self.name)
                self.pool.roster.see(self.state(ended=True))
        self.claim.release()


class _Shift:
    """One call of `work`. `scopes`: item → what cancels it. `ends`: nothing new is begun."""

    def __init__(
        self, work: Work, portal: anyio.from_thread.BlockingPortal, gate: Gate, pool: SharedPool
    ) -> None:
        self._work, self.portal, self.gate, self._pool = work, portal, gate, pool
        self.scopes: dict[str, anyio.CancelScope] = {}
        self.ends = False
        self.error: Exception | None = None
        self.over = anyio.Event()

    async def one(self, key: str, arguments: Mapping[str, Any], priority: int) -> bool:
        """Do one item; False if it was not done. Raises what `work` raises by a fault."""
        if self.ends:
            return False
        before = self.scopes.get(key)
        if before is not None:  # it was given to us anew while the old work still went on
            before.cancel()
        scope = self.scopes[key] = anyio.CancelScope()
        try:
            with scope:
                async with self.gate.room(priority):
                    if self.ends:
                        return False
                    await self._work(key, arguments)
                    return True
            return False
        except DatabaseAway as error:
            self.fail(error)
            raise
        except DeskmateError:
            await anyio.to_thread.run_sync(self._stop_one, key)
            return False
        except Exception as error:
            self.fail(error)
            raise
        finally:
            if self.scopes.get(key) is scope:
                del self.scopes[key]
            self.check_over()

    def _stop_one(self, key: str) -> None:
        self._pool.stop_now(key)

    def give_up(self, lost: Mapping[str, anyio.CancelScope]) -> None:
        """Cancel work on items that are no longer ours: stopped, or given to another."""
        for key, scope in lost.items():
            if self.scopes.get(key) is scope:
                scope.cancel()

    def fail(self, error: Exception) -> None:
        """End the shift by an error: what runs is cancelled."""
        self.error = self.error or error
        self.ends = True
        for scope in self.scopes.values():
            scope.cancel()
        self.check_over()

    def check_over(self) -> None:
        """See whether the shift is over."""
        if self.ends and not self.scopes:
            self.over.set()


class _Claim:
    """A worker's name, held against others by a lock of the server that ends with its session.

    Of a pool in a file whoever opens the worker holds a lock of the system instead.
    """

    def __init__(self, url: str, name: str) -> None:
        self._url, self._name = url, name
        self._engine: sa.Engine | None = None
        self._connection: sa.Connection | None = None
        self._lost_at: float | None = None

    @property
    def held(self) -> bool:
        """Say whether the name is ours, as far as was seen."""
        return self._connection is not None or file_of(self._url) is not None

    def take(self) -> None:
        """Take the name. Raises UserError if another has it, DatabaseAway."""
        if file_of(self._url) is not None:
            return
        self._engine = self._engine or server_engine(self._url, size=1)
        with server_told("pool"):
            connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            query = "select pg_try_advisory_lock(%s, hashtext(%s))"
            if connection.exec_driver_sql(query, (_LOCK, self._name)).scalar():
                self._connection = connection
                return
            connection.close()
        raise UserError(
            f"Another worker named {self._name} is at work in this pool.",
            hint="Give this one another --name, or stop the other. One that was cut off is let go after 15 seconds.",
        )

    def check(self) -> None:
        """See that the name is still ours, and take it again where the connection was lost. Raises as `take`.

        The server may hold it for our own lost connection a while: only what lasts is another's.
        """
        if file_of(self._url) is not None:
            return
        if self._connection is not None:
            with suppress(DatabaseAway):
                if (
                    not self._connection.invalidated
                ):  # else it would be another session, without the lock
                    with server_told("pool"):
                        self._connection.exec_driver_sql("select 1")
                    return
            self._connection.invalidate()
            self._connection.close()
            self._connection = None
        try:
            self.take()
        except UserError:
            self._lost_at = self._lost_at or time.monotonic()
            if time.monotonic() - self._lost_at > LET_GO_S:
                raise
        else:
            self._lost_at = None

    def release(self) -> None:
        """Give the name back, at once where the database is there."""
        if self._connection is not None:
            with suppress(DatabaseAway):
                if not self._connection.invalidated:
                    with server_told("pool"):
                        self._connection.exec_driver_sql("select pg_advisory_unlock_all()")
            self._connection.close()
            self._connection = None
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None


def is_claimed(url: str, name: str) -> bool:
    """Say whether a worker of a pool on a server holds its name now. Blocks. Raises DatabaseAway."""
    claim = _Claim(url, name)
    try:
        claim.take()
    except UserError:
        return True
    finally:
        claim.release()
    return False


def _fresh(seen: str) -> bool:
    from datetime import UTC, datetime  # noqa: PLC0415 - once

    return (datetime.now(UTC) - datetime.fromisoformat(seen)).total_seconds() < SEEN_S


@asynccontextmanager
async def open_worker(url: str, member: Member) -> AsyncIterator[Worker]:
    """Open a pool as a worker. What it had begun under its name before is begun again.

    Raises UserError where another has the name or the workers are of another size, StorageFailed.
    """
    running.check_free()
    pool = await anyio.to_thread.run_sync(make_pool, url)
    worker = Worker(pool, member)
    try:
        await anyio.to_thread.run_sync(worker.start)
        try:
            yield worker
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(worker.end)
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(pool.close)
