"""How a pool stands, and what its operator does by hand: forget a worker, stop a job, limit the rate."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import anyio.to_thread

from deskmate.errors import UserError
from deskmate.host.fleet.place import PoolPlace
from deskmate.host.fleet.worker import lock_of
from deskmate.store.lock import is_locked
from deskmate.types.fleet import FleetStatus, PoolWorker

if TYPE_CHECKING:
    from deskmate.engine.pool import SharedPool

THERE_S = 15.0
"""A worker that was seen within this time is there."""


def is_there(worker: PoolWorker) -> bool:
    """Say whether a worker says that it is at work, and said so lately. It is shown, and nothing is done by it."""
    age = (datetime.now(UTC) - datetime.fromisoformat(worker.seen)).total_seconds()
    return worker.state == "at_work" and age < THERE_S


async def fleet_status(place: PoolPlace) -> FleetStatus:
    """Return how a pool stands. Raises UserError, StorageFailed."""
    from deskmate.engine.pool import open_pool  # noqa: PLC0415 - heavy

    async with open_pool(place.url) as pool:
        return await anyio.to_thread.run_sync(_status, place, pool)


def _status(place: PoolPlace, pool: SharedPool) -> FleetStatus:
    place.check(pool)
    workers = pool.roster.workers()
    queues, begun = pool.queues()
    there = {worker.name for worker in workers if is_there(worker)}
    done, stopped = pool.ended()
    spent = 0.0
    for table in place.tables():
        record = place.open_table(table)
        try:
            money = record.spent()
        finally:
            record.close()
        spent += money.answered_usd + money.unanswered_usd
    return FleetStatus(
        engine=shown_url(place.url),
        workers=workers,
        queues=queues,
        done=done,
        stopped=stopped,
        stuck=_stuck(begun, there),
        spent_usd=round(spent, 6),
    )


def _stuck(begun: Mapping[str, int], there: set[str]) -> Mapping[str, int]:
    return {name: count for name, count in sorted(begun.items()) if name not in there}


async def forget_worker(place: PoolPlace, name: str, *, force: bool) -> int:
    """Let others do what a worker had begun that is gone for good; return how many items that were.

    Raises UserError for one that is connected still, unless `force`: what it does goes on until it sees that it was
    forgotten, and then ends without a trace.
    """
    from deskmate.engine.pool import file_of, open_pool  # noqa: PLC0415 - heavy
    from deskmate.engine.pool_worker import is_claimed  # noqa: PLC0415

    async with open_pool(place.url) as pool:
        known = {one.name for one in await anyio.to_thread.run_sync(pool.roster.workers)}
        if name not in known:
            raise UserError(
                f"There is no worker {name} in this pool.", hint="See: deskmate fleet status"
            )
        file = file_of(pool.url)
        if file is None:
            held = await anyio.to_thread.run_sync(is_claimed, pool.url, name)
        else:
            held = is_locked(lock_of(file, name))
        if held and not force:
            raise UserError(
                f"The worker {name} is connected still.",
                hint="Stop it first. If it hangs where nobody can reach it: --force",
            )
        return await pool.forget(name)


async def limit_rate(place: PoolPlace, limit: int | None, period_s: float) -> None:
    """Let at most `limit` items of the queue of all begin within any `period_s` seconds; None: any number."""
    from deskmate.engine.pool import open_pool  # noqa: PLC0415 - heavy

    async with open_pool(place.url) as pool:
        await anyio.to_thread.run_sync(pool.limit_rate, limit, period_s)


def shown_url(url: str) -> str:
    """Return a pool's address without what stands in it for the database only: a password above all."""
    if url.startswith("sqlite:"):
        return url
    head, _, rest = url.partition("://")
    account, at, place = rest.rpartition("@")
    return f"{head}://{account.partition(':')[0]}{at}{place.partition('?')[0]}"


def place_of(engine: str | None, store: Path | None) -> PoolPlace | None:
    """Return where a pool lies, None if none was named. Raises UserError if only half of it was."""
    if engine is None and store is None:
        return None
    if engine is None or store is None:
        raise UserError(
            "A pool has two places: its database and its folder.",
            hint="Give both: --engine URL --store FOLDER (or DESKMATE_ENGINE and DESKMATE_STORE).",
        )
    return PoolPlace(url=engine, store=store.absolute())
