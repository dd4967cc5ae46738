"""The headers of a request on its way out, and of an answer on its way back."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from deskmate.connectors.egress.address import Target
from deskmate.connectors.redaction import Redactor
from deskmate.errors import ToolDenied

Headers = list[tuple[bytes, bytes]]

_HOP = frozenset(
    (
        *(b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"upgrade"),
        *(b"transfer-encoding", b"expect", b"http2-settings", b"host", b"via", b"forwarded"),
        *(b"accept-encoding", b"proxy-authenticate", b"alt-svc"),
    )
)
_CREDENTIAL = re.compile(
    rb"(^|[-_])(authorization|authentication|auth|cookie2?|token|api-?key|apikey|key|secret|"
    rb"password|passwd|session|sessionid|credentials?|signature|jwt|bearer)([-_]|$)",
    re.IGNORECASE,
)
_HARMLESS = frozenset((b"idempotency-key", b"sec-websocket-key", b"surrogate-key"))
_QUERY_CREDENTIAL = re.compile(
    r"[?&;](api_?key|access_?token|auth_?token|private_?token|client_?secret|password|passwd)=",
    re.IGNORECASE,
)
_STAND_IN = "deskmate-secret.{plugin}.{name}"
_FIND_STAND_IN = re.compile(r"deskmate-secret\.([a-z0-9_-]+)\.([A-Z0-9_]+)")
_SCHEME = re.compile(r"(?:[A-Za-z][A-Za-z0-9-]{0,15}[ =])?")


def stand_in(plugin: str, name: str) -> str:
    """Return what the guest has, and sends, in place of a secret."""
    return _STAND_IN.format(plugin=plugin, name=name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """What goes out. `stripped`: names of the credentials that were taken out. `secrets`: put in."""

    headers: Headers
    stripped: tuple[str, ...]
    secrets: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Secrets:
    """The secrets that may go to one host: (plugin, name) → value."""

    values: Mapping[tuple[str, str], str]

    def by_label(self) -> dict[str, str]:
        """Return the values by the names that people know them by."""
        return {f"{plugin}.{name}": value for (plugin, name), value in self.values.items()}

    def fill(self, header: str) -> tuple[str, str] | None:
        """Return the header's value with the secret in it, and the secret's name.

        None unless the whole value is a stand-in of these, bare, after a scheme, or as Basic.
        """
        if filled := self._fill(header):
            return filled
        scheme, _, rest = header.partition(" ")
        if scheme.lower() != "basic":
            return None
        try:
            plain = base64.b64decode(rest, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            return None
        user, _, password = plain.partition(":")
        inner = self._fill(password)
        if inner is None or len(user) > 64:
            return None
        return "Basic " + base64.b64encode(f"{user}:{inner[0]}".encode()).decode(), inner[1]

    def _fill(self, text: str) -> tuple[str, str] | None:
        found = _FIND_STAND_IN.search(text)
        if found is None or not _SCHEME.fullmatch(text[: found.start()]) or text[found.end() :]:
            return None
        value = self.values.get((found[1], found[2]))
        return None if value is None else (text[: found.start()] + value, f"{found[1]}.{found[2]}")


def outgoing(
    given: Iterable[tuple[bytes, bytes]], target: Target, secrets: Secrets, *, credentials: bool
) -> Outgoing:
    """Return the headers to send. `credentials`: the guest's own may pass."""
    headers: Headers = [(b"host", target.host.encode("ascii"))]
    stripped, used = [], []
    given = list(given)
    drop = _HOP | _named(given)
    for raw_name, value in given:
        name = raw_name.lower()
        if name in drop or name.startswith((b"proxy-", b"x-forwarded-")):
            if name == b"proxy-authorization":
                stripped.append("proxy-authorization")
            continue
        filled = (
            secrets.fill(value.decode("latin-1"))
            if b"deskmate" in value or value[:6].lower() == b"basic "
            else None
        )
        if filled is not None:
            used.append(filled[1])
            headers.append((name, filled[0].encode("latin-1", "replace")))
        elif is_credential(name) and not credentials:
            stripped.append(name.decode("ascii", "replace"))
        else:
            headers.append((name, value))
    headers.append((b"accept-encoding", b"identity"))
    headers.append((b"connection", b"close"))
    return Outgoing(headers=headers, stripped=tuple(stripped), secrets=tuple(dict.fromkeys(used)))


def is_credential(name: bytes) -> bool:
    """Say whether a header carries what identifies somebody at a server."""
    return name.lower() not in _HARMLESS and _CREDENTIAL.search(name) is not None


def has_credentials(path: str) -> bool:
    """Say whether a path's query carries what identifies somebody at a server."""
    return _QUERY_CREDENTIAL.search(path) is not None


def check_request(
    given: Iterable[tuple[bytes, bytes]], target: Target, *, credentials: bool
) -> None:
    """Raise ToolDenied for a request that names another host, wants another protocol, or has keys in its URL."""
    hosts = [value for name, value in given if name.lower() == b"host"]
    named = {value.decode("latin-1").lower() for value in hosts}
    if len(hosts) != 1 or not named <= {target.host, f"{target.host}:{target.port}"}:
        raise ToolDenied("the Host header is not the host of the URL")
    if any(name.lower() == b"upgrade" for name, _ in given):
        raise ToolDenied("a change of protocol (WebSocket) is refused: it could not be checked")
    if not credentials and has_credentials(target.path):
        raise ToolDenied(
            f"the URL carries credentials; allow them with {target.host}:GET,credentials"
        )


def incoming(
    given: Iterable[tuple[bytes, bytes]], redactor: Redactor, *, keep_length: bool
) -> Headers:
    """Return an answer's headers for the guest, without what belongs to the broker's own connection."""
    given = list(given)
    drop = _HOP | _named(given)
    if not keep_length:
        drop |= {b"content-length", b"content-encoding", b"content-md5"}
    return [
        (name, redactor.data(value))
        for name, value in given
        if name.lower() not in drop and not name.lower().startswith(b"proxy-")
    ]


def _named(headers: Iterable[tuple[bytes, bytes]]) -> frozenset[bytes]:
    """Return the headers that Connection says are for one connection only."""
    listed = [value for name, value in headers if name.lower() == b"connection"]
    return frozenset(word.strip().lower() for value in listed for word in value.split(b","))
