"""A guest that writes without end fills neither QEMU's memory nor the host's, and QEMU still answers."""

from __future__ import annotations

import os
import time

import anyio
import pytest
from tests.attack.evil.guest import EvilGuests, run_as_root
from tests.attack.host import resident_mib, watched_loop
from tests.attack.table import Attempts

from deskmate.errors import ProtocolError, SandboxUnavailable

pytestmark = [pytest.mark.vm, pytest.mark.anyio, pytest.mark.attack("G4")]

POUR = """
import threading, time
poured = {"bulk": 0, "egress": 0}
def pour(port):
    while True:
        write(port, bytes(65536))
        poured[port] += 65536
for port in poured:
    threading.Thread(target=pour, args=(port,), daemon=True).start()
time.sleep(3)
print(poured)
"""
NOTICES = """
silent = True
line = b'{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":1,"message":"' + b"x" * 900 + b'"}}\\n'
while True:
    write("agent", line * 64)
"""


async def test_what_the_host_does_not_read_stays_in_the_guest(
    evil: EvilGuests, attempt: Attempts
) -> None:
    async with evil.machine() as machine:
        pid = machine.process.pid
        said = await run_as_root(machine, POUR)  # what runs for the first time takes memory once
        before, own = resident_mib(pid), resident_mib(os.getpid())
        async with watched_loop() as late:
            said += await run_as_root(machine, "import time; time.sleep(4)")
        assert "Traceback" not in said
        attempt(
            f"QEMU's memory: {before} MiB to {resident_mib(pid)} MiB",
            blocked=resident_mib(pid) < before + 32,
        )
        attempt("the host's memory", blocked=resident_mib(os.getpid()) < own + 32)
        began = time.monotonic()
        await machine.process.qmp.execute("query-status")
        attempt("QEMU does not answer", blocked=time.monotonic() - began < 5)
        attempt("the machine does not answer", blocked=await machine.alive())
        attempt("the host is slow", blocked=sorted(late)[len(late) * 9 // 10] < 1)


async def test_endless_notices_end_the_machine(evil: EvilGuests, attempt: Attempts) -> None:
    async with evil.machine() as machine:
        own = resident_mib(os.getpid())
        with pytest.raises(
            (ProtocolError, SandboxUnavailable), match="notices without end"
        ) as info:
            with anyio.fail_after(120):
                await run_as_root(machine, NOTICES, timeout_s=100)
        attempt(f"notices: {info.value.message}", blocked=True)
        attempt("the machine lives on", blocked=not machine.process.running)
        attempt("the host's memory", blocked=resident_mib(os.getpid()) < own + 32)
