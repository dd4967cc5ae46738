"""All threads in one archive, while they go on working, and bringing back those that are not here.

Each log is read in one moment; its content is in blobs, which never change. What two threads share is in the
archive once.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio.from_thread
import anyio.to_thread

from deskmate.errors import DeskmateError, UserError
from deskmate.ports import BlobReader, Blobs
from deskmate.store import schema
from deskmate.store.archive import MANIFEST, README, opened, read_part, read_thread, write_log
from deskmate.store.boxes import Archive, Sink, zip_sink
from deskmate.store.thread import open_thread, utc_now
from deskmate.types.ids import Digest, ThreadId

FORMAT = "deskmate-backup-1"
_MANIFEST_LIMIT_BYTES = 64 << 20
_NAME = re.compile(r"t-[a-z0-9]{1,40}")
_README = """Threads of Deskmate.

manifest.json                which threads, with the number of facts and the last hash of each
threads/ID/events.jsonl      every fact of a thread, one a line, each bound to the one before it by its hash
blobs/                       contents of files, each named by its SHA-256; threads share them

Check one log alone:                deskmate audit verify threads/ID/events.jsonl
Bring back those that are missing:  deskmate thread import THIS-FILE
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """What was written. `left_out`: thread → why it could not be."""

    threads: tuple[str, ...]
    blobs: int
    left_out: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What became of each thread of a backup. `here`: those that were here before; they stay as they are."""

    threads: tuple[ThreadId, ...]
    here: tuple[str, ...]
    refused: Mapping[str, str]


async def export_all(
    threads: Path,
    blobs: BlobReader,
    target: Path,
    progress: Callable[[str], None] = lambda line: None,
) -> Backup:
    """Write all threads to the zip `target`, which must not exist.

    A damaged thread is left out and said so; nothing else is. Raises UserError if the target exists.
    """
    return await anyio.to_thread.run_sync(_export_all, threads, blobs, target, progress)


def _export_all(
    threads: Path, blobs: BlobReader, target: Path, progress: Callable[[str], None]
) -> Backup:
    names = sorted(folder.parent.name for folder in threads.glob(f"t-*/{schema.FILE}"))
    written: list[dict[str, Any]] = []
    left_out: dict[str, str] = {}
    done: set[Digest] = set()
    with zip_sink(target) as write:
        write(README, [_README.encode()])
        for number, name in enumerate(names, start=1):
            progress(f"exporting {number} of {len(names)} threads")
            try:
                written.append(_export_one(write, threads, name, blobs, done))
            except DeskmateError as error:
                left_out[name] = error.message
        manifest = {
            "format": FORMAT,
            "exported": utc_now(),
            "threads": written,
            "left_out": left_out,
        }
        write(MANIFEST, [json.dumps(manifest, indent=2).encode()])
    return Backup(
        threads=tuple(one["thread"] for one in written), blobs=len(done), left_out=left_out
    )


def _export_one(
    write: Sink, threads: Path, name: str, blobs: BlobReader, done: set[Digest]
) -> dict[str, Any]:
    records = anyio.from_thread.run(_records, threads, name)
    inner: list[tuple[str, bytes]] = []
    needed = write_log(
        lambda path, content: inner.append((path, b"".join(content))), "", records, blobs
    )
    fresh = [digest for digest in needed if digest not in done]
    for digest in fresh:  # first, so that a thread with a damaged blob is left out whole
        for _ in blobs.chunks(digest):
            pass
    for path, content in inner:
        write(f"threads/{name}/{path}", [content])
    for digest in fresh:
        write(f"blobs/{digest}", blobs.chunks(digest))
        done.add(digest)
    return {"thread": name, "size": len(records), "head": records[-1]["hash"] if records else ""}


async def _records(threads: Path, name: str) -> tuple[dict[str, Any], ...]:
    async with open_thread(threads, name, write=False) as store:
        return await store.rows()


async def import_all(source: Path, threads: Path, blobs: Blobs) -> Restored:
    """Bring back the threads of a backup, or the one of an export, that are not here, with the same hashes.

    Threads that are here stay as they are. Raises UserError if it is neither.
    """
    return await anyio.to_thread.run_sync(_import_all, source, threads, blobs)


def _import_all(source: Path, threads: Path, blobs: Blobs) -> Restored:
    with opened(source) as archive:
        manifest = json.loads(read_part(archive, MANIFEST, _MANIFEST_LIMIT_BYTES))
        if manifest["format"] != FORMAT:
            return Restored(
                threads=(read_thread(archive, "", threads, blobs),), here=(), refused={}
            )
        return _each(archive, [str(one["thread"]) for one in manifest["threads"]], threads, blobs)


def _each(archive: Archive, names: list[str], threads: Path, blobs: Blobs) -> Restored:
    taken, here, refused = [], [], {}
    for name in names:
        if not _NAME.fullmatch(name):
            raise UserError(f"The backup names a thread {name!r}, which is no id of one.")
        if (threads / name / schema.FILE).exists():
            here.append(name)
            continue
        try:
            taken.append(read_thread(archive, f"threads/{name}/", threads, blobs))
        except DeskmateError as error:
            refused[name] = error.message
    return Restored(threads=tuple(taken), here=tuple(here), refused=refused)
