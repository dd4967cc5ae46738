"""From a name to an address: one question, and one answer that is not public refuses all."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

import anyio
import pytest

from deskmate.connectors.egress import resolving
from deskmate.connectors.egress.resolving import is_public, resolve
from deskmate.errors import ToolDenied

pytestmark = pytest.mark.anyio
PUBLIC = ("93.184.216.34", "1.1.1.1", "8.8.8.8", "2606:4700:4700::1111", "2a00:1450:4001:81b::200e")
NOT_PUBLIC = (
    *(
        "127.0.0.1",
        "127.255.255.254",
        "0.0.0.0",
        "10.0.0.1",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.1.1",
    ),
    *("169.254.169.254", "100.64.0.1", "100.127.255.255", "192.0.0.1", "192.0.2.1", "198.18.0.1"),
    *(
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
    ),
    *(
        "192.88.99.1",
        "::",
        "::1",
        "fe80::1",
        "fe80::1%eth0",
        "fec0::1",
        "fc00::1",
        "fd00::1",
        "ff02::1",
    ),
    *(
        "::ffff:127.0.0.1",
        "::ffff:93.184.216.34",
        "::127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b:1::7f00:1",
    ),
    *(
        "2001:db8::1",
        "2002:7f00:1::",
        "2001:0:7f00:1::",
        "2001:20::1",
        "3fff::1",
        "100::1",
        "5f00::1",
    ),
    *("", "localhost", "1.2.3", "1.2.3.4.5", "0x7f.1", "1.1.1.1/32"),
)


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_everything_else_is_not(address: str) -> None:
    assert not is_public(address)


def test_no_address_of_a_private_network_is_public() -> None:
    for net in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8", "169.254.0.0/16"):
        network = ipaddress.ip_network(net)
        for address in (network[0], network[1], network[-1], network[-2]):
            assert not is_public(str(address))


async def test_addresses_are_asked_for_once() -> None:
    asked = []

    async def resolver(host: str) -> Sequence[str]:
        asked.append(host)
        return PUBLIC[:2] if len(asked) == 1 else ("127.0.0.1",)  # as a rebinding server does

    assert await resolve("a.test", resolver) == PUBLIC[:2]
    assert asked == ["a.test"]


@pytest.mark.parametrize("bad", NOT_PUBLIC)
async def test_one_address_that_is_not_public_refuses_all(bad: str) -> None:
    async def resolver(host: str) -> Sequence[str]:
        return (PUBLIC[0], bad)

    with pytest.raises(ToolDenied, match="not public"):
        await resolve("a.test", resolver)


async def test_a_resolver_that_fails_says_nothing_or_hangs_refuses(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def down(host: str) -> Sequence[str]:
        raise OSError("down")

    async def silent(host: str) -> Sequence[str]:
        return ()

    async def endless(host: str) -> Sequence[str]:
        return ("1.1.1.1",) * 100

    async def slow(host: str) -> Sequence[str]:
        await anyio.sleep(60)
        return PUBLIC

    monkeypatch.setattr(resolving, "RESOLVE_S", 0.05)
    for resolver in (down, silent, endless, slow):
        with pytest.raises(ToolDenied):
            await resolve("a.test", resolver)


async def test_no_more_than_three_addresses_are_tried() -> None:
    async def resolver(host: str) -> Sequence[str]:
        return PUBLIC

    assert await resolve("a.test", resolver) == PUBLIC[:3]
