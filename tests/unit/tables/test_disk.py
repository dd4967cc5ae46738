"""A disk that is full and a file that is damaged: one line with what to do, and nothing half made."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from deskmate.engine.durable import _start
from deskmate.errors import CorruptData, StorageFailed
from deskmate.tables import record
from deskmate.types.tables import TableAbout


class Full(sqlite3.Connection):
    """A database on a disk that takes nothing more."""

    def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
        if sql.startswith(("insert", "begin")):
            raise sqlite3.OperationalError("database or disk is full")
        return super().execute(sql, *values)


@pytest.fixture
def about() -> TableAbout:
    return TableAbout(
        id="tb-1", made="2026-11-29T00:00:00Z", question="?", model="offline", over=(), columns=()
    )


def fill_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *a, **k: usual(*a, factory=Full, **k))


def test_a_table_that_finds_no_room_leaves_nothing(
    tmp_path: Path, about: TableAbout, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill_disk(monkeypatch)
    with pytest.raises(StorageFailed, match="disk is full") as caught:
        record.make_table(tmp_path / "tb-1", about, ["a.txt"])
    assert "\n" not in caught.value.message
    assert list(tmp_path.iterdir()) == []


def test_a_table_keeps_what_it_has_when_the_disk_fills(
    tmp_path: Path, about: TableAbout, monkeypatch: pytest.MonkeyPatch
) -> None:
    record.make_table(tmp_path / "tb-1", about, ["a.txt"])
    with monkeypatch.context() as full:
        fill_disk(full)
        opened = record.TableRecord(tmp_path / "tb-1" / record.FILE)
        with pytest.raises(StorageFailed, match="disk is full"):
            opened.set_order(about)
        opened.close()
    again = record.TableRecord(tmp_path / "tb-1" / record.FILE)
    assert [row.path for row in again.rows()] == ["a.txt"]
    again.close()


def test_a_damaged_table_says_so(tmp_path: Path, about: TableAbout) -> None:
    record.make_table(tmp_path / "tb-1", about, ["a.txt"])
    (tmp_path / "tb-1" / record.FILE).write_bytes(b"no database at all, but long enough" * 40)
    with pytest.raises(CorruptData, match="tb-1 cannot be read"):
        record.TableRecord(tmp_path / "tb-1" / record.FILE)


def test_a_queue_without_room_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(StorageFailed, match="cannot be stored"):
        _start(tmp_path / "nowhere" / "engine.db")
