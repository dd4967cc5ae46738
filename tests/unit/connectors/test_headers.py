"""Headers on their way out: nobody's credentials but those the host itself adds."""

from __future__ import annotations

import base64

import pytest

from deskmate.connectors.egress.address import Target
from deskmate.connectors.egress.headers import (
    Secrets,
    check_request,
    incoming,
    is_credential,
    outgoing,
    stand_in,
)
from deskmate.connectors.redaction import Redactor
from deskmate.errors import ToolDenied

TARGET = Target(scheme="https", host="api.example.test", port=443, path="/x")
NONE = Secrets(values={})
KEY = Secrets(values={("legal", "API_KEY"): "s3cret-value"})
STAND_IN = stand_in("legal", "API_KEY")


@pytest.mark.parametrize(
    "name",
    [
        *(
            "Authorization",
            "Cookie",
            "X-Api-Key",
            "api-key",
            "X-Auth-Token",
            "Private-Token",
            "X-Amz-Security-Token",
        ),
        *(
            "Proxy-Authorization",
            "X-Goog-Api-Key",
            "X-Session-Id",
            "X-Access-Token",
            "JWT",
            "X-Shop_Secret",
        ),
        *("Authentication", "X-Signature", "apikey", "X-Vault-Token", "DPoP-Authorization"),
    ],
)
def test_credentials_are_stripped_and_named(name: str) -> None:
    out = outgoing([(name.encode(), b"attacker")], TARGET, NONE, credentials=False)
    assert b"attacker" not in b"".join(value for _, value in out.headers)
    assert out.stripped == (name.lower(),)


@pytest.mark.parametrize("name", ["Accept", "User-Agent", "Content-Type", "If-None-Match", "Range"])
def test_other_headers_pass(name: str) -> None:
    out = outgoing([(name.encode(), b"x")], TARGET, NONE, credentials=False)
    assert (name.lower().encode(), b"x") in out.headers
    assert not out.stripped
    assert not is_credential(name.encode())


def test_credentials_pass_where_that_is_allowed_except_those_for_the_proxy() -> None:
    given = [(b"Authorization", b"Bearer mine"), (b"Proxy-Authorization", b"Basic x")]
    out = outgoing(given, TARGET, NONE, credentials=True)
    assert (b"authorization", b"Bearer mine") in out.headers
    assert out.stripped == ("proxy-authorization",)


def test_headers_of_one_connection_end_here() -> None:
    given = [
        (b"connection", b"close, X-Smuggled"),
        (b"x-smuggled", b"1"),
        (b"te", b"trailers"),
        (b"x-forwarded-for", b"1.2.3.4"),
        (b"accept-encoding", b"br"),
    ]
    out = outgoing(given, TARGET, NONE, credentials=False)
    assert out.headers == [
        (b"host", b"api.example.test"),
        (b"accept-encoding", b"identity"),
        (b"connection", b"close"),
    ]


@pytest.mark.parametrize("before", ["", "Bearer ", "token ", "ApiKey=", "Bot "])
def test_a_stand_in_becomes_the_secret(before: str) -> None:
    given = [(b"authorization", f"{before}{STAND_IN}".encode())]
    out = outgoing(given, TARGET, KEY, credentials=False)
    assert (b"authorization", f"{before}s3cret-value".encode()) in out.headers
    assert out.secrets == ("legal.API_KEY",)
    assert not out.stripped


def test_a_stand_in_inside_basic_becomes_the_secret() -> None:
    basic = base64.b64encode(f"me:{STAND_IN}".encode()).decode()
    out = outgoing([(b"authorization", f"Basic {basic}".encode())], TARGET, KEY, credentials=False)
    sent = dict(out.headers)[b"authorization"].partition(b" ")[2]
    assert base64.b64decode(sent) == b"me:s3cret-value"


@pytest.mark.parametrize(
    "value",
    [
        f"Bearer attacker {STAND_IN}",
        f"{STAND_IN} attacker",
        f"Bearer {stand_in('legal', 'OTHER')}",
        f"Bearer {stand_in('hr', 'API_KEY')}",
        f"a=attacker; b={STAND_IN}",
        "Basic " + base64.b64encode(f"{'x' * 65}:{STAND_IN}".encode()).decode(),
        "Basic !!!",
    ],
)
def test_a_stand_in_beside_something_else_or_of_another_secret_is_stripped(value: str) -> None:
    out = outgoing([(b"authorization", value.encode())], TARGET, KEY, credentials=False)
    assert out.stripped == ("authorization",)
    assert not out.secrets
    assert b"s3cret-value" not in b"".join(value for _, value in out.headers)


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [(b"host", b"evil.test")],
        [(b"host", b"api.example.test"), (b"host", b"evil.test")],
        [(b"host", b"api.example.test:80")],
        [(b"host", b"api.example.test"), (b"upgrade", b"websocket")],
    ],
)
def test_another_host_or_another_protocol_is_refused(headers: list[tuple[bytes, bytes]]) -> None:
    with pytest.raises(ToolDenied):
        check_request(headers, TARGET, credentials=False)


def test_keys_in_a_url_need_leave() -> None:
    target = TARGET.at("/x?a=1&api_key=attacker")
    headers = [(b"host", b"API.example.test:443")]
    with pytest.raises(ToolDenied, match="credentials"):
        check_request(headers, target, credentials=False)
    check_request(headers, target, credentials=True)
    check_request(headers, TARGET.at("/x?monkey=1&tokens=2"), credentials=False)


def test_an_answers_headers_lose_secrets_and_what_belongs_to_our_connection() -> None:
    given = [
        (b"X-Echo", b"Bearer s3cret-value"),
        (b"Connection", b"close"),
        (b"Alt-Svc", b"h3"),
        (b"Proxy-Authenticate", b"Basic"),
        (b"Content-Length", b"5"),
        (b"Content-Encoding", b"gzip"),
    ]
    redactor = Redactor({"legal.API_KEY": "s3cret-value"})
    assert incoming(given, redactor, keep_length=False) == [
        (b"X-Echo", "Bearer ⟦secret:legal.API_KEY⟧".encode())
    ]
    assert (b"Content-Length", b"5") in incoming(given, Redactor({}), keep_length=True)
