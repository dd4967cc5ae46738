from __future__ import annotations

import hashlib
import os
import resource
import signal
import stat
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deskmate.errors import CorruptData, DeskmateError
from deskmate.store import blobs as blobs_module
from deskmate.store.blobs import CHUNK_BYTES, BlobStore
from deskmate.types.ids import Digest


def _files(root: Path) -> list[Path]:
    return [path for path in root.rglob("*") if path.is_file()]


@given(content=st.binary(max_size=5000))
def test_what_is_put_comes_back(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    blobs = BlobStore(tmp_path_factory.mktemp("blobs"))
    digest = blobs.put(content)
    assert digest == hashlib.sha256(content).hexdigest()
    assert blobs.has(digest)
    assert blobs.read(digest) == content


def test_pieces_and_bytes_are_one_blob_and_are_read_in_bounded_pieces(tmp_path: Path) -> None:
    blobs = BlobStore(tmp_path / "deep" / "blobs")
    content = bytes(range(256)) * 10_000
    assert blobs.put(content) == blobs.put([content[:7], b"", content[7:]])
    pieces = list(blobs.chunks(blobs.put(content)))
    assert b"".join(pieces) == content
    assert max(map(len, pieces)) <= CHUNK_BYTES
    assert len(_files(tmp_path)) == 1


def test_a_missing_blob_is_corrupt_data(tmp_path: Path) -> None:
    digest = Digest(hashlib.sha256(b"x").hexdigest())
    assert not BlobStore(tmp_path).has(digest)
    with pytest.raises(CorruptData, match="missing"):
        BlobStore(tmp_path).read(digest)


def test_a_name_that_is_no_digest_never_becomes_a_path(tmp_path: Path) -> None:
    with pytest.raises(CorruptData, match="not a digest"):
        BlobStore(tmp_path / "blobs").read(Digest("../../etc/passwd"))


def test_damage_is_found_on_reading_and_healed_by_the_next_put(tmp_path: Path) -> None:
    blobs = BlobStore(tmp_path)
    content = b"a contract " * 1000
    digest = blobs.put(content)
    (path,) = _files(tmp_path)
    sound = path.read_bytes()
    for damaged in (sound[:-3], b"", sound[:9] + b"\xff\xff" + sound[11:], b"junk"):
        path.write_bytes(damaged)
        with pytest.raises(CorruptData):
            blobs.read(digest)
    assert blobs.put(content) == digest
    assert blobs.read(digest) == content


def test_a_source_that_breaks_leaves_nothing_behind(tmp_path: Path) -> None:
    def pieces() -> Iterator[bytes]:
        yield b"half"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        BlobStore(tmp_path).put(pieces())
    assert _files(tmp_path) == []


def test_a_full_disk_is_one_line_and_leaves_nothing_behind(tmp_path: Path) -> None:
    blobs = BlobStore(tmp_path)
    kept = blobs.put(b"small")
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, old[1]))
    try:
        with pytest.raises(DeskmateError, match="disk is full"):
            blobs.put(hashlib.shake_256(b"incompressible").digest(3_000_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
        signal.signal(signal.SIGXFSZ, handler)
    assert blobs.read(kept) == b"small"
    assert len(_files(tmp_path)) == 1


def test_what_a_crash_left_long_ago_is_removed(tmp_path: Path) -> None:
    old, fresh = tmp_path / ".old.tmp", tmp_path / ".fresh.tmp"
    old.write_bytes(b"x")
    fresh.write_bytes(b"x")
    os.utime(old, (0, 0))
    BlobStore(tmp_path).put(b"content")
    assert (old.exists(), fresh.exists()) == (False, True)


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of the regular files that were made durable one by one."""
    found: list[int] = []

    def fsync(file: int) -> None:
        status = os.fstat(file)
        if stat.S_ISREG(status.st_mode):
            found.append(status.st_size)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(sys, "platform", "darwin")  # without the one call that syncs all
    return found


def test_what_an_open_batch_has_put_is_made_durable_by_whoever_names_it_first(
    tmp_path: Path, synced: list[int]
) -> None:
    blobs, other = BlobStore(tmp_path), BlobStore(tmp_path)
    with blobs.batch() as batch:
        digest = batch.put(b"shared")
        assert synced == []
        assert other.put(b"shared") == digest
        assert len(synced) == 1
        with other.batch() as second:
            second.put(b"shared")
        assert len(synced) == 2
    path = tmp_path / digest[:2] / f"{digest}.zst"
    os.utime(path, (0, 0))  # by now the system has written it
    count = len(synced)
    other.put(b"shared")
    assert len(synced) == count


def test_a_batch_does_not_replace_what_is_durable_by_what_is_not_yet(tmp_path: Path) -> None:
    blobs = BlobStore(tmp_path)
    content = b"".join(b"line %d of a text\n" % (number % 97) for number in range(9_000))
    digest = blobs.put(content)
    before = (tmp_path / digest[:2] / f"{digest}.zst").stat().st_ino
    with blobs.batch() as batch:
        assert batch.put(iter([content])) == digest
        assert (tmp_path / digest[:2] / f"{digest}.zst").stat().st_ino == before
    assert len(_files(tmp_path)) == 1


def test_a_batch_is_durable_at_its_end_and_single_puts_at_once(
    tmp_path: Path, synced: list[int]
) -> None:
    blobs = BlobStore(tmp_path)
    single = blobs.put(b"alone")
    assert len(synced) == 1
    with blobs.batch():
        inside = [blobs.put(b"%d" % number) for number in range(50)]
        assert len(synced) == 1
    assert len(synced) == 51
    assert [blobs.read(digest) for digest in inside] == [b"%d" % number for number in range(50)]
    assert blobs.read(single) == b"alone"


@pytest.fixture
def synced_folders(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Path, int]]:
    """The folders that were made durable, and how many names each had then."""
    found: list[tuple[Path, int]] = []
    real = blobs_module.sync_folder

    def sync_folder(path: Path) -> None:
        found.append((path, len(list(path.iterdir()))))
        real(path)

    monkeypatch.setattr(blobs_module, "sync_folder", sync_folder)
    return found


def test_a_batch_in_a_new_store_has_all_folders_made_durable_at_once(
    tmp_path: Path, synced_folders: list[tuple[Path, int]]
) -> None:
    blobs = BlobStore(tmp_path / "blobs")
    with blobs.batch() as batch, ThreadPoolExecutor(4) as threads:
        digests = list(threads.map(batch.put, (b"%d" % number for number in range(400))))
    of_store = [names for folder, names in synced_folders if folder == tmp_path / "blobs"]
    assert of_store == [256]
    assert {digest[:2] for digest in digests} < {path.name for path in blobs_root(tmp_path)}
    assert all(blobs.has(digest) for digest in digests)
    del synced_folders[:]
    with BlobStore(tmp_path / "blobs").batch() as later:
        later.put(b"more")
    assert synced_folders == []


def test_a_batch_makes_and_syncs_the_folders_that_an_older_store_lacks(
    tmp_path: Path, synced_folders: list[tuple[Path, int]]
) -> None:
    digest = BlobStore(tmp_path / "blobs").put(b"alone")
    assert [path.name for path in blobs_root(tmp_path)] == [digest[:2]]
    del synced_folders[:]
    again = BlobStore(tmp_path / "blobs")
    large = b"x" * (9 << 20)
    with again.batch() as batch:
        assert batch.put(b"alone") == digest  # it is there: no folder is needed
        assert synced_folders == []
        kept = batch.put(large)  # in pieces
    assert synced_folders == [(tmp_path / "blobs", 257)]  # with the file that is not named yet
    assert again.read(kept) == large


def blobs_root(top: Path) -> list[Path]:
    return sorted((top / "blobs").iterdir())


def test_an_error_inside_a_batch_passes_and_ends_it(tmp_path: Path) -> None:
    blobs = BlobStore(tmp_path)

    def fail() -> None:
        with blobs.batch():
            blobs.put(b"x")
            raise FileNotFoundError("of the source")

    with pytest.raises(FileNotFoundError, match="of the source"):
        fail()
    assert blobs.read(blobs.put(b"x")) == b"x"


def test_what_a_crash_left_in_any_folder_goes_when_it_is_old(tmp_path: Path) -> None:
    blobs = BlobStore(tmp_path)
    with blobs.batch() as batch:
        digest = batch.put(b"kept")
    folder = tmp_path / digest[:2]
    old, young = folder / ".a-1-0.tmp", folder / ".b-2-0.tmp"
    for path in (old, young):
        path.write_bytes(b"half")
    os.utime(old, (0, 0))
    blobs.sweep()
    assert not old.exists()
    assert young.exists()  # perhaps another process is writing it
    assert blobs.read(digest) == b"kept"
