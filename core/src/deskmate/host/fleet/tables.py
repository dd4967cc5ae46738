"""Tables that a pool's workers answer: made here, worked on wherever a worker is, and looked at from any machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import anyio
import anyio.to_thread

from deskmate.errors import ConfigError, DeskmateError, LimitExceeded, UserError
from deskmate.host.fleet.place import PoolPlace
from deskmate.host.table_pace import Pace
from deskmate.host.tables import Plan, TableOrder, Tables, by_rules, need_rules
from deskmate.ports import Item, Pool, Progress
from deskmate.tables.record import TableRecord
from deskmate.tables.room import read_document
from deskmate.tables.written import item_key
from deskmate.types.fleet import StopReason
from deskmate.types.ids import Digest
from deskmate.types.places import Places
from deskmate.types.progress import Note
from deskmate.types.tables import TableSummary

KIND = "table row"
FOLLOW_S = 0.5
_LOOK_EVERY = 10
"""Looks at the rows between two looks at the pool itself."""
_LET_FINISH_S = 120.0


def prefix_of(table: str) -> str:
    """Return what the keys of a table's items begin with."""
    return f"{table}/"


class PoolTables(Tables):
    """The tables of a pool: one schema of its database each, and their documents in its folder.

    Whoever begins one may go away; its workers go on.
    """

    def __init__(self, places: Places, pool: PoolPlace, **given: Any) -> None:
        """`given`: as for `Tables`."""
        super().__init__(places, **given)
        self._pool = pool

    async def plan(self, order: TableOrder, progress: Progress) -> Plan:
        """As for any table. Raises ConfigError for one in batches: those are sent by one process."""
        if order.batch:
            raise ConfigError(
                "A pool's tables are not sent in batches.",
                hint="Leave --batch out, or leave the pool out (--engine).",
            )
        return await super().plan(order, progress)

    def make(self, plan: Plan) -> str:
        """Put the documents into the pool's folder, make the table, and return its id. Blocks."""
        about = replace(plan.about, budget_usd=plan.budget_usd)
        contents: dict[str, Digest] = {}
        blobs = self._pool.blobs()
        with blobs.batch() as batch:
            for path in plan.paths:
                try:
                    contents[path] = batch.put(read_document(path).content)
                except UserError:
                    continue  # its row says so
        self._pool.make_table(about, plan.paths, contents)
        return about.id

    async def work(
        self,
        table: str,
        progress: Progress,
        *,
        slots: int = 2,
        model: str | None = None,
        now: bool = False,
    ) -> TableSummary:
        """Have a pool's workers answer a table, and wait until every row is closed.

        Who waits may be ended at any time: the work goes on, and the next call waits again. `slots`: is the workers'
        affair. Raises LimitExceeded where the budget ends, and what stopped the work at a worker.
        """
        from deskmate.engine.pool import open_pool  # noqa: PLC0415 - heavy

        with self.opened(table) as record:
            about = record.about
            wanted = model or about.model
            if model is not None:
                wanted = (await anyio.to_thread.run_sync(self._adapters.model, model)).name
            if by_rules(wanted):
                need_rules(about.columns)
            if wanted != about.model:
                await anyio.to_thread.run_sync(record.set_order, replace(about, model=wanted))
            async with open_pool(self._pool.url) as pool:
                await anyio.to_thread.run_sync(self._pool.check, pool)
                follow = _Follow(
                    record, pool, Pace(record, progress, self._adapters.clock), progress
                )
                await follow.to_the_end()
                if not by_rules(wanted):
                    await anyio.to_thread.run_sync(record.ask_again)
                    if await anyio.to_thread.run_sync(follow.open_rows):
                        progress("asking again what failed a check")
                        await follow.to_the_end()
            return await anyio.to_thread.run_sync(record.summary)

    def left(self, table: str) -> str:
        """Return what to say to who ends its waiting for a table: its workers do not."""
        return f"The pool goes on with it; to end that, too: deskmate fleet stop {table}"

    async def stop(self, table: str) -> int:
        """Stop a table's work wherever it goes on; return how many rows that were. What is answered stays."""
        from deskmate.engine.pool import open_pool  # noqa: PLC0415 - heavy

        with self.opened(table):
            async with open_pool(self._pool.url) as pool:
                reason = StopReason(
                    kind="failed",
                    message=f"The table {table} was stopped.",
                    hint=f"Go on with: deskmate table resume {table}",
                )
                await anyio.to_thread.run_sync(pool.roster.stop, table, reason)
                return await pool.stop(prefix_of(table))

    @contextmanager
    def opened(self, table: str) -> Iterator[TableRecord]:
        """Open a table's record. Raises UserError, CorruptData, DatabaseAway."""
        record = self._pool.open_table(table)
        try:
            yield record
        finally:
            record.close()

    def _known(self) -> tuple[str, ...]:
        return self._pool.tables()

    @contextmanager
    def _locked(self, table: str) -> Iterator[None]:
        yield  # its record is of many writers


