"""M6: a connector may die, repeat itself or talk garbage: each call has one result, and the run goes on."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.attack.table import Attempts
from tests.unit.connectors.fake_mcp import text
from tests.unit.connectors.scene import FIND, READS, open_scene

from deskmate.store.invariants import check_outside
from deskmate.testing.fake_internet import FakeAnswer, FakeRequest
from deskmate.types.events import EgressAsked, ToolFinished, ToolStarted

pytestmark = [pytest.mark.anyio, pytest.mark.attack("M6")]
JSON = [("content-type", "application/json")]
EVENTS = [("content-type", "text/event-stream")]
Play = Callable[[FakeRequest, Any], FakeAnswer]


def reply(number: Any, words: str = "ok") -> bytes:
    result = {"resultType": "complete", **text(words)}
    return json.dumps({"jsonrpc": "2.0", "id": number, "result": result}).encode()


def event(data: bytes) -> bytes:
    return b"data: " + data + b"\n\n"


FAULTS: dict[str, Play] = {
    "it dies in the middle": lambda r, m: FakeAnswer(headers=[*JSON, ("content-length", "9999")], body=b"{"),
    "it dies in a stream": lambda r, m: FakeAnswer(headers=EVENTS, body=b"data: {"),
    "half a document": lambda r, m: FakeAnswer(headers=JSON, body=reply(m["id"])[:30]),
    "nothing": lambda r, m: FakeAnswer(headers=JSON),
    "accepted, and nothing more": lambda r, m: FakeAnswer(status=202),
    "no content type": lambda r, m: FakeAnswer(body=reply(m["id"])),
    "another number": lambda r, m: FakeAnswer(headers=JSON, body=reply(987)),
    "a number that is none": lambda r, m: FakeAnswer(headers=JSON, body=reply({"a": 1})),
    "two answers": lambda r, m: FakeAnswer(headers=EVENTS, body=event(reply(m["id"])) + event(reply(m["id"], "again"))),
    "a hundred answers": lambda r, m: FakeAnswer(headers=EVENTS, body=event(reply(m["id"])) * 100),
    "garbage in a stream": lambda r, m: FakeAnswer(headers=EVENTS, body=b"\xff\xfe\x00data: \n\n" + event(b"{{{")),
    "another shape": lambda r, m: FakeAnswer(headers=JSON, body=json.dumps({"jsonrpc": "2.0", "id": m["id"], "result": {"content": 7}}).encode()),
    "not JSON-RPC": lambda r, m: FakeAnswer(headers=JSON, body=b'{"hello": "world"}'),
    "an error page": lambda r, m: FakeAnswer(status=502, headers=[("content-type", "text/html")], body=b"<h1>Bad</h1>"),
    "sent elsewhere": lambda r, m: FakeAnswer(status=307, headers=[("location", "http://127.0.0.1:9/")]),
    "sent round in circles": lambda r, m: FakeAnswer(status=307, headers=[("location", "/mcp")]),
    "very deep": lambda r, m: FakeAnswer(headers=JSON, body=b"[" * 200_000),
    "a lone surrogate": lambda r, m: FakeAnswer(headers=JSON, body=reply(m["id"]).replace(b"ok", b"\\ud800")),
    "a large number": lambda r, m: FakeAnswer(headers=JSON, body=reply(m["id"]).replace(b'"ok"', b"9" * 5000)),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
async def test_each_call_has_one_result_whatever_comes_back(
    tmp_path: Path, attempt: Attempts, name: str
) -> None:
    async with open_scene(tmp_path) as scene:
        scene.keep(settings=READS)
        scene.fake.raw["tools/call"] = FAULTS[name]
        done = await scene.run(FIND, "Ok.")
        results = await scene.facts(done.thread, ToolFinished)
        once = len(results) == 1 == len(await scene.facts(done.thread, ToolStarted))
        sound = not list(check_outside(await scene.events(done.thread)))
        fine = results[0].outcome in ("ok", "error", "unknown")
        attempt(name, blocked=done.reason == "done" and once and sound and fine)
        attempt(
            f"{name}: not called again",
            blocked=len(scene.fake.calls) <= 1 or name == "sent round in circles",
        )
        others = {fact.host for fact in await scene.facts(done.thread, EgressAsked) if fact.allowed}
        attempt(f"{name}: no other place", blocked=others == {"mcp.example.test"})


@pytest.mark.parametrize("method", ["server/discover", "tools/list", "tools/call"])
async def test_a_server_that_always_fails_is_left_alone(
    tmp_path: Path, attempt: Attempts, method: str
) -> None:
    async with open_scene(tmp_path) as scene:
        scene.keep(settings=READS)
        scene.fake.raw[method] = lambda r, m: FakeAnswer(
            headers=[*JSON, ("content-length", "9999")], body=b"{"
        )
        done = await scene.run(*[FIND] * 12, "Ok.")
        results = await scene.facts(done.thread, ToolFinished)
        left_alone = sum("left alone" in one.text for one in results)
        tries = len(await scene.facts(done.thread, EgressAsked))
        attempt(method, blocked=len(results) == 12 and left_alone == 9 and tries < 30)


async def test_a_fault_of_one_connector_is_no_fault_of_the_run(
    tmp_path: Path, attempt: Attempts
) -> None:
    async with open_scene(tmp_path) as scene:
        scene.keep(settings=READS)
        plays = [FAULTS["it dies in the middle"], None]

        def once(request: FakeRequest, message: Any) -> FakeAnswer:
            play = plays.pop(0) if plays else None
            return (
                play(request, message)
                if play
                else scene.fake.reply(json.loads(reply(message["id"])))
            )

        scene.fake.raw["tools/call"] = once
        done = await scene.run(FIND, FIND, "Ok.")
        outcomes = [one.outcome for one in await scene.facts(done.thread, ToolFinished)]
        attempt("it recovers", blocked=outcomes == ["unknown", "ok"] and done.reason == "done")
