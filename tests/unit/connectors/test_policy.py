"""The policy's verdicts: what no rule allows is refused, and some hosts whatever the rules say."""

from __future__ import annotations

import pytest

from deskmate.connectors.egress.address import Target
from deskmate.connectors.egress.policy import NetworkPolicy
from deskmate.connectors.egress.refused import why_refused
from deskmate.types.network import NetworkRule, SecretGrant

HOST = "api.example.test"


def at(host: str = HOST, *, scheme: str = "https", port: int | None = None) -> Target:
    known = 443 if scheme == "https" else 80
    return Target(scheme=scheme, host=host, port=port or known)  # type: ignore[arg-type]


def test_without_rules_nothing_is_allowed() -> None:
    verdict = NetworkPolicy().check(at(), "GET")
    assert not verdict.allowed
    assert verdict.why == "api.example.test is not allowed for this thread"


def test_a_rule_allows_its_methods_on_443_only() -> None:
    policy = NetworkPolicy(rules=(NetworkRule(host=HOST),))
    assert policy.check(at(), "GET").allowed
    assert policy.check(at(), "HEAD").allowed
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "TRACE", "get", "CONNECT", ""):
        assert not policy.check(at(), method).allowed, method
    assert not policy.check(at(port=8443), "GET").allowed
    assert not policy.check(at(scheme="http"), "GET").allowed
    assert not policy.check(at(scheme="http", port=443), "GET").allowed
    assert not policy.check(at("sub.api.example.test"), "GET").allowed


def test_port_80_needs_its_own_word() -> None:
    policy = NetworkPolicy(rules=(NetworkRule(host=HOST, plain=True),))
    assert policy.check(at(scheme="http"), "GET").allowed
    assert not policy.check(at(scheme="http", port=8080), "GET").allowed


def test_rules_of_user_and_plugin_add_up() -> None:
    policy = NetworkPolicy(
        rules=(NetworkRule(host=HOST), NetworkRule(host=HOST, methods=("POST",), by="legal"))
    )
    assert policy.check(at(), "POST").why == "allowed by legal"
    assert policy.check(at(), "GET").why == "allowed by the user"
    assert not policy.check(at(), "PUT").allowed
    assert policy.may_write(HOST)


def test_an_opaque_host_is_only_tunnelled() -> None:
    policy = NetworkPolicy(rules=(NetworkRule(host=HOST, opaque=True),))
    assert policy.is_opaque(HOST)
    assert policy.check(at(), "CONNECT").allowed
    assert not policy.check(at(), "GET").allowed
    assert not policy.check(at(scheme="http"), "CONNECT").allowed


@pytest.mark.parametrize(
    "host",
    [
        "api.anthropic.com",
        "anthropic.com",
        "api.openai.com",
        "eu.api.mistral.ai",
        "my.openai.azure.com",
    ],
)
def test_servers_of_models_are_refused_whatever_the_rules_say(host: str) -> None:
    policy = NetworkPolicy(rules=(NetworkRule(host=host, methods=("GET", "POST")),))
    assert not policy.check(at(host), "GET").allowed
    assert not policy.check(at(host), "POST").allowed
    opaque = NetworkPolicy(rules=(NetworkRule(host=host, opaque=True),))
    assert not opaque.check(at(host), "CONNECT").allowed


def test_the_users_own_model_server_is_refused_like_the_known_ones() -> None:
    rules = (NetworkRule(host="llm.corp.example"),)
    policy = NetworkPolicy(rules=rules, models=frozenset({"llm.corp.example"}))
    assert not policy.check(at("llm.corp.example"), "GET").allowed


def test_stores_that_everybody_shares_may_only_be_read() -> None:
    host = "bucket.s3.amazonaws.com"
    policy = NetworkPolicy(rules=(NetworkRule(host=host, methods=("GET", "PUT")),))
    assert policy.check(at(host), "GET").allowed
    assert not policy.check(at(host), "PUT").allowed


def test_places_made_to_take_in_anything_are_refused() -> None:
    assert why_refused("x.webhook.site", ("GET",))
    assert not why_refused("notwebhook.site", ("POST",))
    assert not why_refused("example.test", ("POST",))


def test_secrets_go_to_the_hosts_they_were_granted_for() -> None:
    grant = SecretGrant(plugin="legal", name="KEY", send_to=(HOST,))
    policy = NetworkPolicy(rules=(NetworkRule(host=HOST),), secrets=(grant,))
    assert policy.secrets_for(HOST) == {("legal", "KEY")}
    assert policy.secrets_for("other.example.test") == frozenset()
