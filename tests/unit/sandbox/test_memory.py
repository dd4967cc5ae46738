"""Sealed memory files and sparse copies."""

from __future__ import annotations

import mmap
import os
import time
from pathlib import Path

import pytest

from deskmate.errors import CorruptData, SandboxUnavailable
from deskmate.sandbox.memory import copy_sparse, empty_ram, load_ram, save_ram, seal

SIZE = 4 << 20


def _filled() -> int:
    fd = empty_ram(SIZE)
    os.pwrite(fd, b"first", 0)
    os.pwrite(fd, b"last", SIZE - 4)
    return fd


def test_memory_survives_the_way_to_disk_and_back(tmp_path: Path) -> None:
    fd = _filled()
    assert save_ram(fd, tmp_path / "ram") == 8192
    again = load_ram(tmp_path / "ram", SIZE)
    assert os.pread(again, SIZE, 0) == os.pread(fd, SIZE, 0)
    assert (tmp_path / "ram").stat().st_mode & 0o777 == 0o600
    os.close(fd)
    os.close(again)


def test_sealed_memory_can_be_copied_privately_but_never_written() -> None:
    fd = _filled()
    seal(fd)
    with pytest.raises(PermissionError):
        os.pwrite(fd, b"x", 0)
    with pytest.raises(PermissionError):
        mmap.mmap(fd, SIZE, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
    with mmap.mmap(fd, SIZE, mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_WRITE) as private:
        private[:5] = b"other"
    assert os.pread(fd, 5, 0) == b"first"
    os.close(fd)


def test_memory_that_is_in_use_is_waited_for_and_then_told_in_one_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fd = _filled()
    writable = mmap.mmap(fd, SIZE, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
    waited: list[float] = []
    monkeypatch.setattr(time, "sleep", waited.append)
    with pytest.raises(SandboxUnavailable, match="still in use"):
        seal(fd)
    assert len(waited) > 2
    monkeypatch.setattr(time, "sleep", lambda seconds: writable.close() if seconds else None)
    seal(fd)
    with pytest.raises(PermissionError):
        os.pwrite(fd, b"x", 0)
    os.close(fd)


def test_a_memory_file_of_another_size_is_damage(tmp_path: Path) -> None:
    (tmp_path / "ram").write_bytes(b"short")
    with pytest.raises(CorruptData):
        load_ram(tmp_path / "ram", SIZE)


def test_a_sparse_copy_has_no_name_and_the_same_content(tmp_path: Path) -> None:
    source = tmp_path / "source"
    with source.open("wb") as file:
        file.truncate(SIZE)
        file.seek(1 << 20)
        file.write(b"data")
    folder = tmp_path / "machines"
    folder.mkdir()
    fd = copy_sparse(source, folder)
    assert os.pread(fd, SIZE, 0) == source.read_bytes()
    assert list(folder.iterdir()) == []
    os.close(fd)
