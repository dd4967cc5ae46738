"""Points at which a test can end the process, on systems where nothing can be injected from outside.

`DESKMATE_FAILPOINT=NAME:N` kills the process, as a power button would, when it reaches point NAME for the
N-th time; `DESKMATE_FAILPOINT=log:FILE` writes the name of each point that is reached into FILE. Without
the variable a point does nothing.
"""

from __future__ import annotations

import os
import signal
import sys
from collections import Counter
from pathlib import Path

VARIABLE = "DESKMATE_FAILPOINT"
_reached: Counter[str] = Counter()


def are_named() -> bool:
    """Say whether the variable is there, so that a busy place need not name its points."""
    return VARIABLE in os.environ


def hit(name: str) -> None:
    """Say that the process is at point `name`; it may not come back."""
    wanted = os.environ.get(VARIABLE)
    if not wanted:
        return
    point, _, argument = wanted.rpartition(":")
    if point == "log":
        with Path(argument).open("a") as file:
            file.write(f"{name}\n")
        return
    _reached[name] += 1
    if name == point and str(_reached[name]) == argument:
        die()


def die() -> None:
    """End the process at once: no clean-up, no handler."""
    if sys.platform == "win32":
        os._exit(137)
    os.kill(os.getpid(), signal.SIGKILL)
