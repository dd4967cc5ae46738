"""Whether a tool use may run: allowed, asked about or denied. Layers, the first match wins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from deskmate.types.registry import ToolSpec

Mode = Literal["ask", "auto-read", "auto"]
Decision = Literal["allow", "ask", "deny"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What the user decided for this thread, by wire name.

    `deny` and `ask` come first; `allow` is a standing rule and never covers sending. `mode` is about
    connectors only: files are staged, so work inside the workspace needs no question.
    """

    deny: frozenset[str] = frozenset()
    ask: frozenset[str] = frozenset()
    allow: frozenset[str] = frozenset()
    mode: Mode = "auto-read"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """The decision and the reason that the user and the model are told."""

    decision: Decision
    why: str


def judge(spec: ToolSpec | None, rules: Rules, *, outside: bool) -> Judgement:
    """Return what the policy says. `outside`: the tool runs at a connector, not in the VM."""
    if spec is None:
        return Judgement(decision="deny", why="The tool is not known.")
    if spec.name in rules.deny:
        return Judgement(decision="deny", why="You denied this tool for the thread.")
    if spec.name in rules.ask:
        return Judgement(decision="ask", why="You want to be asked about this tool.")
    if spec.risk == "send":
        return Judgement(decision="ask", why="It sends something outside.")
    if spec.name in rules.allow:
        return Judgement(decision="allow", why="You allowed this tool for the thread.")
    if not outside:
        return Judgement(decision="allow", why="It works inside the virtual machine only.")
    if spec.risk == "read" and rules.mode != "ask":
        return Judgement(decision="allow", why="It only reads.")
    if spec.risk == "write" and rules.mode == "auto":
        return Judgement(decision="allow", why="The thread's mode allows it.")
    return Judgement(decision="ask", why=f"It may {spec.risk} outside the virtual machine.")
