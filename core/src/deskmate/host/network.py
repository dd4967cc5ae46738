"""What a thread may reach: from what the user allows and what enabled plugins ask for, to its broker."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

from deskmate.errors import ToolDenied, UserError
from deskmate.types.events import Event, NetworkSet, Payload
from deskmate.types.network import READING, USER, WRITING, NetworkRule, SecretGrant
from deskmate.types.registry import Manifest

if TYPE_CHECKING:
    from deskmate.connectors.egress.outside import Outside
    from deskmate.ports import MakeEgress

FORM = "HOST[:GET,POST,…|opaque|plain|credentials|trusted]"
_FLAGS = ("opaque", "plain", "credentials", "trusted")
Item = TypeVar("Item", NetworkRule, SecretGrant)


def parse_allowed(text: str) -> NetworkRule:
    """Return the rule that a user wrote as `HOST[:WORD,…]`. Raises UserError.

    Words: methods in capitals (GET and HEAD without any), `opaque`, `plain`, `credentials` and `trusted`.
    """
    from deskmate.connectors.egress.address import parse_host  # noqa: PLC0415
    from deskmate.connectors.egress.refused import why_refused  # noqa: PLC0415

    name, _, tail = text.strip().partition(":")
    words = [word for word in tail.split(",") if word]
    methods = tuple(word for word in words if word not in _FLAGS)
    if unknown := [word for word in methods if word not in (*READING, *WRITING)]:
        known = ", ".join((*READING, *WRITING, *_FLAGS))
        raise UserError(f"{text!r}: {unknown[0]!r} is no method or mode.", hint=f"Use {known}.")
    try:
        host = parse_host(name)
    except ToolDenied as error:
        raise UserError(
            f"{text!r} cannot be allowed: {error.message}.",
            hint=f"Name one host in full, without https://: {FORM}",
        ) from error
    if "opaque" in words and len(words) > 1:
        raise UserError(
            f"{text!r}: an opaque host is tunnelled unseen, so nothing else can be set for it."
        )
    if "GET" in methods and "HEAD" not in methods:
        methods = (*methods, "HEAD")
    rule = NetworkRule(
        host=host,
        methods=methods or READING,
        opaque="opaque" in words,
        plain="plain" in words,
        credentials="credentials" in words,
        trusted="trusted" in words,
    )
    if why := why_refused(host, rule.methods):
        raise UserError(f"{host} cannot be allowed: {why}.")
    return rule


def shown(rule: NetworkRule) -> str:
    """Return a rule as the user writes it."""
    flags = [flag for flag in _FLAGS if getattr(rule, flag)]
    words = flags if rule.opaque else [*rule.methods, *flags]
    return f"{rule.host}:{','.join(words)}"


def last_network(events: Sequence[Event]) -> NetworkSet:
    """Return what the thread may reach by its log; nothing where that was never set."""
    for event in reversed(events):
        if isinstance(event.payload, NetworkSet):
            return event.payload
    return NetworkSet(rules=())


def changed_by_user(
    before: NetworkSet, allow: Sequence[NetworkRule], forbid: Collection[str] = ()
) -> NetworkSet:
    """Return the thread's network with the user's hosts added or replaced, and others taken out."""
    named = {rule.host for rule in allow} | set(forbid)
    kept = [rule for rule in before.rules if rule.by != USER or rule.host not in named]
    return NetworkSet(rules=(*kept, *allow), secrets=before.secrets, web=before.web)


def with_plugins(
    before: NetworkSet, manifests: Mapping[str, Manifest], agreed: Collection[str]
) -> tuple[NetworkSet, tuple[str, ...]]:
    """Return the thread's network with what its enabled plugins ask for, and why some is left out.

    A plugin gets what its manifest asks for if the user agrees to the plugin now (`agreed`), else only
    what it had before: a newer version that wants more has to be agreed to again.
    """
    mine = tuple(rule for rule in before.rules if rule.by == USER)
    rules: list[NetworkRule] = []
    secrets: list[SecretGrant] = []
    left_out: list[str] = []
    for plugin, manifest in manifests.items():
        wanted = tuple(_rules_of(plugin, manifest))
        grants = tuple(_secrets_of(plugin, manifest))
        if plugin not in agreed:
            new = [rule for rule in wanted if not _was_there(rule, before)]
            fresh = [grant for grant in grants if not _was_granted(grant, before)]
            left_out += [
                f"{plugin} now wants to reach {shown(rule)}, which you have not agreed to"
                for rule in new
            ]
            left_out += [
                f"{plugin} now wants your secret {grant.name}, which you have not agreed to"
                for grant in fresh
            ]
            wanted = tuple(rule for rule in wanted if rule not in new)
            grants = tuple(grant for grant in grants if grant not in fresh)
        rules += wanted
        secrets += grants
    network = NetworkSet(rules=(*mine, *rules), secrets=tuple(secrets), web=before.web)
    return network, tuple(left_out)


def _rules_of(plugin: str, manifest: Manifest) -> Iterator[NetworkRule]:
    for rule in manifest.hosts:
        yield NetworkRule(host=rule.host, methods=rule.methods, by=plugin)


def _secrets_of(plugin: str, manifest: Manifest) -> Iterator[SecretGrant]:
    for secret in manifest.secrets:
        yield SecretGrant(plugin=plugin, name=secret.name, send_to=secret.send_to)


def _was_there(rule: NetworkRule, before: NetworkSet) -> bool:
    return any(
        old.by == rule.by and old.host == rule.host and set(rule.methods) <= set(old.methods)
        for old in before.rules
    )


def _was_granted(grant: SecretGrant, before: NetworkSet) -> bool:
    return any(
        (old.plugin, old.name) == (grant.plugin, grant.name)
        and set(grant.send_to) <= set(old.send_to)
        for old in before.secrets
    )


def model_hosts(urls: Sequence[str]) -> frozenset[str]:
    """Return the hosts that models are reached at by these settings."""
    names = (urlsplit(url).hostname for url in urls if url)
    return frozenset(name for name in names if name)


def egress_for(
    network: NetworkSet,
    outside: Outside,
    values: Mapping[tuple[str, str], str],
    *,
    models: frozenset[str] = frozenset(),
    before: Sequence[Payload] = (),
) -> MakeEgress | None:
    """Return what makes a broker for each machine of a thread, None where it may reach nothing."""
    if not network.rules and not network.web:
        return None
    from deskmate.connectors.egress.broker import Broker  # noqa: PLC0415
    from deskmate.connectors.egress.budget import Budget  # noqa: PLC0415
    from deskmate.connectors.egress.policy import NetworkPolicy  # noqa: PLC0415
    from deskmate.types.network import NetworkLimits  # noqa: PLC0415

    policy = NetworkPolicy(
        rules=network.rules, secrets=network.secrets, models=models, web=network.web
    )
    budget = Budget(NetworkLimits(), before)
    return lambda record, keeper: Broker(
        policy, outside, record, secrets=values, budget=budget, keeper=keeper
    )
