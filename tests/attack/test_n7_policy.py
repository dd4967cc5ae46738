"""N7: the policy is what happens: random rules and random URLs against a reference of a few lines."""

from __future__ import annotations

import random

import pytest
from tests.attack.table import Attempts
from tests.unit.connectors.gates import make_gate

from deskmate.connectors.egress.address import Target, parse_url
from deskmate.connectors.egress.policy import NetworkPolicy
from deskmate.connectors.egress.refused import DROP_HOSTS, MODEL_HOSTS, SHARED_STORES
from deskmate.errors import ToolDenied
from deskmate.testing.fake_internet import FakeInternet
from deskmate.types.network import NetworkRule

pytestmark = [pytest.mark.attack("N7"), pytest.mark.anyio]
TRIES, SAMPLE = 100_000, 150
HOSTS = (
    *(
        "a.example.test",
        "b.example.test",
        "a.b.example.test",
        "api.openai.com",
        "x.amazonaws.com",
        "file.io",
    ),
)
METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "TRACE", "get")
SCHEMES = ("http", "https", "ws", "wss", "ftp")
PORTS = ("", ":80", ":443", ":8443", ":0443")


def reference(rules: tuple[NetworkRule, ...], url: str, method: str) -> bool:
    """The rules as a person would state them, over the URL's text."""
    scheme, rest = url.split("://")
    name, _, port = rest.split("/")[0].partition(":")
    host = name.lower().rstrip(".") if not name.endswith("..") else ""
    tls = {"https": True, "wss": True, "http": False, "ws": False}.get(scheme)
    if tls is None or int(port or (443 if tls else 80)) != (443 if tls else 80):
        return False
    if any(host == end or host.endswith("." + end) for end in (*MODEL_HOSTS, *DROP_HOSTS)):
        return False
    shared = any(host == end or host.endswith("." + end) for end in SHARED_STORES)
    if shared and method not in ("GET", "HEAD"):
        return False
    for rule in rules:
        if rule.host != host:
            continue
        if method == "CONNECT" and rule.opaque and tls:
            return True
        if not rule.opaque and method in rule.methods and (tls or rule.plain):
            return True
    return False


def some_rules(chance: random.Random) -> tuple[NetworkRule, ...]:
    return tuple(
        NetworkRule(
            host=chance.choice(HOSTS),
            methods=tuple(chance.sample(("GET", "HEAD", "POST", "PUT"), chance.randint(0, 3))),
            plain=chance.random() < 0.3,
            opaque=chance.random() < 0.2,
        )
        for _ in range(chance.randint(0, 4))
    )


def some_url(chance: random.Random) -> str:
    host = chance.choice(HOSTS)
    host = chance.choice(
        (host, host, host.upper(), host + ".", host + "..", "x" + host, "x." + host)
    )
    return f"{chance.choice(SCHEMES)}://{host}{chance.choice(PORTS)}/p"


def verdict(rules: tuple[NetworkRule, ...], url: str, method: str) -> bool:
    try:
        target: Target = parse_url(url)
    except ToolDenied:
        return False
    return NetworkPolicy(rules=rules).check(target, method).allowed


async def test_verdicts_are_those_of_the_reference(attempt: Attempts) -> None:
    chance = random.Random(20261123)
    allowed = 0
    for _ in range(TRIES):
        rules, url, method = some_rules(chance), some_url(chance), chance.choice(METHODS)
        expected = reference(rules, url, method)
        allowed += expected
        if verdict(rules, url, method) is not expected:
            attempt(f"{method} {url} {rules}", blocked=False)
    attempt(f"{TRIES} random verdicts", blocked=True)
    assert allowed > TRIES // 200, "the tries must reach both verdicts"


async def test_what_happens_is_the_verdict(attempt: Attempts) -> None:
    chance = random.Random(7)
    allowed = 0
    async with FakeInternet() as net:
        for host in HOSTS:
            net.add(host)
        for _ in range(SAMPLE):
            host, method = chance.choice(HOSTS), chance.choice(("GET", "HEAD", "POST", "PUT"))
            rules = tuple(rule for rule in some_rules(chance) if not rule.opaque)
            rules = (*rules, NetworkRule(host=chance.choice(HOSTS)))
            tls = chance.random() < 0.6
            expected = reference(rules, f"http{'s' if tls else ''}://{host}/p", method)
            gate = make_gate(net, *rules)
            net.connections.clear()
            if tls:
                reply = await gate.https(host, "/p", method)
            else:
                reply = await gate.plain(f"http://{host}/p", method)
            happened = (reply.status == 200, bool(net.connections), gate.asked[0].allowed)
            allowed += expected
            attempt(f"{method} {host} {rules}", blocked=happened == (expected,) * 3)
    assert 0 < allowed < SAMPLE
