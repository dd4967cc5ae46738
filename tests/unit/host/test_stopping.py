"""The stop switch: verified processes only, their children too, and threads that can go on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import anyio
import pytest

from deskmate.errors import UserError
from deskmate.host.stopping import descendants, stop_threads, writer_of
from deskmate.store.lock import WriterLock
from deskmate.store.making import create_thread
from deskmate.store.switch import SWITCH_FILE, Switch
from deskmate.store.thread import open_thread
from deskmate.types.events import Event, RunFinished, UserSaid
from deskmate.types.ids import RunId

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(sys.platform != "linux", reason="it reads /proc"),
]

RUN = """
import subprocess, sys
from pathlib import Path
import anyio
from deskmate.cli.run import until_interrupted
from deskmate.host import Host, RunOrder
from deskmate.testing.fake_sandbox import FakeSandbox
from deskmate.testing.scripted_model import ScriptedModel
from deskmate.types.places import Places

class Nobody:
    async def approve(self, tool, arguments, why):
        return None

def quiet(item): pass

async def work():
    root = Path(sys.argv[1])
    child = subprocess.Popen([sys.executable, "-c", sys.argv[3]])
    print(child.pid, flush=True)
    places = Places(data=root / "data", cache=root / "cache", config=root / "config")
    model = ScriptedModel([(("workspace__shell", {"command": "sleep 3600"}),), "Done."])
    host = Host(places, environ={}, sandbox=FakeSandbox(), model=model)
    return await host.run(RunOrder(text="Wait."), sys.argv[2], observer=quiet, approver=Nobody())

try:
    anyio.run(until_interrupted, work)
except KeyboardInterrupt:
    raise SystemExit(130)
"""
SEVERAL = """
import sys
from pathlib import Path
import anyio
from deskmate.host import Host, RunOrder
from deskmate.host.running import running
from deskmate.testing.fake_sandbox import FakeSandbox
from deskmate.testing.scripted_model import ScriptedModel
from deskmate.types.places import Places

class Listener:
    left = 2
    def told(self, thread, item):
        if getattr(item, "kind", "") == "ToolStarted":
            Listener.left -= 1
            if not Listener.left:
                print("all at work", flush=True)
    def began(self, thread): pass
    def ended(self, thread, problem): pass

async def main():
    root = Path(sys.argv[1])
    places = Places(data=root / "data", cache=root / "cache", config=root / "config")
    model = ScriptedModel([(("workspace__shell", {"command": "sleep 3600"}),)] * 2)
    host = Host(places, environ={}, sandbox=FakeSandbox(), model=model)
    async with running(host, places, Listener()) as runs:
        for thread in sys.argv[2:]:
            await runs.start(RunOrder(text="Wait."), thread)
        await anyio.sleep_forever()

