"""What the user decided for a thread's tools: the mode, and standing rules for (tool, target)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Mode = Literal["ask", "auto-read", "auto"]
MODES: tuple[Mode, ...] = ("ask", "auto-read", "auto")
Decision = Literal["allow", "ask", "deny"]
NETWORK = "network"
"""The name under which requests of a virtual machine are asked about; no tool has it."""
SPENDING = "spending"
"""The name under which a call of the model is asked about; no tool has it."""
SENDS = "It sends something outside."
"""How the reason begins for which a call of a tool is asked about that sends."""
WAIT_S = 24 * 3600.0
"""How long a question waits for its answer; then it counts as refused."""
VALID_S = 15 * 60.0
"""How long a given approval may be used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A standing decision on a tool, by wire name. `where`: argument → the value it must have; empty: any call."""

    decision: Decision
    tool: str
    where: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What holds for a thread. `mode` is about connectors: work inside the virtual machine is staged.

    `budget_usd`: what all its runs together may cost; None: no limit. `ask_usd`: the user is asked before a call of the
    model that may cost more; None: never.
    """

    mode: Mode = "auto-read"
    rules: tuple[Rule, ...] = ()
    budget_usd: float | None = None
    ask_usd: float | None = None
