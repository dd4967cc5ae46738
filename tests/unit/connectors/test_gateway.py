"""The broker as programs meet it: what is allowed arrives and is recorded, the rest is told why not."""

from __future__ import annotations

import gzip
import ssl

import anyio
import pytest
from anyio.abc import ByteStream
from tests.unit.connectors.gates import make_gate, read_all

from deskmate.connectors.egress.certificates import Authority
from deskmate.connectors.egress.headers import stand_in
from deskmate.errors import ProtocolError
from deskmate.testing.fake_internet import FakeAnswer, FakeInternet, FakeRequest
from deskmate.types.network import NetworkLimits, NetworkRule, SecretGrant

pytestmark = pytest.mark.anyio
HOST, OTHER = "api.example.test", "other.example.test"
READ = NetworkRule(host=HOST)
WRITE = NetworkRule(host=HOST, methods=("GET", "POST"))
SECRET = "s3cret-value-of-the-shop"


def echo(request: FakeRequest) -> FakeAnswer:
    return FakeAnswer(body=f"{request.headers} {request.body!r}".encode())


async def test_an_allowed_request_arrives_and_is_recorded_before_and_after(
    net: FakeInternet,
) -> None:
    server = net.add(HOST)
    gate = make_gate(net, READ)
    reply = await gate.https(HOST, "/data?x=1")
    assert (reply.status, reply.body) == (200, b"hello\n")
    assert [(request.method, request.path) for request in server.requests] == [("GET", "/data?x=1")]
    assert server.requests[0].headers["host"] == HOST
    asked, ended = gate.facts
    assert (gate.asked[0].method, gate.asked[0].host, gate.asked[0].path) == (
        "GET",
        HOST,
        "/data?x=1",
    )
    assert gate.asked[0].allowed
    assert gate.asked[0].why == "allowed by the user"
    assert asked is gate.asked[0]
    assert ended is gate.ended[0]
    assert (gate.ended[0].status, gate.ended[0].why) == (200, "")
    assert gate.ended[0].received > 6


async def test_nothing_is_sent_that_could_not_be_recorded(net: FakeInternet) -> None:
    net.add(HOST)
    gate = make_gate(net, READ)

    async def full(fact: object) -> None:
        raise ProtocolError("the disk is full")

    gate.broker._desk.records._record = full
    with pytest.raises(BaseExceptionGroup) as caught:
        await gate.https(HOST)
    assert caught.group_contains(ProtocolError, match="the disk is full")
    assert net.connections == []


async def test_several_requests_go_through_one_connection(net: FakeInternet) -> None:
    server = net.add(HOST)
    gate = make_gate(net, NetworkRule(host=HOST, plain=True))
    one = f"GET http://{HOST}/1 HTTP/1.1\r\nHost: {HOST}\r\n\r\n"
    two = f"GET http://{HOST}/2 HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n"
    reply = await gate.raw((one + two).encode())
    assert reply.body.count(b"hello") == 2
    assert [request.path for request in server.requests] == ["/1", "/2"]


async def test_a_second_request_of_a_connection_is_checked_like_the_first(
    net: FakeInternet,
) -> None:
    server = net.add(HOST)
    net.add(OTHER)
    gate = make_gate(net, NetworkRule(host=HOST, plain=True))
    one = f"GET http://{HOST}/1 HTTP/1.1\r\nHost: {HOST}\r\n\r\n"
    two = f"GET http://{OTHER}/2 HTTP/1.1\r\nHost: {OTHER}\r\n\r\n"
    reply = await gate.raw((one + two).encode())
    assert b"not allowed for this thread" in reply.body
    assert len(server.requests) == 1
    assert [fact.allowed for fact in gate.asked] == [True, False]


@pytest.mark.parametrize(
    ("host", "path", "method", "headers", "why"),
    [
        (OTHER, "/", "GET", [], "not allowed for this thread"),
        (HOST, "/", "POST", [], "POST is not allowed"),
        (HOST, "/", "GET", ["Upgrade: websocket", "Connection: Upgrade"], "change of protocol"),
        (HOST, "/", "GET", ["Content-Length: 3"], "brings a body"),
        (HOST, "/", "GET", ["Transfer-Encoding: chunked"], "brings a body"),
        (HOST, "/?api_key=x", "GET", [], "carries credentials"),
        (HOST, "/\\x", "GET", [], "characters that a path cannot have"),
        (HOST, "http://evil.test/", "GET", [], "characters that a path cannot have"),
        ("api.anthropic.com", "/v1/files", "GET", [], "serves models"),
    ],
)
async def test_what_is_refused_is_told_why_recorded_and_connected_to_nothing(
    net: FakeInternet, host: str, path: str, method: str, headers: list[str], why: str
) -> None:
    net.add(HOST)
    net.add(OTHER)
    gate = make_gate(net, READ, NetworkRule(host="api.anthropic.com"))
    reply = await gate.https(host, path, method, headers)
    assert reply.status == 403
    assert why.encode() in reply.body
    assert why.split(" of ")[0] in gate.asked[0].why
    assert not gate.asked[0].allowed
    assert net.connections == []
    assert net.asked == [] or host == HOST  # names that are not allowed are not even looked up


