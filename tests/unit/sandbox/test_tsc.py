from __future__ import annotations

import json
import platform
from pathlib import Path

import pytest

from deskmate.sandbox import tsc

pytestmark = pytest.mark.skipif(platform.machine() != "x86_64", reason="x86_64 has this counter")


def test_every_process_gets_the_same_figure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = tsc.tsc_khz(tmp_path)
    assert 500_000 < first < 10_000_000
    monkeypatch.setattr(tsc, "_measured", lambda: first + 77)
    assert tsc.tsc_khz(tmp_path) == first


def test_a_cache_from_another_machine_is_not_believed(tmp_path: Path) -> None:
    (tmp_path / "counter.json").write_text(json.dumps({"machine": "other", "khz": 1}))
    assert tsc.tsc_khz(tmp_path) > 500_000


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"machine": 1, "khz": "x"}', "\x00"])
def test_a_damaged_note_is_written_anew(tmp_path: Path, text: str) -> None:
    (tmp_path / "counter.json").write_text(text)
    khz = tsc.tsc_khz(tmp_path)
    assert json.loads((tmp_path / "counter.json").read_text())["khz"] == khz


def test_where_memory_may_not_be_executed_the_kernel_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tsc, "_measured", lambda: 0)
    texts = {"/proc/cpuinfo": "model name\t: X CPU @ 2.50GHz\ncpu MHz\t\t: 800.0\n"}
    monkeypatch.setattr(tsc, "_text", lambda path: texts.get(path, ""))
    assert tsc.tsc_khz(tmp_path) == 2_500_000
