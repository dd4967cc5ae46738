"""Runs the job of crash_job again and again, killed by SIGKILL at random moments and resumed until it is done.

usage: python -m tests.integration.crash_trials FOLDER KILLS SEED [vm] [listed]. Prints one JSON object a trial:
kills, how many of them hit while a virtual machine ran, final files, problems; the first is undisturbed. Goes on
until KILLS attempts were really killed.
`vm`: tools run in real virtual machines, from the user's own image; each attempt is a session, so that a machine
that outlives it is seen. `listed`: the folder counts as a large one, whose files come in when they are needed.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sys
import time
from pathlib import Path

import anyio
from tests.integration import crash_job

from deskmate.agent import workbench


def trial(root: Path, delays: list[float], vm: bool) -> dict[str, object]:
    """Run the job with a kill after each delay, then to its end."""
    crash_job.prepare(root, vm)
    kills, machines, problems = 0, 0, list[str]()
    for delay in delays:
        pid = crash_job.fork(root, vm)
        time.sleep(delay)
        machines += any(name.startswith("qemu") for name in crash_job.running_in(pid))
        os.kill(pid, signal.SIGKILL)
        status, wrong = crash_job.end(pid)
        kills += os.WIFSIGNALED(status)
        problems += wrong
        if os.WIFEXITED(status) and os.WEXITSTATUS(status) != 0:
            problems.append(f"exit {os.WEXITSTATUS(status)}")
    problems += crash_job.go_on(root, vm, attempts=1)
    problems += anyio.run(crash_job.check, root)
    files = crash_job.files_of(root / "work")
    return {"kills": kills, "machines": machines, "problems": problems, "files": files}


def main() -> None:
    """Measure undisturbed runs, then disturb as many as it takes."""
    folder, wanted, seed = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    vm = "vm" in sys.argv[4:]
    crash_job.load()
    if "listed" in sys.argv[4:]:
        workbench.AT_ONCE_FILES = 0
    chance = random.Random(seed)
    durations = []
    for number in range(3):
        began = time.monotonic()
        result = trial(folder / f"undisturbed-{number}", [], vm)
        durations.append(time.monotonic() - began)
    print(json.dumps(result), flush=True)
    kills, number = 0, 0
    while kills < wanted:
        number += 1
        root = folder / str(number)
        delays = [chance.uniform(0, min(durations)) for _ in range(chance.choice((1, 1, 2, 3)))]
        result = trial(root, delays, vm)
        kills += int(str(result["kills"]))
        print(json.dumps(result), flush=True)
        shutil.rmtree(root)


if __name__ == "__main__":
    main()
