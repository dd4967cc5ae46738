"""What a thread may reach: a pure verdict on a host, a method and a port. What no rule allows is refused."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from deskmate.connectors.egress.address import PORTS, Target
from deskmate.connectors.egress.refused import why_refused
from deskmate.types.network import READING, TUNNEL, WRITING, NetworkRule, SecretGrant


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether a request may go, and why: by whose rule, or what is against it. `page`: with none of the guest's own headers."""

    allowed: bool
    why: str
    rule: NetworkRule | None = None
    page: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkPolicy:
    """The rules of one thread. `models`: hosts that models are reached at, refused like the known ones.

    `web`: pages may be read at addresses that stand in the thread.
    """

    rules: tuple[NetworkRule, ...] = ()
    secrets: tuple[SecretGrant, ...] = ()
    models: frozenset[str] = frozenset()
    web: bool = False
    _by_host: Mapping[str, tuple[NetworkRule, ...]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        by_host: dict[str, tuple[NetworkRule, ...]] = {}
        for rule in self.rules:
            by_host[rule.host] = (*by_host.get(rule.host, ()), rule)
        object.__setattr__(self, "_by_host", by_host)

    def check(self, target: Target, method: str) -> Verdict:
        """Return the verdict on one request; `method` CONNECT asks for an opaque tunnel."""
        if why := why_refused(target.host, (method,), self.models):
            return Verdict(allowed=False, why=why)
        rules = self._by_host.get(target.host, ())
        if not rules:
            return Verdict(allowed=False, why=f"{target.host} is not allowed for this thread")
        if target.port != PORTS[target.scheme]:
            why = f"port {target.port} is not allowed for {target.scheme}; only {PORTS[target.scheme]} is"
            return Verdict(allowed=False, why=why)
        for rule in rules:
            if _allows(rule, target, method):
                return Verdict(allowed=True, why=f"allowed by {rule.by}", rule=rule)
        return Verdict(allowed=False, why=_why_not(rules, target, method))

    def may_be_page(self, target: Target, method: str) -> bool:
        """Say whether a request that no rule allows may be one for a page, if its address stands somewhere."""
        usual = target.scheme == "https" and target.port == PORTS["https"]
        known = target.host in self._by_host  # what the user or a plugin said of the host holds
        return (
            self.web
            and usual
            and method in READING
            and not known
            and not why_refused(target.host, (method,), self.models)
        )

    def is_opaque(self, host: str) -> bool:
        """Say whether connections to the host are tunnelled unseen."""
        return any(rule.opaque for rule in self._by_host.get(host, ()))

    def may_write(self, host: str) -> bool:
        """Say whether something may be uploaded to the host, which decides on its byte budget."""
        rules = self._by_host.get(host, ())
        return any(rule.opaque or set(rule.methods) & set(WRITING) for rule in rules)

    def secrets_for(self, host: str) -> frozenset[tuple[str, str]]:
        """Return (plugin, name) of the secrets that may go to the host."""
        return frozenset(
            (grant.plugin, grant.name) for grant in self.secrets if host in grant.send_to
        )


def _allows(rule: NetworkRule, target: Target, method: str) -> bool:
    if method == TUNNEL:
        return rule.opaque and target.scheme == "https"
    return method in rule.methods and not rule.opaque and (target.scheme == "https" or rule.plain)


def _why_not(rules: Iterable[NetworkRule], target: Target, method: str) -> str:
    if target.scheme == "http" and not any(rule.plain for rule in rules):
        return f"{target.host} may be reached with https only"
    methods = sorted({name for rule in rules for name in rule.methods if not rule.opaque})
    named = f" with {', '.join(methods)} only" if methods else " as an opaque tunnel only"
    return f"{method} is not allowed: {target.host} may be reached{named}"
