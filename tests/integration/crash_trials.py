"""Runs one scripted job again and again, killed by SIGKILL at random moments and resumed until it is done.

usage: crash_trials.py FOLDER KILLS SEED [vm] [listed]. Prints one JSON object a trial: kills, how many of them hit while a
virtual machine ran, final files, problems; the first is undisturbed. Goes on until KILLS attempts were really
killed. A process that has everything imported forks each attempt, so that kills hit the work and not the imports.
`vm`: tools run in real virtual machines, from the user's own image; each attempt is a session, so that a machine
that outlives it is seen. `listed`: the folder counts as a large one, whose files come in when they are needed.
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

from deskmate.agent import workbench
from deskmate.host import Host, RunOrder
from deskmate.ports import Delta, Sandbox
from deskmate.store.thread import open_thread
from deskmate.testing.fake_sandbox import FakePlugin, FakeSandbox
from deskmate.testing.scripted_model import Line, ScriptedModel
from deskmate.types.events import Event, ModelReplied, ToolFinished, ToolStarted
from deskmate.types.files import Grant
from deskmate.types.ids import ThreadId
from deskmate.types.messages import tool_uses_of
from deskmate.types.places import Places, find_places

LOADED_LATE = (
    "deskmate.agent.driver",
    "deskmate.changes.apply",
    "deskmate.changes.undo",
    "deskmate.discovery.installed",
    "deskmate.discovery.layer",
    "deskmate.discovery.registry_check",
    "deskmate.host.job",
    "deskmate.protocol.client",
    "deskmate.sandbox.adapter",
    "deskmate.store.blobs",
    "jsonschema",
    "sqlite_utils",
    "zstandard",
)
SURVIVAL_S = 10.0
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


def places_of(root: Path) -> Places:
    """Return where one trial keeps its things."""
    return Places(data=root / "data", cache=root / "cache", config=root / "config")


def share_cache(root: Path) -> None:
    """Give a trial the user's images, layers and templates, and a folder of its own for running machines."""
    (root / "cache").mkdir(parents=True)
    shared = find_places(dict(os.environ), Path.home()).cache
    for name in ("images", "layers", "templates", "registries", "acceleration.json"):
        (root / "cache" / name).symlink_to(shared / name)


async def attempt(root: Path, first: bool, vm: bool) -> str:
    """Begin the job, or let it go on; return how it ended."""
    places = places_of(root)
    sandbox: Sandbox | None = None if vm else FakeSandbox({"proof": FakePlugin()})
    host = Host(places, sandbox=sandbox, model=ScriptedModel(SCRIPT))
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


def fork_attempt(root: Path, vm: bool) -> int:
    """Start an attempt in a child process, leader of its own session, and return its pid."""
    pid = os.fork()
    if pid:
        return pid
    try:
        os.setsid()
        reason = anyio.run(attempt, root, not (root / "thread").exists(), vm)
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


def outlived(session: int) -> list[str]:
    """Return the command names of a session's processes that still run some seconds after its leader."""
    deadline = time.monotonic() + SURVIVAL_S
    while (names := running_in(session)) and time.monotonic() < deadline:
        time.sleep(0.01)
    return names


def running_in(session: int) -> list[str]:
    """Return the command names of a session's processes, ended ones left out."""
    names = []
    for file in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, _, rest = file.read_text().partition(" (")[2].rpartition(") ")
        except OSError:
            continue  # it has gone meanwhile
        state, _, _, of = rest.split()[:4]
        if int(of) == session and state not in "ZX":
            names.append(name)
    return names


def left_behind(root: Path) -> list[str]:
    """Return what is left in the folder of running machines."""
    folder = places_of(root).machines
    return [f"left behind: {path.name}" for path in sorted(folder.glob("*"))]


def prepare(root: Path, vm: bool) -> None:
    """Lay the user's folder out."""
    if vm:
        share_cache(root)
    for name, text in FILES.items():
        (root / "work" / name).parent.mkdir(parents=True, exist_ok=True)
        (root / "work" / name).write_text(text)


def end(pid: int) -> tuple[int, list[str]]:
    """Wait for an attempt to end; return its status and what is wrong."""
    _, status = os.waitpid(pid, 0)
    problems = [f"{name} outlived its host process" for name in outlived(pid)]
    if os.WIFEXITED(status) and os.WEXITSTATUS(status) != 0:
        problems.append(f"exit {os.WEXITSTATUS(status)}")
    return status, problems


def trial(root: Path, delays: list[float], vm: bool) -> dict[str, object]:
    """Run the job with a kill after each delay, then to its end."""
    prepare(root, vm)
    kills, machines, problems = 0, 0, list[str]()
    for delay in delays:
        pid = fork_attempt(root, vm)
        time.sleep(delay)
        machines += any(name.startswith("qemu") for name in running_in(pid))
        os.kill(pid, signal.SIGKILL)
        status, wrong = end(pid)
        kills += os.WIFSIGNALED(status)
        problems += wrong
    status, wrong = end(fork_attempt(root, vm))
    problems += [*wrong, *(["the last attempt was killed"] if os.WIFSIGNALED(status) else [])]
    thread = ThreadId((root / "thread").read_text())
    problems += [*anyio.run(check_log, places_of(root), thread), *left_behind(root)]
    files = files_of(root / "work")
    return {"kills": kills, "machines": machines, "problems": problems, "files": files}


def main() -> None:
    """Measure undisturbed runs, then disturb as many as it takes."""
    folder, wanted, seed = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    vm = "vm" in sys.argv[4:]
    for name in LOADED_LATE:
        importlib.import_module(name)
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
