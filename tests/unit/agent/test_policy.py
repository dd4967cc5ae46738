"""Policy: which layer decides, for every kind of tool."""

from __future__ import annotations

from typing import Any

import pytest

from deskmate.agent.policy import Rules, judge
from deskmate.types.registry import ToolSpec


def tool(risk: Any) -> ToolSpec:
    return ToolSpec(plugin="p", name="p__t", title="", description="", input_schema={}, risk=risk)


NAMED = frozenset({"p__t"})


@pytest.mark.parametrize(
    ("risk", "rules", "outside", "decision"),
    [
        ("read", Rules(), False, "allow"),
        ("write", Rules(), False, "allow"),
        ("write", Rules(mode="ask"), False, "allow"),
        ("send", Rules(), False, "ask"),
        ("send", Rules(mode="auto"), False, "ask"),
        ("send", Rules(allow=NAMED), False, "ask"),
        ("read", Rules(deny=NAMED, allow=NAMED), False, "deny"),
        ("read", Rules(ask=NAMED, allow=NAMED), False, "ask"),
        ("read", Rules(deny=NAMED, ask=NAMED), False, "deny"),
        ("read", Rules(), True, "allow"),
        ("read", Rules(mode="ask"), True, "ask"),
        ("read", Rules(mode="ask", allow=NAMED), True, "allow"),
        ("write", Rules(), True, "ask"),
        ("write", Rules(mode="auto"), True, "allow"),
        ("write", Rules(allow=NAMED), True, "allow"),
        ("send", Rules(mode="auto", allow=NAMED), True, "ask"),
    ],
)
def test_the_first_matching_layer_decides(
    risk: str, rules: Rules, outside: bool, decision: str
) -> None:
    assert judge(tool(risk), rules, outside=outside).decision == decision


def test_an_unknown_tool_is_denied() -> None:
    assert judge(None, Rules(mode="auto", allow=NAMED), outside=False).decision == "deny"
