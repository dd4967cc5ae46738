"""Pages of the web through the broker: only where their address stands in the thread, and with nothing of the guest's along."""

from __future__ import annotations

import pytest
from tests.unit.connectors.gates import Gate, make_gate

from deskmate.testing.fake_internet import FakeInternet
from deskmate.types.network import NetworkRule, Sending

pytestmark = pytest.mark.anyio
HOST = "news.example.test"
PAGE = f"https://{HOST}/a?b=c"


class Keeper:
    """Knows one address, and asks about nothing that is trusted."""

    def asks(self, method: str, *, trusted: bool) -> bool:
        return not trusted

    async def permit(self, sending: Sending) -> None:
        raise AssertionError("nobody is to be asked")

    def place_of(self, address: str) -> str:
        return "your words, event 3" if address == PAGE else ""


def reading(net: FakeInternet, *rules: NetworkRule) -> Gate:
    return make_gate(net, *rules, keeper=Keeper())


async def test_a_page_whose_address_stands_in_the_thread_is_read_and_the_record_says_where(
    net: FakeInternet,
) -> None:
    server, gate = net.add(HOST), reading(net)
    reply = await gate.https(
        HOST, "/a?b=c", headers=("X-Data: payroll", "Cookie: a=payroll", "User-Agent: payroll")
    )
    assert reply.status == 200
    (sent,) = server.requests
    assert "payroll" not in str(sent.headers), "no header of the guest's goes along"
    assert sent.headers["user-agent"] == "deskmate"
    (asked,) = gate.asked
    assert (asked.allowed, asked.why) == (True, "its address stands in your words, event 3")


@pytest.mark.parametrize(
    ("path", "method"),
    [
        ("/a?b=cc", "GET"),
        ("/a", "GET"),
        ("/A?b=c", "GET"),
        ("/a?b=c", "POST"),
        ("/a?b=c", "DELETE"),
    ],
)
async def test_any_other_address_or_method_is_refused_and_nothing_is_sent(
    net: FakeInternet, path: str, method: str
) -> None:
    server, gate = net.add(HOST), reading(net)
    assert (await gate.https(HOST, path, method)).status == 403
    assert server.requests == []
    assert [one.allowed for one in gate.asked] == [False]


async def test_a_page_brings_no_body_along(net: FakeInternet) -> None:
    server, gate = net.add(HOST), reading(net)
    assert (await gate.https(HOST, "/a?b=c", body=b"payroll")).status == 403
    assert server.requests == []


async def test_what_is_said_of_a_host_holds_for_its_pages(net: FakeInternet) -> None:
    server, gate = net.add(HOST), reading(net, NetworkRule(host=HOST, methods=("POST",)))
    assert (await gate.https(HOST, "/a?b=c")).status == 403
    assert server.requests == []


async def test_off_as_it_is_by_default_no_page_is_read(net: FakeInternet) -> None:
    server, gate = net.add(HOST), make_gate(net)
    assert (await gate.https(HOST, "/a?b=c")).status == 403
    assert server.requests == []
