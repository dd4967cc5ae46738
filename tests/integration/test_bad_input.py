"""Whatever goes wrong: one line says what happened to what, the exit code fits, the folder stays as it was."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deskmate.cli.run import EXIT_CODES, show_result
from deskmate.host import Host, RunOrder
from deskmate.testing.fake_sandbox import FakePlugin, FakeSandbox
from deskmate.types.files import Grant
from deskmate.types.places import find_places

Run = Callable[..., subprocess.CompletedProcess[str]]
Serve = Callable[..., Any]

EVENT = "event: {0}\ndata: {1}\n\n"
START = EVENT.format(
    "message_start",
    '{"type":"message_start","message":{"id":"m","type":"message","role":"assistant","model":"x",'
    '"content":[],"stop_reason":null,"usage":{"input_tokens":1,"output_tokens":1}}}',
)
STREAM = {"content-type": "text/event-stream"}


def said(done: subprocess.CompletedProcess[str], code: int) -> str:
    """Return what an error said, after checking its form: one line, at most one more with a hint."""
    lines = done.stderr.splitlines()
    assert "Traceback" not in done.stderr
    assert done.returncode == code, done.stderr
    assert lines[0].startswith("deskmate: ")
    assert len(lines) == 1 or (len(lines) == 2 and lines[1].startswith("  ")), done.stderr
    assert done.stdout == ""
    return done.stderr


def test_a_folder_that_is_not_there_or_no_folder_is_named(deskmate: Run, folder: Path) -> None:
    missing = said(deskmate("run", "Go", "--folder", folder / "gone"), 2)
    assert f"{folder}/gone does not exist." in missing
    file = said(deskmate("run", "Go", "--folder", folder / "note.txt"), 2)
    assert f"{folder}/note.txt is not a folder." in file
    mode = said(deskmate("run", "Go", "--folder", f"{folder}:rwx"), 2)
    assert "'rwx' is no mode" in mode
    assert "ro, rw or rw-no-delete" in mode
    twice = said(deskmate("run", "Go", "-f", folder, "-f", folder / "sub"), 2)
    assert "overlap" in twice
    assert "There is no thread yet" in deskmate("thread", "list").stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("run", "Go", "--plugin", "nosuch"), "There is no plugin 'nosuch' here."),
        (("run", "Go", "--thread", "t-gone"), "There is no thread t-gone."),
        (("run", "Go", "--thread", "../../etc"), "There is no thread ../../etc."),
        (("run", "Go", "--model", "nosuch"), "There is no model 'nosuch'."),
        (("run", "Go", "--model", "sonnet"), "Set ANTHROPIC_API_KEY"),
        (("run", "Go", "--model", "local"), "Set DESKMATE_MODEL_URL"),
        (("run", "Go", "--model", "replay:gone"), "gone cannot be read: No such file"),
        (("run",), "There is no request."),
        (("run", "Go", "--budget", "much"), "'much' is not a valid float."),
        (("nosuch",), "No such command 'nosuch'."),
        (("chat", "t-gone"), "There is no thread t-gone."),
        (("thread", "show"), "There is no thread yet."),
        (("thread", "resume", "t-gone"), "There is no thread t-gone."),
        (("changes", "show"), "There is no thread yet."),
        (("plugin", "enable", "legal", "--thread", "t-gone"), "There is no thread t-gone."),
        (("skill", "show", "nosuch"), "There is no skill 'nosuch'."),
    ],
)
def test_what_is_not_there_is_named(deskmate: Run, arguments: tuple[str, ...], words: str) -> None:
    assert words in said(deskmate(*arguments), 2)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"model = [", "config.toml is not TOML"),
        (b"\xff\xfe", "config.toml is not TOML"),
        (b"plugins = 3", "The setting plugins is not a table of tables."),
        (b"models = 3\nmodel = 'sonnet'", "The setting models is not a table."),
        (b"model = 3", "There is no model '3'."),
    ],
)
def test_broken_settings_are_named(
    deskmate: Run, home: Path, folder: Path, text: bytes, words: str
) -> None:
    (home / "config/config.toml").write_bytes(text)
    assert words in said(deskmate("run", "Go", "--folder", folder), 2)
    assert "Traceback" not in deskmate("model", "list").stderr


def test_without_an_image_or_qemu_nothing_is_done_and_the_cure_is_named(
    deskmate: Run, folder: Path
) -> None:
    order = ("run", "Review this NDA", "--plugin", "legal", "--folder", folder)
    qemu = deskmate(*order)
    assert qemu.returncode == 1
    assert "Tools were off, so nothing was read or written: QEMU is not installed." in qemu.stdout
    assert "Install the package qemu-system-x86" in qemu.stdout
    if not shutil.which("qemu-system-x86_64"):
        pytest.skip("QEMU is not installed here, so its lack is all there is to see")
    image = deskmate(*order, PATH=os.environ["PATH"])
    assert image.returncode == 1
    assert "image has not been built. Build it once, in a few minutes: deskmate image build" in (
        image.stdout
    )
    again = deskmate("thread", "resume")
    assert again.returncode == 1  # still off, so still nothing is told as done
    assert "Traceback" not in qemu.stderr + image.stderr + again.stderr


class Hurried:
    """A clock on which waits take no time, and are kept."""

    def __init__(self) -> None:
        self.waits: list[float] = []

    def now(self) -> str:
        return "2026-11-23T12:00:00.000000Z"

    def monotonic(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)


class Nobody:
    async def approve(self, tool: object, arguments: object, why: str) -> bool | None:
        return None


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("status", "body", "headers", "words"),
    [
        (529, '{"error":{"type":"overloaded_error","message":"Overloaded"}}', {}, "is overloaded"),
        (429, '{"error":{"message":"Slow down"}}', {"retry-after": "7"}, "Slow down"),
        (500, "<html>oops</html>", {}, "failed"),
        (200, START, STREAM, "was cut before its end"),
        (200, EVENT.format("message_start", '{"type": "mess'), STREAM, "cannot be understood"),
        (200, '{"hello": "', {"content-type": "application/json"}, "Messages API"),
    ],
)
async def test_a_server_in_trouble_is_asked_again_a_bounded_number_of_times(
    status: int,
    body: str,
    headers: dict[str, str],
    words: str,
    home: Path,
    folder: Path,
    server: Serve,
    capfd: pytest.CaptureFixture[str],
) -> None:
    from deskmate.cli.render import Renderer

    there, clock = server(status, body, headers), Hurried()
    host = Host(
        find_places({"DESKMATE_HOME": str(home)}, home),
        environ={"ANTHROPIC_API_KEY": "k", "ANTHROPIC_BASE_URL": there.url},
        sandbox=FakeSandbox({"p": FakePlugin()}),
        clock=clock,
    )
    order = RunOrder(text="Go", grants=(Grant(name="contracts", folder=str(folder)),))
    result = await host.run(order, None, observer=Renderer(), approver=Nobody())
    show_result(result)
    shown = capfd.readouterr()
    assert EXIT_CODES[result.reason] == 1
    assert there.requests == 6
    assert len(clock.waits) == 5
    assert min(clock.waits) >= float(headers.get("retry-after", 0))
    assert sum(clock.waits) < 90
    assert words in result.text
    assert result.text.startswith("Gave up after 6 attempts: ")
    assert shown.err.count("asking sonnet again in") == 5
    assert f"Go on with: deskmate thread resume {result.thread}" in shown.out


def test_a_wrong_key_is_said_once_and_not_tried_again(
    deskmate: Run, folder: Path, server: Serve
) -> None:
    body = '{"error":{"type":"authentication_error","message":"invalid x-api-key"}}'
    there = server(401, body)
    environ = {"ANTHROPIC_API_KEY": "k", "ANTHROPIC_BASE_URL": there.url}
    done = deskmate("run", "Go", "--folder", folder, **environ)
    assert done.returncode == 1
    assert there.requests == 1
    line = f"failed: {there.url} refused the request (401): invalid x-api-key. "
    assert f"{line}The server does not know this key: check ANTHROPIC_API_KEY" in done.stdout
    assert done.stderr.count("invalid x-api-key") == 1
    assert "401" in said(deskmate("model", "test", **environ), 1)


def start_hanging_run(environ: dict[str, str], there: Any, *more: str) -> subprocess.Popen[str]:
    """Start a run that waits for its model, and return when it does."""
    process = subprocess.Popen(
        [sys.executable, "-m", "deskmate", "run", "Go", *more],
        env={**environ, "ANTHROPIC_API_KEY": "k", "ANTHROPIC_BASE_URL": there.url},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    deadline = time.monotonic() + 60
    while not there.requests and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    return process


def test_ctrl_c_stops_a_run_that_can_go_on_and_a_second_process_is_kept_out(
    clean_environ: dict[str, str], deskmate: Run, folder: Path, home: Path, server: Serve
) -> None:
    process = start_hanging_run(clean_environ, server(0, ""), "--folder", str(folder))
    try:
        (thread,) = [path.name for path in (home / "data/threads").glob("t-*")]
        second = said(deskmate("run", "Me too", "--thread", thread), 2)
        assert f"Another Deskmate is working in thread {thread} (pid {process.pid})." in second
        os.killpg(process.pid, signal.SIGINT)
        _, shown = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 130
    assert "deskmate: Stopped by you; nothing is lost.\n" in shown
    assert "Go on with: deskmate thread resume" in shown
    assert "Traceback" not in shown
    assert "stopped" in deskmate("thread", "list").stdout
    resumed = deskmate("run", "--thread", thread, "--model", "offline")
    assert "going on where it stopped" in resumed.stderr


def test_a_flipped_byte_in_a_thread_is_found_and_named(
    deskmate: Run, home: Path, folder: Path
) -> None:
    deskmate("run", "Remember the pelican", "--folder", folder)
    (log,) = (home / "data/threads").glob("t-*/thread.db")
    content = log.read_bytes()
    log.write_bytes(content.replace(b"pelican", b"pelicaN"))
    for command in (("thread", "show"), ("run", "Go on", "--thread", log.parent.name)):
        line = said(deskmate(*command), 1)
        assert "Event 1 of the log was altered" in line
        assert "deskmate thread verify" in line
    assert deskmate("thread", "verify").returncode == 1
    log.write_bytes(content[:100] + bytes(4096) + content[4196:])
    assert f"log of thread {log.parent.name} is damaged" in said(
        deskmate("thread", "show", log.parent.name), 1
    )
    assert "damaged" in deskmate("thread", "list").stdout


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Any:
    """A disk of 300 KiB; only root may make one."""
    disk = tmp_path / "tiny"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", disk], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("only root can mount a small disk")
    yield disk
    subprocess.run(["umount", "-l", disk], check=True)


def test_a_full_disk_is_named_and_leaves_nothing_half_made(
    deskmate: Run, folder: Path, tiny_disk: Path
) -> None:
    environ = {"DESKMATE_HOME": str(tiny_disk)}
    (tiny_disk / "fill").write_bytes(bytes(250 << 10))
    line = said(deskmate("run", "Go", "--folder", folder, **environ), 1)
    assert "A new thread cannot be made in " in line
    assert ": the disk is full." in line
    assert "Free some space" in line
    assert list((tiny_disk / "data/threads").iterdir()) == []
    (tiny_disk / "fill").unlink()
    plugins = deskmate("run", "Go", "--folder", folder, **environ)
    assert plugins.returncode == 1
    assert "deskmate: " in plugins.stderr
    assert "The disk is full.\n  Free some space" in plugins.stderr
    assert "damaged" not in deskmate("thread", "list", **environ).stdout


@pytest.mark.anyio
async def test_a_file_that_may_not_be_read_is_left_out_by_name(tmp_path: Path) -> None:
    """Root may read anything, so the scan runs in a process without that right."""
    script = (
        "import sys; from pathlib import Path; from deskmate.changes.scan import take_base;"
        "from deskmate.store.blobs import BlobStore; from deskmate.types.files import Grant;"
        "base = take_base([Grant(name='w', folder=sys.argv[1])], BlobStore(Path(sys.argv[2])));"
        "print([e.path for e in base.entries], dict(base.skipped))"
    )
    work = tmp_path / "w"
    work.mkdir()
    (work / "open.txt").write_text("x")
    (work / "secret.txt").write_text("y")
    (work / "secret.txt").chmod(0)
    drop = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if not os.geteuid() else []
    done = subprocess.run(
        [*drop, sys.executable, "-c", script, work, tmp_path / "blobs"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout == (
        "['w/open.txt'] {'w/secret.txt': 'it cannot be read: Permission denied'}\n"
    )
