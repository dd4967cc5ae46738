"""The disk of files: what goes to it, where images lie, and what a failure leaves."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from deskmate.errors import CorruptData, DeskmateError
from deskmate.sandbox.archive import Item, items_of
from deskmate.sandbox.files_disk import MOST_IMAGES, WORTH_BYTES, WORTH_ITEMS, FilesDisk
from deskmate.testing.memory import MemoryBlobs
from deskmate.types.files import Entry
from deskmate.types.ids import Digest
from deskmate.types.wire import FILES_DISK_BYTES


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[FilesDisk]:
    with closing(FilesDisk(tmp_path)) as made:
        yield made


@pytest.fixture
def blobs() -> MemoryBlobs:
    return MemoryBlobs()


def items(blobs: MemoryBlobs, *paths: str, size: int = 3) -> tuple[Item, ...]:
    content = b"x" * size
    entries = [
        Entry(path=path, kind="file", mode=0o644, size=size, sha256=blobs.put(content))
        for path in paths
    ]
    return items_of(entries, shared=True)


def many(blobs: MemoryBlobs, count: int) -> tuple[Item, ...]:
    return items(blobs, *(f"docs/{number}" for number in range(count)))


def test_few_small_files_are_unpacked_and_many_or_large_ones_are_not(
    disk: FilesDisk, blobs: MemoryBlobs
) -> None:
    assert not disk.takes(many(blobs, WORTH_ITEMS - 1), more=False)
    assert disk.takes(many(blobs, WORTH_ITEMS), more=False)
    assert disk.takes(items(blobs, "docs/a", size=WORTH_BYTES), more=False)
    assert disk.takes(items(blobs, "docs/a"), more=True)


def test_a_file_that_lies_in_an_image_can_only_be_replaced_by_one(
    disk: FilesDisk, blobs: MemoryBlobs
) -> None:
    disk.add(items(blobs, "docs/a"), blobs)
    assert disk.takes(items(blobs, "docs/b"), more=False)  # the image is under way
    disk.seal()
    assert disk.takes(items(blobs, "docs/a"), more=False)
    assert not disk.takes(items(blobs, "docs/b"), more=False)


def test_images_lie_beside_each_other_and_an_unfinished_one_stays_unseen(
    disk: FilesDisk, blobs: MemoryBlobs
) -> None:
    disk.add(many(blobs, 5), blobs)
    first = disk.seal()
    disk.add(many(blobs, 5), blobs)
    disk.discard()
    assert not disk.takes(many(blobs, 5)[:0], more=False)
    disk.add(many(blobs, 5), blobs)
    second = disk.seal()
    assert first.start == 0
    assert second.start > first.size
    assert second.start % (1 << 20) == 0
    fd = disk.reader()
    try:
        assert os.fstat(fd).st_size == FILES_DISK_BYTES
        for start in (first.start, second.start):
            assert os.pread(fd, 4, start + 1024) == bytes.fromhex("e2e1f5e0")
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.pwrite(fd, b"x", 0)
    finally:
        os.close(fd)


def test_after_many_images_the_rest_is_unpacked(disk: FilesDisk, blobs: MemoryBlobs) -> None:
    for number in range(MOST_IMAGES):
        assert disk.takes(items(blobs, f"docs/{number}", size=WORTH_BYTES), more=False)
        disk.add(items(blobs, f"docs/{number}"), blobs)
        disk.seal()
    assert not disk.takes(items(blobs, "docs/other", size=WORTH_BYTES), more=True)


def test_a_full_disk_of_the_host_is_told_in_one_line(disk: FilesDisk, blobs: MemoryBlobs) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, hard))
    try:
        with pytest.raises(DeskmateError, match="cannot be written"):
            disk.add(items(blobs, "docs/a", size=2 << 20), blobs)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_missing_blob_is_told_as_itself(disk: FilesDisk, blobs: MemoryBlobs) -> None:
    entry = Entry(path="docs/a", kind="file", mode=0o644, size=1, sha256=Digest("0" * 64))
    with pytest.raises(CorruptData):
        disk.add(items_of([entry]), blobs)


def test_an_image_under_way_is_needed_to_finish_one(disk: FilesDisk) -> None:
    with pytest.raises(RuntimeError):
        disk.seal()
