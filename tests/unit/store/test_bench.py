from pathlib import Path

import pytest

from deskmate.store.bench import bench_store


@pytest.mark.anyio
async def test_the_log_is_measured_beside_bare_inserts_and_nothing_is_left_behind(
    tmp_path: Path,
) -> None:
    lines: list[str] = []
    figures = await bench_store(tmp_path / "data", lines.append, appends=3, events=40)
    assert (figures.appends, figures.events) == (3, 40)
    assert min(figures.append_ms, figures.insert_ms, figures.open_s, figures.rows_s) > 0
    assert len(lines) == 2
    assert list((tmp_path / "data").iterdir()) == []
