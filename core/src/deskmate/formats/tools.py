"""Claude's tool names and ours."""

from __future__ import annotations

import re
from collections.abc import Mapping

ALIASES: Mapping[str, str] = {
    "AskUserQuestion": "workspace__ask",
    "Bash": "workspace__shell",
    "Edit": "workspace__edit",
    "Glob": "workspace__glob",
    "Grep": "workspace__grep",
    "LS": "workspace__glob",
    "MultiEdit": "workspace__edit",
    "NotebookRead": "workspace__read",
    "Read": "workspace__read",
    "Skill": "skill__read",
    "TodoWrite": "workspace__plan",
    "Write": "workspace__write",
}
_MENTION = re.compile(
    r"`(" + "|".join(ALIASES) + r")\b|\b(AskUserQuestion|TodoWrite|MultiEdit|Bash|Glob|Grep)\b"
    r"|\b(Read|Write|Edit|Skill) tool\b"
)


_CLAUDE: Mapping[str, str] = {
    **{ours: claude for claude, ours in ALIASES.items()},
    "workspace__edit": "Edit",
    "workspace__glob": "Glob",
    "workspace__python": "Bash",
    "workspace__read": "Read",
    "thread__delegate": "Agent",
}


def claude_name(tool: str) -> str:
    """Return a tool's name as hooks and agents of Claude plugins write it: Claude's own where there is one of the kind."""
    return _CLAUDE.get(tool) or (f"mcp__{tool}" if "__" in tool else tool)


def our_name(tool: str) -> str:
    """Return our name of a tool as agents of Claude plugins write it, such as `Bash(git:*)`; "" for one that is not known here."""
    name = tool.partition("(")[0].strip()
    if name.startswith("mcp__"):
        return name.removeprefix("mcp__").removeprefix("plugin_")
    return ALIASES.get(name, name if "__" in name else "")


def aliases_in(text: str) -> tuple[tuple[str, str], ...]:
    """Return the tools that a text names as Claude does, with our names, in order of the alphabet."""
    found = {name for match in _MENTION.finditer(text) for name in match.groups() if name}
    return tuple((name, ALIASES[name]) for name in sorted(found))
