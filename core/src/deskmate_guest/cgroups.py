"""Control groups (version 2): one a plugin, so that everything it started can be bounded and killed."""

from __future__ import annotations

import contextlib
from pathlib import Path

from deskmate_guest.layout import Layout

_MAX_PROCESSES = "512"
_KEEP_BYTES = 64 << 20
"""Memory that the supervisor and the kernel keep when a plugin takes all it can."""


def prepare_cgroups(layout: Layout) -> bool:
    """Let the mounted root hand its controllers down. False where there is no cgroup v2."""
    if not layout.privileged or not (layout.cgroups / "cgroup.subtree_control").exists():
        return False
    for controller in ("pids", "memory", "cpu"):
        with contextlib.suppress(OSError):  # a kernel without it: the others still count
            (layout.cgroups / "cgroup.subtree_control").write_text(f"+{controller}")
    return True


class Cgroup:
    """The control group of one plugin's worker; does nothing where there are none."""

    def __init__(self, layout: Layout, name: str) -> None:
        self._folder: Path | None = None
        if not layout.privileged or not (layout.cgroups / "cgroup.procs").exists():
            return
        folder = layout.cgroups / f"deskmate-{name}"
        folder.mkdir(exist_ok=True)
        self._folder = folder
        self._write("pids.max", _MAX_PROCESSES)
        self._write("memory.max", str(max(_total_memory() - _KEEP_BYTES, _KEEP_BYTES)))
        self._write("memory.swap.max", "0")
        self._write("cpu.weight", "50")

    def add(self, pid: int) -> None:
        """Move a process in."""
        self._write("cgroup.procs", str(pid))

    def kill(self) -> None:
        """Kill every process in it, also those that changed session or ignore signals."""
        self._write("cgroup.kill", "1")

    def _write(self, name: str, text: str) -> None:
        if self._folder:
            with contextlib.suppress(OSError):
                (self._folder / name).write_text(text)


def _total_memory() -> int:
    line = Path("/proc/meminfo").read_text().splitlines()[0]
    return int(line.split()[1]) * 1024