@pytest.mark.parametrize(
    "authority",
    ["127.0.0.1:443", "[::1]:443", f"{HOST}:8443", f"{HOST}:22", HOST, f"{HOST}@x:443", "x:443"],
)
async def test_a_tunnel_to_an_address_or_another_port_is_refused_at_once(
    net: FakeInternet, authority: str
) -> None:
    net.add(HOST)
    gate = make_gate(net, READ)
    reply = await gate.raw(f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n".encode())
    assert reply.status in (400, 403)
    assert net.connections == []
    assert [fact.allowed for fact in gate.asked] == [False]


async def test_the_host_inside_tls_is_the_one_that_was_asked_for(net: FakeInternet) -> None:
    net.add(HOST)
    net.add(OTHER)
    gate = make_gate(net, READ)
    assert (await gate.https(HOST, inner_host=OTHER)).status == 403
    with pytest.raises(BaseExceptionGroup) as caught:
        await gate.https(HOST, sni=OTHER)
    assert caught.group_contains((ssl.SSLError, anyio.EndOfStream))
    assert net.connections == []
    assert "TLS failed" in gate.asked[-1].why


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "169.254.169.254", "10.0.0.1", "::1", "::ffff:1.1.1.1"]
)
async def test_an_allowed_name_that_leads_inside_is_refused(
    net: FakeInternet, address: str
) -> None:
    net.add(HOST)
    net.names[HOST] = ("93.184.216.1", address)
    gate = make_gate(net, READ)
    reply = await gate.https(HOST)
    assert reply.status == 403
    assert "not public" in reply
    assert net.connections == []


async def test_what_was_resolved_is_what_is_connected_to(net: FakeInternet) -> None:
    net.add(HOST)
    gate = make_gate(net, READ)
    await gate.https(HOST)
    assert net.asked == [HOST]
    assert net.connections == [("93.184.216.1", 443)]


async def test_redirects_are_passed_on_and_followed_by_nobody(net: FakeInternet) -> None:
    net.add(HOST, lambda r: FakeAnswer(status=302, headers=[("Location", "http://127.0.0.1/")]))
    gate = make_gate(net, READ)
    reply = await gate.https(HOST)
    assert reply.status == 302
    assert "127.0.0.1" in reply
    assert len(net.connections) == 1


async def test_a_server_whose_certificate_is_not_trusted_is_not_talked_to(
    net: FakeInternet,
) -> None:
    server = net.add(HOST, authority=Authority())
    gate = make_gate(net, READ)
    reply = await gate.https(HOST)
    assert reply.status == 502
    assert "not trusted" in reply
    assert server.requests == []
    assert gate.ended[0].status is None


async def test_credentials_of_the_guest_do_not_arrive_and_secrets_of_the_host_do(
    net: FakeInternet,
) -> None:
    server = net.add(HOST, echo)
    gate = make_gate(
        net,
        READ,
        secrets=[SecretGrant(plugin="shop", name="KEY", send_to=(HOST,))],
        values={("shop", "KEY"): SECRET},
    )
    headers = [
        "Cookie: id=1",
        f"Authorization: Bearer {stand_in('shop', 'KEY')}",
        "X-Api-Key: mine",
    ]
    reply = await gate.https(HOST, headers=headers)
    assert server.requests[0].headers["authorization"] == f"Bearer {SECRET}"
    assert "cookie" not in server.requests[0].headers
    assert "x-api-key" not in server.requests[0].headers
    assert SECRET.encode() not in reply.head + reply.body
    assert "⟦secret:shop.KEY⟧" in reply
    assert gate.asked[0].secrets == ("shop.KEY",)
    assert set(gate.asked[0].stripped) == {"cookie", "x-api-key"}
    assert SECRET not in repr(gate.facts)


async def test_a_secret_goes_to_its_own_hosts_only(net: FakeInternet) -> None:
    net.add(HOST, echo)
    other = net.add(OTHER, echo)
    gate = make_gate(
        net,
        READ,
        NetworkRule(host=OTHER, credentials=True),
        secrets=[SecretGrant(plugin="shop", name="KEY", send_to=(HOST,))],
        values={("shop", "KEY"): SECRET},
    )
    await gate.https(OTHER, headers=[f"Authorization: Bearer {stand_in('shop', 'KEY')}"])
    assert SECRET.encode() not in bytes(other.heard)


