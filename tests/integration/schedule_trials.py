"""A runner of schedules that is killed at random moments, over and over, and what is left in the end.

As a program: `python -m tests.integration.schedule_trials ROOT KILLS SEED`, where only kills that cut a run count; writes one JSON object.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
import traceback
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import anyio
from tests.integration import crash_job
from tests.unit.host.scheduling.desk import cron
from tests.unit.host.scheduling.house import GOOD, house, work_folder

from deskmate.host import Host
from deskmate.host.running import running
from deskmate.host.scheduling.ordering import agreement
from deskmate.host.scheduling.runner import MAX_ATTEMPTS, Runner
from deskmate.host.scheduling.serving import Quiet, owning
from deskmate.host.scheduling.times import next_dues, to_moment, to_text
from deskmate.host.scheduling.working import Working
from deskmate.store.blobs import BlobStore
from deskmate.store.projects import Projects
from deskmate.store.schedules import Schedules
from deskmate.store.thread import open_thread
from deskmate.store.verify import verify_thread
from deskmate.types.events import RunFinished, UserSaid
from deskmate.types.places import Places
from deskmate.types.schedules import Due

BEGIN = datetime(2026, 3, 28, 20, tzinfo=UTC)
SPEED = 14_400
"""Seconds of the schedules' time in one of ours: something is due four times a second, so that most kills hit a run."""
LONGEST_S = 0.35
DRAIN_S = 60.0


class Fast:
    """A clock that all processes of a trial share."""

    def __init__(self, began: float) -> None:
        self._began = began

    def now(self) -> str:
        """Return the trial's time."""
        return to_text(BEGIN + timedelta(seconds=(time.monotonic() - self._began) * SPEED))

    def monotonic(self) -> float:
        """Return real seconds."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Sleep so many seconds of the trial."""
        await anyio.sleep(seconds / SPEED)


async def _serve(host: Host, places: Places, clock: Fast, until: str) -> None:
    """Be the runner: for ever, or until nothing is left that was due by then."""
    store = Schedules(places.data)
    with owning(places):
        async with running(host, places, Quiet()) as runs, anyio.create_task_group() as tasks:
            runner = Runner(store, Working(host, places, runs), clock, tasks)
            while not until or store.open_dues():
                await runner.tick()
                await anyio.sleep(0.01)
            tasks.cancel_scope.cancel()


def _fork(root: Path, clock: Fast, until: str = "") -> int:
    sys.stdout.flush()
    pid = os.fork()
    if pid:
        return pid
    try:
        host, places = house(root, GOOD)
        anyio.run(_serve, host, places, clock, until)
        os._exit(0)
    except BaseException:  # noqa: BLE001 - a forked child must never return
        (root / "errors").write_text(traceback.format_exc())
        os._exit(4)


def disturb(root: Path, kills: int, seed: int) -> dict[str, Any]:
    """Kill runners, let the last one finish, and return what is wrong."""
    chance, clock = random.Random(seed), Fast(time.monotonic())
    _, places = house(root, GOOD)
    store = Schedules(places.data)
    for name in ("One", "Two"):
        _schedule_in(root, places, name)
    cut = 0
    for _ in range(kills * 20):
        if cut >= kills:
            break
        pid = _fork(root, clock)
        time.sleep(chance.uniform(0.03, LONGEST_S))
        os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        if not os.WIFSIGNALED(status):
            return {"problems": [f"a runner ended by itself: {(root / 'errors').read_text()}"]}
        cut += any(due.state == "running" for due in store.open_dues())
    for standing in store.all():
        store.set_state(standing.schedule.id, "over")
    problems = _drain(root, clock)
    problems += anyio.run(_check, places, store)
    rows = [due for one in store.all() for due in store.history(one.schedule.id, 100_000)]
    attempts = sum(due.attempts for due in rows)
    begun = sum(bool(due.attempts) for due in rows)
    return {"problems": problems, "cut": cut, "begun": begun, "resumed": attempts - begun}


def _drain(root: Path, clock: Fast) -> list[str]:
    """Let a last runner finish what is open."""
    pid, end = _fork(root, clock, "now"), time.monotonic() + DRAIN_S
    while time.monotonic() < end:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return [] if status == 0 else [f"the last runner: {(root / 'errors').read_text()}"]
        time.sleep(0.02)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return ["the last runner did not come to an end"]


async def _check(places: Places, store: Schedules) -> list[str]:
    problems: list[str] = []
    threads: set[str] = set()
    for standing in store.all():
        rows = sorted(store.history(standing.schedule.id, 100_000), key=lambda due: due.due)
        looked = to_moment(standing.looked)
        times = [t for t in next_dues(standing.schedule.when, BEGIN, 10_000) if t <= looked]
        counted = sum(due.count for due in rows)
        if counted != len(times):
            problems.append(f"{counted} times are written down, {len(times)} were due")
        for one, two in pairwise(rows):
            if one.until >= two.due:
                problems.append(f"{two.due} is written down twice")
        for due in rows:
            if due.attempts:
                threads.add(due.thread)
                problems += await _check_run(places, due)
            elif due.state != "skipped":
                problems.append(f"{due.due}: {due.state}, and was never begun")
    there = {path.name for path in places.threads.glob("t-*")}
    problems += [f"thread {name} belongs to no run" for name in there - threads]
    return problems


async def _check_run(places: Places, due: Due) -> list[str]:
    """Return what is wrong with one run: it is one, it ended well, and its record holds."""
    if not (places.threads / due.thread).is_dir():
        return [f"{due.thread} is not there, {due.state}: {due.why}"]
    async with open_thread(places.threads, due.thread, write=False) as thread:
        events = [event.payload for event in await thread.events()]
        report = await verify_thread(thread, BlobStore(places.blobs))
    said = sum(isinstance(one, UserSaid) for one in events)
    ends = [one.reason for one in events if isinstance(one, RunFinished)]
    problems = [f"{due.thread}: {problem}" for problem in report.problems]
    # on a busy machine one run may be hit every time: then it is given up, and says so
    given_up = due.attempts > MAX_ATTEMPTS and due.state == "failed" and said <= 1 and not ends
    if not given_up and (said != 1 or ends != ["done"] or due.state != "succeeded"):
        problems.append(f"{due.thread}: said {said} times, ended {ends}, {due.state}: {due.why}")
    return problems


def load(root: Path) -> None:
    """Import all that a runner needs, by letting one run: kills are to hit the work and not the imports."""
    host, places = house(root, GOOD)
    _schedule_in(root, places, "Load")
    clock = Fast(time.monotonic() - 1.0)
    anyio.run(_one_run, host, places, clock)


async def _one_run(host: Host, places: Places, clock: Fast) -> None:
    async with running(host, places, Quiet()) as runs, anyio.create_task_group() as tasks:
        runner = Runner(Schedules(places.data), Working(host, places, runs), clock, tasks)
        await runner.tick()
        await runner.idle()


def _schedule_in(root: Path, places: Places, name: str) -> None:
    store = Schedules(places.data)
    schedule = cron(
        "0 * * * *", "Europe/Berlin", name=name, grants=work_folder(root), plugins=("desk",)
    )
    store.add(schedule)
    store.agree(schedule.id, agreement(schedule, Projects(places.data)), to_text(BEGIN))


if __name__ == "__main__":
    crash_job.load()
    load(Path(sys.argv[1]) / "load")
    sys.stdout.write(
        json.dumps(disturb(Path(sys.argv[1]) / "trial", int(sys.argv[2]), int(sys.argv[3])))
    )
