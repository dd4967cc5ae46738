"""Content by digest: one zstd file a blob, written once, verified on every read."""

from __future__ import annotations

import ctypes
import errno
import hashlib
import os
import re
import secrets
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

from deskmate import failpoints
from deskmate.errors import CorruptData, StorageFailed
from deskmate.types.ids import Digest

CHUNK_BYTES = 1 << 20
_SMALL_BYTES = 8 << 20  # content up to here is hashed, looked up and compressed in one piece
_LEVEL = 3  # the fastest level that still halves office documents' XML and logs
# A whole folder at once: documents, packed already, are as small as at level 1 in less than half the time,
# plain text a third larger.
_BATCH_LEVEL = -3
_FOLDERS = tuple(f"{number:02x}" for number in range(256))
_DIGEST = re.compile(r"[0-9a-f]{64}")
_LEFTOVER_S = 86_400
_WRITTEN_S = 900
DISK_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class BlobStore:
    """Blobs below `root`: `<root>/<2 hex>/<64 hex>.zst`. Safe for several processes at once."""

    def __init__(self, root: Path) -> None:
        """`root` is made when the first blob is put."""
        self._root = root
        self._top = str(root)
        self._stem, self._numbers = secrets.token_hex(8), count()
        self._swept = False
        self._batch = threading.local()
        self._folders: set[str] = set()

    def put(self, content: bytes | Iterable[bytes]) -> Digest:
        """Store content durably and return its sha256.

        Content that is here already is stored once; a damaged blob of the same digest is replaced.
        Raises StorageFailed when the disk is full or fails, and what the pieces' source raises;
        nothing half-written stays.
        """
        return self._put(content, getattr(self._batch, "names", None))

    def _put(self, content: bytes | Iterable[bytes], names: list[str] | None) -> Digest:
        """`names`: where a blob that is made durable later is noted; None: it is durable at once."""
        name = f".{self._stem}-{os.getpid()}-{next(self._numbers)}.tmp"
        temporary = f"{self._top}/{name}"
        level = _LEVEL if names is None else _BATCH_LEVEL
        try:
            self._prepare()
            try:
                if isinstance(content, bytes) and len(content) <= _SMALL_BYTES:
                    digest = Digest(hashlib.sha256(content).hexdigest())
                    if self._holds(digest):
                        self._settle(digest, names)
                        return digest
                    if names is not None:
                        # in its own folder: threads that make files in one, or move them from one to
                        # another, wait for each other
                        self._folder_of_many(digest)
                        temporary = f"{self._top}/{digest[:2]}/{name}"
                    _compress_whole(content, temporary, level)
                else:
                    pieces = _split(content) if isinstance(content, bytes) else content
                    digest = _compress(pieces, temporary, level)
                self._keep(temporary, digest, names)
            except BaseException:
                Path(temporary).unlink(missing_ok=True)
                raise
        except _SourceFailed as failed:
            raise failed.error from None
        except OSError as error:
            raise _disk_error(error, self._root) from error
        return digest

    @contextmanager
    def batch(self) -> Iterator[Batch]:
        """Put much at once: what this thread puts inside is durable when the block ends, not before.

        So is what any thread puts through the `Batch`. A crash inside may leave damaged blobs; nothing
        can refer to them yet, and putting the same content again replaces them. Raises StorageFailed as
        `put`.
        """
        names: list[str] = []
        self._batch.names = names
        try:
            yield Batch(self, names)
        finally:
            del self._batch.names
        if names:
            failpoints.hit("blobs:named")
            try:
                _sync_all(self._root, names)
            except OSError as error:
                raise _disk_error(error, self._root) from error

    def _prepare(self) -> None:
        """Once: make the folder, and remove temporary files that a crash left. None lives for a day."""
        if self._swept:
            return
        make_folder(self._root)
        _remove_old(self._root.glob(".*.tmp"))
        self._swept = True

    def sweep(self) -> None:
        """Remove temporary files that a crash left in any folder."""
        _remove_old(self._root.glob(".*.tmp"))
        _remove_old(self._root.glob("??/.*.tmp"))

    def _holds(self, digest: Digest) -> bool:
        """Say whether content is here and sound."""
        if not self.has(digest):
            return False
        try:
            for _ in self.chunks(digest):
                pass
        except CorruptData:
            return False
        return True

    def _settle(self, digest: Digest, names: list[str] | None) -> None:
        """Have a blob be durable that somebody else put here: it may be of a batch that has not ended yet.

        What is older than some minutes the system has long written.
        """
        path = self._path(digest)
        try:
            if abs(time.time() - os.stat(path).st_mtime) > _WRITTEN_S:  # noqa: PTH116 - see `_path`
                return
        except FileNotFoundError:
            return
        if names is not None:
            names.append(path)
            return
        _sync_file(path)
        sync_folder(self._root / digest[:2])

    def _keep(self, temporary: str, digest: Digest, names: list[str] | None) -> None:
        path = self._path(digest)
        # What is sound stays as it is: packed otherwise, and not durable yet, another would be worse than it.
        if self._holds(digest):
            Path(temporary).unlink()
            self._settle(digest, names)
            return
        self._folder(digest) if names is None else self._folder_of_many(digest)
        if names is None:
            _sync_file(temporary)
            failpoints.hit("blob:written")
        os.replace(temporary, path)  # noqa: PTH105 - see `_path`
        if names is not None:
            names.append(path)
            return
        failpoints.hit("blob:named")
        sync_folder(self._root / digest[:2])
        failpoints.hit("blob:durable")

    def _folder(self, digest: Digest) -> None:
        """Have a blob's folder, durably."""
        if digest[:2] in self._folders:
            return
        with _making:
            make_folder(self._root / digest[:2])
        self._folders.add(digest[:2])

    def _folder_of_many(self, digest: Digest) -> None:
        """Have the folder of a blob of a batch: in a new store all are made and synced at once, not each alone."""
        if digest[:2] in self._folders:
            return
        with _making:
            missing = [self._root / name for name in _FOLDERS if not (self._root / name).is_dir()]
            for folder in missing:
                folder.mkdir(mode=0o700, exist_ok=True)
            if missing:
                sync_folder(self._root)
        self._folders.update(_FOLDERS)

    def chunks(self, digest: Digest) -> Iterator[bytes]:
        """Yield the content in pieces of at most 1 MiB.

        Raises CorruptData if it is missing or damaged, at the latest after the last piece: what was
        read counts only when the iteration ended.
        """
        import zstandard  # noqa: PLC0415 - a compiled library that --help must not load

        seen = hashlib.sha256()
        try:
            with (
                open(self._path(digest), "rb") as file,  # noqa: PTH123 - see `_path`
                zstandard.ZstdDecompressor().stream_reader(file) as reader,
            ):
                while piece := reader.read(CHUNK_BYTES):
                    seen.update(piece)
                    yield piece
        except FileNotFoundError:
            raise CorruptData(f"Blob {digest} is missing.", hint=_REPAIR) from None
        except zstandard.ZstdError as error:
            raise CorruptData(f"Blob {digest} is damaged: {error}.", hint=_REPAIR) from error
        if seen.hexdigest() != digest:
            raise CorruptData(f"Blob {digest} is damaged.", hint=_REPAIR)

    def read(self, digest: Digest) -> bytes:
        """Return the whole content. Raises CorruptData if it is missing or damaged."""
        return b"".join(self.chunks(digest))

    def has(self, digest: Digest) -> bool:
        """Say whether the content is here; reading it may still find it damaged."""
        return os.path.isfile(self._path(digest))  # noqa: PTH113 - see `_path`

    def _path(self, digest: Digest) -> str:
        """Return a blob's path as text: with ten thousand of them objects would cost a second."""
        if not _DIGEST.fullmatch(digest):
            raise CorruptData(f"{digest!r} is not a digest.")
        return f"{self._top}/{digest[:2]}/{digest}.zst"


