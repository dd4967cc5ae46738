"""The faults that a server which others wrote can make, through the whole house: recovered or cleanly parked."""

from __future__ import annotations

import json
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from tests.integration.test_model_faults import House, make_house
from tests.unit.models.test_aimock import free_port, llmock

from deskmate.types.events import ModelFailed, ModelReplied, ToolFinished

__all__ = ["llmock"]

pytestmark = pytest.mark.anyio

TEXT = "The whole answer, which is long enough to be cut somewhere in its middle."


def error(status: int, kind: str) -> dict[str, Any]:
    return {"response": {"status": status, "error": {"type": kind, "message": f"said {status}"}}}


PASSING: dict[str, dict[str, Any]] = {
    "429": error(429, "rate_limit_error"),
    "500": error(500, "api_error"),
    "502": error(502, "api_error"),
    "503": error(503, "api_error"),
    "529": error(529, "overloaded_error"),
    "cut mid-block": {"response": {"content": TEXT}, "truncateAfterChunks": 2, "chunkSize": 8},
    "disconnected": {
        "response": {"content": TEXT},
        "disconnectAfterMs": 30,
        "latency": 20,
        "chunkSize": 4,
    },
    "dropped": {"response": {"content": TEXT}, "chaos": {"dropRate": 1}},
    "malformed": {"response": {"content": TEXT}, "chaos": {"malformedRate": 1}},
    "limited": {"response": {"content": TEXT}, "chaos": {"rateLimitRate": 1}},
    "hung up": {"response": {"content": TEXT}, "chaos": {"disconnectRate": 1}},
}
LASTING = {
    "400": error(400, "invalid_request_error"),
    "401": error(401, "authentication_error"),
    "403": error(403, "permission_error"),
    "413": error(413, "request_too_large"),
}


def fixtures() -> list[dict[str, Any]]:
    """Each fault for the first request that says its name, then a whole answer; `ever …` stays."""
    found: list[dict[str, Any]] = []
    for name, fault in {**PASSING, **LASTING}.items():
        found += [
            {"match": {"userMessage": f"ever {name}."}, **fault},
            {"match": {"userMessage": f"once {name}.", "sequenceIndex": 0}, **fault},
            {"match": {"userMessage": f"once {name}."}, "response": {"content": TEXT}},
        ]
    call = {"name": "proof__count", "arguments": "{}", "id": "call_1"}
    twins = {"toolCalls": [call, call]}
    return [
        # first: what was not answered is still said with it
        {"match": {"userMessage": "again"}, "response": {"content": TEXT}},
        *found,
        {"match": {"userMessage": "twins", "hasToolResult": True}, "response": {"content": TEXT}},
        {"match": {"userMessage": "twins"}, "response": twins},
        {"match": {"userMessage": "slow"}, "response": {"content": TEXT}, "latency": 100},
    ]


@pytest.fixture
async def house(llmock: str, tmp_path: Path) -> AsyncIterator[House]:
    file, port = tmp_path / "fixtures.json", free_port()
    file.write_text(json.dumps({"fixtures": fixtures()}))
    log = (tmp_path / "aimock.log").open("w")
    process = subprocess.Popen([llmock, "-f", file, "-p", str(port)], stdout=log, stderr=log)
    try:
        with anyio.fail_after(30):
            while True:
                try:
                    stream = await anyio.connect_tcp("127.0.0.1", port)
                    break
                except OSError:
                    assert process.poll() is None, (tmp_path / "aimock.log").read_text()
                    await anyio.sleep(0.05)
        await stream.aclose()
        yield make_house(tmp_path, f"http://127.0.0.1:{port}")
    finally:
        process.terminate()
        process.wait(timeout=10)
        log.close()


@pytest.mark.parametrize("name", PASSING)
async def test_a_fault_that_passes_is_recovered_from(name: str, house: House) -> None:
    result = await house.run(f"once {name}.")
    assert (result.reason, result.answer) == ("done", TEXT)
    (failed,) = await house.of(ModelFailed)
    assert failed.retryable
    assert len(await house.of(ModelReplied)) == 1


@pytest.mark.parametrize("name", PASSING)
async def test_a_fault_that_stays_parks_the_run(name: str, house: House) -> None:
    assert (await house.run(f"ever {name}.")).reason == "failed"
    assert [one.retryable for one in await house.of(ModelFailed)] == [True] * 6
    assert await house.of(ModelReplied) == []
    assert (await house.run("again")).reason == "done"


@pytest.mark.parametrize("name", LASTING)
async def test_a_refusal_parks_the_run_at_once(name: str, house: House) -> None:
    assert (await house.run(f"ever {name}.")).reason == "failed"
    (failed,) = await house.of(ModelFailed)
    assert f"said {name}" in failed.error
    assert not failed.retryable
    assert (await house.run("again")).reason == "done"


async def test_tool_uses_with_one_id_become_two(house: House) -> None:
    assert (await house.run("twins")).answer == TEXT
    results = await house.of(ToolFinished)
    assert [one.outcome for one in results] == ["ok", "ok"]
    assert len({one.tool_use_id for one in results}) == 2
    assert house.effects == ["counted", "counted"]


async def test_a_slow_stream_is_waited_for(house: House) -> None:
    assert (await house.run("slow")).answer == TEXT
    assert await house.of(ModelFailed) == []
