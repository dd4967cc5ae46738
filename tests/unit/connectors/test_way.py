"""Where a connector may reach: its own server and, for a login, public places; this machine only where the user said so."""

from __future__ import annotations

import pytest
from tests.unit.connectors.fake_mcp import FakeMcp, entry_for

from deskmate.connectors.egress.outside import internet
from deskmate.connectors.way import Way, parse_server, secret_headers
from deskmate.errors import ToolDenied, UserError
from deskmate.types.connectors import ConnectorEntry, SecretHeader

LOCAL = [
    "http://127.0.0.1:8000/mcp",
    "http://localhost:8000/mcp",
    "http://[::1]:8000/mcp",
    "http://127.0.0.1:1",
]
REFUSED = [
    "http://mcp.example.test/mcp",
    "https://127.0.0.1/mcp",
    "https://127.0.0.1:8000/mcp",
    "http://127.0.0.1/mcp",
    "http://127.0.0.1:0/mcp",
    "http://127.0.0.1:99999/mcp",
    "http://127.1:8000/mcp",
    "http://0.0.0.0:8000/mcp",
    "http://169.254.169.254:80/latest",
    "http://192.168.1.1:8000/mcp",
    "http://localhost:8000@evil.example.test/mcp",
    "http://127.0.0.1:8000\\@evil.example.test/",
    "http://127.0.0.1:8000/a b",
    "https://user:pass@mcp.example.test/mcp",
    "https://metadata.internal/mcp",
    "file:///etc/passwd",
    "javascript:alert(1)",
    "ftp://mcp.example.test/",
    "mcp.example.test",
    "https://mcp.example.test/mcp?api_key=12345678",
    "",
]


@pytest.mark.parametrize("url", LOCAL)
def test_a_port_of_this_machine_may_be_named_by_the_user(url: str) -> None:
    place = parse_server(url)
    assert place.local
    assert place.target.host in ("127.0.0.1", "::1")


def test_a_public_server_is_reached_with_https_on_any_port() -> None:
    assert parse_server("https://mcp.example.test/mcp").origin == ("https", "mcp.example.test", 443)
    assert parse_server("https://mcp.example.test:8443/mcp").target.port == 8443


@pytest.mark.parametrize("url", REFUSED)
def test_all_else_is_refused_in_one_line(url: str) -> None:
    with pytest.raises(UserError) as caught:
        parse_server(url)
    assert caught.value.hint
    assert "12345678" not in caught.value.message


def way(url: str, *, login: bool = False, renewal: str = "") -> Way:
    return Way(
        entry=ConnectorEntry(name="crm", url=url),
        outside=internet(),
        login=login,
        renewal=renewal,
    )


@pytest.mark.parametrize("home", ["https://mcp.example.test/mcp", "http://127.0.0.1:8000/mcp"])
@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:22/",
        "http://127.0.0.1:8001/mcp",
        "http://localhost:631/",
        "http://169.254.169.254/latest/meta-data/",
        "https://10.0.0.1/",
        "http://auth.example.test/token",
        "https://auth.example.test:8443/token",
        "file:///etc/passwd",
        "a:$(id)",
        "--flag",
    ],
)
@pytest.mark.parametrize("login", [False, True])
def test_no_metadata_leads_a_connector_to_this_machine_or_off_https(
    home: str, url: str, login: bool
) -> None:
    with pytest.raises(ToolDenied):
        way(home, login=login).check(url)


def test_another_server_is_reached_for_a_login_only() -> None:
    other = "https://auth.example.test/token"
    with pytest.raises(ToolDenied, match="not the server of crm"):
        way("https://mcp.example.test/mcp").check(other)
    assert (
        way("https://mcp.example.test/mcp", login=True).check(other).target.host
        == "auth.example.test"
    )
    renewed = way("https://mcp.example.test/mcp", renewal=other)
    assert renewed.check("https://auth.example.test/token").target.host == "auth.example.test"
    with pytest.raises(ToolDenied):
        renewed.check("https://third.example.test/token")


def test_a_renewal_at_this_machine_is_refused_unless_it_is_the_server_itself() -> None:
    kept = way("https://mcp.example.test/mcp", renewal="http://127.0.0.1:22/token")
    with pytest.raises(ToolDenied):
        kept.check("http://127.0.0.1:22/token")
    assert way("http://127.0.0.1:8000/mcp").check("http://127.0.0.1:8000/token").local


def test_secrets_fill_headers_and_missing_ones_are_named() -> None:
    headers = (
        SecretHeader(name="Authorization", scheme="Bearer", secret="TOKEN"),
        SecretHeader(name="X-Key", secret="KEY"),
    )
    entry = entry_for(FakeMcp(), headers=headers)
    filled, missing = secret_headers(
        entry, {("connector.crm", "TOKEN"): "abc", ("crm", "KEY"): "plugin's"}
    )
    assert filled == [(b"authorization", b"Bearer abc")]
    assert missing == ["KEY"]
