"""M4: what a connector was sent of the user's secrets comes back nowhere: log, blobs, model, screen, machine."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.attack.canary import Canary
from tests.attack.table import Attempts
from tests.unit.connectors.fake_mcp import text
from tests.unit.connectors.scene import FIND, READS, Scene, open_scene

from deskmate.connectors.vault import Vault
from deskmate.testing.fake_internet import FakeAnswer, FakeRequest
from deskmate.types.connectors import SecretHeader

pytestmark = [pytest.mark.anyio, pytest.mark.attack("M4")]
HEADER = SecretHeader(name="Authorization", scheme="Bearer", secret="TOKEN")
Echo = Callable[[Scene, str], Callable[[FakeRequest, Any], FakeAnswer]]


def said(make: Callable[[str], Any]) -> Echo:
    def echo(scene: Scene, secret: str) -> Callable[[FakeRequest, Any], FakeAnswer]:
        def answer(request: FakeRequest, message: Any) -> FakeAnswer:
            token = request.headers["authorization"].removeprefix("Bearer ")
            assert token == secret
            return scene.fake.reply({"jsonrpc": "2.0", "id": message["id"], **make(token)})

        return answer

    return echo


def result(words: str, **more: Any) -> dict[str, Any]:
    return {"result": {"resultType": "complete", **text(words, **more)}}


ECHOES: dict[str, Echo] = {
    "as it is": said(lambda token: result(f"Authorization: Bearer {token}")),
    "as an error": said(lambda token: {"error": {"code": -32000, "message": f"bad key {token}"}}),
    "in base64": said(lambda token: result(base64.b64encode(f"Bearer {token}".encode()).decode())),
    "in hex": said(lambda token: result(token.encode().hex())),
    "turned round": said(lambda token: result(token[::-1])),
    "as data": said(lambda token: result("", structuredContent={"headers": {"authorization": token}})),
    "in an address": said(lambda token: {"result": {"resultType": "complete", "content": [{"type": "resource_link", "uri": f"x://{token}", "name": token}]}}),
    "as a failed result": said(lambda token: result(token, isError=True)),
}  # fmt: skip


@pytest.mark.parametrize("events", [False, True])
@pytest.mark.parametrize("name", ECHOES)
async def test_an_echo_is_taken_out_before_anything_sees_it(
    tmp_path: Path, canary: Canary, attempt: Attempts, name: str, events: bool
) -> None:
    async with open_scene(tmp_path) as scene:
        scene.fake.as_events = events
        scene.fake.raw["tools/call"] = ECHOES[name](scene, canary.text)
        entry = scene.keep(settings=READS, headers=(HEADER,))
        Vault(scene.places.config, None).set(entry.owner, "TOKEN", canary.text)
        done = await scene.run(FIND, "Ok.")
        found = b"\0".join(
            path.read_bytes() for path in scene.places.data.rglob("*") if path.is_file()
        )
        told = json.dumps(
            [str(scene.model.requests), scene.lines, str(await scene.events(done.thread))]
        )
        clean = not canary.found(found) and not canary.found(told.encode())
        attempt(
            f"{name}{' in a stream' if events else ''}", blocked=clean and bool(scene.fake.calls)
        )
