"""Pages of a PDF, each within a bound of processor time: pdfium draws some for ever, and its calls cannot be stopped.

A child process opens the file and does the work page by page; the kernel ends it where one page takes too long, and
another child goes on behind that page.
"""

from __future__ import annotations

import os
import pickle
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from deskmate.errors import ToolError
from deskmate_documents.pdf.opening import guarded, shown

Result = TypeVar("Result")
SECONDS_A_PAGE = 10.0
SECONDS_A_PICTURE = 60.0
PATIENCE_S = 40.0
"""By the clock on the wall, beyond its processor time: a busy machine must not make a call of two minutes of it."""
STUCK = "the page takes too long to be drawn and was left out"
CALM_S = 50.0
STRAINED_S = 8.0
SLOW_PAGE_S = 2.0


class Pace:
    """How long a call goes on with the next page: short of a minute, and much shorter once a page was slow.

    A long document of plain pages is read in large windows; one that is made to take long ends within 20 seconds, its
    last page included.
    """

    def __init__(self, calm_s: float | None = None) -> None:
        """`calm_s`: seconds of a call without slow pages; None for those of a tool."""
        self._calm = CALM_S if calm_s is None else calm_s
        self._began = self._last = time.monotonic()
        self._slow = False

    def is_over(self) -> bool:
        """Say, after each page, whether the call ends with it."""
        now = time.monotonic()
        self._slow = self._slow or now - self._last > SLOW_PAGE_S
        self._last = now
        return now - self._began > (STRAINED_S if self._slow else self._calm)


def each_page(
    path: Path,
    password: str,
    numbers: Sequence[int],
    work: Callable[[Any, int], Result],
    seconds: float = SECONDS_A_PAGE,
) -> Iterator[tuple[int, Result | None]]:
    """Yield each of these pages (from 1) with what `work(document, number)` gives; None where it took too long.

    `work` runs in a child process: what it gives must be picklable, and what it changes is not seen here. `seconds`: of
    processor time, for one page.

    Raises:
        ToolError: what opening the file or the work raises.
    """
    left = list(numbers)
    while left:
        answered = 0
        for found in _in_child(path, password, left, work, seconds):
            if isinstance(found, Exception):
                raise found
            yield left[answered], found
            answered += 1
        if answered == len(left):
            return
        yield left[answered], None
        left = left[answered + 1 :]


def _in_child(
    path: Path,
    password: str,
    numbers: Sequence[int],
    work: Callable[[Any, int], Result],
    seconds: float,
) -> Iterator[Any]:
    near, far = os.pipe()
    pid = os.fork()
    if not pid:
        os.close(near)
        with os.fdopen(far, "wb") as out:
            _child(out, path, password, numbers, work, seconds)
    os.close(far)
    try:
        with os.fdopen(near, "rb") as answers:
            while True:
                try:
                    yield pickle.load(answers)  # noqa: S301 - a child of this very process
                except (EOFError, pickle.UnpicklingError):
                    return
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _child(
    out: BinaryIO,
    path: Path,
    password: str,
    numbers: Sequence[int],
    work: Callable[[Any, int], Result],
    seconds: float,
) -> None:
    """Do the work and end; never returns."""
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    try:
        with shown(path, password) as document, guarded(path):
            for number in numbers:
                signal.setitimer(signal.ITIMER_PROF, seconds)
                signal.setitimer(signal.ITIMER_REAL, seconds + PATIENCE_S)
                pickle.dump(work(document, number), out)
                out.flush()
    except ToolError as error:
        pickle.dump(type(error)(error.message), out)
        out.flush()
    except BaseException as error:  # noqa: BLE001 - it is the parent's to raise
        pickle.dump(RuntimeError(f"{type(error).__name__}: {error}"), out)
        out.flush()
    finally:
        os._exit(0)
