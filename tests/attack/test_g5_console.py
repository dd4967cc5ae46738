"""A guest that floods its console fills no file and no memory of the host."""

from __future__ import annotations

import pytest
from tests.attack.evil.guest import EvilGuests, run_as_root
from tests.attack.host import resident_mib, written_bytes
from tests.attack.table import Attempts

pytestmark = [pytest.mark.vm, pytest.mark.anyio, pytest.mark.attack("G5")]
RING_BYTES = 65536

FLOOD = """
import os, time
written, until = 0, time.monotonic() + 4
for name in ("/dev/hvc0", "/dev/console", "/dev/ttyS0", "/dev/kmsg"):
    try:
        fd = os.open(name, os.O_WRONLY)
    except OSError as error:
        print(name, error.strerror)
        continue
    end = time.monotonic() + 1.5
    while time.monotonic() < end:
        try:
            written += os.write(fd, b"flood of the console " * (40 if name == "/dev/kmsg" else 200))
        except OSError as error:
            print(name, error.strerror)
            break
print(written)
"""


async def test_a_flooded_console_takes_64_kib_of_the_host(
    evil: EvilGuests, attempt: Attempts
) -> None:
    async with evil.machine() as machine:
        pid = machine.process.pid
        memory, disk = resident_mib(pid), written_bytes(pid)
        written = int((await run_as_root(machine, FLOOD)).splitlines()[-1])
        assert written > 4 * RING_BYTES
        attempt("a file of the host grows", blocked=written_bytes(pid) <= disk + (1 << 20))
        attempt("QEMU's memory grows", blocked=resident_mib(pid) < memory + 48)
        console = await machine.process.console()
        assert "flood" in console
        attempt("more than the ring is kept", blocked=len(console.encode()) <= RING_BYTES)
        attempt("the machine does not answer", blocked=await machine.alive())
