"""One writer a thread: an operating system lock that ends with its process, however it ends."""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress
from pathlib import Path

from deskmate.errors import DeskmateError, UserError


class WriterLock:
    """Held from construction until `release`. Raises UserError if another process holds it."""

    def __init__(self, path: Path, what: str) -> None:
        """`path`: the lock file, made if missing. `what`: the thread's id, for the message.

        Raises DeskmateError if the disk does not let the file be made.
        """
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise DeskmateError(
                f"Thread {what} cannot be locked for writing: {error.strerror}.",
                hint="Check the disk and the folder's permissions.",
            ) from error
        if not _wait_for_lock(self._file):
            pid = os.pread(self._file, 20, 1).decode("ascii", "replace").strip() or "unknown"
            os.close(self._file)
            raise UserError(
                f"Another Deskmate is working in thread {what} (pid {pid}).",
                hint="Wait until it is done, or stop it.",
            )
        with suppress(OSError):  # only a note for others: on a full disk the lock holds without it
            os.ftruncate(self._file, 1)
            os.pwrite(self._file, str(os.getpid()).encode(), 1)

    def release(self) -> None:
        """Let others write. The file stays: removing it would let two processes hold two locks."""
        os.close(self._file)


def is_locked(path: Path) -> bool:
    """Say whether some process holds the lock now."""
    try:
        file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return not _try_lock(file)
    finally:
        os.close(file)


def _wait_for_lock(file: int) -> bool:
    """Try for a tenth of a second: `is_locked` of another process holds the lock for an instant."""
    for _ in range(5):
        if _try_lock(file):
            return True
        time.sleep(0.02)
    return False


def _try_lock(file: int) -> bool:
    if sys.platform == "win32":
        import msvcrt  # noqa: PLC0415 - exists on Windows only

        try:
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
    import fcntl  # noqa: PLC0415 - does not exist on Windows

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
