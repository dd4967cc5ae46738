"""N5: data in requests that look harmless: no more than the budget leaves, however it is packed."""

from __future__ import annotations

import secrets
from collections.abc import Callable

import pytest
from tests.attack.table import Attempts
from tests.unit.connectors.gates import make_gate

from deskmate.testing.fake_internet import FakeInternet
from deskmate.types.network import NetworkLimits, NetworkRule

pytestmark = [pytest.mark.attack("N5"), pytest.mark.anyio]
HOST = "api.example.test"
LIMITS = NetworkLimits(read_only_sent_bytes=20_000)


async def test_only_reading_methods_pass_without_leave(attempt: Attempts) -> None:
    async with FakeInternet() as net:
        server = net.add(HOST)
        gate = make_gate(net, NetworkRule(host=HOST))
        for method in (
            "POST",
            "PUT",
            "PATCH",
            "DELETE",
            "OPTIONS",
            "TRACE",
            "PROPFIND",
            "get",
            "GET2",
            "PURGE",
        ):
            reply = await gate.https(HOST, method=method, body=b"canary")
            attempt(method, blocked=reply.status in (400, 403) and not net.connections)
        for method in ("GET", "HEAD"):
            reply = await gate.https(HOST, method=method, body=b"canary")
            attempt(f"{method} with a body", blocked=b"canary" not in bytes(server.heard))


async def test_long_queries_paths_headers_and_many_small_requests_share_one_budget(
    attempt: Attempts,
) -> None:
    ways: dict[str, Callable[[str], tuple[str, list[str]]]] = {
        "query": lambda piece: (f"/?q={piece}", []),
        "path": lambda piece: (f"/{piece}/x", []),
        "header": lambda piece: ("/", [f"X-Note: {piece}"]),
        "user agent": lambda piece: ("/", [f"User-Agent: {piece}"]),
    }
    for name, way in ways.items():
        for size in (20, 3000):
            async with FakeInternet() as net:
                server = net.add(HOST)
                gate = make_gate(net, NetworkRule(host=HOST), limits=LIMITS)
                last = 200
                for _ in range(1200):
                    path, headers = way(secrets.token_hex(size // 2))
                    last = (await gate.https(HOST, path, headers=headers)).status
                    if last != 200:
                        break
                sent = gate.broker._desk.budget.sent[HOST]
                within = len(server.heard) <= 20_000 + 4500 and sent <= 20_000 + 4500
                attempt(f"{name} of {size}", blocked=last == 403 and within)


async def test_a_path_has_a_limit_and_labels_of_names_carry_nothing(attempt: Attempts) -> None:
    async with FakeInternet() as net:
        net.add(HOST)
        gate = make_gate(net, NetworkRule(host=HOST))
        reply = await gate.https(HOST, "/" + "a" * 5000)
        attempt("path of 5000", blocked=reply.status == 403)
        for label in ("canary", secrets.token_hex(30)):
            await gate.https(f"{label}.{HOST}")
            attempt("DNS label", blocked=all(label not in name for name in net.asked))


async def test_budgets_of_hosts_that_may_be_written_to_hold_in_chunks_too(
    attempt: Attempts,
) -> None:
    async with FakeInternet() as net:
        server = net.add(HOST)
        rule = NetworkRule(host=HOST, methods=("POST",), plain=True)
        gate = make_gate(net, rule, limits=NetworkLimits(sent_bytes=50_000))
        head = f"POST http://{HOST}/ HTTP/1.1\r\nHost: {HOST}\r\nTransfer-Encoding: chunked\r\n\r\n"
        chunk = b"2710\r\n" + b"y" * 10_000 + b"\r\n"
        await gate.raw(head.encode() + chunk * 30 + b"0\r\n\r\n")
        attempt("chunked upload", blocked=server.heard.count(b"y") <= 50_000)
