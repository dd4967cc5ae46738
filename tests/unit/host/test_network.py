"""What a thread may reach: as the user writes it, as plugins ask for it, and only as far as was agreed."""

from __future__ import annotations

import pytest

from deskmate.connectors.egress.outside import internet
from deskmate.errors import UserError
from deskmate.host.network import (
    changed_by_user,
    egress_for,
    last_network,
    model_hosts,
    parse_allowed,
    shown,
    with_plugins,
)
from deskmate.types.events import Event, NetworkSet, Payload, ThreadCreated
from deskmate.types.ids import ThreadId
from deskmate.types.network import NetworkRule, SecretGrant
from deskmate.types.registry import HostRule, Manifest, SecretRule

HOST = "api.example.test"
WANTS = Manifest(
    api=">=1",
    title="Shop",
    summary="x",
    hosts=(HostRule(host=HOST, methods=("GET",), why="prices"),),
    secrets=(SecretRule(name="KEY", why="account", send_to=(HOST,)),),
)
MORE = Manifest(
    api=">=1",
    title="Shop",
    summary="x",
    hosts=(HostRule(host=HOST, methods=("GET", "POST"), why="orders"),),
    secrets=(SecretRule(name="KEY", why="account", send_to=(HOST, "evil.test")),),
)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (HOST, NetworkRule(host=HOST)),
        (HOST.upper() + ".", NetworkRule(host=HOST)),
        (f"{HOST}:GET,POST", NetworkRule(host=HOST, methods=("GET", "POST", "HEAD"))),
        (f"{HOST}:POST", NetworkRule(host=HOST, methods=("POST",))),
        (f"{HOST}:plain", NetworkRule(host=HOST, plain=True)),
        (f"{HOST}:opaque", NetworkRule(host=HOST, opaque=True)),
        (
            f"{HOST}:POST,credentials",
            NetworkRule(host=HOST, methods=("POST",), credentials=True),
        ),
    ],
)
def test_a_rule_is_read_as_it_is_written(text: str, rule: NetworkRule) -> None:
    assert parse_allowed(text) == rule
    assert parse_allowed(shown(rule)) == rule


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "not a host name"),
        ("https://api.example.test", "no method"),
        ("127.0.0.1", "IP address"),
        ("localhost", "own network"),
        ("*.example.test", "not a host name"),
        (f"{HOST}:FETCH", "no method"),
        (f"{HOST}:get", "no method"),
        (f"{HOST}:opaque,POST", "tunnelled unseen"),
        ("api.anthropic.com", "serves models"),
        ("webhook.site", "takes in"),
        ("bucket.s3.amazonaws.com:PUT", "only read"),
    ],
)
def test_what_cannot_be_allowed_is_told_why(text: str, why: str) -> None:
    with pytest.raises(UserError, match=why):
        parse_allowed(text)


def test_the_users_hosts_are_added_replaced_and_taken_away() -> None:
    network = changed_by_user(NetworkSet(rules=()), [NetworkRule(host=HOST)])
    network = changed_by_user(network, [NetworkRule(host=HOST, methods=("POST",))])
    assert [rule.methods for rule in network.rules] == [("POST",)]
    plugin = NetworkRule(host=HOST, by="shop")
    network = NetworkSet(rules=(*network.rules, plugin))
    assert changed_by_user(network, [], [HOST]).rules == (plugin,)


def test_a_plugin_gets_what_it_asks_for_when_the_user_agrees_to_it() -> None:
    network, left_out = with_plugins(NetworkSet(rules=()), {"shop": WANTS}, ["shop"])
    assert network.rules == (NetworkRule(host=HOST, methods=("GET",), by="shop"),)
    assert network.secrets == (SecretGrant(plugin="shop", name="KEY", send_to=(HOST,)),)
    assert not left_out


def test_a_newer_version_that_wants_more_is_asked_about_again() -> None:
    before, _ = with_plugins(NetworkSet(rules=()), {"shop": WANTS}, ["shop"])
    same, left_out = with_plugins(before, {"shop": WANTS}, [])
    assert same == before
    assert not left_out
    wider, left_out = with_plugins(before, {"shop": MORE}, [])
    assert wider.rules == ()
    assert wider.secrets == ()
    assert "shop now wants to reach" in left_out[0]
    assert "secret KEY" in left_out[1]
    agreed, _ = with_plugins(before, {"shop": MORE}, ["shop"])
    assert agreed.rules[0].methods == ("GET", "POST")


def test_a_plugin_that_is_not_enabled_any_more_takes_its_hosts_with_it() -> None:
    before, _ = with_plugins(NetworkSet(rules=()), {"shop": WANTS}, ["shop"])
    before = changed_by_user(before, [NetworkRule(host="mine.example.test")])
    after, _ = with_plugins(before, {}, [])
    assert [rule.host for rule in after.rules] == ["mine.example.test"]
    assert after.secrets == ()


def test_the_newest_setting_counts() -> None:
    payloads: list[Payload] = [
        ThreadCreated(thread=ThreadId("t-1"), title="", version=""),
        NetworkSet(rules=(NetworkRule(host=HOST),)),
        NetworkSet(rules=()),
    ]
    events = [
        Event(seq=n, time="", payload=payload, prev_hash="", hash="")
        for n, payload in enumerate(payloads, 1)
    ]
    assert last_network(events[:1]) == NetworkSet(rules=())
    assert last_network(events[:2]).rules
    assert not last_network(events).rules


def test_without_rules_there_is_no_broker() -> None:
    outside = internet()
    assert egress_for(NetworkSet(rules=()), outside, {}) is None
    assert egress_for(NetworkSet(rules=(NetworkRule(host=HOST),)), outside, {}) is not None


def test_hosts_of_models_are_read_from_the_settings() -> None:
    assert model_hosts(("", "https://llm.corp.example:8443/v1", "nonsense")) == {"llm.corp.example"}
