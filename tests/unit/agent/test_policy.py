"""Policy: which layer decides, for every kind of tool, and what no rule or mode can allow."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from deskmate.agent.policy import Exposure, is_over, judge, later, why_request
from deskmate.types.policy import MODES, Rule, Rules
from deskmate.types.registry import ToolSpec

TAINTED = Exposure(private=True, untrusted=True)
TIME = "2026-11-23T09:00:00.000000Z"


def tool(risk: Any) -> ToolSpec:
    return ToolSpec(plugin="p", name="p__t", title="", description="", input_schema={}, risk=risk)


def rules(*decisions: Any, mode: Any = "auto-read", **where: str) -> Rules:
    return Rules(
        mode=mode,
        rules=tuple(Rule(decision=word, tool="p__t", where=where) for word in decisions),
    )


@pytest.mark.parametrize(
    ("risk", "rules", "outside", "decision"),
    [
        ("read", rules(), False, "allow"),
        ("write", rules(), False, "allow"),
        ("write", rules(mode="ask"), False, "allow"),
        ("send", rules(), False, "ask"),
        ("send", rules(mode="auto"), False, "ask"),
        ("send", rules("allow"), False, "ask"),
        ("read", rules("allow", "deny"), False, "deny"),
        ("read", rules("allow", "ask"), False, "ask"),
        ("read", rules("ask", "deny"), False, "deny"),
        ("read", rules(), True, "allow"),
        ("read", rules(mode="ask"), True, "ask"),
        ("read", rules("allow", mode="ask"), True, "allow"),
        ("write", rules(), True, "ask"),
        ("write", rules(mode="auto"), True, "allow"),
        ("write", rules("allow"), True, "allow"),
        ("send", rules("allow", mode="auto"), True, "ask"),
    ],
)
def test_the_first_matching_layer_decides(
    risk: str, rules: Rules, outside: bool, decision: str
) -> None:
    assert judge(tool(risk), rules, outside=outside).decision == decision


def test_an_unknown_tool_is_denied() -> None:
    assert judge(None, rules("allow", mode="auto"), outside=False).decision == "deny"


@pytest.mark.parametrize(
    ("arguments", "decision"),
    [
        ({"folder": "Drafts", "text": "x"}, "allow"),
        ({"folder": "drafts"}, "ask"),
        ({"folder": ["Drafts"]}, "ask"),
        ({}, "ask"),
    ],
)
def test_a_rule_holds_for_its_target_only(arguments: dict[str, Any], decision: str) -> None:
    held = rules("allow", folder="Drafts")
    assert judge(tool("write"), held, outside=True, arguments=arguments).decision == decision


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("allowed", [(), ("allow",)])
@pytest.mark.parametrize("outside", [False, True])
def test_no_mode_and_no_rule_sends_unasked(mode: Any, allowed: tuple[str], outside: bool) -> None:
    for exposure in (Exposure(), TAINTED):
        held = rules(*allowed, mode=mode)
        judged = judge(tool("send"), held, outside=outside, exposure=exposure)
        assert judged.decision == "ask"


@pytest.mark.parametrize(
    ("risk", "allowed", "decision"),
    [("read", (), "ask"), ("read", ("allow",), "allow"), ("write", ("allow",), "ask")],
)
def test_in_a_tainted_thread_what_goes_to_a_connector_is_asked_about(
    risk: str, allowed: tuple[str], decision: str
) -> None:
    held = rules(*allowed, mode="auto")
    assert judge(tool(risk), held, outside=True, exposure=TAINTED).decision == decision
    # half of it is not enough
    for half in (Exposure(private=True), Exposure(untrusted=True)):
        assert judge(tool(risk), held, outside=True, exposure=half).decision == "allow"


def test_which_requests_of_a_machine_are_asked_about() -> None:
    asked = {
        (private, untrusted, reading, trusted)
        for private, untrusted, reading, trusted in itertools.product((False, True), repeat=4)
        if why_request(
            Exposure(private=private, untrusted=untrusted), reading=reading, trusted=trusted
        )
    }
    writes = {
        (private, untrusted, False, trusted)
        for private, untrusted, trusted in itertools.product((False, True), repeat=3)
        if private or untrusted
    }
    assert asked == writes | {(True, False, True, False), (True, True, True, False)}


def test_an_approval_ends_at_its_time() -> None:
    end = later(TIME, 60)
    assert not is_over(end, later(TIME, 59.9))
    assert is_over(end, end)
    assert not is_over("", TIME)
