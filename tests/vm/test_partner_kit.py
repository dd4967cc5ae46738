"""The tutorial for partners, word for word: from nothing to a checked plugin that answers in a thread."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.vm.desk import Desk

pytestmark = [pytest.mark.vm, pytest.mark.timeout(300)]
ROOT = Path(__file__).parents[2]
TUTORIAL = ROOT / "docs/how-to/write-a-plugin.md"
STEP = re.compile(
    r"```sh\n(?P<commands>.*?)```"
    r"|<!-- change: (?P<file>\S+) -->\n```\w+\n(?P<old>.*?)```\n\nby\n\n```\w+\n(?P<new>.*?)```",
    re.DOTALL,
)


def steps() -> Iterator[re.Match[str]]:
    return STEP.finditer(TUTORIAL.read_text("utf-8"))


def test_the_tutorial_takes_five_commands_and_thirty_lines_at_most() -> None:
    commands = [
        line
        for step in steps()
        for line in (step["commands"] or "").splitlines()
        if line.startswith("deskmate ")
    ]
    written = sum(len(step["new"].splitlines()) for step in steps() if step["file"])
    assert len(commands) == 5, commands
    assert 0 < written <= 30


def test_the_tutorial_works_word_for_word_in_a_real_machine(
    make_home: Callable[[], Desk], tmp_path: Path
) -> None:
    desk = make_home()
    work = tmp_path / "work"
    work.mkdir()
    environ = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(tmp_path / "nobody"),
        "DESKMATE_HOME": str(desk.home),
        "LANG": "C.UTF-8",
    }
    said = ""
    for step in steps():
        if step["file"]:
            file = work / step["file"]
            text = file.read_text("utf-8")
            assert text.count(step["old"]) == 1, step["file"]
            file.write_text(text.replace(step["old"], step["new"]), "utf-8")
            continue
        done = subprocess.run(
            ["/bin/sh", "-ec", step["commands"]],
            cwd=work,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            timeout=200,
            check=False,
        )
        said += done.stdout
        assert done.returncode == 0, f"{step['commands']}\n{done.stdout}"
    assert "run in: virtual machine" in said
    assert "Level: tested" in said
    assert "FAILED" not in said
    assert "2 lines, 7 words, 1 open tasks" in said
    table = (work / "notes/today-tally.md").read_text("utf-8")
    assert "| questions | 1 |" in table
    (thread,) = desk.json("thread", "list")
    assert desk.events(thread["thread"], "Validated")[-1]["rules"].count("ACME-COUNTS") == 1
