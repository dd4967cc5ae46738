"""A machine's own authority: it vouches for the hosts it stands in for, and its keys are nowhere on disk."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from deskmate.connectors.egress.certificates import Authority


def handshake(server: ssl.SSLContext, client: ssl.SSLContext, name: str) -> dict[str, object]:
    """Do a TLS handshake in memory and return the server's certificate as the client sees it."""
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    one = client.wrap_bio(down, up, server_hostname=name)
    two = server.wrap_bio(up, down, server_side=True)
    for _ in range(4):
        for side in (one, two):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return dict(one.getpeercert() or {})


def test_a_client_that_trusts_it_accepts_its_hosts() -> None:
    authority = Authority()
    client = ssl.create_default_context(cadata=authority.pem)
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    seen = handshake(authority.context("a.example.test"), client, "a.example.test")
    assert seen["subjectAltName"] == (("DNS", "a.example.test"),)


def test_a_client_that_names_another_host_is_refused() -> None:
    authority = Authority()
    client = ssl.create_default_context(cadata=authority.pem)
    client.check_hostname = False
    with pytest.raises(ssl.SSLError):
        handshake(authority.context("a.example.test"), client, "b.example.test")


def test_one_machines_authority_is_nobody_to_another() -> None:
    client = ssl.create_default_context(cadata=Authority().pem)
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(Authority().context("a.example.test"), client, "a.example.test")


def test_a_host_does_not_vouch_for_others() -> None:
    authority = Authority()
    assert "CA:FALSE" in _text(authority._sign("a.example.test", authority=False))
    assert "CA:TRUE" in _text(authority.pem.encode())


def _text(pem: bytes) -> str:
    from cryptography import x509

    limits = x509.load_pem_x509_certificate(pem).extensions.get_extension_for_class(
        x509.BasicConstraints
    )
    return "CA:TRUE" if limits.value.ca else "CA:FALSE"


def test_contexts_are_kept_and_bounded(tmp_path: Path) -> None:
    authority = Authority()
    first = authority.context("h0.example.test")
    assert authority.context("h0.example.test") is first
    for number in range(1, 80):
        authority.context(f"h{number}.example.test")
    assert len(authority._contexts) == 64
    assert authority.context("h0.example.test") is not first
    long = "a" * 60 + "." + "b" * 60 + ".example.test"
    assert authority.context(long)
