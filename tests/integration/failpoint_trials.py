"""Ends the job at each failpoint that it reaches, each time that it reaches it, and lets it go on until it is done.

usage: python -m tests.integration.failpoint_trials FOLDER [STEP]. Prints one JSON object a trial; the first is undisturbed and
names all points. STEP: only each so-many-th.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import anyio
from tests.integration import crash_job

from deskmate import failpoints


def trial(
    root: Path, setting: str, look: Callable[[Path], dict[str, object]] = lambda root: {}
) -> dict[str, object]:
    """Run one attempt under a setting, then let the job go on. `look`: what else is told of what came of it."""

    def begin() -> None:
        os.environ[failpoints.VARIABLE] = setting

    crash_job.prepare(root)
    status, problems = crash_job.end(crash_job.fork(root, before=begin))
    problems += crash_job.go_on(root) if status else []
    problems += anyio.run(crash_job.check, root)
    files = crash_job.files_of(root / "work")
    more = look(root)
    shutil.rmtree(root)
    return {"killed": os.WIFSIGNALED(status), "problems": problems, "files": files, **more}


def main() -> None:
    """List the points, then die at each."""
    folder, step = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1
    crash_job.load()
    log = folder / "points"
    first = trial(folder / "0", f"log:{log}")
    reached: Counter[str] = Counter()
    points = []
    for name in log.read_text().splitlines():
        reached[name] += 1
        points.append(f"{name}:{reached[name]}")
    print(json.dumps({**first, "points": sorted(reached)}), flush=True)
    for number, point in enumerate(points[::step], 1):
        print(json.dumps({"point": point, **trial(folder / str(number), point)}), flush=True)


if __name__ == "__main__":
    main()
