"""Removes content that no thread needs any more: none at work, none that can be restored, no undo, no fork.

Marks first, from every log and every list of files a log names; removes then, for moments in which no thread
is open for writing, and never on a guess: one log that cannot be read whole, and nothing is removed. Only whole
files go, so that a crash at any point leaves at most some unused content more.
"""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

from deskmate.errors import CorruptData, DeskmateError
from deskmate.store import schema
from deskmate.store.blobs import BlobStore
from deskmate.store.keeping import alone_with_content
from deskmate.store.owning import DELETED, purge_deleted
from deskmate.store.thread import stored_events
from deskmate.store.verify import BLOB_FIELDS, LISTS
from deskmate.types.ids import Digest

_DIGEST = re.compile(r"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")
_BATCH_S = 0.2
"""How long writers may have to wait at a time."""
_IDLE_WAIT_S = 1.0
_SETTLED_S = 2.0
"""A log that was written so shortly before it was read could change and look the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """What was done. `purged`: threads whose time to be restored was over. `kept`: blobs still needed.

    `left`: unused blobs that stay, because a thread is at work, or since it was only asked what would go.
    """

    purged: tuple[str, ...]
    removed: int
    removed_bytes: int
    kept: int
    left: int


def collect(
    threads: Path,
    blobs: Path,
    *,
    remove: bool = True,
    now: Callable[[], float] = time.time,
    failpoint: Callable[[str], None] = lambda name: None,
) -> Collected:
    """Remove unused content, and threads that were deleted more than 30 days ago. Blocks.

    `remove`: False only counts. Raises CorruptData where a log or a list of files is damaged, UserError for a
    log of a newer Deskmate; nothing is removed then.
    """
    marks = _Marks(threads, BlobStore(blobs), now)
    marks.refresh()  # before anything goes: a damaged log stops it all
    failpoint("marked")
    purged: tuple[str, ...] = ()
    if remove:
        purged = purge_deleted(threads, now=now)
        failpoint("purged")
        if purged:
            marks.refresh()
    unused, kept = _unused(blobs, marks.needed)
    removed, size = 0, 0
    while remove and unused:
        with alone_with_content(threads, _IDLE_WAIT_S) as alone:
            if not alone:
                break
            failpoint("alone")
            marks.refresh()
            until = time.monotonic() + _BATCH_S
            while unused and time.monotonic() < until:
                path = unused.pop()
                if path.stem in marks.needed:
                    kept += 1
                    continue
                size += path.stat().st_size
                path.unlink()
                removed += 1
                failpoint("removed")
        time.sleep(0.01)  # who waits goes first
    return Collected(
        purged=purged, removed=removed, removed_bytes=size, kept=kept, left=len(unused)
    )


def _unused(blobs: Path, needed: set[str]) -> tuple[list[Path], int]:
    """Return the blobs that nothing needs, and how many are needed."""
    found = [path for path in sorted(blobs.glob("??/*.zst")) if _DIGEST.fullmatch(path.stem)]
    unused = [path for path in found if path.stem not in needed]
    return unused, len(found) - len(unused)


@dataclass(slots=True)
class _Marks:
    """Every digest that a thread needs, by thread; a log is read again when it changed."""

    _threads: Path
    _blobs: BlobStore
    _now: Callable[[], float]
    needed: set[str] = field(default_factory=set)
    _of: dict[Path, tuple[str, frozenset[str]]] = field(default_factory=dict)
    _lists: dict[str, frozenset[str]] = field(default_factory=dict)

    def refresh(self) -> None:
        """Read the logs that are new or changed. Raises CorruptData, UserError."""
        found: dict[Path, tuple[str, frozenset[str]]] = {}
        for folder in _folders(self._threads):
            stamp = _stamp(folder, self._now())
            before = self._of.get(folder)
            if before is None or not stamp or before[0] != stamp:
                before = (stamp, frozenset(self._digests_of(folder)))
            found[folder] = before
        self._of = found
        self.needed = set().union(*(digests for _, digests in found.values()))

    def _digests_of(self, folder: Path) -> Iterator[str]:
        try:
            with closing(schema.open_database(folder, write=False)) as db:
                # each is checked: a damaged digest would keep the wrong content
                for event, payload in stored_events(db.conn):
                    yield from _DIGEST.findall(payload)
                    listing = BLOB_FIELDS.get(event.kind, "")
                    if listing in LISTS:
                        yield from self._listed(getattr(event.payload, listing))
        except (sqlite3.Error, DeskmateError) as error:
            why = error.message if isinstance(error, DeskmateError) else str(error)
            raise CorruptData(
                f"Nothing was removed: thread {folder.name} cannot be read whole: {why}",
                hint="What it needs cannot be told. Import its last export, or update Deskmate.",
            ) from error

    def _listed(self, digest: Digest) -> frozenset[str]:
        if digest not in self._lists:
            text = self._blobs.read(digest).decode("utf-8", "replace")
            self._lists[digest] = frozenset(_DIGEST.findall(text))
        return self._lists[digest]


def _folders(threads: Path) -> list[Path]:
    """Return the folders of all threads, also of those that can be restored."""
    found = []
    for pattern in ("t-*", f"{DELETED}/*-t-*"):
        for folder in sorted(threads.glob(pattern)):
            if (folder / schema.FILE).is_file():
                found.append(folder)
    return found


def _stamp(folder: Path, now: float) -> str:
    """Return what changes when a log does; empty where that cannot be relied on."""
    marks = []
    for ending in ("", "-wal"):
        with suppress(FileNotFoundError):
            about = (folder / f"{schema.FILE}{ending}").stat()
            if now - about.st_mtime < _SETTLED_S:
                return ""
            marks.append(f"{about.st_ino}.{about.st_size}.{about.st_mtime_ns}.{about.st_ctime_ns}")
    return " ".join(marks)
