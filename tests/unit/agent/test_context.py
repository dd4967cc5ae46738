"""The request: a prefix that stays the same, and a conversation whose pairs always match."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from deskmate.agent.context import build_request
from deskmate.agent.skills import Reading, read_skill
from deskmate.errors import ToolInputError
from deskmate.types.events import (
    Event,
    GrantsSet,
    ModelReplied,
    SandboxOpened,
    ToolFinished,
    UserSaid,
)
from deskmate.types.files import Grant
from deskmate.types.ids import Digest, RunId, ToolUseId
from deskmate.types.messages import NOTE, Message, Text, ToolUse
from deskmate.types.registry import PromptSpec, Registry, SkillSpec, ToolSpec

MakeLog = Callable[..., tuple[Event, ...]]

NONE = Digest("0" * 64)
RUN = RunId("r-1")
OPENED = SandboxOpened(machine="m", template=NONE, isolation="none")


def tool(name: str) -> ToolSpec:
    return ToolSpec(plugin="p", name=name, title="", description="", input_schema={}, risk="read")


def registry(*, turned: bool = False) -> Registry:
    prompts = (
        PromptSpec(plugin="b", name="role", text="B.", order=10),
        PromptSpec(plugin="a", name="role", text="A.", order=10),
        PromptSpec(plugin="z", name="role", text="Z.", order=1),
    )
    tools = (tool("b__x"), tool("a__y"))
    skills = (
        SkillSpec(plugin="a", name="two", description="Second.", body="2"),
        SkillSpec(plugin="a", name="one", description="First.", body="1"),
    )
    if turned:
        prompts, tools, skills = prompts[::-1], tools[::-1], skills[::-1]
    return Registry(lock=NONE, prompts=prompts, tools=tools, skills=skills)


def said(text: str) -> UserSaid:
    return UserSaid(run=RUN, text=text, model="m")


def replied(*content: Any, stop: str = "end_turn") -> ModelReplied:
    return ModelReplied(turn=1, model="m", content=content, stop_reason=stop)


def done(id_: str, text: str = "ok") -> ToolFinished:
    return ToolFinished(tool_use_id=ToolUseId(id_), tool="p__t", outcome="ok", text=text)


def use(id_: str, name: str = "p__t") -> ToolUse:
    return ToolUse(id=ToolUseId(id_), name=name, input={})


def texts(message: Message) -> list[str]:
    return [block.text for block in message.content if isinstance(block, Text)]


def test_the_prefix_does_not_depend_on_the_order_of_installation_or_the_conversation(
    make_log: MakeLog,
) -> None:
    one = build_request(make_log(said("A")), registry(), "m")
    two = build_request(
        make_log(said("B"), replied(Text(text="x")), said("C")), registry(turned=True), "m"
    )
    assert (one.system, one.tools) == (two.system, two.tools)
    assert one.system[1:4] == ("Z.", "A.", "B.")
    assert one.system[4].endswith("- one: First.\n- two: Second.")
    own = ["thread__read", "thread__search"]
    assert [spec.name for spec in one.tools] == [*own, "a__y", "b__x", "skill__read"]


def test_the_date_stands_in_the_conversation_and_not_in_the_prefix(make_log: MakeLog) -> None:
    grants = GrantsSet(grants=(Grant(name="docs", folder="/home/u/docs", mode="ro"),))
    request = build_request(make_log(grants, said("Hi")), registry(), "m")
    note = texts(request.messages[0])[0]
    assert note == f"{NOTE}Today is 2026-11-23. Folders in /workspace: docs (ro)."
    assert not any("2026-11-23" in block for block in request.system)
    assert "/home/u" not in str(request), "the model needs no host paths"


def test_a_skill_is_found_by_its_name() -> None:
    assert read_skill(registry(), "two", "", Reading()) == "2"
    with pytest.raises(ToolInputError, match="There is no skill 'three'; there are: one, two"):
        read_skill(registry(), "three", "", Reading())


def test_without_skills_there_is_no_tool_for_them(make_log: MakeLog) -> None:
    request = build_request(make_log(said("A")), Registry(lock=NONE), "m")
    assert [tool.name for tool in request.tools] == ["thread__read", "thread__search"]
    assert len(request.system) == 1
