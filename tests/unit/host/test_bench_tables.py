"""The bench of tables measures what it says, and a long table takes no more memory than a short one."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.tables.table_rooms import memory_engine

from deskmate.host.bench_tables import bench_tables

pytestmark = pytest.mark.anyio


async def test_every_row_goes_through_the_engine(tmp_path: Path) -> None:
    figures = await bench_tables(tmp_path, lambda line: None, rows=30, open_engine=memory_engine)
    assert figures.rows == 30
    assert figures.store_ms > 0
    assert figures.overhead_ratio == pytest.approx(figures.item_ms / figures.store_ms, rel=0.3)
    assert list(tmp_path.iterdir()) == [], "nothing is left behind"


@pytest.mark.slow
@pytest.mark.timeout(1200)
async def test_memory_is_flat_over_ten_thousand_rows(tmp_path: Path) -> None:
    figures = await bench_tables(tmp_path, lambda line: None, rows=10_000)
    assert figures.memory_growth_mib < 40
