"""A pool's tables: begun here, answered by workers that are killed, under one budget, each cell and each cost once."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from pathlib import Path

import anyio
import anyio.to_thread
import pytest
from tests.fleet.processes import Crew, crew, wait_for
from tests.fleet.table_worker import COST, SLOTS
from tests.unit.tables.table_rooms import (
    COLUMNS,
    AnsweringModel,
    DocumentBox,
    WallClock,
    reads_well,
    write_contracts,
)

from deskmate.databases import ServerDatabase
from deskmate.engine.pool import open_pool
from deskmate.errors import ConfigError, LimitExceeded, UserError
from deskmate.host.fleet.place import PoolPlace
from deskmate.host.fleet.status import fleet_status, forget_worker
from deskmate.host.fleet.tables import PoolTables, prefix_of
from deskmate.host.tables import TableOrder
from deskmate.types.places import Places

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(150)]
MODULE = "tests.fleet.table_worker"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def place(url: str, tmp_path: Path) -> PoolPlace:
    (tmp_path / "store").mkdir()
    return PoolPlace(url=url, store=tmp_path / "store")


def tables_at(place: PoolPlace, top: Path) -> PoolTables:
    places = Places(data=top / "data", cache=top / "cache", config=top / "config")
    return PoolTables(
        places,
        place,
        environ={},
        sandbox=DocumentBox(),
        model=AnsweringModel(reads_well, cost=COST),
        clock=WallClock(),
    )


async def make(tables: PoolTables, top: Path, rows: int, budget: float) -> str:
    (top / "columns.toml").write_text(COLUMNS)
    write_contracts(top / "docs", rows)
    order = TableOrder(
        question="t",
        over=(str(top / "docs/*"),),
        columns=top / "columns.toml",
        budget_usd=budget,
    )
    return tables.make(await tables.plan(order, lambda line: None))


def workers_at(place: PoolPlace, ledger: Path) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    return MODULE, (place.url, str(place.store)), (str(ledger),)


async def begin_and_leave(place: PoolPlace, tables: PoolTables, table: str, rows: int) -> None:
    """Have a table's work begun, and end who waits for it when all is in the queue and some rows are closed."""
    async with open_pool(place.url) as pool, anyio.create_task_group() as tasks:
        tasks.start_soon(tables.work, table, lambda line: None)
        with tables.opened(table) as record:

            async def under_way() -> bool:
                counts = await pool.counts(prefix_of(table))
                total = (await anyio.to_thread.run_sync(record.summary)).rows
                return counts.queued + counts.running + counts.done == total and counts.done >= rows

            await wait_for(under_way)
        tasks.cancel_scope.cancel()


async def kill_now_and_then(
    tables: PoolTables, table: str, workers: Crew, names: list[str], rows: int, kills: int
) -> None:
    """Kill a worker after some rows more are closed, and begin it again under its name."""
    rng = random.Random(rows)
    with tables.opened(table) as record:
        for kill in range(kills):
            target = (kill + 1) * rows // (kills + 2)

            async def so_far(target: int = target) -> bool:
                return (await anyio.to_thread.run_sync(record.summary)).rows_done >= target

            await wait_for(so_far, 600)
            name = rng.choice(names)
            await anyio.to_thread.run_sync(workers.kill, name)
            await anyio.to_thread.run_sync(workers.begin, name)


