"""The apply of a real process that dies, or whose system calls fail, at chosen points."""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from tests.unit.changes.folder_trees import Desk, Tree, contents, difference, facts, lay

from deskmate.changes import journal
from deskmate.changes.apply import Place, apply_changes, recover
from deskmate.changes.journal import Journal, JournalState
from deskmate.changes.planning import ApplyOptions
from deskmate.changes.scan import take_base
from deskmate.changes.undo import undo_changes
from deskmate.errors import DeskmateError
from deskmate.store.blobs import BlobStore
from deskmate.store.making import create_thread
from deskmate.store.thread import open_thread
from deskmate.store.verify import verify_thread
from deskmate.types.events import ApplyFinished, ChangesStaged
from deskmate.types.files import Grant
from deskmate.types.ids import Digest, RunId

pytestmark = pytest.mark.anyio
BEFORE: Tree = {"nda.txt": b"one\n", "old": None, "old/a.txt": b"a\n", "kind": None}
AFTER: Tree = {"nda.txt": b"two\n", "memo.md": b"memo\n", "new": None, "new/b": b"b", "kind": b"k"}

_CHILD = """
import json, sys, anyio
from contextlib import suppress
from pathlib import Path
from deskmate.changes.apply import Place, apply_changes
from deskmate.changes.planning import ApplyOptions
from deskmate.changes.undo import undo_changes
from deskmate.store.blobs import BlobStore
from deskmate.store.thread import open_thread
from deskmate.types.files import Grant

async def main(folder, thread, digest):
    grants = (Grant(name="docs", folder=str(folder / "docs")),)
    async with open_thread(folder / "threads", thread) as store:
        place = Place(store=store, blobs=BlobStore(folder / "blobs"), journal=store.folder / "apply")
        print("go", flush=True)
        if digest == "undo":
            await undo_changes(place)
        else:
            await apply_changes(place, digest, grants, ApplyOptions(confirm_bulk=True))

anyio.run(main, Path(sys.argv[1]), sys.argv[2], sys.argv[3])
"""


async def _stage(folder: Path) -> tuple[str, str]:
    folder.mkdir()
    (folder / "docs").mkdir()
    lay(folder / "docs", BEFORE)
    blobs = BlobStore(folder / "blobs")
    base = take_base([Grant(name="docs", folder=str(folder / "docs"))], blobs)
    desk = Desk(folder / "docs", (), base, Place(store=None, blobs=blobs, journal=folder))  # type: ignore[arg-type]
    digest = desk.stage_changes(difference(base.entries, "docs", AFTER, blobs))
    thread = await create_thread(folder / "threads", "x", version="1")
    staged = ChangesStaged(run=RunId("r-1"), difference=digest, created=3, modified=1, deleted=2)
    async with open_thread(folder / "threads", thread) as store:
        await store.append(staged)
    return thread, digest


async def _check(folder: Path, thread: str, original: dict[str, tuple[object, ...]]) -> bool:
    """Recover, check that it is all or nothing and undone exactly; return whether it was all."""
    blobs = BlobStore(folder / "blobs")
    async with open_thread(folder / "threads", thread) as store:
        place = Place(store=store, blobs=blobs, journal=store.folder / "apply")
        await recover(place)
        finished = [e.payload for e in await store.events() if isinstance(e.payload, ApplyFinished)]
        applied = any(event.applied for event in finished)
        assert contents(folder / "docs") == dict(AFTER if applied else BEFORE)
        if applied:
            await undo_changes(place)
            assert facts(folder / "docs") == original
        assert (await verify_thread(store, blobs)).problems == ()
        assert not list(place.journal.glob("*.json"))
    assert not list((folder / "docs").rglob(".deskmate-*"))
    return applied


_CALLS = "rename,renameat,renameat2,fsync,fdatasync,unlinkat,mkdirat,pwrite64,fchmod,symlinkat"


_FAULTS = ["signal=SIGKILL", "error=ENOSPC", "error=EIO"]
_traced = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")


async def _inject(folder: Path, fault: str, number: int) -> tuple[bool, bool]:
    """Let one system call fail; return whether the process succeeded and whether all was applied."""
    thread, digest = await _stage(folder)
    original = facts(folder / "docs")
    worked = _traced_child(folder, thread, digest, fault, number)
    return worked, await _check(folder, thread, original)


