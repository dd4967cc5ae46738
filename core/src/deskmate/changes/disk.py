"""Granted folders through folder descriptors: nothing here ever follows a link or leaves a grant.

Every path is walked part by part, each part opened with `O_NOFOLLOW` below the descriptor of the part
before it. That gives what `openat2(RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS)` gives, the same on every
system, because no part is ever `..` and no descriptor is ever looked up again by name.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from types import TracebackType

from deskmate.changes.plan import State
from deskmate.errors import UserError
from deskmate.types.files import EntryKind, Grant
from deskmate.types.ids import Digest

CHUNK_BYTES = 1 << 20
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# O_NONBLOCK: a file that is swapped for a pipe between look and open must not hang us
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_NOT_THERE = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}

Keep = Callable[[Iterable[bytes]], Digest]


class Folders:
    """The roots of some grants, held open. Workspace paths begin with a grant's name."""

    def __init__(self, grants: Iterable[Grant]) -> None:
        """Raises UserError if a granted folder is missing or is not a folder."""
        self._roots: dict[str, int] = {}
        try:
            for grant in grants:
                self._roots[grant.name] = _open_root(grant)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Folders:
        """Use as a context."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close all descriptors."""
        self.close()

    def close(self) -> None:
        """Close all descriptors."""
        while self._roots:
            os.close(self._roots.popitem()[1])

    @contextmanager
    def folder(self, path: str) -> Iterator[int]:
        """Yield a descriptor of the folder at a workspace path. Raises OSError."""
        name, *parts = path.split("/")
        if name not in self._roots or any(part in ("", ".", "..") for part in parts):
            raise FileNotFoundError(errno.ENOENT, "not inside a granted folder", path)
        current = os.dup(self._roots[name])
        try:
            for part in parts:
                below = os.open(part, _FOLDER, dir_fd=current)
                os.close(current)
                current = below
            yield current
        finally:
            os.close(current)

    @contextmanager
    def parent(self, path: str) -> Iterator[tuple[int, str]]:
        """Yield a descriptor of the folder that holds `path`, and the last part of the path."""
        above, _, name = path.rpartition("/")
        if not above or name in ("", ".", ".."):
            raise PermissionError(errno.EPERM, "the granted folder itself stays", path)
        with self.folder(above) as folder:
            yield folder, name

    @contextmanager
    def file(self, path: str) -> Iterator[int]:
        """Yield a descriptor of the regular file at a workspace path. Raises OSError."""
        with self.parent(path) as (folder, name):
            opened = os.open(name, _READ, dir_fd=folder)
        try:
            if not stat.S_ISREG(os.fstat(opened).st_mode):
                raise OSError(errno.EINVAL, "not a regular file")
            yield opened
        finally:
            os.close(opened)

    def look(self, path: str, keep: Keep | None = None) -> State | None:
        """Return what is at a workspace path, None for nothing; a file's content is hashed.

        `keep`: given the content's pieces, stores them and returns their digest.

        Raises OSError if it cannot be read, UserError if it is neither file, folder nor link.
        """
        try:
            if "/" not in path:
                with self.folder(path) as root:
                    return _state(os.fstat(root), attributes=_attributes(root))
            with self.parent(path) as (folder, name):
                return look_in(folder, name, path, keep or _hash)
        except OSError as error:
            if error.errno in _NOT_THERE:
                return None
            raise

    def names(self, path: str) -> list[str]:
        """Return the names in a folder, sorted; empty where there is no such folder."""
        try:
            with self.folder(path) as folder:
                return names_in(folder)
        except OSError as error:
            if error.errno in _NOT_THERE:
                return []
            raise

    def stamp(self, path: str) -> tuple[int, ...] | None:
        """Return what changes when a file or link does: identity, size, times. None: not there."""
        try:
            with self.parent(path) as (folder, name):
                status = os.stat(name, dir_fd=folder, follow_symlinks=False)
        except OSError as error:
            if error.errno in _NOT_THERE:
                return None
            raise
        return stamp(status)


