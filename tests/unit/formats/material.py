"""Plugins made here, in the shapes that are found in the wild: none of their text is anybody else's."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deskmate.formats.plugin import read_plugin
from deskmate.formats.tree import Fact, Tree
from deskmate.types.foreign import ForeignPlugin

Files = Mapping[str, str | bytes]


class MemoryTree(Tree):
    """A tree of files that are in memory."""

    def __init__(self, files: Files, name: str = "acme") -> None:
        super().__init__(name)
        self._content = {
            path: content.encode() if isinstance(content, str) else content
            for path, content in files.items()
        }
        for path, content in self._content.items():
            if self.accept(path):
                self.add(path, Fact(len(content), executable=False, place=path))

    def chunks(self, path: str) -> Iterator[bytes]:
        yield self._content[path]


def read(files: Files, entry: Mapping[str, Any] | None = None, name: str = "acme") -> ForeignPlugin:
    return read_plugin(MemoryTree(files, name), entry)


def codes(plugin: ForeignPlugin) -> list[str]:
    return sorted({one.code for one in plugin.diagnostics})


def skill(
    name: str,
    description: str = "Does a thing. Use when it is needed.",
    body: str = "# How\n",
    **head: str,
) -> str:
    more = "".join(f"{key.replace('_', '-')}: {value}\n" for key, value in head.items())
    return f"---\nname: {name}\ndescription: {description}\n{more}---\n{body}"


def manifest(name: str = "acme", **more: Any) -> str:
    return json.dumps({"name": name, "description": "Does things.", **more})


MANIFEST = ".claude-plugin/plugin.json"


def plain(**more: str | bytes) -> dict[str, str | bytes]:
    """A plugin with one skill that nothing is odd about; `more`: other files, `__` for `/`."""
    return {MANIFEST: manifest(), "skills/write/SKILL.md": skill("write"), **more}


def lay(folder: Path, files: Files) -> Path:
    """Write files below a folder and return it."""
    for path, content in files.items():
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


@dataclass(frozen=True, slots=True)
class Expected:
    """What a made plugin holds."""

    skills: int
    commands: int
    agents: int
    hooks: int
    servers: int


WORDS = [
    "invoice",
    "ledger",
    "contract",
    "clause",
    "deck",
    "roadmap",
    "ticket",
    "policy",
    "vendor",
    "forecast",
    "campaign",
    "lead",
]


def corpus(
    count: int = 452, seed: int = 7
) -> Iterator[tuple[str, dict[str, str | bytes], Expected]]:
    """Yield plugins in the shapes, and about as often, as they are found: name, files, what they hold."""
    dice = random.Random(seed)
    for number in range(count):
        name = f"{dice.choice(WORDS)}-{dice.choice(WORDS)}-{number}"
        yield name, *_one(dice, name)


def _one(dice: random.Random, name: str) -> tuple[dict[str, str | bytes], Expected]:
    files: dict[str, str | bytes] = {"README.md": f"# {name}\n"}
    if dice.random() < 0.82:
        about: dict[str, Any] = {"name": name, "description": f"All about {name}."}
        if dice.random() < 0.9:
            about["author"] = {"name": "Somebody"}
        if dice.random() < 0.6:
            about["version"] = f"{dice.randrange(3)}.{dice.randrange(9)}.0"
        if dice.random() < 0.2:
            about["keywords"] = [name]
        files[MANIFEST] = json.dumps(about)
    skills = dice.randrange(1, 9) if dice.random() < 0.56 else 0
    for number in range(skills):
        files |= _skill(dice, f"{dice.choice(WORDS)}-{number}")
    commands = dice.randrange(1, 6) if dice.random() < 0.3 else 0
    for number in range(commands):
        files[f"commands/do-{number}.md"] = dice.choice(_COMMANDS)
    agents = dice.randrange(1, 5) if dice.random() < 0.1 else 0
    for number in range(agents):
        files[f"agents/helper-{number}.md"] = dice.choice(_AGENTS).format(name=f"helper-{number}")
    hooks = _hooks(dice, files)
    servers = _servers(dice, files)
    if dice.random() < 0.2:
        files["CONNECTORS.md"] = CONNECTORS
    return files, Expected(skills, commands, agents, hooks, servers)


def _skill(dice: random.Random, name: str) -> dict[str, str | bytes]:
    path = f"skills/{name}/SKILL.md"
    shape = dice.random()
    if shape < 0.1:
        return {path: f"# {name}\n\ndescription: Writes a {name}.\n\nThen more.\n"}
    if shape < 0.16:
        return {path: skill(f"{name}-other")}
    if shape < 0.2:
        return {path: skill(f"kit/{name}", user_invocable="false", triggers="\n  - now")}
    if shape < 0.4:
        return {
            path: skill(name, argument_hint='"<file>"', body="Read $1 for $2 million, see ~~CRM.\n")
        }
    if shape < 0.5:
        return {
            path: skill(name, allowed_tools="Read, Bash(git add:*)"),
            f"skills/{name}/references/more.md": "More.\n",
        }
    return {path: skill(name, body=f"# {name}\n\nSteps of {name}.\n" * dice.randrange(1, 40))}


_COMMANDS = (
    "---\ndescription: Do it\nargument-hint: [project-name]\n---\nDo $ARGUMENTS\n",
    '---\ndescription: Do it\nallowed-tools: ["Read", "Bash"]\nargument-hint: "<file>"\n---\nDo @$1\n',
    '---\ndescription: Do it\nhide-from-slash-command-tool: "true"\n---\nDo it.\n',
    "---\ndescription: Do it\ndisable-model-invocation: true\n---\nDo it.\n",
)
_AGENTS = (
    "---\nname: {name}\ndescription: Helps. Examples:\n\n<example>\nuser: hello\n</example>\nmodel: sonnet\n---\nYou help.\n",
    "---\nname: {name}\ndescription: Helps\ntools: Read, Grep\ncolor: blue\n---\nYou help.\n",
    '---\nname: {name}\ndescription: Helps\ntools: ["Read"]\nmodel: inherit\n---\nYou help.\n',
)
CONNECTORS = """\
# Connectors

