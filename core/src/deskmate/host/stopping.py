"""The stop switch: runs of this user end now, with their virtual machines; their threads go on later."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import anyio

from deskmate.errors import UserError
from deskmate.store.lock import is_locked
from deskmate.store.switch import Switch
from deskmate.store.thread import LOCK_FILE, thread_folder

GRACE_S = 10.0
"""How long a run may take to store that it was stopped, before it is ended the hard way."""
GONE_S = 3.0
"""How long its machines may then take to be gone."""
_POLL_S = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped:
    """What became of one thread's run. `how`: idle, stopped, killed or left, for which `why` says the reason."""

    thread: str
    how: str
    pid: int = 0
    processes: int = 0
    why: str = ""


async def stop_threads(threads: Path, names: Iterable[str]) -> tuple[Stopped, ...]:
    """Stop the runs of these threads, or of all where none is named. Raises UserError for one that is not there."""
    named = list(names)
    chosen = [thread_folder(threads, name) for name in named]
    if not named:
        chosen = sorted(path for path in threads.glob("t-*") if (path / LOCK_FILE).is_file())
    found: list[Stopped] = []

    async def one(folder: Path) -> None:
        found.append(await _stop(folder))

    async with anyio.create_task_group() as tasks:
        for folder in chosen:
            tasks.start_soon(one, folder)
    result = sorted(found, key=lambda stopped: stopped.thread)
    return tuple(stopped for stopped in result if named or stopped.how != "idle")


async def _stop(folder: Path) -> Stopped:
    lock = folder / LOCK_FILE
    if not is_locked(lock):
        return Stopped(thread=folder.name, how="idle")
    pid = writer_of(lock)
    if pid is None:
        why = "no process of yours holds its lock; perhaps it runs on another machine or as another user"
        return Stopped(thread=folder.name, how="left", why=why)
    switch = Switch(folder.parent, folder.name)
    if switch.watched_by() == pid:  # other runs of that process are not to end
        switch.turn_off()
        if await _until(GRACE_S, lambda: not is_locked(lock)):
            return Stopped(thread=folder.name, how="stopped", pid=pid)
    family = descendants(pid)
    _signal(pid, signal.SIGINT)
    how = "stopped"
    if not await _until(GRACE_S, lambda: not is_locked(lock)):
        how = "killed"
        if writer_of(lock) == pid:
            _signal(pid, signal.SIGKILL)
    gone = await _until(GONE_S, lambda: not is_locked(lock) and not _alive(family))
    if not gone:
        for process in _alive(family):
            _signal(process.pid, signal.SIGKILL)
        how = "killed"
        gone = await _until(GONE_S, lambda: not is_locked(lock) and not _alive(family))
    if not gone:
        why = f"process {pid} or one that it started does not end"
        return Stopped(thread=folder.name, how="left", pid=pid, why=why)
    return Stopped(thread=folder.name, how=how, pid=pid, processes=len(family))


def writer_of(lock: Path) -> int | None:
    """Return the process that the lock names, if it has that very file open; a number alone proves nothing."""
    try:
        words = lock.read_bytes()[1:20].split()
        pid = int(words[0]) if words else 0
        held = lock.stat()
        if pid <= 1 or pid == os.getpid():
            return None
        for link in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):
                seen = link.stat()
                if (seen.st_dev, seen.st_ino) == (held.st_dev, held.st_ino):
                    return pid
    except (OSError, ValueError):
        return None
    return None


@dataclass(frozen=True, slots=True)
class Process:
    """A process that cannot be mistaken for a later one with its number. `began`: as the kernel counts it."""

    pid: int
    began: str


def descendants(pid: int) -> tuple[Process, ...]:
    """Return all processes that a process started, and those that they started: its virtual machines."""
    parents: dict[int, list[Process]] = {}
    for path in Path("/proc").iterdir():
        if path.name.isdigit() and (facts := _facts(int(path.name))):
            parents.setdefault(facts[0], []).append(Process(int(path.name), facts[1]))
    found: list[Process] = []
    pending = [pid]
    while pending:
        below = parents.get(pending.pop(), [])
        found += below
        pending += [process.pid for process in below]
    return tuple(found)


def _facts(pid: int) -> tuple[int, str] | None:
    """Return a process's parent and beginning, None if it is gone or only waits to be collected."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text("ascii", "replace")
    except OSError:
        return None
    words = text.rpartition(")")[2].split()
    if len(words) < 20 or words[0] in "ZX":
        return None
    return int(words[1]), words[19]


def _alive(family: Iterable[Process]) -> list[Process]:
    return [
        process
        for process in family
        if (facts := _facts(process.pid)) is not None and facts[1] == process.began
    ]


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
    except PermissionError as error:
        raise UserError(f"Process {pid} is not yours to stop.") from error


async def _until(seconds: float, done: Callable[[], bool]) -> bool:
    with anyio.move_on_after(seconds):
        while not done():  # noqa: ASYNC110 - other processes set no event
            await anyio.sleep(_POLL_S)
        return True
    return done()
