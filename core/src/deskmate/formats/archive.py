"""A zip (`.zip`, `.plugin`, `.skill`) as a tree: nothing is unpacked, every size is counted while it is read."""

from __future__ import annotations

import lzma
import stat
import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deskmate.formats.tree import (
    ENTRIES_LIMIT,
    PACKAGES,
    SILENT,
    TREE_LIMIT_BYTES,
    Below,
    Fact,
    Tree,
    TreeRefused,
    Unreadable,
)

RATIO_LIMIT = 200
_FREE_BYTES = 1 << 20
"""Below this size no ratio is looked at: short texts pack well."""
_DIRECTORY_LIMIT_BYTES = 16 << 20
_LINK_LIMIT_BYTES = 1_000
_END = struct.Struct("<4s4H2LH")
_TAIL_BYTES = (1 << 16) + _END.size + 20
DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    NotImplementedError,
    RuntimeError,
    EOFError,
    ValueError,
    OverflowError,
    OSError,
)
"""What the standard library raises on archives that are damaged, encrypted or of another kind."""


class ZipTree(Tree):
    """The regular files of an archive."""

    def __init__(self, archive: zipfile.ZipFile, name: str) -> None:
        """`archive`: stays the caller's. Raises TreeRefused."""
        super().__init__(name)
        self._archive = archive
        self._members: dict[str, zipfile.ZipInfo] = {}
        members = archive.infolist()
        times = Counter(member.filename for member in members)
        twice = {name for name, often in times.items() if often > 1}
        for member in members:
            self.count()
            if member.filename in twice:
                self.note("member-twice", member.filename)
            elif not member.is_dir():
                self._take(member)
        self.settle_links()

    def _take(self, member: zipfile.ZipInfo) -> None:
        name = member.filename
        parts = name.split("/")
        if SILENT & set(parts) or name.endswith((".pyc", ".pyo")):
            return
        if name.startswith("/") or ".." in parts or "\\" in name or ":" in parts[0]:
            self.note("member-leaves", name)
            return
        if member.orig_filename != name:
            self.note("name-odd", member.orig_filename)
            return
        if not self.accept(name):
            return
        if PACKAGES & set(parts[:-1]):
            self.note("folder-left-out", name)
            return
        kind = stat.S_IFMT(member.external_attr >> 16)
        if problem := _packing(member):
            self.note("member-packed", name, problem)
        elif kind == stat.S_IFLNK:
            self._take_link(member)
        elif kind not in (0, stat.S_IFREG):
            self.note("file-not-regular", name)
        else:
            self._members[name] = member
            executable = bool((member.external_attr >> 16) & 0o111)
            self.add(name, Fact(member.file_size, executable, name))

    def _take_link(self, member: zipfile.ZipInfo) -> None:
        try:
            with self._archive.open(member) as stream:
                target = stream.read(_LINK_LIMIT_BYTES + 1).decode("utf-8", "replace")
        except DAMAGE as error:
            self.note("file-unreadable", member.filename, str(error))
            return
        self.add_link(member.filename, target)

    def chunks(self, path: str) -> Iterator[bytes]:
        """Yield a file's content, no more than the archive's directory says. Raises Unreadable."""
        member = self._members[self.files[path].place]
        left = member.file_size
        try:
            with self._archive.open(member) as stream:
                while chunk := stream.read(1 << 20):
                    left -= len(chunk)
                    if left < 0:
                        raise Unreadable("it is larger than the archive says")
                    yield chunk
        except DAMAGE as error:
            raise Unreadable(str(error) or "it is damaged") from error


def _packing(member: zipfile.ZipInfo) -> str:
    """Return why a member is refused, "" if it is not."""
    if member.flag_bits & 0x1:
        return "encrypted"
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return "another packing than deflate"
    if member.file_size > _FREE_BYTES and member.file_size > RATIO_LIMIT * max(
        member.compress_size, 1
    ):
        return f"more than {RATIO_LIMIT} times smaller than its content"
    return ""


@contextmanager
def opened_zip(file: Path) -> Iterator[Tree]:
    """Open an archive; one folder that holds all of it is stepped into. Raises TreeRefused, OSError."""
    _check_directory(file)
    with file.open("rb") as stream:
        try:
            archive = zipfile.ZipFile(stream)
            tree: Tree = ZipTree(archive, file.name.rpartition(".")[0] or file.name)
        except DAMAGE as error:
            raise TreeRefused(f"{file.name} is no zip archive: {error}") from error
        with archive:
            tops = {path.partition("/")[0] for path in tree.files}
            is_wrapped = len(tops) == 1 and all("/" in path for path in tree.files)
            top = tops.pop() if is_wrapped else ""
            # a lone folder `skills` or `.claude-plugin` is the plugin's own, not a wrapping
            wrapped = top and top not in OWN_FOLDERS
            yield Below(tree, top) if wrapped else tree


OWN_FOLDERS = frozenset(
    {".claude-plugin", "skills", "commands", "agents", "hooks", "output-styles"}
)
"""Folders that a plugin's root has."""


def _check_directory(file: Path) -> None:
    """Refuse an archive whose directory does not fit memory, before anything reads it. Raises TreeRefused."""
    if file.exists() and not file.is_file():
        raise TreeRefused(f"{file.name} is neither a folder nor a file")
    size = file.stat().st_size
    if size > TREE_LIMIT_BYTES:
        raise TreeRefused(f"{file.name} is larger than {TREE_LIMIT_BYTES >> 20} MiB")
    with file.open("rb") as stream:
        stream.seek(max(size - _TAIL_BYTES, 0))
        tail = stream.read(_TAIL_BYTES)
    at = tail.rfind(b"PK\5\6")
    if at < 0 or len(tail) - at < _END.size:
        raise TreeRefused(f"{file.name} is no zip archive")
    entries, length = _END.unpack_from(tail, at)[4:6]
    if b"PK\6\7" in tail[max(at - 20, 0) : at]:
        raise TreeRefused(f"{file.name} is a zip64 archive, which no plugin needs")
    if length > _DIRECTORY_LIMIT_BYTES or entries > ENTRIES_LIMIT:
        raise TreeRefused(f"{file.name} holds too many members")
