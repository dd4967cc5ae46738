"""Plugins that are loaded into a running guest, before it is frozen once more."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.unit.guest.conftest import WORKSPACE, write_plugin

from deskmate.errors import ProtocolError

pytestmark = pytest.mark.anyio

BEFORE_THE_FREEZE = -1000
HELLO = """
    from deskmate.plugin import Tool, hookimpl

    def hello() -> str:
        '''Greet.'''
        return "hello from {name}"

    @hookimpl
    def deskmate_tools(context):
        return [Tool(function=hello)]
"""
MANIFEST = """
    [tools.hello]
    risk = "read"
"""


def hello(root: Path, name: str, disk: str, code: str = HELLO) -> dict[str, Any]:
    return write_plugin(root, name, code.replace("{name}", name), MANIFEST, disk)


def put_lock(root: Path, *rows: dict[str, Any], code: str = "c" * 64) -> None:
    (root / "plugins").mkdir(exist_ok=True)
    lock = {"lock": "1" * 64, "code": code, "plugins": list(rows)}
    (root / "plugins" / "lock.json").write_text(json.dumps(lock))


async def call(guest: Any, tool: str) -> Any:
    return await guest.client.call(tool, {}, key=tool, timeout_s=60, on_progress=lambda line: None)


async def test_later_plugins_join_those_that_are_there_under_the_new_lock(
    start_guest: Any, tmp_path: Path
) -> None:
    first = hello(tmp_path, "first", "layer")
    later = hello(tmp_path, "later", "plugins")
    put_lock(tmp_path, WORKSPACE, first, {**later, "order": 50})
    async with start_guest(WORKSPACE, first, first_id=BEFORE_THE_FREEZE) as guest:
        assert await guest.client.load() == ("workspace", "first", "later")
        registry = await guest.client.registry()
        assert registry.lock == "1" * 64
        assert registry.problems == ()
        order = [tool.plugin for tool in registry.tools if tool.plugin != "workspace"]
        assert order == ["later", "first"]
        guest.client.number_from(1)
        await guest.client.open((), {}, "t-1")
        assert "hello from later" in (await call(guest, "later__hello")).text
        assert "hello from first" in (await call(guest, "first__hello")).text


async def test_a_later_plugin_that_breaks_is_named_and_the_others_work(
    start_guest: Any, tmp_path: Path
) -> None:
    broken = write_plugin(tmp_path, "broken", "raise RuntimeError('no')", MANIFEST, "plugins")
    good = hello(tmp_path, "good", "plugins")
    put_lock(tmp_path, WORKSPACE, broken, good)
    async with start_guest(WORKSPACE, first_id=BEFORE_THE_FREEZE) as guest:
        await guest.client.load()
        registry = await guest.client.registry()
        assert len(registry.problems) == 1
        assert "broken" in registry.problems[0]
        assert "good__hello" in [tool.name for tool in registry.tools]


async def test_a_set_without_later_plugins_is_loaded_at_once(
    start_guest: Any, tmp_path: Path
) -> None:
    put_lock(tmp_path, WORKSPACE)
    async with start_guest(WORKSPACE, first_id=BEFORE_THE_FREEZE) as guest:
        assert await guest.client.load() == ("workspace",)


@pytest.mark.parametrize("first_id", [1, BEFORE_THE_FREEZE])
async def test_plugins_of_other_code_of_a_missing_disk_or_after_the_freeze_are_refused(
    start_guest: Any, tmp_path: Path, first_id: int
) -> None:
    async with start_guest(WORKSPACE, first_id=first_id) as guest:
        with pytest.raises(ProtocolError, match=r"before the freeze|no plugins to load"):
            await guest.client.load()
    if first_id < 0:
        (tmp_path / "layer" / "lib").unlink()
        put_lock(tmp_path, WORKSPACE, code="d" * 64)
        async with start_guest(WORKSPACE, first_id=first_id) as guest:
            with pytest.raises(ProtocolError, match="other code"):
                await guest.client.load()
            with pytest.raises(ProtocolError, match="once"):
                await guest.client.load()
            assert {t.plugin for t in (await guest.client.registry()).tools} == {"workspace"}
