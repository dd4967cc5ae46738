"""The bench of pools measures what it says, and leaves nothing behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from deskmate.host.fleet.bench import bench_fleet

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(120)]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_every_item_goes_through_the_pool(tmp_path: Path) -> None:
    figures = await bench_fleet(tmp_path, lambda line: None, items=20, slots=8)
    assert (figures.engine, figures.items, figures.slots) == ("sqlite", 20, 8)
    assert figures.submit_ms > 0
    assert figures.items_per_s > 0
    assert figures.begin_ms > 0
    assert list(tmp_path.iterdir()) == [], "nothing is left behind"
