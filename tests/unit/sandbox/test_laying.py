"""Parts of one copy: one image, one mount, and nothing of them when one fails."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest

from deskmate.errors import CorruptData
from deskmate.sandbox.archive import Item, items_of
from deskmate.sandbox.files_disk import FilesDisk
from deskmate.sandbox.laying import Laying
from deskmate.testing.memory import MemoryBlobs
from deskmate.types.files import Entry
from deskmate.types.ids import Digest

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Guest:
    """Takes down what it is asked to lay: bytes, and names struck."""

    def __init__(self) -> None:
        self.laid: list[tuple[int, tuple[str, ...]]] = []

    async def lay(self, start: int, size: int, *, delete: Sequence[str]) -> None:
        self.laid.append((size, tuple(delete)))


@asynccontextmanager
async def transfer() -> AsyncIterator[None]:
    yield


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[FilesDisk]:
    with closing(FilesDisk(tmp_path)) as made:
        yield made


def items(blobs: MemoryBlobs, *names: str) -> tuple[Item, ...]:
    return items_of(
        Entry(path=name, kind="file", mode=0o644, size=1, sha256=blobs.put(b"x")) for name in names
    )


async def test_parts_become_one_image_with_the_last(disk: FilesDisk) -> None:
    guest: Any = Guest()
    blobs = MemoryBlobs()
    laying = Laying(disk, guest, transfer)
    assert await laying.take(items(blobs, "a"), blobs, ["a"], more=True)
    assert guest.laid == []
    assert await laying.take(items(blobs, "b"), blobs, ["b", "gone"])
    assert [names for _, names in guest.laid] == [("a", "b", "gone")]
    assert guest.laid[0][0] > 0
    assert not await laying.take(items(blobs, "c"), blobs)  # one small file is unpacked


async def test_many_names_are_told_in_several_lines_and_mounted_with_the_last(
    disk: FilesDisk,
) -> None:
    guest: Any = Guest()
    blobs = MemoryBlobs()
    names = [f"{number:06}-{'n' * 200}" for number in range(2000)]
    assert await Laying(disk, guest, transfer).take(items(blobs, *names), blobs, names)
    assert [name for _, part in guest.laid for name in part] == names
    assert [bool(size) for size, _ in guest.laid] == [False] * (len(guest.laid) - 1) + [True]
    assert len(guest.laid) > 1


async def test_a_part_that_fails_drops_those_before_it(disk: FilesDisk) -> None:
    guest: Any = Guest()
    blobs = MemoryBlobs()
    laying = Laying(disk, guest, transfer)
    missing = Entry(path="m", kind="file", mode=0o644, size=1, sha256=Digest("0" * 64))
    await laying.take(items(blobs, "a"), blobs, ["a"], more=True)
    with pytest.raises(CorruptData):
        await laying.take(items_of([missing]), blobs, ["m"])
    await laying.take(items(blobs, "b"), blobs, ["b"], more=True)
    laying.drop()
    await laying.take(items(blobs, "c"), blobs, ["c"], more=True)
    await laying.take((), blobs)
    assert [names for _, names in guest.laid] == [("c",)]


async def test_a_machine_without_the_disk_takes_nothing() -> None:
    guest: Any = Guest()
    blobs = MemoryBlobs()
    assert not await Laying(None, guest, transfer).take(items(blobs, "a"), blobs, more=True)
