"""N2: addresses that are not what they seem, asked of the broker in every way a program can ask."""

from __future__ import annotations

import pytest
from tests.attack.table import Attempts
from tests.unit.connectors.gates import Gate, make_gate
from tests.unit.connectors.tricks import (
    ADDRESSES,
    ALLOWED,
    BAD_SCHEMES,
    DISGUISED,
    OTHERS,
    OWN,
    SCHEMES,
)

from deskmate.testing.fake_internet import FakeAnswer, FakeInternet
from deskmate.types.network import NetworkRule

pytestmark = [pytest.mark.attack("N2"), pytest.mark.anyio]
INSIDE = (
    *("127.0.0.1", "::1", "10.0.2.2", "192.168.1.1", "172.16.0.1", "169.254.169.254", "100.64.0.1"),
    *(
        "0.0.0.0",
        "224.0.0.1",
        "fd00::1",
        "fe80::1",
        "::ffff:127.0.0.1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
    ),
)
RULE = NetworkRule(host=ALLOWED, methods=("GET", "POST"), plain=True)


def gate_of(net: FakeInternet) -> Gate:
    return make_gate(net, RULE)


async def ask(gate: Gate, scheme: str, host: str) -> None:
    """Ask as a program would: absolute URL without TLS, CONNECT with it. Odd bytes go out as they are."""
    if scheme in ("https", "wss"):
        await gate.raw(f"CONNECT {host}:443 HTTP/1.1\r\nHost: x\r\n\r\n".encode("utf-8", "replace"))
        return
    upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\n" if scheme == "ws" else ""
    head = f"GET {scheme}://{host}/ HTTP/1.1\r\nHost: {ALLOWED}\r\n{upgrade}\r\n"
    await gate.raw(head.encode("utf-8", "replace"))


async def test_disguised_hosts_are_connected_to_with_no_scheme(attempt: Attempts) -> None:
    async with FakeInternet() as net:
        net.add(ALLOWED)
        for host in (*ADDRESSES, *OWN, *OTHERS, *DISGUISED):
            if set(host) & set("/?"):
                continue  # in a URL the host ends there, and the rest is its path
            for scheme in SCHEMES:
                gate = gate_of(net)
                await ask(gate, scheme, host)
                attempt(f"{scheme}://{host!a}", blocked=not net.connections)
                net.connections.clear()
        for scheme in BAD_SCHEMES:
            await ask(gate_of(net), scheme, ALLOWED)
            attempt(f"{scheme}:", blocked=not net.connections)


async def test_names_that_lead_inside_are_not_connected_to(attempt: Attempts) -> None:
    async with FakeInternet() as net:
        net.add(ALLOWED)
        for address in INSIDE:
            for answer in ((address,), ("93.184.216.1", address), (address, "93.184.216.1")):
                net.names[ALLOWED] = answer
                reply = await gate_of(net).https(ALLOWED)
                attempt(f"resolver: {answer}", blocked=reply.status == 403 and not net.connections)


async def test_an_answer_that_changes_is_asked_for_once(attempt: Attempts) -> None:
    async with FakeInternet() as net:
        net.add(ALLOWED)
        public = net.names[ALLOWED]

        class Rebinding(dict[str, object]):
            def __getitem__(self, name: str) -> object:
                return public if net.asked.count(name) == 1 else ("127.0.0.1",)

        net.names = Rebinding({ALLOWED: public})  # type: ignore[assignment]
        await gate_of(net).https(ALLOWED)
        reached = {address for address, _ in net.connections}
        attempt("rebinding", blocked=net.asked == [ALLOWED] and reached == set(public))


async def test_a_redirect_is_a_new_request_with_a_new_verdict(attempt: Attempts) -> None:
    async with FakeInternet() as net:
        for target in (
            "http://127.0.0.1/",
            "https://evil.test/",
            "file:///etc/passwd",
            "gopher://x/",
        ):
            for status in (301, 302, 303, 307, 308):
                server = net.servers.get(ALLOWED) or net.add(ALLOWED)
                server.answer = lambda request, status=status, target=target: FakeAnswer(
                    status=status, headers=[("Location", target)]
                )
                net.connections.clear()
                gate = gate_of(net)
                await gate.https(ALLOWED, method="POST", body=b"x")
                await gate.plain(target)  # what a client that follows it does next
                attempt(f"{status} to {target}", blocked=len(net.connections) == 1)


async def test_no_second_request_hides_in_a_path_a_header_or_a_body(attempt: Attempts) -> None:
    smuggled = "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
    tries = {
        "CRLF in the path": f"GET http://{ALLOWED}/ HTTP/1.1\r\nX: y\r\n\r\n{smuggled}",
        "bare LF": f"GET http://{ALLOWED}/ HTTP/1.1\nHost: {ALLOWED}\n\n{smuggled}",
        "two lengths": f"POST http://{ALLOWED}/ HTTP/1.1\r\nHost: {ALLOWED}\r\nContent-Length: 0\r\n"
        f"Content-Length: {len(smuggled)}\r\n\r\n{smuggled}",
        "length and chunks": f"POST http://{ALLOWED}/ HTTP/1.1\r\nHost: {ALLOWED}\r\nContent-Length: 5\r\n"
        f"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n{smuggled}",
        "odd chunks": f"POST http://{ALLOWED}/ HTTP/1.1\r\nHost: {ALLOWED}\r\n"
        f"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n{smuggled}",
        "space before the colon": f"GET http://{ALLOWED}/ HTTP/1.1\r\nHost : {ALLOWED}\r\n\r\n",
        "folded header": f"GET http://{ALLOWED}/ HTTP/1.1\r\nHost: {ALLOWED}\r\n\tevil\r\n\r\n",
        "Host of another": f"GET http://{ALLOWED}/ HTTP/1.1\r\nHost: evil.test\r\n\r\n",
        "two Hosts": f"GET http://{ALLOWED}/ HTTP/1.1\r\nHost: {ALLOWED}\r\nHost: evil.test\r\n\r\n",
    }
    for name, text in tries.items():
        async with FakeInternet() as net:
            server = net.add(ALLOWED)
            await gate_of(net).raw(text.encode())
            heard = bytes(server.heard)
            attempt(name, blocked=b"smuggled" not in heard and b"evil" not in heard)
