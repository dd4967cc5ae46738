"""A run on a real terminal: what is shown moves, what is left is plain, and Ctrl-C leaves it clean."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

HIDING = ("NO_COLOR", "TERM", "COLUMNS", "LINES")
ERASE = "\x1b[2K"
CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal:
    """A process on a terminal of its own; `seen` is all that it wrote."""

    def __init__(self, process: subprocess.Popen[bytes], master: int) -> None:
        self.process = process
        self.master = master
        self.seen = ""

    def read_until(self, words: str, within_s: float = 90) -> None:
        """Read until these words have come, or the process has closed the terminal."""
        ends = time.monotonic() + within_s
        while words not in self.seen or not words:
            assert time.monotonic() < ends, self.seen
            if select.select([self.master], [], [], 1)[0]:
                try:
                    piece = os.read(self.master, 65_536)
                except OSError:  # Linux says so when the other side is closed
                    piece = b""
                if not piece:
                    assert not words, self.seen
                    return
                self.seen += piece.decode()

    def finish(self) -> int:
        """Read to the end; return the exit code."""
        self.read_until("")
        return self.process.wait(30)


@contextmanager
def on_terminal(
    arguments: tuple[str | Path, ...], environ: Mapping[str, str], cwd: Path, columns: int = 80
) -> Iterator[Terminal]:
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    before = termios.tcgetattr(slave)
    process = subprocess.Popen(
        [sys.executable, "-m", "deskmate", *map(str, arguments)],
        env={"TERM": "xterm-256color", **environ},
        cwd=cwd,
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )
    try:
        os.close(slave)
        yield Terminal(process, master)
        assert termios.tcgetattr(master) == before, "the terminal is as it was"
    finally:
        process.kill()
        process.wait(30)
        os.close(master)


@pytest.fixture
def live_environ(clean_environ: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in clean_environ.items() if name not in HIDING}


def left_on_screen(written: str) -> list[str]:
    """The lines that stay after everything that was erased or overwritten is gone."""
    lines = [""]
    for token in re.split(r"(\x1b\[[0-9;?]*[A-Za-z]|\r\n|\n|\r)", written):
        if token in ("\r\n", "\n"):
            lines.append("")
        elif token == ERASE:
            lines[-1] = ""
        elif re.fullmatch(r"\x1b\[\d*A", token):
            up = int(token[2:-1] or 1)
            del lines[len(lines) - up :]
        elif token == "\r" or CONTROL.fullmatch(token):
            continue
        else:
            lines[-1] += token
    return [line.rstrip() for line in lines]


@pytest.mark.parametrize("columns", [60, 120])
def test_a_run_leaves_its_steps_and_its_result_and_no_live_line(
    live_environ: dict[str, str], folder: Path, tmp_path: Path, columns: int
) -> None:
    arguments = ("run", "Go", "--folder", folder)
    with on_terminal(arguments, live_environ, tmp_path, columns) as terminal:
        assert terminal.finish() == 1  # tools are off
    assert "\x1b[?25l" not in terminal.seen, "the cursor is never hidden"
    assert ERASE in terminal.seen
    left = left_on_screen(terminal.seen)
    assert left[0].startswith("✓ opening the thread")
    assert any(line.startswith("✗ tools are off") for line in left)
    assert any(line.startswith("■ failed") for line in left)
    assert any(line.startswith("thread t-") for line in left)
    assert not [line for line in left if line[:1] in "◐◓◑◒" and line]


def test_ctrl_c_while_a_server_is_silent_leaves_the_terminal_clean(
    live_environ: dict[str, str],
    folder: Path,
    tmp_path: Path,
    server: Callable[..., Any],
) -> None:
    environ = {**live_environ, "DESKMATE_MODEL_URL": server(0, "").url}
    arguments = ("run", "Go", "--model", "local", "--folder", folder)
    with on_terminal(arguments, environ, tmp_path) as terminal:
        terminal.read_until("is thinking")
        os.write(terminal.master, b"\x03")
        assert terminal.finish() == 130
    left = left_on_screen(terminal.seen)
    assert not [line for line in left if line[:1] in "◐◓◑◒" and line]
    assert "deskmate: Stopped by you; nothing is lost." in left
    assert "  Go on with: deskmate thread resume" in left


@pytest.mark.parametrize("environ", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_who_wants_no_control_codes_gets_none(
    live_environ: dict[str, str], folder: Path, tmp_path: Path, environ: dict[str, str]
) -> None:
    arguments = ("run", "Go", "--folder", folder)
    with on_terminal(arguments, {**live_environ, **environ}, tmp_path) as terminal:
        assert terminal.finish() == 1
    assert "\x1b" not in terminal.seen
    assert "tools are off" in terminal.seen


def test_json_on_a_terminal_has_no_control_codes(
    live_environ: dict[str, str], folder: Path, tmp_path: Path
) -> None:
    arguments = ("run", "Go", "--folder", folder, "--json")
    with on_terminal(arguments, live_environ, tmp_path) as terminal:
        assert terminal.finish() == 1
    assert "\x1b" not in terminal.seen
    assert '"reason": "failed"' in terminal.seen
