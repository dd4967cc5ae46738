"""What a worker of a pool does with an item: the row of a table, so far."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

import anyio.to_thread

from deskmate.databases import DatabaseAway
from deskmate.errors import DeskmateError, LimitExceeded, UserError
from deskmate.host.adapters import Adapters
from deskmate.host.fleet.place import PoolPlace
from deskmate.host.fleet.tables import KIND, prefix_of
from deskmate.host.tables import by_rules
from deskmate.ports import Model, Progress
from deskmate.store.lock import WriterLock, is_locked
from deskmate.tables.record import TableRecord
from deskmate.tables.room import Document
from deskmate.tables.work import Bench, RowWork
from deskmate.types.fleet import StopReason
from deskmate.types.tables import Row

if TYPE_CHECKING:
    from deskmate.engine.pool_worker import Member, Worker

_OPEN_TABLES = 8


class PoolWork:
    """Does a pool's items, several at once. What one cannot do stops its whole job, with the reason."""

    def __init__(self, adapters: Adapters, place: PoolPlace, worker: Worker) -> None:
        self._adapters, self._place, self._worker = adapters, place, worker
        self._blobs = place.blobs()
        self._records: OrderedDict[str, TableRecord] = OrderedDict()
        self._users: dict[str, int] = {}
        self._models: dict[str, Model] = {}
        self._opening = anyio.Lock()

    async def __call__(self, key: str, arguments: Mapping[str, Any]) -> None:
        """Do one item. Raises DeskmateError after its job was stopped, DatabaseAway."""
        kind = arguments.get("kind")
        if kind != KIND:
            raise UserError(
                f"The item {key} is of a kind that this worker does not know: {kind}.",
                hint="Bring this worker to the version of the others.",
            )
        table = str(arguments["table"])
        reason = await anyio.to_thread.run_sync(self._worker.pool.roster.stopped, table)
        if reason is not None:
            raise UserError(reason.message, hint=reason.hint)
        try:
            record = await self._record(table)
            self._users[table] = self._users.get(table, 0) + 1
            try:
                await self._row(record, key, arguments)
            finally:
                self._users[table] -= 1
        except DatabaseAway:
            raise
        except DeskmateError as error:
            await anyio.to_thread.run_sync(self._stop, table, error)
            raise

    async def _row(self, record: TableRecord, key: str, arguments: Mapping[str, Any]) -> None:
        await anyio.to_thread.run_sync(record.reread)
        name = record.about.model
        model = self._models.get(name)
        if model is None:  # one for all rows: it keeps its connections
            model = await anyio.to_thread.run_sync(self._adapters.model, name)
            self._models[name] = model
        bench = Bench(
            record=record,
            sandbox=self._adapters.sandbox(),
            model=None if by_rules(model.name) else model,
            clock=self._adapters.clock,
            take=self._take,
        )
        await RowWork(bench)(key, arguments)

    async def _take(self, row: Row) -> Document:
        """Return a row's document out of the pool's folder. Raises UserError, CorruptData."""
        name, digest = PurePath(row.path).name, row.sha256
        if digest is None:
            raise UserError(f"{name} could not be read when the table was made.")
        content = await anyio.to_thread.run_sync(self._blobs.read, digest)
        return Document(name=name, content=content, sha256=digest)

    def _stop(self, table: str, error: DeskmateError) -> None:
        reason = StopReason(
            kind="over_budget" if isinstance(error, LimitExceeded) else "failed",
            message=error.message,
            hint=error.hint,
            by=self._worker.name,
        )
        self._worker.pool.roster.stop(table, reason)
        self._worker.pool.stop_now(prefix_of(table), only_waiting=True)

    async def _record(self, table: str) -> TableRecord:
        async with self._opening:
            if table not in self._records:
                found = await anyio.to_thread.run_sync(self._place.open_table, table)
                self._records[table] = found
                idle = [one for one in self._records if one != table and not self._users.get(one)]
                for old in idle[: max(len(self._records) - _OPEN_TABLES, 0)]:
                    await anyio.to_thread.run_sync(self._records.pop(old).close)
            self._records.move_to_end(table)
            return self._records[table]

    def close(self) -> None:
        """Close what is open."""
        for record in self._records.values():
            record.close()
        self._records.clear()


async def run_worker(
    adapters: Adapters, place: PoolPlace, member: Member, progress: Progress, *, until: anyio.Event
) -> None:
    """Work in a pool until `until` is set. Raises UserError, SandboxMissing, StorageFailed."""
    from deskmate.engine.pool import file_of, pool_url  # noqa: PLC0415 - heavy
    from deskmate.engine.pool_worker import open_worker  # noqa: PLC0415

    sandbox = adapters.sandbox()
    await sandbox.registry((), progress)
    file = file_of(pool_url(place.url))
    lock = None if file is None else _lock_name(file, member.name)
    try:
        async with open_worker(place.url, member) as worker, sandbox.pooled():
            await anyio.to_thread.run_sync(place.check, worker.pool)
            work = PoolWork(adapters, place, worker)
            progress(f"{member.name} is at work: {member.slots} slots")
            try:
                await worker.work(work, until=until)
            finally:
                work.close()
    finally:
        if lock is not None:
            lock.release()


def lock_of(file: Path, name: str) -> Path:
    """Return the file whose lock holds a worker's name in a pool of one machine."""
    return file.with_name(f"{file.name}.{name}.lock")


def _lock_name(file: Path, name: str) -> WriterLock:
    lock = lock_of(file, name)
    if is_locked(lock):
        raise UserError(
            f"Another worker named {name} is at work in this pool.",
            hint="Give this one another --name, or stop the other.",
        )
    return WriterLock(lock, name)
