"""N1: a guest looks for any network, without hosts and with some: there is `lo`, and what the broker lets through."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest
from tests.attack.conftest import OpenMachine, output_of
from tests.attack.table import Attempts
from tests.vm.test_egress import opened, run

from deskmate.sandbox.adapter import QemuSandbox
from deskmate.testing.fake_internet import FakeInternet
from deskmate.types.events import Payload

pytestmark = [pytest.mark.vm, pytest.mark.anyio, pytest.mark.attack("N1")]
LOOK = """
import os, socket
def attempt(name, call):
    try:
        call()
        print("OPEN", name)
    except Exception as error:
        print("closed", name, type(error).__name__)
print("interfaces", *sorted(os.listdir("/sys/class/net")))
hosts = ("10.0.2.2", "10.0.2.3", "169.254.169.254", "192.168.1.1", "93.184.216.1", "fec0::2", "2606:4700::1111")
for host in hosts:
    for port in (53, 80, 443, {port}):
        attempt(f"tcp {{host}} {{port}}", lambda: socket.create_connection((host, port), timeout=2).close())
for port in (80, 443, {port}, 8080):
    attempt(f"tcp own {{port}}", lambda: socket.create_connection(("127.0.0.1", port), timeout=2).close())
def udp(host):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as stream:
        stream.sendto(b"canary", (host, 53))
for host in hosts:
    attempt(f"udp {{host}}", lambda: udp(host))
attempt("dns", lambda: socket.getaddrinfo("page.example.test", 443))
attempt("icmp", lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP).close())
attempt("packet", lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW).close())
def vsock(cid):
    with socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM) as stream:
        stream.settimeout(2)
        stream.connect((cid, 1024))
for cid in (0, 1, 2):
    attempt(f"vsock {{cid}}", lambda: vsock(cid))
for name in os.listdir("/dev"):
    if name.startswith("vport"):
        attempt(name, lambda: os.open("/dev/" + name, os.O_RDWR))
"""


@pytest.fixture
def listener() -> Iterator[tuple[int, list[bytes]]]:
    """A server on the host's loopback, and what it was sent."""
    heard: list[bytes] = []
    server = socket.create_server(("127.0.0.1", 0))
    server.settimeout(0.2)
    stop = threading.Event()

    def serve() -> None:
        while not stop.is_set():
            try:
                client, _ = server.accept()
            except OSError:
                continue
            heard.append(b"connected")
            client.close()

    thread = threading.Thread(target=serve)
    thread.start()
    yield server.getsockname()[1], heard
    stop.set()
    thread.join()
    server.close()


def judge(attempt: Attempts, output: str, where: str, heard: list[bytes]) -> None:
    lines = output.splitlines()
    assert len(lines) > 40, output
    attempt(f"{where}: interfaces", blocked="interfaces lo" in lines)
    for line in lines:
        if line.startswith(("OPEN", "closed")):
            attempt(f"{where}: {line.partition(' ')[2]}", blocked=line.startswith("closed"))
    attempt(f"{where}: the host's own server", blocked=not heard)


async def test_a_machine_without_hosts_has_only_lo(
    open_machine: OpenMachine, listener: tuple[int, list[bytes]], attempt: Attempts
) -> None:
    program = LOOK.format(port=listener[0])
    async with open_machine() as machine:
        output = await output_of(
            machine, f"cat > look.py <<'E'\n{program}\nE\npython3 look.py", 200
        )
        proxy = await output_of(machine, "env | grep -ci proxy; ls /run")
        attempt("no proxy is set up", blocked=proxy.startswith("0\n") and "egress" not in proxy)
        port = 'import socket; socket.create_connection(("127.0.0.1", 3128))'
        refused = await output_of(machine, f"python3 -c '{port}'")
        attempt("no proxy listens", blocked="Error" in refused)
    judge(attempt, output, "closed", listener[1])


async def test_a_machine_with_hosts_has_the_broker_and_nothing_else(
    sandbox: QemuSandbox, listener: tuple[int, list[bytes]], attempt: Attempts
) -> None:
    program = LOOK.format(port=listener[0])
    facts: list[Payload] = []
    async with FakeInternet() as net:
        net.add("page.example.test")
        async with opened(sandbox, net, facts) as machine:
            output = await run(machine, f"cat > look.py <<'E'\n{program}\nE\npython3 look.py", 200)
        judge(attempt, output, "open", listener[1])
        attempt("nothing was asked or reached", blocked=not net.asked and not net.connections)
    assert not facts
