"""The apply journal: on the disk before anybody relies on it, and never half-written."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from deskmate.changes.journal import Journal
from deskmate.errors import CorruptData
from deskmate.types.ids import Digest

PLAN = Digest("a" * 64)


def test_a_record_is_on_the_disk_before_it_has_its_name_and_its_name_before_we_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[str, bool]] = []
    record = tmp_path / "apply" / f"{PLAN}.json"
    fsync = os.fsync

    def note(file: int) -> None:
        kind = "folder" if stat.S_ISDIR(os.fstat(file).st_mode) else "file"
        seen.append((kind, record.exists()))
        fsync(file)

    monkeypatch.setattr(os, "fsync", note)
    Journal(record.parent).write(PLAN, "planned")
    # first the folder's own name, where it was made
    assert seen == [("folder", False), ("file", False), ("folder", True)]
    Journal(record.parent).write(PLAN, "backed_up")
    assert seen[3:] == [("file", True), ("folder", True)]
    Journal(record.parent).remove(PLAN)
    assert seen[5:] == [("folder", False)]


def test_a_half_written_record_leaves_the_last_whole_one(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.write(PLAN, "backed_up")
    (tmp_path / f"{PLAN}.tmp").write_text('{"plan": "aa')
    assert journal.state(PLAN) == "backed_up"
    journal.sweep()
    assert [path.name for path in tmp_path.iterdir()] == [f"{PLAN}.json"]


def test_a_damaged_record_is_said_to_be_so(tmp_path: Path) -> None:
    (tmp_path / f"{PLAN}.json").write_text("{")
    with pytest.raises(CorruptData, match="journal"):
        Journal(tmp_path).pending()
