from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from deskmate_guest.ledger import Ledger


def finish(ledger: Ledger, key: str, result: dict[str, Any]) -> None:
    ledger.finish(key, json.dumps(result, ensure_ascii=False).encode())


def fill(ledger: Ledger) -> None:
    """Have all results so far written to the file."""
    for number in range(64):
        finish(ledger, f"filler-{number}", {})
    ledger.spill()


def test_a_key_is_unknown_then_running_then_finished() -> None:
    ledger = Ledger()
    assert ledger.state("k") == "unknown"
    ledger.start("k")
    assert ledger.state("k") == "running"
    finish(ledger, "k", {"content": []})
    assert (ledger.state("k"), ledger.result("k")) == ("finished", {"content": []})


def test_results_move_to_the_file_once_there_is_one(tmp_path: Path) -> None:
    ledger = Ledger()
    ledger.start("before")
    finish(ledger, "before", {"n": 1})
    ledger.open(tmp_path / "ledger")
    ledger.start("after")
    finish(ledger, "after", {"n": "zwei – 2"})
    assert ledger.result("before") == {"n": 1}
    assert ledger.result("after") == {"n": "zwei – 2"}
    assert (tmp_path / "ledger").stat().st_mode & 0o777 == 0o600
    fill(ledger)
    assert ledger.result("before") == {"n": 1}
    assert ledger.result("after") == {"n": "zwei – 2"}
    again = Ledger()
    again.open(tmp_path / "ledger")
    assert (again.result("before"), again.result("after")) == ({"n": 1}, {"n": "zwei – 2"})
    assert again.state("never") == "unknown"


def test_a_few_results_wait_in_memory_and_many_or_large_ones_are_written(tmp_path: Path) -> None:
    ledger = Ledger()
    ledger.open(tmp_path / "ledger")
    finish(ledger, "small", {"n": 1})
    ledger.spill()
    assert (tmp_path / "ledger").stat().st_size == 0
    finish(ledger, "large", {"n": "x" * (1 << 18)})
    ledger.spill()
    assert (tmp_path / "ledger").read_bytes().count(b"\n") == 2
    size = (tmp_path / "ledger").stat().st_size
    finish(ledger, "next", {"n": 3})
    ledger.spill()
    assert (tmp_path / "ledger").stat().st_size == size
    assert [ledger.result(key)["n"] for key in ("small", "next")] == [1, 3]


def test_a_full_disk_leaves_the_results_in_memory_and_the_file_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = Ledger()
    ledger.open(tmp_path / "ledger")
    for number in range(64):
        finish(ledger, str(number), {"n": number})
    written: list[bytes] = []

    def write(fd: int, data: bytes) -> int:
        if len(written) == 3:
            return real(fd, data[:5])
        written.append(data)
        return real(fd, data)

    real = os.write
    monkeypatch.setattr(os, "write", write)
    ledger.spill()
    monkeypatch.setattr(os, "write", real)
    assert [ledger.result(str(number))["n"] for number in range(64)] == list(range(64))
    assert (tmp_path / "ledger").read_bytes() == b"".join(written)


def test_a_torn_line_is_cut_off_and_the_file_goes_on(tmp_path: Path) -> None:
    first = Ledger()
    first.open(tmp_path / "ledger")
    finish(first, "whole", {"n": 1})
    fill(first)
    with (tmp_path / "ledger").open("ab") as stream:
        stream.write(b'{"key": "torn", "resu')
    second = Ledger()
    second.open(tmp_path / "ledger")
    assert second.state("torn") == "unknown"
    finish(second, "next", {"n": 2})
    assert (second.result("whole"), second.result("next")) == ({"n": 1}, {"n": 2})


def test_without_a_file_only_the_latest_results_are_kept() -> None:
    ledger = Ledger()
    for number in range(100):
        finish(ledger, str(number), {"n": number})
    assert ledger.state("0") == "unknown"
    assert ledger.result("99") == {"n": 99}


def test_what_was_practised_before_the_freeze_is_forgotten(tmp_path: Path) -> None:
    ledger = Ledger()
    ledger.open(tmp_path / "ledger")
    finish(ledger, "practice", {"n": 1})
    fill(ledger)
    ledger.forget()
    assert ledger.state("practice") == "unknown"
    assert (tmp_path / "ledger").stat().st_size == 0
    finish(ledger, "real", {"n": 2})
    fill(ledger)
    assert ledger.result("real") == {"n": 2}
