from pathlib import Path

import pytest

from deskmate.store.bench import bench_store
from deskmate.store.bench_search import bench_search
from deskmate.store.catalogue import Catalogue
from deskmate.store.listing import list_threads


@pytest.mark.anyio
async def test_the_log_is_measured_beside_bare_inserts_and_nothing_is_left_behind(
    tmp_path: Path,
) -> None:
    lines: list[str] = []
    figures = await bench_store(tmp_path / "data", lines.append, str, appends=3, events=40, many=7)
    assert (figures.appends, figures.events, figures.threads) == (3, 40, 7)
    assert min(figures.show_s, figures.search_s, figures.index_s) > 0
    assert min(figures.append_ms, figures.insert_ms, figures.open_s, figures.rows_s) > 0
    assert len(lines) == 3
    assert list((tmp_path / "data").iterdir()) == []


def test_the_threads_that_are_searched_are_sound_and_found(tmp_path: Path) -> None:
    search, index = bench_search(tmp_path, 5)
    assert min(search, index) > 0
    summaries = list_threads(tmp_path / "threads")
    assert [(one.state, one.problem, one.events) for one in summaries] == [("done", "", 5)] * 5
    assert (
        len({hit.thread for hit in Catalogue(tmp_path, tmp_path / "threads").search("contract")})
        == 5
    )
