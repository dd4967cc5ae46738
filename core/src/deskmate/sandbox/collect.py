"""Bringing a workspace's difference out of the guest: its facts first, then the content that is new."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from typing import BinaryIO

import anyio.to_thread

from deskmate.errors import ProtocolError
from deskmate.ports import BlobReader, Blobs
from deskmate.protocol.client import GuestClient
from deskmate.sandbox.archive import Received
from deskmate.sandbox.bulk import Bulk
from deskmate.sandbox.difference import compare, read_facts
from deskmate.types.files import Difference, Entry
from deskmate.types.ids import Digest
from deskmate.types.wire import HOME, WORKSPACE

_DOCUMENT_LIMIT_BYTES = 128 << 20
_TAKE_LIMIT_BYTES = 8 << 30
_NAMES_LIMIT_BYTES = 1 << 18
_BATCH_LIMIT_BYTES = 1 << 30
_TRIES = 3
_FACTS_S = 600.0
_SLOWEST_BYTES_PER_S = 1 << 20


async def collect(
    guest: GuestClient,
    bulk: Bulk,
    base: Sequence[Entry],
    blobs: Blobs,
    grants: Set[str],
    sizes: dict[Digest, int],
) -> tuple[Difference, tuple[Entry, ...]]:
    """Return the difference and the home folder's entries; their content is in `blobs`.

    `sizes`: digest → bytes of content that was looked at before; it grows.

    A file that changes while it is read is asked for anew, with all facts, three times at most.
    Raises ProtocolError when the guest breaks the rules or never holds still.
    """
    for _ in range(_TRIES):
        facts = read_facts(await _document(guest, bulk))
        difference = compare(base, facts, grants)
        after = [change.after for change in difference.changes if change.after is not None]
        wanted = {f"{WORKSPACE}/{entry.path}": entry for entry in after if entry.sha256}
        wanted |= {f"{HOME}/{entry.path}": entry for entry in facts.home if entry.sha256}
        sizes |= {entry.sha256: entry.size for entry in base if entry.sha256}
        await anyio.to_thread.run_sync(_check_sizes, wanted, blobs, sizes)
        if await _take(guest, bulk, wanted, blobs):
            sizes |= {entry.sha256: entry.size for entry in wanted.values() if entry.sha256}
            return difference, facts.home
    raise ProtocolError("the workspace keeps changing while it is read")


def _check_sizes(wanted: Mapping[str, Entry], blobs: BlobReader, sizes: dict[Digest, int]) -> None:
    """Make sure that what is here already has the size that the guest says it has."""
    for path, entry in wanted.items():
        digest = entry.sha256
        if digest is None or not blobs.has(digest):
            continue
        if digest not in sizes:
            sizes[digest] = sum(len(piece) for piece in blobs.chunks(digest))
        if sizes[digest] != entry.size:
            raise ProtocolError(
                f"the guest says that {path!r} has {entry.size} bytes; content of that digest has "
                f"{sizes[digest]}"
            )


async def _document(guest: GuestClient, bulk: Bulk) -> bytes:
    size = await guest.difference(_FACTS_S)
    if size > _DOCUMENT_LIMIT_BYTES:
        raise ProtocolError(f"the guest's difference has {size} bytes")
    with await bulk.receive(size) as file:
        return file.read()


async def _take(guest: GuestClient, bulk: Bulk, wanted: dict[str, Entry], blobs: Blobs) -> bool:
    """Bring the content that `blobs` lacks; False when a file is no longer what the facts said."""
    missing = {
        path: entry
        for path, entry in wanted.items()
        if entry.sha256 is not None and not blobs.has(entry.sha256)
    }
    if sum(entry.size for entry in missing.values()) > _TAKE_LIMIT_BYTES:
        raise ProtocolError("the guest's changes are larger than its disk")
    whole = True
    for batch in _batches(missing):
        size = sum(entry.size for entry in batch.values())
        total = await guest.take(list(batch), _FACTS_S + size / _SLOWEST_BYTES_PER_S)
        if total > size + (len(batch) + 1) * 16384:
            raise ProtocolError(f"the guest offers {total} bytes for files of {size}")
        with await bulk.receive(total) as file:
            whole &= await anyio.to_thread.run_sync(_store, file, total, batch, blobs)
    return whole


def _store(file: BinaryIO, total: int, batch: dict[str, Entry], blobs: Blobs) -> bool:
    received = Received(file, total)
    whole = True
    for path, entry in batch.items():
        content = received.file(path, entry.size)
        whole &= blobs.put(content) == entry.sha256
        for _ in content:  # a store that knows the content may leave it unread
            pass
    received.end()
    return whole


def _batches(wanted: dict[str, Entry]) -> list[dict[str, Entry]]:
    batches: list[dict[str, Entry]] = []
    names = content = 0
    for path, entry in wanted.items():
        names -= len(path.encode()) + 8
        content -= entry.size
        if names < 0 or content < 0:
            batches.append({})
            names, content = _NAMES_LIMIT_BYTES, _BATCH_LIMIT_BYTES - entry.size
        batches[-1][path] = entry
    return batches
