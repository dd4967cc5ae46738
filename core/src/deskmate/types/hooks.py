"""Commands of plugins in other formats that run at certain moments, once the user approved them. Nouns only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from deskmate.types.ids import Digest

HOOK_TOOL = "workspace__hook"
"""What runs a command in the machine. The program itself calls it; a model cannot."""
TOOL_EVENTS = frozenset({"PreToolUse", "PostToolUse", "PostToolUseFailure"})
PROMPT_EVENTS = frozenset({"UserPromptSubmit", "UserPromptExpansion"})
RUN_EVENTS = TOOL_EVENTS | PROMPT_EVENTS | {"SessionStart", "Stop"}
"""Moments at which a command can run here."""
TIMEOUT_S = 60
LONGEST_S = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class HookSpec:
    """A command that the user approved. `name`: unique in a thread. `event`, `matcher`, `condition`: as its author wrote them.

    `arguments`: None where a shell runs `command`. `waits`: what it answers decides; False: it adds words at most.
    `approved`: digest of the plugin's files and hooks, as they were approved. `environment`: variables of the command.
    """

    name: str
    plugin: str
    event: str
    command: str
    approved: Digest
    matcher: str = ""
    condition: str = ""
    arguments: tuple[str, ...] | None = None
    timeout_s: int = TIMEOUT_S
    waits: bool = True
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def line(self) -> str:
        """The command as people read it."""
        return " ".join((self.command, *(self.arguments or ())))
