"""The one parser of every URL, host and authority; everything else works on what it returns."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, replace
from typing import Literal

from deskmate.errors import ToolDenied

Scheme = Literal["http", "https"]
PORTS: dict[Scheme, int] = {"http": 80, "https": 443}
PATH_LIMIT = 4096

_SCHEMES: dict[str, Scheme] = {"http": "http", "https": "https", "ws": "http", "wss": "https"}
_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://([^/?#]*)(.*)", re.DOTALL)
_BAD_IN_HOST = re.compile(r"[\x00-\x20\x7f\\@%/?#<>^|`{}\"'*]|\s")
_BAD_IN_PATH = re.compile(r"[^\x21-\x7e]|[\\#]")
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_LOCAL = ("localhost", "local", "internal", "intranet", "lan", "home.arpa", "onion", "invalid")


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where a request goes. `host`: a lower-case ASCII name, never an address. `path`: with its query."""

    scheme: Scheme
    host: str
    port: int
    path: str = "/"

    def at(self, path: str) -> Target:
        """Return the same place with another path, which is checked. Raises ToolDenied."""
        return replace(self, path=parse_path(path))


def parse_url(text: str) -> Target:
    """Return what an absolute URL names; ws and wss count as http and https. Raises ToolDenied."""
    if not (match := _URL.fullmatch(text)):
        raise ToolDenied(f"{shown(text)} is not an absolute URL")
    scheme = _SCHEMES.get(match[1].lower())
    if scheme is None:
        raise ToolDenied(f"the scheme {shown(match[1])} is not http or https")
    host, port = parse_authority(match[2], PORTS[scheme])
    rest = match[3] if match[3].startswith("/") else "/" + match[3]
    return Target(scheme=scheme, host=host, port=port, path=parse_path(rest))


def parse_authority(text: str, default_port: int | None = None) -> tuple[str, int]:
    """Return host and port of `host[:port]`. Raises ToolDenied, also where there is no port at all."""
    if text.startswith("["):
        raise ToolDenied(f"{shown(text)} is an IP address; only names can be reached")
    host, colon, port = text.partition(":")
    if colon and not re.fullmatch(r"[0-9]{1,5}", port, re.ASCII):
        raise ToolDenied(f"{shown(text)} has no usable port")
    if not colon and default_port is None:
        raise ToolDenied(f"{shown(text)} names no port")
    return parse_host(host), int(port) if colon else int(default_port or 0)


def parse_path(text: str) -> str:
    """Return a path with its query, as it was, if it is plain ASCII. Raises ToolDenied."""
    if not text.startswith("/") or _BAD_IN_PATH.search(text):
        raise ToolDenied(f"the path {shown(text)} has characters that a path cannot have")
    if len(text) > PATH_LIMIT:
        raise ToolDenied(f"the path has {len(text)} characters, over the limit of {PATH_LIMIT}")
    return text


def parse_host(text: str) -> str:
    """Return a host name as it is looked up: ASCII, lower case, without a final dot.

    Raises ToolDenied for everything that is not the full name of a public host: addresses in any
    spelling, names of this machine or network, user names, escapes, control characters.
    """
    if not text or len(text) > 1000 or _BAD_IN_HOST.search(text):
        raise ToolDenied(f"{shown(text)} is not a host name")
    name = text.removesuffix(".").lower()
    if not name.isascii() or "xn--" in name:
        name = _to_ascii(name)
    labels = name.split(".")
    if _is_address(name, labels):
        raise ToolDenied(f"{shown(text)} is an IP address; only names can be reached")
    if len(name) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise ToolDenied(f"{shown(text)} is not a host name")
    if any(name == end or name.endswith(f".{end}") for end in _LOCAL):
        raise ToolDenied(f"{shown(text)} is a name of this machine or its own network")
    if len(labels) < 2 or len(labels[-1]) < 2 or not labels[-1][0].isalpha():
        raise ToolDenied(f"{shown(text)} is not the full name of a host")
    return name


def _is_address(name: str, labels: list[str]) -> bool:
    """Say whether a resolver could read the name as a number, as inet_aton and browsers do."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return bool(_NUMBER.fullmatch(labels[-1]))
    return True


def _to_ascii(name: str) -> str:
    import idna  # noqa: PLC0415 - tables that most names do not need

    try:
        ascii_name = idna.encode(name, uts46=True, std3_rules=True).decode("ascii")
        idna.decode(ascii_name, uts46=True, std3_rules=True)
    except (UnicodeError, IndexError) as error:
        raise ToolDenied(f"{shown(name)} is not a host name") from error
    return ascii_name


def shown(text: str) -> str:
    """Return untrusted text as a short literal, with everything odd escaped."""
    cut = text if len(text) <= 80 else text[:79] + "…"
    return ascii(cut)
