"""N3: whatever breaks, the answer is no, and it says so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import anyio
import pytest
from tests.attack.table import Attempts
from tests.unit.connectors.gates import make_gate

from deskmate.connectors.egress import resolving
from deskmate.host.network import egress_for
from deskmate.testing.fake_internet import FakeInternet
from deskmate.types.events import NetworkSet
from deskmate.types.network import NetworkRule

pytestmark = [pytest.mark.attack("N3"), pytest.mark.anyio]
HOST = "api.example.test"


class Breaks:
    """A policy that breaks wherever it is asked."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def is_opaque(self, host: str) -> bool:
        return False

    def __getattr__(self, name: str) -> object:
        raise self._error


async def test_an_empty_policy_allows_nothing(attempt: Attempts) -> None:
    async with FakeInternet() as net:
        net.add(HOST)
        attempt(
            "no rules, no broker", blocked=egress_for(NetworkSet(rules=()), net.outside, {}) is None
        )
        for rules in (
            (),
            (NetworkRule(host=""),),
            (NetworkRule(host="*"),),
            (NetworkRule(host=HOST, methods=()),),
        ):
            reply = await make_gate(net, *rules).https(HOST)
            blocked = reply.status == 403 and b"Deskmate: " in reply.body and not net.connections
            attempt(f"rules {rules}", blocked=blocked)


async def test_a_policy_that_breaks_is_a_no(attempt: Attempts) -> None:
    async with FakeInternet() as net:
        net.add(HOST)
        for error in (
            RuntimeError("x"),
            OSError("x"),
            KeyError("x"),
            RecursionError(),
            MemoryError(),
        ):
            gate = make_gate(net, NetworkRule(host=HOST))
            object.__setattr__(gate.broker._desk, "policy", Breaks(error))
            reply = await gate.https(HOST)
            told = b"the check failed" in reply.body and not gate.asked[0].allowed
            attempt(type(error).__name__, blocked=told and not net.connections)


async def test_a_resolver_that_is_down_silent_or_slow_is_a_no(
    attempt: Attempts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resolving, "RESOLVE_S", 0.1)

    async def down(host: str) -> Sequence[str]:
        raise OSError

    async def empty(host: str) -> Sequence[str]:
        return ()

    async def nonsense(host: str) -> Sequence[str]:
        return ("not an address",)

    async def hangs(host: str) -> Sequence[str]:
        await anyio.sleep(30)
        return ("93.184.216.1",)

    async def breaks(host: str) -> Sequence[str]:
        raise ValueError

    async with FakeInternet() as net:
        net.add(HOST)
        for resolver in (down, empty, nonsense, hangs, breaks):
            gate = make_gate(net, NetworkRule(host=HOST))
            desk = gate.broker._desk
            object.__setattr__(desk, "outside", replace(desk.outside, resolver=resolver))
            reply = await gate.https(HOST)
            attempt(resolver.__name__, blocked=reply.status == 403 and not net.connections)
