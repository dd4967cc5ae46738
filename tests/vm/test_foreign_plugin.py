"""A Claude plugin in a real machine: its skills in the next turn, its files read-only beside, its hooks once they are allowed; nothing of it on the host."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import anyio
import pytest
from tests.unit.formats.material import MANIFEST, lay, manifest, skill
from tests.vm.desk import Desk

from deskmate.host import Host, RunOrder
from deskmate.ports import Delta
from deskmate.store.thread import open_thread
from deskmate.testing.scripted_model import Line, ScriptedModel
from deskmate.types.events import Event, HookFinished, ToolFinished
from deskmate.types.ids import ThreadId

pytestmark = [pytest.mark.vm, pytest.mark.timeout(300)]

FILES = {
    MANIFEST: manifest(version="1.0.0"),
    "skills/write/SKILL.md": skill("write", body="Run ${CLAUDE_SKILL_DIR}/scripts/say.py, for $ARGUMENTS.\n"),
    "skills/write/scripts/say.py": "print('said in the machine')\n",
    "skills/write/references/more.md": "More about writing.\n",
    "hooks/hooks.json": json.dumps({"hooks": {
        "SessionStart": [{"hooks": [{"type": "command", "command": "touch /home/agent/pwned; echo It is noon."}]}],
        "PreToolUse": [{"matcher": "Bash", "hooks": [{"type": "command", "command": "python3 ${CLAUDE_PLUGIN_ROOT}/hooks/guard.py"}]}],
    }}),
    "hooks/guard.py": "import json, sys\nif 'secret' in json.load(sys.stdin)['tool_input']['command']:\n    print('Not that.', file=sys.stderr)\n    sys.exit(2)\n",
    ".mcp.json": json.dumps({"mcpServers": {"own": {"command": "touch", "args": ["/home/agent/pwned"]}}}),
}  # fmt: skip
HOME = "/opt/plugins/brought/acme"
SHELL = f"python3 {HOME}/skills/write/scripts/say.py; echo x >> {HOME}/skills/write/SKILL.md; ls /home/agent; ls {HOME}/.claude-plugin"
SCRIPT: tuple[Line, ...] = (
    (("skill__read", {"name": "acme:write", "arguments": "the boss"}),),
    (
        ("workspace__shell", {"command": SHELL}),
        ("workspace__read", {"path": f"{HOME}/skills/write/references/more.md"}),
        ("workspace__read", {"path": f"{HOME}/../../../../etc/shadow"}),
    ),
    "Done.",
    (
        ("workspace__shell", {"command": "ls /home/agent"}),
        ("workspace__shell", {"command": "cat secret"}),
    ),
    "Done again.",
)


class Nobody:
    """No person is there, and nothing asks."""

    async def approve(self, tool: object, arguments: object, why: str) -> bool | None:
        return None


def quiet(item: Event | Delta) -> None:
    return None


def test_an_enabled_plugin_has_its_skills_in_the_next_turn_and_its_files_in_the_machine(
    make_home: Callable[[], Desk], tmp_path: Path
) -> None:
    desk = make_home()
    thread = ThreadId(anyio.run(Host(desk.places).create_thread, "A thread"))
    desk.call("plugin", "add", lay(tmp_path / "acme", FILES))
    desk.call("plugin", "enable", "acme", "--thread", thread, "--yes")
    model = ScriptedModel(SCRIPT)

    async def run(text: str) -> list[Event]:
        host = Host(desk.places, environ={}, model=model)
        await host.run(RunOrder(text=text), thread, observer=quiet, approver=Nobody())
        async with open_thread(desk.places.threads, thread, write=False) as store:
            return list(await store.events())

    events = anyio.run(run, "Write to the boss")
    results = [e.payload for e in events if isinstance(e.payload, ToolFinished)]
    read, shell, more, outside = (result.text for result in results)
    assert f"Run {HOME}/skills/write/scripts/say.py, for the boss." in read
    assert "said in the machine" in shell
    assert "Read-only file system" in shell
    assert "pwned" not in shell
    assert "plugin.json" in shell
    assert "More about writing." in more
    assert "is not a file of a skill" in outside
    desk.call("plugin", "hooks", "acme", "--allow", "--yes")
    events = anyio.run(run, "And again")
    held, listed = [e.payload for e in events if isinstance(e.payload, ToolFinished)][4:]
    assert "pwned" in listed.text, "the hook of the start has run in the machine"
    assert (held.outcome, held.text) == ("denied", "The hook of acme held it back: Not that.")
    hooks = [e.payload for e in events if isinstance(e.payload, HookFinished)]
    assert [(one.event, one.outcome, one.context) for one in hooks] == [
        ("SessionStart", "ok", "It is noon."),
        ("PreToolUse", "ok", ""),
        ("PreToolUse", "blocked", ""),
    ]
    assert not [*tmp_path.rglob("pwned")]