def _traced_child(folder: Path, thread: str, what: str, fault: str, number: int) -> bool:
    command = ["strace", "-f", "-o", "/dev/null", "-e", f"trace={_CALLS}"]
    command += ["-e", f"inject={_CALLS}:{fault}:when={number}"]
    child = [sys.executable, "-c", _CHILD, str(folder), thread, what]
    done = subprocess.run(
        [*command, *child], capture_output=True, text=True, timeout=100, check=False
    )
    if "ptrace" in done.stderr:
        pytest.skip("this system does not allow tracing")
    return done.returncode == 0


async def _inject_undo(folder: Path, fault: str, number: int) -> tuple[bool, bool]:
    """Let one system call of an undo fail; return whether the process succeeded and all was undone."""
    thread, digest = await _stage(folder)
    original = facts(folder / "docs")
    grants = (Grant(name="docs", folder=str(folder / "docs")),)
    async with open_thread(folder / "threads", thread) as store:
        place = Place(
            store=store, blobs=BlobStore(folder / "blobs"), journal=store.folder / "apply"
        )
        await apply_changes(place, Digest(digest), grants, ApplyOptions(confirm_bulk=True))
    worked = _traced_child(folder, thread, "undo", fault, number)
    async with open_thread(folder / "threads", thread) as store:
        place = Place(
            store=store, blobs=BlobStore(folder / "blobs"), journal=store.folder / "apply"
        )
        await recover(place)
        undone = contents(folder / "docs") != dict(AFTER)
        if not undone:
            await undo_changes(place)
        assert facts(folder / "docs") == original
        assert (await verify_thread(store, place.blobs)).problems == ()
        assert not list(place.journal.glob("*.json"))
    assert not list((folder / "docs").rglob(".deskmate-*"))
    return worked, undone


@_traced
@pytest.mark.parametrize(("fault", "number"), [*zip(_FAULTS, [7, 11, 17], strict=True)])
async def test_a_fault_in_an_undo_leaves_all_or_nothing_of_it(
    tmp_path: Path, fault: str, number: int
) -> None:
    await _inject_undo(tmp_path / "x", fault, number)


@_traced
@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("fault", _FAULTS)
async def test_a_fault_at_any_point_of_an_undo_leaves_all_or_nothing_of_it(
    tmp_path: Path, fault: str
) -> None:
    outcomes = {await _inject_undo(tmp_path / str(n), fault, n) for n in range(1, 60)}
    assert (True, True) in outcomes
    assert (False, False) in outcomes


@_traced
@pytest.mark.parametrize(("fault", "number"), [*zip(_FAULTS, [6, 9, 14], strict=True)])
async def test_a_fault_in_a_system_call_leaves_all_or_nothing(
    tmp_path: Path, fault: str, number: int
) -> None:
    await _inject(tmp_path / "x", fault, number)


@pytest.mark.parametrize("number", range(1, 6))
async def test_a_journal_that_cannot_be_synced_never_lets_the_log_say_the_wrong_thing(
    tmp_path: Path, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, synced = tmp_path / "x", 0
    thread, digest = await _stage(folder)
    original = facts(folder / "docs")

    def fails_once(path: Path) -> None:
        nonlocal synced
        synced += 1
        if synced == number:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    grants = (Grant(name="docs", folder=str(folder / "docs")),)
    with monkeypatch.context() as patch:
        patch.setattr(journal, "_sync", fails_once)
        async with open_thread(folder / "threads", thread) as store:
            place = Place(
                store=store, blobs=BlobStore(folder / "blobs"), journal=store.folder / "apply"
            )
            with suppress(DeskmateError, OSError):
                await apply_changes(place, Digest(digest), grants, ApplyOptions(confirm_bulk=True))
    assert synced >= number
    await _check(folder, thread, original)


@_traced
@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("fault", _FAULTS)
async def test_a_fault_in_any_system_call_leaves_all_or_nothing(tmp_path: Path, fault: str) -> None:
    outcomes = {await _inject(tmp_path / str(number), fault, number) for number in range(1, 60)}
    assert (True, True) in outcomes
    assert (False, False) in outcomes


@pytest.fixture
def small_disk(tmp_path: Path) -> Path:
    if os.getuid() != 0 or not sys.platform.startswith("linux"):
        pytest.skip("only root may mount a small disk")
    folder = tmp_path / "disk"
    folder.mkdir()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"tmpfs", str(folder).encode(), b"tmpfs", 0, b"size=512k"):
        pytest.skip(f"mounting is not allowed here: {os.strerror(ctypes.get_errno())}")
    return folder


