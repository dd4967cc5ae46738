"""Many machines from one template share no random number, no name and no id, and know the time."""

from __future__ import annotations

import json
import time
from typing import Any

import anyio
import pytest

from deskmate.ports import SandboxSpec
from deskmate.sandbox.adapter import QemuSandbox
from deskmate.types.ids import ThreadId

pytestmark = [pytest.mark.vm, pytest.mark.anyio]
MACHINES, AT_ONCE = 50, 10
CLOCK_S = 2.0
DRAWS = """
import json, os, random, secrets, socket, sys, time, uuid
numpy = sys.modules["numpy"]
print(json.dumps({
    "time": time.time(),
    "machine id": open("/etc/machine-id").read().strip(),
    "host name": socket.gethostname(),
    "uuid4": str(uuid.uuid4()),
    "uuid1": str(uuid.uuid1()),
    "random": random.random(),
    "secrets": secrets.token_hex(16),
    "urandom": os.urandom(16).hex(),
    "kernel uuid": open("/proc/sys/kernel/random/uuid").read().strip(),
    "numpy, global": numpy.random.random(),
    "numpy, generator": numpy.random.default_rng().random(),
}))
"""
SAME_IN_ONE_MACHINE = {"time", "machine id", "host name"}


async def _draw(sandbox: QemuSandbox) -> list[dict[str, Any]]:
    """Restore a machine and draw in two calls; the clock's distance from the host's is `late`, in seconds."""
    spec = SandboxSpec(thread=ThreadId("t-clones"), plugins=())
    draws = []
    async with sandbox.open(spec, lambda line: None) as machine:
        for key in ("first", "second"):
            before = time.time()
            outcome = await machine.call(
                "workspace__python",
                {"code": DRAWS},
                key=key,
                timeout_s=120,
                on_progress=lambda line: None,
            )
            assert isinstance(outcome.structured, dict), outcome.text
            drawn = json.loads(str(outcome.structured["output"]))
            drawn["late"] = max(before - drawn["time"], drawn["time"] - time.time())
            draws.append(drawn)
    return draws


async def _fifty(sandbox: QemuSandbox) -> list[list[dict[str, Any]]]:
    machines: list[list[dict[str, Any]]] = []

    async def one() -> None:
        machines.append(await _draw(sandbox))

    for _ in range(MACHINES // AT_ONCE):
        async with anyio.create_task_group() as tasks:
            for _ in range(AT_ONCE):
                tasks.start_soon(one)
    return machines


async def test_fifty_machines_of_one_template_share_nothing_that_must_be_unique(
    sandbox: QemuSandbox,
) -> None:
    machines = await _fifty(sandbox)
    assert len(machines) == MACHINES
    for name in machines[0][0].keys() - {"time", "late"}:
        once = name in SAME_IN_ONE_MACHINE
        values = [draw[name] for draws in machines for draw in draws[: 1 if once else 2]]
        doubled = {value for value in values if values.count(value) > 1}
        assert not doubled, f"{name}: {len(values)} draws, {len(set(values))} different"
    late = sorted(draw["late"] for draws in machines for draw in draws)
    assert late[-1] < CLOCK_S, late
