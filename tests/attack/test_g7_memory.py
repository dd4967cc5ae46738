"""A tool takes all the memory there is: it dies for it, the agent lives, and the host gives no more than the guest has."""

from __future__ import annotations

import pytest
from tests.attack.conftest import OpenMachine, call_of, output_of
from tests.attack.host import resident_mib
from tests.attack.table import Attempts

pytestmark = [pytest.mark.vm, pytest.mark.anyio, pytest.mark.attack("G7")]
OVERHEAD_MIB = 200
"""QEMU's own: its translated code, its libraries and tables."""
HOGS = {
    "doubling": "awk 'BEGIN { s = \"x\"; while (1) s = s s }'",
    "tail": "head -c 1G /dev/zero | tail",
    "tmp": "dd if=/dev/zero of=/tmp/full bs=1M",
    "shm": "dd if=/dev/zero of=/dev/shm/full bs=1M",
    "all of them": "for f in /tmp /dev/shm /var/tmp $TMPDIR; do dd if=/dev/zero of=$f/full bs=1M; done",
    "files": 'python3 -c \'for n in range(400000): open(f"/tmp/{n}", "w").close()\'',
}
LEAN = ("doubling", "all of them")


@pytest.mark.parametrize("names", [LEAN, pytest.param(tuple(HOGS), marks=pytest.mark.slow)])
async def test_a_tool_that_takes_all_the_memory_leaves_the_machine_working(
    names: tuple[str, ...], open_machine: OpenMachine, attempt: Attempts
) -> None:
    async with open_machine() as machine:
        limit = machine._template.shape.memory_mib + OVERHEAD_MIB
        for name in names:
            await call_of(machine, HOGS[name], timeout_s=30)
            attempt(f"{name}: the agent is gone", blocked=await machine.alive())
            console = await machine.process.console()
            whole = "Out of memory:" in console  # the kernel's own killer, of whom it likes
            attempt(f"{name}: the whole guest ran out of memory", blocked=not whole)
            size = resident_mib(machine.process.pid)
            attempt(f"{name}: QEMU takes {size} MiB", blocked=size < limit)
            text = await output_of(machine, "echo well")
            attempt(f"{name}: no call works any more: {text}", blocked=text.endswith("well\n"))
            cleared = await output_of(machine, "rm -rf /tmp/* /dev/shm/* $TMPDIR/*; echo cleared")
            attempt(f"{name}: cannot be cleared", blocked=cleared.endswith("cleared\n"))
        python = await output_of(
            machine, "python3 -c 'import pandas; print(pandas.DataFrame([1]).sum()[0])'"
        )
        assert python.strip() == "1"
