"""A VM's RAM as a memory file: written once by the template, sealed, then mapped privately by every VM.

A sealed memory file cannot be written through any descriptor, so even a VM whose QEMU was taken over
cannot reach the template that other threads start from.
"""

from __future__ import annotations

import errno
import fcntl
import os
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from deskmate.errors import CorruptData, SandboxUnavailable
from deskmate.sandbox.image import data_extents

_BLOCK = 1 << 16
_ZEROS = bytes(_BLOCK)
_SEAL_GAPS_S = (0.01, 0.05, 0.2, 0.5, 1.0, 2.0)
SCRATCH_PREFIX = ".scratch-"


def empty_ram(size: int) -> int:
    """Return a descriptor of an empty memory file of `size` bytes."""
    fd = os.memfd_create("deskmate-ram", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(fd, size)
    return fd


def seal(fd: int) -> None:
    """Make the file unchangeable for good. Blocks, up to some seconds.

    The kernel refuses with EBUSY while anyone maps the file shared and writable, and also where it finds a page of it in
    use for a moment, as on a busy machine; the latter passes by itself. Raises SandboxUnavailable where it does not.
    """
    everything = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL
    for gap_s in (0.0, *_SEAL_GAPS_S):
        time.sleep(gap_s)
        try:
            fcntl.fcntl(fd, fcntl.F_ADD_SEALS, everything)
            return
        except OSError as error:
            if error.errno != errno.EBUSY:
                raise
    raise SandboxUnavailable(
        "the memory of a frozen virtual machine is still in use by another process"
    )


def save_ram(fd: int, path: Path) -> int:
    """Write the file's blocks that are not all zero to a sparse file; return the bytes written."""
    size = os.fstat(fd).st_size
    written = 0
    with path.open("wb") as file:
        os.fchmod(file.fileno(), 0o600)
        file.truncate(size)
        for start, end in data_extents(fd, size):
            for offset in range(start, end, _BLOCK):
                block = os.pread(fd, min(_BLOCK, end - offset), offset)
                if block != _ZEROS[: len(block)]:
                    os.pwrite(file.fileno(), block, offset)
                    written += len(block)
        file.flush()
        os.fsync(file.fileno())
    return written


def load_ram(path: Path, size: int) -> int:
    """Return a sealed memory file with the content of `path`. Raises CorruptData if it is not `size`."""
    with path.open("rb") as file:
        if os.fstat(file.fileno()).st_size != size:
            raise CorruptData(f"{path} is not {size} bytes: the template is damaged")
        fd = empty_ram(size)
        for start, end in data_extents(file.fileno(), size):
            os.lseek(fd, start, os.SEEK_SET)
            offset = start
            while offset < end:
                offset += os.sendfile(fd, file.fileno(), offset, end - offset)
    seal(fd)
    return fd


def fill_ram(source: int, target: int) -> None:
    """Copy one memory file to another, empty one of its size; pages that nobody wrote stay unwritten."""
    for start, end in data_extents(source, os.fstat(source).st_size):
        os.lseek(target, start, os.SEEK_SET)
        offset = start
        while offset < end:
            offset += os.sendfile(target, source, offset, end - offset)


def empty_disk(size: int) -> int:
    """Return a read-only descriptor of a disk of `size` bytes with nothing on it, which takes no room."""
    fd = empty_ram(size)
    try:
        return os.open(f"/proc/self/fd/{fd}", os.O_RDONLY | os.O_CLOEXEC)
    finally:
        os.close(fd)


def file_head(path: Path, size: int) -> int:
    """Return a descriptor of a memory file with the first `size` bytes of a file."""
    with path.open("rb") as file:
        head = file.read(size)
    fd = empty_ram(len(head))
    os.pwrite(fd, head, 0)
    return fd


def save_sparse(fd: int, path: Path) -> None:
    """Write an open sparse file to `path`, holes and all."""
    size = os.fstat(fd).st_size
    with path.open("wb") as file:
        file.truncate(size)
        for start, end in data_extents(fd, size):
            os.lseek(file.fileno(), start, os.SEEK_SET)
            offset = start
            while offset < end:
                offset += os.sendfile(file.fileno(), fd, offset, end - offset)
        os.fsync(file.fileno())


def empty_file(folder: Path, size: int) -> int:
    """Return a writable descriptor of a nameless sparse file of `size` bytes: it goes with its last holder."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        fd = os.open(folder, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError:  # a file system without nameless files
        name = folder / f"{SCRATCH_PREFIX}{os.getpid()}-{os.urandom(6).hex()}"
        fd = os.open(name, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600)
        name.unlink(
            missing_ok=True
        )  # another process may have taken it for one that was left behind
    os.ftruncate(fd, size)
    return fd


def copy_sparse(path: Path, folder: Path) -> int:
    """Return a writable descriptor of a nameless copy of a sparse file."""
    fd = empty_file(folder, path.stat().st_size)
    fill_sparse(path, fd)
    return fd


def copy_beside(path: Path, folder: Path) -> tuple[int, Future[None]]:
    """Return the descriptor at once; what it holds is copied in a thread of its own."""
    fd = empty_file(folder, path.stat().st_size)
    own = os.dup(fd)

    def copy() -> None:
        try:
            fill_sparse(path, own)
        except (
            OSError
        ) as error:  # it has no name; the folder has, and lies on the disk that is full
            raise OSError(error.errno, error.strerror, str(folder)) from error
        finally:
            os.close(own)

    thread = ThreadPoolExecutor(1)
    try:
        return fd, thread.submit(copy)
    finally:
        thread.shutdown(wait=False)  # it ends when it has copied


def fill_sparse(path: Path, fd: int) -> None:
    """Write what a sparse file holds to `fd`, an empty file of its size."""
    with path.open("rb") as file:
        for start, end in data_extents(file.fileno(), os.fstat(file.fileno()).st_size):
            os.lseek(fd, start, os.SEEK_SET)
            offset = start
            while offset < end:
                offset += os.sendfile(fd, file.fileno(), offset, end - offset)
