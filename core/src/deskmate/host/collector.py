"""Sends spans to an OpenTelemetry collector on this machine; never further."""

from __future__ import annotations

import http.client
from urllib.parse import urlsplit

from deskmate.errors import DeskmateError, UserError

_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_PATH = "/v1/traces"
_TIMEOUT_S = 10.0


def send_spans(request: bytes, endpoint: str) -> None:
    """Post an OTLP trace request in JSON. Raises UserError for an address elsewhere, DeskmateError if it fails."""
    try:
        parts = urlsplit(endpoint)
        host, port = parts.hostname or "", parts.port or 4318
    except ValueError as error:
        raise UserError(f"{endpoint} is no address.", hint="Use http://127.0.0.1:4318") from error
    if parts.scheme != "http" or host not in _LOOPBACK:
        raise UserError(
            f"{endpoint} is not on this machine.",
            hint="Send to a collector here, which may pass it on: http://127.0.0.1:4318",
        )
    # no client that follows redirections or heeds a proxy's settings
    connection = http.client.HTTPConnection(host, port, timeout=_TIMEOUT_S)
    path = parts.path if parts.path not in ("", "/") else _PATH
    try:
        connection.request("POST", path, request, {"Content-Type": "application/json"})
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        raise DeskmateError(
            f"{endpoint} does not take the spans: {error}.", hint="Is the collector running?"
        ) from error
    finally:
        connection.close()
    if status >= 300:
        raise DeskmateError(f"{endpoint} answered {status} to the spans.")
