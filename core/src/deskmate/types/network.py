"""What a thread may reach of the network: rules, the secrets that the host adds, and byte limits."""

from __future__ import annotations

from dataclasses import dataclass

READING = ("GET", "HEAD")
"""Methods that change nothing at a server that keeps the rules of HTTP."""
WRITING = ("POST", "PUT", "PATCH", "DELETE", "OPTIONS")
TUNNEL = "CONNECT"
"""The method of a request to an opaque host: what goes through is not seen."""
USER = "the user"
"""In `by`, where no plugin is named; the space keeps it apart from any plugin's name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkRule:
    """One host that a thread may reach, by exact name, on port 443.

    `by`: the user, or the plugin whose manifest asks for it. `plain`: on port 80 without TLS as well.
    `opaque`: tunnelled, so neither methods nor content are seen. `credentials`: what the guest itself
    sends as credentials is passed on. `trusted`: reading from it is not asked about, although an address
    may carry the user's data there.
    """

    host: str
    methods: tuple[str, ...] = READING
    by: str = USER
    plain: bool = False
    opaque: bool = False
    credentials: bool = False
    trusted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """A request of a VM, as the user is shown it: all that it would send but the secrets that the host adds.

    `body` None: it cannot be seen, since it goes through a tunnel. `trusted`: see `NetworkRule`.
    """

    method: str
    url: str
    headers: tuple[str, ...] = ()
    body: bytes | None = b""
    trusted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretGrant:
    """A secret that the host adds to a plugin's requests to these hosts. The guest has a stand-in."""

    plugin: str
    name: str
    send_to: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkLimits:
    """Bounds of one thread's traffic. `read_only_sent`: to a host that may only be read from."""

    read_only_sent_bytes: int = 256 << 10
    sent_bytes: int = 32 << 20
    received_bytes: int = 2 << 30
    response_bytes: int = 512 << 20
    requests: int = 10_000
    request_s: float = 900.0
    idle_s: float = 60.0
