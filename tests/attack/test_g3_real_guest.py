"""A real guest sends what it likes: the host loses the connection with a reason, kills the machine, stores nothing false."""

from __future__ import annotations

import base64
import os
from itertools import islice

import anyio
import pytest
from anyio.abc import ByteStream
from tests.attack.evil.guest import EvilGuests, run_as_root
from tests.attack.frames import SPECIAL, mutants
from tests.attack.host import gone, resident_mib, watched_loop
from tests.attack.table import Attempts

from deskmate.errors import DeskmateError, ProtocolError, SandboxUnavailable
from deskmate.protocol.connection import Connection

pytestmark = [pytest.mark.vm, pytest.mark.anyio, pytest.mark.attack("G3")]
SEED, NORMAL, LONG = 7, 250, 10_000
GROWTH_MIB = 16
MARK = b"\nend-of-noise\n"

SAY = """
import base64
silent = True
data = base64.b64decode("{data}")
write("agent", data + b"\\n")
write("agent", {mark})
"""


class Borrowed(ByteStream):
    """The stream of a machine, kept open however often a connection over it is lost."""

    def __init__(self, stream: ByteStream) -> None:
        self.stream, self.tail = stream, b""

    async def receive(self, max_bytes: int = 65536) -> bytes:
        data = await self.stream.receive(max_bytes)
        self.tail = (self.tail + data)[-len(MARK) :]
        return data

    async def send(self, item: bytes) -> None:
        await self.stream.send(item)

    async def send_eof(self) -> None:
        """It stays open."""

    async def aclose(self) -> None:
        """It stays open."""

    async def quiet(self) -> None:
        """Read until the guest has said all it had to say."""
        while self.tail != MARK:
            await self.receive()
        self.tail = b""


async def noise(borrowed: Borrowed, line: bytes) -> str:
    """Have the guest say one line as its answer to a call; returns what a caller is told, in one word."""
    connection = Connection(borrowed)
    code = SAY.format(data=base64.b64encode(line).decode(), mark=MARK)
    params = {"name": "evil", "arguments": {"code": code}, "_meta": {}}
    told = "silence"
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(connection.serve)
        try:
            await connection.request("tools/call", params, 30)
            told = "an answer"
        except ProtocolError:
            told = "protocol"
        except SandboxUnavailable:
            told = "unavailable"
        tasks.cancel_scope.cancel()
    with anyio.fail_after(30):
        await borrowed.quiet()
    return told


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("count", [NORMAL, pytest.param(LONG, marks=pytest.mark.slow)])
async def test_no_frame_of_a_real_guest_raises_but_the_known_errors(
    count: int, evil: EvilGuests, attempt: Attempts
) -> None:
    # what is longer than a request may be stays with the readers' own test
    lines = (line for line in mutants(SEED, count * 2) if len(line) < 200_000)
    async with evil.process() as vm, watched_loop() as late:
        borrowed = Borrowed(vm.agent)
        before = 0
        for number, line in enumerate(islice(lines, count)):
            try:
                told = await noise(borrowed, line)
            except DeskmateError as error:
                told = f"escaped: {error}"
            attempt(
                f"{told}: {line[:100]!r}", blocked=told in ("protocol", "unavailable", "an answer")
            )
            if number == count // 10:
                before = resident_mib(os.getpid())
        grown = resident_mib(os.getpid()) - before
        attempt(f"the host's memory grew by {grown} MiB", blocked=grown < GROWTH_MIB)
        late.sort()
        attempt(
            f"the host is late by {late[len(late) * 99 // 100]:.2f} s",
            blocked=late[len(late) // 2] < 0.1,
        )


CORPUS = ("nested beyond the limit", "a key twice", "an id nobody asked", "an approval", "an order to the host", "result and error")  # fmt: skip


@pytest.mark.parametrize("name", CORPUS)
async def test_a_machine_that_breaks_the_rules_is_killed_with_a_named_reason(
    name: str, evil: EvilGuests, attempt: Attempts
) -> None:
    data = base64.b64encode(SPECIAL[name]).decode()
    async with evil.machine() as machine:
        pid = machine.process.pid
        with pytest.raises(SandboxUnavailable, match="broke the protocol") as told:
            await run_as_root(machine, SAY.format(data=data, mark=b""))
        attempt(f"{name}: {told.value.message}", blocked=True)
        attempt(f"{name}: the machine lives on", blocked=await gone(pid, 10))
        with pytest.raises(SandboxUnavailable):
            await run_as_root(machine, "print(1)")
