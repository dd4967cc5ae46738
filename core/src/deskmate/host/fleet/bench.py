"""What a pool's engine costs an item: put in, handed out, recorded. The items do nothing: no machine is used."""

from __future__ import annotations

import secrets
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import anyio
import anyio.to_thread

from deskmate.ports import Item, Progress

URGENT = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetFigures:
    """One run with one worker in this process; its items are simulated by doing nothing.

    `submit_ms`: an item put in, many at once. `items_per_s`: handed out and recorded, by one worker of `slots`: at each
    look at the queue it takes as many as are free, so that short work is bounded by slots and looks. `begin_ms`: until
    a single item that is put into an idle pool begins, the median.
    """

    engine: str
    items: int
    slots: int
    submit_ms: float
    items_per_s: float
    begin_ms: float


async def bench_fleet(
    folder: Path, progress: Progress, *, items: int, slots: int, url: str | None = None
) -> FleetFigures:
    """Measure. `folder`: where a pool of its own is made meanwhile, unless `url` names a database for it.

    Raises what the pool raises.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-fleet-", dir=folder) as made:
        return await _measure(url or f"sqlite:///{Path(made) / 'pool.db'}", progress, items, slots)


async def _measure(url: str, progress: Progress, items: int, slots: int) -> FleetFigures:
    from deskmate.engine.pool_worker import Member, open_worker  # noqa: PLC0415 - heavy

    job, begun = f"bench-{secrets.token_hex(4)}", list[float]()
    reached, target = anyio.Event(), items

    async def work(key: str, arguments: Mapping[str, Any]) -> None:
        begun.append(time.perf_counter())
        if len(begun) >= target:
            reached.set()

    member = Member(name=job, slots=slots, version="bench")
    async with open_worker(url, member) as worker:
        progress("putting items into the pool")
        began = time.perf_counter()
        await worker.pool.submit(Item(key=f"{job}/{n:06}", arguments={}) for n in range(items))
        submit_s = time.perf_counter() - began
        until = anyio.Event()
        async with anyio.create_task_group() as tasks:

            async def go() -> None:
                await worker.work(work, until=until)

            tasks.start_soon(go)
            progress("handing them out")
            await reached.wait()
            span_s = begun[-1] - begun[0]
            waits = []
            for number in range(URGENT):
                reached, target = anyio.Event(), len(begun) + 1
                at = time.perf_counter()
                await worker.pool.submit([Item(key=f"{job}/u{number}", arguments={}, host=job)])
                await reached.wait()
                waits.append(begun[-1] - at)
            until.set()
        await anyio.to_thread.run_sync(worker.pool.roster.drop, job)
    return FleetFigures(
        engine="sqlite" if url.startswith("sqlite") else "postgresql",
        items=items,
        slots=slots,
        submit_ms=round(1_000 * submit_s / items, 2),
        items_per_s=round((items - 1) / max(span_s, 1e-6), 1),
        begin_ms=round(1_000 * median(waits), 1),
    )
