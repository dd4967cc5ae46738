"""Launchers that wait: their plan and descriptors come later, and nothing of them stays."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from deskmate.errors import SandboxUnavailable
from deskmate.sandbox.launching import Launcher, Launchers, start_launcher
from deskmate.sandbox.memory import copy_beside

SHELL = Path("/bin/sh").resolve()
LOADER = Path("/lib64/ld-linux-x86-64.so.2")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def _plan(script: str, **plan: Any) -> dict[str, Any]:
    return {
        "command": [str(SHELL), "-c", script],
        "read": ["/lib", "/lib64", "/usr/lib", "/etc/ld.so.cache"],
        "execute": [str(SHELL), str(LOADER.resolve())],
        "write": ["/dev/null"], "read_fds": [], "write_fds": [], "keep_fds": [], "groups": [],
        "file_limit_bytes": 1 << 20, "memory_limit_bytes": 1 << 30, **plan,
    }  # fmt: skip


async def _run(launcher: Launcher, script: str) -> tuple[str, dict[str, Any]]:
    """Return what a program behind the walls wrote to descriptors 8 and 9, and the walls."""
    ends = [os.pipe() for _ in range(2)]
    launcher.send(_plan(script, keep_fds=[8, 9]), {8: ends[0][1], 9: ends[1][1]})
    for _, write_end in ends:
        os.close(write_end)
    try:
        walls = await launcher.walls()
        return " ".join(_all(read_end) for read_end, _ in ends), walls
    finally:
        for read_end, _ in ends:
            os.close(read_end)
        launcher.child.wait(20)
        assert launcher.child.stderr is not None
        launcher.child.stderr.close()


def _all(fd: int) -> str:
    data = b""
    while part := os.read(fd, 4096):
        data += part
    return data.decode()


@pytest.mark.anyio
async def test_descriptors_get_the_numbers_that_the_plan_names() -> None:
    said, walls = await _run(start_launcher(), "printf one >&8; printf two >&9")
    assert said == "one two"
    assert walls["no_new_privs"] is True


@pytest.mark.anyio
async def test_only_what_was_handed_over_is_open() -> None:
    script = (
        'for n in 0 1 2 3 4 5 6 7 8 9; do eval "true <&$n" 2>/dev/null && printf "$n " >&8; done'
    )
    said, _ = await _run(start_launcher(), script)
    assert said.split() == ["0", "1", "2", "8", "9"]


@pytest.mark.anyio
async def test_the_one_that_waits_is_taken_and_each_but_once() -> None:
    launchers = Launchers()
    launchers.prepare()
    launchers.prepare()  # there is one already
    first, second = launchers.take(), launchers.take()
    assert first.child.pid != second.child.pid
    for launcher in (first, second):
        said, _ = await _run(launcher, "printf here >&8")
        assert said == "here "
    launchers.close()


@pytest.mark.anyio
async def test_one_that_died_while_it_waited_is_replaced() -> None:
    launchers = Launchers()
    launchers.prepare()
    launchers._waiting[0].child.kill()
    launchers._waiting[0].child.wait(20)
    said, _ = await _run(launchers.take(), "printf here >&8")
    assert said == "here "


@pytest.mark.anyio
async def test_a_launcher_of_another_thread_is_not_used() -> None:
    """The kernel would end the machine with that thread."""
    launchers = Launchers()
    thread = threading.Thread(target=launchers.prepare)
    thread.start()
    thread.join()
    other = launchers._waiting[0].child
    taken = launchers.take()
    assert taken.child.pid != other.pid
    assert other.poll() is not None
    taken.drop()


@pytest.mark.anyio
async def test_a_plan_that_is_refused_is_said_in_one_line() -> None:
    launcher = start_launcher()
    launcher.send({"command": ["/bin/true"]})
    with pytest.raises(SandboxUnavailable, match="the launcher refused: KeyError"):
        await launcher.walls()
    assert launcher.child.wait(20) == 126
    assert launcher.child.stderr is not None
    launcher.child.stderr.close()


def test_close_leaves_no_process_and_no_descriptor() -> None:
    before = sorted(Path("/proc/self/fd").iterdir())
    launchers = Launchers()
    launchers.prepare()
    child = launchers._waiting[0].child
    launchers.close()
    assert child.poll() is not None
    assert sorted(Path("/proc/self/fd").iterdir()) == before


def test_one_that_nobody_closes_ends_with_its_keeper() -> None:
    before = sorted(Path("/proc/self/fd").iterdir())
    launchers = Launchers()
    launchers.prepare()
    child = launchers._waiting[0].child
    del launchers
    assert child.poll() is not None
    assert sorted(Path("/proc/self/fd").iterdir()) == before


@pytest.mark.anyio
async def test_a_program_with_many_open_files_gets_its_numbers_too() -> None:
    """The launcher's own descriptors have numbers of this process, which are not to be in the way."""
    launcher = start_launcher()
    null = os.open("/dev/null", os.O_RDONLY)
    numbers = {launcher.report + step: null for step in range(6) if launcher.report + step > 6}
    launcher.send(_plan("true", keep_fds=sorted(numbers)), numbers)
    os.close(null)
    assert (await launcher.walls())["no_new_privs"] is True
    assert launcher.child.wait(20) == 0
    assert launcher.child.stderr is not None
    launcher.child.stderr.close()


def test_it_ends_with_the_program_that_started_it() -> None:
    script = (
        "from deskmate.sandbox.launching import Launchers; import os;"
        "l = Launchers(); l.prepare(); print(l._waiting[0].child.pid, flush=True); os._exit(0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=True
    )
    stat = Path(f"/proc/{int(done.stdout)}/stat")
    for _ in range(200):
        try:
            if stat.read_text().rpartition(") ")[2][:1] == "Z":
                return
        except OSError:
            return
        threading.Event().wait(0.05)
    pytest.fail("the launcher waits for a program that is gone")


def test_a_copy_beside_has_the_content_holes_and_all(tmp_path: Path) -> None:
    source = tmp_path / "disk"
    with source.open("wb") as file:
        file.truncate(64 << 20)
        file.seek(8 << 20)
        file.write(b"something" * 1000)
    fd, copied = copy_beside(source, tmp_path / "machines")
    copied.result(20)
    with os.fdopen(fd, "rb") as copy:
        assert os.fstat(copy.fileno()).st_size == 64 << 20
        assert os.fstat(copy.fileno()).st_blocks * 512 < 1 << 20
        copy.seek(8 << 20)
        assert copy.read(9000) == b"something" * 1000


def test_a_copy_that_fails_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "disk"
    source.write_bytes(b"x" * 4096)

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "sendfile", full)
    fd, copied = copy_beside(source, tmp_path / "machines")
    with pytest.raises(OSError, match="No space") as caught:
        copied.result(20)
    assert caught.value.filename == str(tmp_path / "machines")  # on which disk
    os.close(fd)
