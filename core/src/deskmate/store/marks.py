"""What content each thread needs: every digest in its log, and in the lists of files that its log names.

What was found is kept in a file beside the threads, with what changes when a log does; removing that file loses
nothing. A row of it that does not fit its own checksum counts as not there.
"""

from __future__ import annotations

import hashlib
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
from deskmate.store.owning import DELETED
from deskmate.store.rows import stored_events
from deskmate.store.verify import BLOB_FIELDS, LISTS
from deskmate.types.events import Payload, SubagentDid
from deskmate.types.ids import Digest
from deskmate.types.subagents import told

FILE = "marks.db"
DIGEST = re.compile(r"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")
_SETTLED_S = 2.0
"""A log that was written so shortly before it was read could change and look the same."""
_SIZE = 32


class OutOfTime(Exception):
    """There was more to read than the time that was given; what was read is kept for the next time."""


@dataclass(slots=True)
class Marks:
    """Every digest that a thread needs, by thread; a log is read again when it changed.

    `until`: monotonic time after which no further log is read.
    """

    threads: Path
    blobs: BlobStore
    now: Callable[[], float]
    until: float = float("inf")
    needed: set[str] = field(default_factory=set)
    _of: dict[Path, tuple[str, frozenset[str]]] = field(default_factory=dict)
    _lists: dict[str, frozenset[str]] = field(default_factory=dict)

    def refresh(self) -> None:
        """Read the logs that are new or changed. Raises CorruptData, UserError, OutOfTime."""
        found: dict[Path, tuple[str, frozenset[str]]] = {}
        for folder in _folders(self.threads):
            stamp = _stamp(folder, self.now())
            before = self._of.get(folder)
            if before is None or not stamp or before[0] != stamp:
                if time.monotonic() > self.until:
                    self._of |= found
                    raise OutOfTime
                before = (stamp, frozenset(self._digests_of(folder)))
            found[folder] = before
        self._of = found
        self.needed = set().union(*(digests for _, digests in found.values()))

    def load(self) -> None:
        """Take in what was kept, where it can be read."""
        with suppress(sqlite3.Error), closing(self._open()) as db:
            rows = db.execute("select folder, stamp, digests, checksum from marks").fetchall()
            for name, stamp, digests, checksum in rows:
                if checksum == _checksum(name, stamp, digests):
                    found = (digests[at : at + _SIZE].hex() for at in range(0, len(digests), _SIZE))
                    self._of[self.threads / name] = (stamp, frozenset(found))

    def keep(self) -> None:
        """Keep what was read of logs that are settled; that it cannot be kept harms nothing."""
        rows = []
        for folder, (stamp, found) in self._of.items():
            if stamp:
                name = folder.relative_to(self.threads).as_posix()
                digests = b"".join(bytes.fromhex(one) for one in sorted(found))
                rows.append((name, stamp, digests, _checksum(name, stamp, digests)))
        with suppress(sqlite3.Error, OSError), closing(self._open()) as db, db:
            db.execute("begin immediate")
            db.execute("delete from marks")
            db.executemany("insert into marks values (?, ?, ?, ?)", rows)

    def _open(self) -> sqlite3.Connection:
        path = self.threads.with_name(FILE)
        db = sqlite3.connect(path, timeout=0.1)
        try:
            db.execute(
                "create table if not exists marks (folder text primary key, stamp text not null,"
                " digests blob not null, checksum blob not null) strict"
            )
            path.chmod(0o600)
        except sqlite3.Error as error:
            db.close()
            if not isinstance(error, sqlite3.OperationalError):  # no database: it is made anew
                path.unlink(missing_ok=True)
            raise
        return db

    def _digests_of(self, folder: Path) -> Iterator[str]:
        try:
            with closing(schema.open_database(folder, write=False)) as db:
                # each is checked: a damaged digest would keep the wrong content
                for event, payload in stored_events(db):
                    yield from DIGEST.findall(payload)
                    yield from self._listed_by(event.payload)
        except (sqlite3.Error, DeskmateError) as error:
            why = error.message if isinstance(error, DeskmateError) else str(error)
            raise CorruptData(
                f"Nothing was removed: thread {folder.name} cannot be read whole: {why}",
                hint="What it needs cannot be told. Import its last export, or update Deskmate.",
            ) from error

    def _listed_by(self, payload: Payload) -> frozenset[str]:
        fact = told(payload) if isinstance(payload, SubagentDid) else payload
        listing = BLOB_FIELDS.get(type(fact).__name__, "")
        return self._listed(getattr(fact, listing)) if listing in LISTS else frozenset()

    def _listed(self, digest: Digest) -> frozenset[str]:
        if digest not in self._lists:
            text = self.blobs.read(digest).decode("utf-8", "replace")
            self._lists[digest] = frozenset(DIGEST.findall(text))
        return self._lists[digest]


def _checksum(name: str, stamp: str, digests: bytes) -> bytes:
    return hashlib.sha256(f"{name}\0{stamp}\0".encode() + digests).digest()


def _folders(threads: Path) -> list[Path]:
    """Return the folders of all threads, also of those that can be restored."""
    found = []
    for pattern in ("t-*", f"{DELETED}/[0-9]*-t-*"):
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
            if not about.st_size:  # a reader leaves an empty write-ahead log behind
                continue
            if now - about.st_mtime < _SETTLED_S:
                return ""
            marks.append(f"{about.st_ino}.{about.st_size}.{about.st_mtime_ns}.{about.st_ctime_ns}")
    return " ".join(marks)
