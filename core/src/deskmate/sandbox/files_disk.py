"""The disk of a VM that only the host writes: images of granted files, one beside the other.

A guest mounts each as one more layer under its overlay, which takes milliseconds, where unpacking the files one
by one takes milliseconds for each of them.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from deskmate.errors import DeskmateError
from deskmate.ports import BlobReader
from deskmate.sandbox.archive import Item
from deskmate.sandbox.erofs import Erofs
from deskmate.sandbox.memory import empty_file
from deskmate.types.files import Entry
from deskmate.types.wire import FILES_DISK_BYTES

MOST_IMAGES = 16
"""Each is looked through by every look-up of a name; what comes later is unpacked."""
WORTH_ITEMS, WORTH_BYTES = 32, 4 << 20
"""From here on an image is faster than unpacking."""
_ALIGNMENT = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """Where on the disk an image lies, in bytes."""

    start: int
    size: int


class FilesDisk:
    """The host's side of the disk. Nothing that was written is written over: the guest may hold it."""

    def __init__(self, folder: Path) -> None:
        """`folder`: where its content is kept, without a name, as long as someone has it open."""
        self._fd = empty_file(folder, FILES_DISK_BYTES)
        self._end = 0
        self._images = 0
        self._open: Erofs | None = None
        self._laid: set[str] = set()
        self._laying: set[str] = set()
        self._folders: dict[str, Entry] = {}

    def reader(self) -> int:
        """Return a descriptor for QEMU, which reads only."""
        return os.open(f"/proc/self/fd/{self._fd}", os.O_RDONLY | os.O_CLOEXEC)

    def close(self) -> None:
        """Give the content back, once the VM is gone too."""
        os.close(self._fd)

    def know(self, folders: Mapping[str, Entry]) -> None:
        """Take note of folders' attributes: every image has the folders above its files."""
        self._folders |= folders

    def takes(self, items: Sequence[Item], *, more: bool) -> bool:
        """Say whether these entries go into an image rather than through `bulk`.

        `more`: others follow, to be laid together with them.
        """
        if self._open is not None or any(item.entry.path in self._laid for item in items):
            return True
        size = sum(item.entry.size for item in items)
        worth = more or len(items) >= WORTH_ITEMS or size >= WORTH_BYTES
        return worth and self._images < MOST_IMAGES

    def add(self, items: Iterable[Item], blobs: BlobReader) -> None:
        """Write content into the image under way, or a new one. Blocks.

        Raises UserError when the disk of the VM is full, DeskmateError when that of the host is, CorruptData
        when a blob is missing or damaged.
        """
        if self._open is None:
            limit = FILES_DISK_BYTES - self._end
            self._open = Erofs(self._fd, self._end, limit, time_ns=time.time_ns())
        try:
            for item in items:
                self._open.add(item.entry, blobs.chunks(item.digest) if item.digest else ())
                self._laying.add(item.entry.path)
            self._open.flush()
        except OSError as error:
            raise _failed(error) from error

    def seal(self) -> Extent:
        """Finish the image under way and return where it lies. Raises as `add`."""
        if self._open is None:
            raise RuntimeError("there is no image under way")
        try:
            size = self._open.seal(self._folders)
        except OSError as error:
            raise _failed(error) from error
        extent = Extent(start=self._end, size=size)
        self._laid |= self._laying
        self._images += 1
        self._next(self._end + size)
        return extent

    def discard(self) -> None:
        """Forget an image that was never finished: the guest never sees it."""
        if self._open is not None:
            self._next(self._end + self._open.size)

    def _next(self, end: int) -> None:
        self._open = None
        self._laying = set()
        self._end = end + -end % _ALIGNMENT


def _failed(error: OSError) -> DeskmateError:
    return DeskmateError(
        f"The virtual machine's files cannot be written: {error.strerror or error}.",
        hint="free some space on the disk of Deskmate's cache, and try again",
    )
