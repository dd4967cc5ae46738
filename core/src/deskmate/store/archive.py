"""A thread as one file or folder: its log, its blobs and a page that says what is what.

Reading one trusts nothing: number and size are bounded, every hash of the log and every blob's digest
are checked, blobs that the log does not need are left, and nothing is unpacked by a path that it names.
"""

from __future__ import annotations

import hashlib
import json
import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio.to_thread

from deskmate.errors import CorruptData, UserError
from deskmate.ports import BlobReader, Blobs
from deskmate.store import chain, schema
from deskmate.store.blobs import CHUNK_BYTES
from deskmate.store.boxes import Archive, FolderArchive, MakeSink, Sink, folder_sink, zip_sink
from deskmate.store.keeping import keeping_content
from deskmate.store.making import write_thread
from deskmate.store.thread import ThreadStore, utc_now
from deskmate.store.verify import needed_blobs
from deskmate.types.codec import from_json
from deskmate.types.events import KINDS, SubagentDid
from deskmate.types.ids import Digest, ThreadId
from deskmate.types.subagents import told

FORMAT = "deskmate-thread-1"
EVENTS, MANIFEST, README = "events.jsonl", "manifest.json", "README.txt"
_NOT_OURS = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    KeyError,
    ValueError,
    TypeError,
    RuntimeError,  # encrypted, too deep, or compressed in a way that is not known
)
_THREAD = re.compile(r"t-[a-z0-9]{1,40}")
_LOG_LIMIT_BYTES = 512 << 20
TOTAL_LIMIT_BYTES = 64 << 30
"""What all files of an archive may unpack to."""
COUNT_LIMIT = 1_000_000
"""Files of an archive."""
_README = """A thread of Deskmate.

events.jsonl    every fact of the thread, one a line, each bound to the one before it by its hash
manifest.json   the thread's id, the number of facts, the last hash, the blobs
blobs/          contents of files, each named by its SHA-256

Check the log alone:      deskmate audit verify events.jsonl
Bring the thread back:    deskmate thread import THIS-FILE-OR-FOLDER
"""


async def export_thread(
    store: ThreadStore, blobs: BlobReader, target: Path, *, folder: bool = False
) -> int:
    """Write the archive to `target`, which must not exist; return how many blobs are in it.

    `folder`: the same files in a folder instead of a zip. Raises UserError if the target exists,
    CorruptData if the log or a needed blob is damaged.
    """
    records = await store.rows()
    make = folder_sink if folder else zip_sink
    return await anyio.to_thread.run_sync(_export, records, blobs, target, make)


def _export(
    records: Sequence[Mapping[str, Any]], blobs: BlobReader, target: Path, make: MakeSink
) -> int:
    with make(target) as write:
        write(README, [_README.encode()])
        needed = write_log(write, "", records, blobs)
        for digest in needed:
            write(f"blobs/{digest}", blobs.chunks(digest))
    return len(needed)


def write_log(
    write: Sink, prefix: str, records: Sequence[Mapping[str, Any]], blobs: BlobReader
) -> list[Digest]:
    """Write a thread's log and manifest below `prefix`; return the blobs it needs, which are not written.

    Raises CorruptData if the log is damaged; nothing of the thread is written then.
    """
    report = chain.check(records)
    if report.problem:
        raise CorruptData(f"The thread cannot be exported: {report.problem}.")
    needed = sorted(needed_blobs(records, blobs))
    manifest = {
        "format": FORMAT,
        "thread": report.thread,
        "size": report.size,
        "head": report.head,
        "exported": utc_now(),
        "blobs": needed,
    }
    write(f"{prefix}{MANIFEST}", [json.dumps(manifest, indent=2).encode()])
    write(f"{prefix}{EVENTS}", as_lines(records))
    return needed


def as_lines(records: Sequence[Mapping[str, Any]]) -> Iterator[bytes]:
    """Yield the records as JSON Lines in canonical form."""
    return (chain.canonical(record) + b"\n" for record in records)


async def import_thread(source: Path, threads: Path, blobs: Blobs) -> ThreadId:
    """Bring an exported thread back, with the same hashes, and return its id.

    `source`: a zip or a folder. Raises UserError if it is no export or the thread is here already,
    CorruptData if a hash or digest does not fit; nothing of the thread is then kept.
    """
    return await anyio.to_thread.run_sync(_import, source, threads, blobs)


def _import(source: Path, threads: Path, blobs: Blobs) -> ThreadId:
    with opened(source) as archive:
        return read_thread(archive, "", threads, blobs)


@contextmanager
def opened(source: Path) -> Iterator[Archive]:
    """Open an archive that is no larger than may be. Raises UserError, also for what is wrong inside."""
    try:
        with FolderArchive(source) if source.is_dir() else zipfile.ZipFile(source) as archive:
            _check_size(archive)
            yield archive
    except _NOT_OURS as error:
        raise UserError(f"{source} is not an exported thread: {error}.") from error


