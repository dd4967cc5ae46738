"""The launcher over harmless commands: what stands, and what it refuses."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from deskmate.sandbox import launcher

SHELL = Path("/bin/sh").resolve()
LOADER = Path("/lib64/ld-linux-x86-64.so.2")


def _launch(script: str, *, parent: int | None = None, **plan: Any) -> tuple[Any, str, int]:
    read_end, write_end = os.pipe()
    default = {
        "command": [str(SHELL), "-c", script],
        "read": ["/lib", "/lib64", "/usr/lib", "/etc/ld.so.cache"],
        "execute": [str(SHELL), str(LOADER.resolve())],
        "write": ["/dev/null"], "read_fds": [], "write_fds": [], "keep_fds": [], "groups": [],
        "file_limit_bytes": 1 << 20, "memory_limit_bytes": 1 << 30,
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-I", "-S", launcher.__file__, str(parent or os.getpid()), str(write_end)],
        input=json.dumps({**default, **plan}).encode() + b"\n",
        capture_output=True,
        pass_fds=[write_end],
        timeout=30,
        env={"PATH": "/usr/bin:/bin", "SECRET": "canary"},
    )
    os.close(write_end)
    with os.fdopen(read_end, "rb") as report:
        return json.loads(report.readline()), done.stdout.decode(), done.returncode


def test_the_report_says_which_walls_stand() -> None:
    walls, out, code = _launch("echo here")
    assert (out, code) == ("here\n", 0)
    assert walls["landlock"] == launcher.landlock_abi()
    assert walls["no_new_privs"] is True
    assert walls["uid"] != 0


@pytest.mark.skipif(launcher.landlock_abi() == 0, reason="this kernel has no Landlock")
def test_files_that_were_not_handed_over_are_out_of_reach(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("x")
    _, out, _ = _launch(f"read x < /etc/passwd && echo read; : > {secret} && echo wrote")
    assert out == ""
    assert secret.read_text() == "x"


def test_the_environment_and_descriptors_are_clean() -> None:
    _, out, _ = _launch(
        'echo ${SECRET:-none}; for n in 3 4 5 6 7 8 9; do eval "true <&$n" && echo $n; done'
    )
    assert out == "none\n"


def test_a_parent_that_is_gone_is_noticed() -> None:
    report, out, code = _launch("echo here", parent=1)
    assert "gone" in report["error"]
    assert (out, code) == ("", 126)


def test_a_program_that_is_not_there_is_said_in_one_line() -> None:
    read_end, write_end = os.pipe()
    plan = {"command": ["/nonexistent"], "groups": []}
    done = subprocess.run(
        [sys.executable, "-I", "-S", launcher.__file__, str(os.getpid()), str(write_end)],
        input=json.dumps(plan).encode() + b"\n", capture_output=True, pass_fds=[write_end], timeout=30,
    )  # fmt: skip
    os.close(write_end)
    with os.fdopen(read_end, "rb") as report:
        assert "error" in json.loads(report.readline())
    assert done.returncode == 126


def test_calls_that_reach_other_processes_are_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    victim = subprocess.Popen(["/bin/sleep", "60"])
    try:
        walls, out, _ = _launch(
            f"kill -9 {victim.pid} 2>/dev/null && echo killed; kill -0 $$ && echo self",
            groups=[],
        )
        assert walls["seccomp"] is True
        assert out == "self\n"
        assert victim.poll() is None
    finally:
        victim.kill()
        victim.wait()


def test_a_socket_of_the_file_system_is_out_of_reach() -> None:
    script = (
        "import os, socket, sys; sys.path.insert(0, sys.argv[1]); import launcher as l;"
        "a, b = socket.socketpair(); l._libc.prctl(38, 1, 0, 0, 0); assert l.filter_calls();"
        "a.send(b'x'); assert b.recv(1) == b'x'; print('pair');"
        "socket.socket(socket.AF_UNIX)"
    )
    folder = str(Path(launcher.__file__).parent)
    done = subprocess.run(
        [sys.executable, "-c", script, folder], capture_output=True, text=True, timeout=30
    )
    assert done.stdout == "pair\n"
    assert "PermissionError" in done.stderr
