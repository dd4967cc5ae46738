"""The `bulk` channel: exact numbers of bytes, one transfer at a time."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import anyio
import anyio.to_thread
from anyio.abc import ByteStream

_CHUNK = 1 << 18
_STALL_S = 60.0


class Bulk:
    """Sends and receives tar streams. Whoever uses it holds `lock` from the request to the last byte."""

    def __init__(self, stream: ByteStream, folder: Path) -> None:
        """`folder`: where what comes from the guest is kept while it is read, without a name."""
        self._stream = stream
        self._folder = folder
        self.lock = anyio.Lock()

    async def send(self, chunks: Iterator[bytes]) -> None:
        """Send all chunks. Raises TimeoutError when the guest takes nothing for a minute."""
        while (chunk := await anyio.to_thread.run_sync(next, chunks, None)) is not None:
            with anyio.fail_after(_STALL_S):
                await self._stream.send(chunk)

    async def receive(self, size: int) -> BinaryIO:
        """Return a nameless file with exactly `size` bytes from the guest, at its start.

        Raises TimeoutError when nothing comes for a minute, EndOfStream when the VM is gone.
        """
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115 - the caller closes it
        try:
            left = size
            while left:
                with anyio.fail_after(_STALL_S):
                    chunk = await self._stream.receive(min(left, _CHUNK))
                left -= len(chunk)
                file.write(chunk)
            file.seek(0)
        except BaseException:
            file.close()
            raise
        return file
