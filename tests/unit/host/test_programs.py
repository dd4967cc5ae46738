"""A connector that is a program, over the guest's own relay: its tools in runs, and everything that can go wrong with it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.connectors.fake_program import RelaySandbox, program_entry
from tests.unit.connectors.scene import FIND, READS, NoMachine, Scene, open_scene

from deskmate.connectors.pins import drift
from deskmate.errors import UserError
from deskmate.host.adapters import Adapters
from deskmate.host.programs import look_at_program
from deskmate.types.connectors import (
    ConnectorAsked,
    ConnectorEntry,
    SecretVariable,
    ToolSetting,
)
from deskmate.types.events import ToolFinished
from deskmate.types.network import NetworkRule
from deskmate_guest.stdio import relay

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with open_scene(tmp_path) as found:
        found.sandbox = RelaySandbox(tmp_path / "machine")
        yield found
    while relay._running:
        relay._running.pop().end()


def keep(scene: Scene, tmp_path: Path, mode: str = "", timeout_s: int = 60) -> ConnectorEntry:
    settings = {**READS, "send": ToolSetting(decision="deny")}
    entry = program_entry(tmp_path / "kept", mode, settings=settings, timeout_s=timeout_s)
    scene.book().save(entry)
    return entry


async def finished(scene: Scene) -> ToolFinished:
    done = await scene.run(FIND, "Ok.")
    assert done.reason == "done"
    (found,) = await scene.facts(done.thread, ToolFinished)
    assert isinstance(found, ToolFinished)
    return found


async def test_a_program_s_tools_are_offered_called_and_recorded_as_a_server_s_are(
    scene: Scene, tmp_path: Path
) -> None:
    keep(scene, tmp_path)
    fact = await finished(scene)
    assert (fact.outcome, fact.text, fact.untrusted, fact.private) == ("ok", "x", True, True)
    offered = {spec.name for spec in scene.model.requests[0].tools}
    assert "crm__find" in offered
    assert "crm__send" not in offered
    assert not any("connector--" in name for name in offered)
    assert any("virtual machine of its own" in line for line in scene.lines)


async def test_a_program_starts_once_a_run_and_rests_between_calls(
    scene: Scene, tmp_path: Path
) -> None:
    keep(scene, tmp_path)
    done = await scene.run(FIND, (("crm__find", {"q": "y"}),), "Ok.")
    assert [fact.text for fact in await scene.facts(done.thread, ToolFinished)] == ["x", "y"]
    assert isinstance(scene.sandbox, RelaySandbox)
    assert scene.sandbox.calls.count("start") == 1


async def test_a_program_of_the_older_protocol_asks_and_its_call_is_made_again_with_the_answer(
    scene: Scene, tmp_path: Path
) -> None:
    keep(scene, tmp_path, "ask")
    parked = await scene.run(FIND, "Ok.")
    assert parked.reason == "needs_you"
    assert "crm asks: Which size?" in parked.text
    done = await scene.run(thread=parked.thread, text="large", connectors=())
    (fact,) = await scene.facts(done.thread, ToolFinished)
    assert fact.text == '{"action": "accept", "content": {"size": "large"}}'
    (asked,) = await scene.facts(done.thread, ConnectorAsked)
    assert asked.question.message == "Which size?"


async def test_a_program_that_crashes_in_a_call_is_told_and_started_anew_for_the_next(
    scene: Scene, tmp_path: Path
) -> None:
    keep(scene, tmp_path, "crash")
    done = await scene.run(FIND, FIND, "Ok.")
    facts = await scene.facts(done.thread, ToolFinished)
    assert [fact.outcome for fact in facts] == ["unknown", "unknown"]
    assert any("ended with code 7; it said: out of ideas" in line for line in scene.lines)
    assert isinstance(scene.sandbox, RelaySandbox)
    assert scene.sandbox.calls.count("start") == 2


async def test_a_program_that_does_not_answer_is_left_at_its_deadline(
    scene: Scene, tmp_path: Path
) -> None:
    keep(scene, tmp_path, "hang", timeout_s=1)
    assert (await finished(scene)).outcome == "unknown"


async def test_a_large_answer_comes_whole_and_a_larger_one_than_allowed_is_refused(
    scene: Scene, tmp_path: Path
) -> None:
    keep(scene, tmp_path, "large")
    assert (await finished(scene)).outcome == "ok"
    keep(scene, tmp_path, "huge")
    assert (await finished(scene)).outcome == "unknown"
    assert any("more than 1,048,576 bytes" in line for line in scene.lines)


async def test_lines_that_are_no_messages_are_passed_over(scene: Scene, tmp_path: Path) -> None:
    keep(scene, tmp_path, "garbage")
    assert (await finished(scene)).text == "x"


async def test_a_tool_whose_words_changed_is_off(scene: Scene, tmp_path: Path) -> None:
    keep(scene, tmp_path, "pull")
    fact = await finished(scene)
    assert fact.outcome == "error"
    assert "its definition changed" in fact.text
    assert set(scene.book().get("crm").off) == {"find"}


async def test_a_program_that_does_not_start_says_why(scene: Scene, tmp_path: Path) -> None:
    keep(scene, tmp_path, "dies")
    fact = await finished(scene)
    assert fact.outcome == "error"
    assert "the program ended with code 3; it said: no licence" in fact.text


async def test_without_a_virtual_machine_nothing_of_a_program_runs(
    scene: Scene, tmp_path: Path
) -> None:
    entry = keep(scene, tmp_path)
    assert entry.program is not None
    (tmp_path / "kept" / "server.py").write_text("open('ran', 'w')")
    adapters = Adapters(scene.places, environ={})
    with pytest.raises(UserError, match="it has no virtual machine"):
        await look_at_program(scene.places, entry, adapters)
    assert not list(tmp_path.rglob("ran"))
    scene.sandbox = NoMachine()
    assert (await finished(scene)).outcome == "error"


async def test_a_look_at_a_program_gives_its_listing_and_its_stderr(
    scene: Scene, tmp_path: Path
) -> None:
    entry = program_entry(tmp_path / "kept")
    adapters = Adapters(scene.places, environ={}, sandbox=scene.sandbox)
    found, listing = await look_at_program(scene.places, entry, adapters)
    assert (found.server, found.protocol) == ("shop 1", "2025-11-25")
    assert not drift(entry.tools, listing.tools)
    assert listing.stderr == "starting\n"


async def test_a_secret_that_is_not_kept_is_asked_for_before_anything_starts(
    scene: Scene, tmp_path: Path
) -> None:
    entry = program_entry(tmp_path / "kept")
    assert entry.program is not None
    program = replace(
        entry.program,
        hosts=(NetworkRule(host="api.example.test"),),
        secrets=(SecretVariable(name="TOKEN", send_to=("api.example.test",)),),
    )
    adapters = Adapters(scene.places, environ={}, sandbox=scene.sandbox, outside=scene.net.outside)
    with pytest.raises(UserError, match="deskmate secret set "):
        await look_at_program(scene.places, replace(entry, program=program), adapters)
    assert isinstance(scene.sandbox, RelaySandbox)
    assert scene.sandbox.calls == []
