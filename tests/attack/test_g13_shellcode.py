"""Code that took QEMU over tries every way to the host, behind the very walls that QEMU has, as root and as a user."""

from __future__ import annotations

import json
import os
import platform
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.attack.table import Attempts

from deskmate.sandbox import launcher
from deskmate.sandbox.process import launch_plan
from deskmate.sandbox.qemu import PARTS, Qemu, Shape

SHELLCODE = Path(__file__).parent / "evil/shellcode.py"
PLAIN_UID = 54321
PYTHON = Path("/usr/bin/python3")
"""One that every user may run; the one of this environment may lie in somebody's home."""
SHAPE = Shape(memory_mib=384, cpus=1, acceleration="tcg", qemu="7.2", tsc_khz=0)

pytestmark = [
    pytest.mark.skipif(not PYTHON.exists(), reason=f"there is no {PYTHON}"),
    pytest.mark.skipif(
        platform.machine() != "x86_64", reason="the system calls tried are those of x86_64"
    ),
]


@pytest.fixture
def ground() -> Iterator[Path]:
    """A folder that everybody may reach, as a user's home is by that user."""
    folder = Path(tempfile.mkdtemp(prefix="deskmate-ground-"))
    folder.chmod(0o755)
    shutil.copy(launcher.__file__, folder / "launcher.py")
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def break_out(ground: Path, uid: int, *, walls: bool) -> tuple[dict[str, str], dict[str, Any]]:
    """Run the shellcode as `uid`, behind the launcher or not; returns (action → refusal, walls)."""
    home, disk = ground / "home", ground / "base.erofs"
    home.mkdir(mode=0o777)
    (home / "user.docx").write_text("the user's own")
    (home / "user.docx").chmod(0o666)
    disk.write_text("shared")
    for path in (home / "user.docx", home, disk):
        os.chown(path, uid, uid)
    user: dict[str, Any] = {"user": uid, "group": uid, "extra_groups": []}
    as_user = {} if uid == os.geteuid() else user
    with (
        subprocess.Popen(["/bin/sleep", "300"], env={"SECRET": "x"}, **as_user) as victim,
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.socket(socket.AF_UNIX) as bus,
        socket.socket(socket.AF_UNIX) as hidden,
        tempfile.TemporaryFile(dir=ground) as scratch,
        disk.open("rb") as shared,
    ):
        bus.bind(str(home / "bus"))
        (home / "bus").chmod(0o777)
        hidden.bind(f"\0deskmate-{victim.pid}")
        for listener in (bus, hidden):
            listener.listen()
        fds = {"scratch": scratch.fileno(), "base": shared.fileno()}
        numbers = [victim.pid, server.getsockname()[1], *fds.values()]
        code = [str(PYTHON), "-I", "-S", "-c", SHELLCODE.read_text(), str(home), *map(str, numbers)]
        try:
            return (_launch if walls else _run)(ground, as_user, fds, code)
        finally:
            victim.kill()


def _launch(
    ground: Path, as_user: dict[str, Any], fds: dict[str, int], code: list[str]
) -> tuple[dict[str, str], dict[str, Any]]:
    qemu = Qemu(binary=PYTHON.resolve(), version="7.2")
    given = {**dict.fromkeys(PARTS, fds["base"]), **fds}
    plan = launch_plan(qemu, SHAPE, given, incoming=True, shared=False)
    plan["command"] = code
    plan["read"].append("/proc")  # more than QEMU has: the processes there must guard themselves
    plan["write_fds"] = []
    plan["keep_fds"] = sorted(set(fds.values()))
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb") as report, SHELLCODE.open("rb") as stray:
        done = subprocess.run(
            [PYTHON, "-I", "-S", ground / "launcher.py", str(os.getpid()), str(writer)],
            input=json.dumps(plan).encode() + b"\n", capture_output=True, cwd="/", timeout=120,
            pass_fds=[*plan["keep_fds"], writer, stray.fileno()], env={"SECRET": "of the host"}, **as_user,
        )  # fmt: skip
        os.close(writer)
        walls = json.loads(report.readline())
    assert done.stdout, (walls, done.stderr[-2000:])
    return json.loads(done.stdout), walls


def _run(
    ground: Path, as_user: dict[str, Any], fds: dict[str, int], code: list[str]
) -> tuple[dict[str, str], dict[str, Any]]:
    done = subprocess.run(
        code, capture_output=True, pass_fds=list(fds.values()), cwd="/", timeout=120,
        env={"SECRET": "of the host"}, **as_user,
    )  # fmt: skip
    assert done.stdout, done.stderr[-2000:]
    return json.loads(done.stdout), {}


@pytest.mark.attack("G13")
@pytest.mark.parametrize("who", ["root", "a plain user"])
def test_code_behind_the_walls_reaches_nothing_of_the_host(
    who: str, ground: Path, attempt: Attempts
) -> None:
    if os.geteuid() != 0 and who == "root":
        pytest.skip("only root can show what holds when Deskmate is started by root")
    uid = os.geteuid() if who == "root" or os.geteuid() != 0 else PLAIN_UID
    refusals, walls = break_out(ground, uid, walls=True)
    if walls["landlock"] == 0 or not walls["seccomp"]:
        pytest.skip(f"this kernel raises not all walls: {walls}")
    assert len(refusals) > 50
    for name, why in refusals.items():
        attempt(f"as {who}: {name}", blocked=bool(why))
    assert (ground / "home/user.docx").read_text() == "the user's own"
    assert sorted(path.name for path in (ground / "home").iterdir()) == ["bus", "user.docx"]
    assert (ground / "home/user.docx").stat().st_mode & 0o777 == 0o666
    assert (ground / "base.erofs").read_text() == "shared"


def test_the_same_code_without_walls_gets_through(ground: Path) -> None:
    uid = PLAIN_UID if os.geteuid() == 0 else os.geteuid()
    refusals, _ = break_out(ground, uid, walls=False)
    done = [name for name, why in refusals.items() if not why]
    assert len(done) > 30, refusals
    assert {"read the user's file", "end a process", "start a program", "fill the disk"} <= {*done}
