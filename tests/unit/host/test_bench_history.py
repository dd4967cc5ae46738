"""The history of a machine's figures: kept, compared with runs like it only, and never in the way."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from deskmate.host.bench_history import FILE, Slower, read_history, remember


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    restore_s: float
    ratio: float
    restores: int = 20
    miss_s: float | None = None
    targets_met: bool = True
    plugins: tuple[str, ...] = ()


def run(folder: Path, restore_s: float, ratio: float = 90.0, **more: object) -> tuple[Slower, ...]:
    figures = Figures(restore_s=restore_s, ratio=ratio, **more)  # type: ignore[arg-type]
    return remember(folder, "sandbox", figures, "2026-11-28T12:00:00Z")


def test_what_is_clearly_worse_than_usual_is_told(tmp_path: Path) -> None:
    for restore_s in (0.20, 0.22, 0.24):
        assert run(tmp_path, restore_s) == ()
    assert run(tmp_path, 0.26) == ()
    (slow,) = run(tmp_path, 0.40)
    assert (slow.figure, round(slow.usual, 3), slow.now) == ("restore_s", 0.23, 0.40)
    assert [slow.figure for slow in run(tmp_path, 0.24, ratio=40.0)] == ["ratio"]
    assert run(tmp_path, 0.10, ratio=200.0) == (), "better is no news"
    assert [row.figures["restore_s"] for row in read_history(tmp_path)][:2] == [0.20, 0.22]


def test_only_runs_of_the_same_settings_are_compared(tmp_path: Path) -> None:
    run(tmp_path, 0.1)
    assert run(tmp_path, 0.9, plugins=("legal",)) == ()
    assert run(tmp_path, 0.9, restores=3) == ()
    assert run(tmp_path, 0.1, miss_s=9.0) == ()
    assert [slow.figure for slow in run(tmp_path, 0.1, miss_s=20.0)] == ["miss_s"]


@pytest.mark.parametrize("damage", [b"\xff\xfe{", b"not json\n", b'{"bench": 1}\n', b"\n\n"])
def test_a_damaged_history_loses_its_damaged_lines_only(tmp_path: Path, damage: bytes) -> None:
    run(tmp_path, 0.2)
    with (tmp_path / FILE).open("ab") as file:
        file.write(damage)
    assert [slow.figure for slow in run(tmp_path, 0.9)] == ["restore_s"]
    assert len(read_history(tmp_path)) == 2
