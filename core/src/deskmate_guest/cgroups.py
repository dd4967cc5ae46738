"""Control groups (version 2): one a plugin, so that everything it started can be bounded and killed.

All of them are in one group, which is kept from the memory that the supervisor and the kernel need: where the whole
guest runs out, the kernel's own killer chooses, and what it does not find it panics over.
"""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path

from deskmate_guest.layout import Layout

_MAX_PROCESSES = "512"
_LISTED_BYTES = 1 << 14
_ALL = "plugins"
_CONTROLLERS = ("pids", "memory", "cpu")
_KEEP_BYTES = 24 << 20
"""Memory beyond the kernel's own reserve that plugins never get, however much they take together."""
_LEAST_BYTES = 64 << 20


def prepare_cgroups(layout: Layout) -> bool:
    """Let the mounted root hand its controllers down to the group of all plugins. False where there is no cgroup v2."""
    if not layout.privileged or not (layout.cgroups / "cgroup.subtree_control").exists():
        return False
    everyone = layout.cgroups / _ALL
    everyone.mkdir(exist_ok=True)
    for folder in (layout.cgroups, everyone):
        for controller in _CONTROLLERS:
            with contextlib.suppress(OSError):  # a kernel without it: the others still count
                (folder / "cgroup.subtree_control").write_text(f"+{controller}")
    bound_memory(layout)
    return True


def bound_memory(layout: Layout) -> None:
    """Bound what all plugins take together by what is there now. To be called again when more was loaded.

    A worker shares its zygote's pages, which are nobody's in the groups; only what is left can be promised.
    """
    everyone = layout.cgroups / _ALL
    if not layout.privileged:
        return
    with contextlib.suppress(OSError):  # a kernel without the controller
        taken = int((everyone / "memory.current").read_text())
        free = taken + _available_bytes() - _KEEP_BYTES
        (everyone / "memory.max").write_text(str(max(free, _LEAST_BYTES)))


class Cgroup:
    """The control group of one plugin's worker. Without cgroups only its kill works, by user."""

    def __init__(self, layout: Layout, name: str, uid: int) -> None:
        self._folder: Path | None = None
        self._members = -1
        self._uid = uid if layout.privileged else 0
        if not layout.privileged or not (layout.cgroups / "cgroup.procs").exists():
            return
        folder = layout.cgroups / _ALL / name
        folder.mkdir(exist_ok=True)
        self._folder = folder
        self._write("pids.max", _MAX_PROCESSES)
        self._write("memory.swap.max", "0")
        self._write("cpu.weight", "50")
        with contextlib.suppress(OSError):
            self._members = os.open(folder / "cgroup.procs", os.O_RDONLY | os.O_CLOEXEC)

    def add(self, pid: int) -> None:
        """Move a process in; when memory runs out it dies before the zygote and the supervisor do."""
        self._write("cgroup.procs", str(pid))
        if self._folder:
            with contextlib.suppress(OSError):
                Path(f"/proc/{pid}/oom_score_adj").write_text("500")

    def sweep(self, worker: int) -> bool:
        """Kill what a call left behind: all but the worker. True when there is nothing of it any more."""
        if self._members < 0:
            return True
        try:
            listed = os.pread(self._members, _LISTED_BYTES, 0)
        except OSError:
            return True
        left = [pid for pid in map(int, listed.rpartition(b"\n")[0].split()) if pid != worker]
        for pid in left:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        return not left

    def kill(self, spared: int) -> None:
        """Kill every process in it, also those that changed session or ignore signals.

        `spared`: pid of the plugin's zygote, which has the same user and is in no group.
        """
        if self._folder:
            self._write("cgroup.kill", "1")
            return
        for _ in range(3 if self._uid else 0):  # what forks meanwhile is met again
            for pid in _processes_of(self._uid):
                if pid != spared:
                    with contextlib.suppress(OSError):
                        os.kill(pid, signal.SIGKILL)

    def _write(self, name: str, text: str) -> None:
        if self._folder:
            with contextlib.suppress(OSError):
                (self._folder / name).write_text(text)


def _processes_of(uid: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and entry.stat().st_uid == uid:
                found.append(int(entry.name))
    return found


def _available_bytes() -> int:
    lines = Path("/proc/meminfo").read_text("ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
