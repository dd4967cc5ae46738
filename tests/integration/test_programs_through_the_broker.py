"""Programs that nobody here wrote go through the guest's proxy and the host's broker, by their environment alone."""

from __future__ import annotations

import importlib.util
import io
import os
import shutil
import socket
import sys
import zipfile
from pathlib import Path

import anyio
import pytest
from tests.unit.guest.test_egress import anyio_backend, proxy

from deskmate.connectors.egress.broker import Broker
from deskmate.connectors.egress.policy import NetworkPolicy
from deskmate.sandbox.channel import Channel
from deskmate.testing.fake_internet import FakeAnswer, FakeInternet, FakeRequest
from deskmate.types.events import EgressAsked, Payload
from deskmate.types.network import NetworkRule
from deskmate_guest.egress import environment

__all__ = ["anyio_backend", "proxy"]
pytestmark = pytest.mark.anyio
INDEX, OTHER = "index.example.test", "other.example.test"
WHEEL = "tinypkg-1.0-py3-none-any.whl"


def wheel() -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("tinypkg/__init__.py", "")
        about = "Metadata-Version: 2.1\nName: tinypkg\nVersion: 1.0\n"
        archive.writestr("tinypkg-1.0.dist-info/METADATA", about)
        kind = "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        archive.writestr("tinypkg-1.0.dist-info/WHEEL", kind)
        archive.writestr("tinypkg-1.0.dist-info/RECORD", "")
    return data.getvalue()


def index(request: FakeRequest) -> FakeAnswer:
    if request.path.endswith(".whl"):
        return FakeAnswer(body=wheel())
    link = f'<a href="https://{INDEX}/{WHEEL}">{WHEEL}</a>'
    return FakeAnswer(headers=[("Content-Type", "text/html")], body=link.encode())


async def test_curl_and_pip_reach_what_is_allowed_and_read_why_not(
    proxy: tuple[socket.socket, int], tmp_path: Path
) -> None:
    curl = shutil.which("curl")
    if curl is None or importlib.util.find_spec("pip") is None:
        pytest.skip("needs curl and pip")
    facts: list[Payload] = []

    async def record(fact: Payload) -> None:
        facts.append(fact)

    said: dict[str, str] = {}
    async with FakeInternet() as net:
        net.add(INDEX, index)
        net.add(OTHER)
        broker = Broker(NetworkPolicy(rules=(NetworkRule(host=INDEX),)), net.outside, record)
        trust = tmp_path / "trust.pem"
        trust.write_text(broker.trust)
        environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
        environ |= environment(trust, ("127.0.0.1", proxy[1]))

        async def run(name: str, *words: str) -> None:
            done = await anyio.run_process([*words], env=environ, check=False)
            said[name] = (done.stdout + done.stderr).decode()

        port = Channel(proxy[0].dup())
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(broker.serve, port)
            with anyio.fail_after(120):
                await run("curl", curl, "-sS", f"https://{INDEX}/x")
                await run("refused", curl, "-sS", f"https://{OTHER}/x")
                pip = (sys.executable, "-m", "pip", "download", "--no-deps", "-d", str(tmp_path))
                await run("pip", *pip, "--index-url", f"https://{INDEX}/simple", "tinypkg")
            tasks.cancel_scope.cancel()
        await anyio.aclose_forcefully(port)
    assert WHEEL in said["curl"]
    assert said["refused"] == f"Deskmate: {OTHER} is not allowed for this thread\n"
    assert "Successfully downloaded tinypkg" in said["pip"]
    asked = [fact for fact in facts if isinstance(fact, EgressAsked)]
    assert {fact.host for fact in asked if fact.allowed} == {INDEX}
    assert {fact.host for fact in asked if not fact.allowed} == {OTHER}
