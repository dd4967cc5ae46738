"""The base: every entry of the granted folders as it is now. Content is read in `content`."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from deskmate.changes.content import take_content
from deskmate.changes.digests import Digests, Lookup, stamp_of
from deskmate.changes.disk import Folders, names_in
from deskmate.changes.names import refusal
from deskmate.errors import UserError
from deskmate.ports import BlobReader, Blobs
from deskmate.types.files import Entry, Grant

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanLimits:
    """How much of the user's folders a thread may copy in."""

    files: int = 100_000
    size: int = 16 << 30
    depth: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """What was found. `entries`: sorted by path. `skipped`: workspace path → why it was left out."""

    entries: tuple[Entry, ...]
    skipped: Mapping[str, str]

    @property
    def files(self) -> int:
        """How many regular files."""
        return sum(entry.kind == "file" for entry in self.entries)

    @property
    def size(self) -> int:
        """Bytes of all files together."""
        return sum(entry.size for entry in self.entries)


def list_base(
    grants: Sequence[Grant],
    *,
    exclude: Sequence[Path] = (),
    limits: ScanLimits | None = None,
    digests: Digests | None = None,
    blobs: BlobReader | None = None,
) -> Base:
    """Return what is in the granted folders: links as entries, never followed; no file is read.

    A file's digest is there only if `digests` knows it for the file as it is now and `blobs` has its
    content. Pipes, sockets, devices and names that are not text are left out and reported in `skipped`.
    `exclude`: folders of Deskmate itself, left out.

    Raises UserError if a folder is missing, two grants overlap, or there is more than `limits`.
    """
    check_grants(grants)
    with (digests or Digests(Path(os.devnull))).known() as known, Folders(grants) as folders:
        scan = _Scan(limits or ScanLimits(), exclude, known, blobs)
        for grant in grants:
            with folders.folder(grant.name) as root:
                scan.walk(root, grant.name, 1)
    entries = tuple(sorted(scan.entries, key=lambda entry: entry.path))
    return Base(entries=entries, skipped=dict(sorted(scan.skipped.items())))


def take_base(
    grants: Sequence[Grant],
    blobs: Blobs,
    *,
    exclude: Sequence[Path] = (),
    limits: ScanLimits | None = None,
    digests: Digests | None = None,
) -> Base:
    """Return what is in the granted folders, the content of every file in `blobs`.

    Unreadable files and such that do not stand still are in `skipped` too. Raises as `list_base`.
    """
    listed = list_base(grants, exclude=exclude, limits=limits, digests=digests, blobs=blobs)
    return read_all(listed, grants, blobs, digests=digests)


def read_all(
    listed: Base, grants: Sequence[Grant], blobs: Blobs, *, digests: Digests | None = None
) -> Base:
    """Return a listed base with the content of all its files in `blobs`."""
    missing = [entry for entry in listed.entries if entry.is_listed_only]
    taken = take_content(grants, missing, blobs, digests=digests)
    entries = {entry.path: entry for entry in listed.entries if not entry.is_listed_only}
    entries |= {entry.path: entry for entry in taken.entries}
    return Base(
        entries=tuple(entries[path] for path in sorted(entries)),
        skipped=dict(sorted({**listed.skipped, **taken.lost}.items())),
    )


def check_grants(grants: Sequence[Grant]) -> None:
    """Raise UserError where grants share a name, lie inside one another, or are badly named."""
    roots: dict[str, Grant] = {}
    for grant in grants:
        if "/" in grant.name or refusal(f"{grant.name}/x"):
            raise UserError(f"{grant.name!r} cannot be the name of a folder in a thread.")
        if grant.name in {other.name for other in roots.values()}:
            raise UserError(
                f"Two granted folders are called {grant.name}.", hint="Rename or grant one of them."
            )
        real = os.path.realpath(grant.folder)
        for other_real, other in roots.items():
            if os.path.commonpath([real, other_real]) in (real, other_real):
                raise UserError(
                    f"The folders {other.folder} and {grant.folder} overlap.",
                    hint="Grant only the outer one.",
                )
        roots[real] = grant


@dataclass(slots=True)
class _Scan:
    _limits: ScanLimits
    _excluded: Sequence[Path]
    _known: Lookup
    _blobs: BlobReader | None
    entries: list[Entry] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    _size: int = 0
    _exclude: set[tuple[int, int]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._exclude = {_identity(path.stat()) for path in self._excluded if path.is_dir()}

    def walk(self, folder: int, path: str, depth: int) -> None:
        """Add everything below an open folder."""
        for name in names_in(folder):
            below = f"{path}/{name}"
            if reason := refusal(below):
                self.skipped[below.encode("utf-8", "backslashreplace").decode()] = reason
                continue
            try:
                self._add(folder, name, below, depth)
            except OSError as error:
                self.skipped[below] = f"it cannot be read: {error.strerror}"

    def _add(self, folder: int, name: str, path: str, depth: int) -> None:
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if stat.S_ISLNK(status.st_mode):
            self._add_link(os.readlink(name, dir_fd=folder), path, status)
        elif stat.S_ISDIR(status.st_mode):
            self._add_folder(folder, name, path, depth)
        elif stat.S_ISREG(status.st_mode):
            self._add_file(path, status)
        else:
            self.skipped[path] = "it is neither a file nor a folder"

    def _add_link(self, target: str, path: str, status: os.stat_result) -> None:
        try:
            target.encode()
        except UnicodeEncodeError:
            self.skipped[path] = "it is a link to a name that is not text"
            return
        self._keep(
            Entry(path=path, kind="symlink", mode=0o777, target=target, mtime_ns=status.st_mtime_ns)
        )

    def _add_folder(self, folder: int, name: str, path: str, depth: int) -> None:
        opened = os.open(name, _READ | os.O_DIRECTORY, dir_fd=folder)
        try:
            status = os.fstat(opened)
            if _identity(status) in self._exclude:
                self.skipped[path] = "it is Deskmate's own folder"
                return
            if depth >= self._limits.depth:
                self.skipped[path] = f"it lies more than {self._limits.depth} folders deep"
                return
            mode = stat.S_IMODE(status.st_mode) & 0o777
            self._keep(Entry(path=path, kind="dir", mode=mode, mtime_ns=status.st_mtime_ns))
            self.walk(opened, path, depth + 1)
        finally:
            os.close(opened)

    def _add_file(self, path: str, status: os.stat_result) -> None:
        digest = self._known.digest(stamp_of(status))
        if digest is not None and not (self._blobs and self._blobs.has(digest)):
            digest = None
        self._size += status.st_size
        self._keep(
            Entry(
                path=path,
                kind="file",
                mode=stat.S_IMODE(status.st_mode) & 0o777,
                size=status.st_size,
                sha256=digest,
                mtime_ns=status.st_mtime_ns,
            )
        )

    def _keep(self, entry: Entry) -> None:
        self.entries.append(entry)
        self._check_limits()

    def _check_limits(self) -> None:
        if len(self.entries) > self._limits.files:
            raise UserError(
                f"The granted folders hold more than {self._limits.files:,} files and folders.",
                hint="Grant a smaller folder.",
            )
        if self._size > self._limits.size:
            raise UserError(
                f"The granted folders hold more than {self._limits.size / (1 << 30):.3g} GiB.",
                hint="Grant a smaller folder.",
            )


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino
