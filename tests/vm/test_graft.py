"""A set of plugins that is new here: loaded into a copy of a frozen machine instead of booted."""

from __future__ import annotations

import json
from typing import Any

import pytest

from deskmate.ports import SandboxSpec
from deskmate.sandbox.adapter import QemuSandbox
from deskmate.types.ids import ThreadId

pytestmark = [pytest.mark.vm, pytest.mark.anyio]

LOOK = """
import json, os, pathlib
mounts = [line.split()[1] for line in open("/proc/mounts")]
print(json.dumps({
    "write": os.access("/opt/plugins/plugins/hr", os.W_OK),
    "mounted": "/opt/plugins" in mounts,
    "there": sorted(os.listdir("/opt/plugins/plugins")) if "/opt/plugins" in mounts else [],
}))
"""


def quiet(line: str) -> None:
    return None


async def look(machine: Any) -> dict[str, Any]:
    answer = await machine.call(
        "workspace__python", {"code": LOOK}, key="look", timeout_s=60, on_progress=quiet
    )
    found: dict[str, Any] = json.loads(json.loads(answer.text)["output"])
    return found


async def test_the_plugins_of_a_new_set_come_into_a_copy_of_the_frozen_machine(
    sandbox: QemuSandbox,
) -> None:
    told: list[str] = []
    registry = await sandbox.registry(("hr", "ops"), told.append)
    template = await sandbox.template(("hr", "ops"), told.append)
    plain = await sandbox.template((), told.append)
    assert template.booted is not None
    assert template.booted.digest == plain.layer.digest
    assert plain.booted is None
    assert registry.problems == ()
    assert {"hr", "ops", "office", "workspace"} == {tool.plugin for tool in registry.tools}

    async with sandbox.open(
        SandboxSpec(thread=ThreadId("t-graft"), plugins=("hr", "ops")), quiet
    ) as machine:
        found = await look(machine)
        assert found == {"write": False, "mounted": True, "there": ["hr", "ops"]}
        said = await machine.guest.registry()
    assert said.lock == template.layer.lock

    async with sandbox.open(SandboxSpec(thread=ThreadId("t-plain"), plugins=()), quiet) as machine:
        found = await look(machine)
        assert not found["mounted"]
        said = await machine.guest.registry()
    assert {tool.plugin for tool in said.tools} == {"office", "workspace"}


async def test_a_machine_that_is_somebodys_loads_no_more_plugins(sandbox: QemuSandbox) -> None:
    from deskmate.errors import ProtocolError

    async with sandbox.open(SandboxSpec(thread=ThreadId("t-late"), plugins=()), quiet) as machine:
        with pytest.raises(ProtocolError, match="before the freeze"):
            await machine.guest.load()
        assert await machine.alive()