async def test_a_server_that_remembers_a_secret_cannot_give_it_back_packed_or_in_parts(
    net: FakeInternet,
) -> None:
    text = f"you once sent {SECRET}".encode()
    seen = []

    def answer(request: FakeRequest) -> FakeAnswer:
        seen.append(request.headers)
        return FakeAnswer(headers=[("Content-Encoding", "gzip")], body=gzip.compress(text))

    net.add(HOST, answer)
    gate = make_gate(
        net,
        READ,
        secrets=[SecretGrant(plugin="shop", name="KEY", send_to=(HOST,))],
        values={("shop", "KEY"): SECRET},
    )
    reply = await gate.https(HOST, headers=["Range: bytes=0-20"])
    assert reply.body == "you once sent ⟦secret:shop.KEY⟧".encode()
    assert "range" not in seen[0]


async def test_uploads_are_counted_and_stop_at_the_budget(net: FakeInternet) -> None:
    server = net.add(HOST)
    gate = make_gate(net, WRITE, limits=NetworkLimits(sent_bytes=5000))
    assert (await gate.https(HOST, method="POST", body=b"x" * 3000)).status == 200
    reply = await gate.https(HOST, method="POST", body=b"x" * 3000)
    assert reply.status == 403
    assert "5000 bytes it may send" in reply
    assert sum(len(request.body) for request in server.requests) == 3000


async def test_an_upload_without_a_length_stops_in_the_middle(net: FakeInternet) -> None:
    server = net.add(HOST)
    rule = NetworkRule(host=HOST, methods=("POST",), plain=True)
    gate = make_gate(net, rule, limits=NetworkLimits(sent_bytes=5000))
    head = f"POST http://{HOST}/ HTTP/1.1\r\nHost: {HOST}\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunks = b"".join(b"%x\r\n%s\r\n" % (1000, b"y" * 1000) for _ in range(30)) + b"0\r\n\r\n"
    reply = await gate.raw(head.encode() + chunks)
    assert reply.status == 403
    assert server.heard.count(b"y") <= 5000
    assert gate.ended[0].status is None
    assert "bytes it may send" in gate.ended[0].why


async def test_a_large_answer_is_cut_and_says_so(net: FakeInternet) -> None:
    net.add(HOST, lambda r: FakeAnswer(body=b"z" * 100_000))
    gate = make_gate(net, READ, limits=NetworkLimits(response_bytes=50_000))
    reply = await gate.https(HOST)
    assert reply.status == 502
    assert "larger than 50000 bytes" in reply


async def test_an_answer_without_a_length_is_cut_in_the_middle(net: FakeInternet) -> None:
    async def endless(stream: ByteStream) -> None:
        await stream.receive()
        await stream.send(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            await stream.send(b"z" * 10_000)

    net.add(HOST, raw=endless)
    gate = make_gate(net, READ, limits=NetworkLimits(response_bytes=50_000))
    reply = await gate.https(HOST)
    assert reply.status == 200
    assert len(reply.body) <= 60_000
    assert "larger than 50000" in gate.ended[0].why


async def test_a_server_that_drips_is_given_up(net: FakeInternet) -> None:
    async def drips(stream: ByteStream) -> None:
        await stream.receive()
        while True:
            await stream.send(b"H")
            await anyio.sleep(0.02)

    net.add(HOST, raw=drips)
    gate = make_gate(net, READ, limits=NetworkLimits(request_s=0.3))
    reply = await gate.https(HOST)
    assert reply.status == 504


async def test_a_server_that_is_silent_breaks_off_or_talks_nonsense_is_told_of(
    net: FakeInternet,
) -> None:
    async def silent(stream: ByteStream) -> None:
        await anyio.sleep(60)

    async def closes(stream: ByteStream) -> None:
        await stream.receive()

    async def nonsense(stream: ByteStream) -> None:
        await stream.receive()
        await stream.send(b"SSH-2.0-x\r\n\r\n")

    async def headers(stream: ByteStream) -> None:
        await stream.receive()
        await stream.send(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1_000_000)

    for number, server in enumerate((silent, closes, nonsense, headers)):
        net.add(f"s{number}.example.test", raw=server)
        rule = NetworkRule(host=f"s{number}.example.test")
        gate = make_gate(net, rule, limits=NetworkLimits(idle_s=0.3))
        reply = await gate.https(rule.host)
        assert reply.status == 502, number
        assert gate.ended[0].status is None


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x00\x05hello",
        b"GET / HTTP/1.1\r\nHost: api.example.test\r\n\r\n",
        b"GET http://api.example.test/ HTTP/1.1\r\nHost: api.example.test\r\nX: a\nb\r\n\r\n",
        b"GET http://api.example.test/ HTTP/1.1\r\nHost: api.example.test\r\n X: y\r\n\r\n",
        b"GET https://api.example.test/ HTTP/1.1\r\nHost: api.example.test\r\n\r\n",
        b"GET ftp://api.example.test/ HTTP/1.1\r\nHost: api.example.test\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nHost: api.example.test\r\n\r\n",
        b"POST http://api.example.test/ HTTP/1.1\r\nHost: api.example.test\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        b"POST http://api.example.test/ HTTP/1.1\r\nHost: api.example.test\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        b"GET http://api.example.test/" + b"a" * 60_000 + b" HTTP/1.1\r\n\r\n",
        b"X" * 100_000,
        b"\x00" * 100,
    ],
)
async def test_what_is_no_proper_request_is_refused_and_recorded(
    net: FakeInternet, data: bytes
) -> None:
    net.add(HOST)
    gate = make_gate(net, NetworkRule(host=HOST, methods=("GET", "POST"), plain=True))
    reply = await gate.raw(data)
    assert reply.status in (400, 403, 431, 501, 0)
    assert net.connections == []
    assert len(gate.asked) == 1
    assert not gate.asked[0].allowed


