"""Runs one scripted job again and again, killed by SIGKILL at random moments and resumed until it is done.

usage: crash_trials.py FOLDER KILLS SEED. Prints one JSON object a trial: kills, final files, problems; the
first is undisturbed. Goes on until KILLS attempts were really killed. A process that has everything imported
forks each attempt, so that kills hit the work and not the imports.
"""

from __future__ import annotations

import importlib
import json
import os
import random
import shutil
import signal
import sys
import time
from pathlib import Path

import anyio

from deskmate.host import Host, RunOrder
from deskmate.ports import Delta
from deskmate.store.thread import open_thread
from deskmate.testing.fake_sandbox import FakePlugin, FakeSandbox
from deskmate.testing.scripted_model import Line, ScriptedModel
from deskmate.types.events import Event, ModelReplied, ToolFinished, ToolStarted
from deskmate.types.files import Grant
from deskmate.types.ids import ThreadId
from deskmate.types.messages import tool_uses_of
from deskmate.types.places import Places

LOADED_LATE = (
    "deskmate.agent.driver",
    "deskmate.changes.apply",
    "deskmate.changes.undo",
    "deskmate.host.job",
    "deskmate.store.blobs",
    "jsonschema",
    "sqlite_utils",
    "zstandard",
)
FILES = {"a.txt": "alpha\n", "b.txt": "beta\n", "sub/c.txt": "gamma\n"}
SCRIPT: tuple[Line, ...] = (
    (
        ("workspace__read", {"path": "work/a.txt"}),
        ("workspace__write", {"path": "work/a.txt", "content": "changed once\n"}),
    ),
    (("workspace__write", {"path": "work/new/deep.txt", "content": "new\n"}),),
    (
        ("workspace__shell", {"command": "rm -rf work/b.txt"}),
        ("workspace__shell", {"command": "mv work/sub/c.txt work/moved.txt"}),
    ),
    (("workspace__read", {"path": "work/moved.txt"}),),
    (("workspace__write", {"path": "work/last.txt", "content": "last\n"}),),
    "All done.",
)


def quiet(item: Event | Delta) -> None:
    """Show nothing."""


class Nobody:
    """No person is there."""

    async def approve(self, tool: object, arguments: object, why: str) -> bool | None:
        """Answer that nobody can."""
        return None


async def attempt(root: Path, first: bool) -> str:
    """Begin the job, or let it go on; return how it ended."""
    places = Places(data=root / "data", cache=root / "cache", config=root / "config")
    host = Host(places, sandbox=FakeSandbox({"proof": FakePlugin()}), model=ScriptedModel(SCRIPT))
    thread = ThreadId((root / "thread").read_text()) if not first else None
    if thread is None:
        thread = await host.create_thread("Crash trial")
        (root / "thread").write_text(thread)
    grant = Grant(name="work", folder=str(root / "work"))
    said = any_request(places, thread)
    order = RunOrder() if said else RunOrder(text="Do it.", grants=(grant,), apply="all")
    result = await host.run(order, thread, observer=quiet, approver=Nobody())
    return result.reason


def any_request(places: Places, thread: ThreadId) -> bool:
    """Say whether the user's request is in the log already."""
    import sqlite3

    with sqlite3.connect(places.threads / thread / "thread.db") as db:
        rows = db.execute("select count(*) from events where kind = 'UserSaid'").fetchone()
    return bool(rows[0])


def fork_attempt(root: Path, first: bool) -> int:
    """Start an attempt in a child process and return its pid."""
    pid = os.fork()
    if pid:
        return pid
    try:
        reason = anyio.run(attempt, root, first)
        os._exit(0 if reason == "done" else 3)
    except BaseException as error:  # noqa: BLE001 - a forked child must never return
        print(f"attempt failed: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
        os._exit(4)


async def check_log(places: Places, thread: ThreadId) -> list[str]:
    """Return what is wrong with the log: gaps, lost or doubled results, an effect without intent."""
    async with open_thread(places.threads, thread, write=False) as store:
        events = await store.events()
    problems = [f"seq {event.seq} at {n}" for n, event in enumerate(events, 1) if event.seq != n]
    used, started, finished = [], set(), []
    for event in events:
        match event.payload:
            case ModelReplied(content=content):
                used += [use.id for use in tool_uses_of(content)]
            case ToolStarted(tool_use_id=use):
                started.add(use)
            case ToolFinished(tool_use_id=use, synthetic=synthetic):
                finished.append(use)
                if use not in started and not synthetic:
                    problems.append(f"{use} has a result and no intent")
    if sorted(used) != sorted(set(used)):
        problems.append("a reply was stored twice")
    if sorted(finished) != sorted(used):
        problems.append(f"tool uses {sorted(used)} but results {sorted(finished)}")
    return problems


def files_of(folder: Path) -> dict[str, str]:
    """Return the folder's files with their text."""
    paths = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_text() for path in paths}


def prepare(root: Path) -> None:
    """Lay the user's folder out."""
    for name, text in FILES.items():
        (root / "work" / name).parent.mkdir(parents=True, exist_ok=True)
        (root / "work" / name).write_text(text)


def trial(root: Path, delays: list[float]) -> dict[str, object]:
    """Run the job with a kill after each delay, then to its end."""
    prepare(root)
    kills = 0
    for delay in delays:
        pid = fork_attempt(root, first=not (root / "thread").exists())
        time.sleep(delay)
        os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        kills += os.WIFSIGNALED(status)
        if os.WIFEXITED(status) and os.WEXITSTATUS(status) != 0:
            return {"kills": kills, "problems": [f"exit {os.WEXITSTATUS(status)}"], "files": {}}
    pid = fork_attempt(root, first=not (root / "thread").exists())
    _, status = os.waitpid(pid, 0)
    problems = [] if status == 0 else [f"last attempt ended with {status}"]
    places = Places(data=root / "data", cache=root / "cache", config=root / "config")
    thread = ThreadId((root / "thread").read_text())
    problems += anyio.run(check_log, places, thread)
    return {"kills": kills, "problems": problems, "files": files_of(root / "work")}


def main() -> None:
    """Measure undisturbed runs, then disturb as many as it takes."""
    folder, wanted, seed = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    for name in LOADED_LATE:
        importlib.import_module(name)
    chance = random.Random(seed)
    durations = []
    for number in range(3):
        began = time.monotonic()
        result = trial(folder / f"undisturbed-{number}", [])
        durations.append(time.monotonic() - began)
    print(json.dumps(result), flush=True)
    kills, number = 0, 0
    while kills < wanted:
        number += 1
        root = folder / str(number)
        delays = [chance.uniform(0, min(durations)) for _ in range(chance.choice((1, 1, 2, 3)))]
        result = trial(root, delays)
        kills += int(str(result["kills"]))
        print(json.dumps(result), flush=True)
        shutil.rmtree(root)


if __name__ == "__main__":
    main()
