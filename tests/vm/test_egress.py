"""A real machine's way out: programs in the guest reach what is allowed, and nothing else."""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest
from tests.vm.test_canary import Nobody, quiet

from deskmate.connectors.egress.broker import Broker
from deskmate.connectors.egress.policy import NetworkPolicy
from deskmate.errors import SandboxUnavailable
from deskmate.host import Host, RunOrder
from deskmate.ports import SandboxSpec
from deskmate.sandbox.adapter import QemuSandbox
from deskmate.sandbox.machine import QemuMachine
from deskmate.store.thread import open_thread
from deskmate.testing.fake_internet import FakeAnswer, FakeInternet
from deskmate.testing.scripted_model import ScriptedModel
from deskmate.types.events import (
    EgressAsked,
    EgressEnded,
    NetworkSet,
    Payload,
    Refused,
    ToolFinished,
)
from deskmate.types.ids import ThreadId
from deskmate.types.network import NetworkRule, SecretGrant
from deskmate.types.places import Places

pytestmark = [pytest.mark.vm, pytest.mark.anyio]
PAGE, SHOP, OTHER = "page.example.test", "shop.example.test", "other.example.test"
FETCH = """
import os, sys, urllib.request, urllib.error
key = os.environ.get("SHOP_KEY")
headers = {"Authorization": "Bearer " + key} if key and "shop" in sys.argv[1] else {}
try:
    request = urllib.request.Request(sys.argv[1], headers=headers)
    with urllib.request.urlopen(request, timeout=50) as answer:
        body = answer.read()
        print(answer.status, len(body), body[-200:].decode())
except urllib.error.HTTPError as error:
    print(error.code, error.read().decode())
except OSError as error:
    print("failed", error)
"""
DIRECT = """
import os, socket
print("interfaces", *sorted(os.listdir("/sys/class/net")))
for host in ("10.0.2.2", "10.0.2.3", "169.254.169.254", "93.184.216.1", "192.168.1.1"):
    try:
        socket.create_connection((host, 443), timeout=3).close()
        print("OPEN", host)
    except OSError:
        pass
try:
    print("OPEN", socket.getaddrinfo("page.example.test", 443))
except OSError:
    print("closed")
"""


@asynccontextmanager
async def opened(
    sandbox: QemuSandbox,
    net: FakeInternet,
    facts: list[Payload],
    secret: str = "",
    *rules: NetworkRule,
) -> AsyncIterator[QemuMachine]:
    async def record(fact: Payload) -> None:
        facts.append(fact)

    named = rules or (NetworkRule(host=PAGE), NetworkRule(host=SHOP, methods=("GET", "POST")))
    grant = SecretGrant(plugin="workspace", name="SHOP_KEY", send_to=(SHOP,))
    policy = NetworkPolicy(rules=named, secrets=(grant,))
    values = {("workspace", "SHOP_KEY"): secret} if secret else {}
    broker = Broker(policy, net.outside, record, secrets=values)
    spec = SandboxSpec(thread=ThreadId("t-egress"), plugins=(), egress=broker)
    async with sandbox.open(spec, lambda line: None) as machine:
        yield machine


async def run(machine: QemuMachine, command: str, timeout_s: int = 100) -> str:
    outcome = await machine.call(
        "workspace__shell",
        {"command": command, "timeout_s": timeout_s},
        key=secrets.token_hex(8),
        timeout_s=timeout_s + 10,
        on_progress=lambda line: None,
    )
    assert isinstance(outcome.structured, dict), outcome.text
    return str(outcome.structured["output"])


async def fetch(machine: QemuMachine, url: str) -> str:
    return await run(machine, f"python3 -c '{FETCH}' {url}")


def asked(facts: list[Payload]) -> list[tuple[str, str, bool]]:
    return [(f.host, f.path, f.allowed) for f in facts if isinstance(f, EgressAsked)]


