"""What one thread has sent and received, against its limits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from deskmate.connectors.egress.policy import NetworkPolicy
from deskmate.types.events import EgressAsked, EgressEnded, NetworkSet, Payload
from deskmate.types.network import NetworkLimits

AGAIN = "allow the host again to begin a new budget"


class Budget:
    """Counts bytes and requests. What is under way counts in full from its first byte."""

    def __init__(self, limits: NetworkLimits, before: Iterable[Payload] = ()) -> None:
        """`before`: the facts of the thread so far; those since its network was last set count."""
        self.limits = limits
        self.sent: Counter[str] = Counter()
        self.received = 0
        self.requests = 0
        hosts: dict[str, tuple[str, int]] = {}
        for fact in before:
            if isinstance(fact, NetworkSet):
                self.sent.clear()
                self.received = self.requests = 0
                hosts.clear()
            elif isinstance(fact, EgressAsked):
                self.requests += 1
                if fact.allowed:
                    hosts[fact.request] = (fact.host, fact.size)
                    self.sent[fact.host] += fact.size
            elif isinstance(fact, EgressEnded) and fact.request in hosts:
                host, told = hosts.pop(fact.request)
                self.sent[host] += fact.sent - told
                self.received += fact.received

    def why_not(self, host: str, size: int, policy: NetworkPolicy) -> str:
        """Return why `size` more bytes may not be sent to a host, empty if they may."""
        limit = self.send_limit(host, policy)
        if self.sent[host] + size > limit:
            return f"this thread has used the {limit} bytes it may send to {host}; {AGAIN}"
        if self.received >= self.limits.received_bytes:
            return f"this thread has used the {self.limits.received_bytes} bytes it may receive; {AGAIN}"
        if self.requests >= self.limits.requests:
            return f"this thread has made the {self.limits.requests} requests that it may make; {AGAIN}"
        return ""

    def send_limit(self, host: str, policy: NetworkPolicy) -> int:
        """Return how many bytes the thread may send to a host."""
        writes = policy.may_write(host)
        return self.limits.sent_bytes if writes else self.limits.read_only_sent_bytes

    def may_receive(self, so_far: int) -> bool:
        """Say whether an answer that has `so_far` bytes may go on."""
        within = self.received < self.limits.received_bytes
        return within and so_far <= self.limits.response_bytes
