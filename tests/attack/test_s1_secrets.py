"""S1: a secret that the host adds to requests is in no part of the machine that makes them, and in no fact."""

from __future__ import annotations

import pytest
from tests.attack.table import Attempts
from tests.vm.test_canary import Canaries
from tests.vm.test_egress import SHOP, fetch, opened, run

from deskmate.sandbox.adapter import QemuSandbox
from deskmate.testing.fake_internet import FakeAnswer, FakeInternet, FakeRequest
from deskmate.types.codec import to_json
from deskmate.types.events import EgressAsked, Payload

pytestmark = [pytest.mark.vm, pytest.mark.anyio, pytest.mark.attack("S1")]


async def test_a_secret_that_the_host_adds_is_nowhere_in_the_machine(
    sandbox: QemuSandbox, attempt: Attempts
) -> None:
    canaries = Canaries()
    secret, control = canaries.make("shop"), canaries.make("control")

    def echo(request: FakeRequest) -> FakeAnswer:
        return FakeAnswer(headers=[("X-Echo", secret)], body=f"{request.headers}".encode())

    facts: list[Payload] = []
    async with FakeInternet() as net:
        shop = net.add(SHOP, echo)
        async with opened(sandbox, net, facts, secret) as machine:
            reply = await fetch(machine, f"https://{SHOP}/prices")
            assert shop.requests[0].headers["authorization"] == f"Bearer {secret}"
            assert "⟦secret:workspace.SHOP_KEY⟧" in reply
            canaries.look("reply", reply.encode())
            told = await run(machine, f"env; cat /proc/[0-9]*/environ; echo {control} | tee ~/seen")
            canaries.look("guest", told.encode())
            canaries.look_at_process(machine.process.pid)
    canaries.look("facts", repr([to_json(fact) for fact in facts]).encode())
    asked = [fact for fact in facts if isinstance(fact, EgressAsked)]
    assert [fact.secrets for fact in asked] == [("workspace.SHOP_KEY",)]
    assert "memory" in canaries.seen["control"], "the search finds what is there"
    assert canaries.looked_at["memory"] > 100 << 20
    for where in canaries.looked_at:
        attempt(where, blocked=where not in canaries.seen.get("shop", set()))
