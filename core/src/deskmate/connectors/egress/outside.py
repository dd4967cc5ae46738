"""The world outside as the broker reaches it; tests put loopback servers in its place."""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import anyio
from anyio.abc import ByteStream

from deskmate.connectors.egress.resolving import Resolver, system_resolver

CONNECT_S = 20.0
Connect = Callable[[str, int], Awaitable[ByteStream]]
"""Connects to an address and a port. May raise OSError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """`trust`: makes the TLS context for servers. `roots`: the same certificates as PEM."""

    resolver: Resolver
    connect: Connect
    trust: Callable[[], ssl.SSLContext]
    roots: Callable[[], str]


def internet() -> Outside:
    """Return the real one: the system's resolver and its trusted certificates."""
    return Outside(resolver=system_resolver, connect=_connect, trust=_trust, roots=_roots)


async def _connect(address: str, port: int) -> ByteStream:
    return await anyio.connect_tcp(address, port)


@cache
def _trust() -> ssl.SSLContext:
    return ssl.create_default_context()


def _roots() -> str:
    paths = ssl.get_default_verify_paths()
    for name in (paths.cafile, paths.openssl_cafile, "/etc/ssl/certs/ca-certificates.crt"):
        if name and Path(name).is_file():
            return Path(name).read_text("ascii", "ignore")
    return ""
