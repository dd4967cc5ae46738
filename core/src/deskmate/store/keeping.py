"""Whoever may refer to content that no log names yet holds the store of content still while it does.

One lock file beside the threads: writers of threads share it, the collector of unused content has it alone,
for moments. It ends with its process, however that ends.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deskmate.errors import UserError
from deskmate.store.blobs import make_folder

FILE = ".content.lock"
_WAIT_S = 30.0
_STEP_S = 0.02


@contextmanager
def keeping_content(threads: Path) -> Iterator[None]:
    """While this lasts nothing is collected. Raises UserError if a collection does not end in half a minute."""
    if sys.platform == "win32":  # its locks cannot be shared: there nothing is collected
        yield
        return
    import fcntl  # noqa: PLC0415 - does not exist on Windows

    file = _opened(threads)
    try:
        if not _locked(file, fcntl.LOCK_SH, _WAIT_S):
            raise UserError(
                "Unused content is being removed; no thread can be changed just now.",
                hint="Try again in a moment.",
            )
        yield
    finally:
        os.close(file)


@contextmanager
def alone_with_content(threads: Path, wait_s: float) -> Iterator[bool]:
    """Yield whether nobody keeps content now; if so, nobody begins to while this lasts. Keep it short."""
    if sys.platform == "win32":
        yield False
        return
    import fcntl  # noqa: PLC0415 - does not exist on Windows

    file = _opened(threads)
    try:
        yield _locked(file, fcntl.LOCK_EX, wait_s)
    finally:
        os.close(file)


def _opened(threads: Path) -> int:
    make_folder(threads.parent)
    return os.open(threads.with_name(FILE), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _locked(file: int, how: int, wait_s: float) -> bool:
    import fcntl  # noqa: PLC0415 - does not exist on Windows

    until = time.monotonic() + wait_s
    while True:
        try:
            fcntl.flock(file, how | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until:
                return False
            time.sleep(_STEP_S)
        else:
            return True
