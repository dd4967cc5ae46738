"""No secret stands where every user of the computer can read it: on a command line or in a world-readable file."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.attack.canary import Canary
from tests.attack.table import Attempts
from tests.vm.desk import Desk

pytestmark = [pytest.mark.vm, pytest.mark.attack("S3")]


@contextmanager
def watched_processes(found: dict[str, str]) -> Iterator[None]:
    """Collect meanwhile what every process shows of itself: command line and name."""
    stop = threading.Event()

    def watch() -> None:
        while not stop.is_set():
            for folder in Path("/proc").glob("[0-9]*"):
                try:
                    line = (
                        (folder / "cmdline")
                        .read_bytes()
                        .replace(b"\0", b" ")
                        .decode("utf-8", "replace")
                    )
                except OSError:
                    continue
                if line:
                    found[line] = folder.name
            time.sleep(0.02)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def test_a_run_shows_no_secret_on_any_command_line(
    desk: Desk, canary: Canary, attempt: Attempts, tmp_path: Path
) -> None:
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "a.txt").write_text("a")
    desk.extra.update(
        ANTHROPIC_API_KEY=canary.text, DESKMATE_MODEL_KEY=canary.text, TOKEN=canary.text
    )
    found: dict[str, str] = {}
    with watched_processes(found):
        desk.call("doctor")
        desk.call("run", "list the files", "--model", "offline", "--folder", folder, code=1)
    lines = [line for line in found if canary.found(line.encode())]
    machines = [line for line in found if "qemu-system" in line or "launcher.py" in line]
    assert machines, "no machine was seen: nothing was tried"
    attempt(f"on a command line: {lines}", blocked=not lines)
    attempt(
        "a user's path on QEMU's command line",
        blocked=not any(str(folder) in line or str(desk.home) in line for line in machines),
    )
    for path in desk.home.rglob("*"):
        if path.is_file() and not path.is_symlink() and path.stat().st_mode & 0o004:
            attempt(
                f"in {path.name}, which all may read", blocked=not canary.found(path.read_bytes())
            )
    assert os.environ.get("TOKEN") != canary.text
