"""What the host's files were when they were last hashed, so that unchanged ones are not read again.

A cache and no more: it may be deleted at any time, and what it cannot vouch for is read.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from deskmate.types.ids import Digest

if TYPE_CHECKING:
    import sqlite3

RACY_NS = 2_000_000_000
"""A file changed so shortly before it was hashed could change again and look the same, as git knows."""
_ROWS_LIMIT = 1_000_000
_TABLE = """create table if not exists digests (
    dev integer, ino integer, size integer, mtime integer, ctime integer,
    sha256 text not null, seal text not null, primary key (dev, ino)
) without rowid"""


class Stamp(NamedTuple):
    """What changes when a file does. Times in nanoseconds."""

    dev: int
    ino: int
    size: int
    mtime_ns: int
    ctime_ns: int


def stamp_of(status: os.stat_result) -> Stamp:
    """Return a status's stamp."""
    return Stamp(
        status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
    )


class Digests:
    """Stamp → digest, in one SQLite file that several processes may use."""

    def __init__(self, path: Path) -> None:
        """`path`: the file; made when the first digest is kept."""
        self._path = path

    @contextmanager
    def known(self) -> Iterator[Lookup]:
        """Yield a look-up. Where the file cannot be read nothing is known."""
        import sqlite3  # noqa: PLC0415 - not needed to print help

        connection = None
        try:
            if self._path.exists():
                connection = sqlite3.connect(f"{self._path.as_uri()}?mode=ro", uri=True)
        except sqlite3.Error:
            connection = None
        try:
            yield Lookup(connection)
        finally:
            if connection is not None:
                connection.close()

    def keep(self, rows: Iterable[tuple[Stamp, Digest]]) -> None:
        """Remember digests of files that were hashed just now; a cache that fails is left alone."""
        import sqlite3  # noqa: PLC0415

        settled = time.time_ns() - RACY_NS
        sound = [
            (*_columns(stamp), digest, _seal(stamp, digest))
            for stamp, digest in rows
            if stamp.ctime_ns < settled
        ]
        if not sound:
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with closing(sqlite3.connect(self._path, timeout=5)) as connection, connection:
                connection.execute("pragma synchronous = off")  # every row vouches for itself
                # a crash may damage the file, which is then made anew: a journal would be half of all writes
                connection.execute("pragma journal_mode = memory")
                connection.execute(_TABLE)
                connection.executemany("replace into digests values (?,?,?,?,?,?,?)", sound)
                (count,) = connection.execute("select count(*) from digests").fetchone()
                if count > _ROWS_LIMIT:
                    connection.execute("delete from digests")
        except sqlite3.DatabaseError:
            with suppress(OSError):
                self._path.unlink(missing_ok=True)
        except OSError:
            return


class Lookup:
    """Answers from one opened cache."""

    def __init__(self, connection: sqlite3.Connection | None) -> None:
        """`connection` None: nothing is known."""
        self._connection = connection

    def digest(self, stamp: Stamp) -> Digest | None:
        """Return the digest of a file with this stamp, None if it is not known for sure."""
        import sqlite3  # noqa: PLC0415

        if self._connection is None:
            return None
        dev, ino, *rest = _columns(stamp)
        query = "select size, mtime, ctime, sha256, seal from digests where dev = ? and ino = ?"
        try:
            row = self._connection.execute(query, (dev, ino)).fetchone()
        except sqlite3.Error:
            return None
        if row is None or list(row[:3]) != rest:
            return None
        digest = Digest(str(row[3]))
        return digest if row[4] == _seal(stamp, digest) else None


def _columns(stamp: Stamp) -> tuple[int, ...]:
    """Return the stamp in SQLite's signed 64 bits."""
    return tuple((value + (1 << 63)) % (1 << 64) - (1 << 63) for value in stamp)


def _seal(stamp: Stamp, digest: Digest) -> str:
    """Return a check over a row: a damaged file must not vouch for content."""
    return hashlib.sha256(f"{tuple(stamp)} {digest}".encode()).hexdigest()[:16]
