"""A thread's budgets: of bytes to each host, of bytes received, of requests; they outlive the process."""

from __future__ import annotations

from deskmate.connectors.egress.budget import Budget
from deskmate.connectors.egress.policy import NetworkPolicy
from deskmate.types.events import EgressAsked, EgressEnded, NetworkSet, Payload
from deskmate.types.network import NetworkLimits, NetworkRule

READ, WRITE = "read.example.test", "write.example.test"
POLICY = NetworkPolicy(
    rules=(NetworkRule(host=READ), NetworkRule(host=WRITE, methods=("GET", "POST")))
)
LIMITS = NetworkLimits(
    read_only_sent_bytes=100, sent_bytes=1000, received_bytes=500, response_bytes=400, requests=5
)


def asked(number: int, host: str, size: int, *, allowed: bool = True) -> EgressAsked:
    return EgressAsked(
        request=str(number),
        method="GET",
        host=host,
        port=443,
        path="/",
        allowed=allowed,
        why="",
        size=size,
    )


def ended(number: int, sent: int, received: int) -> EgressEnded:
    return EgressEnded(request=str(number), status=200, sent=sent, received=received)


def test_a_host_that_may_only_be_read_gets_a_small_budget() -> None:
    budget = Budget(LIMITS)
    assert not budget.why_not(READ, 100, POLICY)
    assert "100 bytes" in budget.why_not(READ, 101, POLICY)
    assert not budget.why_not(WRITE, 1000, POLICY)
    assert budget.why_not(WRITE, 1001, POLICY)


def test_budgets_go_on_after_a_restart_and_begin_anew_with_a_new_setting() -> None:
    facts: list[Payload] = [asked(1, READ, 40), ended(1, 60, 100), asked(2, READ, 30)]
    budget = Budget(LIMITS, facts)
    assert budget.sent[READ] == 90  # the second never told its end: what was asked for counts
    assert budget.received == 100
    assert budget.requests == 2
    assert budget.why_not(READ, 11, POLICY)
    renewed = Budget(LIMITS, [*facts, NetworkSet(rules=POLICY.rules)])
    assert not renewed.why_not(READ, 100, POLICY)
    assert (renewed.received, renewed.requests) == (0, 0)


def test_refused_requests_count_but_their_bytes_do_not() -> None:
    budget = Budget(LIMITS, [asked(n, READ, 90, allowed=False) for n in range(5)])
    assert budget.sent[READ] == 0
    assert "5 requests" in budget.why_not(READ, 1, POLICY)


def test_received_bytes_end_the_thread_s_traffic() -> None:
    budget = Budget(LIMITS, [asked(1, READ, 1), ended(1, 1, 500)])
    assert "500 bytes it may receive" in budget.why_not(READ, 1, POLICY)
    assert not budget.may_receive(0)
    assert Budget(LIMITS).may_receive(400)
    assert not Budget(LIMITS).may_receive(401)