class _Follow:
    """Puts a table's open rows into the queue, and waits for them."""

    def __init__(self, record: TableRecord, pool: Any, pace: Pace, progress: Progress) -> None:
        self._record, self._pace, self._progress = record, pace, progress
        self._pool = pool
        self._alone = False

    async def to_the_end(self) -> None:
        """Wait until every row is closed. Raises what stopped the work."""
        table = self._record.about.id
        await anyio.to_thread.run_sync(self._pool.roster.go_on, table)
        self._progress("putting the documents in the queue")
        pool: Pool = self._pool
        await pool.submit(_items(self._record))
        self._pace.begin()
        looks = 0
        while await anyio.to_thread.run_sync(self.open_rows):
            self._pace.seen()
            looks += 1
            if looks % _LOOK_EVERY == 0:
                await self._look(table)
            reason = await anyio.to_thread.run_sync(self._pool.roster.stopped, table)
            if reason is not None:
                await self._let_finish(table)
                raise _error(reason)
            await anyio.sleep(FOLLOW_S)
        self._pace.seen()

    def open_rows(self) -> bool:
        """Say whether a row is not closed."""
        return next(self._record.rows(only_open=True), None) is not None

    async def _look(self, table: str) -> None:
        pool: Pool = self._pool
        counts = await pool.counts(prefix_of(table))
        if counts.queued == counts.running == 0:
            if await anyio.to_thread.run_sync(self._is_stopped_or_done, table):
                return
            raise DeskmateError(
                f"Nothing works on {counts.stopped or 'the open'} rows of the table {table} any more.",
                hint=f"See: deskmate fleet status; go on with: deskmate table resume {table}",
            )
        alone = not await anyio.to_thread.run_sync(self._has_workers)
        if alone and not self._alone:
            self._progress(
                Note("no worker is at work in this pool yet, or any more: deskmate worker")
            )
        self._alone = alone

    def _is_stopped_or_done(self, table: str) -> bool:
        return self._pool.roster.stopped(table) is not None or not self.open_rows()

    def _has_workers(self) -> bool:
        from deskmate.host.fleet.status import is_there  # noqa: PLC0415 - small

        return any(map(is_there, self._pool.roster.workers()))

    async def _let_finish(self, table: str) -> None:
        pool: Pool = self._pool
        for _ in range(round(_LET_FINISH_S / FOLLOW_S)):
            if not (await pool.counts(prefix_of(table))).running:
                return
            await anyio.sleep(FOLLOW_S)


def _error(reason: StopReason) -> DeskmateError:
    by = f" (at {reason.by})" if reason.by else ""
    if reason.kind == "over_budget":
        return LimitExceeded(reason.message, limit="cost_usd", hint=reason.hint)
    return DeskmateError(f"{reason.message}{by}", hint=reason.hint)


def _items(record: TableRecord) -> Iterator[Item]:
    table = record.about.id
    for row in record.rows(only_open=True):
        yield Item(
            key=prefix_of(table) + item_key(row.number, row.round),
            arguments={"kind": KIND, "table": table, "row": row.number, "round": row.round},
        )
