"""Brings the content of listed files into the thread's machine when it is first needed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import anyio
import anyio.to_thread
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from deskmate.agent.manifests import Entries, put_manifest
from deskmate.agent.world import TakeContent, Taken
from deskmate.ports import BlobReader, Blobs, Machine, Progress
from deskmate.types.events import ContentTaken
from deskmate.types.files import Entry
from deskmate.types.ids import Digest
from deskmate.types.progress import Counted

BATCH_BYTES = 32 << 20
"""Of four batches the content may be in memory at once: two are read, one waits, one is laid."""
_READ_AT_ONCE = 2
"""While the disk makes the blobs of one batch durable, the next is read."""
BATCH_FILES = 2000
_PIECE = 1 << 20
TELL_FILES, TELL_BYTES = 50, 16 << 20
"""More than this is worth lines of progress."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Supplier:
    """Reads files on the host and lays them into a machine, both at once."""

    take_content: TakeContent
    blobs: Blobs
    progress: Progress

    async def bring(self, machine: Machine, wanted: Sequence[Entry]) -> Taken:
        """Bring files into the machine; those with a digest come from the blobs, others are read now.

        Returns what was read now. Raises what `put_content` and `take_content` raise.
        """
        sender, receiver = anyio.create_memory_object_stream[Taken](1)
        found: list[Taken] = []
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._read_all, wanted, sender)
                await self._put_all(machine, wanted, receiver, found)
        except BaseExceptionGroup as group:
            raise _first(group) from None  # as itself, for who must act on it
        before = {entry.path for entry in wanted if not entry.is_listed_only}
        return Taken(
            entries=tuple(e for part in found for e in part.entries if e.path not in before),
            lost={path: why for part in found for path, why in part.lost.items()},
        )

    async def _read_all(
        self, wanted: Sequence[Entry], sender: MemoryObjectSendStream[Taken]
    ) -> None:
        room, turn = anyio.Semaphore(_READ_AT_ONCE), anyio.Event()
        turn.set()
        async with sender, anyio.create_task_group() as tasks:
            for batch in _batches(wanted):
                await room.acquire()
                after = anyio.Event()
                tasks.start_soon(self._read_one, batch, sender, room, turn, after)
                turn = after

    async def _read_one(
        self,
        batch: Sequence[Entry],
        sender: MemoryObjectSendStream[Taken],
        room: anyio.Semaphore,
        turn: anyio.Event,
        after: anyio.Event,
    ) -> None:
        """Read a batch, and hand it on when those before it are."""
        taken = await self.read(batch)
        await turn.wait()
        await sender.send(taken)
        after.set()
        room.release()

    async def read(self, batch: Sequence[Entry]) -> Taken:
        """Return the files with their digests; those that have none are read now."""
        unread = [entry for entry in batch if entry.is_listed_only]
        taken = await anyio.to_thread.run_sync(self.take_content, unread) if unread else Taken()
        known = tuple(entry for entry in batch if not entry.is_listed_only)
        return replace(taken, entries=known + taken.entries)

    async def _put_all(
        self,
        machine: Machine,
        wanted: Sequence[Entry],
        receiver: MemoryObjectReceiveStream[Taken],
        found: list[Taken],
    ) -> None:
        size = sum(entry.size for entry in wanted)
        left = sum(1 for _ in _batches(wanted))
        tell = len(wanted) > TELL_FILES or size > TELL_BYTES
        sent = 0
        async with receiver:
            async for part in receiver:
                left -= 1
                await machine.put_content(
                    part.entries,
                    tuple(part.lost),
                    _Near(part.held, self.blobs),
                    _quiet,
                    more=left > 0,
                )
                found.append(replace(part, held={}))
                sent += sum(entry.size for entry in part.entries)
                if tell:
                    line = f"copying {len(wanted):,} files of your folders in"
                    self.progress(Counted(line, done=sent, total=max(size, 1), unit="bytes"))


class _Near:
    """Blobs of which some are in memory."""

    def __init__(self, held: Mapping[Digest, bytes], blobs: BlobReader) -> None:
        self._held, self._blobs = held, blobs

    def read(self, digest: Digest) -> bytes:
        return self._held[digest] if digest in self._held else self._blobs.read(digest)

    def chunks(self, digest: Digest) -> Iterable[bytes]:
        if digest not in self._held:
            return self._blobs.chunks(digest)
        content = self._held[digest]
        return (content[start : start + _PIECE] for start in range(0, len(content), _PIECE))

    def has(self, digest: Digest) -> bool:
        return digest in self._held or self._blobs.has(digest)


def _first(error: BaseException) -> BaseException:
    """Return the error that is to be told: our own before the broken pipe it leaves behind."""
    while isinstance(error, BaseExceptionGroup):
        ours = [one for one in error.exceptions if not isinstance(one, anyio.BrokenResourceError)]
        error = (ours or list(error.exceptions))[0]
    return error


def content_taken(blobs: Blobs, taken: Taken) -> ContentTaken:
    """Return the fact that files were read, for the log."""
    manifest = put_manifest(blobs, Entries(entries=taken.entries))
    size = sum(entry.size for entry in taken.entries)
    return ContentTaken(manifest=manifest, files=len(taken.entries), size=size, lost=taken.lost)


def _quiet(line: str) -> None:
    """Batches are told by the supplier."""


def _batches(wanted: Iterable[Entry]) -> Iterator[list[Entry]]:
    batch: list[Entry] = []
    size = 0
    for entry in wanted:
        if batch and (size + entry.size > BATCH_BYTES or len(batch) >= BATCH_FILES):
            yield batch
            batch, size = [], 0
        batch.append(entry)
        size += entry.size
    if batch:
        yield batch
