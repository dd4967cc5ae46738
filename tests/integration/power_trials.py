"""Cuts the power of the job at chosen moments and lets it go on from what the disk kept, until it is done.

usage: python -m tests.integration.power_trials FOLDER CUTS SEED [listed] [resumed] [careless]. The job runs once under
strace, which records all that it does to its folder (`disk_record`); each cut is a moment in that record and a choice of
what was on the disk by then. Prints one JSON object a cut; the first is the undisturbed run. `resumed`: the recorded
process is one that goes on after another was killed. `careless`: nothing is synced, so cuts must be found to lose something.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import anyio
from tests.integration import crash_job
from tests.integration.disk_record import CALLS, Disk, Mode
from tests.integration.fault_trials import attempt_with, let_be_traced

from deskmate.agent import workbench

MODES: tuple[Mode, ...] = ("least", "journal", "any", "any", "most")


def record(root: Path, before: Callable[[], None]) -> Disk:
    """Run one attempt to its end and return what it did to its folder."""

    def start(begin: Callable[[], None]) -> int:
        def prepare() -> None:
            begin()
            before()

        return crash_job.fork(root, before=prepare)

    return _record(root, start)


def record_work(root: Path, work: Callable[[Path], None]) -> Disk:
    """Let a child process do some work in a folder and return what it did."""

    def start(begin: Callable[[], None]) -> int:
        if pid := os.fork():
            return pid
        try:
            begin()
            work(root)
            os._exit(0)
        finally:
            os._exit(4)

    return _record(root, start)


def _record(root: Path, start: Callable[[Callable[[], None]], int]) -> Disk:
    disk = Disk(root)
    trace = root.with_name(f"{root.name}.trace")
    ready, go = os.pipe()

    def begin() -> None:
        os.close(go)
        let_be_traced(ready)

    pid = start(begin)
    os.close(ready)
    tracer = subprocess.Popen(
        ["strace", "-f", "-y", "-xx", "-s", "100000000", "-p", str(pid), "-o", trace, "-e",
         f"trace={CALLS}"],
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert tracer.stderr is not None
    if "attached" not in (line := tracer.stderr.readline()):
        os.kill(pid, signal.SIGKILL)
        raise SystemExit(f"strace cannot trace: {line}")
    os.write(go, b"x")
    os.close(go)
    _, status = os.waitpid(pid, 0)
    tracer.communicate()
    if status:
        raise SystemExit(f"the recorded process failed: {status}")
    with trace.open() as lines:
        disk.take_trace(lines)
    trace.unlink()
    return disk


def trial(root: Path, disk: Disk, cut: int, mode: Mode, seed: int) -> list[str]:
    """Make the folder what a cut leaves, let the job go on, and return what is wrong."""
    acks = disk.acks(cut)
    shutil.rmtree(root)
    disk.write_image(disk.kept(cut, mode, random.Random(seed)), root)
    (root / "acks").write_bytes(acks)
    (root / "errors").touch()
    problems = torn(root / "work")
    return problems + crash_job.go_on(root) + anyio.run(crash_job.check, root)


def torn(work: Path) -> list[str]:
    """Return the user's files that are neither as they were nor as they are to be."""
    whole = {*crash_job.FILES.values(), *crash_job.RESULT.values()}
    found = [path for path in work.rglob("*") if path.is_file()]
    return [
        f"torn: {path.name}"
        for path in found
        if not path.name.startswith(".deskmate-") and path.read_bytes().decode() not in whole
    ]


def no_sync() -> None:
    """Let Python's syncs do nothing; SQLite's own stay."""
    os.fsync = lambda file: None  # type: ignore[assignment]


def main() -> None:
    """Record, then cut."""
    folder, cuts, seed = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    crash_job.load()
    if "listed" in sys.argv:
        workbench.AT_ONCE_FILES = 0
    root = folder / "trial"
    chance = random.Random(seed)
    crash_job.prepare(root)
    if "resumed" in sys.argv:
        attempt_with(root, "KILL", chance.randrange(120, 200))
        (root / "strace").unlink()
    disk = record(root, no_sync if "careless" in sys.argv else lambda: None)
    result = {"ops": len(disk.ops), "files": crash_job.files_of(root / "work")}
    print(json.dumps({**result, "problems": anyio.run(crash_job.check, root)}), flush=True)
    for _ in range(cuts):
        cut, mode, own = chance.randrange(len(disk.ops) + 1), chance.choice(MODES), chance.random()
        problems = trial(root, disk, cut, mode, int(own * 1e9))
        files = crash_job.files_of(root / "work")
        case = {"cut": cut, "mode": mode, "seed": int(own * 1e9)}
        print(json.dumps({**case, "problems": problems, "files": files}), flush=True)


if __name__ == "__main__":
    main()
