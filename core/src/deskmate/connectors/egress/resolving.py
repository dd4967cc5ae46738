"""From a name to addresses that may be connected to: resolved once, and refused if one is not public."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Awaitable, Callable, Sequence

import anyio

from deskmate.errors import ToolDenied

Resolver = Callable[[str], Awaitable[Sequence[str]]]
"""Returns the addresses of a host name as text. May raise OSError."""
RESOLVE_S = 10.0
_MOST_ADDRESSES = 64
_KEPT = 3
_NOT_PUBLIC = tuple(
    ipaddress.ip_network(net)
    for net in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16"),
        *("172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24"),
        *("192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24", "198.18.0.0/15"),
        *("198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3"),
        # within 2000::/3, which alone is public: tunnels that carry other addresses, documentation
        *("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "2620:4f:8000::/48"),
    )
)
_PUBLIC_V6 = ipaddress.ip_network("2000::/3")


def is_public(text: str) -> bool:
    """Say whether an address belongs to the public internet, not to a machine, a site or a tunnel."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and (
        address.scope_id is not None or address not in _PUBLIC_V6
    ):
        return False
    inside = any(address in net for net in _NOT_PUBLIC if net.version == address.version)
    return address.is_global and not address.is_multicast and not inside


async def resolve(host: str, resolver: Resolver) -> tuple[str, ...]:
    """Return the addresses to connect to, at most three. Raises ToolDenied if one is not public.

    Called once a request: what is connected to is exactly what was checked.
    """
    try:
        with anyio.fail_after(RESOLVE_S):
            found = tuple(await resolver(host))
    except (OSError, UnicodeError) as error:  # a timeout is an OSError too
        raise ToolDenied(f"{host} could not be resolved") from error
    if not found:
        raise ToolDenied(f"{host} has no address")
    if len(found) > _MOST_ADDRESSES or not all(is_public(address) for address in found):
        raise ToolDenied(f"{host} leads to an address that is not public")
    return found[:_KEPT]


async def system_resolver(host: str) -> tuple[str, ...]:
    """Ask the system's resolver."""
    rows = await anyio.getaddrinfo(f"{host}.", 443, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(row[4][0]) for row in rows))
