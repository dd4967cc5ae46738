"""The way to a connector's server: the broker's own parser, resolver and connection, for exactly the places it may reach."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from deskmate.connectors.egress.address import Target, parse_path, parse_url, shown
from deskmate.connectors.egress.headers import has_credentials
from deskmate.connectors.egress.outside import Outside
from deskmate.connectors.egress.resolving import resolve
from deskmate.errors import ToolDenied, UserError
from deskmate.types.connectors import ConnectorEntry

_LOOPBACK = re.compile(r"http://(127\.0\.0\.1|localhost|\[::1\]):([0-9]{1,5})(/.*)?", re.ASCII)
HTTPS_PORT = 443


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a server is. `local`: at this machine's own address, which only the user can name."""

    target: Target
    local: bool = False

    @property
    def origin(self) -> tuple[str, str, int]:
        """Scheme, host and port."""
        return self.target.scheme, self.target.host, self.target.port


def parse_place(url: str) -> Place:
    """Return what a URL names. Raises ToolDenied for all but https, and http to a port of this very machine."""
    if match := _LOOPBACK.fullmatch(url):
        host = "::1" if match[1] == "[::1]" else "127.0.0.1"
        port = int(match[2])
        if not 0 < port < 65536:
            raise ToolDenied(f"{shown(url)} has no usable port")
        path = parse_path(match[3] or "/")
        return Place(target=Target(scheme="http", host=host, port=port, path=path), local=True)
    target = parse_url(url)
    if target.scheme != "https":
        raise ToolDenied(f"{target.host} is to be reached with https")
    return Place(target=target)


def parse_server(url: str) -> Place:
    """Return where the user says a server is. Raises UserError."""
    try:
        place = parse_place(url.strip())
    except ToolDenied as error:
        raise UserError(
            f"{shown(url)} cannot be a connector's address: {error.message}.",
            hint="Give https://HOST/PATH, or http://127.0.0.1:PORT/PATH for a server on this machine.",
        ) from error
    if has_credentials(place.target.path):
        raise UserError(
            "The address carries a key, and addresses stand in logs.",
            hint="Give the key as a header: --secret-header 'Authorization=Bearer TOKEN'",
        )
    return place


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """What one connector may reach.

    `login`: also what its login leads to while the user logs in: by https on 443, public. `renewal`: address where a
    login that was made is renewed.
    """

    entry: ConnectorEntry
    outside: Outside
    login: bool = False
    renewal: str = ""
    home: Place = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "home", parse_place(self.entry.url))

    def check(self, url: str) -> Place:
        """Return where a request goes. Raises ToolDenied for a place that this connector may not reach.

        This machine's own addresses are reached at the very port that the user named, and at no other.
        """
        place = parse_place(url)
        if place.origin == self.home.origin:
            return place
        if self.renewal and place.origin == parse_place(self.renewal).origin and not place.local:
            return place
        if not self.login:
            raise ToolDenied(f"{place.target.host} is not the server of {self.entry.name}")
        if place.local or place.target.port != HTTPS_PORT:
            raise ToolDenied(f"{place.target.host}:{place.target.port} is not a place for a login")
        return place

    def is_server(self, url: str) -> bool:
        """Say whether a request is for the server itself, where alone the user's secrets go."""
        place = parse_place(url)
        here, there = place.target.path.rstrip("/"), self.home.target.path.rstrip("/")
        return place.origin == self.home.origin and here == there

    async def addresses(self, place: Place) -> tuple[str, ...]:
        """Return the addresses to connect to, resolved once and checked. Raises ToolDenied."""
        if place.local:
            return (place.target.host,)
        return await resolve(place.target.host, self.outside.resolver)


def secret_headers(
    entry: ConnectorEntry, values: Mapping[tuple[str, str], str]
) -> tuple[list[tuple[bytes, bytes]], list[str]]:
    """Return the headers with the user's secrets in them, and the names of secrets that are not there."""
    headers, missing = [], []
    for header in entry.headers:
        value = values.get((entry.owner, header.secret))
        if value is None:
            missing.append(header.secret)
            continue
        whole = f"{header.scheme} {value}" if header.scheme else value
        headers.append((header.name.lower().encode("ascii"), whole.encode("ascii")))
    return headers, missing
