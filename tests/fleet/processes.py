"""Workers as processes of their own: begun, killed, stopped and woken, ended, each by its pid."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import anyio

ROOT = Path(__file__).parents[2]


class Crew:
    """Workers by name."""

    def __init__(
        self,
        module: str,
        before: tuple[str, ...],
        after: tuple[str, ...],
        inside: tuple[str, ...] = (),
    ) -> None:
        """`before`, `after`: what stands in the command line before and after the worker's name.

        `inside`: a command that runs another elsewhere, such as in a network namespace.
        """
        self._module, self._before, self._after = module, before, after
        self._inside = inside
        self._processes: dict[str, subprocess.Popen[str]] = {}

    def begin(self, *names: str) -> None:
        """Begin workers, and wait until they are at work."""
        for name in names:
            words = [
                *self._inside,
                sys.executable,
                "-m",
                self._module,
                *self._before,
                name,
                *self._after,
            ]
            self._processes[name] = subprocess.Popen(
                words, stdout=subprocess.PIPE, text=True, cwd=ROOT
            )
        for name in names:
            line = self._processes[name].stdout
            assert line is not None
            assert line.readline(), f"{name} did not begin"

    def kill(self, name: str) -> None:
        process = self._processes.pop(name)
        os.kill(process.pid, signal.SIGKILL)
        self._gone(process)

    def stop(self, name: str) -> None:
        os.kill(self._processes[name].pid, signal.SIGSTOP)

    def wake(self, name: str) -> None:
        os.kill(self._processes[name].pid, signal.SIGCONT)

    def end(self) -> None:
        """Ask all to end, and see that they do."""
        for process in self._processes.values():
            os.kill(process.pid, signal.SIGTERM)
        codes = {name: process.wait(timeout=60) for name, process in self._processes.items()}
        assert set(codes.values()) <= {0}, codes

    def clean(self) -> None:
        for process in self._processes.values():
            process.kill()
            self._gone(process)

    @staticmethod
    def _gone(process: subprocess.Popen[str]) -> None:
        process.wait(timeout=30)
        if process.stdout is not None:
            process.stdout.close()


@contextmanager
def crew(
    module: str, before: tuple[str, ...], after: tuple[str, ...], inside: tuple[str, ...] = ()
) -> Iterator[Crew]:
    """Have workers while the block runs; none is left behind."""
    found = Crew(module, before, after, inside)
    try:
        yield found
    finally:
        found.clean()


def lines(ledger: Path, what: str) -> Counter[str]:
    """Return how often each item has a line of this kind."""
    text = ledger.read_text() if ledger.exists() else ""
    words = (line.split() for line in text.splitlines())
    return Counter(each[1] for each in words if each and each[0] == what)


def lines_of(ledger: Path, what: str, worker: str) -> list[str]:
    """Return the items that have such a line by one worker."""
    text = ledger.read_text() if ledger.exists() else ""
    words = (line.split() for line in text.splitlines())
    return [each[1] for each in words if each and each[0] == what and each[2] == worker]


async def wait_for(check: Callable[[], Awaitable[bool]], seconds: float = 60) -> None:
    """Wait until something is so."""
    with anyio.fail_after(seconds):
        while not await check():
            await anyio.sleep(0.05)
