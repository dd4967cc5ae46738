"""One parser for every URL: what it lets through is exactly what is connected to."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.unit.connectors.tricks import (
    ADDRESSES,
    ALLOWED,
    BAD_SCHEMES,
    DISGUISED,
    OTHERS,
    OWN,
    SAME,
    SCHEMES,
)

from deskmate.connectors.egress.address import (
    PORTS,
    Target,
    parse_authority,
    parse_host,
    parse_path,
    parse_url,
)
from deskmate.errors import ToolDenied


@pytest.mark.parametrize("host", [*ADDRESSES, *OWN, *DISGUISED])
def test_what_is_no_public_name_is_refused(host: str) -> None:
    with pytest.raises(ToolDenied):
        parse_host(host)


@pytest.mark.parametrize("host", [*ADDRESSES, *OWN, *DISGUISED])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_verdict_on_a_host_is_the_same_with_every_scheme(scheme: str, host: str) -> None:
    if set(host) & set("/?#"):
        return  # in a URL the host ends there
    with pytest.raises(ToolDenied):
        parse_url(f"{scheme}://{host}/")


@pytest.mark.parametrize("host", SAME)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_spellings_of_one_name_are_one_host(scheme: str, host: str) -> None:
    target = parse_url(f"{scheme}://{host}/x?y=1")
    assert target.host == ALLOWED
    assert target.scheme == ("https" if scheme in ("https", "wss") else "http")
    assert target.port == PORTS[target.scheme]
    assert target.path == "/x?y=1"


@pytest.mark.parametrize("host", OTHERS)
def test_other_names_are_other_hosts(host: str) -> None:
    assert parse_host(host) != ALLOWED


@pytest.mark.parametrize("scheme", BAD_SCHEMES)
def test_other_schemes_are_refused(scheme: str) -> None:
    with pytest.raises(ToolDenied):
        parse_url(f"{scheme}://{ALLOWED}/")


@pytest.mark.parametrize(
    "url",
    ["data:text/html,x", "javascript:alert(1)", "file:///etc/passwd", "//x.test/", "/x", "x", ""],
)
def test_what_is_no_absolute_url_is_refused(url: str) -> None:
    with pytest.raises(ToolDenied):
        parse_url(url)


@pytest.mark.parametrize(
    "path", ["/a b", "/a\r\nX: y", "/a\x00", "/\x7f", "/é", "/a\\b", "/#x", "x", ""]
)
def test_a_path_has_no_control_characters_spaces_or_backslashes(path: str) -> None:
    with pytest.raises(ToolDenied):
        parse_path(path)


def test_a_path_has_a_limit() -> None:
    assert parse_path("/" + "a" * 4095)
    with pytest.raises(ToolDenied, match="over the limit"):
        parse_path("/" + "a" * 4096)


def test_an_authority_needs_a_port_where_there_is_no_default() -> None:
    assert parse_authority(f"{ALLOWED}:8443") == (ALLOWED, 8443)
    assert parse_authority(ALLOWED, 443) == (ALLOWED, 443)
    with pytest.raises(ToolDenied, match="no port"):
        parse_authority(ALLOWED)


def test_a_name_in_another_script_is_looked_up_in_ascii() -> None:
    assert parse_host("Bücher.example") == "xn--bcher-kva.example"
    assert parse_host("xn--bcher-kva.example") == "xn--bcher-kva.example"
    with pytest.raises(ToolDenied):
        parse_host("xn--\x80.example")
    with pytest.raises(ToolDenied):
        parse_host("xn--zzzzzzzzzz9999.example")


def test_a_target_keeps_its_host_when_its_path_changes() -> None:
    target = Target(scheme="https", host=ALLOWED, port=443).at("/x")
    assert (target.host, target.path) == (ALLOWED, "/x")


@given(st.text(max_size=40))
@example("a.b:1")
def test_whatever_is_parsed_is_plain_and_parses_to_itself(text: str) -> None:
    try:
        host = parse_host(text)
    except ToolDenied:
        return
    assert host.isascii()
    assert host == host.lower()
    assert not set(host) - set("abcdefghijklmnopqrstuvwxyz0123456789-.")
    assert parse_host(host) == host
