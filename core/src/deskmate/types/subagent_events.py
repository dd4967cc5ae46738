"""Facts about sub-agents: who was given what to do, and each fact of its own log, which is kept inside the thread's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from deskmate.types.ids import Digest, ToolUseId
from deskmate.types.limits import Limits


@dataclass(frozen=True, slots=True, kw_only=True)
class SubagentStarted:
    """Intent: a sub-agent is about to work. `child`: its name, unique in the thread, such as `s1`.

    `task`: what it is to find out. `manifest`: blob with the entries of the files that it may read, as the thread had
    them then. `limits`: its share of what is left of the run, reserved until it ends. `role`: of a plugin, whose text it is told.
    """

    child: str
    tool_use_id: ToolUseId
    title: str
    task: str
    manifest: Digest
    files: int
    limits: Limits = field(default_factory=Limits)
    role: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SubagentDid:
    """One fact of a sub-agent's own log. `kind`: its class, `fact`: its JSON; `subagents.told` reads it."""

    child: str
    kind: str
    fact: Mapping[str, Any]