def stamp(status: os.stat_result) -> tuple[int, ...]:
    """Return a status's identity, size and times."""
    identity = (status.st_dev, status.st_ino, stat.S_IFMT(status.st_mode))
    return *identity, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _open_root(grant: Grant) -> int:
    try:
        # the root itself may be a link: the user named it
        return os.open(grant.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise UserError(
            f"The folder {grant.folder} cannot be opened: {error.strerror}.",
            hint="Name a folder that exists and that you may read.",
        ) from error


def names_in(folder: int) -> list[str]:
    """Return the names in an open folder, sorted. Raises OSError."""
    with os.scandir(folder) as found:
        return sorted(entry.name for entry in found)


def _hash(content: Iterable[bytes]) -> Digest:
    seen = hashlib.sha256()
    for piece in content:
        seen.update(piece)
    return Digest(seen.hexdigest())


def look_in(folder: int, name: str, path: str, keep: Keep) -> State:
    """Return what `name` is in an open folder. Raises OSError, UserError as `Folders.look`."""
    status = os.stat(name, dir_fd=folder, follow_symlinks=False)
    if stat.S_ISLNK(status.st_mode):
        try:
            return _state(status, target=os.readlink(name, dir_fd=folder))
        except OSError as error:
            if error.errno == errno.EINVAL:
                error.strerror = "it was exchanged while it was looked at"
            raise
    if not stat.S_ISREG(status.st_mode) and not stat.S_ISDIR(status.st_mode):
        raise UserError(f"{path} is neither a file nor a folder.")
    opened = os.open(name, _READ, dir_fd=folder)
    try:
        status = os.fstat(opened)
        attributes = _attributes(opened)
        if stat.S_ISDIR(status.st_mode):
            return _state(status, attributes=attributes)
        return _state(status, sha256=keep(pieces(opened)), attributes=attributes)
    finally:
        os.close(opened)


def pieces(file: int) -> Iterator[bytes]:
    """Yield the rest of an open regular file. Raises OSError for anything that is not one."""
    if not stat.S_ISREG(os.fstat(file).st_mode):
        raise OSError(errno.EINVAL, "not a regular file")
    while piece := os.read(file, CHUNK_BYTES):
        yield piece


def _state(
    status: os.stat_result,
    *,
    sha256: Digest | None = None,
    target: str = "",
    attributes: Mapping[str, str] | None = None,
) -> State:
    regular = stat.S_ISREG(status.st_mode)
    kind: EntryKind = "file" if regular else "symlink"
    return State(
        kind="dir" if stat.S_ISDIR(status.st_mode) else kind,
        mode=stat.S_IMODE(status.st_mode),
        size=status.st_size if regular else 0,
        sha256=sha256,
        target=target,
        mtime_ns=status.st_mtime_ns,
        uid=status.st_uid,
        gid=status.st_gid,
        attributes=attributes,
    )


def _attributes(file: int) -> dict[str, str]:
    """Return the extended attributes as name → hex; empty where the system has none."""
    if not hasattr(os, "listxattr"):
        return {}
    found = {}
    with suppress(OSError):
        for name in os.listxattr(file):
            with suppress(OSError):
                found[name] = os.getxattr(file, name).hex()
    return found


def write_new(
    folder: int, name: str, content: Iterable[bytes], state: State, *, durable: bool = True
) -> tuple[str, ...]:
    """Write a new file with a state's content and dress. Returns as `dress`. Raises OSError.

    `durable` False: the caller syncs it later; many files written first and synced then cost far less.
    """
    file = os.open(name, _NEW, 0o600, dir_fd=folder)
    try:
        for piece in content:
            view = memoryview(piece)
            while view:
                view = view[os.write(file, view) :]
        lost = dress(file, state)
        if durable:
            os.fsync(file)
    finally:
        os.close(file)
    return lost


def sync_at(folder: int, name: str) -> None:
    """Make a file of an open folder durable. Raises OSError."""
    file = os.open(name, _READ, dir_fd=folder)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def dress(file: int, state: State) -> tuple[str, ...]:
    """Give an open file or folder a state's owner, attributes, mode and, where stated, time.

    Returns what the system did not let this user set, in words; a mode that cannot be set is an
    OSError.
    """
    lost = [*_dress_owner(file, state), *_dress_attributes(file, state)]
    status = os.fstat(file)
    if stat.S_IMODE(status.st_mode) != state.mode:
        os.fchmod(file, state.mode)
    if state.mtime_ns is not None and state.mtime_ns != status.st_mtime_ns:
        try:
            os.utime(file, ns=(status.st_atime_ns, state.mtime_ns))
        except PermissionError:
            lost.append("its time")
    return tuple(lost)


def _dress_owner(file: int, state: State) -> Iterator[str]:
    status = os.fstat(file)
    if state.uid >= 0 and (status.st_uid, status.st_gid) != (state.uid, state.gid):
        try:
            os.fchown(file, state.uid, state.gid)
        except OSError:
            yield "its owner"


def _dress_attributes(file: int, state: State) -> Iterator[str]:
    if state.attributes is None or not hasattr(os, "setxattr"):
        return
    present = _attributes(file)
    for name in sorted(present.keys() | state.attributes.keys()):
        value = state.attributes.get(name)
        try:
            if value is None:
                os.removexattr(file, name)
            elif value != present.get(name):
                os.setxattr(file, name, bytes.fromhex(value))
        except OSError:
            yield f"its attribute {name}"


def dress_at(folder: int, name: str, state: State) -> tuple[str, ...]:
    """Dress what `name` is in an open folder; of a link only the time. Raises OSError."""
    if state.kind == "symlink":
        if state.mtime_ns is not None:
            times = (state.mtime_ns, state.mtime_ns)
            os.utime(name, ns=times, dir_fd=folder, follow_symlinks=False)
        return ()
    file = os.open(name, _READ, dir_fd=folder)
    try:
        lost = dress(file, state)
        os.fsync(file)
        return lost
    finally:
        os.close(file)


def drop(folder: int, name: str) -> None:
    """Remove a file or link of an open folder if it is there. Raises OSError."""
    with suppress(FileNotFoundError):
        os.unlink(name, dir_fd=folder)
