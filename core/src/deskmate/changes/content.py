"""Reading granted files into blobs: each once, several at a time, and only if they stand still."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import groupby

from deskmate.changes.digests import Digests, Stamp, stamp_of
from deskmate.changes.disk import Folders, pieces
from deskmate.ports import Blobs
from deskmate.types.files import Entry, Grant
from deskmate.types.ids import Digest

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_TRIES = 3
_WHOLE_BYTES = 8 << 20
_MOST_THREADS = 4
_AT_ONCE_FILES = 8
"""Handed to a thread together: handing over one costs as much as storing a small one."""
_AHEAD = 4
_GONE = {errno.ENOENT, errno.ENOTDIR}


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What was read. `entries`: with digest, size, mode and time as read. `lost`: path → why it was not."""

    entries: tuple[Entry, ...]
    lost: Mapping[str, str] = field(default_factory=dict)


def take_content(
    grants: Sequence[Grant],
    wanted: Sequence[Entry],
    blobs: Blobs,
    *,
    digests: Digests | None = None,
) -> Taken:
    """Read the files that `wanted` names into `blobs`; links on the way are never followed.

    A file that was changed since it was listed is taken as it is now. `digests` is told what was read.
    Raises UserError if a granted folder is gone, and what `blobs` raises.
    """
    if not wanted:
        return Taken(entries=())
    with Folders(grants) as folders, _Reading(blobs) as reading:
        ordered = sorted(wanted, key=lambda entry: entry.path.rpartition("/"))
        for above, group in groupby(ordered, lambda entry: entry.path.rpartition("/")[0]):
            reading.folder(folders, above, list(group))
        entries, lost, stamps = reading.results()
    if digests is not None:
        digests.keep(stamps)
    return Taken(entries=tuple(sorted(entries, key=lambda entry: entry.path)), lost=lost)


@dataclass(frozen=True, slots=True)
class _Read:
    entry: Entry | None
    stamp: Stamp | None = None
    why: str = ""


class _Reading:
    """A few threads that read, hash and store; at most so many files are open."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs
        self._threads = ThreadPoolExecutor(min(_MOST_THREADS, os.cpu_count() or 1))
        self._opened: list[tuple[int, Entry]] = []
        self._waiting: list[tuple[list[str], Future[list[_Read]]]] = []
        self._done: list[tuple[str, _Read]] = []

    def __enter__(self) -> _Reading:
        return self

    def __exit__(self, *_: object) -> None:
        for file, _entry in self._opened:
            os.close(file)
        self._threads.shutdown(wait=True, cancel_futures=False)  # each closes its file

    def folder(self, folders: Folders, above: str, entries: Sequence[Entry]) -> None:
        """Read files of one folder."""
        try:
            with folders.folder(above) as opened:
                for entry in entries:
                    self._file(opened, entry)
        except OSError as error:
            lost = {path for path, _ in self._done} | {entry.path for _, entry in self._opened}
            lost |= {path for paths, _ in self._waiting for path in paths}
            for entry in entries:
                if entry.path not in lost:
                    self._done.append((entry.path, _Read(None, why=_why(error))))

    def _file(self, folder: int, entry: Entry) -> None:
        try:
            file = os.open(entry.path.rpartition("/")[2], _READ, dir_fd=folder)
        except OSError as error:
            self._done.append((entry.path, _Read(None, why=_why(error))))
            return
        self._opened.append((file, entry))
        if len(self._opened) >= _AT_ONCE_FILES:
            self._submit()

    def _submit(self) -> None:
        if len(self._waiting) >= _AHEAD:
            self._collect(self._waiting.pop(0))
        opened, self._opened = self._opened, []
        paths = [entry.path for _, entry in opened]
        self._waiting.append((paths, self._threads.submit(_read_all, opened, self._blobs)))

    def _collect(self, some: tuple[list[str], Future[list[_Read]]]) -> None:
        paths, future = some
        self._done += zip(paths, future.result(), strict=True)

    def results(self) -> tuple[list[Entry], dict[str, str], list[tuple[Stamp, Digest]]]:
        """Return the entries, why others are lost, and what digests stand for which files."""
        if self._opened:
            self._submit()
        while self._waiting:
            self._collect(self._waiting.pop(0))
        found = [one for _, one in self._done]
        return (
            [one.entry for one in found if one.entry is not None],
            {path: one.why for path, one in sorted(self._done) if one.entry is None},
            [
                (one.stamp, one.entry.sha256)
                for one in found
                if one.stamp and one.entry and one.entry.sha256
            ],
        )


def _read_all(opened: Sequence[tuple[int, Entry]], blobs: Blobs) -> list[_Read]:
    """Store the content of some open files; closes all of them."""
    waiting = list(reversed(opened))
    try:
        found = []
        while waiting:
            found.append(_read(*waiting.pop(), blobs))
        return found
    finally:
        for file, _ in waiting:
            os.close(file)


def _read(file: int, entry: Entry, blobs: Blobs) -> _Read:
    """Store an open file's content; closes the file."""
    try:
        for _ in range(_TRIES):
            os.lseek(file, 0, os.SEEK_SET)
            status = os.fstat(file)
            if not stat.S_ISREG(status.st_mode):
                return _Read(None, why="it is no longer a file")
            content = _Content(file, status.st_size)
            digest = blobs.put(content.whole() if status.st_size <= _WHOLE_BYTES else content)
            after = stamp_of(os.fstat(file))
            if content.left == 0 and stamp_of(status) == after:
                return _Read(_as_read(entry, status, digest), after)
    except OSError as error:
        return _Read(None, why=_why(error))
    finally:
        os.close(file)
    return _Read(None, why="it was being changed while it was read")


def _as_read(entry: Entry, status: os.stat_result, digest: Digest) -> Entry:
    return replace(
        entry,
        mode=stat.S_IMODE(status.st_mode) & 0o777,
        size=status.st_size,
        sha256=digest,
        mtime_ns=status.st_mtime_ns,
    )


def _why(error: OSError) -> str:
    if error.errno in _GONE:
        return "it was removed from your folder meanwhile"
    if error.errno in (errno.ELOOP, errno.EMLINK):
        return "it is no longer a file"
    return f"it cannot be read: {error.strerror}"


class _Content:
    """A file's pieces, to its stated size or one piece beyond: one that grows without end must not fill the disk."""

    def __init__(self, file: int, size: int) -> None:
        self.left = size
        self._file = file

    def __iter__(self) -> Iterator[bytes]:
        for piece in pieces(self._file):
            self.left -= len(piece)
            yield piece
            if self.left < 0:
                return

    def whole(self) -> bytes:
        """Return all in one piece, at most one byte more than stated."""
        parts: list[bytes] = []
        while part := os.read(self._file, self.left + 1):
            parts.append(part)
            self.left -= len(part)
            if self.left <= 0:  # one byte more was asked for: there is none, or it grew
                break
        return b"".join(parts)