class Batch(BlobStore):
    """A store's view for many puts from several threads; all durable when the batch ends.

    `held`: what was put in one piece, by digest, for who needs it again at once.
    """

    def __init__(self, store: BlobStore, names: list[str]) -> None:
        """`names`: of the blobs that are made durable together."""
        super().__init__(store._root)
        self._names = names
        self.held: dict[Digest, bytes] = {}
        self._swept = store._swept
        self._folders = store._folders

    def put(self, content: bytes | Iterable[bytes]) -> Digest:
        """Store content and return its sha256; see `BlobStore.put`."""
        digest = self._put(content, self._names)
        if isinstance(content, bytes):
            self.held[digest] = content
        return digest


_REPAIR = "Import an export of the thread to bring it back."


def _remove_old(leftovers: Iterable[Path]) -> None:
    for leftover in leftovers:
        with suppress(FileNotFoundError):
            if time.time() - leftover.stat().st_mtime > _LEFTOVER_S:
                leftover.unlink()


def _sync_file(path: str) -> None:
    with Path(path).open("rb") as file:
        os.fsync(file.fileno())


def _sync_all(root: Path, paths: Sequence[str]) -> None:
    """Make many files and their names durable: in one call where the system has one."""
    if sys.platform == "linux":
        folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
        try:
            if ctypes.CDLL(None, use_errno=True).syncfs(folder) == 0:
                return
        finally:
            os.close(folder)
    for path in paths:
        _sync_file(path)
    for parent in {Path(path).parent for path in paths}:
        sync_folder(parent)


