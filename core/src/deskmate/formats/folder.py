"""A folder as a tree: opened step by step below one descriptor, no link is ever followed by the system."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deskmate.formats.tree import (
    DEPTH_LIMIT,
    FILE_LIMIT_BYTES,
    PACKAGES,
    SILENT,
    Fact,
    Tree,
    TreeRefused,
    Unreadable,
)

_STEP = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_CHUNK_BYTES = 1 << 20


class FolderTree(Tree):
    """The regular files of a folder. Git's own folder is not looked at."""

    def __init__(self, root: int, name: str) -> None:
        """`root`: descriptor of the folder; it stays the caller's. Raises TreeRefused."""
        super().__init__(name)
        self._root = root
        self._scan(root, "", 0)
        self.settle_links()

    def _scan(self, folder: int, prefix: str, depth: int) -> None:
        try:
            with os.scandir(folder) as found:
                entries = []
                for entry in found:
                    self.count()
                    entries.append(entry)
        except OSError as error:
            self.note("file-unreadable", prefix or ".", str(error.strerror))
            return
        for entry in sorted(entries, key=lambda entry: entry.name):
            self._take(folder, entry, prefix, depth)

    def _take(self, folder: int, entry: os.DirEntry[str], prefix: str, depth: int) -> None:
        path = prefix + entry.name
        if entry.name in SILENT or entry.name.endswith((".pyc", ".pyo")):
            return
        if not self.accept(path):
            return
        try:
            facts = os.stat(entry.name, dir_fd=folder, follow_symlinks=False)
            if stat.S_ISLNK(facts.st_mode):
                self.add_link(path, os.readlink(entry.name, dir_fd=folder))
            elif stat.S_ISREG(facts.st_mode):
                self.add(path, Fact(facts.st_size, bool(facts.st_mode & 0o111), path))
            elif not stat.S_ISDIR(facts.st_mode):
                self.note("file-not-regular", path)
            elif entry.name in PACKAGES:
                self.note("folder-left-out", path)
            elif depth == DEPTH_LIMIT:
                self.note("folder-too-deep", path)
            else:
                self._enter(folder, entry.name, path, depth)
        except OSError as error:
            self.note("file-unreadable", path, str(error.strerror))

    def _enter(self, folder: int, name: str, path: str, depth: int) -> None:
        below = os.open(name, _STEP, dir_fd=folder)
        try:
            self._scan(below, f"{path}/", depth + 1)
        finally:
            os.close(below)

    def chunks(self, path: str) -> Iterator[bytes]:
        """Yield a file's content, at most 32 MiB. Raises Unreadable, also where it is no file any more."""
        *folders, name = self.files[path].place.split("/")
        at = self._root
        try:
            for folder in folders:
                step = os.open(folder, _STEP, dir_fd=at)
                if at != self._root:
                    os.close(at)
                at = step
            file = os.open(name, _FILE, dir_fd=at)
        except OSError as error:
            raise Unreadable(str(error.strerror)) from error
        finally:
            if at != self._root:
                os.close(at)
        with os.fdopen(file, "rb", buffering=0) as stream:
            yield from _bounded(stream.fileno())


def _bounded(file: int) -> Iterator[bytes]:
    try:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            raise Unreadable("it is not a regular file any more")
        left = FILE_LIMIT_BYTES
        while chunk := os.read(file, _CHUNK_BYTES):
            left -= len(chunk)
            if left < 0:
                raise Unreadable(f"it is longer than {FILE_LIMIT_BYTES >> 20} MiB")
            yield chunk
    except OSError as error:
        raise Unreadable(str(error.strerror)) from error


@contextmanager
def opened_folder(folder: Path) -> Iterator[FolderTree]:
    """Open a folder; the last part of the path may be a link of the user's. Raises TreeRefused, OSError."""
    root = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield FolderTree(root, folder.resolve().name or "plugin")
    except RecursionError as error:
        raise TreeRefused(f"{folder.name} is nested too deep") from error
    finally:
        os.close(root)