| Category | Placeholder | Included servers | Other options |
|---|---|---|---|
| CRM | `~~CRM` | Acme CRM | Other CRM, Third CRM |
| Project tracker | `~~project tracker` | Boards | Tickets |
"""


def _hooks(dice: random.Random, files: dict[str, str | bytes]) -> int:
    shape = dice.random()
    if shape < 0.05:
        files["hooks/hooks.json"] = "[]"
    elif shape < 0.06:
        files["hooks/hooks.json"] = '{"hooks": {}}'
    elif shape < 0.13:
        handlers = [{"type": "command", "command": "${CLAUDE_PLUGIN_ROOT}/x.sh", "timeout": 5}] * 3
        hooks = {
            "PostToolUse": [{"matcher": "Edit|Write", "hooks": handlers}],
            "Stop": [{"hooks": handlers[:1]}],
        }
        files["hooks/hooks.json"] = json.dumps({"hooks": hooks})
        return 4
    return 0


def _servers(dice: random.Random, files: dict[str, str | bytes]) -> int:
    if dice.random() > 0.48:
        return 0
    servers: dict[str, Any] = {}
    for name in dice.sample(
        ("slack", "google calendar", "boards", "mail", "store"), dice.randrange(0, 5)
    ):
        address = f"https://{name.replace(' ', '-')}.example.com/mcp" if dice.random() < 0.8 else ""
        servers[name] = {"type": "http", "url": address}
    if dice.random() < 0.1:
        servers["local"] = {
            "command": "npx",
            "args": ["-y", "thing@latest"],
            "env": {"KEY": "${KEY}"},
        }
    wrapped = dice.random() < 0.75 or not servers
    files[".mcp.json"] = json.dumps({"mcpServers": servers} if wrapped else servers)
    return len(servers)
