"""Requests of the official client: to the one server only, recorded before and after, bounded, nothing of others followed."""

from __future__ import annotations

import gzip
from pathlib import Path

import httpx2
import pytest
from tests.unit.connectors.fake_mcp import HOST, URL, Facts

from deskmate.connectors import http
from deskmate.connectors.http import Traffic, client_for
from deskmate.connectors.redaction import Redactor
from deskmate.connectors.way import Way
from deskmate.testing.fake_internet import FakeAnswer, FakeInternet
from deskmate.types.connectors import ConnectorEntry
from deskmate.types.events import EgressAsked, EgressEnded

pytestmark = pytest.mark.anyio
SECRET = "s3cret-value-of-mine"


def traffic(net: FakeInternet, facts: Facts, url: str = URL) -> Traffic:
    entry = ConnectorEntry(name="crm", url=url)
    return Traffic(
        way=Way(entry=entry, outside=net.outside),
        headers=[(b"authorization", f"Bearer {SECRET}".encode())],
        secrets=("connector.crm.TOKEN",),
        redactor=Redactor({"connector.crm.TOKEN": SECRET}),
        record=facts.record,
    )


async def test_a_request_is_recorded_before_it_is_sent_and_when_it_ended(net: FakeInternet) -> None:
    server = net.add(HOST, lambda request: FakeAnswer(body=b"x" * 10))
    facts = Facts()
    async with client_for(traffic(net, facts)) as client:
        answer = await client.post(URL, json={"a": 1}, headers={"cookie": "x=1"})
    assert answer.content == b"x" * 10
    asked, ended = facts
    assert isinstance(asked, EgressAsked)
    assert isinstance(ended, EgressEnded)
    assert (asked.method, asked.host, asked.path, asked.allowed) == ("POST", HOST, "/mcp", True)
    assert asked.why == "connector crm, named by the user"
    assert (asked.secrets, ended.status, ended.why) == (("connector.crm.TOKEN",), 200, "")
    assert server.requests[0].headers["authorization"] == f"Bearer {SECRET}"
    assert server.requests[0].headers["host"] == HOST


async def test_nothing_is_sent_that_could_not_be_recorded(net: FakeInternet) -> None:
    server = net.add(HOST)
    sends = traffic(net, Facts())

    async def full(payload: object) -> None:
        raise RuntimeError("the disk is full")

    sends.record = full
    async with client_for(sends) as client:
        with pytest.raises(RuntimeError):
            await client.post(URL, json={})
    assert server.requests == []
    assert net.connections == []


@pytest.mark.parametrize(
    "url", ["https://other.example.test/mcp", "http://127.0.0.1:9/", "https://10.0.0.1/"]
)
async def test_another_place_is_refused_and_recorded_without_a_connection(
    net: FakeInternet, url: str
) -> None:
    net.add("other.example.test")
    facts = Facts()
    async with client_for(traffic(net, facts)) as client:
        with pytest.raises(httpx2.ConnectError):
            await client.post(url, json={})
    assert [fact.allowed for fact in facts.of(EgressAsked)] == [False]
    assert net.connections == []


async def test_a_name_that_leads_into_this_network_is_refused(net: FakeInternet) -> None:
    net.add(HOST)
    net.names[HOST] = ("93.184.216.1", "127.0.0.1")
    async with client_for(traffic(net, Facts())) as client:
        with pytest.raises(httpx2.ConnectError, match="not public"):
            await client.post(URL, json={})
    assert net.connections == []


async def test_secrets_go_to_the_server_itself_only_and_not_to_another_path(
    net: FakeInternet,
) -> None:
    server = net.add(HOST)
    async with client_for(traffic(net, Facts())) as client:
        await client.get(f"https://{HOST}/.well-known/x", headers={"accept": "application/json"})
    assert "authorization" not in server.requests[0].headers


@pytest.mark.parametrize("kind", ["application/json", "text/event-stream"])
async def test_what_a_server_echoes_of_a_secret_is_taken_out(net: FakeInternet, kind: str) -> None:
    body = f"data: {SECRET}\n\nlast {SECRET[:9]}".encode()
    net.add(
        HOST,
        lambda request: FakeAnswer(headers=[("content-type", kind), ("x-echo", SECRET)], body=body),
    )
    async with client_for(traffic(net, Facts())) as client:
        answer = await client.post(URL, json={})
    assert SECRET not in answer.text
    assert SECRET not in str(answer.headers)
    assert "⟦secret:connector.crm.TOKEN⟧" in answer.text


async def test_packed_answers_are_unpacked_and_bombs_end(
    net: FakeInternet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "ANSWER_BYTES", 100_000)
    packed = [("content-encoding", "gzip"), ("content-type", "application/json")]
    bodies = [gzip.compress(b"fine"), gzip.compress(bytes(10_000_000))]
    net.add(HOST, lambda request: FakeAnswer(headers=packed, body=bodies.pop(0)))
    facts = Facts()
    async with client_for(traffic(net, facts)) as client:
        assert (await client.post(URL, json={})).content == b"fine"
        with pytest.raises(httpx2.ReadError, match="larger than"):
            await client.post(URL, json={})
    assert "larger than" in facts.of(EgressEnded)[-1].why


async def test_a_stream_for_what_the_server_wants_to_ask_is_never_opened(net: FakeInternet) -> None:
    server = net.add(HOST)
    async with client_for(traffic(net, Facts())) as client:
        answer = await client.get(URL, headers={"accept": "text/event-stream"})
    assert answer.status_code == 405
    assert server.requests == []


async def test_no_proxy_of_the_environment_is_used(
    net: FakeInternet, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    net.add(HOST)
    async with client_for(traffic(net, Facts())) as client:
        assert (await client.post(URL, json={})).status_code == 200
