"""Images of granted files on their way into one machine: written, mounted by the guest, or dropped."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager

import anyio.to_thread

from deskmate.ports import BlobReader
from deskmate.protocol.client import GuestClient
from deskmate.sandbox.archive import Item
from deskmate.sandbox.files_disk import Extent, FilesDisk
from deskmate.sandbox.listing import NAMES_LIMIT_BYTES, batches

Transfer = Callable[[], AbstractAsyncContextManager[None]]
"""Holds the guest's channel for files; what fails inside ends the machine."""


class Laying:
    """What the parts of one copy have in common until the last of them."""

    def __init__(self, disk: FilesDisk | None, guest: GuestClient, transfer: Transfer) -> None:
        """`disk`: of the machine whose guest it is; without one nothing is taken. `transfer`: see `take`."""
        self._disk, self._guest, self._transfer = disk, guest, transfer
        self._struck: list[str] = []

    async def take(
        self,
        items: Sequence[Item],
        blobs: BlobReader,
        struck: Iterable[str] = (),
        *,
        more: bool = False,
    ) -> bool:
        """Lay entries as an image; False, and nothing done, where unpacking them is better.

        The guest takes the image into its base inside `transfer()`. A failure before that drops all parts.

        Args:
            items: the entries.
            blobs: their content.
            struck: listed files that are told no more once the image is there.
            more: further parts follow.
        """
        disk = self._disk
        if disk is None:
            return False
        disk.know({item.entry.path: item.entry for item in items if item.entry.kind == "dir"})
        if not disk.takes(items, more=more):
            return False
        try:
            await anyio.to_thread.run_sync(disk.add, items, blobs)
            self._struck += struck
            if not more:
                await self._mount(await anyio.to_thread.run_sync(disk.seal))
        except BaseException:
            self.drop()
            raise
        return True

    async def _mount(self, image: Extent) -> None:
        lists = batches(self._struck, NAMES_LIMIT_BYTES) or [[]]
        self._struck = []
        async with self._transfer():
            for names in lists[:-1]:
                await self._guest.lay(0, 0, delete=names)
            await self._guest.lay(image.start, image.size, delete=lists[-1])

    def drop(self) -> None:
        """Forget files whose last part never came: nobody took note that they were read."""
        if self._disk is not None:
            self._disk.discard()
        self._struck = []