def read_thread(archive: Archive, prefix: str, threads: Path, blobs: Blobs) -> ThreadId:
    """Bring the thread below `prefix` back and return its id. Raises as `import_thread`."""
    records = _read_log(archive, prefix)
    report = chain.check(records)
    manifest = json.loads(read_part(archive, f"{prefix}{MANIFEST}", CHUNK_BYTES * 64))
    _check_manifest(manifest, report)
    thread = _new_thread(report.thread, threads)
    rows = [_row(record) for record in records]
    with keeping_content(threads):
        _take_blobs(records, _Inside(archive, blobs), blobs)
        write_thread(threads, thread, rows)
    return thread


def _read_log(archive: Archive, prefix: str) -> list[Mapping[str, Any]]:
    text = read_part(archive, f"{prefix}{EVENTS}", _LOG_LIMIT_BYTES).decode()
    # JSON Lines: only \n ends a line; the text may hold other separators
    return list(chain.read_lines(text.split("\n")))


def read_part(archive: Archive, name: str, limit: int) -> bytes:
    """Return a whole file of an archive. Raises UserError if it is longer than `limit`."""
    with archive.open(name) as file:
        content: bytes = file.read(limit + 1)
    if len(content) > limit:
        raise UserError(f"{name} in the archive is too large.")
    return content


def _check_manifest(manifest: Any, report: chain.ChainReport) -> None:
    if report.problem:
        raise CorruptData(f"The archive's log is damaged: {report.problem}.")
    if manifest["format"] != FORMAT:
        raise UserError(f"The archive has the format {manifest['format']!r}, expected {FORMAT}.")
    if (manifest["thread"], manifest["size"], manifest["head"]) != (
        report.thread,
        report.size,
        report.head,
    ):
        raise CorruptData("The archive's log is not the one that its manifest names.")


def _new_thread(name: str, threads: Path) -> ThreadId:
    if not _THREAD.fullmatch(name):
        raise CorruptData(f"{name!r} is not the id of a thread.")
    if (threads / name / schema.FILE).exists():
        raise UserError(
            f"Thread {name} is here already.", hint=f"Look at it: deskmate thread show {name}"
        )
    return ThreadId(name)


def _row(record: Mapping[str, Any]) -> tuple[Any, ...]:
    kind = record["kind"]
    if kind not in KINDS:
        raise UserError(f"The archive holds {kind!r} events.", hint="Update Deskmate.")
    read = from_json(KINDS[kind], record["payload"])
    if isinstance(read, SubagentDid):
        told(read)
    payload = chain.canonical(record["payload"]).decode()
    sealed = chain.canonical(record["sealed"]).decode() if "sealed" in record else None
    head = (record["seq"], record["time"], kind, payload, record["prev_hash"], record["hash"])
    return (*head, sealed, record.get("salt"))


def _check_size(archive: Archive) -> None:
    """Refuse an archive that would fill the disk. No entry can be read beyond what it says of itself."""
    entries = archive.infolist()
    if len(entries) > COUNT_LIMIT:
        raise UserError(f"The archive holds {len(entries):,} files; {COUNT_LIMIT:,} are the most.")
    total = sum(entry.file_size for entry in entries)
    if total > TOTAL_LIMIT_BYTES:
        raise UserError(
            f"The archive would unpack to {total >> 20:,} MiB; {TOTAL_LIMIT_BYTES >> 20:,} are the most."
        )


class _Inside:
    """The blobs of an archive, each checked while it is read; those it lacks may be here already."""

    def __init__(self, archive: Archive, here: BlobReader) -> None:
        self._archive = archive
        self._here = here
        self._names = frozenset(archive.namelist())

    def holds(self, digest: Digest) -> bool:
        """Say whether the archive itself has it."""
        return f"blobs/{digest}" in self._names

    def has(self, digest: Digest) -> bool:
        """Say whether the content can be had."""
        return self.holds(digest) or self._here.has(digest)

    def chunks(self, digest: Digest) -> Iterator[bytes]:
        """Yield the content; raises CorruptData at the end if it is not what its name says."""
        if not self.holds(digest):
            yield from self._here.chunks(digest)
            return
        seen = hashlib.sha256()
        with self._archive.open(f"blobs/{digest}") as file:
            while piece := file.read(CHUNK_BYTES):
                seen.update(piece)
                yield piece
        if seen.hexdigest() != digest:
            raise CorruptData(f"Blob {digest} in the archive is damaged.")

    def read(self, digest: Digest) -> bytes:
        """Return a list of files. Raises UserError if it is far too long for one."""
        content = bytearray()
        for piece in self.chunks(digest):
            content += piece
            if len(content) > _LOG_LIMIT_BYTES:
                raise UserError(f"Blob {digest} in the archive is too large for a list of files.")
        return bytes(content)


def _take_blobs(records: Sequence[Mapping[str, Any]], inside: _Inside, blobs: Blobs) -> None:
    """Store what the log needs, and nothing else that may lie in the archive."""
    needed = needed_blobs(records, inside)
    if missing := [digest for digest in needed if not inside.has(digest)]:
        raise CorruptData(f"The archive lacks blob {missing[0]}.")
    for digest in needed:
        if inside.holds(digest):
            blobs.put(inside.chunks(digest))