async def run_with_kills(place: PoolPlace, top: Path, rows: int, kills: int) -> None:
    ledger, tables = top / "ledger", tables_at(place, top)
    table = await make(tables, top, rows, 1_000.0)
    names = ["w1", "w2", "w3"]
    with crew(*workers_at(place, ledger)) as workers:
        await anyio.to_thread.run_sync(workers.begin, *names)
        await begin_and_leave(place, tables, table, rows=rows // 6)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(kill_now_and_then, tables, table, workers, names, rows, kills)
            summary = await tables.work(table, lambda line: None)
        await anyio.to_thread.run_sync(workers.end)
    assert summary.cells == {"checked": rows * 3}, "every cell once, and right"
    asked_of = Counter(ledger.read_text().splitlines())
    asked = sum(count for line, count in asked_of.items() if line.startswith("asked"))
    assert len([line for line in asked_of if line.startswith("asked")]) == rows
    assert asked <= rows + kills * SLOTS, "only what was under way at a kill is asked again"
    spent = summary.spent
    assert spent.calls == rows, "one answer a row is stored and paid for"
    assert spent.answered_usd == pytest.approx(rows * COST)
    assert rows + spent.unanswered_calls >= asked, "what may have been charged is counted"
    found = await fleet_status(place)
    assert (found.done, found.stuck) == (rows, {})
    assert found.spent_usd == pytest.approx(spent.answered_usd + spent.unanswered_usd)
    assert [(one.name, one.state) for one in found.workers] == [(n, "ended") for n in names]


async def test_killed_workers_and_a_lost_beginner_leave_every_cell_once_and_every_cost_once(
    place: PoolPlace, tmp_path: Path
) -> None:
    await run_with_kills(place, tmp_path, rows=30, kills=2)


@pytest.mark.slow
@pytest.mark.timeout(3600)
async def test_the_same_over_ten_thousand_documents_and_five_kills(
    place: PoolPlace, tmp_path: Path
) -> None:
    await run_with_kills(place, tmp_path, rows=10_000, kills=5)


@pytest.mark.parametrize("url", ["postgres"], indirect=True)
async def test_workers_together_never_spend_more_than_the_budget_and_go_on_with_more(
    place: PoolPlace, tmp_path: Path
) -> None:
    ledger, tables, rows = tmp_path / "ledger", tables_at(place, tmp_path), 20
    table = await make(tables, tmp_path, rows, 8 * COST)
    with crew(*workers_at(place, ledger)) as workers:
        await anyio.to_thread.run_sync(workers.begin, "w1", "w2")
        with pytest.raises(LimitExceeded, match="left of the budget"):
            await tables.work(table, lambda line: None)
        with tables.opened(table) as record:
            assert record.reserved_usd() <= 8 * COST
            early = record.summary()
        asked = ledger.read_text().count("asked")
        assert 1 <= asked <= 8
        assert early.rows_done == early.spent.calls == asked
        with pytest.raises(LimitExceeded):
            await tables.work(table, lambda line: None)
        assert ledger.read_text().count("asked") <= asked + 1, "as before: nothing is left"
        tables.set_budget(table, 100.0)
        summary = await tables.work(table, lambda line: None)
        assert summary.cells == {"checked": rows * 3}
        assert summary.spent.calls == rows == ledger.read_text().count("asked")
        await anyio.to_thread.run_sync(workers.end)


async def test_what_a_pool_does_not_do_or_does_not_have_is_said_in_a_line(
    place: PoolPlace, tmp_path: Path
) -> None:
    tables = tables_at(place, tmp_path)
    with (
        pytest.raises(UserError, match="no table tb-missing in this pool"),
        tables.opened("tb-missing"),
    ):
        pass
    with pytest.raises(UserError, match="no table"), tables.opened("../x"):
        pass
    order = TableOrder(question="t", over=("x",), columns=(), batch=True)
    with pytest.raises(ConfigError, match="not sent in batches"):
        await tables.plan(order, lambda line: None)
    table = await make(tables, tmp_path, 3, 1.0)
    assert [one.about.id for one in tables.summaries()] == [table]
    await begin_and_leave(place, tables, table, rows=0)
    assert await tables.stop(table) == 3
    found = await fleet_status(place)
    assert (found.stopped, found.workers) == (3, ())
    with pytest.raises(UserError, match="no worker w9"):
        await forget_worker(place, "w9", force=False)
    other = replace(place, store=tmp_path / "elsewhere")
    with pytest.raises(UserError, match=r"is not there\."):
        await fleet_status(other)
    other.store.mkdir()
    with pytest.raises(UserError, match="is not that of this pool"):
        await fleet_status(other)


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
async def test_a_document_that_was_gone_when_the_table_was_made_is_a_row_that_says_so(
    place: PoolPlace, tmp_path: Path
) -> None:
    tables = tables_at(place, tmp_path)
    (tmp_path / "columns.toml").write_text(COLUMNS)
    write_contracts(tmp_path / "docs", 2)
    order = TableOrder(
        question="t", over=(str(tmp_path / "docs/*"),), columns=tmp_path / "columns.toml"
    )
    plan = await tables.plan(order, lambda line: None)
    (tmp_path / "docs/c00002.txt").unlink()
    table = tables.make(plan)
    (tmp_path / "docs/c00001.txt").unlink()  # the pool has its own
    with crew(*workers_at(place, tmp_path / "ledger")) as workers:
        await anyio.to_thread.run_sync(workers.begin, "w1")
        summary = await tables.work(table, lambda line: None)
        await anyio.to_thread.run_sync(workers.end)
    assert summary.cells == {"checked": 3, "failed": 3}
    with tables.opened(table) as record:
        assert "could not be read when the table was made" in record.cells(2)[0].why


async def test_a_name_of_a_schema_cannot_be_anything_else() -> None:
    with pytest.raises(UserError, match="no table x"):
        ServerDatabase("postgresql://h/d", 'x"; drop schema public; --', "table x")
