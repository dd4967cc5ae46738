"""Runs the program and notes the most memory that it, and the machines it started, had at any time."""

from __future__ import annotations

import os
import re
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.vm.desk import Desk

from deskmate.host.stopping import descendants

_STEP_S = 0.1


@dataclass(slots=True)
class Peaks:
    """In MiB. `host`: the program's process. `machine`: the largest machine: what its process has for itself alone, the guest's
    memory that was written to among it. `machines`: all at the same time.
    """

    host: float = 0.0
    machine: float = 0.0
    machines: float = 0.0


def run_and_watch(desk: Desk, *arguments: str | Path) -> tuple[str, Peaks]:
    """Run one command to its end, which must be 0 or 3 (refused by the checks); return what it printed, and the peaks."""
    environ: dict[str, Any] = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("DESKMATE_", "ANTHROPIC_", "PYTHON"))
    }
    environ |= {"DESKMATE_HOME": str(desk.home), **desk.extra}
    out, errors, peaks = desk.home / "out.txt", desk.home / "errors.txt", Peaks()
    with out.open("w") as stdout, errors.open("w") as stderr:
        process = subprocess.Popen(
            [*desk.program, *map(str, arguments)],
            env=environ,
            cwd=desk.home,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
        )
        try:
            deadline = time.monotonic() + desk.deadline_s
            while process.poll() is None and time.monotonic() < deadline:
                _look(process.pid, peaks)
                time.sleep(_STEP_S)
        finally:
            process.kill()
            process.wait()
    assert process.returncode in (0, 3), (process.returncode, errors.read_text()[-3000:])
    return out.read_text(), peaks


def _look(pid: int, peaks: Peaks) -> None:
    peaks.host = max(peaks.host, _of(pid, "status", "VmHWM"))
    now = 0.0
    for child in descendants(pid):
        name = Path(f"/proc/{child.pid}/comm")
        try:
            if not name.read_text().startswith("qemu"):
                continue
        except OSError:
            continue
        own = sum(
            _of(child.pid, "smaps_rollup", part) for part in ("Private_Dirty", "Private_Clean")
        )
        peaks.machine = max(peaks.machine, own)
        now += own
    peaks.machines = max(peaks.machines, now)


def _of(pid: int, file: str, field: str) -> float:
    """Return a figure of a process in MiB, 0 where it has gone."""
    try:
        found = re.search(
            rf"^{field}:\s+(\d+) kB", Path(f"/proc/{pid}/{file}").read_text(), re.MULTILINE
        )
    except OSError:
        return 0.0
    return int(found[1]) / 1024 if found else 0.0
