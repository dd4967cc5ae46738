"""A file that says a thread's run can be ended by itself; whoever takes it away ends that run."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from deskmate.store.thread import thread_folder

SWITCH_FILE = "switch"


class Switch:
    """The switch of one thread's run. A process that was killed leaves it; its number then belongs to no writer."""

    def __init__(self, threads: Path, thread: str) -> None:
        self._path = thread_folder(threads, thread) / SWITCH_FILE

    def turn_on(self) -> bool:
        """Have this process's run of the thread watch for it; False where the disk takes no file."""
        try:
            self._path.write_text(str(os.getpid()), "ascii")
        except OSError:
            return False
        return True

    def is_on(self) -> bool:
        """Say whether nobody has turned it off."""
        return os.path.lexists(self._path)

    def turn_off(self) -> None:
        """End the run, if it is under way."""
        with suppress(OSError):
            self._path.unlink()

    def watched_by(self) -> int:
        """Return the process that watches it, 0 if none says so."""
        with suppress(OSError, ValueError):
            return int(self._path.read_text("ascii"))
        return 0
