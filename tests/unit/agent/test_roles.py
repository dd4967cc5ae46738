"""Roles of sub-agents: what a plugin's agent describes narrows what a sub-agent has, and never widens it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.agent.test_delegation import QUOTE, TASKS, Team, _quote, broken, delegate, result

from deskmate.agent.delegate_tool import (
    DELEGATE,
    DELEGATE_TOOL,
    ROLES_LISTED,
    ROLES_NAMED,
    delegate_tool,
)
from deskmate.agent.subagents import READER
from deskmate.types.events import ModelAsked, SubagentDid, SubagentStarted
from deskmate.types.registry import RoleSpec

if TYPE_CHECKING:
    from tests.unit.agent.conftest import Lab

pytestmark = pytest.mark.anyio


def role(name: str = "acme:hunter", **more: Any) -> RoleSpec:
    return RoleSpec(
        plugin="acme", name=name, description="Hunts errors.", text="You hunt for errors.", **more
    )


@pytest.fixture
def lab_with(make_lab: Callable[..., Lab]) -> Callable[..., Lab]:
    from dataclasses import replace

    def make(model: Any, *roles: RoleSpec, **more: Any) -> Lab:
        files = {"docs/a.txt": b"alpha", "docs/b.txt": b"beta"}
        lab = make_lab(model, files=files, subagents=1, roles=roles, **more)
        plugins = lab.sandbox.inner._plugins
        tools = {**plugins["lab"].tools, QUOTE.name: (QUOTE, _quote)}
        plugins["lab"] = replace(plugins["lab"], tools=tools)
        return lab

    return make


def offered_to_readers(model: Team) -> set[str]:
    readers = [request for request in model.requests if READER in request.system]
    return {tool.name for request in readers for tool in request.tools if tool.plugin != "thread"}


async def test_a_role_gives_its_words_and_narrows_the_tools(lab_with: Callable[..., Lab]) -> None:
    task = {**TASKS[0], "role": "acme:hunter"}
    model = Team([delegate(task), "Done."])
    tools = ("workspace__read", "workspace__write", "workspace__shell", "lab__send")
    lab = lab_with(model, role(tools=tools))
    assert (await lab.say("Read")).reason == "done"
    assert offered_to_readers(model) == {"workspace__read"}, (
        "what it names beyond reading it never gets"
    )
    system = next(request.system for request in model.requests if READER in request.system)
    about = next(text for text in system if "You hunt for errors." in text)
    assert system.index(about) < system.index(READER)
    assert "you cannot" in about
    (begun,) = lab.store.of(SubagentStarted)
    assert begun.role == "acme:hunter"
    assert broken(lab.store.stored) == []
    own = next(tool for tool in model.requests[0].tools if tool.name == DELEGATE)
    assert "- acme:hunter: Hunts errors." in own.description


async def test_tools_that_a_role_forbids_itself_are_not_there(lab_with: Callable[..., Lab]) -> None:
    task = {**TASKS[0], "role": "hunter"}
    model = Team([delegate(task), "Done."])
    lab = lab_with(model, role(without=("lab__quote",)))
    await lab.say("Read")
    assert "workspace__read" in offered_to_readers(model)
    assert "lab__quote" not in offered_to_readers(model)


@pytest.mark.parametrize("name", ["acme:nobody", "twice"])
async def test_a_role_that_is_not_there_or_not_plain_begins_nothing(
    lab_with: Callable[..., Lab], name: str
) -> None:
    model = Team([delegate({**TASKS[0], "role": name}), "Done."])
    lab = lab_with(model, role("acme:twice"), role("other:twice"))
    assert (await lab.say("Read")).reason == "done"
    assert f"There is no role {name!r}" in result(lab).text
    assert lab.store.of(SubagentStarted) == []


async def test_without_roles_a_task_cannot_name_one(lab_with: Callable[..., Lab]) -> None:
    lab = lab_with(Team([delegate({**TASKS[0], "role": "acme:hunter"}), "Done."]))
    await lab.say("Read")
    assert "do not fit" in result(lab).text


async def test_the_model_that_a_role_wishes_for_is_used_where_there_is_one(
    lab_with: Callable[..., Lab],
) -> None:
    task = {**TASKS[0], "role": "acme:hunter"}
    small = Team(["Done."])
    small.name = "small"
    own = Team([delegate(task), "Done."])
    lab = lab_with(
        own, role(model="haiku"), model_for=lambda wish: small if wish == "haiku" else None
    )
    assert (await lab.say("Read")).reason == "done"
    asked = [
        one.fact["model"] for one in lab.store.of(SubagentDid) if one.kind == ModelAsked.__name__
    ]
    assert set(asked) == {"small"}
    assert not any(READER in request.system for request in own.requests)


def test_the_catalogue_of_roles_is_bounded_and_without_any_the_tool_is_as_ever() -> None:
    assert delegate_tool(()) is DELEGATE_TOOL
    many = [role(f"acme:r{n}") for n in range(300)]
    spec = delegate_tool(many)
    assert spec.description.count("Hunts errors.") == ROLES_LISTED
    assert f"acme:r{ROLES_NAMED - 1}" in spec.description
    assert f"and {300 - ROLES_NAMED} more" in spec.description
    assert len(spec.description) < 8_000
    assert "role" in spec.input_schema["properties"]["tasks"]["items"]["properties"]
