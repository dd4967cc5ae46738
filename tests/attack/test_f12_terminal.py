"""What a model, a tool or a file name says never steers the user's terminal: escapes are made visible."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.attack.table import Attempts

from deskmate.cli.output import plain, say_json
from deskmate.host import Host, RunOrder
from deskmate.testing.fake_sandbox import FakeSandbox
from deskmate.testing.scripted_model import ScriptedModel
from deskmate.types.places import Places

pytestmark = [pytest.mark.attack("F12")]
SPELLS = {
    "sets the clipboard": "\x1b]52;c;ZXZpbA==\x07",
    "hides a link": "\x1b]8;;http://evil.test\x1b\\click\x1b]8;;\x1b\\",
    "clears the screen": "\x1b[2J\x1b[H",
    "sets the title": "\x1b]0;root\x07",
    "asks for an answer": '\x1b[6n\x1bP$q"p\x1b\\',
    "types keys": "\x1b[?1000h\x1b[5i",
    "rings for ever": "\x07" * 500,
    "goes back": "approved\rdenied\b\b\b\b\b\b",
    "speaks in one byte": "\x9b2J\x9d52;c;ZXZpbA==\x9c\x90\x85",
    "turns the text round": "\u202egnp.exe\u202c \u2066x\u2069",
    "deletes": "abc\x7f\x7f\x7f",
    "is a NUL": "a\x00b",
    "switches the characters": "\x0e\x0f\x1b(0",
}
HARMLESS = {*range(0x20, 0x7F), 0x09, 0x0A}


def steers(text: str) -> list[str]:
    """Return the characters that a terminal would obey."""
    marks = {*range(0x202A, 0x202F), *range(0x2066, 0x206A)}
    return [
        hex(ord(char))
        for char in text
        if (ord(char) < 0xA0 and ord(char) not in HARMLESS) or ord(char) in marks
    ]


@pytest.mark.parametrize("name", SPELLS)
def test_no_spell_leaves_the_program(
    name: str, attempt: Attempts, capsys: pytest.CaptureFixture[str]
) -> None:
    attempt(
        f"{name}: as text", blocked=steers(SPELLS[name]) != [] and steers(plain(SPELLS[name])) == []
    )
    say_json({"text": SPELLS[name], SPELLS[name]: 1})
    said = capsys.readouterr().out
    attempt(f"{name}: as JSON", blocked=steers(said) == [])
    assert json.loads(said)["text"] == SPELLS[name]


class Nobody:
    """No person is there."""

    async def approve(self, tool: object, arguments: object, why: str) -> bool | None:
        """Answer that nobody can."""
        return None


@pytest.mark.anyio
async def test_every_listing_of_a_poisoned_thread_is_safe(
    attempt: Attempts, tmp_path: Path
) -> None:
    places = Places(data=tmp_path / "data", cache=tmp_path / "cache", config=tmp_path / "config")
    poison = " ".join(SPELLS.values())
    host = Host(places, sandbox=FakeSandbox({}), model=ScriptedModel([f"Done. {poison}"]))
    result = await host.run(
        RunOrder(text=f"Hello {poison}"), None, observer=lambda item: None, approver=Nobody()
    )
    commands = [
        ["thread", "list"], ["thread", "show", result.thread], ["thread", "search", "Done"],
        ["thread", "verify", result.thread], ["changes", "show", result.thread],
        ["audit", "verify", "--thread", result.thread], ["thread", "list", "--json"],
        ["thread", "show", result.thread, "--json"], ["thread", "show", poison.replace("\x00", "")],
    ]  # fmt: skip
    shown = 0
    for command in commands:
        done = subprocess.run(
            [sys.executable, "-m", "deskmate", *command], capture_output=True, timeout=60,
            env={**os.environ, "DESKMATE_HOME": str(tmp_path)}, check=False, encoding="utf-8",
        )  # fmt: skip
        shown += "Done." in done.stdout
        found = steers(done.stdout + done.stderr)
        attempt(f"deskmate {' '.join(command[:2])}: {found[:5]}", blocked=not found)
    assert shown >= 2
