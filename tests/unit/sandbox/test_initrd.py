"""The first file system: an archive that the kernel reads and that never varies."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from deskmate.sandbox.initrd import archive


@pytest.mark.skipif(shutil.which("cpio") is None, reason="cpio is not installed")
def test_cpio_reads_the_archive(tmp_path: Path) -> None:
    made = archive({"init": b"#!/bin/sh\n", "lib/modules/a.ko": b"x" * 1001, "modules": b"a.ko\n"})
    subprocess.run(
        ["cpio", "-idm", "--quiet", "--no-preserve-owner"], input=made, cwd=tmp_path, check=True
    )
    assert (tmp_path / "lib/modules/a.ko").read_bytes() == b"x" * 1001
    assert (tmp_path / "init").stat().st_mode & 0o777 == 0o755
    assert {"bin", "dev", "newroot", "proc", "sys"} <= {path.name for path in tmp_path.iterdir()}


def test_the_order_of_its_files_does_not_matter() -> None:
    assert archive({"a": b"1", "b": b"2"}) == archive({"b": b"2", "a": b"1"})


def test_parts_are_aligned_and_the_end_is_marked() -> None:
    made = archive({"init": b"12345"})
    assert len(made) % 4 == 0
    assert b"TRAILER!!!" in made[-16:]
