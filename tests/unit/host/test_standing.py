"""Who answers where nobody is there: what was agreed to, for just that target, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from deskmate.agent.manifests import digest_of
from deskmate.host.orders import Unattended
from deskmate.host.standing import StandingApprover, covers
from deskmate.types.policy import Rule
from deskmate.types.registry import ToolSpec

pytestmark = pytest.mark.anyio
SEND = ToolSpec(
    plugin="mail", name="mail__send", title="Send", description="", input_schema={}, risk="send"
)
TEAM = Rule(decision="allow", tool="mail__send", where={"to": "team@example.test"})
TO_TEAM = {"to": "team@example.test", "text": "Hello"}


@pytest.mark.parametrize(
    ("rule", "tool", "arguments", "is_covered"),
    [
        (TEAM, "mail__send", TO_TEAM, True),
        (TEAM, "mail__send", {"to": "team@example.test "}, False),
        (TEAM, "mail__send", {"to": ["team@example.test"]}, False),
        (TEAM, "mail__send", {"to": "team@example.test,drop@example.test"}, False),
        (TEAM, "mail__send", {"text": "Hello"}, False),
        (TEAM, "mail__draft", TO_TEAM, False),
        (Rule(decision="allow", tool="mail__send"), "mail__send", TO_TEAM, False),
        (Rule(decision="ask", tool="mail__send", where=TEAM.where), "mail__send", TO_TEAM, False),
    ],
)
def test_only_the_very_target_is_covered(
    rule: Rule, tool: str, arguments: dict[str, Any], is_covered: bool
) -> None:
    assert covers(rule, tool, arguments) is is_covered


async def test_what_is_agreed_is_answered_by_the_schedule_and_the_rest_waits() -> None:
    approver = StandingApprover(Unattended(allowed=(TEAM,), agreed_in="schedule X", by="deadline"))
    assert await approver.approve(SEND, TO_TEAM, "") is True
    assert approver.by == "schedule X"
    assert await approver.approve(SEND, {"to": "boss@example.test"}, "") is None


async def test_in_the_end_the_answer_to_the_rest_is_no() -> None:
    order = Unattended(allowed=(TEAM,), agreed_in="schedule X", otherwise=False, by="deadline")
    approver = StandingApprover(order)
    assert await approver.approve(SEND, {"to": "boss@example.test"}, "") is False
    assert approver.by == "deadline"
    assert await approver.approve(SEND, TO_TEAM, "") is True
    assert approver.by == "schedule X"


async def test_the_users_own_word_on_one_call_goes_before_all() -> None:
    approver = StandingApprover(Unattended(given={digest_of(TO_TEAM): False}, allowed=(TEAM,)))
    assert await approver.approve(SEND, TO_TEAM, "") is False
    assert approver.by == "user"