anyio.run(main)
"""
MACHINE = "import time; time.sleep(3600)"
STUBBORN = "import signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN); time.sleep(3600)"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def begin(root: Path, child: str) -> tuple[subprocess.Popen[str], int, str]:
    """Start a run in a process of its own; return it, its child and its thread, once a tool runs."""
    thread = await create_thread(root / "data/threads", "T", version="0")
    process = subprocess.Popen(
        [sys.executable, "-c", RUN, str(root), thread, child], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    pid = int(await anyio.to_thread.run_sync(process.stdout.readline))
    with anyio.fail_after(60):
        while True:
            async with open_thread(root / "data/threads", thread, write=False) as store:
                if any(event.kind == "ToolStarted" for event in await store.events()):
                    return process, pid, thread
            await anyio.sleep(0.05)


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"


@pytest.mark.parametrize("child", [MACHINE, STUBBORN])
async def test_a_run_and_what_it_started_are_gone_and_the_thread_can_go_on(
    tmp_path: Path, child: str
) -> None:
    process, pid, thread = await begin(tmp_path, child)
    try:
        (stopped,) = await stop_threads(tmp_path / "data/threads", [])
        assert stopped.thread == thread
        assert stopped.pid == process.pid
        assert stopped.how in ("stopped", "killed")
        assert not alive(pid)
        assert await anyio.to_thread.run_sync(process.wait, 30) == 130
    finally:
        process.kill()
        process.wait()
        if alive(pid):
            os.kill(pid, signal.SIGKILL)
        assert process.stdout is not None
        process.stdout.close()
    async with open_thread(tmp_path / "data/threads", thread) as store:
        events = [event.payload for event in await store.events()]
    assert [event.reason for event in events if isinstance(event, RunFinished)] == ["stopped"]


async def test_of_several_runs_in_one_process_only_the_named_one_ends(tmp_path: Path) -> None:
    threads = tmp_path / "data/threads"
    names = [await create_thread(threads, title, version="0") for title in ("One", "Two")]
    process = subprocess.Popen(
        [sys.executable, "-c", SEVERAL, str(tmp_path), *names], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        assert await anyio.to_thread.run_sync(process.stdout.readline) == "all at work\n"
        (stopped,) = await stop_threads(threads, [names[0]])
        assert (stopped.how, stopped.pid) == ("stopped", process.pid)
        assert process.poll() is None
        ended = [event.payload for event in await _events(threads, names[0])]
        assert [e.reason for e in ended if isinstance(e, RunFinished)] == ["stopped"]
        assert not (threads / names[0] / SWITCH_FILE).exists()
        going = [event.payload for event in await _events(threads, names[1])]
        assert not [e for e in going if isinstance(e, RunFinished)]
        assert Switch(threads, names[1]).watched_by() == process.pid
        process.send_signal(signal.SIGSTOP)  # it can no longer see its switch: the signal is left
        await anyio.to_thread.run_sync(_continue_later, process)
        (other,) = await stop_threads(threads, [names[1]])
        assert other.how in ("stopped", "killed")
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def _continue_later(process: subprocess.Popen[str]) -> None:
    threading.Timer(1, process.send_signal, [signal.SIGCONT]).start()


async def _events(threads: Path, thread: str) -> Sequence[Event]:
    async with open_thread(threads, thread, write=False) as store:
        return await store.events()


async def test_a_number_in_a_lock_that_its_process_does_not_hold_open_is_not_signalled(
    tmp_path: Path,
) -> None:
    thread = await create_thread(tmp_path, "T", version="0")
    other = subprocess.Popen([sys.executable, "-c", MACHINE])
    lock = WriterLock(tmp_path / thread / "writer.lock", thread)
    try:
        with (tmp_path / thread / "writer.lock").open("r+b") as file:
            file.truncate(1)
            file.seek(1)
            file.write(str(other.pid).encode())
        assert writer_of(tmp_path / thread / "writer.lock") is None
        (left,) = await stop_threads(tmp_path, [thread])
        assert left.how == "left"
        assert other.poll() is None
    finally:
        lock.release()
        other.kill()
        other.wait()


async def test_a_thread_at_rest_is_idle_and_one_that_is_not_there_is_an_error(
    tmp_path: Path,
) -> None:
    thread = await create_thread(tmp_path, "T", version="0")
    async with open_thread(tmp_path, thread) as store:
        await store.append(UserSaid(run=RunId("r"), text="x", model="m"))
    assert [row.how for row in await stop_threads(tmp_path, [thread])] == ["idle"]
    assert await stop_threads(tmp_path, []) == ()
    with pytest.raises(UserError, match="no thread"):
        await stop_threads(tmp_path, ["t-nothing"])


def test_children_of_children_are_found() -> None:
    nested = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {MACHINE!r}])"
    process = subprocess.Popen([sys.executable, "-c", nested])
    try:
        end = time.monotonic() + 20
        while not (family := descendants(process.pid)) and time.monotonic() < end:
            time.sleep(0.05)
        assert family
        for one in family:
            os.kill(one.pid, signal.SIGKILL)
    finally:
        process.kill()
        process.wait()


def test_the_command_says_what_to_name(tmp_path: Path) -> None:
    environ = {**os.environ, "DESKMATE_HOME": str(tmp_path)}
    command = [sys.executable, "-m", "deskmate", "stop"]
    bare = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert bare.returncode == 2
    assert "--all" in bare.stderr
    none = subprocess.run(
        [*command, "--all", "--json"], env=environ, capture_output=True, text=True, check=False
    )
    assert (none.returncode, json.loads(none.stdout)) == (0, [])
