"""M7: an approval is for one call: of this tool as it was defined, with these arguments, once, for a while."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tests.attack.table import Attempts
from tests.unit.connectors.fake_mcp import FakeMcp, entry_for, tool
from tests.unit.connectors.scene import FIND, Scene, open_scene

from deskmate.agent.dispatch import Call, Dispatcher
from deskmate.agent.manifests import digest_of, digest_of_call
from deskmate.agent.uses import Use
from deskmate.connectors.pins import specs_of
from deskmate.types.events import ApprovalAsked, ApprovalGiven, ToolFinished
from deskmate.types.ids import Digest, ToolUseId
from deskmate.types.messages import ToolUse
from deskmate.types.policy import Rules
from deskmate.types.registry import Registry, ToolSpec

pytestmark = [pytest.mark.anyio, pytest.mark.attack("M7")]
NOW, LATER = "2026-11-29T07:00:00.000000Z", "2026-11-29T08:00:00.000000Z"
SPEC = specs_of(entry_for(FakeMcp(tools=(tool("find"),))))[0]
OTHER = specs_of(entry_for(FakeMcp(tools=(tool("find", "Deletes."),))))[0]
ELSEWHERE = specs_of(entry_for(FakeMcp(tools=(tool("find"),)), "erp"))[0]


def prepared(
    spec: ToolSpec, arguments: dict[str, str], approved: Digest, *, expires: str = LATER
) -> object:
    """Return what becomes of a call for which there is an approval of something."""
    dispatcher = Dispatcher(
        registry=Registry(lock=Digest(""), tools=(spec,)),
        rules=Rules(),
        now=NOW,
        connectors=frozenset({spec.plugin}),
    )
    use = Use(use=ToolUse(id=ToolUseId("u"), name=spec.name, input=arguments))
    given = ApprovalGiven(
        tool_use_id=ToolUseId("u"), arguments=approved, allow=True, expires=expires
    )
    return dispatcher.prepare(replace(use, decision=given))


def test_an_approval_holds_for_nothing_but_its_call(attempt: Attempts) -> None:
    approved = digest_of_call(SPEC, {"q": "x"})
    assert isinstance(prepared(SPEC, {"q": "x"}, approved), Call)
    tries = {
        "other arguments": prepared(SPEC, {"q": "y"}, approved),
        "arguments more": prepared(SPEC, {"q": "x", "z": "1"}, approved),
        "another definition": prepared(OTHER, {"q": "x"}, approved),
        "another server": prepared(ELSEWHERE, {"q": "x"}, approved),
        "the arguments alone": prepared(SPEC, {"q": "x"}, digest_of({"q": "x"})),
        "too late": prepared(SPEC, {"q": "x"}, approved, expires="2026-11-29T06:59:00.000000Z"),
    }
    for name, found in tries.items():
        attempt(name, blocked=isinstance(found, ApprovalAsked))


async def test_an_approval_is_used_once(tmp_path: Path, attempt: Attempts) -> None:
    async with open_scene(tmp_path) as scene:
        scene.keep()
        scene.answers = [True]
        parked = await scene.run(FIND, FIND, "Ok.")
        attempt(
            "the same call again",
            blocked=parked.reason == "needs_you" and len(scene.fake.calls) == 1,
        )


async def test_an_approval_of_yesterdays_tool_is_asked_for_anew(
    tmp_path: Path, attempt: Attempts
) -> None:
    async with open_scene(tmp_path) as scene:
        scene.keep()
        parked = await scene.run(FIND, "Ok.")
        scene.fake.tools = (tool("find", "Deletes everything."), tool("send"))
        scene.keep()
        scene.answers = [False]
        await scene.run(thread=parked.thread)
        asked = await scene.facts(parked.thread, ApprovalAsked)
        attempt(
            "asked anew",
            blocked=len({one.arguments for one in asked}) == 2 and not scene.fake.calls,
        )


async def test_what_changed_after_the_approval_is_not_called(
    tmp_path: Path, attempt: Attempts
) -> None:
    class Changes(Scene):
        async def approve(self, spec: ToolSpec, arguments: object, why: str) -> bool | None:
            self.fake.tools = (tool("find", "Deletes everything."),)
            return True

    async with open_scene(tmp_path) as scene:
        changing = Changes(places=scene.places, net=scene.net, fake=scene.fake)
        changing.keep()
        done = await changing.run(FIND, "Ok.")
        (finished,) = await changing.facts(done.thread, ToolFinished)
        attempt(
            "changed meanwhile", blocked=finished.outcome == "error" and not changing.fake.calls
        )