async def test_a_policy_that_breaks_refuses(net: FakeInternet) -> None:
    class Broken:
        def check(self, *given: object) -> None:
            raise RuntimeError("the policy cannot be read")

        def is_opaque(self, host: str) -> bool:
            return False

    net.add(HOST)
    gate = make_gate(net, READ)
    object.__setattr__(gate.broker._desk, "policy", Broken())
    reply = await gate.https(HOST)
    assert reply.status == 403
    assert "the check failed" in reply
    assert net.connections == []


async def test_a_guest_that_is_refused_without_end_breaks_the_rules(
    net: FakeInternet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deskmate.connectors.egress.records.REFUSALS_LIMIT", 3)
    gate = make_gate(net, READ)
    for _ in range(3):
        assert (await gate.https(OTHER)).status == 403
    with pytest.raises(BaseExceptionGroup) as caught:
        await gate.https(OTHER)
    assert caught.group_contains(ProtocolError, match="refused")
    assert len(gate.asked) == 3


async def test_hosts_marked_opaque_are_tunnelled_and_recorded_as_such(net: FakeInternet) -> None:
    server = net.add(HOST)
    gate = make_gate(net, NetworkRule(host=HOST, opaque=True))
    assert net.authority.pem in gate.broker.trust
    reply = await gate.https(HOST, "/hidden/path")
    assert (reply.status, reply.body) == (200, b"hello\n")
    assert server.requests[0].path == "/hidden/path"
    assert [(fact.method, fact.path) for fact in gate.asked] == [("CONNECT", "/")]
    assert gate.ended[0].received > 0
    assert gate.ended[0].sent > 0


async def test_a_tunnel_carries_tls_only_and_keeps_its_budget(net: FakeInternet) -> None:
    async def listens(stream: ByteStream) -> None:
        while True:
            await stream.receive()

    net.add(HOST, raw=listens)
    gate = make_gate(
        net, NetworkRule(host=HOST, opaque=True), limits=NetworkLimits(sent_bytes=2000)
    )
    start = f"CONNECT {HOST}:443 HTTP/1.1\r\nHost: {HOST}:443\r\n\r\n".encode()
    for first, why in (
        (b"SSH-2.0", "does not begin as TLS"),
        (b"\x16" + b"x" * 4000, "bytes it may send"),
    ):
        async with gate.connected() as guest:
            await guest.send(start)
            assert b" 200 " in await guest.receive()
            await guest.send(first)
            await read_all(guest)
        assert why in gate.ended[-1].why


async def test_an_opaque_name_that_leads_inside_is_refused(net: FakeInternet) -> None:
    net.add(HOST)
    net.names[HOST] = ("192.168.1.1",)
    gate = make_gate(net, NetworkRule(host=HOST, opaque=True))
    reply = await gate.raw(f"CONNECT {HOST}:443 HTTP/1.1\r\nHost: {HOST}:443\r\n\r\n".encode())
    assert reply.status == 403
    assert net.connections == []


async def test_head_and_expect_work_as_programs_know_them(net: FakeInternet) -> None:
    server = net.add(HOST)
    gate = make_gate(net, WRITE, READ)
    reply = await gate.https(HOST, method="HEAD")
    assert (reply.status, reply.body) == (200, b"")
    reply = await gate.https(HOST, method="POST", body=b"x" * 10, headers=["Expect: 100-continue"])
    assert "hello" in reply
    assert server.requests[-1].body == b"x" * 10
    assert "expect" not in server.requests[-1].headers
    refused = await gate.https(OTHER, method="HEAD")
    assert (refused.status, refused.body) == (403, b"")
