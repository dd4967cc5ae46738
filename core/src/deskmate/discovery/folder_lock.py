"""One process at a time in a folder that several share."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deskmate.errors import PluginError

_GAP_S = 0.05


@contextmanager
def folder_lock(folder: Path, doing: str, deadline_s: float) -> Iterator[None]:
    """Hold the folder's lock; the kernel frees it when the process dies. Blocks.

    `doing`: what another holder is at, for the message. Raises PluginError after `deadline_s`.
    """
    deadline = time.monotonic() + deadline_s
    with (folder / ".lock").open("wb") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if time.monotonic() > deadline:
                    raise PluginError(
                        f"Another Deskmate has been {doing} {folder} for {deadline_s / 60:.0f} minutes.",
                        hint="End it, then try again.",
                    ) from error
                time.sleep(_GAP_S)
        yield