async def test_a_full_disk_of_the_user_changes_nothing(small_disk: Path, tmp_path: Path) -> None:
    try:
        desk = Desk.make(small_disk, BEFORE)
        original = facts(desk.root)
        digest = desk.stage({**BEFORE, "nda.txt": os.urandom(300_000), "big": os.urandom(300_000)})
        desk.place = Place(
            store=desk.place.store, blobs=desk.place.blobs, journal=tmp_path / "apply"
        )
        with pytest.raises(DeskmateError, match="No space left on device; your files are as they"):
            await desk.apply(digest)
        now = facts(desk.root)
        assert {path: fact for path, fact in now.items() if path != "."} == {
            path: fact for path, fact in original.items() if path != "."
        }
        desk.balance()
    finally:
        subprocess.run(["umount", str(small_disk)], check=True)


async def test_a_full_disk_of_deskmate_changes_nothing(small_disk: Path, tmp_path: Path) -> None:
    try:
        root = tmp_path / "docs"
        root.mkdir()
        (root / "nda.bin").write_bytes(os.urandom(700_000))
        grants = (Grant(name="docs", folder=str(root)),)
        with pytest.raises(DeskmateError, match="disk is full"):
            take_base(grants, BlobStore(small_disk / "blobs"))
        assert not [path for path in (small_disk / "blobs").rglob("*") if path.is_file()]
    finally:
        subprocess.run(["umount", str(small_disk)], check=True)


async def test_an_error_while_taking_back_is_settled_by_recovery(tmp_path: Path) -> None:
    desk = Desk.make(tmp_path, BEFORE)
    seen: list[str] = []

    def fail(name: str) -> None:
        seen.append(name)
        if name == "renamed" or ("renamed" in seen and name == "removed"):
            raise OSError(errno.EIO, "Input/output error")

    place = desk.place
    desk.place = Place(store=place.store, blobs=place.blobs, journal=place.journal, failpoint=fail)
    with pytest.raises(DeskmateError, match="half-written: Input/output error"):
        await desk.apply(desk.stage(AFTER))
    (outcome,) = await recover(place)
    assert contents(desk.root) == dict(AFTER if not outcome.text else BEFORE)
    desk.balance()


async def test_the_child_applies_when_nothing_fails(tmp_path: Path) -> None:
    folder = tmp_path / "x"
    thread, digest = await _stage(folder)
    original = facts(folder / "docs")
    child = [sys.executable, "-c", _CHILD, str(folder), thread, digest]
    subprocess.run(child, check=True, timeout=100, capture_output=True)
    assert await _check(folder, thread, original)
    grants = (Grant(name="docs", folder=str(folder / "docs")),)
    async with open_thread(folder / "threads", thread) as store:
        place = Place(
            store=store, blobs=BlobStore(folder / "blobs"), journal=store.folder / "apply"
        )
        assert (await apply_changes(place, digest, grants, ApplyOptions(confirm_bulk=True))).plan  # type: ignore[arg-type]


@pytest.mark.parametrize("state", ["planned", "backed_up", "done"])
async def test_a_journal_that_cannot_be_written_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    desk = Desk.make(tmp_path, BEFORE)
    write = Journal.write

    def fail(journal: Journal, plan: Digest, now: JournalState, text: str = "") -> None:
        if now == state:
            raise OSError(errno.ENOSPC, "No space left on device")
        write(journal, plan, now, text)

    monkeypatch.setattr(Journal, "write", fail)
    digest = desk.stage(AFTER)
    with pytest.raises(DeskmateError, match="No space left on device"):
        await desk.apply(digest)
    monkeypatch.undo()
    await recover(desk.place)
    assert contents(desk.root) == dict(AFTER if state == "done" else BEFORE)
    desk.balance()
