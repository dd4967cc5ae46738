"""What an export is written into and read from: a zip or a folder, by the names of the files in it.

Both come to be under another name and in one rename. Nothing is ever written by a path out of an archive.
"""

from __future__ import annotations

import os
import shutil
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import IO, Protocol, Self

from deskmate.errors import UserError
from deskmate.store.blobs import sync_folder

_EPOCH = (1980, 1, 1, 0, 0, 0)
Sink = Callable[[str, Iterable[bytes]], None]
"""Writes one file of an export: its name, with / between folders, and its content in pieces."""
MakeSink = Callable[[Path], AbstractContextManager[Sink]]


class Part(Protocol):
    """One file of an archive."""

    filename: str
    file_size: int


class Archive(Protocol):
    """What can be read of an export; a `zipfile.ZipFile` is one."""

    def infolist(self) -> Sequence[Part]:
        """Return all files."""

    def namelist(self) -> Sequence[str]:
        """Return the names of all files."""

    def open(self, name: str) -> IO[bytes]:
        """Open a file. Raises KeyError if there is none of this name."""


@contextmanager
def zip_sink(target: Path) -> Iterator[Sink]:
    """Write a zip; it is there when the block ends without an error. Raises UserError if it is already."""
    _check_free(target)
    temporary = target.with_name(f".{target.name}.tmp")
    try:
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:

            def write(name: str, content: Iterable[bytes]) -> None:
                entry = zipfile.ZipInfo(name, _EPOCH)
                entry.compress_type = zipfile.ZIP_DEFLATED
                with archive.open(entry, "w", force_zip64=True) as file:
                    for piece in content:
                        file.write(piece)

            yield write
        _sync(temporary)
        temporary.rename(target)
        sync_folder(target.absolute().parent)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def folder_sink(target: Path) -> Iterator[Sink]:
    """Write a folder; it is there when the block ends without an error. Raises UserError if it is already."""
    _check_free(target)
    temporary = target.with_name(f".{target.name}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)

    def write(name: str, content: Iterable[bytes]) -> None:
        path = temporary / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as file:
            for piece in content:
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())

    try:
        temporary.mkdir(mode=0o700)
        yield write
        temporary.rename(target)
        sync_folder(target.absolute().parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _check_free(target: Path) -> None:
    if target.exists() or target.is_symlink():
        raise UserError(f"{target} exists already.", hint="Choose another name.")


def _sync(file: Path) -> None:
    with file.open("rb") as opened:
        os.fsync(opened.fileno())


class _File:
    """One file of a folder."""

    def __init__(self, name: str, size: int) -> None:
        self.filename = name
        self.file_size = size


class FolderArchive:
    """An export in a folder. Links in it are not followed, and are not there."""

    def __init__(self, folder: Path) -> None:
        """`folder` is looked through once."""
        self._folder = folder
        self._files = {
            path.relative_to(folder).as_posix(): path.lstat().st_size
            for path in folder.rglob("*")
            if path.is_file() and not path.is_symlink()
        }

    def __enter__(self) -> Self:
        """Nothing is held open."""
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is held open."""

    def infolist(self) -> Sequence[Part]:
        """Return all files."""
        return [_File(name, size) for name, size in self._files.items()]

    def namelist(self) -> Sequence[str]:
        """Return the names of all files."""
        return list(self._files)

    def open(self, name: str) -> IO[bytes]:
        """Open a file. Raises KeyError if there is none of this name."""
        if name not in self._files:
            raise KeyError(f"There is no {name} in {self._folder}")
        file = os.open(self._folder / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        return os.fdopen(file, "rb")