async def test_programs_reach_allowed_hosts_and_are_told_why_not_others(
    sandbox: QemuSandbox,
) -> None:
    facts: list[Payload] = []
    async with FakeInternet() as net:
        page = net.add(PAGE, lambda request: FakeAnswer(body=b"x" * 700_000 + b" the end"))
        net.add(OTHER)
        async with opened(sandbox, net, facts) as machine:
            reply = await fetch(machine, f"https://{PAGE}/data")
            assert reply.startswith("200 700008")
            assert "the end" in reply
            refused = await fetch(machine, f"https://{OTHER}/?stolen")
            assert refused.startswith("403 Deskmate: other.example.test is not allowed")
            assert "https only" in await fetch(machine, f"http://{PAGE}/plain")
            git = await run(machine, f"git ls-remote https://{OTHER}/x.git")
            assert "is not allowed for this thread" in git
            curl = await run(machine, f"command -v curl >/dev/null && curl -sS https://{OTHER}/c")
            assert curl == "" or "not allowed for this thread" in curl
            direct = await run(machine, f"python3 -c '{DIRECT}'")
            assert "OPEN" not in direct
            assert "interfaces lo" in direct
            four = " & ".join([f"python3 -c '{FETCH}' https://{PAGE}/p"] * 4)
            assert (await run(machine, f"{four}; wait")).count("200 700008") == 4
    assert len(page.requests) == 5
    assert asked(facts)[:2] == [(PAGE, "/data", True), (OTHER, "/?stolen", False)]
    assert sum(isinstance(fact, EgressEnded) for fact in facts) == 5
    assert all(fact.status == 200 for fact in facts if isinstance(fact, EgressEnded))


async def test_a_guest_whose_broker_cannot_store_facts_is_ended(sandbox: QemuSandbox) -> None:
    full = anyio.Event()

    class Broken(Broker):
        async def serve(self, port: object) -> None:
            await full.wait()
            raise SandboxUnavailable("the disk is full")

    async def record(fact: Payload) -> None:
        return

    async with FakeInternet() as net:
        broker = Broken(NetworkPolicy(rules=(NetworkRule(host=PAGE),)), net.outside, record)
        spec = SandboxSpec(thread=ThreadId("t-broken"), plugins=(), egress=broker)
        async with sandbox.open(spec, lambda line: None) as machine:
            full.set()
            with pytest.raises(SandboxUnavailable):
                await run(machine, "sleep 60")
            assert not machine.process.running


async def test_a_run_reaches_the_hosts_of_its_order_and_its_log_says_so(
    places: Places, tmp_path: Path
) -> None:
    key = "sk-" + secrets.token_hex(20)
    own = Places(data=tmp_path / "data", cache=places.cache, config=tmp_path / "config")
    uses = (
        ("workspace__shell", {"command": f"python3 -c '{FETCH}' https://{PAGE}/a"}),
        ("workspace__shell", {"command": f"python3 -c '{FETCH}' https://{OTHER}/b"}),
    )
    async with FakeInternet() as net:
        net.add(PAGE, lambda request: FakeAnswer(body=f"take {key}".encode()))
        net.add(OTHER)
        environ = {**os.environ, "ANTHROPIC_API_KEY": key}
        model = ScriptedModel([uses, f"I found {key}."])
        host = Host(own, environ=environ, model=model, outside=net.outside)
        order = RunOrder(text="Fetch it", hosts=(NetworkRule(host=PAGE),))
        result = await host.run(order, None, observer=quiet, approver=Nobody())
        assert result.reason == "done", result
    async with open_thread(own.threads, result.thread, write=False) as store:
        facts = [event.payload for event in await store.events()]
    assert [fact.rules[0].host for fact in facts if isinstance(fact, NetworkSet)] == [PAGE]
    assert [(host, allowed) for host, _, allowed in asked(facts)] == [(PAGE, True), (OTHER, False)]
    finished = [fact.text for fact in facts if isinstance(fact, ToolFinished)]
    assert "take ⟦secret:ANTHROPIC_API_KEY⟧" in finished[0]
    assert "not allowed for this thread" in finished[1]
    assert not [fact for fact in facts if isinstance(fact, Refused)]
    assert key not in repr(facts) + repr(result)
    assert "⟦secret:ANTHROPIC_API_KEY⟧" in result.answer
    raw = b"".join(file.read_bytes() for file in own.data.rglob("*") if file.is_file())
    assert key.encode() not in raw
