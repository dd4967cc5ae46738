"""What the durable engine costs an item, beside the same work done in a plain loop, in one run. No machine is used."""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio.to_thread

from deskmate.host.tables import OpenEngine
from deskmate.ports import Item, Progress
from deskmate.tables.record import FILE, TableRecord, make_table
from deskmate.tables.written import item_key
from deskmate.types.ids import Digest
from deskmate.types.tables import Cell, Column, TableAbout

GROWTH_TARGET = 1.3
"""Of the time an item takes, last tenth over first: more would mean that long tables get slower and slower."""
SLOTS = 4
_COLUMNS = tuple(Column(name=f"C{number}", question="?", patterns=("x",)) for number in range(4))


@dataclass(frozen=True, slots=True, kw_only=True)
class TableFigures:
    """One run. `store_ms`: a row's cells stored, in a plain loop. `item_ms`: the same through the engine, of the slots
    together. `overhead_ratio`: of them. `submit_ms`: an item put in the queue. `growth`: an item's time in the last tenth
    of the table over that in the first. `memory_mib`: the process at its most; `memory_growth_mib`: from the first tenth
    on. `export_s`: the table as JSON.
    """

    rows: int
    store_ms: float
    submit_ms: float
    item_ms: float
    overhead_ratio: float
    growth: float
    memory_mib: float
    memory_growth_mib: float
    export_s: float
    targets_met: bool


async def bench_tables(
    folder: Path, progress: Progress, *, rows: int = 1_000, open_engine: OpenEngine | None = None
) -> TableFigures:
    """Measure. `folder`: where a folder of its own is made meanwhile. Raises what the engine raises."""
    opened = open_engine or _durable()
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-tables-", dir=folder) as made:
        progress("storing rows in a plain loop")
        plain = _table(Path(made) / "tb-plain", rows)
        began = time.perf_counter()
        for number in range(1, rows + 1):
            await anyio.to_thread.run_sync(_store, plain, number)
        store_s = time.perf_counter() - began
        plain.close()
        record = _table(Path(made) / "tb-engine", rows)
        times: list[float] = []
        sizes: list[float] = []

        async def work(key: str, arguments: Mapping[str, Any]) -> None:
            await anyio.to_thread.run_sync(_store, record, int(arguments["row"]))
            times.append(time.perf_counter())
            if len(times) % max(rows // 10, 1) == 0:
                sizes.append(_memory_mib())

        async with opened(Path(made) / "engine.db") as engine:
            progress("the same through the engine")
            began = time.perf_counter()
            await engine.submit(
                Item(key=item_key(n, 1), arguments={"row": n, "round": 1})
                for n in range(1, rows + 1)
            )
            submitted = time.perf_counter()
            await engine.serve(work, slots=SLOTS)
            served_s = time.perf_counter() - times[0]
        began_export = time.perf_counter()
        await anyio.to_thread.run_sync(_export, record, Path(made) / "out.json")
        export_s = time.perf_counter() - began_export
        record.close()
    tenth = max(rows // 10, 2)
    growth = (times[-1] - times[-tenth]) / max(times[tenth - 1] - times[0], 1e-6)
    return TableFigures(
        rows=rows,
        store_ms=round(1_000 * store_s / rows, 2),
        submit_ms=round(1_000 * (submitted - began) / rows, 2),
        item_ms=round(1_000 * served_s / rows, 2),
        overhead_ratio=round(served_s / store_s, 2),
        growth=round(growth, 2),
        memory_mib=round(max(sizes), 1),
        memory_growth_mib=round(sizes[-1] - sizes[0], 1),
        export_s=round(export_s, 2),
        targets_met=growth <= GROWTH_TARGET,
    )


def _durable() -> OpenEngine:
    from deskmate.engine.durable import open_engine  # noqa: PLC0415 - heavy

    return open_engine


def _table(folder: Path, rows: int) -> TableRecord:
    about = TableAbout(
        id=folder.name, made="", question="bench", model="offline", over=(), columns=_COLUMNS
    )
    make_table(folder, about, (f"/bench/{number}.txt" for number in range(rows)))
    return TableRecord(folder / FILE)


def _store(record: TableRecord, number: int) -> None:
    quote = f"The words of row {number} that hold its value."
    cells = {
        column.name: Cell(
            column=column.name,
            status="checked",
            value=str(number),
            quote=quote,
            paragraph=1,
            by="rules",
        )
        for column in _COLUMNS
    }
    record.finish_row(number, 1, cells, Digest("0" * 64))


def _export(record: TableRecord, target: Path) -> None:
    from deskmate.tables.export import export_table  # noqa: PLC0415

    export_table(record, target)


def _memory_mib() -> float:
    """Return the most memory that this process has had."""
    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return size / (1 << 20) if sys.platform == "darwin" else size / 1024
