"""One scripted job that harnesses end early in every way they know, let go on, and compare with an undisturbed one.

A process that has everything imported forks each attempt, so that faults hit the work and not the imports.
Each attempt notes in `root/acks`, outside of what can be lost, what the user was told to be stored.
"""

from __future__ import annotations

import importlib
import os
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import anyio
from tests.vm.desk import share_cache

from deskmate.errors import DeskmateError
from deskmate.host import Host, RunOrder
from deskmate.ports import Delta, Model, Sandbox
from deskmate.store.blobs import BlobStore
from deskmate.store.thread import open_thread
from deskmate.store.verify import verify_thread
from deskmate.testing.fake_sandbox import FakePlugin, FakeSandbox
from deskmate.testing.fake_workspace import Tree
from deskmate.testing.scripted_model import Line, ScriptedModel
from deskmate.types.events import Event, ModelReplied, ToolFinished
from deskmate.types.files import Grant
from deskmate.types.ids import ThreadId
from deskmate.types.messages import tool_uses_of
from deskmate.types.places import Places, find_places
from deskmate.types.registry import ToolSpec

LOADED_LATE = (
    "deskmate.agent.driver",
    "deskmate.changes.apply",
    "deskmate.changes.undo",
    "deskmate.connectors.redaction",
    "deskmate.connectors.vault",
    "deskmate.discovery.installed",
    "deskmate.discovery.layer",
    "deskmate.discovery.registry_check",
    "deskmate.host.job",
    "deskmate.host.network",
    "deskmate.models.catalogue",
    "deskmate.protocol.client",
    "deskmate.sandbox.adapter",
    "deskmate.store.blobs",
    "anyio._backends._asyncio",
    "jsonschema",
    "keyring",
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
COUNTED: tuple[Line, ...] = ((("proof__count", {}), ("proof__count", {})), *SCRIPT)
"""The same after a tool whose effect shows how often it ran; the fake machine has it."""
RESULT = {
    "a.txt": "changed once\n",
    "b.txt": "beta\n",
    "count.txt": "once\nonce\n",
    "last.txt": "last\n",
    "moved.txt": "gamma\n",
    "new/deep.txt": "new\n",
    "sub/c.txt": "gamma\n",
}
"""The folder after it: automatic applies never delete."""


def _count(tree: Tree, arguments: Mapping[str, Any]) -> str:
    before = tree.read("work/count.txt") if "work/count.txt" in tree.paths() else b""
    tree.write("work/count.txt", before + b"once\n")
    return "counted"


COUNT = ToolSpec(
    plugin="proof",
    name="proof__count",
    title="Count",
    description="Add a line to a file.",
    input_schema={"type": "object"},
    risk="write",
)


def scripted(vm: bool) -> Model:
    """Return the model that says the script."""
    return ScriptedModel(SCRIPT if vm else COUNTED)


make_model: Callable[[bool], Model] = scripted
"""A harness may set another one."""


class Nobody:
    """No person is there."""

    async def approve(self, tool: object, arguments: object, why: str) -> bool | None:
        """Answer that nobody can."""
        return None


def places_of(root: Path) -> Places:
    """Return where one trial keeps its things."""
    return Places(data=root / "data", cache=root / "cache", config=root / "config")


def prepare(root: Path, vm: bool = False) -> None:
    """Lay the user's folder out."""
    if vm:
        share_cache(root / "cache", find_places(dict(os.environ), Path.home()).cache)
    root.mkdir(parents=True, exist_ok=True)
    (root / "errors").touch()
    for name, text in FILES.items():
        (root / "work" / name).parent.mkdir(parents=True, exist_ok=True)
        (root / "work" / name).write_text(text)


def load() -> None:
    """Import all that an attempt needs."""
    for name in LOADED_LATE:
        importlib.import_module(name)


async def attempt(root: Path, vm: bool = False) -> str:
    """Begin the job, or let it go on; return how it ended."""
    places = places_of(root)
    sandbox: Sandbox | None = None
    if not vm:
        sandbox = FakeSandbox({"proof": FakePlugin(tools={COUNT.name: (COUNT, _count)})})
    host = Host(places, environ={}, sandbox=sandbox, model=make_model(vm))
    thread = thread_of(root)
    if thread is None:
        thread = await host.create_thread("Crash trial")
    plugins = () if vm else ("proof",)
    grant = Grant(name="work", folder=str(root / "work"))
    order = RunOrder(text="Do it.", grants=(grant,), apply="all", plugins=plugins)
    if any_request(places, thread):
        order = RunOrder(plugins=plugins)
    file = os.open(root / "acks", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def note(item: Event | Delta) -> None:
        if isinstance(item, Event):  # writev, since faults are injected into write
            os.writev(file, [f"{thread} {item.seq} {item.hash}\n".encode()])

    result = await host.run(order, thread, observer=note, approver=Nobody())
    return result.reason


def thread_of(root: Path) -> ThreadId | None:
    """Return the trial's thread, None before there is one."""
    found = sorted((root / "data" / "threads").glob("t-*"))
    return ThreadId(found[0].name) if found else None


def any_request(places: Places, thread: ThreadId) -> bool:
    """Say whether the user's request is in the log already."""
    import sqlite3

    with sqlite3.connect(places.threads / thread / "thread.db") as db:
        rows = db.execute("select count(*) from events where kind = 'UserSaid'").fetchone()
    db.close()
    return bool(rows[0])


def fork(root: Path, vm: bool = False, before: Callable[[], None] = lambda: None) -> int:
    """Start an attempt in a child process, leader of its own session, and return its pid.

    It calls `before` first, and ends with 0 when the job is done, 3 when it is not, 4 when it failed.
    """
    sys.stdout.flush()
    pid = os.fork()
    if pid:
        return pid
    try:
        os.setsid()
        before()
        reason = anyio.run(attempt, root, vm)
        os._exit(0 if reason == "done" else 3)
    except BaseException as error:  # noqa: BLE001 - a forked child must never return
        try:
            kind = (
                "" if isinstance(error, DeskmateError) else f"unforeseen {type(error).__name__}: "
            )
            file = os.open(root / "errors", os.O_WRONLY | os.O_APPEND)
            os.writev(file, [f"{kind}{error}\n".encode()])
            if kind:
                traceback.print_exception(error)
        finally:
            os._exit(4)


def end(pid: int) -> tuple[int, list[str]]:
    """Wait for an attempt to end; return its status and what outlived it."""
    _, status = os.waitpid(pid, 0)
    return status, [f"{name} outlived its host process" for name in outlived(pid)]


def go_on(root: Path, vm: bool = False, attempts: int = 2) -> list[str]:
    """Let the job go on until it is done; return what is wrong with that."""
    problems = []
    for _ in range(attempts):
        status, wrong = end(fork(root, vm))
        problems += wrong
        if status == 0:
            return problems
    return [*problems, f"it cannot go on: status {status}; {(root / 'errors').read_text()}"]


async def check(root: Path) -> list[str]:
    """Return what is wrong with a finished trial's thread: broken promises, lost or doubled records."""
    places, thread = places_of(root), thread_of(root)
    if thread is None:
        return ["there is no thread"]
    async with open_thread(places.threads, thread, write=False) as store:
        report = await verify_thread(store, BlobStore(places.blobs), settled=True)
        events = await store.events()
    errors = (root / "errors").read_text().splitlines()
    problems = [*report.problems, *(line for line in errors if line.startswith("unforeseen"))]
    used = [u.id for e in events if isinstance(e.payload, ModelReplied)
            for u in tool_uses_of(e.payload.content)]  # fmt: skip
    done = [e.payload.tool_use_id for e in events if isinstance(e.payload, ToolFinished)]
    if sorted(used) != sorted(set(used)) or sorted(done) != sorted(used):
        problems.append(f"tool uses {sorted(used)} but results {sorted(done)}")
    stored = {(str(thread), event.seq, event.hash) for event in events}
    lost = [ack for ack in acknowledged(root) if ack not in stored]
    problems += [f"event {seq} was acknowledged and is lost" for _, seq, _ in lost]
    left = sorted(path.name for path in places.machines.glob("*"))
    # a thread that never came to be is removed by the next one that is made an hour later
    temporary = [*(root / "work").rglob(".deskmate-*"), *places.threads.glob("t-*/.*.tmp")]
    return problems + [f"left behind: {name}" for name in [*left, *(p.name for p in temporary)]]


def acknowledged(root: Path) -> list[tuple[str, int, str]]:
    """Return what the user was told to be stored: thread, number, hash."""
    file = root / "acks"
    lines = file.read_text().splitlines() if file.exists() else []
    return [(thread, int(seq), digest) for thread, seq, digest in map(str.split, lines)]


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
