"""A plugin in another format from the folder to the model, with a sandbox in memory."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.formats.material import lay, plain, skill

from deskmate.discovery.bringing import BringOrder, bring
from deskmate.discovery.foreign import skill_specs
from deskmate.discovery.installed import find_plugins
from deskmate.discovery.plugin_store import PluginStore
from deskmate.host import Host, RunOrder
from deskmate.store.thread import open_thread
from deskmate.testing.fake_sandbox import FakePlugin, FakeSandbox
from deskmate.testing.scripted_model import ScriptedModel
from deskmate.types.events import Event, PluginsSet, ToolFinished
from deskmate.types.places import Places

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Nobody:
    """No person is there, and nothing asks."""

    async def approve(self, tool: object, arguments: object, why: str) -> bool | None:
        return None


def quiet(item: object) -> None:
    return None


def brought(folder: Path, store: PluginStore) -> FakePlugin:
    bring(BringOrder(what=str(folder)), store, quiet)
    plugin = find_plugins([], store=store.folder).get("acme")
    return FakePlugin(skills=tuple(skill_specs(plugin)))


async def test_a_plugin_that_is_enabled_between_two_turns_is_there_in_the_next(
    tmp_path: Path,
) -> None:
    body = "Write to $ARGUMENTS as ${CLAUDE_SKILL_DIR}/more.md says.\n"
    folder = lay(tmp_path / "acme", plain(**{"skills/write/SKILL.md": skill("write", body=body)}))
    home = tmp_path / "home"
    places = Places(data=home / "data", cache=home / "cache", config=home / "config")
    store = PluginStore(places.plugins)
    use = (("skill__read", {"name": "acme:write", "arguments": "Ada"}),)
    model = ScriptedModel(("Hello.", use, "Written."))
    host = Host(
        places, environ={}, sandbox=FakeSandbox({"acme": brought(folder, store)}), model=model
    )

    thread = await host.create_thread("A thread")
    await host.run(RunOrder(text="Hi"), thread, observer=quiet, approver=Nobody())
    order = RunOrder(text="/acme:write Ada", plugins=("acme",))
    await host.run(order, thread, observer=quiet, approver=Nobody())

    before, after, _ = model.requests
    assert "acme:write" not in "".join(before.system)
    assert "- acme:write: Does a thing. Use when it is needed." in "".join(after.system)
    assert [tool.name for tool in after.tools if tool.plugin == "skill"] == ["skill__read"]
    async with open_thread(places.threads, thread, write=False) as log:
        payloads = [event.payload for event in await log.events() if isinstance(event, Event)]
    (result,) = [payload for payload in payloads if isinstance(payload, ToolFinished)]
    assert "Write to Ada as /opt/plugins/brought/acme/skills/write/more.md says." in result.text
    assert result.untrusted, "what a plugin's author wrote is material"
    assert [tuple(p.versions) for p in payloads if isinstance(p, PluginsSet)][-1] == ("acme",)
