"""Power cuts: whatever a disk keeps of what was not synced, nothing acknowledged is lost and no file of the user is torn."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import anyio
import pytest
from tests.integration import crash_job, trials
from tests.integration.disk_record import Mode
from tests.integration.power_trials import record_work

pytestmark = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
whole = [pytest.mark.slow, pytest.mark.timeout(1800)]


@pytest.mark.parametrize(
    ("cuts", "how"),
    [
        (10, ()),
        (5, ("listed",)),
        (5, ("resumed",)),
        *(pytest.param(150, how, marks=whole) for how in ((), ("listed",), ("resumed",))),
    ],
)
def test_a_run_whose_power_is_cut_ends_as_if_it_had_not_been(
    cuts: int, how: tuple[str, ...], tmp_path: Path
) -> None:
    _, disturbed = trials.run("power_trials", tmp_path, cuts, 20261128, *how)
    assert len(disturbed) == cuts
    assert trials.bad(disturbed) == []


def test_the_rig_finds_what_is_lost_where_nothing_is_synced(tmp_path: Path) -> None:
    _, disturbed = trials.run("power_trials", tmp_path, 12, 20261128, "careless")
    assert len(trials.bad(disturbed)) >= 3


def _replaced(folder: Path, *, sync_file: bool, sync_folder: bool) -> None:
    with (folder / "new").open("wb") as file:
        file.write(b"new" * 400)
        file.flush()
        if sync_file:
            os.fsync(file.fileno())
    (folder / "new").rename(folder / "a")
    if sync_folder:
        handle = os.open(folder, os.O_RDONLY)
        os.fsync(handle)
        os.close(handle)


def _all(folder: Path) -> None:
    _replaced(folder, sync_file=True, sync_folder=True)


def _no_folder(folder: Path) -> None:
    _replaced(folder, sync_file=True, sync_folder=False)


def _no_file(folder: Path) -> None:
    _replaced(folder, sync_file=False, sync_folder=True)


def left(folder: Path, work: Callable[[Path], None], mode: Mode, seed: int = 1) -> dict[str, bytes]:
    """Return what a power cut after all of `work` leaves of a folder with one old file."""
    root = folder / "root"
    root.mkdir()
    (root / "a").write_bytes(b"old")
    disk = record_work(root, work)
    image = folder / "image"
    disk.write_image(disk.kept(len(disk.ops), mode, random.Random(seed)), image)
    return {path.name: path.read_bytes() for path in image.iterdir()}


@pytest.mark.parametrize(
    ("work", "mode", "expected"),
    [
        (_all, "least", {"a": b"new" * 400}),
        (_no_folder, "least", {"a": b"old"}),
        (_no_folder, "most", {"a": b"new" * 400}),
        (_no_file, "least", {"a": b""}),
    ],
)
def test_what_was_synced_stays_and_what_was_not_may_go(
    tmp_path: Path, work: Callable[[Path], None], mode: Mode, expected: dict[str, bytes]
) -> None:
    assert left(tmp_path, work, mode) == expected


def test_an_unsynced_write_may_be_torn_at_a_sector(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()

    def work(folder: Path) -> None:
        (folder / "a").write_bytes(b"x" * 1200)

    disk = record_work(root, work)
    sizes = set()
    for seed in range(40):
        image = tmp_path / str(seed)
        disk.write_image(disk.kept(len(disk.ops), "any", random.Random(seed)), image)
        sizes |= {len(path.read_bytes()) for path in image.iterdir()}
    assert {512, 1024, 1200} <= sizes


def test_all_that_was_done_makes_the_folder_that_is_there(tmp_path: Path) -> None:
    root = tmp_path / "root"
    crash_job.load()
    crash_job.prepare(root)

    def work(folder: Path) -> None:
        assert anyio.run(crash_job.attempt, folder) == "done"

    disk = record_work(root, work)
    image = tmp_path / "image"
    disk.write_image(disk.kept(len(disk.ops), "most", random.Random(1)), image)
    assert everything(image) == everything(root)


def everything(root: Path) -> dict[str, tuple[int, bytes]]:
    """Return each file with mode and content, but for what SQLite maps into memory and the trial's own notes."""
    return {
        str(path.relative_to(root)): (path.stat().st_mode, path.read_bytes())
        for path in sorted(root.rglob("*"))
        if path.is_file() and not path.name.endswith("-shm") and path.name != "acks"
    }