def _split(content: bytes) -> Iterator[bytes]:
    view = memoryview(content)
    for start in range(0, len(view), CHUNK_BYTES):
        yield bytes(view[start : start + CHUNK_BYTES])


class _SourceFailed(BaseException):
    """Carries an OSError of the source past the handler for those of the store."""

    def __init__(self, error: OSError) -> None:
        super().__init__()
        self.error = error


def _from_source(pieces: Iterable[bytes]) -> Iterator[bytes]:
    try:
        yield from pieces
    except OSError as error:
        raise _SourceFailed(error) from error


_making = threading.Lock()
"""A folder that another thread has made and not synced yet is taken for durable by nobody."""
_compressors = threading.local()
"""One a thread and level: making one costs more than compressing a small file."""


def _compress_whole(content: bytes, path: str, level: int) -> None:
    import zstandard  # noqa: PLC0415 - a compiled library that --help must not load

    ours = _compressors.__dict__.setdefault("by_level", {})
    if level not in ours:
        ours[level] = zstandard.ZstdCompressor(level=level)
    packed = ours[level].compress(content)
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        view = memoryview(packed)
        while view:
            view = view[os.write(file, view) :]
    finally:
        os.close(file)


def _compress(pieces: Iterable[bytes], path: str, level: int) -> Digest:
    import zstandard  # noqa: PLC0415 - a compiled library that --help must not load

    seen = hashlib.sha256()
    with Path(path).open("xb") as file:
        os.fchmod(file.fileno(), 0o600)
        with zstandard.ZstdCompressor(level=level).stream_writer(file, closefd=False) as writer:
            for piece in _from_source(pieces):
                seen.update(piece)
                writer.write(piece)
    return Digest(seen.hexdigest())


def make_folder(path: Path) -> None:
    """Make a private folder and those above it, durably; one that is there is left as it is."""
    if path.is_dir():
        return
    make_folder(path.parent)
    path.mkdir(mode=0o700, exist_ok=True)
    sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Make the names in a folder durable."""
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def write_file(path: Path, content: bytes) -> None:
    """Replace a file's content durably; a reader sees the old or the new, never a part."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        failpoints.hit("file:written")
        temporary.replace(path)
        failpoints.hit("file:named")
        sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def _disk_error(error: OSError, root: Path) -> StorageFailed:
    if error.errno in DISK_FULL:
        return StorageFailed(
            f"The disk is full: {root} cannot take more; nothing was half-written.",
            hint="Free some space and try again.",
        )
    return StorageFailed(
        f"{root} cannot be written: {error.strerror or error}.",
        hint="Check the disk and the folder's permissions.",
    )
