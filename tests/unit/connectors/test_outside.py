"""The real internet as brokers use it: certificates are verified, names resolved by the system."""

from __future__ import annotations

import ssl

import anyio
import pytest

from deskmate.connectors.egress.outside import internet

pytestmark = pytest.mark.anyio


def test_servers_have_to_prove_who_they_are() -> None:
    context = internet().trust()
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context is internet().trust()


def test_the_roots_for_tunnels_are_certificates_or_nothing() -> None:
    roots = internet().roots()
    assert roots == "" or "BEGIN CERTIFICATE" in roots


async def test_names_are_asked_for_in_full(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    async def getaddrinfo(host: str, port: int, **options: object) -> list[object]:
        asked.append(host)
        return [(2, 1, 6, "", ("93.184.216.34", 443)), (2, 1, 6, "", ("93.184.216.34", 443))]

    monkeypatch.setattr(anyio, "getaddrinfo", getaddrinfo)
    assert await internet().resolver("a.example.test") == ("93.184.216.34",)
    assert asked == [
        "a.example.test."
    ]  # without it a search list of the network could add to the name


async def test_nothing_listens_where_nothing_is() -> None:
    with pytest.raises(OSError, match="connection attempts failed"):
        await internet().connect("127.0.0.1", 1)
